package node

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ago/clock"
	"ago/message"
)

// pace slows crowds down while somebody is there who sends little. What a crowd costs is much and short, and he would wait behind
// some of it at each of a dozen steps: beside him a crowd has less under way, and leaves a core idle on average. What else the
// program does counts as well, but a crowd never waits for long: however many others there are, it gets on.
type pace struct {
	clock  clock.Clock
	beside int                  // of a crowd that may be under way
	afford float64              // seconds of CPU time in a second, to which a crowd may bring the program
	used   func() time.Duration // CPU time of the program so far

	mu      sync.Mutex
	last    arrivals      // of those who send little
	counted time.Time     // when used was asked; zero: not yet
	sum     time.Duration // what it said,
	debt    time.Duration // and how much more than could be afforded was used by then
	since   time.Time     // when there was no debt
	waiting bool          // a timer looks again
	admit   []func()      // lets in who has to wait no longer
}

const (
	paceQuiet  = 250 * time.Millisecond // after which somebody who sends nothing is not there any more
	paceCount  = time.Millisecond       // between two looks at what was used
	paceLong   = 4 * time.Millisecond   // after which a debt is forgotten: a crowd gets on
	paceCredit = 2 * time.Millisecond   // that may be used at once after a while of rest
)

func newPace(c clock.Clock, cores int, used func() time.Duration) *pace {
	return &pace{clock: c, beside: max(2, cores), afford: max(0.5, float64(cores-1)), used: used}
}

// calm notes that something comes from somebody who sends little.
func (p *pace) calm(key message.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last.note(key, p.clock.Now())
}

// room is how many of a crowd may be under way, and share how many these are if only crowds are there.
func (p *pace) room(key message.ID, share int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	if !p.last.beside(key, now, paceQuiet) {
		return share
	}
	if p.indebted(now) {
		return 0
	}
	return min(share, p.beside)
}

// indebted tells whether more was used than can be afforded. If so, it looks again soon. p.mu is held.
func (p *pace) indebted(now time.Time) bool {
	if passed := now.Sub(p.counted); passed >= paceCount {
		sum := p.used()
		if !p.counted.IsZero() {
			p.debt += sum - p.sum - time.Duration(p.afford*float64(passed))
			p.debt = max(-paceCredit, p.debt)
		}
		if p.debt <= 0 {
			p.since = now
		} else if now.Sub(p.since) >= paceLong {
			p.debt, p.since = 0, now
		}
		p.counted, p.sum = now, sum
	}
	if p.debt <= 0 {
		return false
	}
	if !p.waiting {
		p.waiting = true
		time.AfterFunc(paceCount, p.again)
	}
	return true
}

func (p *pace) again() {
	p.mu.Lock()
	p.waiting = false
	p.mu.Unlock()
	for _, f := range p.admit {
		f()
	}
}

// arrivals are the two processes for which something came last, the later one first.
type arrivals [2]struct {
	process message.ID
	at      time.Time
}

func (a *arrivals) note(p message.ID, now time.Time) {
	if a[0].process != p {
		a[1] = a[0]
		a[0].process = p
	}
	a[0].at = now
}

// beside tells whether something came for another process than p within a while.
func (a *arrivals) beside(p message.ID, now time.Time, while time.Duration) bool {
	other := a[0]
	if other.process == p {
		other = a[1]
	}
	return !other.at.IsZero() && now.Sub(other.at) <= while
}

// cpuTime is what the program has used of the cores.
func cpuTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
