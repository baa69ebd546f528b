// Package clock makes time a parameter: the machine's clock, or one that is set and moved by hand.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time of the node. Everything that reaches a message, a block or a queue's due time comes from it.
type Clock interface {
	Now() time.Time
	// After delivers once d has passed on this clock. Stop gives the resources back.
	After(d time.Duration) (c <-chan time.Time, stop func())
}

// System is the machine's clock.
type System struct{}

func (System) Now() time.Time { return time.Now() }

func (System) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// Adjustable runs with the machine's clock until it is paused, set or moved. Waiters see every jump.
type Adjustable struct {
	mu      sync.Mutex
	offset  time.Duration // added to the machine's clock while it runs
	paused  bool
	at      time.Time // the time while paused
	waiters map[*waiter]struct{}
	kick    chan struct{}
	started bool
}

type waiter struct {
	due time.Time
	c   chan time.Time
}

// NewAdjustable gives a running clock that agrees with the machine's.
func NewAdjustable() *Adjustable {
	return &Adjustable{waiters: map[*waiter]struct{}{}, kick: make(chan struct{}, 1)}
}

// NewPaused gives a clock that stands at t until it is moved.
func NewPaused(t time.Time) *Adjustable {
	a := NewAdjustable()
	a.paused, a.at = true, t
	return a
}

func (a *Adjustable) now() time.Time {
	if a.paused {
		return a.at
	}
	return time.Now().Add(a.offset)
}

// Now tells the clock's time.
func (a *Adjustable) Now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now()
}

// Paused tells whether the clock stands.
func (a *Adjustable) Paused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.paused
}

// Pause stops the clock where it is.
func (a *Adjustable) Pause() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at, a.paused = a.now(), true
}

// Resume lets the clock run on from where it stands.
func (a *Adjustable) Resume() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.paused {
		a.offset, a.paused = time.Until(a.at), false
	}
	a.wake()
}

// Advance moves the clock forward; a negative d is ignored, since time in a log only grows.
func (a *Adjustable) Advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d <= 0 {
		return
	}
	if a.paused {
		a.at = a.at.Add(d)
	} else {
		a.offset += d
	}
	a.fire()
	a.wake()
}

// After delivers when the clock has moved on by d, by itself or by hand.
func (a *Adjustable) After(d time.Duration) (<-chan time.Time, func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := &waiter{due: a.now().Add(d), c: make(chan time.Time, 1)}
	if d <= 0 {
		w.c <- a.now()
		return w.c, func() {}
	}
	a.waiters[w] = struct{}{}
	if !a.started {
		a.started = true
		go a.run()
	}
	a.wake()
	return w.c, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiters, w)
		a.wake() // who waits for nobody ends
	}
}

func (a *Adjustable) wake() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

func (a *Adjustable) fire() {
	now := a.now()
	for w := range a.waiters {
		if !w.due.After(now) {
			w.c <- now
			delete(a.waiters, w)
		}
	}
}

// run waits for the next due time on the machine's clock while anybody waits, and ends when nobody does.
func (a *Adjustable) run() {
	for {
		a.mu.Lock()
		a.fire()
		if len(a.waiters) == 0 {
			a.started = false
			a.mu.Unlock()
			return
		}
		next := time.Hour
		if !a.paused {
			now := a.now()
			for w := range a.waiters {
				next = min(next, w.due.Sub(now))
			}
		}
		a.mu.Unlock()
		t := time.NewTimer(next)
		select {
		case <-t.C:
		case <-a.kick:
			t.Stop()
		}
	}
}

var (
	_ Clock = System{}
	_ Clock = (*Adjustable)(nil)
)
