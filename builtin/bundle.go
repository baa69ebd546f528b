// Package builtin is the process that a node carries itself: our own Lua code in the role of aos, the module item it is
// published as, and the blueprints that go with it.
package builtin

import (
	"embed"
	"fmt"
	"strings"

	"ago/fault"
)

// Format is the Module-Format of the built-in process: Lua text for the machine in vm/lua.
const Format = "lua-5.3-ago.1"

//go:embed lua/*.lua
var sources embed.FS

//go:embed blueprints/*.lua
var blueprints embed.FS

// parts are the files of the process under the names by which require finds them, in the order they are bundled.
// A rare one is compiled when it is first asked for: most processes never ask, and memory is per process.
var parts = []struct {
	name, file string
	rare       bool
}{
	{".utils", "utils", false}, {".stringify", "stringify", false}, {".pretty", "pretty", true}, {".dump", "dump", false},
	{".base64", "base64", true}, {".chance", "chance", false}, {".bint", "bint", true}, {".crypto", "crypto", true},
	{".handlers-utils", "handlers-utils", false}, {".handlers", "handlers", false}, {".assignment", "assignment", false},
	{".ao", "ao", false}, {".eval", "eval", false}, {".boot", "boot", false}, {".default", "default", false},
	{".process", "process", false},
}

// Bundle is the Lua text of the process, one chunk: every file as a text of its own, so that errors name the file and
// its line, then the entry point.
func Bundle() []byte {
	var b strings.Builder
	b.WriteString("-- The built-in process of ago. Made from builtin/lua; change it there.\n" +
		"local function part(name, text)\n" +
		"  package.preload[name] = assert(load(text, \"=\" .. name, \"t\"))\n" +
		"end\n" +
		"local function later(name, text)\n" +
		"  package.preload[name] = function(...)\n" +
		"    return assert(load(text, \"=\" .. name, \"t\"))(...)\n" +
		"  end\n" +
		"end\n")
	for _, p := range parts {
		how := "part"
		if p.rare {
			how = "later"
		}
		fmt.Fprintf(&b, "%s(%q, %s)\n", how, p.name, long(source(p.file)))
	}
	b.WriteString(source("main"))
	return []byte(b.String())
}

func source(file string) string {
	text, err := sources.ReadFile("lua/" + file + ".lua")
	if err != nil {
		panic(err) // the files are part of the program
	}
	return string(text)
}

// long writes a text as a Lua literal that keeps its lines.
func long(text string) string {
	eq := "="
	for strings.Contains(text, "]"+eq+"]") {
		eq += "="
	}
	return "[" + eq + "[\n" + text + "]" + eq + "]"
}

// Blueprints are the names that Blueprint knows, in order.
func Blueprints() []string {
	entries, err := blueprints.ReadDir("blueprints")
	if err != nil {
		panic(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".lua"))
	}
	return names
}

// Blueprint is the Lua text of a blueprint, ready to be evaluated by a process. The fault is NotFound, and names those
// there are.
func Blueprint(name string) (string, error) {
	for _, known := range Blueprints() {
		if known == name {
			text, err := blueprints.ReadFile("blueprints/" + name + ".lua")
			if err != nil {
				panic(err)
			}
			return string(text), nil
		}
	}
	return "", fault.New(fault.NotFound, "blueprint-unknown", "there is no blueprint %q", name).
		WithHint("take one of %s", strings.Join(Blueprints(), ", "))
}
