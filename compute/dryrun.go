package compute

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// DryRun evaluates an unsigned message on a copy of the latest state, or of the state after a message. It does not wait for
// evaluations under way, runs beside other dry runs, and changes nothing.
func (u *Computer) DryRun(ctx context.Context, p message.ID, to *message.ID, d process.DryMessage) (process.Result, error) {
	var none process.Result
	if err := u.permit(ctx, p); err != nil {
		return none, err
	}
	a := u.actor(p)
	if a == nil {
		return none, stopping()
	}
	if to != nil {
		slot, err := u.c.Schedule.Find(ctx, p, *to)
		if err != nil {
			return none, err
		}
		return u.dryRunAt(ctx, a, slot, d)
	}
	l, err := a.pin(ctx)
	if err != nil {
		return none, err
	}
	defer a.unpin()
	leave, err := u.enterDryRun(ctx, a)
	if err != nil {
		return none, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, dryTimeMax)
	defer cancel()
	fork, err := a.takeFork(ctx, l)
	if err != nil {
		return none, fault.Wrap(err, fault.Unavailable, "dry-run-unavailable", "the state of process %s could not be copied", p)
	}
	a.mu.Lock()
	last := l.last
	a.mu.Unlock()
	r, err := fork.Eval(ctx, trial(d, last))
	if err != nil {
		fork.Close()
		return none, unfinishedDryRun(err, p)
	}
	a.giveFork(l, fork)
	u.dryRuns.Add(1)
	return r, nil
}

func trial(d process.DryMessage, at moment) process.Work {
	return process.Work{Trial: &process.Trial{DryMessage: d, Timestamp: at.timestamp, Height: at.height}}
}

// enterDryRun waits for a place. One process gets at most half of them, so that dry runs without end on one leave room for
// the others.
func (u *Computer) enterDryRun(ctx context.Context, a *actor) (leave func(), err error) {
	waiting := func() error {
		return fault.New(fault.TooMany, "dry-runs-waiting", "too many dry runs of process %s are under way", a.id).WithHint("ask again in a moment")
	}
	served, err := u.queueDryRun(&u.dryWaiting, a)
	if err != nil {
		return nil, err
	}
	defer served()
	select {
	case a.dry <- struct{}{}:
	case <-ctx.Done():
		return nil, waiting()
	}
	select {
	case u.dry <- struct{}{}:
	case <-ctx.Done():
		<-a.dry
		return nil, waiting()
	}
	return func() { <-u.dry; <-a.dry }, nil
}

func unfinishedDryRun(err error, p message.ID) error {
	if why := new(fault.Error); errors.As(err, &why) {
		return fault.Wrap(err, fault.Unavailable, "dry-run-unavailable", "the dry run on process %s has to wait", p)
	}
	return fault.Wrap(err, fault.Unsupported, "dry-run-too-long", "the dry run on process %s came to no end within %v", p, dryTimeMax).(*fault.Error).
		WithHint("make it cheaper to evaluate, or send it as a message")
}

// dryRunAt is a dry run on the state after an earlier slot.
func (u *Computer) dryRunAt(ctx context.Context, a *actor, slot slotlog.Slot, d process.DryMessage) (process.Result, error) {
	inst, last, leave, err := u.stateAfter(ctx, a, slot, false)
	if err != nil {
		return process.Result{}, err
	}
	defer leave()
	defer inst.Close()
	ctx, cancel := context.WithTimeout(ctx, dryTimeMax)
	defer cancel()
	r, err := inst.Eval(ctx, trial(d, last))
	if err != nil {
		return process.Result{}, unfinishedDryRun(err, a.id)
	}
	u.dryRuns.Add(1)
	return r, nil
}

// stateAfter gives an instance of its own in the state after a slot, or after the ticks that follow it so far: the nearest
// checkpoint before it, and what came from there evaluated again. Those results are known, so nothing is stored. As many of
// these instances are there at a time as dry runs; leave is called when this one is closed.
func (u *Computer) stateAfter(ctx context.Context, a *actor, slot slotlog.Slot, ticks bool) (_ process.Executor, _ moment, leave func(), err error) {
	if _, err := u.At(ctx, a.id, slot); err != nil {
		return nil, moment{}, nil, err
	}
	l, err := a.pin(ctx)
	if err != nil {
		return nil, moment{}, nil, err
	}
	defer a.unpin()
	served, err := u.queueDryRun(&u.pastWaiting, a)
	if err != nil {
		return nil, moment{}, nil, err
	}
	select {
	case u.past <- struct{}{}:
		served()
	case <-ctx.Done():
		served()
		return nil, moment{}, nil, fault.New(fault.TooMany, "dry-runs-waiting", "too many states of the past are being worked out").WithHint("ask again in a moment")
	}
	leave = func() { <-u.past }
	defer func() {
		if err != nil {
			leave()
		}
	}()
	a.mu.Lock()
	end := a.storedTick
	a.mu.Unlock()
	inst, at, last, err := u.restore(ctx, l, slot+1, ticks)
	if err != nil {
		return nil, last, nil, err
	}
	again := &again{u: u, l: l, inst: inst, last: last}
	if again.ticks, err = u.ticking(ctx, l.def, at, last); err == nil {
		err = again.run(ctx, at, slot+1)
	}
	if err == nil && ticks && end.slot == slot && end.place != 0 {
		err = again.until(ctx, end.timestamp+1)
	}
	if err != nil {
		inst.Close()
		return nil, last, nil, err
	}
	return inst, again.last, leave, nil
}

// again evaluates what has its results already.
type again struct {
	u     *Computer
	l     *lived
	inst  process.Executor
	last  moment
	ticks *ticking
}

func (g *again) run(ctx context.Context, at, to slotlog.Slot) error {
	for as, err := range g.u.c.Schedule.Range(ctx, g.l.def.ID, at, to) {
		if err == nil {
			err = g.until(ctx, as.Timestamp)
		}
		if err == nil {
			err = g.eval(ctx, as.Slot, process.Work{Assigned: &as})
		}
		if err != nil {
			return err
		}
		g.last = moment{as.Timestamp, as.BlockHeight, 0}
		if g.ticks != nil {
			g.ticks.passed(as)
		}
	}
	return nil
}

func (g *again) until(ctx context.Context, before int64) error {
	if g.ticks == nil {
		return nil
	}
	for {
		k, ok, err := g.ticks.next(ctx, before)
		if err != nil || !ok {
			return err
		}
		if err := g.eval(ctx, k.Slot, process.Work{Tick: &k}); err != nil {
			return err
		}
		g.last = moment{k.Timestamp, k.Height, k.Place}
	}
}

func (g *again) eval(ctx context.Context, slot slotlog.Slot, w process.Work) error {
	r, err := g.inst.Eval(ctx, w)
	if err == nil && !r.KeepState {
		err = g.inst.Commit()
	} else if rerr := g.inst.Rollback(); err == nil {
		err = rerr
	}
	return fault.Wrap(err, fault.Unfinished, "evaluation-unfinished", "slot %d of process %s could not be evaluated again", slot, g.l.def.ID)
}

// State is a position of a process's state.
type State struct {
	Slot        slotlog.Slot
	Timestamp   int64 // ms
	BlockHeight uint64
	Memory      func(w io.Writer) (int64, error) // writes the linear memory; call once
	Close       func() error                     // call once
}

// Memory gives the linear memory of a process after a message, or the latest, as one byte string.
func (u *Computer) Memory(ctx context.Context, p message.ID, to *message.ID) (State, error) {
	if err := u.permit(ctx, p); err != nil {
		return State{}, err
	}
	a := u.actor(p)
	if a == nil {
		return State{}, stopping()
	}
	var slot slotlog.Slot
	if to != nil {
		s, err := u.c.Schedule.Find(ctx, p, *to)
		if err != nil {
			return State{}, err
		}
		slot = s
	} else {
		next, err := u.c.Schedule.Next(ctx, p)
		if err != nil {
			return State{}, err
		}
		if next == 0 {
			_, err := u.c.Schedule.Process(ctx, p)
			return State{}, err
		}
		slot = next - 1
	}
	inst, last, leave, err := u.stateAfter(ctx, a, slot, to == nil)
	if err != nil {
		return State{}, err
	}
	end := func() error {
		defer leave()
		return inst.Close()
	}
	m, ok := inst.(memorial)
	if !ok {
		_ = end()
		return State{}, fault.New(fault.Unsupported, "state-no-memory", "the state of process %s is a message, not a memory", p).
			WithHint("read it by its path at the node's AO-Core face")
	}
	return State{Slot: slot, Timestamp: last.timestamp, BlockHeight: last.height, Memory: m.Memory, Close: end}, nil
}

// pin waits until the process has an instance in its latest state and keeps it from being evicted.
func (a *actor) pin(ctx context.Context) (*lived, error) {
	next, err := a.u.c.Schedule.Next(ctx, a.id)
	if err != nil {
		return nil, err
	}
	a.advance(next)
	a.mu.Lock()
	if a.live == nil && !a.running {
		a.start()
	}
	a.mu.Unlock()
	var l *lived
	err = a.wait(ctx, func() bool {
		if a.live == nil && !a.running && a.broken == nil {
			a.start() // it was evicted in between
		}
		if a.live == nil || !a.known || a.live.at < a.stored || a.live.at == 0 || a.ticked < a.told || a.u.c.Foreign && a.live.at < next {
			return false
		}
		l = a.live
		a.pins++
		return true
	})
	return l, err
}

func (a *actor) unpin() {
	a.used.Store(time.Now().UnixNano())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pins--
}

// takeFork gives a copy in the newest committed state.
func (a *actor) takeFork(ctx context.Context, l *lived) (process.Fork, error) {
	a.mu.Lock()
	n := len(l.forks)
	if n == 0 {
		a.mu.Unlock()
		return l.inst.Fork(ctx)
	}
	f := l.forks[n-1]
	l.forks = l.forks[:n-1]
	a.mu.Unlock()
	if err := f.Refresh(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (a *actor) giveFork(l *lived, f process.Fork) {
	a.mu.Lock()
	if a.live == l && len(l.forks) < forksMax {
		l.forks = append(l.forks, f)
		f = nil
	}
	a.mu.Unlock()
	if f != nil {
		f.Close()
	}
}

func (l *lived) closeForks(a *actor) {
	a.mu.Lock()
	forks := slices.Clone(l.forks)
	l.forks = nil
	a.mu.Unlock()
	for _, f := range forks {
		f.Close()
	}
}

// ParseDryMessage reads the body of a dry run.
func ParseDryMessage(body []byte) (process.DryMessage, error) {
	var d process.DryMessage
	if err := json.Unmarshal(body, &d); err != nil {
		what := err.Error()
		if len(body) == 0 {
			what = "the body is empty"
		}
		return d, fault.New(fault.Malformed, "dry-run-malformed", "the body of a dry run is a JSON object with Id, Target, Owner, Anchor, Data and Tags: %s", what).
			WithHint(`send for instance {"Id":"1","Target":"<process>","Owner":"<address>","Data":"","Tags":[{"name":"Action","value":"Info"}]}`)
	}
	return d, nil
}
