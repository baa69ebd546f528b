package gateway

import (
	"context"
	"fmt"
	"testing"

	"ago/clock"
	"ago/codec/ans104"
	"ago/message"
	"ago/slotlog/local"
	"ago/store"
	"ago/store/file"
	"ago/store/pebble"
)

func benchGateway(b *testing.B) (*Gateway, store.Store) {
	s, err := pebble.Open(pebble.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	blobs, err := file.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	g, err := Open(Config{Store: s, Blobs: blobs, Items: local.New(s, blobs), Clock: clock.System{}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return g, s
}

func benchItems(b *testing.B, n int) []*ans104.Item {
	k := testKey(b, "user")
	items := make([]*ans104.Item, n)
	for i := range items {
		items[i] = sign(b, k, ans104.Draft{
			Target: message.HashOf([]byte{byte(i)}), HasTarget: true, Data: fmt.Appendf(nil, "%d", i),
			Tags: tags("Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message", "SDK", "aoconnect", "Action", "Transfer",
				"Recipient", fmt.Sprint(i%100), "Quantity", fmt.Sprint(i), "Reference", fmt.Sprint(i)),
		})
	}
	return items
}

// BenchmarkIndex is what a scheduler pays for an item of eight tags: making the rows, and with them writing.
func BenchmarkIndex(b *testing.B) {
	items := benchItems(b, 20_000)
	b.Run("rows", func(b *testing.B) {
		g, _ := benchGateway(b)
		b.ReportAllocs()
		for i := range b.N {
			var batch store.Batch
			if err := g.Index(&batch, items[i%len(items)], message.ID{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("written", func(b *testing.B) {
		g, s := benchGateway(b)
		items := benchItems(b, b.N)
		b.ReportAllocs()
		b.ResetTimer()
		for from := 0; from < len(items); from += 64 { // a block of a busy process
			var batch store.Batch
			for _, it := range items[from:min(from+64, len(items))] {
				if err := g.Index(&batch, it, message.ID{}); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Apply(&batch, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkQuery asks an index of 20,000 items.
func BenchmarkQuery(b *testing.B) {
	g, s := benchGateway(b)
	items := benchItems(b, 20_000)
	for from := 0; from < len(items); from += 1000 {
		var batch store.Batch
		for _, it := range items[from : from+1000] {
			if err := g.put(context.Background(), &batch, it, message.ID{}); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Apply(&batch, false); err != nil {
			b.Fatal(err)
		}
	}
	const fields = `{pageInfo{hasNextPage} edges{cursor node{id owner{address} tags{name value} block{id height timestamp}}}}`
	for name, arguments := range map[string]string{
		"id":            `ids:["` + items[77].ID().String() + `"]`,
		"newest 10":     `first:10`,
		"newest 100":    `first:100`,
		"rare tag":      `tags:[{name:"Type",values:["Message"]},{name:"Data-Protocol",values:["ao"]},{name:"Reference",values:["77"]}]`,
		"two common":    `tags:[{name:"Type",values:["Message"]},{name:"Recipient",values:["77"]}],first:10`,
		"none of both":  `tags:[{name:"Recipient",values:["76"]},{name:"Reference",values:["77"]}]`,
		"height ascend": `sort:HEIGHT_ASC,first:10`,
	} {
		query := `{transactions(` + arguments + `)` + fields + `}`
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if out := g.Query(context.Background(), query, nil, ""); out[2] == 'e' {
					b.Fatal(string(out))
				}
			}
		})
	}
}
