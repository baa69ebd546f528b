package httpsig

import (
	"strings"
	"testing"

	"ago/message"
)

// What a stranger adds to a message on its way is not among what was committed, whatever it is called and wherever it stands.
func TestWhatAStrangerAddsIsNotCommitted(t *testing.T) {
	k := fastKey(t, 9)
	id := strings.Repeat("a", 43)
	bases := map[string]message.Message{
		"plain":        message.New(field("a", message.Bytes("1")), field("type", message.Bytes("Message"))),
		"with empty":   message.New(field("a", message.Bytes("1")), field("e", message.Bytes("")), field("l", message.List{}), field("n", message.Int(3))),
		"ids":          message.New(field(strings.Repeat("B", 43), message.Bytes("1")), field("a", message.Bytes("1")), field("data", message.Bytes("text"))),
		"typed":        message.New(field("a", message.Int(1)), field("type", message.Bytes("Message"))),
		"body":         message.New(field("a", message.Bytes("1")), field("data", message.Bytes("text"))),
		"empty data":   message.New(field("a", message.Bytes("1")), field("data", message.Bytes(""))),
		"empty page":   message.New(field("content-type", message.Bytes("text/html")), field("data", message.Bytes(""))),
		"parts":        message.New(field("a", message.Bytes("1")), field("sub", message.New(field("x", message.Bytes("1")), field("y", message.Bytes("2"))))),
		"parts, types": message.New(field("a", message.Int(1)), field("sub", message.New(field("x", message.Int(1)), field("y", message.Bytes("2"))))),
	}
	add := func(hs ...message.Header) func(Wire) Wire {
		return func(w Wire) Wire { return NewWire(append(append([]message.Header{}, w.Headers...), hs...), w.Body) }
	}
	bodied := func(body string, hs ...message.Header) func(Wire) Wire {
		return func(w Wire) Wire {
			if len(w.Body) > 0 {
				return w
			}
			return NewWire(append(append([]message.Header{}, w.Headers...), hs...), []byte(body))
		}
	}
	h := func(name, value string) message.Header { return message.Header{Name: name, Value: value} }
	multi := "--B\r\ncontent-disposition: form-data;name=\"to\"\r\nx: 1\r\n--B--"
	changes := map[string]func(Wire) Wire{
		"a header":               add(h("to", "me")),
		"a capital header":       add(h("To", "me")),
		"an escaped id":          add(h("%61"+id[1:], "me")),
		"an escaped capital id":  add(h("%41"+id[1:], "me")),
		"an escaped link":        add(h("%61"+strings.Repeat("a", 37)+"+link", id)),
		"a link":                 add(h("to+link", id)),
		"a capital link":         add(h("To+Link", id)),
		"ids":                    add(h("ao-ids", id+`="me"`)),
		"ids, any":               add(h("ao-ids", `to="me"`)),
		"ids, link":              add(h("ao-ids", `to+link="`+id+`"`)),
		"ids, capital":           add(h("ao-ids", `To="me"`)),
		"ids, escaped":           add(h("ao-ids", `%61`+id[1:]+`="me"`)),
		"ids, empty":             add(h("ao-ids", `to=""`)),
		"ids, empty data":        add(h("ao-ids", `data=""`)),
		"a part, empty":          bodied("--B\r\ncontent-disposition: form-data;name=\"to\"\r\n\r\n\r\n--B--", h("content-type", `multipart/form-data; boundary="B"`), h("content-digest", message.ContentDigest("--B\r\ncontent-disposition: form-data;name=\"to\"\r\n\r\n\r\n--B--"))),
		"an escaped type":        add(h("ao-types", `%61="integer"`)),
		"an escaped type, other": add(h("ao-types", `%74ype="atom"`)),
		"a capital type":         add(h("ao-types", `A="integer"`)),
		"type of a link":         add(h("ao-types", `a+link="integer"`)),
		"a type twice":           add(h("ao-types", `a="integer"`), h("ao-types", `a="binary"`)),
		"empty binary":           add(h("ao-types", `to="empty-binary"`)),
		"empty list":             add(h("ao-types", `to="empty-list"`)),
		"empty message":          add(h("ao-types", `to="empty-message"`)),
		"types of whole":         add(h("ao-types", `.="list"`)),
		"type of capital":        add(h("ao-types", `To="integer"`), h("to", "5")),
		"body":                   bodied("evil"),
		"body, digest":           bodied("evil", h("content-digest", message.ContentDigest("evil"))),
		"body, type":             bodied("evil", h("content-type", "text/html")),
		"parts":                  bodied(multi, h("content-type", `multipart/form-data; boundary="B"`)),
		"parts, digest":          bodied(multi, h("content-type", `multipart/form-data; boundary="B"`), h("content-digest", message.ContentDigest(multi))),
		"body-key":               add(h("ao-body-key", "to")),
		"inline-body-key":        add(h("inline-body-key", "to")),
		"body-keys":              add(h("body-keys", `"to"`)),
		"commitments":            add(h("commitments", "x")),
		"commitments+link":       add(h("commitments+link", id)),
		"content-length":         add(h("content-length", "3")),
	}
	for name, m := range bases {
		for gen, sign := range map[string]func(m message.Message) (Wire, error){
			"A": func(m message.Message) (Wire, error) {
				w, err := EncodeA(m)
				if err != nil {
					return w, err
				}
				if len(w.Body) > 0 {
					w = w.with(message.KeyContentDigest, message.ContentDigest(string(w.Body)))
				}
				return SignA(w, k, "")
			},
			"B": func(m message.Message) (Wire, error) {
				m, err := Commit(m, k, Terms{Nesting: message.Nested})
				if err != nil {
					return Wire{}, err
				}
				return Encode(m, message.Nested)
			},
		} {
			w, err := sign(m)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := Decode(w)
			if err != nil {
				t.Fatal(err)
			}
			held, signers := Holding(plain)
			if len(signers) == 0 {
				t.Fatalf("%s %s: nobody signed", name, gen)
			}
			want := held.OnlyCommitted().Without(message.KeyCommitments)
			for what, change := range changes {
				for how, decode := range map[string]func(Wire) (message.Message, error){
					"as it came":     Decode,
					"what is signed": func(w Wire) (message.Message, error) { return DecodeCovered(w, 1000) },
				} {
					changed, err := decode(change(w))
					if err != nil {
						continue
					}
					held, signers := Holding(changed)
					if len(signers) == 0 {
						continue
					}
					got := held.OnlyCommitted().Without(message.KeyCommitments)
					if !message.Equal(got, want) {
						t.Errorf("%s, %s, %s, %s: signed is\n%v\nand taken for signed\n%v", gen, name, what, how, want, got)
					}
				}
			}
		}
	}
}

// A commitment that claims more than its signature covers does not hold, whatever other commitments stand beside it.
func TestCommitmentsDoNotClaimMoreBesideOthers(t *testing.T) {
	sub := message.New(field("x", message.Bytes("1")))
	for name, m := range map[string]message.Message{
		"text":  message.New(field("a", message.Bytes("1")), field("data", message.Bytes("text"))),
		"typed": message.New(field("a", message.Int(1)), field("data", message.Bytes("text"))),
		"parts": message.New(field("a", message.Bytes("1")), field("sub", sub)),
		"lines": message.New(field("a", message.Bytes("1\r\n2")), field("b", message.Bytes("3\r\n4"))),
	} {
		laid := laidByNodeA(m, false)
		w := NewWire(laid.Headers, []byte(laid.Body))
		if len(w.Body) > 0 {
			w = w.with(message.KeyContentDigest, message.ContentDigest(string(w.Body)))
		}
		w, err := SignA(w, fastKey(t, 9), "")
		if err != nil {
			t.Fatal(err)
		}
		read, err := Decode(w)
		if err != nil {
			t.Fatal(err)
		}
		for what, more := range map[string]message.Value{"text": message.Bytes("me"), "empty": message.Bytes(""), "number": message.Int(3), "message": sub,
			"lines": message.Bytes("x\r\ny"), "list": message.List{message.Bytes("x")}, "nothing": message.New()} {
			for _, key := range []string{"to", "To", strings.Repeat("C", 43)} {
				claims, bogus := message.New(), message.New()
				for id, v := range read.Commitments().All() {
					entry := v.(message.Message)
					keys, _ := entry.Get(keyCommitted)
					claims = claims.With(id, entry.With(keyCommitted, append(append(message.List{}, keys.(message.List)...), message.Bytes(key))))
					bogus = bogus.With(message.HashOf([]byte("bogus")).String(), entry)
				}
				for beside, all := range map[string]message.Message{"alone": claims, "beside another": claims.With(message.HashOf([]byte("bogus")).String(), valueOf(bogus))} {
					loose := message.New(field(key, more))
					for f := range fields(read.Without(message.KeyCommitments)) {
						loose = loose.With(f.Key, f.Value)
					}
					held, signers := Holding(loose.With(message.KeyCommitments, all))
					if _, there := held.OnlyCommitted().Get(key); there && len(signers) > 0 {
						t.Errorf("%s, with a %s under %s, %s: it is taken for signed", name, what, key, beside)
					}
				}
			}
		}
	}
}

func valueOf(m message.Message) message.Value {
	for _, v := range m.All() {
		return v
	}
	return nil
}
