package node

import (
	"testing"
	"testing/synctest"
	"time"

	"ago/clock"
	"ago/message"
)

// idlePace is that of two cores which nobody uses.
func idlePace() *pace { return newPace(clock.System{}, 2, func() time.Duration { return 0 }) }

// TestCrowdsMakeRoomForWhoSendsLittle: beside one who sends little a crowd has less inside than beside other crowds, for a while
// after he came.
func TestCrowdsMakeRoomForWhoSendsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := idlePace()
		crowd, calm := message.ID{1}, message.ID{2}
		see := func(want int) {
			t.Helper()
			if got := p.room(crowd, crowdShare); got != want {
				t.Fatalf("room for %d, want %d", got, want)
			}
		}
		see(crowdShare)
		p.calm(calm)
		see(2)
		p.calm(crowd) // nobody makes room for himself
		see(2)
		time.Sleep(paceQuiet)
		see(2)
		time.Sleep(time.Millisecond)
		see(crowdShare)
		p.calm(crowd)
		see(crowdShare)
		if got := p.room(calm, 1); got != 1 {
			t.Fatalf("room for %d of those who had one place", got)
		}
	})
}

// TestACrowdLeavesACoreIdle: beside one who sends little, a crowd that uses two cores gets on half of the time; alone it is not
// looked at, and one that others keep waiting gets on nevertheless.
func TestACrowdLeavesACoreIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used time.Duration
		p := newPace(clock.System{}, 2, func() time.Duration { return used })
		crowd, calm := message.ID{1}, message.ID{2}
		const each = 200 * time.Microsecond // of CPU time, on both cores
		// for a second: what is inside uses the cores, the others use others of each step.
		run := func(present bool, others time.Duration) (inside int) {
			for range int(time.Second / (each / 2)) {
				if present {
					p.calm(calm)
				}
				used += others
				if p.room(crowd, crowdShare) > 0 {
					used += each
					inside++
				}
				time.Sleep(each / 2)
			}
			return inside
		}
		if got := run(false, 0); got != 10_000 {
			t.Errorf("alone it got on %d times of 10000", got)
		}
		if got := run(true, 0); got < 4_900 || got > 5_200 {
			t.Errorf("beside another it got on %d times of 10000", got)
		}
		if got := run(true, each/4); got < 2_400 || got > 2_700 {
			t.Errorf("beside others that use half a core it got on %d times of 10000", got)
		}
		if got := run(true, each); got < 1_000 {
			t.Errorf("beside others that use all it got on %d times", got)
		}
	})
}

// TestWhoWaitsForIdleCoresIsLetIn: nothing else needs to happen.
func TestWhoWaitsForIdleCoresIsLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used time.Duration
		p := newPace(clock.System{}, 2, func() time.Duration { return used })
		c := &crowded{crowd: newCrowd(clock.System{}, crowdShare, p), t: t, leave: map[int]func(){}}
		c.join(2, 1000)
		for i := range 4 {
			c.join(1, i)
		}
		used += time.Second
		c.join(1, 4)
		time.Sleep(paceCount)
		used += time.Second
		c.end(0)
		c.end(1)
		if len(c.inside) != 3 || c.waiting() != 3 {
			t.Fatalf("inside were %v, %d wait", c.inside, c.waiting())
		}
		time.Sleep(paceLong + 2*paceCount)
		synctest.Wait()
		if len(c.inside) != 5 || c.waiting() != 1 {
			t.Fatalf("then inside were %v, %d wait", c.inside, c.waiting())
		}
		for i := 2; i < 5; i++ {
			c.end(i)
		}
		c.end(1000)
		if len(c.processes) != 0 {
			t.Fatalf("left behind: %+v", c.processes)
		}
	})
}
