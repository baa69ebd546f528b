package httpsig

import (
	"fmt"
	"strings"
	"testing"

	"ago/commitment"
	"ago/message"
)

// examined is a signed message with most of what a signature base can have: types, a body, a nested message.
func examined(t *testing.T, k *commitment.Key) Wire {
	t.Helper()
	m := message.New(
		message.Field{Key: "action", Value: message.Bytes("Transfer")},
		message.Field{Key: "path", Value: message.Bytes("/~scheduler@1.0/schedule")},
		message.Field{Key: "quantity", Value: message.Int(100)},
		message.Field{Key: "body", Value: message.Bytes("line one\nline two")},
	)
	signed, err := Commit(m, k, Terms{Nesting: message.Nested})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Encode(signed, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestExamine(t *testing.T) {
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := examined(t, key)
	original, err := Decode(sent)
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := sent.Get("content-digest")
	for name, c := range map[string]struct {
		change  func(Wire) Wire
		against bool
		want    string // component: signed -> here
	}{
		"nothing":         {func(w Wire) Wire { return w }, false, ""},
		"upper case":      {func(w Wire) Wire { return w.with("action", "TRANSFER") }, true, "action: Transfer -> TRANSFER"},
		"lost slash":      {func(w Wire) Wire { return w.with("path", "~scheduler@1.0/schedule") }, false, "path: /~scheduler@1.0/schedule -> ~scheduler@1.0/schedule"},
		"added query":     {func(w Wire) Wire { return w.with("path", "/~scheduler@1.0/schedule?a=1") }, false, "path: /~scheduler@1.0/schedule -> /~scheduler@1.0/schedule?a=1"},
		"lower case":      {func(w Wire) Wire { return w.with("action", "transfer") }, false, "action: Transfer -> transfer"},
		"quoted":          {func(w Wire) Wire { return w.with("action", `"Transfer"`) }, false, `action: Transfer -> "Transfer"`},
		"percent signs":   {func(w Wire) Wire { return w.with("action", "Tr%61nsfer") }, false, "action: Transfer -> Tr%61nsfer"},
		"another value":   {func(w Wire) Wire { return w.with("quantity", "900") }, true, "quantity: 100 -> 900"},
		"unfindable":      {func(w Wire) Wire { return w.with("quantity", "900") }, false, "?"},
		"two values":      {func(w Wire) Wire { return w.with("quantity", "900").with("action", "Mint") }, true, "action: Transfer -> Mint, quantity: 100 -> 900"},
		"a lost header":   {func(w Wire) Wire { return w.with("action", "") }, true, "action: Transfer -> (absent)"},
		"another body":    {func(w Wire) Wire { w.Body = []byte("line one\nline 2"); return w }, false, "content-digest: " + digest + " -> " + digestOf([]byte("line one\nline 2"))},
		"another type":    {func(w Wire) Wire { return w.with("ao-types", `quantity="float"`) }, false, `ao-types: quantity="integer" -> quantity="float"`},
		"another digest":  {func(w Wire) Wire { return w.with("content-digest", "sha-256=:AAAA:") }, false, "content-digest: " + digest + " -> sha-256=:AAAA:"},
		"unsigned header": {func(w Wire) Wire { return w.with("x-added", "by a proxy") }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var others []message.Message
			if c.against {
				others = append(others, original)
			}
			_, found, err := ExamineWire(c.change(sent), others...)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != 2 {
				t.Fatalf("%d findings", len(found))
			}
			for _, f := range found {
				if got := outcome(f); got != c.want {
					t.Errorf("%s: %s, want %s\n%v", f.Entry.Text("type"), got, c.want, f.Err)
				}
				if f.Entry.Text("type") == AlgorithmEd25519 && f.Signer.Address() != key.Address() {
					t.Errorf("signed by %v", f.Signer)
				}
			}
		})
	}
}

func outcome(f Finding) string {
	if f.Err == nil {
		return ""
	}
	var parts []string
	for _, c := range f.Components {
		if c.Differs {
			here := c.Value
			if c.Missing {
				here = "(absent)"
			}
			parts = append(parts, fmt.Sprintf("%s: %s -> %s", c.Name, c.Signed, here))
		}
	}
	if parts == nil {
		return "?"
	}
	return strings.Join(parts, ", ")
}

// A message that was put together from a store, without headers, is examined by its canonical form.
func TestExamineWithoutHeaders(t *testing.T) {
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Commit(message.New(message.Field{Key: "path", Value: message.Bytes("/a")}), key, Terms{})
	if err != nil {
		t.Fatal(err)
	}
	changed := message.New(message.Field{Key: "path", Value: message.Bytes("a")}, message.Field{Key: message.KeyCommitments, Value: m.Commitments()})
	for _, f := range Examine(changed) {
		if got := outcome(f); got != "path: /a -> a" {
			t.Errorf("%s: %s", f.Entry.Text("type"), got)
		}
	}
}

// Whether a body is the one that was signed is told even if its digest was not signed.
func TestExamineUnsignedDigest(t *testing.T) {
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Commit(message.New(message.Field{Key: "a", Value: message.Bytes("1")}), key, Terms{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Encode(m, message.Linked)
	if err != nil {
		t.Fatal(err)
	}
	w = w.with(message.KeyContentDigest, digestOf([]byte("x")))
	w.Body = []byte("y")
	_, found, err := ExamineWire(w)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Err == nil {
			t.Error("a body that its digest does not tell of passed")
		}
	}
}

// FuzzExamine: whatever comes, an examination ends and agrees with Verify.
func FuzzExamine(f *testing.F) {
	f.Add([]byte("a: 1\r\nsignature: comm-a=:AAAA:\r\nsignature-input: comm-a=(\"a\");alg=\"ed25519\";keyid=\"publickey:AAAA\"\r\n\r\n"))
	f.Add([]byte("a: 1\r\nsignature: http-sig-a=:AAAA:\r\nsignature-input: http-sig-a=(\"a\" \"b\");alg=\"rsa-pss-sha512\";keyid=\"AAAA\"\r\n\r\nbody"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := ParseWire(raw)
		if err != nil {
			return
		}
		m, err := Decode(w)
		if err != nil {
			return
		}
		_, bad := Verify(m)
		held := true
		for _, x := range Examine(m) {
			held = held && x.Err == nil
		}
		if held != (bad == nil) {
			t.Errorf("examined %v, verified %v", held, bad)
		}
	})
}
