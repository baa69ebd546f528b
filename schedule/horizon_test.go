package schedule

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/slotlog/local"
)

func TestNoLaterSlotComesBeforeAHorizon(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	p := b.submit(b.process()).Process
	type told struct {
		at   int64
		next slotlog.Slot
	}
	var mu sync.Mutex
	var all []told
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				b.submit(b.message(b.user, p, fmt.Sprint(w, " ", i)))
				b.clock.Advance(time.Millisecond)
			}
		})
		wg.Go(func() {
			for range 20 {
				now, next, err := b.s.Horizon(ctx, p)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, told{now, next})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// The clock goes back over a restart; the time of the slots does not.
	b.clock.Advance(time.Hour)
	now, next, err := b.s.Horizon(ctx, p)
	if err != nil || next != 81 {
		t.Fatal(next, err)
	}
	all = append(all, told{now, next})
	b.s.Close()
	c := b.s.c
	c.Log, c.Clock = local.New(b.st, b.blobs), clock.NewPaused(time.UnixMilli(1_600_000_000_000))
	if b.s, err = Open(c); err != nil {
		t.Fatal(err)
	}
	defer b.s.Close()
	late := b.submit(b.message(b.user, p, "late"))
	if late.Timestamp < now {
		t.Fatalf("slot %d has the time %d, before the horizon %d", late.Slot, late.Timestamp, now)
	}
	if again, _, err := b.s.Horizon(ctx, p); err != nil || again != now {
		t.Fatalf("the horizon went from %d to %d, %v", now, again, err)
	}
	times := map[slotlog.Slot]int64{}
	for a, err := range b.s.Range(ctx, p, 0, 82) {
		if err != nil {
			t.Fatal(err)
		}
		times[a.Slot] = a.Timestamp
	}
	for _, h := range all {
		for slot := h.next; slot < 82; slot++ {
			if times[slot] < h.at {
				t.Errorf("slot %d has the time %d, the horizon before it was %d", slot, times[slot], h.at)
			}
		}
	}
}

func TestAHorizonNeedsAProcessAndADisk(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	if _, _, err := b.s.Horizon(ctx, message.ID{1}); fault.CodeOf(err) != "process-unknown" {
		t.Fatal(err)
	}
	p := b.submit(b.process()).Process
	b.st.mu.Lock()
	b.st.before = 1
	b.st.mu.Unlock()
	if _, _, err := b.s.Horizon(ctx, p); fault.CodeOf(err) != "store-unwritable" {
		t.Fatal(err)
	}
	if _, next, err := b.s.Horizon(ctx, p); err != nil || next != 1 {
		t.Fatal(next, err)
	}
}
