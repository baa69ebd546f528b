package node

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ago/budget"
	"ago/clock"
	"ago/fault"
	"ago/message"
)

// crowded is a crowd with what was let in, in order.
type crowded struct {
	*crowd
	t      *testing.T
	inside []int
	leave  map[int]func()
}

func newCrowded(t *testing.T) *crowded {
	return &crowded{crowd: newCrowd(clock.System{}, crowdShare, idlePace()), t: t, leave: map[int]func(){}}
}

func (c *crowded) join(p byte, n int) {
	entered := make(chan func(), 1)
	go func() {
		leave, err := c.enter(c.t.Context(), message.ID{p})
		if err != nil {
			c.t.Error(err)
			return
		}
		c.mu.Lock()
		c.inside, c.leave[n] = append(c.inside, n), leave
		c.mu.Unlock()
		entered <- leave
	}()
	synctest.Wait()
}

func (c *crowded) end(n int) {
	c.leave[n]()
	synctest.Wait()
}

// TestAFloodWaitsForItself: beside another process a flooded one has a few messages inside, the other one enters at once, and
// within the flooded one the order is that of arrival. Alone it has no bound.
func TestAFloodWaitsForItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowded(t)
		for i := range 20 {
			c.join(1, i)
		}
		if len(c.inside) != 20 {
			t.Fatalf("alone it has %d of 20 inside", len(c.inside))
		}
		c.join(2, 1000)
		for i := 20; i < 40; i++ {
			c.join(1, i)
		}
		time.Sleep(paceQuiet + time.Millisecond) // the other one may be a crowd as well
		if len(c.inside) != 21 || c.waiting() != 20 {
			t.Fatalf("%d inside, %d wait", len(c.inside), c.waiting())
		}
		c.end(1000)
		for i := range 12 {
			c.end(i)
		}
		if len(c.inside) != 21 {
			t.Fatalf("more came in while %d are inside", len(c.inside)-13)
		}
		c.end(12)
		c.join(2, 1001)
		if got := c.inside[21:]; len(got) != 2 || got[0] != 20 || got[1] != 1001 {
			t.Fatalf("then came in %v", got)
		}
		c.end(1001)
		time.Sleep(2 * crowdQuiet) // it is alone again
		c.end(13)
		if len(c.inside) != 42 {
			t.Fatalf("alone again it has %d inside", len(c.inside))
		}
		slices.Sort(c.inside[23:]) // they entered together
		for i, n := range c.inside[23:] {
			if n != 21+i {
				t.Fatalf("inside were %v", c.inside)
			}
		}
		for i := 14; i < 40; i++ {
			c.end(i)
		}
		if len(c.processes) != 0 {
			t.Fatalf("left behind: %+v", c.processes)
		}
	})
}

// TestWhoLeavesTheCrowdTakesNoTurn: a client that goes away while it waits costs nobody a place.
func TestWhoLeavesTheCrowdTakesNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowded(t)
		c.join(2, 1000)
		time.Sleep(paceQuiet + time.Millisecond) // the other one may be a crowd as well
		for i := range crowdShare {
			c.join(1, i)
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
		c.join(1, 99)
		cancel()
		synctest.Wait()
		if c.waiting() != 1 {
			t.Fatalf("%d wait", c.waiting())
		}
		c.end(0)
		if got := c.inside[len(c.inside)-1]; got != 99 {
			t.Fatalf("then %d entered", got)
		}
		for _, n := range c.inside {
			if n != 0 {
				c.end(n)
			}
		}
		if len(c.processes) != 0 {
			t.Fatalf("left behind: %+v", c.processes)
		}
	})
}

// TestWhatTakesLongMakesRoom: messages for processes that are not known may wait for somebody else, as for a module of a far gateway.
// They keep neither others of their address waiting nor those of another one.
func TestWhatTakesLongMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(clock.System{}, crowdShare, idlePace())
		turn := c.turn(func(_ context.Context, p message.ID) bool { return p == message.ID{1} })
		at := func(who string) context.Context {
			return budget.With(t.Context(), budget.New(1).Open(who))
		}
		var leaves []func()
		take := func(who string, p message.ID) time.Duration {
			start := time.Now()
			leave, err := turn(at(who), p)
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
			return time.Since(start)
		}
		take("a", message.ID{1}) // somebody is there
		for i := range crowdShare {
			take("a", message.ID{2, byte(i)})
		}
		if waited := take("b", message.ID{3}); waited != 0 {
			t.Errorf("another address waits for %v", waited)
		}
		if waited := take("a", message.ID{4}); waited == 0 || waited > askedLong {
			t.Errorf("one more of the address waits for %v", waited)
		}
		for range 2 * crowdShare {
			take("a", message.ID{1}) // a known one has a throng of its own
			leaves[len(leaves)-1]()
		}
		for _, leave := range leaves[1 : len(leaves)-2*crowdShare] {
			leave()
		}
		leaves[0]()
		if len(c.processes) != 0 || c.waiting() != 0 {
			t.Errorf("left behind: %+v", c.processes)
		}
	})
}

func TestACrowdHasABound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowded(t)
		c.join(2, 1000)
		ctx, cancel := context.WithCancel(t.Context())
		for range crowdShare + crowdMax {
			go func() {
				if leave, err := c.enter(ctx, message.ID{1}); err == nil {
					defer leave()
				}
				<-ctx.Done()
			}()
		}
		synctest.Wait()
		_, err := c.enter(t.Context(), message.ID{1})
		if fault.KindOf(err).Status() != http.StatusTooManyRequests || fault.HintOf(err) == "" || fault.RetryAfter(err) != time.Second {
			t.Fatalf("one too many: %v", err)
		}
		cancel()
		synctest.Wait()
		if len(c.processes) != 1 || c.waiting() != 0 {
			t.Fatalf("left behind: %+v", c.processes)
		}
	})
}
