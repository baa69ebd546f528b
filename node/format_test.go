package node

import (
	"testing"
)

func TestGuessFormat(t *testing.T) {
	t.Parallel()
	head := "\x00asm\x01\x00\x00\x00"
	for _, c := range []struct{ name, wasm, want string }{
		{"64-bit memory", head + "\x05\x04\x01\x05\x01\x02", formatWide},
		{"32-bit memory", head + "\x05\x03\x01\x00\x01", formatNarrow},
		{"imported 64-bit memory after a function and a global", head + "\x02\x15\x03" + "\x01a\x01f\x00\x00" + "\x01a\x01g\x03\x7f\x00" + "\x01a\x01m\x02\x04\x01", formatWide},
		{"no memory", head, ""},
		{"not wasm", "hello, I am text", ""},
		{"cut off", head + "\x02\x7f\x03", ""},
		{"a number of imports nobody sent", head + "\x02\x05\xff\xff\xff\xff\x0f", ""},
	} {
		got, err := GuessFormat([]byte(c.wasm))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestModuleTagsKeepWhatIsGiven(t *testing.T) {
	t.Parallel()
	tags, err := ModuleTags([]byte("no wasm"), Tag{Name: "Module-Format", Value: "f"}, Tag{Name: "Name", Value: "n"}, Tag{Name: "Memory-Limit", Value: "2-gb"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, tag := range tags {
		if _, twice := got[tag.Name]; twice {
			t.Errorf("%s is there twice", tag.Name)
		}
		got[tag.Name] = tag.Value
	}
	for name, want := range map[string]string{"Module-Format": "f", "Name": "n", "Memory-Limit": "2-gb", "Compute-Limit": "9000000000000", "Type": "Module"} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	if _, err := ModuleTags([]byte("no wasm")); err == nil {
		t.Error("a file without a format was accepted")
	}
}

func FuzzGuessFormat(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x05\x04\x01\x05\x01\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := GuessFormat(b); err == nil && got == "" {
			t.Fatal("neither a format nor an error")
		}
	})
}
