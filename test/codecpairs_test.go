package test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/codec/flat"
	"ago/codec/httpsig"
	"ago/codec/json"
	"ago/codec/structured"
	"ago/codec/tx"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

// encoding goes from a message to another form and back; refused says that the form cannot hold it.
type encoding struct {
	name string
	turn func(m message.Message) (back message.Message, err error)
	lost func(m message.Message) (message.Message, bool) // what the form is known not to tell apart, false if that makes two keys one; nil: nothing
}

func encodings(key *commitment.Key) []encoding {
	overWire := func(encode func(message.Message) (httpsig.Wire, error)) func(message.Message) (message.Message, error) {
		return func(m message.Message) (message.Message, error) {
			w, err := encode(m)
			if err != nil {
				return m, err
			}
			raw, err := w.Bytes()
			if err != nil {
				return m, err
			}
			if w, err = httpsig.ParseWire(raw); err != nil {
				return m, err
			}
			return httpsig.Decode(w)
		}
	}
	return []encoding{
		{"structured", func(m message.Message) (message.Message, error) {
			return structured.Decode(structured.Encode(m, structured.GenB, message.Nested), structured.GenB)
		}, nil},
		{"structured of the first generation", func(m message.Message) (message.Message, error) {
			return structured.Decode(structured.Encode(m, structured.GenA, message.Nested), structured.GenA)
		}, nil},
		{"httpsig", overWire(func(m message.Message) (httpsig.Wire, error) { return httpsig.Encode(m, message.Nested) }), withoutNoBody},
		{"httpsig of the first generation", overWire(func(m message.Message) (httpsig.Wire, error) {
			w, err := httpsig.EncodeA(m)
			if err != nil {
				return w, err
			}
			return httpsig.SignA(w, key, "") // only a signature tells the generation of a message without parts
		}), asHeaders},
		{"flat", func(m message.Message) (message.Message, error) {
			lines, err := flat.Serialize(m)
			if err != nil {
				return m, err
			}
			return flat.Deserialize(lines)
		}, withoutEmpty},
		{"json", func(m message.Message) (message.Message, error) {
			text, err := json.Encode(m)
			if err != nil {
				return m, err
			}
			return json.Decode(text)
		}, withTexts},
		{"ans104", func(m message.Message) (message.Message, error) {
			d, err := ans104.DraftOf(m)
			if err != nil {
				return m, err
			}
			it, err := ans104.Unsigned(d)
			if err != nil {
				return m, err
			}
			return ans104.Decode(it.Raw)
		}, asTags},
		{"tx", func(m message.Message) (message.Message, error) {
			t, err := tx.DraftOf(m)
			if err != nil {
				return m, err
			}
			return tx.MessageOf(t), nil
		}, asTags},
	}
}

// changed gives a value with those in it changed, the innermost first; ok false leaves one out. In a list its members are told so.
func changed(v message.Value, change func(key string, v message.Value, member bool) (string, message.Value, bool)) message.Value {
	switch v := v.(type) {
	case message.List:
		out := message.List{}
		for _, e := range v {
			if _, e, ok := change("", changed(e, change), true); ok {
				out = append(out, e)
			}
		}
		return out
	case message.Message:
		var fs []message.Field
		for key, e := range v.All() {
			if key, e, ok := change(key, changed(e, change), false); ok {
				fs = append(fs, message.Field{Key: key, Value: e})
			}
		}
		return message.New(fs...)
	}
	return v
}

// withoutEmpty is what lines of paths tell: maps without keys leave nothing behind.
func withoutEmpty(m message.Message) (message.Message, bool) {
	return changed(m, func(key string, v message.Value, _ bool) (string, message.Value, bool) {
		inner, isMap := v.(message.Message)
		return key, v, !isMap || inner.Len() > 0
	}).(message.Message), !hasKey(m, func(key string) bool { return strings.Contains(key, "/") }) // which is the path to a key
}

// withTexts is what JSON tells of members of lists, which have no types beside them.
func withTexts(m message.Message) (message.Message, bool) {
	return changed(m, func(key string, v message.Value, member bool) (string, message.Value, bool) {
		switch e := v.(type) {
		case message.Link:
			if member {
				v = message.Bytes(e.To.String())
			}
		case message.Atom:
			if member && e != "true" && e != "false" && e != "null" {
				v = message.Bytes(e)
			}
		}
		return key, v, true
	}).(message.Message), true
}

// asTags is what tags tell: their names are read in lower case. What is too long for one, or no text, is in a bundle under its key. Data
// that is empty is none.
func asTags(m message.Message) (message.Message, bool) {
	noData := func(m message.Message) message.Message {
		return withoutNoData(changed(m, func(key string, v message.Value, _ bool) (string, message.Value, bool) {
			return key, withoutNoData(v), true
		})).(message.Message)
	}
	m, ok := lowered(noData(m), func(_ string, v message.Value, _ bool) bool {
		text, kind, flat := message.TextOf(v)
		return flat && (kind != "" || len(text) <= ans104.PortableValueMax)
	})
	steers := hasKey(m, func(key string) bool { return strings.HasPrefix(key, "bundle-") || strings.HasPrefix(key, "ao-") }) // no keys of a message
	return noData(m), ok && !steers
}

// withoutNoData leaves empty data out, which is under body if there is no key data.
func withoutNoData(v message.Value) message.Value {
	m, ok := v.(message.Message)
	if !ok {
		return v
	}
	key := "data"
	if _, ok := m.Get(key); !ok {
		key = "body"
	}
	if data, ok := m.Get(key); ok && message.Equal(data, message.Bytes("")) {
		return m.Without(key)
	}
	return v
}

// withoutNoBody leaves an empty body out, which is none.
func withoutNoBody(m message.Message) (message.Message, bool) {
	if body, ok := m.Get("body"); ok && message.Equal(body, message.Bytes("")) {
		return m.Without("body"), true
	}
	return m, true
}

// asHeaders is what headers of the first generation tell: their names have no case.
func asHeaders(m message.Message) (message.Message, bool) {
	if hasKey(m, func(key string) bool { return strings.ContainsAny(key, "/:") }) { // paths in names of parts, and ends of names in their lines
		return m, false
	}
	for _, key := range []string{"body", "data"} {
		v, _ := m.Get(key)
		if inner, ok := v.(message.Message); ok && inner.Len() == 1 && inner.Text("body") != "" {
			return m, false // a body within the body is laid out as the body
		}
	}
	return lowered(m, func(key string, v message.Value, top bool) bool {
		if _, link := v.(message.Link); link {
			return top
		}
		if list, ok := v.(message.List); ok {
			return top && len(list) > 0 && len(key) != 32 && len(key) != 42 && len(key) != 43
		}
		text, _, flat := message.TextOf(v)
		if flat && (len(key) == 32 || len(key) == 42 || len(key) == 43) {
			return false // such keys are listed in a header of their own
		}
		// What is empty is noted among the types, and what fits no header is a part.
		return top && flat && text != "" && len(text) <= message.HeaderMax && httpsig.InHeader("k", text)
	})
}

func lowered(m message.Message, which func(key string, v message.Value, top bool) bool) (message.Message, bool) {
	one := true
	var of func(v message.Value, top bool) message.Value
	of = func(v message.Value, top bool) message.Value {
		switch v := v.(type) {
		case message.List:
			out := make(message.List, len(v))
			for i, e := range v {
				out[i] = of(e, false)
			}
			return out
		case message.Message:
			out := message.New()
			for key, e := range v.All() {
				if which(key, e, top) {
					key = strings.ToLower(key)
				}
				out = out.With(key, of(e, false))
			}
			one = one && out.Len() == v.Len()
			return out
		}
		return v
	}
	out := of(m, true).(message.Message)
	return out, one
}

func hasKey(v message.Value, which func(key string) bool) bool {
	switch v := v.(type) {
	case message.List:
		return slices.ContainsFunc(v, func(e message.Value) bool { return hasKey(e, which) })
	case message.Message:
		for key, e := range v.All() {
			if which(key) || hasKey(e, which) {
				return true
			}
		}
	}
	return false
}

func plainMessage(m message.Message) message.Message { return plainOf(m).(message.Message) }

// TestEncodingsAreExactOrRefuse: whatever a message holds, an encoding brings it back as it was, but for what it is known not to tell
// apart, or refuses it.
func TestEncodingsAreExactOrRefuse(t *testing.T) {
	for _, e := range encodings(seededKey(t)) {
		t.Run(e.name, func(t *testing.T) {
			held, all := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				m := messagetest.Wild(2).Draw(t, "message")
				all++
				if _, ok := e.through(t, m); ok {
					held++
				}
			})
			if held < all/10 {
				t.Errorf("only %d messages of %d are held", held, all)
			}
		})
	}
}

// TestEncodingsFollowEachOther: what came in one encoding goes on in every other as if it had been made here.
func TestEncodingsFollowEachOther(t *testing.T) {
	all := encodings(seededKey(t))
	pairs := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Wild(1).Draw(t, "message")
		if rapid.Bool().Draw(t, "tame") {
			m = messagetest.Messages(2).Draw(t, "tame message")
		}
		for _, first := range all {
			back, ok := first.through(t, m)
			if !ok {
				continue
			}
			for _, second := range all {
				if _, ok := second.through(t, back); ok {
					pairs[first.name+", "+second.name]++
				}
			}
		}
	})
	for _, first := range all {
		for _, second := range all {
			if pairs[first.name+", "+second.name] == 0 {
				t.Errorf("no message went through %s and then %s", first.name, second.name)
			}
		}
	}
}

// through brings a message through an encoding; false if that refuses it.
func (e encoding) through(t *rapid.T, m message.Message) (message.Message, bool) {
	want := plainMessage(m)
	if e.lost != nil {
		var ok bool
		if want, ok = e.lost(want); !ok {
			return m, false
		}
	}
	back, err := e.turn(m)
	if err != nil {
		if k := fault.KindOf(err); k != fault.Unsupported && k != fault.Malformed && k != fault.TooLarge {
			t.Fatalf("%s: %v: %v", e.name, k, err)
		}
		return back, false
	}
	got := plainMessage(back)
	if e.lost != nil {
		got, _ = e.lost(got)
	}
	if !message.Equal(got, want) {
		t.Fatal(e.name + ": " + differs("", got, want))
	}
	return back, true
}

func seededKey(t *testing.T) *commitment.Key {
	t.Helper()
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// differs tells the first key under which two values are not the same.
func differs(at string, got, want message.Value) string {
	g, isMap := got.(message.Message)
	w, wasMap := want.(message.Message)
	if !isMap || !wasMap {
		return fmt.Sprintf("%s came back as %T %.80q, was %T %.80q", at, got, fmt.Sprint(got), want, fmt.Sprint(want))
	}
	for key, v := range w.All() {
		if back, ok := g.Get(key); !ok {
			return fmt.Sprintf("%s/%q is gone, was %T %.80q", at, key, v, fmt.Sprint(v))
		} else if !message.Equal(back, v) {
			return differs(at+fmt.Sprintf("/%q", key), back, v)
		}
	}
	for key, v := range g.All() {
		if _, ok := w.Get(key); !ok {
			return fmt.Sprintf("%s/%q was added: %.80q", at, key, fmt.Sprint(v))
		}
	}
	return ""
}
