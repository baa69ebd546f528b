package ans104

import (
	"slices"
	"testing"

	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func with(m message.Message, entry message.Message, id string) message.Message {
	return m.With(message.KeyCommitments, message.New(message.Field{Key: id, Value: entry}))
}

func TestCommitmentsOfItemsHoldOnTheirMessages(t *testing.T) {
	it := signed(t, publishedDraft())
	m := with(it.Message(), it.Commitment(), it.ID().String())
	if got, err := commitment.VerifyEntries(m); err != nil || len(got) != 1 || got[0].Address() != it.Address() {
		t.Errorf("%v, %v", got, err)
	}
	noted := message.New(message.Field{Key: "x", Value: message.Int(1)}, message.Field{Key: message.KeyCommitments, Value: message.New()})
	if _, err := commitment.VerifyEntries(m.With("other", message.List{noted})); err != nil {
		t.Errorf("with a key beside it: %v", err)
	}
	if _, err := commitment.VerifyEntries(with(it.Message().With("data", message.Bytes("2+2")), it.Commitment(), it.ID().String())); fault.KindOf(err) != fault.Forged {
		t.Errorf("other data: %v", err)
	}
	if _, err := commitment.VerifyEntries(with(it.Message(), it.Commitment(), message.HashOf(nil).String())); fault.CodeOf(err) != "commitment-malformed" {
		t.Errorf("another id: %v", err)
	}
	free, err := Unsigned(publishedDraft())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := commitment.VerifyEntries(with(free.Message(), free.Commitment(), free.UnsignedID().String())); err != nil || got != nil {
		t.Errorf("unsigned: %v, %v", got, err)
	}
	if _, err := commitment.VerifyEntries(with(free.Message().With("data", message.Bytes("2+2")), free.Commitment(), free.UnsignedID().String())); fault.CodeOf(err) != "commitment-malformed" {
		t.Errorf("unsigned with other data: %v", err)
	}
}

// A commitment that tells the tags itself is put together from them: what the message says under its keys must be the same.
func TestACommitmentHoldsOnlyForTheKeysItWasMadeOver(t *testing.T) {
	key := seeded(t, commitment.Ed25519, 1)
	target := message.HashOf([]byte("target"))
	it, err := Sign(Draft{Target: target, HasTarget: true, Anchor: target[:], Data: []byte("1+1"),
		Tags: []Tag{{Name: "Action", Value: "Eval"}, {Name: "n", Value: "1"}, {Name: "ao-types", Value: `n="integer"`}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range []*Item{it, signed(t, publishedDraft())} {
		c, id := it.Commitment(), it.ID().String()
		m := with(it.Message(), c, id)
		if signers, err := commitment.VerifyEntries(m); err != nil || len(signers) != 1 {
			t.Fatalf("%v, %v", signers, err)
		}
		list, _ := c.Get("committed")
		for _, key := range it.Committed() {
			if key == "ao-types" {
				continue
			}
			other := with(it.Message().With(key, message.Bytes("Transfer")), c, id)
			if _, err := commitment.VerifyEntries(other); err == nil {
				t.Errorf("%s was changed and holds", key)
			}
			fewer := slices.DeleteFunc(slices.Clone(list.(message.List)), func(v message.Value) bool { return v == message.Bytes(key) })
			if _, err := commitment.VerifyEntries(with(it.Message(), c.With("committed", fewer), id)); err == nil {
				t.Errorf("it holds without %s among its keys", key)
			}
		}
		more := append(slices.Clone(list.(message.List)), message.Bytes("more"))
		if _, err := commitment.VerifyEntries(with(it.Message().With("more", message.Bytes("x")), c.With("committed", more), id)); err == nil {
			t.Error("it holds for a key that was not signed")
		}
		if typed, ok := it.Message().Get("n"); ok && typed == message.Int(1) {
			if _, err := commitment.VerifyEntries(with(it.Message().With("n", message.Bytes("1")), c, id)); err == nil {
				t.Error("it holds for another type")
			}
		}
	}
}
