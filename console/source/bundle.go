package source

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ago/fault"
)

// Bounds of a bundle: messages hold no more.
const (
	bundleFiles = 500
	bundleBytes = 8 << 20
)

// File is one file of a bundle.
type File struct {
	Module string // the name it is required by; "" is the file that was asked for
	Path   string // as errors show it: from the working folder, with slashes
	Text   string
}

// Bundle is a file with the local files it requires, directly or through others.
type Bundle struct {
	Files  []File // the one that was asked for is the last
	newest time.Time
}

// Load reads a file and what it requires. Names no local file has are left to the process: it brings modules of its own.
func Load(path string) (*Bundle, error) {
	l := loader{root: filepath.Dir(path), known: map[string]bool{}}
	if err := l.file("", path); err != nil {
		return nil, err
	}
	return &l.bundle, nil
}

// Of makes a bundle of a text that is in no file.
func Of(path, text string) *Bundle {
	return &Bundle{Files: []File{{Path: path, Text: text}}}
}

type loader struct {
	root   string
	known  map[string]bool // modules that are in the bundle, or have no file
	bundle Bundle
	bytes  int
}

func (l *loader) file(module, path string) error {
	if info, err := os.Stat(path); err == nil && info.ModTime().After(l.bundle.newest) { // before it is read: what is written meanwhile is a change
		l.bundle.newest = info.ModTime()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f := fault.Wrap(reason(err), fault.NotFound, "file-unreadable", "%s", Shown(path))
		return f.(*fault.Error).WithHint("the path is looked up from the folder ago runs in")
	}
	l.bytes += len(b)
	if len(l.bundle.Files) >= bundleFiles || l.bytes > bundleBytes {
		return fault.New(fault.TooLarge, "bundle-too-large", "%s and what it requires are more than %d files or %d MB", Shown(path), bundleFiles, bundleBytes>>20)
	}
	s := string(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
	if strings.HasPrefix(s, "\x1bLua") {
		return fault.New(fault.Unsupported, "file-compiled", "%s is compiled Lua", Shown(path)).WithHint("processes take source text only")
	}
	for _, required := range Requires(s) {
		if l.known[required] {
			continue
		}
		l.known[required] = true
		if at, ok := l.find(required, filepath.Dir(path)); ok {
			if err := l.file(required, at); err != nil {
				return err
			}
		}
	}
	l.bundle.Files = append(l.bundle.Files, File{Module: module, Path: Shown(path), Text: withoutInterpreter(s)})
	return nil
}

// reason takes the path out of an error that names it, since ours does.
func reason(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// find looks for a module beside the file that requires it and below the folder of the first file. The process's own
// modules begin with a dot.
func (l *loader) find(module, beside string) (string, bool) {
	if module == "" || strings.HasPrefix(module, ".") && !strings.HasPrefix(module, "./") && !strings.HasPrefix(module, "../") {
		return "", false
	}
	rel := strings.TrimSuffix(module, ".lua")
	if !strings.Contains(rel, "/") {
		rel = strings.ReplaceAll(rel, ".", "/")
	}
	for _, dir := range []string{l.root, beside} {
		for _, tail := range []string{".lua", "/init.lua"} {
			path := filepath.Join(dir, filepath.FromSlash(rel+tail))
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path, true
			}
		}
	}
	return "", false
}

// withoutInterpreter empties a first line that names an interpreter, and keeps the line, so that all others keep their
// numbers.
func withoutInterpreter(s string) string {
	if !strings.HasPrefix(s, "#") {
		return s
	}
	if end := strings.IndexByte(s, '\n'); end >= 0 {
		return s[end:]
	}
	return ""
}

// Shown is a path as people read it: from the working folder if it is below that.
func Shown(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		if here, err := os.Getwd(); err == nil {
			if rel, err := filepath.Rel(here, abs); err == nil && !strings.HasPrefix(rel, "..") {
				path = rel
			}
		}
	}
	return filepath.ToSlash(path)
}

// Requires gives the names that a text requires by constant text, each once, in order.
func Requires(s string) []string {
	var names []string
	seen := map[string]bool{}
	all := tokens(s)
	for i, t := range all {
		if t.kind != name || t.word != "require" || i > 0 && (all[i-1].word == "." || all[i-1].word == ":" || all[i-1].word == "function") {
			continue
		}
		j := i + 1
		if j < len(all) && all[j].kind == operator && all[j].word == "(" {
			j++
		}
		if j < len(all) && all[j].kind == text && !seen[all[j].word] {
			seen[all[j].word] = true
			names = append(names, all[j].word)
		}
	}
	return names
}

// Chunk is the text that a process evaluates: it loads every file under its own name, so that errors, also those of
// handlers much later, tell the developer's file and line. Required files are run when they are required, anew after each
// load. Args are given to the last file as `...` and in the global `arg`, if there are any.
func (b *Bundle) Chunk(args ...string) string {
	var s strings.Builder
	s.WriteString("local function chunk(path, text)\n  local run, why = load(text, '@' .. path, 't')\n  if not run then error(why, 0) end\n  return run\nend\n")
	for _, f := range b.Files {
		if f.Module != "" {
			fmt.Fprintf(&s, "package.loaded[ %s ] = nil\npackage.preload[ %[1]s ] = chunk(%s, %s)\n", long(f.Module), long(f.Path), long(f.Text))
		}
	}
	last := b.Files[len(b.Files)-1]
	call := ""
	for i, a := range args {
		if i > 0 {
			call += ", "
		}
		call += long(a)
	}
	if len(args) > 0 {
		fmt.Fprintf(&s, "arg = {[0] = %s, %s}\n", long(last.Path), call)
	}
	fmt.Fprintf(&s, "return (chunk(%s, %s)(%s))\n", long(last.Path), long(last.Text), call)
	return s.String()
}

// long writes a Lua text of any content. Lua skips a line end that follows the opening bracket, and reads every kind of line
// end as one.
func long(s string) string {
	level := 0
	for strings.Contains(s, "]"+strings.Repeat("=", level)+"]") || strings.HasSuffix(s, "]"+strings.Repeat("=", level)) {
		level++
	}
	eq := strings.Repeat("=", level)
	return "[" + eq + "[\n" + s + "]" + eq + "]"
}

// Changed tells whether a file of the bundle was written after it was read, or is gone.
func (b *Bundle) Changed() bool {
	for _, f := range b.Files {
		info, err := os.Stat(filepath.FromSlash(f.Path))
		if err != nil || info.ModTime().After(b.newest) {
			return true
		}
	}
	return false
}
