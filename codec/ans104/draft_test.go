package ans104

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ago/commitment"
	"ago/fault"
	"ago/message"

	"pgregory.net/rapid"
)

// rich turns a vector's message into one of ours; the vectors have no other types.
func rich(v any) message.Value {
	switch v := v.(type) {
	case string:
		return message.Bytes(v)
	case float64:
		return message.Int(v)
	case bool:
		if v {
			return message.Atom("true")
		}
		return message.Atom("false")
	case []any:
		var l message.List
		for _, e := range v {
			l = append(l, rich(e))
		}
		return l
	case map[string]any:
		var fs []message.Field
		for k, e := range v {
			fs = append(fs, message.Field{Key: k, Value: rich(e)})
		}
		return message.New(fs...)
	}
	panic("an unknown kind of value")
}

func TestMessagesAreLaidOutAsAnotherImplementationDoes(t *testing.T) {
	n := 0
	for _, v := range vectors(t) {
		it, err := DecodeItem(v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		// Those with tags in another order or spelling are read only.
		if !strings.HasSuffix(v.Name, " signed") {
			continue
		}
		n++
		t.Run(v.Name, func(t *testing.T) {
			d, err := DraftOf(rich(v.Message).(message.Message))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(d.Tags, it.Tags) {
				t.Errorf("tags %q, want %q", d.Tags, it.Tags)
			}
			if !bytes.Equal(d.Data, it.Data) {
				t.Errorf("data\n%q, want\n%q", d.Data, it.Data)
			}
			if d.HasTarget != it.HasTarget || d.Target != it.Target || !bytes.Equal(d.Anchor, it.Anchor) {
				t.Error("another header")
			}
		})
	}
	if n != 13 {
		t.Errorf("%d vectors", n)
	}
}

func genMessage(depth int) *rapid.Generator[message.Message] {
	key := rapid.OneOf(rapid.SampledFrom([]string{"a", "data", "body", "target", "anchor", "action", "k~x y", "é"}), rapid.StringMatching(`[a-z][a-z0-9-]{0,8}`))
	value := rapid.OneOf(
		rapid.Map(rapid.StringN(1, 20, -1), func(s string) message.Value { return message.Bytes(s) }),
		rapid.Just[message.Value](message.Bytes(strings.Repeat("long", 1000))),
		rapid.Just[message.Value](message.Bytes(message.HashOf(nil).String())),
		rapid.Map(rapid.Int64(), func(n int64) message.Value { return message.Int(n) }),
		rapid.Map(rapid.Float64Range(-1e300, 1e300), func(n float64) message.Value { return message.Float(n) }),
		rapid.Map(rapid.StringMatching(`[a-z]{1,6}`), func(s string) message.Value { return message.Atom(s) }))
	return rapid.Custom(func(t *rapid.T) message.Message {
		var fs []message.Field
		for range rapid.IntRange(0, 5).Draw(t, "fields") {
			k := key.Draw(t, "key")
			// Keys that say how to read the item or are private do not come back.
			if strings.HasPrefix(k, "ao-") || strings.HasPrefix(k, "bundle-") || strings.HasPrefix(k, "priv") {
				continue
			}
			v := value.Draw(t, "value")
			switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case depth > 0 && kind == 0:
				v = genMessage(depth-1).Draw(t, "message")
			case depth > 0 && kind == 1:
				l := message.List{}
				for range rapid.IntRange(0, 12).Draw(t, "length") {
					l = append(l, value.Draw(t, "element"))
				}
				v = l
			}
			fs = append(fs, message.Field{Key: k, Value: v})
		}
		return message.New(fs...)
	})
}

func TestMessagesComeBackFromTheirItems(t *testing.T) {
	key := seeded(t, commitment.Ed25519, 1)
	rapid.Check(t, func(t *rapid.T) {
		m := genMessage(3).Draw(t, "message")
		d, err := DraftOf(m)
		if err != nil {
			t.Fatal(err)
		}
		it, err := Sign(d, key)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := values(it.Message()), values(m); !reflect.DeepEqual(got, want) {
			t.Fatalf("read %v, want %v", got, want)
		}
	})
}

// values shows a message with the types of its values and without where it came from.
func values(v message.Value) any {
	switch v := v.(type) {
	case message.Message:
		out := map[string]any{}
		for k, e := range v.All() {
			out[k] = values(e)
		}
		return out
	case message.List:
		out := []any{}
		for _, e := range v {
			out = append(out, values(e))
		}
		return out
	}
	return v
}

func TestASignedItemInAMessageStaysSigned(t *testing.T) {
	inner := signed(t, publishedDraft())
	d, err := DraftOf(message.New(message.Field{Key: "assignment", Value: inner.Message()}))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := signed(t, d).Message().Get("assignment")
	if m, ok := v.(message.Message); !ok || m.ID() != inner.ID() {
		t.Errorf("it came back as %v", v)
	}
}

func TestWhatItemsCannotHoldIsRefused(t *testing.T) {
	if _, err := DraftOf(message.New(message.Field{Key: "l", Value: message.Link{}})); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("a link: %v", err)
	}
	m := message.New()
	for range nestingMax + 1 {
		m = message.New(message.Field{Key: "m", Value: m})
	}
	if _, err := DraftOf(m); fault.CodeOf(err) != "message-too-deep" {
		t.Errorf("a deep message: %v", err)
	}
}

// The types are signed, so that their order is that of every implementation: by key, whatever follows the key. Readers lower the names of
// tags, so that types are noted in lower case.
func TestTypesAreInTheOrderOfTheirKeys(t *testing.T) {
	d, err := DraftOf(message.New(message.Field{Key: "a", Value: message.Int(1)}, message.Field{Key: "a-b", Value: message.Float(1)}, message.Field{Key: "B", Value: message.Atom("ok")}))
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(d.Tags, func(t Tag) bool { return t.Name == "ao-types" }); i < 0 || d.Tags[i].Value != `a="integer", a-b="float", b="atom"` {
		t.Errorf("tags %q", d.Tags)
	}
}
