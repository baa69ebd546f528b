// Package compute is the Compute Unit: it evaluates each slot of a process once, in order, and keeps the results.
//
// A process is evaluated by one actor (actor.go) as soon as it has a new slot. A result and the pushes it causes are one
// batch; batches of all processes that end while the disk is busy are written together (commit.go). Instances are a cache:
// they are dropped when memory is short and come back from a checkpoint (checkpoint.go).
package compute

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
	"ago/vm"
)

// Schedule is where the slots of a process are read: this node's scheduler, or another one over HTTP.
type Schedule interface {
	Process(ctx context.Context, id message.ID) (process.Definition, error)
	// Range gives the slots from <= slot < to. It ends early, without an error, where the log ends.
	Range(ctx context.Context, p message.ID, from, to slotlog.Slot) iter.Seq2[process.Assigned, error]
	// Find gives the slot of a message id or an assignment id.
	Find(ctx context.Context, p, id message.ID) (slotlog.Slot, error)
	// Next is the first slot that no message has yet.
	Next(ctx context.Context, p message.ID) (slotlog.Slot, error)
}

// Modules finds the programs of processes.
type Modules interface {
	Module(ctx context.Context, id message.ID) (process.Module, error)
}

// Drives gives what messages of a process may read of the world outside.
type Drives interface {
	// Attach gives the drive of a message at a block height, nil if its process has none.
	Attach(p process.Definition, m process.Module, height uint64) vm.Drive
}

// Outbox takes over what evaluations send.
type Outbox interface {
	// Plan adds the tasks of a result to the batch that stores it.
	Plan(b *store.Batch, def process.Definition, a process.Assigned, r process.Result) error
	// Committed tells that the tasks of a slot are durable. It must not block.
	Committed(p message.ID, slot slotlog.Slot)
}

// Config is what a Compute Unit stands on.
type Config struct {
	Store    store.Store
	Blobs    store.Blobs
	Engine   vm.Engine
	Schedule Schedule
	Modules  Modules
	// Executions makes the processes that an execution device evaluates. Nil: they are refused.
	Executions Executions
	Drives     Drives   // nil: processes read nothing but their messages
	Outbox     Outbox   // nil: results cause nothing
	Timeline   Timeline // nil: processes with timers are refused
	Ticks      Ticks    // nil: results of ticks cause nothing
	Clock      clock.Clock
	Logger     *slog.Logger

	// Foreign tells that the schedule may hold one message twice, as schedulers of other makes allow: the second one is
	// not evaluated.
	Foreign bool
	// ForeignUntil tells of a process the first slot that this node's own scheduler gave, where earlier ones came from another
	// scheduler: those are treated as Foreign says. Nil: none.
	ForeignUntil func(p message.ID) slotlog.Slot
	// Memories are checkpoints outside Store and Blobs, as other units keep them. Nil: none.
	Memories Memories
	// KeepGas and KeepTime are the gas and the time evaluated after which a memory is handed to Memories, at most once in
	// KeepEvery for a process; 0 means the defaults. Checkpoint and Close hand over what changed, too.
	KeepGas             uint64
	KeepTime, KeepEvery time.Duration
	// MemoryMax and GasMax are the largest limits a process may ask for; 0 means the defaults.
	MemoryMax, GasMax uint64
	// LiveMax is the memory that live instances may hold together, in bytes; 0 means the default.
	LiveMax int64
	// TimeMax bounds one evaluation; see vm.Limits.
	TimeMax time.Duration
	// Limits are further ones, which an operator may set.
	Limits Limits
}

const (
	memoryMaxDefault = 16 << 30          // the cap of the largest format
	gasMaxDefault    = 9_000_000_000_000 // the legacy unit's largest Compute-Limit
	liveMaxDefault   = 4 << 30           // about a thousand aos processes
	aheadMax         = 64                // results of one process that wait for the disk
	forksMax         = 4                 // copies of one process kept for dry runs
	dryPerCore       = 4                 // dry runs under way at a time
	dryTimeMax       = 10 * time.Second  // of one dry run: nobody signed for it
	checkpointEvery  = time.Second       // of evaluation: a snapshot costs about a fiftieth of it,
	checkpointShare  = 10                // and a tenth of it if it takes long
	retryFirst       = 200 * time.Millisecond
	retryMax         = 30 * time.Second
)

// Computer evaluates processes. It is safe for concurrent use.
type Computer struct {
	c Config

	mu     sync.Mutex
	actors map[message.ID]*actor
	closed bool

	states   *states
	turns    *turns
	dry      chan struct{} // one for each dry run that may run at a time; they never wait for evaluations
	past     chan struct{} // one for each state of an earlier slot that may be worked out at a time
	writer   *writer
	stop     context.Context
	cancel   context.CancelFunc
	admitted sync.Map // admitted -> true
	wg       sync.WaitGroup

	evaluated, failed, dryRuns, restored, evicted atomic.Uint64
	dryWaiting, pastWaiting                       atomic.Int64
	holds                                         holds
}

// Open gives a Compute Unit.
func Open(c Config) (*Computer, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MemoryMax == 0 {
		c.MemoryMax = memoryMaxDefault
	}
	if c.GasMax == 0 {
		c.GasMax = gasMaxDefault
	}
	if c.LiveMax == 0 {
		c.LiveMax = liveMaxDefault
	}
	c.KeepGas, c.KeepTime, c.KeepEvery = cmp.Or(c.KeepGas, keepGasDefault), cmp.Or(c.KeepTime, keepTimeDefault), cmp.Or(c.KeepEvery, keepEveryDefault)
	u := &Computer{c: c, actors: map[message.ID]*actor{}, states: newStates(), turns: newTurns(c.Limits.workers()), dry: make(chan struct{}, c.Limits.dryRuns()), past: make(chan struct{}, c.Limits.dryRuns())}
	u.stop, u.cancel = context.WithCancel(context.Background())
	u.writer = newWriter(c.Store)
	if c.Limits.IdleMax > 0 {
		u.wg.Add(1)
		go u.retire()
	}
	return u, nil
}

// Close finishes the messages under way, writes checkpoints of all live processes, and frees them.
func (u *Computer) Close() error {
	u.mu.Lock()
	if u.closed {
		u.mu.Unlock()
		return nil
	}
	u.closed = true
	u.mu.Unlock()
	u.cancel()
	u.wg.Wait()
	var errs []error
	for _, a := range u.all() {
		errs = append(errs, a.shut())
	}
	u.writer.close()
	return errors.Join(errs...)
}

// Checkpoint writes a snapshot of every live process that has changed since its last one, and hands its memory to Memories now,
// however short ago it did so: somebody asked for it.
func (u *Computer) Checkpoint(ctx context.Context) error { return u.checkpointAll(ctx, true) }

// CheckpointDue is Checkpoint for what comes again and again: a memory is handed over once in KeepEvery at most.
func (u *Computer) CheckpointDue(ctx context.Context) error { return u.checkpointAll(ctx, false) }

func (u *Computer) checkpointAll(ctx context.Context, now bool) error {
	var errs []error
	for _, a := range u.all() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		errs = append(errs, a.checkpoint(now))
	}
	return errors.Join(errs...)
}

// Advance has the process evaluated up to, not including, the given slot. It does not wait.
func (u *Computer) Advance(p message.ID, next slotlog.Slot) {
	if a := u.actor(p); a != nil {
		a.advance(next)
	}
}

// Admit refuses a process that could not be evaluated: an unknown or unsupported module, one that does not run, limits
// beyond this unit's, below what the module needs, or none at all; timers that would never be due. A module is compiled on
// this occasion if it was not before.
func (u *Computer) Admit(ctx context.Context, d process.Definition) error {
	if d.ByDevice() {
		if u.c.Executions == nil {
			return unsupported(d)
		}
		return u.c.Executions.Admit(ctx, d)
	}
	if err := process.CheckCrons(d.Tags); err != nil {
		return err
	}
	m, l, err := u.module(ctx, d)
	if err != nil {
		return err
	}
	tried := admitted{m.ID, l.MemoryMax}
	if _, ok := u.admitted.Load(tried); ok {
		return nil
	}
	data, err := m.Bytes(ctx)
	if err != nil {
		return err
	}
	inst, err := u.c.Engine.New(ctx, vm.Module{ID: m.ID.String(), Format: m.Format, Bytes: data}, l)
	if err != nil {
		return cannotRun(m, err)
	}
	u.admitted.Store(tried, true) // as many as there are modules, and limits that processes ask for
	return inst.Close()
}

func unsupported(d process.Definition) error {
	return fault.New(fault.Unsupported, "execution-device-unsupported", "no process is run here by the execution device %.100q", d.ExecutionDevice).
		WithHint("use %s", process.DeviceLegacy)
}

// admitted is a module that was seen to run within a memory limit.
type admitted struct {
	module    message.ID
	memoryMax uint64
}

// cannotRun tells why there is no instance of a module.
func cannotRun(m process.Module, err error) error {
	wrap := func(kind fault.Kind, code, hint, format string, args ...any) error {
		return fault.Wrap(err, kind, code, format, args...).(*fault.Error).WithHint("%s", hint)
	}
	switch {
	case errors.Is(err, vm.ErrFormat):
		return wrap(fault.Unsupported, "module-format-unsupported", "publish it with the tag Module-Format it was built for",
			"Module-Format for module %q is not supported: %q", m.ID, m.Format)
	case errors.Is(err, vm.ErrModule):
		return wrap(fault.Unsupported, "module-broken", "check the file, and the Module-Format it was published with",
			"module %s is no program of format %s", m.ID, m.Format)
	case errors.Is(err, vm.ErrLimit):
		return wrap(fault.TooLarge, "memory-limit-too-low", "give the Process a larger Memory-Limit", "module %s does not fit", m.ID)
	}
	return wrap(fault.Unavailable, "module-unprepared", "try again in a moment", "module %s cannot be prepared now", m.ID)
}

// module finds the program of a process and the limits it runs under.
func (u *Computer) module(ctx context.Context, d process.Definition) (process.Module, vm.Limits, error) {
	l := vm.Limits{MemoryMax: d.MemoryLimit, GasMax: d.ComputeLimit, TimeMax: u.c.TimeMax}
	m, err := u.c.Modules.Module(ctx, d.Module)
	if err == nil {
		err = u.c.Limits.runs(d, m)
	}
	if err != nil {
		return m, l, err
	}
	if l.MemoryMax == 0 {
		l.MemoryMax = m.MemoryLimit
	}
	if l.GasMax == 0 {
		l.GasMax = m.ComputeLimit
	}
	for _, c := range []struct {
		name      string
		have, max uint64
	}{{"Memory-Limit", l.MemoryMax, u.c.MemoryMax}, {"Compute-Limit", l.GasMax, u.c.GasMax}} {
		if c.have == 0 {
			return m, l, fault.New(fault.TooLarge, "limit-missing", "%s for process %q exceeds supported limit: neither it nor its module states one", c.name, d.ID).
				WithHint("give the Process or the Module the tag %s", c.name)
		}
		if c.have > c.max {
			return m, l, fault.New(fault.TooLarge, "limit-exceeded", "%s for process %q exceeds supported limit: %d is more than %d", c.name, d.ID, c.have, c.max).
				WithHint("ask for at most %d", c.max)
		}
	}
	return m, l, nil
}

// input is what a module is given for a message at a block height. The function gives back what was opened for it.
func (u *Computer) input(l *lived, message []byte, height uint64) (vm.Input, func()) {
	in, done := vm.Input{Message: message, Env: l.env}, func() {}
	if u.c.Drives != nil {
		if in.Drive = u.c.Drives.Attach(l.def, l.mod, height); in.Drive != nil {
			done = func() { _ = in.Drive.Close() }
		}
	}
	return in, done
}

// actor finds or makes the actor of a process; nil while closing.
func (u *Computer) actor(p message.ID) *actor {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	a := u.actors[p]
	if a == nil {
		a = newActor(u, p)
		u.actors[p] = a
	}
	return a
}

// all gives the actors. The lock of an actor is never taken while the unit's is held: an actor that starts takes them the
// other way round.
func (u *Computer) all() []*actor {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]*actor, 0, len(u.actors))
	for _, a := range u.actors {
		out = append(out, a)
	}
	return out
}

func stopping() error {
	return fault.New(fault.Unavailable, "stopping", "the compute unit is stopping").WithHint("ask again in a moment")
}

// Behind is a process with slots that are not evaluated yet.
type Behind struct {
	Process message.ID   `json:"process"`
	Slots   uint64       `json:"slots"`
	Next    slotlog.Slot `json:"next"`              // the first of them
	Failing *time.Time   `json:"failing,omitempty"` // since when it cannot be evaluated,
	Reason  string       `json:"reason,omitempty"`  // and why
}

// Behind tells which processes are furthest behind, the furthest first, at most so many, and how many there are.
func (u *Computer) Behind(most int) (furthest []Behind, processes int) {
	furthest = []Behind{}
	for _, a := range u.all() {
		if b := a.lag(); b.Slots > 0 || b.Failing != nil {
			furthest = append(furthest, b)
		}
	}
	slices.SortFunc(furthest, func(a, b Behind) int {
		return cmp.Or(cmp.Compare(b.Slots, a.Slots), bytes.Compare(a.Process[:], b.Process[:]))
	})
	processes = len(furthest)
	return furthest[:min(most, processes)], processes
}

// Stats are counters since the start.
type Stats struct {
	Evaluated, Failed, DryRuns, Restored, Evicted uint64
	Live                                          int   // processes with an instance
	Resident                                      int64 // bytes held by instances
	Behind                                        uint64
	Holds                                         uint64        // checkpoints that were begun
	HeldTotal, HeldMax                            time.Duration // how long they held up the evaluation of their process, all together and at most
	Workers, DryRunPlaces                         int           // evaluations and dry runs that may be under way at a time
	Evaluating, DryRunning, DryRunsWaiting        int           // that are, and dry runs that have no place yet
}

// Stats tells what the unit did and holds.
func (u *Computer) Stats() Stats {
	s := Stats{Evaluated: u.evaluated.Load(), Failed: u.failed.Load(), DryRuns: u.dryRuns.Load(), Restored: u.restored.Load(), Evicted: u.evicted.Load(),
		Holds: u.holds.count.Load(), HeldTotal: time.Duration(u.holds.total.Load()), HeldMax: time.Duration(u.holds.max.Load()),
		Workers: cap(u.turns.places[0]), DryRunPlaces: cap(u.dry),
		Evaluating: u.turns.evaluating(), DryRunning: len(u.dry), DryRunsWaiting: int(u.dryWaiting.Load())}
	for _, a := range u.all() {
		if n := a.resident.Load(); n > 0 {
			s.Live++
			s.Resident += n
		}
		s.Behind += a.behind()
	}
	return s
}
