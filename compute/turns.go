package compute

import (
	"context"
	"slices"
	"sync"
	"time"

	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// turns shares the machine between processes. As many evaluations run at a time as there are cores. One that takes longer
// than slowAfter gives its turn to the others and goes on in one of as many slow places, and from there after endlessAfter in
// one of as many places for those that may come to no end. If these are taken it is stopped, undone, and begun anew when one
// is free. So processes that answer at once, or in a while, keep doing so, whatever others do.
type turns struct {
	places [len(moveAfter) + 1]chan struct{}

	mu      sync.Mutex
	running map[message.ID]Slow // in the places behind the first
}

const (
	slowAfter    = time.Second
	endlessAfter = 20 * time.Second // above the time after which an engine begins anew under its meter
)

// moveAfter is how long an evaluation stays in a place before it moves on to the next.
var moveAfter = [...]time.Duration{slowAfter, endlessAfter}

// evaluating is how many evaluations hold a place.
func (t *turns) evaluating() (n int) {
	for _, c := range t.places {
		n += len(c)
	}
	return n
}

// Slow is an evaluation that takes long.
type Slow struct {
	Process message.ID   `json:"process"`
	Slot    slotlog.Slot `json:"slot"`
	Since   time.Time    `json:"since"`
}

func newTurns(n int) *turns {
	t := &turns{running: map[message.ID]Slow{}}
	for i := range t.places {
		t.places[i] = make(chan struct{}, n)
	}
	return t
}

// Slow tells which evaluations take long, the longest first.
func (u *Computer) Slow() []Slow {
	u.turns.mu.Lock()
	defer u.turns.mu.Unlock()
	out := make([]Slow, 0, len(u.turns.running))
	for _, s := range u.turns.running {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Slow) int { return a.Since.Compare(b.Since) })
	return out
}

// eval evaluates a message of a slot when it is its turn.
func (u *Computer) eval(ctx context.Context, inst process.Executor, p message.ID, slot slotlog.Slot, w process.Work) (process.Result, error) {
	for place := 0; ; {
		out, reached, stopped, err := u.evalFrom(ctx, place, inst, p, slot, w)
		if !stopped {
			return out, err
		}
		if err := inst.Rollback(); err != nil {
			return process.Result{}, err
		}
		place = reached + 1
	}
}

// evalFrom begins an evaluation in a place. It tells in which place the evaluation was last, and whether it was stopped there
// since there was no room in the next.
func (u *Computer) evalFrom(ctx context.Context, place int, inst process.Executor, p message.ID, slot slotlog.Slot, w process.Work) (out process.Result, reached int, stopped bool, err error) {
	t := u.turns
	select {
	case t.places[place] <- struct{}{}:
	case <-ctx.Done():
		return process.Result{}, place, false, stopping()
	}
	start := time.Now()
	if place > 0 {
		u.noteSlow(Slow{p, slot, start})
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var timer *time.Timer
	ended := false
	move := func() {
		mu.Lock()
		defer mu.Unlock()
		if ended {
			return
		}
		select {
		case t.places[place+1] <- struct{}{}:
			<-t.places[place]
			if place++; place == 1 {
				u.noteSlow(Slow{p, slot, start})
			}
			if place < len(moveAfter) {
				timer.Reset(moveAfter[place])
			}
		default:
			stopped = true
			cancel()
		}
	}
	if place < len(moveAfter) {
		mu.Lock()
		timer = time.AfterFunc(moveAfter[place], move)
		mu.Unlock()
	}
	out, err = inst.Eval(inner, w)
	mu.Lock()
	defer mu.Unlock()
	ended = true
	if timer != nil {
		timer.Stop()
	}
	if place > 0 {
		t.forget(p)
	}
	<-t.places[place]
	return out, place, stopped && err != nil && ctx.Err() == nil, err
}

func (u *Computer) noteSlow(s Slow) {
	u.c.Logger.Warn("an evaluation takes long; other processes go on", "process", s.Process, "slot", s.Slot)
	u.turns.mu.Lock()
	defer u.turns.mu.Unlock()
	u.turns.running[s.Process] = s
}

func (t *turns) forget(p message.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, p)
}
