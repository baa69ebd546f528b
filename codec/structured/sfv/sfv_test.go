package sfv

import (
	"fmt"
	"testing"

	"ago/fault"

	"pgregory.net/rapid"
)

func TestDictionaries(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{``, `[]`},
		{`a="x", b=tok;p=1;q="r"`, `[{a {0 x [] []}} {b {1 tok [] [{p {2 1 [] []}} {q {0 r [] []}}]}}]`},
		{`%41-b="integer",.="list"`, `[{%41-b {0 integer [] []}} {. {0 list [] []}}]`},
		{`s=:YQ==:, u=:_-8:`, "[{s {3 a [] []}} {u {3 \xff\xef [] []}}]"},
		{`s=("a" "@b");alg="x", flag`, `[{s {5  [{0 a [] []} {0 @b [] []}] [{alg {0 x [] []}}]}} {flag {4 1 [] []}}]`},
		{`a=1, b=-2.5, a=?0`, `[{a {4 0 [] []}} {b {2 -2.5 [] []}}]`},
		{`a="say \"hi\\\""`, `[{a {0 say "hi\" [] []}}]`},
	} {
		got, err := ParseDictionary(c.in)
		type pair struct {
			Name  string
			Value Item
		}
		var pairs []pair
		for _, m := range got {
			pairs = append(pairs, pair{m.Name, m.Value})
		}
		text := fmt.Sprint(pairs)
		if err != nil || text != c.want {
			t.Errorf("%s is read as %s, %v, want %s", c.in, text, err, c.want)
		}
	}
}

func TestMembersKeepWhatWasWritten(t *testing.T) {
	got, err := ParseDictionary(`a=("x"  "y") ;alg="q";n=007, b, c=:YQ:`)
	if err == nil {
		t.Errorf("a space before parameters is read as %v", got)
	}
	got, err = ParseDictionary(`a=("x"  "y");alg="q";n=007, b, c=:YQ:`)
	if err != nil || len(got) != 3 || got[0].Raw != `("x"  "y");alg="q";n=007` || got[1].Raw != "" || got[2].Raw != ":YQ:" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatIsNoFieldIsRefused(t *testing.T) {
	for _, bad := range []string{`=1`, `a=`, `a="x`, `a="\x"`, `a=:YQ`, `a=:!:`, `a=("x"`, `a=("x""y")`, `a=1,`, `a=1 b=2`, `a=?2`, `a=-`, `a=1.2.3`, `a=1x`, `a;`, `"a"=1`, `a=("x";)`} {
		if got, err := ParseDictionary(bad); fault.KindOf(err) != fault.Malformed || err == nil {
			t.Errorf("%s is read as %v, %v", bad, got, err)
		}
	}
}

func TestQuotedTextsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		got, err := ParseList(Quote(s) + ", " + Quote("next"))
		if err != nil || len(got) != 2 || got[0].Text != s || got[1].Text != "next" {
			t.Fatalf("%q came back as %v, %v", s, got, err)
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add(`a="x", b=tok;p=1, s=("a" "@b");alg="x", d=:YQ==:, t=?1`)
	f.Add(`"(ao-type-integer) 1", "(ao-type-list) \"(ao-type-integer) 2\""`)
	f.Fuzz(func(t *testing.T, s string) {
		ms, err := ParseDictionary(s)
		if err == nil && len(ms) > len(s) {
			t.Fatalf("%d members in %d bytes", len(ms), len(s))
		}
		items, err := ParseList(s)
		if err == nil && len(items) > len(s) {
			t.Fatalf("%d items in %d bytes", len(items), len(s))
		}
	})
}
