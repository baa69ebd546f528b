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
// than slowAfter gives its turn to the others and goes on in one of as many slow places; if these are taken it is stopped,
// undone, and begun anew when one is free. So processes that answer at once keep doing so, whatever others do.
type turns struct {
	quick, slow chan struct{}

	mu      sync.Mutex
	running map[message.ID]Slow // in the slow places
}

const slowAfter = time.Second

// Slow is an evaluation that takes long.
type Slow struct {
	Process message.ID   `json:"process"`
	Slot    slotlog.Slot `json:"slot"`
	Since   time.Time    `json:"since"`
}

func newTurns(n int) *turns {
	return &turns{quick: make(chan struct{}, n), slow: make(chan struct{}, n), running: map[message.ID]Slow{}}
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
	t := u.turns
	select {
	case t.quick <- struct{}{}:
	case <-ctx.Done():
		return process.Result{}, stopping()
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	place, stopped := t.quick, false
	start := time.Now()
	timer := time.AfterFunc(slowAfter, func() {
		mu.Lock()
		defer mu.Unlock()
		if place == nil {
			return
		}
		select {
		case t.slow <- struct{}{}:
			<-t.quick
			place = t.slow
			u.noteSlow(Slow{p, slot, start})
		default:
			stopped = true
			cancel()
		}
	})
	out, err := inst.Eval(inner, w)
	timer.Stop()
	mu.Lock()
	held := place
	place = nil
	again := stopped && err != nil && ctx.Err() == nil
	mu.Unlock()
	if held == t.slow {
		t.forget(p)
	}
	<-held
	if !again {
		return out, err
	}
	if err := inst.Rollback(); err != nil {
		return process.Result{}, err
	}
	select {
	case t.slow <- struct{}{}:
	case <-ctx.Done():
		return process.Result{}, stopping()
	}
	u.noteSlow(Slow{p, slot, time.Now()})
	defer func() {
		t.forget(p)
		<-t.slow
	}()
	return inst.Eval(ctx, w)
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
