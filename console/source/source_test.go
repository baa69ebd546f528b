package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWholeTexts(t *testing.T) {
	whole := []string{
		"", "   \n", "-- only a comment", "1+1", "x = 1", "return", "f()", "f{1}", "local x = {1, 2}", "function f() end",
		"for i = 1, 3 do print(i) end", "while x do y() end", "repeat x() until y", "if a then b() elseif c then d() else e() end",
		"do local x = 1 end", "x = 'a' -- [[ open", "s = [[ two\nlines ]]", "s = [==[ ]] ]==]", "--[[ a\nb ]] x = 1",
		"f(function() return 1 end)", "a.b.c:d()", "x = 0x1p-4", "x = 1e+5", "x = 1 .. 2", "...", "goto done ::done::",
		"print('it\\'s')", "#!/usr/bin/lua\nprint(1)", "x = 'a\\\nb'", "x = 'a\\z  \n b'",
		// wrong in a way no further line mends
		"end", "x = )", "f(]", "x = 'no end", "until x", "for i = 1, 2 end", "function f() }",
	}
	for _, s := range whole {
		if !Whole(s) {
			t.Errorf("%q waits for more", s)
		}
	}
	open := []string{
		"function f()", "f(", "x = {", "x = [[ a", "--[[ a", "if a then", "for i = 1, 3 do", "for i = 1, 3", "while x", "repeat", "x =", "x = 1 +",
		"local", "a.b.", "a and", "not", "f(function()", "x = {1,", "do", "Handlers.add('a',", "x = 'a\\", "x = 'a\\z  ", "return {", "repeat x() until",
		"if a then b() else", "x = [==[ ]]",
	}
	for _, s := range open {
		if Whole(s) {
			t.Errorf("%q does not wait for more", s)
		}
	}
}

// The interpreter says of an unfinished chunk that it found <eof>. Every prefix of a program is such a chunk or not.
func TestWholeAgreesWithLua(t *testing.T) {
	lua, err := exec.LookPath("luac5.3")
	if err != nil {
		if lua, err = exec.LookPath("lua5.3"); err != nil {
			t.Skip("lua5.3 is not installed")
		}
	}
	program := "local t = { a = 1, ['b'] = [[x]] }\nfor k, v in pairs(t) do\n  if k == 'a' then t[k] = v + 1 elseif v then t = nil else return t end\nend\n" +
		"repeat t = (t or 1) .. \"s\" until t --[[ why\n not ]]\nlocal f = function(...) while true do break end end\nf'x'\n"
	var prefixes []string
	for i := 1; i < len(program); i++ {
		if program[i] == ' ' || program[i] == '\n' {
			prefixes = append(prefixes, program[:i])
		}
	}
	var script strings.Builder
	for _, p := range prefixes {
		script.WriteString("do local s = " + long(p) + " local f, why = load(s) print(f and 'whole' or (why:find('<eof>', 1, true) and 'open' or 'wrong')) end\n")
	}
	script.WriteString("\n")
	cmd := exec.Command(strings.Replace(lua, "luac", "lua", 1), "-")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Fields(string(out))
	if len(answers) != len(prefixes) {
		t.Fatalf("%d answers for %d texts", len(answers), len(prefixes))
	}
	for i, p := range prefixes {
		// A text that Lua takes as it is must be evaluated; one that it does not may be sent too, since the process says why.
		if answers[i] == "whole" && !Whole(p) {
			t.Errorf("Lua takes %q, and we wait for more", p)
		}
		if answers[i] == "wrong" && !Whole(p) {
			t.Errorf("Lua finds an error in %q, and we wait for more", p)
		}
	}
	if strings.Count(string(out), "open") < 10 {
		t.Fatalf("too few unfinished texts: %s", out)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRequires(t *testing.T) {
	got := Requires(`local a = require("a.b") local j = require 'json' require [[c]]
-- require("comment")
local s = "require('in text')"
x.require("no") x:require("no") require(name) require("a.b")`)
	if d := cmp.Diff([]string{"a.b", "json", "c"}, got); d != "" {
		t.Fatal(d)
	}
}

func TestBundlesHoldLocalFilesOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	main := write(t, dir, "bank.lua", "local m = require('lib.money')\nlocal j = require('json')\nreturn m")
	write(t, dir, "lib/money.lua", "local s = require('lib.small') local b = require('beside')\nreturn {}")
	write(t, dir, "lib/small/init.lua", "require('lib.money') return 1")
	write(t, dir, "lib/beside.lua", "return 2")
	b, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range b.Files {
		names = append(names, f.Module+"="+f.Path)
	}
	want := []string{"lib.small=lib/small/init.lua", "beside=lib/beside.lua", "lib.money=lib/money.lua", "=bank.lua"}
	if d := cmp.Diff(want, names); d != "" {
		t.Fatal(d)
	}
	if b.Changed() {
		t.Error("changed without being written")
	}
	if err := os.Remove(filepath.Join(dir, "lib/beside.lua")); err != nil {
		t.Fatal(err)
	}
	if !b.Changed() {
		t.Error("a file that is gone is no change")
	}
	if _, err := Load("missing.lua"); err == nil || !strings.Contains(err.Error(), "missing.lua: no such file") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Load(write(t, dir, "c.lua", "\x1bLuaS")); err == nil {
		t.Error("compiled Lua was taken")
	}
}

func TestErrorsAreLocated(t *testing.T) {
	b := &Bundle{Files: []File{{Path: "lib/a.lua", Text: "x\ny"}, {Path: "some/very/long/folder/token.lua", Text: "one\n\tBalances.x = nil + 1\n"}}}
	for _, c := range []struct{ message, want string }{
		{"lib/a.lua:2: boom", "  2 | y"},
		{"\x1b[31merror:\n\x1b[0m...long/folder/token.lua:2: attempt to index a nil value (global 'Balances')", "  2 | \tBalances.x = nil + 1\n    | \t^^^^^^^^"},
		{"[string \"aos\"]:1: lib/a.lua:1: syntax error near 'x'", "  1 | x\n    | ^"},
	} {
		p, ok := b.Locate(c.message)
		if !ok || p.String() != c.want {
			t.Errorf("%q: got %v\n%s", c.message, ok, p)
		}
	}
	for _, none := range []string{"boom", "other.lua:1: x", "lib/a.lua:99: x", "a.lua:1: x"} {
		if p, ok := b.Locate(none); ok {
			t.Errorf("%q was located at %+v", none, p)
		}
	}
}

// Whatever bytes a file has, the process sees that text, but for line ends, which Lua reads as one kind.
func TestChunksKeepTexts(t *testing.T) {
	lua, err := exec.LookPath("lua5.3")
	if err != nil {
		t.Skip("lua5.3 is not installed")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	main := write(t, dir, "main.lua", "#!/bin/lua\nprint(require('part').x, ..., arg[2])\nlocal s = [==[ ]] ]=] ]==]\nprint(#s)\nerror('here')")
	write(t, dir, "part.lua", "return {x = ']=]'}")
	b, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(lua, "-")
	cmd.Stdin = strings.NewReader(b.Chunk("a]]", "b]"))
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("the error was lost")
	}
	if want := "]=]\ta]]\tb]\n8\n"; !strings.HasPrefix(string(out), want) {
		t.Errorf("got %q", out)
	}
	if !strings.Contains(string(out), "main.lua:5: here") {
		t.Errorf("got %q", out)
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"x = [[a]]", "--[==[", "'\\z  \n'", "0x.1p+", "a.b..c", "\"\\", "[=", "#!x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all := tokens(s)
		line := 1
		for _, tok := range all {
			if tok.line < line {
				t.Fatalf("line %d after %d", tok.line, line)
			}
			line = tok.line
		}
		if line > strings.Count(s, "\n")+1 {
			t.Fatalf("line %d of a text of %d", line, strings.Count(s, "\n")+1)
		}
		Requires(s)
	})
}
