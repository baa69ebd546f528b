package gateway

import (
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ago/clock"
	"ago/process"
	"ago/store/memory"
)

func openTestBlocks(t tester, s *memory.Store, c clock.Clock, interval time.Duration) *Blocks {
	b, err := openBlocks(s, c, 1_500_000, interval, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABlockComesEveryIntervalAndWhenMined(t *testing.T) {
	c := clock.NewPaused(start)
	b := openTestBlocks(t, memory.New(), c, 2*time.Minute)
	at := func(height uint64, since time.Duration) {
		t.Helper()
		got := b.Current()
		if got.Height != height || got.Time != start.Add(since).UnixMilli() {
			t.Fatalf("height %d at %v, want %d at %v", got.Height, time.UnixMilli(got.Time).Sub(start), height, since)
		}
	}
	at(1_500_000, 0)
	c.Advance(2*time.Minute - time.Millisecond)
	at(1_500_000, 0)
	c.Advance(time.Millisecond)
	at(1_500_001, 2*time.Minute)
	c.Advance(time.Minute)
	if _, err := b.Mine(3); err != nil {
		t.Fatal(err)
	}
	at(1_500_004, 3*time.Minute)
	c.Advance(2*time.Minute - time.Millisecond)
	at(1_500_004, 3*time.Minute)
	c.Advance(time.Millisecond)
	at(1_500_005, 5*time.Minute)
	c.Advance(20 * time.Minute)
	at(1_500_015, 25*time.Minute)
	if blk, ok := b.At(1_500_002); !ok || blk.Time != start.Add(3*time.Minute).UnixMilli() {
		t.Fatalf("a mined block has the time %v", time.UnixMilli(blk.Time).Sub(start))
	}
	for _, h := range []uint64{1_499_999, 1_500_016} {
		if _, ok := b.At(h); ok {
			t.Fatalf("there is a block %d", h)
		}
	}
	for _, n := range []uint64{0, mineMax + 1} {
		if _, err := b.Mine(n); err == nil {
			t.Fatalf("mined %d blocks", n)
		}
	}
}

// TestWhatWasToldOfTheChainStaysTrue moves the clock both ways, mines, and restarts with other intervals: heights and times
// never go back, and every block keeps its time, its hash and its predecessor.
func TestWhatWasToldOfTheChainStaysTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := memory.New()
		now, interval := start, 2*time.Minute
		c := clock.NewPaused(now)
		b := openTestBlocks(t, s, c, interval)
		told := map[uint64]Block{}
		answered := now.UnixMilli() // blocks before it were asked for
		last := uint64(0)
		var pieces []process.Moment
		setBack := false
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"advance", "mine", "restart", "set back", "interval"}).Draw(t, "step") {
			case "advance":
				d := time.Duration(rapid.IntRange(0, 900_000).Draw(t, "ms")) * time.Millisecond
				now = now.Add(d)
				c.Advance(d)
			case "mine":
				n := rapid.Uint64Range(1, 5).Draw(t, "n")
				before := b.Height()
				blk, err := b.Mine(n)
				if err != nil || blk.Height != before+n {
					t.Fatalf("mined %d blocks on %d: %d, %v", n, before, blk.Height, err)
				}
			case "set back":
				setBack = true
				now = now.Add(-time.Duration(rapid.IntRange(0, 900_000).Draw(t, "ms")) * time.Millisecond)
				c = clock.NewPaused(now)
				b = openTestBlocks(t, s, c, interval)
			case "interval":
				interval = time.Duration(rapid.IntRange(1, 300).Draw(t, "s")) * time.Second
				fallthrough
			case "restart":
				b = openTestBlocks(t, s, c, interval)
			}
			cur := b.Current()
			if cur.Height < last {
				t.Fatalf("the height went from %d to %d", last, cur.Height)
			}
			last = cur.Height
			for h := b.First(); h <= cur.Height; h++ {
				blk, ok := b.At(h)
				if !ok {
					t.Fatalf("block %d is missing below %d", h, cur.Height)
				}
				if old, ok := told[h]; ok && old != blk {
					t.Fatalf("block %d changed from %+v to %+v", h, old, blk)
				}
				told[h] = blk
				if h > b.First() && (blk.Previous != told[h-1].Hash || blk.Time < told[h-1].Time) {
					t.Fatalf("block %+v does not follow %+v", blk, told[h-1])
				}
			}
			// What is asked for piece by piece is what the whole range holds, unless the clock was set back.
			if to := now.UnixMilli(); to > answered {
				piece, err := b.Between(answered, to)
				if err != nil {
					t.Fatal(err)
				}
				pieces = append(pieces, piece...)
				answered = to
				whole, err := b.Between(start.UnixMilli(), to)
				if err != nil || !setBack && !slices.Equal(whole, pieces) {
					t.Fatalf("piece by piece %v, at once %v, %v", pieces, whole, err)
				}
				for _, m := range whole {
					if 1000*told[m.Height].Seconds() != m.Timestamp {
						t.Fatalf("block %d has the time %d here and %d there", m.Height, m.Timestamp, told[m.Height].Seconds())
					}
				}
			}
			if next := b.Next(); next < cur.Time {
				t.Fatalf("the next block comes at %d, before the newest at %d", next, cur.Time)
			}
			if got, ok := b.At(cur.Height); !ok || got != cur {
				t.Fatalf("the current block is %+v and %+v", cur, got)
			}
			if found, ok := b.Find(cur.Hash); !ok || found.Hash != cur.Hash {
				t.Fatal("the current block is not found by its hash")
			}
		}
	})
}

func BenchmarkCurrentBlock(b *testing.B) {
	blocks := openTestBlocks(b, memory.New(), clock.System{}, 2*time.Minute)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			blocks.Current()
		}
	})
}

func TestNobodySeesTheChainGoBack(t *testing.T) {
	c := clock.NewPaused(start)
	b := openTestBlocks(t, memory.New(), c, time.Second)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			last := Block{}
			for {
				select {
				case <-stop:
					return
				default:
				}
				now := b.Current()
				if now.Height < last.Height || now.Time < last.Time || now.Height == last.Height && now.Hash != last.Hash {
					t.Errorf("%+v came after %+v", now, last)
					return
				}
				last = now
			}
		})
	}
	for i := range 500 {
		c.Advance(700 * time.Millisecond)
		if i%3 == 0 {
			if _, err := b.Mine(2); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	readers.Wait()
}
