package js

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTextOfBytes(t *testing.T) {
	// From the WHATWG decoding standard and the Unicode standard's table of maximal subparts.
	for in, want := range map[string]string{
		"héllo":                                "héllo",
		"\xff":                                 "\uFFFD",
		"a\xf0\x90\x80b":                       "a\uFFFDb",
		"\xe2\x82":                             "\uFFFD",
		"\xed\xa0\x80":                         "\uFFFD\uFFFD\uFFFD",
		"\xc0\xaf":                             "\uFFFD\uFFFD",
		"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42": "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41\uFFFD\uFFFD\x42",
		"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41": "\uFFFD\uFFFD\uFFFD\uFFFD\x41",
		"\x00ok\uFFFD":                         "\x00ok\uFFFD",
	} {
		if got := Text([]byte(in)); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJSONStringsReadBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Text([]byte(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
		if !utf8.ValidString(s) {
			t.Fatalf("%q is not UTF-8", s)
		}
		var back string
		if err := json.Unmarshal(AppendJSON(nil, s), &back); err != nil || back != s {
			t.Fatalf("%q came back as %q, %v", s, back, err)
		}
	})
	if got := string(AppendJSON(nil, "<\u2028&\x7f\x01\">")); got != "\"<\u2028&\x7f\\u0001\\\">\"" {
		t.Fatalf("not as JSON.stringify: %s", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("a\xe2\x82b\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out := Text(b)
		if !utf8.ValidString(out) || utf8.Valid(b) && out != string(b) {
			t.Errorf("%q gives %q", b, out)
		}
		if TextOf(string(b)) != out {
			t.Errorf("%q as a string gives %q", b, TextOf(string(b)))
		}
	})
}
