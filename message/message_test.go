package message

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestIDTextIsUnique(t *testing.T) {
	id := HashOf([]byte("x"))
	got, err := ParseID(id.String())
	if err != nil || got != id {
		t.Fatalf("round trip: %v, %v", got, err)
	}
	for _, bad := range []string{"", "abc", id.String() + "A", id.String()[:42] + "!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) was accepted", bad)
		}
	}
}

func TestMessageBehavesAsAMapAndNeverChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := map[string]Bytes{}
		m := New()
		key := rapid.SampledFrom([]string{"a", "b", "c", "data", ""})
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			k := key.Draw(t, "key")
			before, n := m, m.Len()
			if rapid.Bool().Draw(t, "set") {
				v := Bytes(rapid.String().Draw(t, "value"))
				model[k] = v
				m = m.With(k, v)
			} else {
				delete(model, k)
				m = m.Without(k)
			}
			if before.Len() != n {
				t.Fatal("an older message changed")
			}
		}
		if m.Len() != len(model) {
			t.Fatalf("%d fields, want %d", m.Len(), len(model))
		}
		last := ""
		for k, v := range m.All() {
			if k < last {
				t.Fatal("keys are not in order")
			}
			last = k
			if v != model[k] {
				t.Fatalf("%q = %v, want %v", k, v, model[k])
			}
		}
	})
}

// TestSeveralValuesAreSetAsOneByOne in messages of all sizes, with and without commitments, which are left behind alike.
func TestSeveralValuesAreSetAsOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom([]string{"a", "b", "c", "data", "", "z", KeyCommitments})
		field := rapid.Custom(func(t *rapid.T) Field { return Field{key.Draw(t, "key"), Bytes(rapid.String().Draw(t, "value"))} })
		m := New(rapid.SliceOf(field).Draw(t, "fields")...)
		for i := range rapid.SampledFrom([]int{0, 3, 200}).Draw(t, "more") {
			m = m.With("key-"+strconv.Itoa(i), Int(i))
		}
		if rapid.Bool().Draw(t, "committed") {
			covers := New(Field{keyCommitted, List{Bytes("a"), Bytes("data")}}, Field{keyCommitter, Bytes("somebody")})
			m = m.With(KeyCommitments, New(Field{HashOf(nil).String(), covers}))
		}
		before, want := m, m
		fs := rapid.SliceOfN(field, 0, 5).Draw(t, "set")
		for _, f := range fs {
			want = want.With(f.Key, f.Value)
		}
		got := m.WithAll(fs...)
		if !Equal(got, want) || got.UnsignedID() != want.UnsignedID() {
			t.Fatalf("%v, want %v", got, want)
		}
		if !Equal(m, before) {
			t.Fatal("the message that it was made of has changed")
		}
	})
}

func TestAChangedMessageLosesItsID(t *testing.T) {
	m := New(Field{"a", Int(1)}).Decoded(HashOf([]byte("s")), "test@1.0", []byte("raw"), nil)
	if c := m.With("a", Int(2)); !c.ID().IsZero() || c.Raw() != nil {
		t.Fatal("a changed message still carries the id of the committed one")
	}
}

func TestSameIsOneMessageOfOneOrigin(t *testing.T) {
	many := make([]Field, 200)
	for i := range many {
		many[i] = Field{strconv.Itoa(i), Int(i)}
	}
	for _, fs := range [][]Field{{}, {{"a", Bytes("b")}}, many} {
		m := New(fs...)
		copied := m
		if !m.Same(copied) || !m.With("x", Bytes("y")).Without("x").equal(m) {
			t.Errorf("%d keys: a copy is another", len(fs))
		}
		if m.Same(m.With("x", Bytes("y"))) || m.Same(m.Decoded(ID{1}, "codec", nil, nil)) {
			t.Errorf("%d keys: a change is the same", len(fs))
		}
		if len(fs) > 0 && m.Same(New(fs...)) {
			t.Errorf("%d keys: one that was made apart is the same", len(fs))
		}
	}
}
