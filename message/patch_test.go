package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

// states draws messages as they are kept: with commitments, decoded ones, private keys, and many keys.
func states(depth int) *rapid.Generator[message.Message] {
	return rapid.Custom(func(t *rapid.T) message.Message {
		m := messagetest.Messages(depth).Draw(t, "message")
		for i := range rapid.SampledFrom([]int{0, 0, 40, 200}).Draw(t, "many") {
			m = m.With(fmt.Sprintf("many-%03d", i), message.Int(i))
		}
		if depth > 0 && rapid.Bool().Draw(t, "nested") {
			m = m.With("nested", states(depth-1).Draw(t, "inner"))
		}
		if rapid.Bool().Draw(t, "committed") {
			id := derived(m, rapid.StringN(0, 2, 2).Draw(t, "signature"))
			m = m.With(message.KeyCommitments, message.New(message.Field{Key: id.String(), Value: message.New(
				message.Field{Key: "committer", Value: message.Bytes("someone")},
				message.Field{Key: "committed", Value: message.List{message.Bytes("a")}})}))
		}
		if rapid.Bool().Draw(t, "decoded") {
			raw := rapid.StringN(0, 2, 2).Draw(t, "raw")
			m = m.Decoded(derived(m, raw), "test@1.0", []byte(raw), nil)
		}
		return m
	})
}

// derived gives an id that no other message has.
func derived(m message.Message, salt string) message.ID {
	id := m.SignedID()
	return message.HashOf(append(id[:], salt...))
}

// changed draws a message made from another by a few steps at any depth.
func changed(t *rapid.T, m message.Message) message.Message {
	for range rapid.IntRange(0, 5).Draw(t, "steps") {
		keys := []string{"new"}
		for key := range m.All() {
			keys = append(keys, key)
		}
		key := rapid.SampledFrom(keys).Draw(t, "key")
		old, _ := m.Get(key)
		inner, nested := old.(message.Message)
		list, isList := old.(message.List)
		switch step := rapid.IntRange(0, 3).Draw(t, "step"); {
		case step == 0:
			m = m.Without(key)
		case nested && step > 1 && key != message.KeyCommitments:
			m = m.With(key, changed(t, inner))
		case isList && step > 1:
			at := rapid.IntRange(0, len(list)).Draw(t, "at")
			m = m.With(key, append(append(append(message.List{}, list[:at]...), messagetest.Values(1).Draw(t, "member")), list[at:]...))
		default:
			m = m.With(key, messagetest.Values(1).Draw(t, "value"))
		}
	}
	return m
}

// same fails unless two messages are equal in all that is kept.
func same(t *rapid.T, got, want message.Message) {
	t.Helper()
	if !message.Equal(got, want) {
		t.Fatalf("to be as wanted it lacks %#v", message.Diff(got, want))
	}
	if got.UnsignedID() != want.UnsignedID() || got.SignedID() != want.SignedID() {
		t.Fatal("another id")
	}
	sameOrigins(t, got, want)
}

func sameOrigins(t *rapid.T, got, want message.Value) {
	t.Helper()
	switch want := want.(type) {
	case message.List:
		for i := range want {
			sameOrigins(t, got.(message.List)[i], want[i])
		}
	case message.Message:
		g := got.(message.Message)
		if g.ID() != want.ID() || g.Codec() != want.Codec() || !bytes.Equal(g.Raw(), want.Raw()) {
			t.Fatalf("it came as %s in %q, want %s in %q", g.ID(), g.Codec(), want.ID(), want.Codec())
		}
		for key, v := range want.All() {
			inner, _ := g.Get(key)
			sameOrigins(t, inner, v)
		}
	}
}

func TestAPatchLeadsFromOneMessageToTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := states(2).Draw(t, "a")
		b := changed(t, a)
		if rapid.IntRange(0, 9).Draw(t, "unrelated") == 0 {
			b = states(2).Draw(t, "b")
		}
		p := message.Diff(a, b)
		got, err := a.Apply(p)
		if err != nil {
			t.Fatalf("%v: %v", p, err)
		}
		same(t, got, b)

		kept, err := p.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		read, err := message.ReadPatch(kept)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = a.Apply(read); err != nil {
			t.Fatal(err)
		}
		same(t, got, b)
		if again, _ := read.AppendTo(nil); !bytes.Equal(again, kept) {
			t.Fatal("a patch that was read is written in another way")
		}
		if len(message.Diff(b, got)) != 0 {
			t.Fatal("there is a difference between a message and itself")
		}
	})
}

func TestAPatchHoldsOnlyWhatChanged(t *testing.T) {
	var fs []message.Field
	for i := range 10_000 {
		fs = append(fs, message.Field{Key: fmt.Sprintf("k%05d", i), Value: message.Int(i)})
	}
	log := make(message.List, 1000)
	for i := range log {
		log[i] = message.Bytes(strings.Repeat("x", 40))
	}
	a := message.New(message.Field{Key: "balances", Value: message.New(fs...)}, message.Field{Key: "log", Value: log}, message.Field{Key: "slot", Value: message.Int(1)})
	balances, _ := a.Get("balances")
	b := a.With("balances", balances.(message.Message).With("k00007", message.Int(-7)).Without("k00008")).With("slot", message.Int(2)).
		With("log", append(log[:1000:1000], message.Bytes("y")))
	p := message.Diff(a, b)
	kept, err := p.AppendTo(nil)
	if err != nil || len(p) != 4 || len(kept) > 100 {
		t.Fatalf("%d changes in %d bytes, %v", len(p), len(kept), err)
	}
}

func TestAPatchForAnotherMessageIsRefused(t *testing.T) {
	text := message.Bytes("x")
	m := message.New(message.Field{Key: "a", Value: text}, message.Field{Key: "l", Value: message.List{text}})
	for name, p := range map[string]message.Patch{
		"removes what is not there":    {{Path: []string{"b"}}},
		"changes inside a text":        {{Path: []string{"a", "b"}, Value: text}},
		"changes inside of nothing":    {{Path: []string{"b", "b"}, Value: text}},
		"changes a list without it":    {{Path: []string{"a"}, Value: message.List{}, Part: true}},
		"cuts more than a list has":    {{Path: []string{"l"}, Value: message.List{}, Part: true, At: 1, Cut: 1}},
		"begins behind a list":         {{Path: []string{"l"}, Value: message.List{}, Part: true, At: 2}},
		"puts a text for the message":  {{Value: text}},
		"replaces a message later on":  {{Path: []string{"a"}, Value: text}, {Value: message.New()}},
		"puts a text in a list's part": {{Path: []string{"l"}, Value: text, Part: true}},
	} {
		if got, err := m.Apply(p); err == nil {
			t.Errorf("a patch that %s gives %v", name, got)
		}
	}
}

func TestWhatIsKeptIsReadBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := states(2).Draw(t, "message")
		kept, err := message.AppendValue(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		v, err := message.ReadValue(kept)
		if err != nil {
			t.Fatal(err)
		}
		got := v.(message.Message)
		same(t, got, m)
		if again, _ := message.AppendValue(nil, got); !bytes.Equal(again, kept) {
			t.Fatal("it is written in another way")
		}
		cut := rapid.IntRange(0, len(kept)-1).Draw(t, "cut")
		if _, err := message.ReadValue(kept[:cut]); err == nil {
			t.Fatalf("the first %d of %d bytes are read", cut, len(kept))
		}
	})
}

func TestKeepingLeavesOutWhatIsPrivate(t *testing.T) {
	m := message.New(message.Field{Key: "a", Value: message.Int(1)})
	secret := m.With("priv", message.New(message.Field{Key: "key", Value: message.Bytes("secret")})).With("empty", nil)
	kept, err := message.AppendValue(nil, secret)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := message.ReadValue(kept); err != nil || !message.Equal(v, m) {
		t.Errorf("%v, %v", v, err)
	}
	if kept, err = message.Diff(m, secret).AppendTo(nil); err != nil || len(kept) != 2 {
		t.Errorf("the patch %q, %v", kept, err)
	}
}

func TestWhatCannotBeKeptIsAnError(t *testing.T) {
	deep := message.Value(message.Int(1))
	for range message.DepthMax + 1 {
		deep = message.List{deep}
	}
	if _, err := message.AppendValue(nil, deep); !errors.Is(err, message.ErrLimit) {
		t.Errorf("too deep: %v", err)
	}
	if _, err := message.AppendValue(nil, message.List{nil}); err == nil {
		t.Error("a list without a member is kept")
	}
	if _, err := message.ReadValue([]byte("v\x02\x01\x00")); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("another version: %v", err)
	}
}

func FuzzReadValue(f *testing.F) {
	seed, _ := message.AppendValue(nil, message.New(
		message.Field{Key: "a", Value: message.Int(-1)}, message.Field{Key: "b", Value: message.BigInt("123456789012345678901")},
		message.Field{Key: "c", Value: message.List{message.Float(1.5), message.Atom("true"), message.Link{Type: "list"}}},
		message.Field{Key: "d", Value: message.New().Decoded(message.ID{1}, "x@1.0", []byte("raw"), nil)}))
	f.Add(seed)
	f.Add([]byte("v\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Add([]byte("v\x01\x01\x80\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := message.ReadValue(b)
		if err != nil {
			return
		}
		if again, err := message.AppendValue(nil, v); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q is written as %q, %v", b, again, err)
		}
	})
}

func FuzzReadPatch(f *testing.F) {
	a := message.New(message.Field{Key: "l", Value: message.List{message.Int(1), message.Int(2)}}, message.Field{Key: "x", Value: message.New()})
	b := a.With("l", message.List{message.Int(1)}).With("x", message.New(message.Field{Key: "y", Value: message.Int(1)})).Without("z")
	for _, p := range []message.Patch{message.Diff(a, b), message.Diff(b, a), message.Diff(message.New(), a)} {
		seed, _ := p.AppendTo(nil)
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := message.ReadPatch(raw)
		if err != nil {
			return
		}
		if again, err := p.AppendTo(nil); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%q is written as %q, %v", raw, again, err)
		}
		_, _ = a.Apply(p) // never panics
	})
}
