package compute

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
	"ago/vm"
)

// actor owns the instance of one process and evaluates its slots in order.
//
// Invariants:
//   - state is changed by the goroutine that holds work (a mutex), which is the evaluator, a checkpoint or the shutdown;
//     dry runs read the instance's committed state through forks and hold only pins.
//   - at <= stored + results in flight: at is the first slot the instance has not evaluated; stored is the first slot
//     without a durable result. After a restore at may be below stored: those slots are evaluated again without storing.
//   - a result is told to those who wait only when its batch is durable.
type actor struct {
	u  *Computer
	id message.ID

	work sync.Mutex // held by whoever uses inst for evaluation, snapshot or replacement
	def  process.Definition
	// loaded is what inst was made from.
	loaded *lived
	inst   process.Executor
	at     slotlog.Slot // guarded by work
	last   moment       // of slot at-1, or of the last tick after it
	// ticks are those of the timers, from the instance's position on; nil if it has none, or if they are to be loaded.
	ticks    *ticking
	ticksRun uint64 // results of ticks that were handed to the writer
	snap     snapshots

	spent time.Duration // evaluating since the last checkpoint
	held  held          // results that wait to be written together
	state stateChain

	dry chan struct{} // one for each of its dry runs that may run at a time

	resident atomic.Int64
	used     atomic.Int64 // unix ns of the last use, for the choice of whom to evict

	mu      sync.Mutex
	known   bool         // stored was read
	stored  slotlog.Slot // first slot without a durable result
	target  slotlog.Slot // evaluate up to here
	due     int64        // evaluate the ticks before this time,
	dueFrom slotlog.Slot // once the slots below this one are evaluated
	ticked  int64        // the ticks before this time are evaluated and durable
	told    int64        // so were they before this time, when the instance was loaded
	next    int64        // when the next tick by time is due
	// storedTick is the last durable tick, ticksStored counts them as ticksRun does.
	storedTick  tickAt
	ticksStored uint64
	running     bool
	broken      error     // why evaluation does not go on; tried again by the next request
	failing     time.Time // since when it fails without a success in between
	changed     chan struct{}
	pins        int    // dry runs under way: the instance is not evicted
	live        *lived // the instance as dry runs see it, nil if there is none
}

// moment is the position of the last evaluated message, which dry runs are stamped with.
type moment struct {
	timestamp int64
	height    uint64
	place     uint16 // of the timer, if it was a tick
}

// lived is an instance as dry runs see it.
type lived struct {
	inst  process.Executor
	at    slotlog.Slot
	last  moment
	forks []process.Fork
	def   process.Definition
	mod   process.Module
	lim   vm.Limits
	env   []byte
}

func newActor(u *Computer, p message.ID) *actor {
	return &actor{u: u, id: p, changed: make(chan struct{}), dry: make(chan struct{}, max(cap(u.dry)/2, 1))}
}

// tell wakes everybody who waits for a change. a.mu is held.
func (a *actor) tell() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// advance raises the target and starts the evaluator if it sleeps.
func (a *actor) advance(next slotlog.Slot) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.target = max(a.target, next)
	if a.running {
		a.tell()
		return
	}
	if !a.known || a.stored < a.target {
		a.start()
	}
}

// start runs the evaluator. a.mu is held.
func (a *actor) start() {
	a.u.mu.Lock()
	closed := a.u.closed
	if !closed {
		a.u.wg.Add(1)
	}
	a.u.mu.Unlock()
	if closed {
		a.broken = stopping()
		a.tell()
		return
	}
	a.running, a.broken = true, nil
	go a.run()
}

func (a *actor) behind() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known && a.target > a.stored {
		return uint64(a.target - a.stored)
	}
	return 0
}

// lag tells how far the process is behind.
func (a *actor) lag() Behind {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := Behind{Process: a.id, Next: a.stored}
	if a.known && a.target > a.stored {
		b.Slots = uint64(a.target - a.stored)
	}
	if since := a.failing; !since.IsZero() {
		b.Failing = &since
		if a.broken != nil {
			b.Reason = a.broken.Error()
		}
	}
	return b
}

// run evaluates until nothing is left to do. Failures of the machine or of other parties are tried again with growing
// delay as long as they may pass.
func (a *actor) run() {
	defer a.u.wg.Done()
	delay := retryFirst
	for {
		seen, err := a.evaluate()
		a.mu.Lock()
		if err == nil && a.target <= seen && a.due <= a.ticked {
			// All was done, or the log ended before the target: nothing to do until it grows.
			a.target = a.stored
			a.running, a.failing = false, time.Time{}
			a.tell()
			a.mu.Unlock()
			a.u.evict(a)
			return
		}
		if a.broken = err; err == nil {
			a.failing = time.Time{}
		} else if a.failing.IsZero() {
			a.failing = time.Now()
		}
		a.running = err == nil || passing(err) && a.u.stop.Err() == nil
		a.tell()
		running := a.running
		a.mu.Unlock()
		if !running {
			return
		}
		if err == nil {
			continue
		}
		a.u.c.Logger.Warn("evaluation will be tried again", "process", a.id, "err", err, "after", delay)
		select {
		case <-time.After(delay):
		case <-a.u.stop.Done():
		}
		delay = min(2*delay, retryMax)
	}
}

// passing tells whether trying again by itself makes sense.
func passing(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Unfinished, fault.Internal:
		return !errors.Is(err, context.Canceled)
	}
	return false
}

// evaluate brings the process to its target and tells which target that was.
func (a *actor) evaluate() (seen slotlog.Slot, err error) {
	a.work.Lock()
	defer a.work.Unlock()
	ctx := a.u.stop
	if err := a.load(ctx); err != nil {
		return 0, err
	}
	f := &flight{slots: make(chan struct{}, aheadMax)}
	seen, err = a.follow(ctx, f)
	a.flush(f)
	if werr := f.wait(); werr != nil {
		// Results that were computed are not on disk: the instance is ahead of the truth.
		a.drop()
		return seen, werr
	}
	if a.inst != nil {
		a.resident.Store(a.inst.Resident())
	}
	if err == nil {
		a.trySave(nothingWaits)
	}
	a.saveWhenQuiet()
	return seen, err
}

// follow evaluates slot after slot, also those that arrive meanwhile, until the log has no more, the ticks that are due are
// evaluated, and all is on disk.
func (a *actor) follow(ctx context.Context, f *flight) (seen slotlog.Slot, err error) {
	for {
		a.mu.Lock()
		seen = max(a.target, a.stored)
		stored, ticksStored, due, dueFrom, changed := a.stored, a.ticksStored, a.due, a.dueFrom, a.changed
		a.mu.Unlock()
		if from := a.at; from < seen {
			if err := a.slots(ctx, seen, f); err != nil {
				return seen, err
			}
			if a.at != from {
				continue
			}
		}
		if a.at < dueFrom {
			return seen, fault.New(fault.Unavailable, "slot-missing", "slot %d of process %s is missing from the log", a.at, a.id)
		}
		if err := a.runTicks(ctx, due, f); err != nil {
			return seen, err
		}
		a.flush(f)
		if f.fault() != nil {
			return seen, nil
		}
		if stored >= a.at && ticksStored >= a.ticksRun {
			a.settled(due)
			return seen, nil
		}
		<-changed
	}
}

// slots evaluates the slots before seen, with the ticks between them.
func (a *actor) slots(ctx context.Context, seen slotlog.Slot, f *flight) error {
	for as, err := range a.u.c.Schedule.Range(ctx, a.id, a.at, seen) {
		if err != nil {
			return err
		}
		if as.Slot != a.at {
			return fault.New(fault.Unavailable, "slot-missing", "slot %d of process %s is missing from the log", a.at, a.id)
		}
		if a.last.place != 0 && a.last.timestamp >= as.Timestamp {
			return a.revise(as, f)
		}
		if err := a.runTicks(ctx, as.Timestamp, f); err != nil {
			return err
		}
		if err := a.step(ctx, as, f); err != nil {
			return err
		}
		runtime.Gosched() // a flooded process never waits by itself: requests and other processes have their turn in between
		a.saveOnTheWay(f)
	}
	return nil
}

// saveOnTheWay begins a checkpoint when there is a long way to go: it is not to be lost all.
func (a *actor) saveOnTheWay(f *flight) {
	if a.spent >= checkpointEvery {
		a.flush(f)
		a.trySave(f.fault)
	}
}

// step evaluates one slot and hands its result to the writer.
func (a *actor) step(ctx context.Context, as process.Assigned, f *flight) error {
	a.mu.Lock()
	replay := as.Slot < a.stored // its result is durable already
	a.mu.Unlock()
	if a.u.foreign(a.id, as.Slot) {
		skip, err := a.repeated(as)
		if err != nil {
			return err
		}
		if skip {
			if !replay {
				if err := a.store(as, process.Nothing(), f); err != nil {
					return err
				}
			}
			a.passed(as)
			return nil
		}
	}
	r, err := a.apply(ctx, as.Slot, process.Work{Assigned: &as})
	if err != nil {
		return err
	}
	if !replay {
		if err := a.store(as, r, f); err != nil {
			a.drop()
			return err
		}
	}
	a.passed(as)
	return nil
}

// apply evaluates a message, the one of a slot or of a tick after it, and keeps the state it leaves or the one before.
func (a *actor) apply(ctx context.Context, slot slotlog.Slot, w process.Work) (process.Result, error) {
	start := time.Now()
	r, err := a.u.eval(ctx, a.inst, a.id, slot, w)
	a.spend(time.Since(start), r.Gas)
	if err != nil {
		if rerr := a.inst.Rollback(); rerr != nil {
			a.drop()
		}
		return process.Result{}, fault.Wrap(err, fault.Unfinished, "evaluation-unfinished", "slot %d of process %s could not be evaluated", slot, a.id)
	}
	if r.KeepState {
		err = a.inst.Rollback()
	} else {
		err = a.inst.Commit()
	}
	if err != nil {
		a.drop()
		return r, fault.Wrap(err, fault.Internal, "state-lost", "the state of process %s after slot %d could not be kept", a.id, slot)
	}
	a.u.evaluated.Add(1)
	if r.HasError() {
		a.u.failed.Add(1)
	}
	return r, nil
}

// passed moves the position behind a slot.
func (a *actor) passed(as process.Assigned) {
	a.keepState(as.Slot)
	a.at = as.Slot + 1
	a.last = moment{as.Timestamp, as.BlockHeight, 0}
	if a.ticks != nil {
		a.ticks.passed(as)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live != nil {
		a.live.at, a.live.last = a.at, a.last
		if a.at == a.stored {
			a.tell() // caught up after a restore: dry runs may begin
		}
	}
}

// store puts a result with its consequences into one batch and has it written.
func (a *actor) store(as process.Assigned, r process.Result, f *flight) error {
	b := &store.Batch{}
	row, err := encodeResult(as, r, a.u.c.Clock.Now().UnixMilli())
	if err != nil {
		return fault.Wrap(err, fault.Internal, "result-unwritable", "the result of slot %d of process %s cannot be kept", as.Slot, a.id)
	}
	b.Set(resultKey(a.id, as.Slot), row)
	if err := a.storeState(b, as.Slot); err != nil {
		return err
	}
	b.Set(cursorKey(a.id), encodeSlot(as.Slot+1))
	if a.u.c.Outbox != nil {
		if err := a.u.c.Outbox.Plan(b, a.def, as, r); err != nil {
			return err
		}
	}
	if a.held.count == 0 {
		a.held.first = as.Slot
	}
	a.held.batch.Add(b)
	a.held.count++
	a.mu.Lock()
	more := as.Slot+1 < a.target
	a.mu.Unlock()
	// While more slots wait, a few results share a sync. Catching up with another scheduler's log nobody waits for those on
	// the way, and nothing is pushed because of them.
	most := heldLive
	if a.u.foreign(a.id, as.Slot) {
		most = heldForeign
	}
	if more && a.held.count < most {
		return nil
	}
	a.flush(f)
	return nil
}

// held are results of consecutive slots, and of the ticks between them, that are to be written in one batch.
type held struct {
	batch store.Batch
	first slotlog.Slot
	count int
	ticks []process.Tick
}

const (
	heldLive    = 4
	heldForeign = 32
)

// flush hands the held results to the writer.
func (a *actor) flush(f *flight) {
	if a.held.count == 0 && len(a.held.ticks) == 0 {
		return
	}
	batch, ticks := &store.Batch{Ops: a.held.batch.Ops}, a.held.ticks
	first, next := a.held.first, a.held.first+slotlog.Slot(a.held.count)
	a.held = held{}
	f.begin()
	a.u.writer.write(a.id, batch, f.fault, func(err error) {
		f.note(err)
		if err == nil && a.u.c.Outbox != nil {
			for s := first; s < next; s++ {
				a.u.c.Outbox.Committed(a.id, s)
			}
		}
		if err == nil && a.u.c.Ticks != nil {
			for _, k := range ticks {
				a.u.c.Ticks.TickCommitted(k)
			}
		}
		a.mu.Lock()
		if err == nil {
			a.stored = max(a.stored, next)
			a.noteTicks(ticks)
		}
		a.tell()
		a.mu.Unlock()
		f.end()
	})
}

// flight are the results of one evaluator that wait for the disk.
type flight struct {
	slots chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex
	err   error
}

func (f *flight) begin() {
	f.slots <- struct{}{}
	f.wg.Add(1)
}

func (f *flight) note(err error) {
	if err != nil {
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
	}
}

func (f *flight) end() {
	<-f.slots
	f.wg.Done()
}

// fault tells whether one was not written. Those after it must not be, or a result would be missing for ever.
func (f *flight) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *flight) wait() error {
	f.wg.Wait()
	return f.fault()
}
