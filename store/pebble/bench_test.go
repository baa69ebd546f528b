package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"ago/message"
	"ago/store"
)

// BenchmarkApply measures batches of one 2 KiB value on disk, without the log above. ns/op is for all writers together.
func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 8, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, b.TempDir(), nil)
			value := make([]byte, 2<<10)
			rand.NewChaCha8([32]byte{}).Read(value[:1<<10])
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						batch := &store.Batch{}
						batch.Set(benchKey(uint64(n)), value)
						if err := s.Apply(batch, true); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
		})
	}
}

func benchKey(n uint64) []byte {
	id := message.HashOf(binary.BigEndian.AppendUint64(nil, n))
	return append([]byte{'D'}, id[:]...)
}

// BenchmarkLookup asks for keys among a million, as the log does for every message: most are not there.
func BenchmarkLookup(b *testing.B) {
	s := open(b, b.TempDir(), nil)
	const keys = 1_000_000
	for n := uint64(0); n < keys; {
		batch := &store.Batch{}
		for range 1000 {
			batch.Set(benchKey(n), binary.BigEndian.AppendUint64(make([]byte, 0, 64), n)[:64])
			n++
		}
		if err := s.Apply(batch, n == keys); err != nil {
			b.Fatal(err)
		}
	}
	for _, ask := range []struct {
		name string
		from uint64
	}{{"present", 0}, {"absent", keys}} {
		b.Run(ask.name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 1))
			for b.Loop() {
				_, err := s.Get(benchKey(ask.from + random.Uint64N(keys)))
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					b.Fatal(err)
				}
			}
		})
	}
}
