package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHistoryIsKeptBetweenSessions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "history")
	h := openHistory(file)
	for _, line := range []string{"one", "two", "two", "", "  ", "three"} {
		h.Add(line)
	}
	again := openHistory(file)
	if d := cmp.Diff([]string{"one", "two", "three"}, again.lines); d != "" {
		t.Error(d)
	}
	if again.Len() != 3 || again.At(0) != "three" || again.At(2) != "one" {
		t.Errorf("%v", again.lines)
	}
	if line, ok := again.search("t", 1); !ok || line != "two" {
		t.Errorf("%q %v", line, ok)
	}
	if _, ok := again.search("four", 0); ok {
		t.Error("found what nobody typed")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v: others may read the lines", info.Mode(), err)
	}
	for i := range 2*historyMax + 10 {
		again.Add(fmt.Sprint("line ", i))
	}
	if again.Len() != historyMax {
		t.Errorf("%d lines", again.Len())
	}
	if h := openHistory(file); h.Len() != historyMax || h.At(0) != fmt.Sprint("line ", 2*historyMax+9) {
		t.Errorf("%d lines, the newest is %q", h.Len(), h.At(0))
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), "\n") != historyMax {
		t.Errorf("the file has %d lines: %v", strings.Count(string(text), "\n"), err)
	}
}

func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"bank.lua", "bar.lua", "notes.txt", "lib/x.lua"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	c := &completer{commands: commandNames(), blueprints: []string{"token", "voting"}, ask: func(_ context.Context, text string) (Answer, error) {
		asked++
		switch {
		case strings.Contains(text, "Handlers.list"):
			return Answer{Text: "ping pong two\x01words"}, nil
		case strings.Contains(text, "'Handlers'"):
			return Answer{Text: "\x1b[34madd( append( list\x1b[0m"}, nil
		case strings.Contains(text, "'_G'"):
			return Answer{Text: "Handlers Inbox functional ao"}, nil
		}
		return Answer{}, errors.New("unknown")
	}}
	for _, test := range []struct {
		before string
		from   int
		words  []string
	}{
		{"Han", 0, []string{"Handlers"}},
		{"x = I", 4, []string{"Inbox"}},
		{"func", 0, []string{"function", "functional"}},
		{"Handlers.a", 9, []string{"add(", "append("}},
		{"Handlers:", 9, []string{"add(", "append(", "list"}},
		{"Handlers.remove('p", 17, []string{"ping", "pong"}},
		{`Handlers.remove("two`, 17, []string{"two words"}},
		{"nothing.x", 8, nil},
		{"x = ", 4, nil},
		{".lo", 0, []string{".load ", ".load-blueprint "}},
		{".load ba", 6, []string{"bank.lua", "bar.lua"}},
		{".load lib/", 6, []string{"lib/x.lua"}},
		{".watch l", 7, []string{"lib/"}},
		{".load-blueprint t", 16, []string{"token"}},
	} {
		from, words := c.complete(test.before)
		if d := cmp.Diff(test.words, words); d != "" || from != test.from {
			t.Errorf("%q: from %d, %s", test.before, from, d)
		}
	}
	before := asked
	c.complete("Han")
	if asked != before {
		t.Error("asked again for what is known")
	}
	c.forget()
	c.complete("Han")
	if asked != before+1 {
		t.Error("not asked again after an evaluation")
	}
}

func TestOutputsOfAllKinds(t *testing.T) {
	for _, c := range []struct{ raw, text, prompt string }{
		{`"plain"`, "plain", ""},
		{`[]`, "", ""},
		{`{"data":"a","prompt":"> "}`, "a", "> "},
		{`{"data":{"output":"b","prompt":"p> "}}`, "b", "p> "},
		{`{"data":{"output":{"x":1}},"prompt":"q"}`, `{"x":1}`, "q"},
		{`{"data":{"json":"x"}}`, "", ""},
		{`null`, "", ""},
		{``, "", ""},
	} {
		text, o := readOutput([]byte(c.raw))
		if text != c.text || o.Prompt != c.prompt {
			t.Errorf("%s: %q, %q", c.raw, text, o.Prompt)
		}
	}
}
