package node

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"ago/fault"
	"ago/message"
)

// TestAFloodWaitsForItself: while a hundred messages for one process wait, one for another has its turn after the check that is
// under way and one more, and within a process the order is that of arrival.
func TestAFloodWaitsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(1)
		busy, err := c.enter(t.Context(), message.ID{1})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []int
		join := func(p byte, n int) {
			go func() {
				leave, err := c.enter(t.Context(), message.ID{p})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, n)
				mu.Unlock()
				leave()
			}()
			synctest.Wait()
		}
		for i := range 100 {
			join(1, i)
		}
		join(2, 1000)
		join(3, 2000)
		if got := c.waiting(); got != 102 {
			t.Fatalf("%d wait", got)
		}
		busy()
		synctest.Wait()
		if len(order) != 102 || order[0] != 0 || order[1] != 1000 || order[2] != 2000 {
			t.Fatalf("the turns were %v", order)
		}
		for i, n := range order[3:] {
			if n != i+1 {
				t.Fatalf("the turns were %v", order)
			}
		}
		if c.free != 1 || len(c.queues) != 0 || len(c.order) != 0 {
			t.Fatalf("left behind: %+v", c)
		}
	})
}

// TestWhoLeavesTheCrowdTakesNoTurn: a client that goes away while it waits costs nobody a place.
func TestWhoLeavesTheCrowdTakesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(1)
		busy, err := c.enter(t.Context(), message.ID{1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range 5 {
			go func() {
				if _, err := c.enter(ctx, message.ID{1}); err == nil {
					t.Error("it entered")
				}
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		busy()
		leave, err := c.enter(t.Context(), message.ID{2})
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if c.free != 1 || c.waiting() != 0 {
			t.Fatalf("left behind: %+v", c)
		}
	})
}

func TestACrowdHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(1)
		busy, err := c.enter(t.Context(), message.ID{1})
		if err != nil {
			t.Fatal(err)
		}
		for range crowdMax {
			go func() {
				if leave, err := c.enter(t.Context(), message.ID{1}); err == nil {
					leave()
				}
			}()
		}
		synctest.Wait()
		_, err = c.enter(t.Context(), message.ID{1})
		if fault.KindOf(err).Status() != http.StatusTooManyRequests || fault.HintOf(err) == "" {
			t.Fatalf("one too many: %v", err)
		}
		busy()
		synctest.Wait()
	})
}
