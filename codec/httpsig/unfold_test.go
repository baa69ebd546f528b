package httpsig

import (
	"slices"
	"strings"
	"testing"

	"ago/message"
	"ago/message/messagetest"
)

// nestedCase is a message that a published client committed to and then nested in a request that it signed.
type nestedCase struct {
	Name    string
	Message map[string]any
	IDs     []string
	Headers map[string]any
	Body    string
}

func nestedCases(t testing.TB) []nestedCase {
	t.Helper()
	var f struct{ Cases []nestedCase }
	messagetest.Load(t, "testdata/genA-hbsig-nested.json", &f)
	if len(f.Cases) == 0 {
		t.Fatal("no cases")
	}
	return f.Cases
}

// decode gives the nested message, if the body is as given.
func (c nestedCase) decode(t testing.TB, body string) message.Message {
	t.Helper()
	w := wireOf(t, c.Headers).Without(hdrSignature, hdrSignatureInput, message.KeyContentDigest)
	w.Body = []byte(body)
	m, err := Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := m.Get(message.KeyBody)
	inner, _ := v.(message.Message)
	return inner
}

// lowered gives the message as the client sends it: its keys have no case.
func lowered(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for key, e := range m {
		out[strings.ToLower(key)] = lowered(e)
	}
	return out
}

func TestNestedCommitmentsOfAPublishedClient(t *testing.T) {
	var f struct{ Cases []nestedCase }
	run := messagetest.Vectors(t, "testdata/genA-hbsig-nested.json", "reads and writes", &f)
	for i, c := range f.Cases {
		run.Case(i)
		t.Run(c.Name, func(t *testing.T) {
			inner := c.decode(t, c.Body)
			if signers, err := Verify(inner); err != nil || len(signers) != 1 {
				t.Fatalf("%d have signed, %v", len(signers), err)
			}
			if held, _ := Holding(inner); !message.Equal(held, inner) {
				t.Errorf("%v holds of %v", held, inner)
			}
			for _, id := range c.IDs {
				if _, ok := inner.Commitments().Get(id); !ok {
					t.Errorf("the commitment %s is gone", id)
				}
			}
			want := messagetest.Message(t, lowered(c.Message))
			if got := inner.Without(message.KeyCommitments).Without("type").Without("target"); !message.Equal(got, want) {
				t.Errorf("read as %v, want %v", got, want)
			}
			// Written in another message in either generation, it is read back as it was signed.
			outer := message.New(message.Field{Key: message.KeyBody, Value: inner}, message.Field{Key: "beside", Value: message.List{inner}})
			for _, encode := range []func(message.Message) (Wire, error){
				func(m message.Message) (Wire, error) { return Encode(m, message.Nested) },
				func(m message.Message) (Wire, error) { return EncodeA(m) },
			} {
				again, err := encode(outer)
				if err != nil {
					t.Fatal(err)
				}
				back, err := Decode(again)
				if err != nil {
					t.Fatal(err)
				}
				v, _ := back.Get(message.KeyBody)
				got, _ := v.(message.Message)
				if !message.Equal(got, inner) {
					t.Fatalf("read back as\n%v\nwant\n%v", got, inner)
				}
				if _, err := Verify(got); err != nil {
					t.Error(err)
				}
				if l, _ := back.Get("beside"); !message.Equal(l, message.List{inner}) {
					t.Errorf("in a list it is %v", l)
				}
			}
		})
	}
}

func TestNestedCommitmentsThatWereChanged(t *testing.T) {
	i := slices.IndexFunc(nestedCases(t), func(c nestedCase) bool { return c.Name == "maps three deep" })
	c := nestedCases(t)[i]
	signed := c.decode(t, c.Body)
	for _, change := range []struct {
		name, old, new string
		holds          bool
	}{
		{"a value deep inside", "c: deep", "c: reef", false},
		{"a header", "type: Message", "type: Massage", false},
		{"the signature", "\r\nsignature: http-sig-", "\r\nsignature: http-sig-0", false},
		{"an unsigned key", "\r\ntype: Message", "\r\nto: me\r\ntype: Message", true},
		{"an unsigned key in capitals", "\r\ntype: Message", "\r\nTo: me\r\ntype: Message", true},
		{"an unsigned type", "\r\ntype: Message", "\r\nao-types: type=\"atom\"\r\ntype: Message", true},
		{"where the body stands", "\r\ntype: Message", "\r\ninline-body-key: a\r\ntype: Message", true},
		{"another body", "\r\ntype: Message", "\r\ndata: b\r\ntype: Message", true},
		{"the name of the content", strings.ToLower(c.IDs[1]), message.ID{1}.String(), true},
	} {
		body := strings.ReplaceAll(c.Body, change.old, change.new)
		if body == c.Body {
			t.Fatal(change.name)
		}
		inner := c.decode(t, body)
		held, signers := Holding(inner)
		if change.holds != (len(signers) == 1) {
			t.Errorf("%s: %d signers of %v", change.name, len(signers), held)
		}
		if change.holds && !message.Equal(held.Without(message.KeyCommitments), signed.Without(message.KeyCommitments)) {
			t.Errorf("%s: read as %v, want %v", change.name, held, signed)
		}
	}
}

// FuzzUnfold changes what stands around a signature: if it still holds, it stands for the same content.
func FuzzUnfold(f *testing.F) {
	cases := nestedCases(f)
	signed := map[string]message.Message{}
	for i, c := range cases {
		signed[c.IDs[0]] = c.decode(f, c.Body).Without(message.KeyCommitments)
		f.Add(i, c.Body)
	}
	f.Fuzz(func(t *testing.T, i int, body string) {
		c := cases[uint(i)%uint(len(cases))]
		w := wireOf(t, c.Headers).Without(hdrSignature, hdrSignatureInput, message.KeyContentDigest)
		w.Body = []byte(body)
		m, err := Decode(w)
		if err != nil {
			return
		}
		v, _ := m.Get(message.KeyBody)
		inner, _ := v.(message.Message)
		held, signers := Holding(inner)
		for id, e := range held.Commitments().All() {
			want, known := signed[id]
			entry, _ := e.(message.Message)
			if _, plain := want.Get(message.KeyContentType); !known || plain || len(signers) == 0 || entry.Text(keyCommitter) == "" {
				continue
			}
			if got := held.OnlyCommitted().Without(message.KeyCommitments); !message.Equal(got, want) && !message.Equal(readAsHTTP(got), want) {
				t.Errorf("the signature %s holds for\n%v\nit was made for\n%v", id, got, want)
			}
		}
	})
}

// readAsHTTP gives what headers and a body say that stand as texts in a message, as nodes of the first generation hand them on.
func readAsHTTP(m message.Message) message.Message {
	var hs []message.Header
	for key, v := range m.Without(message.KeyBody).All() {
		text, _ := v.(message.Bytes)
		hs = append(hs, message.Header{Name: key, Value: string(text)})
	}
	out, _ := Decode(NewWire(hs, []byte(m.Text(message.KeyBody))))
	return out.Without(message.KeyCommitments)
}
