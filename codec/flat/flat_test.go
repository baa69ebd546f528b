package flat

import (
	"strconv"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

func TestFormsOfAnotherImplementation(t *testing.T) {
	n := 0
	for _, path := range []string{"../../message/testdata/genB-messages.json", "../../message/testdata/genB-messages-extra.json"} {
		var f struct {
			Cases []struct {
				Name          string
				Message, Flat any
			}
		}
		run := messagetest.Vectors(t, path, "reads and writes", &f)
		for i, c := range f.Cases {
			run.Case(i)
			n++
			m, want := messagetest.Message(t, c.Message), messagetest.Message(t, c.Flat)
			if got, err := Encode(m); err != nil || !message.Equal(got, want) {
				t.Errorf("%s: %v, want %v", c.Name, got, want)
			}
			back, err := Decode(want)
			if c.Name == "empty-map" { // leaves nothing behind
				m = m.Without("e")
			}
			if err != nil || !message.Equal(back, m) {
				t.Errorf("%s came back as %v, %v, want %v", c.Name, back, err, m)
			}
		}
	}
	if n != 43 {
		t.Errorf("%d vectors", n)
	}
}

func TestFormsOfTheFirstGeneration(t *testing.T) {
	var f struct {
		Flat map[string][]struct{ Flat, Tabm any }
	}
	run := messagetest.Vectors(t, "../structured/testdata/genA-hbsig-codecs.json", "reads and writes", &f, "flat.from", "flat.to")
	for i, c := range append(f.Flat["from"], f.Flat["to"]...) {
		if i < len(f.Flat["from"]) {
			run.Of("flat.from", i)
		}
		flat, nested := messagetest.Message(t, c.Flat), messagetest.Message(t, c.Tabm)
		if got, err := Nest(flat); err != nil || !message.Equal(got, nested) {
			t.Errorf("%v, %v, want %v", got, err, nested)
		}
	}
	for i, c := range f.Flat["to"] {
		run.Of("flat.to", i)
		if got, err := Encode(messagetest.Message(t, c.Tabm)); err != nil || !message.Equal(got, messagetest.Message(t, c.Flat)) {
			t.Errorf("%v, want %v", got, c.Flat)
		}
	}
	if len(f.Flat["from"]) != 20 || len(f.Flat["to"]) != 20 {
		t.Errorf("%d and %d vectors", len(f.Flat["from"]), len(f.Flat["to"]))
	}
}

// pruned is the message without what leaves nothing behind: maps without keys, and maps of nothing else.
func pruned(v message.Value) (message.Value, bool) {
	switch v := v.(type) {
	case message.Message:
		var fs []message.Field
		for key, e := range v.All() {
			if e, ok := pruned(e); ok {
				fs = append(fs, message.Field{Key: key, Value: e})
			}
		}
		return message.New(fs...), len(fs) > 0
	case message.List:
		l := message.List{}
		for _, e := range v {
			if e, ok := pruned(e); ok {
				l = append(l, e)
			}
		}
		return l, true
	}
	return v, true
}

func TestMessagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Messages(3).Draw(t, "message")
		want, _ := pruned(m)
		flat, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(flat)
		if err != nil || !message.Equal(got, want) {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
		text, err := Serialize(m)
		if err != nil {
			if fault.CodeOf(err) != "flat-unwritable" {
				t.Fatal(err)
			}
			return
		}
		if got, err = Deserialize(text); err != nil || !message.Equal(got, want) {
			t.Fatalf("%s\ncame back as %v, %v, want %v", text, got, err, want)
		}
	})
}

func TestAConfigurationIsReadAndWritten(t *testing.T) {
	m, err := Deserialize([]byte("port: 8734\r\nao-types: port=\"integer\"\n\nstore/name:cache: mainnet\nempty:\n"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := Serialize(m)
	if err != nil || string(text) != "ao-types: port=\"integer\"\nempty: \nport: 8734\nstore/name: cache: mainnet" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestWhatHasNoFormIsRefused(t *testing.T) {
	for in, code := range map[string]string{"a": "flat-malformed", "a: 1\na/b: 2": "flat-malformed", strings.Repeat("a/", 500) + ": 1": "message-too-deep",
		"a: x\nao-types: a=\"integer\"": "types-malformed", strings.Repeat("a: 1\n", linesMax+1): "flat-too-large",
		manyPlaces(): "flat-too-large"} {
		if _, err := Deserialize([]byte(in)); fault.CodeOf(err) != code {
			t.Errorf("%.50q: %v", in, err)
		}
	}
	for _, m := range []message.Message{message.New(message.Field{Key: "a", Value: message.Bytes("x\ny")}), message.New(message.Field{Key: "a:b", Value: message.Bytes("x")})} {
		if text, err := Serialize(m); fault.CodeOf(err) != "flat-unwritable" {
			t.Errorf("%v is written as %s, %v", m, text, err)
		}
	}
}

// manyPlaces are a few lines whose paths make many messages.
func manyPlaces() string {
	var b strings.Builder
	for i := range nodesMax / 100 {
		b.WriteString("k" + strconv.Itoa(i) + strings.Repeat("/a", 100) + ": v\n")
	}
	return b.String()
}

func FuzzDeserialize(f *testing.F) {
	f.Add([]byte("a: 1\nb/c: 2\nao-types: a=\"integer\""))
	f.Add([]byte("l/1: x\nl/2: y\nl/ao-types: .=\"list\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Deserialize(text)
		if err != nil {
			return
		}
		written, err := Serialize(m)
		if err != nil {
			return
		}
		if again, err := Deserialize(written); err != nil || string(must(Serialize(again))) != string(written) {
			t.Fatalf("%q was written as %q and is read as %v, %v", text, written, again, err)
		}
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestPathsAreBounded: what is nested deep under long keys is far longer as lines.
func TestPathsAreBounded(t *testing.T) {
	var m message.Message
	for i := range 2000 {
		m = m.With(strconv.Itoa(i), message.Int(i))
	}
	for range 100 {
		m = message.New(message.Field{Key: strings.Repeat("k", 100), Value: m})
		m = message.New(message.Field{Key: "l", Value: message.List{m}})
	}
	if _, err := Encode(m); fault.CodeOf(err) != "flat-too-large" || fault.KindOf(err) != fault.TooLarge {
		t.Errorf("%v", err)
	}
	if _, err := Serialize(m); fault.CodeOf(err) != "flat-too-large" {
		t.Errorf("%v", err)
	}
	if cost := Cost(m, 1<<40); cost < 10<<20 || cost > 1<<30 {
		t.Errorf("it costs %d", cost)
	}
	text := []byte(strings.Repeat("a/b/c: 1\n", 1000))
	if cost := ReadCost(text); cost < int64(len(text)) || cost > int64(500*len(text)) {
		t.Errorf("%d bytes of lines cost %d", len(text), cost)
	}
}
