package json

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"ago/fault"
	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

func field(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }

func TestMessagesAreWrittenAsClientsReadThem(t *testing.T) {
	inner := message.New(field("x", message.Float(2)), field("st", message.Atom("ok")))
	m := message.New(field("a", message.Bytes("<1>\n\"é\"")), field("n", message.Int(-2)), field("big", message.BigInt("92233720368547758080")), field("f", message.Float(1.5)),
		field("yes", message.Atom("true")), field("no", message.Atom("null")), field("st", message.Atom("not_found")), field("priv-x", message.Atom("hidden")),
		field("l", message.List{message.Int(1), message.Bytes("two"), message.List{}, inner}), field("e", message.New()), field("k", message.Link{To: message.HashOf(nil)}))
	const want = `{"a":"<1>\n\"é\"","ao-types":"st=\"atom\"","big":92233720368547758080,"e":{},"f":1.5,"k+link":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",` +
		`"l":[1,"two",[],{"ao-types":"st=\"atom\"","st":"ok","x":2.0}],"n":-2,"no":null,"st":"not_found","yes":true}`
	got, err := Encode(m)
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want\n%s", got, err, want)
	}
	back, err := Decode(got)
	if err != nil || !message.Equal(back, m.Without("priv-x")) {
		t.Errorf("came back as %v, %v", back, err)
	}
}

func TestAnswersOfARealNodeAreRead(t *testing.T) {
	for in, want := range map[string]message.Message{
		`{"a":1,"b":"two","c":[1,2],"d":{"e":1.5}}`: message.New(field("a", message.Int(1)), field("b", message.Bytes("two")), field("c", message.List{message.Int(1), message.Int(2)}),
			field("d", message.New(field("e", message.Float(1.5))))),
		`{"a":"1","ao-types":"status=\"integer\"","status":200}`: message.New(field("a", message.Bytes("1")), field("status", message.Int(200))),
		`{"a":"1","ao-types":"a=\"integer\""}`:                   message.New(field("a", message.Int(1))),
		`{"a":1,"a":2}`:                                          message.New(field("a", message.Int(2))),
	} {
		if got, err := Decode([]byte(in)); err != nil || !message.Equal(got, want) {
			t.Errorf("%s is read as %v, %v", in, got, err)
		}
	}
}

// readable is what JSON can hold of a message: bytes that are text, and no atoms in lists but those that JSON has. Links in
// lists are texts too.
func readable(v message.Value, inList bool) message.Value {
	switch v := v.(type) {
	case message.Bytes:
		return message.Bytes(strings.ToValidUTF8(string(v), "?"))
	case message.Atom:
		if inList && !native(v) {
			return message.Bytes(v)
		}
	case message.Link:
		if inList {
			return message.Bytes(v.To.String())
		}
	case message.List:
		l := message.List{}
		for _, e := range v {
			l = append(l, readable(e, true))
		}
		return l
	case message.Message:
		out := message.New()
		for key, e := range v.All() {
			out = out.With(key, readable(e, false))
		}
		return out
	}
	return v
}

func TestMessagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := readable(messagetest.Messages(3).Draw(t, "message"), false).(message.Message)
		text, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(text)
		if err != nil || !message.Equal(got, want) {
			t.Fatalf("%s came back as %v, %v, want %v", text, got, err, want)
		}
	})
}

func TestWhatJSONCannotHoldIsRefused(t *testing.T) {
	for _, v := range []message.Value{message.Bytes("\xff"), message.Float(math.NaN()), message.Float(math.Inf(1)), message.List{message.Bytes("\xff")}} {
		if got, err := Encode(message.New(field("k", v))); fault.CodeOf(err) != "json-unwritable" {
			t.Errorf("%v is written as %s, %v", v, got, err)
		}
	}
	for in, code := range map[string]string{"": "json-malformed", "[]": "json-malformed", "1": "json-malformed", `{"a":1} x`: "json-malformed", `{"a":`: "json-malformed", `{"a":1e999}`: "json-malformed",
		"{\"a\":\"\xff\"}": "json-malformed", `{"a":"x","ao-types":"a=integer"}`: "types-malformed", strings.Repeat(`{"a":`, 300): "message-too-deep", `{"a":` + strings.Repeat(`[`, 300): "message-too-deep"} {
		if got, err := Decode([]byte(in)); fault.CodeOf(err) != code {
			t.Errorf("%.40s is read as %v, %v", in, got, err)
		}
	}
}

func TestNoMoreKeysAreReadThanAsked(t *testing.T) {
	for in, values := range map[string]int{`{"a":1}`: 1, `{"a":1,"b":2}`: 2, `{"a":[1,2,3]}`: 4, `{"a":"[,{\\\"[["}`: 1, `{"a":{"b":{}},"c":[]}`: 5} {
		if _, err := DecodeUpTo([]byte(in), values); err != nil {
			t.Errorf("%s has no more than %d values: %v", in, values, err)
		}
		if _, err := DecodeUpTo([]byte(in), values-1); fault.CodeOf(err) != "keys-too-many" {
			t.Errorf("%s has more than %d values: %v", in, values-1, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":"two","c":[1,2.5,null,true],"d":{"e":1.5},"ao-types":"b=\"atom\"","k+link":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Decode(text)
		if err != nil {
			return
		}
		written, err := Encode(m)
		if err != nil || !utf8.Valid(written) {
			t.Fatalf("%v is written as %s, %v", m, written, err)
		}
		again, err := Decode(written)
		if err != nil {
			t.Fatalf("%s cannot be read again: %v", written, err)
		}
		if twice, err := Encode(again); err != nil || string(twice) != string(written) {
			t.Fatalf("%s became %s, %v", written, twice, err)
		}
	})
}
