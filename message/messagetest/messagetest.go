// Package messagetest reads messages written in JSON for tests, and makes random ones.
package messagetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"ago/message"

	"pgregory.net/rapid"
)

// Load reads a file of vectors.
func Load(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// Value turns decoded JSON into a value: {"$b64"}, {"$float"}, {"$atom"}, {"$symbol"} and {"$link"} say what JSON cannot, true,
// false and null are atoms, other objects are messages.
func Value(t testing.TB, v any) message.Value {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return message.Atom("null")
	case bool:
		return message.Atom(strconv.FormatBool(v))
	case string:
		return message.Bytes(v)
	case json.Number:
		if n, ok := message.Whole(v.String()); ok {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return message.Float(f)
	case []any:
		l := message.List{}
		for _, e := range v {
			l = append(l, Value(t, e))
		}
		return l
	case map[string]any:
		return object(t, v)
	}
	t.Fatalf("a value of type %T", v)
	return nil
}

func object(t testing.TB, v map[string]any) message.Value {
	t.Helper()
	text := func(key string) (string, bool) { s, ok := v[key].(string); return s, ok }
	if s, ok := text("$b64"); ok {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return message.Bytes(b)
	}
	if s, ok := text("$float"); ok {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return message.Float(f)
	}
	for _, key := range []string{"$atom", "$symbol"} {
		if s, ok := text(key); ok {
			return message.Atom(s)
		}
	}
	if s, ok := text("$link"); ok {
		id, err := message.ParseID(s)
		if err != nil {
			t.Fatal(err)
		}
		return message.Link{To: id}
	}
	fs := make([]message.Field, 0, len(v))
	for k, e := range v {
		fs = append(fs, message.Field{Key: k, Value: Value(t, e)})
	}
	return message.New(fs...)
}

// Message is Value of an object.
func Message(t testing.TB, v any) message.Message {
	t.Helper()
	m, ok := Value(t, v).(message.Message)
	if !ok {
		t.Fatalf("%v is no message", v)
	}
	return m
}

// Keys draws keys that every encoding can carry.
func Keys() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"a", "b", "c", "k-1", "data", "body", "path", "method", "target", "1", "2", "device"}),
		rapid.StringMatching(`[a-z][a-z0-9-]{0,12}[a-z]`),
	).Filter(func(k string) bool { return !reserved(k) })
}

// WildKeys draws keys that some encodings have to escape, move, or refuse: of any letters, with what stands between names elsewhere, and
// such as look like ids or like keys that encodings use.
func WildKeys() *rapid.Generator[string] {
	return rapid.OneOf(
		Keys(),
		rapid.SampledFrom([]string{"Data", "ÄÖ", "ключ", "键", "a b", " a", "a:b", "a+integer", "a.b", "a%20b", "%41", "@method", "a\"b", "a=b", "a,b", "a;b", "a/b", "\u00a0", "status",
			"content-type", "ao-types-x", "x-Y", "host", "transfer-encoding", "set-cookie", "anchor", "tags", "bundle-format", "0", "01", "-1", "?0", "*", "'"}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 32, 32), func(b []byte) string { return message.ID(b).String() }),
		rapid.Map(rapid.StringN(1, 8, 20), func(k string) string { return "w" + k }),
	).Filter(func(k string) bool { return k != "commitments" && !message.IsPrivate(k) })
}

// Wild draws messages with WildKeys, and texts of all languages.
func Wild(depth int) *rapid.Generator[message.Message] {
	return rapid.Custom(func(t *rapid.T) message.Message {
		fs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) message.Field {
			key := WildKeys().Draw(t, "key")
			switch {
			case depth > 0 && rapid.IntRange(0, 4).Draw(t, "deeper") == 0:
				return message.Field{Key: key, Value: Wild(depth-1).Draw(t, "value")}
			case rapid.IntRange(0, 3).Draw(t, "text") == 0:
				return message.Field{Key: key, Value: message.Bytes(rapid.String().Draw(t, "value"))}
			}
			return message.Field{Key: key, Value: Values(depth).Draw(t, "value")}
		}), 0, 5).Draw(t, "fields")
		return message.New(fs...)
	})
}

// reserved are names that encodings use themselves.
func reserved(key string) bool {
	switch key {
	case "commitments", "content-type", "content-digest", "content-disposition", "signature", "signature-input":
		return true
	}
	return message.IsPrivate(key) || strings.HasPrefix(key, "ao-") || len(key) == 32 || len(key) == 42 || len(key) == 43
}

// Texts draws bytes: empty, short, of several lines, binary, and longer than a header may be.
func Texts() *rapid.Generator[message.Bytes] {
	return rapid.OneOf(
		rapid.Map(rapid.StringMatching(`[ -~]{0,20}`), func(s string) message.Bytes { return message.Bytes(s) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) message.Bytes { return message.Bytes(b) }),
		rapid.SampledFrom([]message.Bytes{"", "line\nline", " spaced ", "\r\n--", message.Bytes(strings.Repeat("long", 1025)), message.Bytes(strings.Repeat("x", 4096)),
			message.Bytes(message.HashOf([]byte("x")).String())}),
	)
}

// Values draws values of every type, nested at most to the depth.
func Values(depth int) *rapid.Generator[message.Value] {
	return rapid.Custom(func(t *rapid.T) message.Value {
		kinds := 6
		if depth > 0 {
			kinds = 8
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return message.Int(rapid.Int64().Draw(t, "int"))
		case 1:
			v, _ := message.Whole(rapid.StringMatching(`-?[1-9][0-9]{0,60}`).Draw(t, "whole"))
			return v
		case 2:
			return message.Float(rapid.Float64().Draw(t, "float"))
		case 3:
			return message.Atom(rapid.SampledFrom([]string{"true", "false", "null", "ok", "not_found"}).Draw(t, "atom"))
		case 4:
			return message.Link{To: message.HashOf([]byte(rapid.String().Draw(t, "to")))}
		case 6:
			return message.List(rapid.SliceOfN(Values(depth-1), 0, 4).Draw(t, "list"))
		case 7:
			return Messages(depth-1).Draw(t, "message")
		}
		return Texts().Draw(t, "text")
	})
}

// Messages draws messages of values nested at most to the depth.
func Messages(depth int) *rapid.Generator[message.Message] {
	return rapid.Custom(func(t *rapid.T) message.Message {
		fs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) message.Field {
			return message.Field{Key: Keys().Draw(t, "key"), Value: Values(depth).Draw(t, "value")}
		}), 0, 6).Draw(t, "fields")
		return message.New(fs...)
	})
}
