package httpsig

import (
	"os"
	"slices"
	"strings"
	"testing"

	"ago/codec/structured"
	"ago/commitment"
	"ago/message"
	"ago/message/messagetest"
)

// wireOf makes a wire of a vector: headers by name, the body among them.
func wireOf(t testing.TB, v map[string]any) Wire {
	t.Helper()
	var hs []message.Header
	var body []byte
	for name, value := range v {
		text, ok := messagetest.Value(t, value).(message.Bytes)
		if !ok {
			continue // not sent
		}
		if name == "body" {
			body = []byte(text)
			continue
		}
		hs = append(hs, message.Header{Name: name, Value: string(text)})
	}
	slices.SortFunc(hs, func(a, b message.Header) int { return strings.Compare(a.Name, b.Name) })
	return Wire{Headers: hs, Body: body}
}

func asMap(w Wire) map[string]string {
	m := map[string]string{}
	for _, h := range w.Headers {
		m[h.Name] = h.Value
	}
	if len(w.Body) > 0 {
		m["body"] = string(w.Body)
	}
	return m
}

func sameWire(t *testing.T, name string, got Wire, want map[string]any) {
	t.Helper()
	have, w := asMap(got), asMap(wireOf(t, want))
	for k := range w {
		if have[k] != w[k] {
			t.Errorf("%s: %s is\n%q, want\n%q", name, k, have[k], w[k])
		}
	}
	for k := range have {
		if _, ok := w[k]; !ok {
			t.Errorf("%s: %s is there, %q", name, k, have[k])
		}
	}
}

func wallet(t testing.TB) *commitment.Key {
	t.Helper()
	text, err := os.ReadFile("../../commitment/testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	k, err := commitment.NewAgent().LoadJWK(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// withoutUnsigned is the message without the commitments that a bundle adds to nested messages.
func withoutUnsigned(v message.Value) message.Value {
	switch v := v.(type) {
	case message.Message:
		v = v.Without(message.KeyCommitments)
		out := v
		for key, e := range v.All() {
			out = out.With(key, withoutUnsigned(e))
		}
		return out
	case message.List:
		l := message.List{}
		for _, e := range v {
			l = append(l, withoutUnsigned(e))
		}
		return l
	}
	return v
}

// hashOrdered are messages of more than 32 keys in one map: another implementation orders their lines by a hash, so that what
// it writes can be read, but not written.
func hashOrdered(name string) bool { return strings.Contains(name, "forty") }

func TestLayoutsOfTheSecondGeneration(t *testing.T) {
	n := 0
	for _, path := range []string{"../../message/testdata/genB-messages.json", "../../message/testdata/genB-messages-extra.json"} {
		var f struct {
			Cases []struct {
				Name    string
				Message any
				Nested  map[string]any `json:"httpsig-bundled"`
				Linked  map[string]any `json:"httpsig-linked"`
			}
		}
		reads, writes := messagetest.Vectors(t, path, "reads", &f), messagetest.Vectors(t, path, "writes", &f)
		for i, c := range f.Cases {
			reads.Case(i)
			n++
			m := messagetest.Message(t, c.Message)
			for nesting, want := range map[message.Nesting]map[string]any{message.Linked: c.Linked, message.Nested: c.Nested} {
				if hashOrdered(c.Name) {
					writes.Leave(i, "more than 32 keys stand in a hash order that cannot be derived")
				} else {
					writes.Case(i)
					laid := annotate(m, nesting).Lay(nil)
					sameWire(t, c.Name, Wire{Headers: laid.Headers, Body: []byte(laid.Body)}, want)
				}
				got, err := content(wireOf(t, want), structured.GenB, unbounded)
				if err != nil {
					t.Errorf("%s: %v", c.Name, err)
					continue
				}
				if nesting == message.Nested && !message.Equal(withoutUnsigned(got), m) {
					t.Errorf("%s is read as %v, want %v", c.Name, got, m)
				}
				if linked := messagetest.Message(t, c.Linked); nesting == message.Linked && !hashOrdered(c.Name) && got.UnsignedID() != m.UnsignedID() {
					t.Errorf("%s: %v has another id", c.Name, linked)
				}
			}
		}
	}
	if n != 43 {
		t.Errorf("%d vectors", n)
	}
}

func TestSignedMessagesOfTheSecondGeneration(t *testing.T) {
	var f struct {
		Cases []struct {
			Name    string
			Bundle  bool
			Message any
			Result  struct {
				Commitments map[string]any
				Keys        []string `json:"decoded-keys"`
				Encoded     map[string]any
				All         string `json:"id-all"`
				None        string `json:"id-none"`
				Signed      string `json:"id-signed"`
				Bases       []struct {
					Member, Alg string
					Base        string `json:"signature-base"`
				} `json:"signature-bases"`
			}
		}
	}
	run := messagetest.Vectors(t, "testdata/genB-signed.json", "reads and writes", &f)
	if len(f.Cases) != 30 {
		t.Errorf("%d vectors", len(f.Cases))
	}
	for i, c := range f.Cases {
		run.Case(i)
		name := c.Name
		if c.Bundle {
			name += " bundled"
		}
		t.Run(name, func(t *testing.T) {
			w := wireOf(t, c.Result.Encoded)
			m, err := Decode(w)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for k := range m.All() {
				keys = append(keys, k)
			}
			if !slices.Equal(keys, c.Result.Keys) {
				t.Errorf("keys %v, want %v", keys, c.Result.Keys)
			}
			if want := messagetest.Message(t, c.Result.Commitments); !message.Equal(m.Commitments(), want) {
				t.Errorf("commitments %v, want %v", m.Commitments(), want)
			}
			if m.ID().String() != c.Result.Signed || m.SignedID().String() != c.Result.All || m.UnsignedID().String() != c.Result.None {
				t.Errorf("ids %s, %s, %s", m.ID(), m.SignedID(), m.UnsignedID())
			}
			if v, err := commitment.Verify(m); err != nil || v.Signer().Address().String() != "tRoMoihXGnJ8CGBWTW6501dOeMl1qz-iPWN_Bw__a7A" {
				t.Errorf("verified: %v, %v", v.Signer(), err)
			}
			for _, b := range c.Result.Bases {
				for _, in := range m.Form().(*form).members {
					if in.name != b.Member {
						continue
					}
					v, _ := m.Commitments().Get(in.id().String())
					entry := v.(message.Message)
					if got, _ := baseOf(entry, in.components, w.Get); got != b.Base {
						t.Errorf("base on the wire\n%s\nwant\n%s", got, b.Base)
					}
					committed := committedKeys(entry)
					laid := canonical(m, committed, nestingOf(entry))
					if got, _ := baseOf(entry, componentsOf(laid, committed, false), laid.Get); got != b.Base {
						t.Errorf("base put together\n%s\nwant\n%s", got, b.Base)
					}
				}
			}
			again, err := Encode(m, message.Nested)
			if err != nil {
				t.Fatal(err)
			}
			sameWire(t, "as it came", again, c.Result.Encoded)
			// Taken apart, as a message out of a store is, it still verifies and is written alike.
			loose := messagetest.Message(t, c.Message).With(message.KeyCommitments, messagetest.Value(t, c.Result.Commitments))
			if signers, err := Verify(loose); err != nil || len(signers) != 1 {
				t.Errorf("put together: %v, %v", signers, err)
			}
			nesting := message.Linked
			if c.Bundle {
				nesting = message.Nested
			}
			if again, err = Encode(loose, nesting); err != nil {
				t.Fatal(err)
			}
			sameWire(t, "put together", again, c.Result.Encoded)
		})
	}
}

func TestHandWrittenMessagesAreRead(t *testing.T) {
	var f struct {
		Cases []struct {
			Name   string
			Input  map[string]any
			Output any
		}
	}
	run := messagetest.Vectors(t, "testdata/genB-httpsig-decode.json", "reads and writes", &f)
	for i, c := range f.Cases {
		run.Case(i)
		got, err := Decode(wireOf(t, c.Input))
		if out, ok := c.Output.(map[string]any); ok && out["$error"] == true {
			if err == nil {
				t.Errorf("%s is read as %v", c.Name, got)
			}
			continue
		}
		if want := messagetest.Message(t, c.Output); err != nil || !message.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", c.Name, got, err, want)
		}
		for _, nesting := range []message.Nesting{message.Nested, message.Linked} {
			laid := annotate(got, nesting).Lay(nil)
			back, err := content(Wire{Headers: laid.Headers, Body: []byte(laid.Body)}, structured.GenB, unbounded)
			if nesting == message.Linked {
				if err != nil || back.UnsignedID() != got.UnsignedID() {
					t.Errorf("%s comes back by its links as %v, %v", c.Name, back, err)
				}
			} else if err != nil || !message.Equal(withoutUnsigned(back), withoutUnsigned(got)) {
				t.Errorf("%s comes back as %v, %v", c.Name, back, err)
			}
		}
	}
	if len(f.Cases) != 11 {
		t.Errorf("%d vectors", len(f.Cases))
	}
}
