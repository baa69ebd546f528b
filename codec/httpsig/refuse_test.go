package httpsig

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ago/codec/structured"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func TestUnsignedMessagesVerifyAsNobodys(t *testing.T) {
	m, err := Decode(NewWire([]message.Header{{Name: "A", Value: "b"}}, nil))
	if err != nil || m.Text("a") != "b" || !m.ID().IsZero() {
		t.Fatalf("%v, %v", m, err)
	}
	if signers, err := Verify(m); err != nil || signers != nil {
		t.Errorf("%v, %v", signers, err)
	}
	if _, err := commitment.Verify(m); fault.CodeOf(err) != "not-signed" {
		t.Errorf("%v", err)
	}
}

func TestCommitmentsThatCannotBeCheckedAreRefused(t *testing.T) {
	m := message.New(field("a", message.Bytes("b")))
	entry := func(fs ...message.Field) message.Message {
		return message.New(append([]message.Field{field(keyDevice, message.Bytes(Codec)), field(keyCommitted, message.List{message.Bytes("a")})}, fs...)...)
	}
	id := message.HashOf([]byte("s")).String()
	signature := field(keySignature, message.Bytes(base64.RawURLEncoding.EncodeToString([]byte("s"))))
	for name, c := range map[string]struct {
		entry message.Message
		kind  fault.Kind
	}{
		"device":    {message.New(field(keyDevice, message.Bytes("other@1.0"))), fault.Unsupported},
		"algorithm": {entry(signature, field(keyType, message.Bytes("dsa")), field(keyKeyID, message.Bytes("publickey:AAAA"))), fault.Unsupported},
		"secret":    {entry(signature, field(keyType, message.Bytes(AlgorithmHMAC)), field(keyKeyID, message.Bytes("secret:x"))), fault.Unsupported},
		"keyid":     {entry(signature, field(keyType, message.Bytes(AlgorithmRSA)), field(keyKeyID, message.Bytes("AAAA"))), fault.Forged},
		"committer": {entry(signature, field(keyType, message.Bytes(AlgorithmRSA)), field(keyKeyID, message.Bytes("publickey:AAAA")), field(keyCommitter, message.Bytes("me"))), fault.Forged},
		"signature": {entry(field(keySignature, message.Bytes("!")), field(keyType, message.Bytes(AlgorithmHMAC)), field(keyKeyID, message.Bytes(message.KeyIDConstant))), fault.Forged},
		"id":        {entry(field(keySignature, message.Bytes("AAAA")), field(keyType, message.Bytes(AlgorithmHMAC)), field(keyKeyID, message.Bytes(message.KeyIDConstant))), fault.Forged},
		"key":       {entry(signature, field(keyType, message.Bytes(AlgorithmRSA)), field(keyKeyID, message.Bytes("publickey:"))), fault.Forged},
		"old":       {entry(field(keySignature, message.Bytes("x")), field(keySignatureInput, message.Bytes("=="))), fault.Malformed},
		"old, none": {entry(field(keySignature, message.Bytes("x=:AAAA:")), field(keySignatureInput, message.Bytes(`x=("a")`))), fault.Forged},
	} {
		if _, err := commitment.VerifyEntry(m, id, c.entry); err == nil || fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	multipart := func(body string) Wire {
		return NewWire([]message.Header{{Name: "content-type", Value: `multipart/form-data; boundary="B"`}}, []byte(body))
	}
	header := func(name, value string) Wire {
		return NewWire([]message.Header{{Name: name, Value: value}}, []byte("x"))
	}
	for name, c := range map[string]struct {
		wire Wire
		code string
	}{
		"header name":     {header("a b", "x"), "header-malformed"},
		"header value":    {header("a", "x\r\ny"), "header-malformed"},
		"digest":          {header("content-digest", "sha-256=:AAAA:"), "digest-invalid"},
		"digest form":     {header("content-digest", "="), "digest-malformed"},
		"digest function": {header("content-digest", "md5=:AAAA:"), "digest-unknown"},
		"boundary":        {header("content-type", "multipart/form-data"), "multipart-malformed"},
		"beginning":       {multipart("x"), "multipart-malformed"},
		"end":             {multipart("--B\r\ncontent-disposition: inline\r\n\r\nx"), "multipart-malformed"},
		"no name":         {multipart("--B\r\ncontent-disposition: form-data\r\n\r\nx\r\n--B--"), "multipart-malformed"},
		"no disposition":  {multipart("--B\r\na: b\r\n\r\nx\r\n--B--"), "multipart-malformed"},
		"line breaks":     {multipart("--B\ncontent-disposition: inline\n\nx\n--B--"), "multipart-malformed"},
		"no line":         {multipart("--B\r\ncontent-disposition: inline\r\nx\r\n\r\nx\r\n--B--"), "multipart-malformed"},
		"twice":           {multipart("--B\r\ncontent-disposition: form-data;name=\"a\"\r\n\r\nx\r\n--B\r\ncontent-disposition: form-data;name=\"a\"\r\n\r\ny\r\n--B--"), "multipart-malformed"},
		"through a value": {multipart("--B\r\ncontent-disposition: form-data;name=\"a/b\"\r\n\r\ny\r\n--B--").with("a", "x"), "multipart-malformed"},
		"depth":           {multipart("--B\r\ncontent-disposition: form-data;name=\"" + strings.Repeat("a/", 200) + "\"\r\n\r\nx\r\n--B--"), "message-too-deep"},
		"parts":           {multipart(manyParts(PartsMax + 1)), "multipart-too-large"},
		"types":           {header("ao-types", `a="nothing"`).with("a", "x"), "types-malformed"},
		"signature":       {header("signature", "x").with("signature-input", "="), "signature-malformed"},
		"no signature":    {header("signature", "x=:AAAA:").with("signature-input", `comm-y=("a")`), "signature-malformed"},
		"twice a name":    {header("signature", "comm-y=:AAAA:").with("signature-input", `comm-y=("a" "a")`), "signature-malformed"},
	} {
		if m, err := Decode(c.wire); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	for _, raw := range []string{"", "a: b", "a\r\n\r\n"} {
		if m, err := Read([]byte(raw)); fault.CodeOf(err) != "header-malformed" {
			t.Errorf("%q: %v, %v", raw, m, err)
		}
	}
	for _, key := range []string{"", "a/b", "a\"b", "a\nb"} {
		if w, err := Encode(message.New(field(key, message.New(field("x", message.Int(1))))), message.Nested); fault.CodeOf(err) != "key-unwritable" {
			t.Errorf("%q is written as %v, %v", key, w, err)
		}
	}
}

func manyParts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "--B\r\ncontent-disposition: form-data;name=\"k%d\"\r\n\r\nx\r\n", i)
	}
	return b.String() + "--B--"
}

// What a stranger sends may be large, but must not cost much more than its size.
func TestHostileMessagesCostNoMoreThanTheirSize(t *testing.T) {
	var headers, components strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&headers, "k%d: v\r\n", i)
		fmt.Fprintf(&components, "\"k%d\" ", i)
	}
	var signatures, inputs []string
	for i := range signaturesMax {
		signatures = append(signatures, fmt.Sprintf("comm-%d=:%s:", i, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(i)}, 64))))
		inputs = append(inputs, fmt.Sprintf("comm-%d=(%s);alg=\"ed25519\";keyid=\"publickey:%s\"", i, strings.TrimSpace(components.String()), base64.StdEncoding.EncodeToString(fastKey(t, 1).Owner())))
	}
	signed := headers.String() + "signature: " + strings.Join(signatures, ", ") + "\r\nsignature-input: " + strings.Join(inputs, ", ") + "\r\n\r\n"
	part := func(i int) string {
		return fmt.Sprintf("--B\r\ncommitment-device: httpsig@1.0\r\nalg: hmac-sha256\r\nsignature: http-sig-1=:AAAA:\r\nsignature-input: http-sig-1=(\"a\")\r\ncontent-disposition: form-data;name=\"n%d/commitments/x%d\"\r\n", i%100, i)
	}
	var nested, lists strings.Builder
	for i := range PartsMax {
		nested.WriteString(part(i))
		fmt.Fprintf(&lists, "--B\r\ncontent-disposition: form-data;name=\"l/%d/l/%d\"\r\nao-types: .=\"list\"\r\n", i, i)
	}
	multipart := "content-type: multipart/form-data; boundary=\"B\"\r\n\r\n"
	for name, raw := range map[string]string{"signatures": signed, "nested commitments": multipart + nested.String() + "--B--", "lists": multipart + lists.String() + "--B--",
		"quotes": "ao-types: l=\"list\"\r\nl: " + strings.Repeat(`"(ao-type-list) `, 5000) + "\r\n\r\n", "types": "ao-types: " + strings.Repeat("a=integer, ", 16000) + "b=atom\r\n\r\n"} {
		start := time.Now()
		m, err := Read([]byte(raw))
		if err == nil {
			Holding(m)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: %d bytes took %s (%v)", name, len(raw), took, err)
		} else {
			t.Logf("%s: %d bytes took %s (%v)", name, len(raw), took, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	c, err := Commit(message.New(field("a", message.Int(1)), field("data", message.Bytes("hello")), field("n", message.New(field("x", message.List{message.Int(1)})))), fastKey(f, 1), Terms{Nesting: message.Nested, Salt: []byte("f")})
	if err != nil {
		f.Fatal(err)
	}
	w, err := Encode(c, message.Nested)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := w.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("ao-types: l=\"list\"\r\nl: \"(ao-type-integer) 1\"\r\nbody-keys: \"n\"\r\ncontent-type: multipart/form-data; boundary=\"B\"\r\n\r\n--B\r\ncontent-disposition: form-data;name=\"n\"\r\na: 1\r\n--B--"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Read(raw)
		if err != nil {
			return
		}
		again, err := Read(m.Raw())
		if err != nil || !message.Equal(again, m) || !bytes.Equal(again.Raw(), m.Raw()) {
			t.Fatalf("%v is read again as %v, %v", m, again, err)
		}
		_, _ = Verify(m)
		loose := message.New(slices.Collect(fields(m))...)
		out, err := Encode(loose, message.Nested)
		if err != nil {
			return
		}
		if _, err := Decode(out); err != nil && fault.KindOf(err) == fault.Internal {
			t.Fatal(err)
		}
	})
}

func BenchmarkDecodeVerify(b *testing.B) {
	for _, k := range []*commitment.Key{fastKey(b, 1), wallet(b)} {
		b.Run(k.Type().String(), func(b *testing.B) {
			c, err := Commit(message.New(field("action", message.Bytes("Eval")), field("data", message.Bytes("return 1")), field("n", message.Int(1))), k, Terms{})
			if err != nil {
				b.Fatal(err)
			}
			w, err := Encode(c, message.Linked)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				m, err := Decode(w)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := commitment.Verify(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestACommitmentSaysNoMoreThanItSigned, in either generation, whoever wrote it down: neither more keys, nor another committer or none.
func TestACommitmentSaysNoMoreThanItSigned(t *testing.T) {
	m := message.New(field("a", message.Bytes("b")), field("n", message.Int(1)), field("data", message.Bytes("text")), field("in", message.New(field("x", message.Bytes("y")))))
	laid, err := EncodeA(m)
	if err != nil {
		t.Fatal(err)
	}
	w, err := SignA(laid, wallet(t), "answer")
	if err != nil {
		t.Fatal(err)
	}
	old, err := Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := Commit(m, wallet(t), Terms{Tag: "answer"})
	if err != nil {
		t.Fatal(err)
	}
	for name, signed := range map[string]message.Message{"the first generation": old, "the second generation": newer} {
		for id, v := range signed.Commitments().All() {
			entry := v.(message.Message)
			if entry.Text(keyCommitter) == "" {
				continue
			}
			for what, c := range map[string]struct {
				entry message.Message
				holds bool
			}{
				"as it was":      {entry, true},
				"more keys":      {entry.With(keyCommitted, append(slices.Clone(entryList(entry)), message.Bytes("more"))), false},
				"no committer":   {entry.Without(keyCommitter), false},
				"another":        {entry.With(keyCommitter, message.Bytes(fastKey(t, 1).Address().String())), false},
				"without a tag":  {entry.Without(keyTag), generationOf(entry) == structured.GenA},
				"with other one": {entry.With(keyTag, message.Bytes("x")), generationOf(entry) == structured.GenA},
			} {
				loose := m.With("more", message.Bytes("evil")).With(message.KeyCommitments, message.New(field(id, c.entry)))
				signers, err := Verify(loose)
				if holds := err == nil && len(signers) == 1; holds != c.holds || err != nil && fault.KindOf(err) != fault.Forged {
					t.Errorf("%s, %s: %v %v", name, what, signers, err)
				}
				if c.holds && !Tagged(c.entry) {
					t.Errorf("%s, %s: it is not known for an answer", name, what)
				}
			}
		}
	}
}

func entryList(entry message.Message) message.List {
	v, _ := entry.Get(keyCommitted)
	l, _ := v.(message.List)
	return l
}
