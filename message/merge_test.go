package message_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

type object = map[string]any

func atom(s string) object { return object{"$atom": s} }

func TestMergeSetsKeysInNestedMessages(t *testing.T) {
	for name, c := range map[string]struct {
		explicit         bool
		into, with, want object
	}{
		"keys are added and replaced":      {into: object{"a": 1, "b": 2}, with: object{"b": 3, "c": 4}, want: object{"a": 1, "b": 3, "c": 4}},
		"nested messages are merged":       {into: object{"m": object{"a": 1, "d": object{"x": 1}}}, with: object{"m": object{"b": 2, "d": object{"y": 2}}}, want: object{"m": object{"a": 1, "b": 2, "d": object{"x": 1, "y": 2}}}},
		"explicit replaces them":           {explicit: true, into: object{"m": object{"a": 1}}, with: object{"m": object{"b": 2}}, want: object{"m": object{"b": 2}}},
		"unset removes":                    {into: object{"a": 1, "m": object{"a": 1, "b": 2}}, with: object{"a": atom("unset"), "m": object{"b": atom("unset")}, "z": atom("unset")}, want: object{"m": object{"a": 1}}},
		"unset is not put where none was":  {into: object{}, with: object{"m": object{"a": 1, "n": object{"b": atom("unset")}}}, want: object{"m": object{"a": 1, "n": object{}}}},
		"the text unset is a text":         {into: object{"a": 1}, with: object{"a": "unset"}, want: object{"a": "unset"}},
		"a message takes the place":        {into: object{"a": 1}, with: object{"a": object{"b": 1}}, want: object{"a": object{"b": 1}}},
		"a text takes the message's place": {into: object{"a": object{"b": 1}}, with: object{"a": "x"}, want: object{"a": "x"}},
		"lists are replaced":               {into: object{"l": []any{1, 2}}, with: object{"l": []any{3}}, want: object{"l": []any{3}}},
		"commitments are not taken over":   {into: object{"a": 1}, with: object{"a": 2, "commitments": object{"x": object{}}}, want: object{"a": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			into, with, want := messagetest.Message(t, decoded(c.into)), messagetest.Message(t, decoded(c.with)), messagetest.Message(t, decoded(c.want))
			got, err := message.Merge{Explicit: c.explicit}.Set(into, with)
			if err != nil || !message.Equal(got, want) {
				t.Errorf("%v, %v; want %v", got, err, want)
			}
		})
	}
}

// decoded turns numbers into what the reader of JSON gives.
func decoded(v any) any {
	switch v := v.(type) {
	case int:
		return json.Number(strconv.Itoa(v))
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = decoded(v[i])
		}
		return out
	case object:
		out := object{}
		for k, e := range v {
			out[k] = decoded(e)
		}
		return out
	}
	return v
}

func TestMergeKeepsCommitmentsWhileWhatTheyCoverStaysEqual(t *testing.T) {
	text := func(k, v string) message.Field { return message.Field{Key: k, Value: message.Bytes(v)} }
	by := func(keys ...string) message.Field {
		l := message.List{}
		for _, k := range keys {
			l = append(l, message.Bytes(k))
		}
		return message.Field{Key: message.HashOf([]byte(strings.Join(keys, ","))).String(), Value: message.New(text("committer", "x"), message.Field{Key: "committed", Value: l})}
	}
	m := message.New(text("a", "1"), text("b", "2"), text("c", "3"), message.Field{Key: message.KeyCommitments, Value: message.New(by("a"), by("a", "b"))}).
		Decoded(message.ID{1}, "test@1.0", []byte("raw"), nil)
	for _, c := range []struct {
		with message.Message
		kept int
		raw  bool
	}{
		{message.New(), 2, true},
		{message.New(text("a", "1"), text("b", "2")), 2, true},
		{message.New(text("c", "4")), 2, false},
		{message.New(text("new", "4")), 2, false},
		{message.New(message.Field{Key: "priv", Value: message.Bytes("mine")}), 2, false},
		{message.New(text("b", "4")), 0, false},
		{message.New(text("a", "1"), message.Field{Key: "b", Value: message.Unset}), 0, false},
	} {
		got, err := message.Merge{}.Set(m, c.with)
		if err != nil || got.Commitments().Len() != c.kept || (got.Raw() != nil) != c.raw {
			t.Errorf("with %v: %d commitments, bytes %q, %v", c.with, got.Commitments().Len(), got.Raw(), err)
		}
	}
}

func TestMergeReachesIntoLinksAndDevices(t *testing.T) {
	inner := message.New(message.Field{Key: "a", Value: message.Int(1)})
	kept := shelf{}
	m, err := message.New(message.Field{Key: "in", Value: inner}).Linkify(kept.put)
	if err != nil {
		t.Fatal(err)
	}
	with := message.New(message.Field{Key: "in", Value: message.New(message.Field{Key: "b", Value: message.Int(2)})})
	got, err := message.Merge{Load: kept.load}.Set(m, with)
	if v, _, _ := got.Find([]string{"in", "a"}, nil); err != nil || v != message.Int(1) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := (message.Merge{Load: kept.load}).Set(m, message.New(message.Field{Key: "in", Value: inner})); err != nil || !message.Equal(got, m) {
		t.Errorf("an equal value takes the place of the link: %v, %v", got, err)
	}
	if got, _ := (message.Merge{}).Set(m, with); !message.Equal(got, with) {
		t.Errorf("without a loader: %v", got)
	}
	if _, err := (message.Merge{Load: shelf{}.load}).Set(m, with); err == nil {
		t.Error("what cannot be loaded is no error")
	}
	refused := errors.New("refused")
	if _, err := (message.Merge{Nested: func(into, with message.Message) (message.Message, bool, error) { return into, false, refused }}).
		Set(message.New(message.Field{Key: "in", Value: inner}), with); !errors.Is(err, refused) {
		t.Errorf("the device says %v", err)
	}
}

func TestMergingTwiceIsMergingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		into, with := states(2).Draw(t, "into"), messagetest.Messages(2).Draw(t, "with")
		once, err := message.Merge{}.Set(into, with)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := message.Merge{}.Set(once, with)
		if err != nil {
			t.Fatal(err)
		}
		same(t, twice, once)
		explicit, err := message.Merge{Explicit: true}.Set(into, with)
		if err != nil {
			t.Fatal(err)
		}
		for key, v := range with.All() {
			if got, _ := explicit.Get(key); !message.Equal(got, v) {
				t.Fatalf("%q is %v, want %v", key, got, v)
			}
		}
	})
}

func TestAPathIsSetThroughMessagesThatAreMissing(t *testing.T) {
	m := messagetest.Message(t, object{"a": object{"b": "1"}, "t": "x"})
	for _, c := range []struct {
		path string
		v    message.Value
		want object
	}{
		{"a/c", message.Bytes("2"), object{"a": object{"b": "1", "c": "2"}, "t": "x"}},
		{"a/b", nil, object{"a": object{}, "t": "x"}},
		{"n/e/w", message.Bytes("2"), object{"a": object{"b": "1"}, "t": "x", "n": object{"e": object{"w": "2"}}}},
		{"t/u", message.Bytes("2"), object{"a": object{"b": "1"}, "t": object{"u": "2"}}},
		{"n/e/w", nil, object{"a": object{"b": "1"}, "t": "x"}},
		{"t", nil, object{"a": object{"b": "1"}}},
	} {
		if got := m.WithPath(strings.Split(c.path, "/"), c.v); !message.Equal(got, messagetest.Message(t, c.want)) {
			t.Errorf("%s = %v: %v, want %v", c.path, c.v, got, c.want)
		}
	}
	whole := m.Decoded(message.ID{1}, "test@1.0", nil, nil)
	if whole.WithPath([]string{"n", "e"}, nil).ID().IsZero() {
		t.Error("removing what is not there is a change")
	}
	if got := m.WithPath(nil, message.New()); got.Len() != 0 {
		t.Error("the empty path is the message itself")
	}
}
