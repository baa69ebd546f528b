package local

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ago/slotlog"
	"ago/slotlog/slotlogtest"
)

// BenchmarkAppend measures durable appends of 2 KiB messages, half of them noise, each writer with a process of its own.
// ns/op is the time for one slot with all writers together.
func BenchmarkAppend(b *testing.B) {
	for _, shape := range []struct{ writers, entries int }{{1, 1}, {8, 1}, {128, 1}, {1, 256}, {8, 64}} {
		b.Run(fmt.Sprintf("writers=%d/block=%d", shape.writers, shape.entries), func(b *testing.B) {
			benchmarkAppend(b, shape.writers, shape.entries)
		})
	}
}

func benchmarkAppend(b *testing.B, writers, entries int) {
	l := openFolder(b, b.TempDir())
	item := make([]byte, 2<<10)
	rand.NewChaCha8([32]byte{}).Read(item[:1<<10])
	latencies := make([][]time.Duration, writers)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			p := slotlogtest.ID("process", uint64(w))
			for first := slotlog.Slot(0); left.Add(-int64(entries)) > -int64(entries); first += slotlog.Slot(entries) {
				block := slotlogtest.Block(p, 0, first, entries, 0)
				for i := range block.Entries {
					block.Entries[i].Item = item
				}
				start := time.Now()
				if err := l.Append(b.Context(), block); err != nil {
					b.Error(err)
					return
				}
				latencies[w] = append(latencies[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	if len(all) == 0 {
		return
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "slots/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkRange reads 100 slots with their messages.
func BenchmarkRange(b *testing.B) {
	l := openFolder(b, b.TempDir())
	p := slotlogtest.ID("process")
	item := make([]byte, 2<<10)
	const slots = 20_000
	for first := slotlog.Slot(0); first < slots; first += 250 {
		block := slotlogtest.Block(p, 0, first, 250, 0)
		for i := range block.Entries {
			rand.NewChaCha8([32]byte{byte(i), byte(first)}).Read(item[:1<<10])
			block.Entries[i].Item = slices.Clone(item)
		}
		if err := l.Append(b.Context(), block); err != nil {
			b.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		from := slotlog.Slot(random.IntN(slots - 100))
		n := 0
		for _, err := range l.Range(b.Context(), p, from, from+100) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100 {
			b.Fatalf("%d slots", n)
		}
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "slots/s")
}
