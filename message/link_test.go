package message_test

import (
	"errors"
	"strings"
	"testing"

	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

// shelf keeps what was offloaded.
type shelf map[message.ID]message.Value

func (s shelf) put(id message.ID, v message.Value) error {
	s[id] = v
	return nil
}

func (s shelf) load(l message.Link) (message.Value, error) {
	if v, ok := s[l.To]; ok {
		return v, nil
	}
	return nil, errors.New("not here")
}

// unlinked draws messages without links of their own.
func unlinked() *rapid.Generator[message.Message] {
	return rapid.Custom(func(t *rapid.T) message.Message {
		m, err := states(3).Draw(t, "message").Bundle(func(l message.Link) (message.Value, error) { return message.Bytes(l.To.String()), nil })
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
}

func TestBundleGivesBackWhatLinkifyTookOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := unlinked().Draw(t, "message")
		kept := shelf{}
		linked, err := m.Linkify(kept.put)
		if err != nil {
			t.Fatal(err)
		}
		if linked.UnsignedID() != m.UnsignedID() || linked.SignedID() != m.SignedID() || linked.ID() != m.ID() {
			t.Fatal("linkify changes ids")
		}
		if anew := message.New(fieldsOf(linked)...); anew.UnsignedID() != m.UnsignedID() {
			t.Fatal("the linked form has another id")
		}
		for key, v := range linked.All() {
			switch v.(type) {
			case message.Message, message.List:
				if key != message.KeyCommitments {
					t.Fatalf("%q is still nested", key)
				}
			}
		}
		for id, v := range kept {
			switch v := v.(type) {
			case message.Message:
				if v.SignedID() != id {
					t.Fatalf("a message is offloaded under another id")
				}
			case message.List:
				if v.ID() != id {
					t.Fatalf("a list is offloaded under another id")
				}
			}
		}
		discarded, err := m.Linkify(nil)
		if err != nil || !message.Equal(discarded, linked) {
			t.Fatalf("discarding gives %v, want %v", discarded, linked)
		}
		back, err := linked.Bundle(kept.load)
		if err != nil {
			t.Fatal(err)
		}
		same(t, back, m)
		for key := range m.All() {
			v, ok, err := linked.Load(key, kept.load)
			want, _ := m.Get(key)
			inner, isMessage := want.(message.Message)
			if err != nil || !ok || isMessage && v.(message.Message).UnsignedID() != inner.UnsignedID() {
				t.Fatalf("%q loads %v, %v, %v", key, v, ok, err)
			}
		}
	})
}

func fieldsOf(m message.Message) []message.Field {
	var fs []message.Field
	for k, v := range m.All() {
		fs = append(fs, message.Field{Key: k, Value: v})
	}
	return fs
}

func TestFindFollowsLinksAndLists(t *testing.T) {
	m := messagetest.Message(t, map[string]any{"a": map[string]any{"b": []any{map[string]any{"c": "found"}}}, "n": "x"})
	kept := shelf{}
	linked, err := m.Linkify(kept.put)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]message.Value{"a/b/1/c": message.Bytes("found"), "a/b/2": nil, "a/b/0": nil, "a/b/x": nil, "n/x": nil, "z": nil} {
		v, ok, err := linked.Find(strings.Split(path, "/"), kept.load)
		if err != nil || ok != (want != nil) || ok && v != want {
			t.Errorf("%s: %v, %v, %v", path, v, ok, err)
		}
	}
	if _, ok, err := linked.Find([]string{"a"}, shelf{}.load); ok || err == nil {
		t.Error("what cannot be loaded is no error")
	}
	if _, ok, err := linked.Load("a", shelf{}.load); ok || err == nil {
		t.Error("what cannot be loaded is no error")
	}
}

func TestBundleDoesNotFollowLinksForEver(t *testing.T) {
	link := message.Link{To: message.ID{1}}
	m := message.New(message.Field{Key: "a", Value: link}, message.Field{Key: "b", Value: link})
	loads := 0
	_, err := m.Bundle(func(message.Link) (message.Value, error) { loads++; return m, nil })
	if !errors.Is(err, message.ErrLimit) || loads > message.LoadsMax {
		t.Errorf("%v after %d loads", err, loads)
	}
	if _, err := m.Bundle(func(l message.Link) (message.Value, error) { return l, nil }); err == nil {
		t.Error("a link stands for a link")
	}
	broken := errors.New("broken")
	if _, err := message.New(message.Field{Key: "a", Value: message.List{message.New()}}).Linkify(func(message.ID, message.Value) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("offloading fails with %v", err)
	}
}
