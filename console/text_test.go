package console

import (
	"testing"

	"ago/console/source"
)

func TestErrorsAreShortAndPlaced(t *testing.T) {
	b := source.Of("token.lua", "local a\nreturn a.b\n")
	for _, c := range []struct{ name, text, printed, want string }{
		{"of aos", "\n\n\x1b[31merror:\n\x1b[0m[string \".handlers\"]:723: [string \"aos\"]:1: boom", "", "line 1: boom"},
		{"with prints", "one\ntwo\n\n\x1b[31merror:\n\x1b[0m[string \"aos\"]:3: boom", "one\ntwo", "line 3: boom"},
		{"in a file", "\n\n\x1b[31merror:\n\x1b[0m[string \".handlers\"]:723: token.lua:2: attempt to index a nil value (local 'a')", "",
			"token.lua:2: attempt to index a nil value (local 'a')\n  2 | return a.b\n    |        ^"},
		{"that does not compile", "[string \"aos\"]:1: syntax error near 'y'", "", "line 1: syntax error near 'y'"},
		{"of a runtime that names its parts plainly", ".handlers:12: token.lua:1: x", "", "token.lua:1: x\n  1 | local a"},
		{"that moves the cursor", "\x1b[2Jgone\x07\x1b]0;title\x07", "", "gone]0;title"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ErrorText(c.text, b); got != c.want {
				t.Errorf("got\n%q\nwant\n%q", got, c.want)
			}
			if printed, _ := SplitError(c.text); printed != c.printed {
				t.Errorf("printed %q", printed)
			}
		})
	}
}

func TestTextsOfStrangersKeepOnlyColours(t *testing.T) {
	in := "\x1b[31mred\x1b[0m \x1b[5;5Hmoved \x1bcreset \u009b31m tab\tline\n\r\x00end"
	if got, want := safe(in), "\x1b[31mred\x1b[0m moved creset 31m tab\tline\nend"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Plain(in[:12]), "red"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m")
	f.Add("\x1b\x1b[2Jx[31m")
	f.Add("\x1b[\x1b[2J31H")
	f.Fuzz(func(t *testing.T, s string) {
		got := safe(s)
		for _, e := range escape.FindAllString(got, -1) {
			if e[len(e)-1] != 'm' {
				t.Fatalf("%q lets %q through", s, e)
			}
		}
		for _, r := range Plain(got) {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				t.Fatalf("%q lets %q through", s, r)
			}
		}
	})
}

func FuzzErrorText(f *testing.F) {
	f.Add("\n\n\x1b[31merror:\n\x1b[0m[string \".handlers\"]:723: token.lua:2: attempt to index a nil value (local 'a')")
	f.Add("...ken.lua:1: near 'a'")
	f.Add("token.lua:99999999999999999999: x token.lua:0: y")
	b := source.Of("token.lua", "local a\n\treturn a.b\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := ErrorText(s, b)
		if Plain(got) != got {
			t.Fatalf("%q has colours", got)
		}
		printed, failure := SplitError(s)
		if Plain(printed) == "" && Plain(failure) == "" && Plain(safe(s)) != "" {
			t.Fatalf("%q is lost", s)
		}
	})
}
