package luabridge

import (
	"bytes"
	"fmt"
	"strings"
)

// Source is one text of a program. Errors name it by its name.
type Source struct {
	Name string
	Text []byte
}

// Barred are names that a sandbox replaces by a text: globals, and members of global tables behind a dot.
type Barred []Bar

// Bar is one of them with what stands in its place.
type Bar struct{ Name, Text string }

// DefaultBarred is what a sandbox takes away if it says no more than that it is one.
func DefaultBarred() Barred {
	var out Barred
	for _, name := range strings.Fields(`io file os.execute os.exit os.getenv os.remove os.rename os.tmpname package loadfile require dofile load
		loadstring`) {
		out = append(out, Bar{name, "sandboxed"})
	}
	return out
}

// FunctionNames is the global function that gives the names of all functions that the program defines.
const FunctionNames = "ago:functions"

// library stands before the texts of a program, and links it with the host after them.
const (
	library = `local host, load, error, pairs, type, sort, pack = require("machine").host, load, error, pairs, type, table.sort, table.pack
local find, sub, rawget, G = string.find, string.sub, rawget, _G
local own = {}
for name in pairs(G) do own[name] = true end
local function run(name, text)
  local f, why = load(text, name, "t")
  if not f then error(why, 0) end
  f()
end
local function bar(name, text)
  local at, key = G, name
  local dot = find(name, ".", 1, true)
  if dot then at, key = G[sub(name, 1, dot - 1)], sub(name, dot + 1) end
  if type(at) == "table" then at[key] = text end
end
`
	joints = `if type(G.ao) ~= "table" then G.ao = {} end
for _, name in pairs({"resolve", "get", "set", "event"}) do
  G.ao[name] = function(...) return host(name, ...) end
end
G["` + FunctionNames + `"] = function()
  local names = {}
  for name, v in pairs(G) do
    if type(name) == "string" and type(v) == "function" and not own[name] and name ~= "` + FunctionNames + `" then names[#names + 1] = name end
  end
  sort(names)
  return names
end
`
)

// Program is the text of a machine that begins with these sources, in their order, in a sandbox, and with the functions of the
// host in the table ao.
func Program(sources []Source, sandbox Barred) []byte {
	var b bytes.Buffer
	b.WriteString(library)
	for _, s := range sources {
		fmt.Fprintf(&b, "run(%s, %s)\n", quote([]byte("@"+s.Name)), quote(s.Text))
	}
	for _, bar := range sandbox {
		fmt.Fprintf(&b, "bar(%s, %s)\n", quote([]byte(bar.Name)), quote([]byte(bar.Text)))
	}
	b.WriteString(joints)
	return b.Bytes()
}

// quote writes a text of any bytes as a literal of Lua.
func quote(text []byte) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/8 + 2)
	b.WriteByte('"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c == 127:
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
