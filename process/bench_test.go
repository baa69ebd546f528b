package process

import (
	"fmt"
	"testing"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/message"
	"ago/slotlog"
)

// BenchmarkAssignment measures what it takes to sign the assignment of a data item and to write it as an answer.
func BenchmarkAssignment(b *testing.B) {
	k := key(b, 1)
	it, err := ans104.Sign(ans104.Draft{Target: message.ID{1}, HasTarget: true, Data: []byte("12345"), Tags: []ans104.Tag{
		{Name: "Action", Value: "Count"}, {Name: "Data-Protocol", Value: "ao"}, {Name: "Type", Value: "Message"}, {Name: "Variant", Value: "ao.N.1"}}}, key(b, 2))
	if err != nil {
		b.Fatal(err)
	}
	a := func(slot int) Assigned {
		path := fmt.Sprintf("%s/%s", message.ID{1}, message.ID{byte(slot), 2})
		return Assigned{Content: ContentOf(it), Entry: slotlog.Entry{Process: message.ID{1}, Slot: slotlog.Slot(slot), Message: it.ID(), Timestamp: 1_700_000_000_000,
			BlockHeight: 1_000_000, BlockHash: message.ID{3}, BlockTime: 1_700_000_000_000, HashChain: message.ID{4}, Hashpath: path}}
	}
	b.Run("Sign", func(b *testing.B) {
		b.ReportAllocs()
		for slot := 0; b.Loop(); slot++ {
			if _, err := httpsig.Commit(a(slot).CoreLinked(), k, httpsig.Terms{Salt: []byte("x")}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Encode", func(b *testing.B) {
		x := a(1)
		signed, err := httpsig.Commit(x.CoreLinked(), k, httpsig.Terms{Salt: []byte("x")})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := httpsig.Encode(x.Core().With(message.KeyCommitments, signed.Commitments()), message.Nested); err != nil {
				b.Fatal(err)
			}
		}
	})
}
