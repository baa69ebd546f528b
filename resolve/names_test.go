package resolve

import (
	"strings"
	"testing"

	"ago/message"
	"ago/message/messagetest"

	"pgregory.net/rapid"
)

func TestNamesAreThoseOfTheQuestionThatWasAsked(t *testing.T) {
	n := newNames()
	a, b := message.New(message.Field{Key: "a", Value: message.Int(1)}), message.New(message.Field{Key: "a", Value: message.Int(2)})
	name, print := n.find(a, b)
	if name != "" || print == 0 {
		t.Fatal(name, print)
	}
	n.remember(print, b, a, "another") // another question that has the same fingerprint
	if name, _ := n.find(a, b); name != "" {
		t.Errorf("a question takes the name of another: %s", name)
	}
	n.remember(print, a, b, "right")
	for range 2*namesHalf + 10 { // asked again and again, it outlives the others
		if name, _ := n.find(a, b); name != "right" {
			t.Fatal("a name in use is forgotten")
		}
		other := message.New(message.Field{Key: "n", Value: message.Int(int64(len(n.young) + 7))})
		_, p := n.find(other, b)
		n.remember(p, other, b, "x")
	}
	if len(n.young) > namesHalf || len(n.old) > namesHalf {
		t.Errorf("%d and %d names are kept", len(n.young), len(n.old))
	}
	if _, print := n.find(message.New(message.Field{Key: "a", Value: message.Bytes(strings.Repeat("x", nameBudget))}), b); print != 0 {
		t.Error("a large question is remembered")
	}
}

func TestFingerprintsOfEqualQuestionsAreEqual(t *testing.T) {
	n := newNames()
	rapid.Check(t, func(t *rapid.T) {
		base, req := messagetest.Messages(3).Draw(t, "base"), messagetest.Messages(3).Draw(t, "request")
		_, print := n.find(base, req)
		_, again := n.find(message.New(fieldsOf(base)...), req)
		if print != again {
			t.Fatalf("%d, then %d", print, again)
		}
	})
}

func fieldsOf(m message.Message) (fs []message.Field) {
	for key, v := range m.All() {
		fs = append(fs, message.Field{Key: key, Value: v})
	}
	return fs
}
