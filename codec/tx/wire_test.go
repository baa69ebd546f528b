package tx

import (
	"testing"

	"ago/arweave"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/message"
)

func TestCommitmentsOfTransactionsTravelOverHTTP(t *testing.T) {
	key := wallet(t)
	target := message.HashOf([]byte("target"))
	for name, tx := range map[string]*arweave.Transaction{
		"plain":  {Format: 2, Quantity: "0", Reward: "0", Tags: []arweave.Tag{{Name: "action", Value: "x"}}},
		"fields": {Format: 2, Quantity: "7", Reward: "9", LastTx: make([]byte, 48), Target: target, HasTarget: true, Tags: []arweave.Tag{{Name: "App-Name", Value: "ao"}, {Name: "a", Value: "b"}}},
		"old":    {Format: 1, Quantity: "7", Reward: "9", LastTx: make([]byte, 32), Target: target, HasTarget: true},
	} {
		t.Run(name, func(t *testing.T) {
			tx.SetData([]byte("hello"))
			if err := Sign(tx, key); err != nil {
				t.Fatal(err)
			}
			m, _ := carried(tx)
			for _, n := range []message.Nesting{message.Linked, message.Nested} {
				w, err := httpsig.Encode(m, n)
				if err != nil {
					t.Fatal(err)
				}
				back, err := httpsig.Decode(w)
				if err != nil {
					t.Fatal(err)
				}
				signers, err := commitment.VerifyEntries(back)
				if err != nil || len(signers) != 1 || signers[0].Address() != key.Address() || back.SignedID() != tx.ID {
					t.Fatalf("signed by %v, %v", signers, err)
				}
				again, err := Encode(back)
				if err != nil || Verify(again) != nil {
					t.Fatalf("%v, %v", again, err)
				}
			}
		})
	}
}
