package ans104

import (
	"testing"

	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func TestCommitmentsOfItemsHoldOnTheirMessages(t *testing.T) {
	it := signed(t, publishedDraft())
	with := func(m message.Message, entry message.Message, id string) message.Message {
		return m.With(message.KeyCommitments, message.New(message.Field{Key: id, Value: entry}))
	}
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
