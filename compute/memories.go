package compute

import (
	"context"
	"io"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/vm"
)

// Memories are checkpoints outside this unit's own tables: whole linear memories, the form in which units of every make can
// exchange them.
type Memories interface {
	// Find gives the memories of a process in states before a slot, newest first. What it gives beside an error is good.
	Find(ctx context.Context, def process.Definition, before slotlog.Slot) ([]Memory, error)
	// Keep stores the memory of a process at a position.
	Keep(ctx context.Context, at Position, memory io.Reader) error
}

// Position says which state a memory is: the one after a slot.
type Position struct {
	Process, Module message.ID
	Slot            slotlog.Slot
	Timestamp       int64 // ms, of the slot
	BlockHeight     uint64
	Assignment      message.ID // of the slot; zero if not known
	HashChain       message.ID // of the slot; zero if not known
}

// Memory is a memory that was found.
type Memory struct {
	Position
	Source string // for people: where it is
	// Open gives the bytes. Reading them ends in an error instead of their end if they are not those that were promised.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Anchored is a Schedule that can be read from a position that was trusted, without what came before.
type Anchored interface {
	Anchor(ctx context.Context, at Position) error
}

const (
	worthAsking = 100 // slots: evaluating fewer takes no longer than asking elsewhere

	keepGasDefault   = 300_000_000_000_000 // these three as the legacy unit
	keepTimeDefault  = 15 * time.Minute
	keepEveryDefault = 30 * time.Minute
	keepTimeMax      = 5 * time.Minute // of one hand-over: a bundler may hang
)

// foreign tells whether a slot was given by another scheduler.
func (u *Computer) foreign(p message.ID, s slotlog.Slot) bool {
	return u.c.Foreign || u.c.ForeignUntil != nil && s < u.c.ForeignUntil(p)
}

// openMemory gives an instance with a whole memory, if the log agrees with where it claims to be.
func (u *Computer) openMemory(ctx context.Context, k maker, memory Memory) (process.Executor, error) {
	l := k.l
	if memory.Module != l.mod.ID || memory.Process != l.def.ID {
		return nil, fault.New(fault.Forged, "checkpoint-of-another", "it is of process %s with module %s", memory.Process, memory.Module)
	}
	if err := u.agrees(ctx, memory.Position); err != nil {
		return nil, err
	}
	r, err := memory.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	engine, ok := u.c.Engine.(vm.MemoryEngine)
	if !ok {
		return nil, fault.New(fault.Unsupported, "memory-unsupported", "the engine cannot begin with a whole memory")
	}
	inst, err := k.program(engine.RestoreMemory(ctx, k.m, l.lim, r))
	if err == nil {
		u.c.Logger.Info("evaluation goes on from a checkpoint", "process", l.def.ID, "slot", memory.Slot, "from", memory.Source)
	}
	return inst, err
}

// agrees compares a position with the log.
func (u *Computer) agrees(ctx context.Context, at Position) error {
	if s, ok := u.c.Schedule.(Anchored); ok {
		return s.Anchor(ctx, at)
	}
	as, err := u.slot(ctx, at.Process, at.Slot)
	if err != nil {
		return err
	}
	if as.Timestamp != at.Timestamp || !at.Assignment.IsZero() && as.AssignmentID != at.Assignment || !at.HashChain.IsZero() && as.HashChain != at.HashChain {
		return fault.New(fault.Forged, "checkpoint-of-another", "the log has another assignment in slot %d", at.Slot)
	}
	return nil
}

func (u *Computer) slot(ctx context.Context, p message.ID, s slotlog.Slot) (process.Assigned, error) {
	for as, err := range u.c.Schedule.Range(ctx, p, s, s+1) {
		return as, err
	}
	return process.Assigned{}, fault.New(fault.NotFound, "slot-unknown", "process %s has no slot %d", p, s)
}

// beginKeep begins to hand the memory over, unless that is under way or would say nothing new, or, if it need not be now, was
// done a moment ago. a.work is held.
func (a *actor) beginKeep(now bool) {
	c, snap := &a.u.c, &a.snap
	if a.last.place != 0 { // a memory is of the state after a slot, and this one is after a tick
		return
	}
	// Units of other makes know no states between two slots but their own timers'.
	if c.Memories == nil || a.inst == nil || a.at == 0 || a.at == snap.kept || a.last.place != 0 || snap.giving != nil && !snap.giving.over() ||
		!now && !snap.keptAt.IsZero() && time.Since(snap.keptAt) < c.KeepEvery {
		return
	}
	inst, ok := a.inst.(memorial)
	if !ok {
		return
	}
	began := time.Now()
	pinned, err := inst.PinMemory()
	a.u.holds.note(time.Since(began))
	if err != nil {
		c.Logger.Error("the memory could not be handed over", "process", a.id, "slot", a.at-1, "err", err)
		return
	}
	s := newSaving()
	at := Position{Process: a.id, Module: a.def.Module, Slot: a.at - 1, Timestamp: a.last.timestamp, BlockHeight: a.last.height}
	snap.giving, snap.kept, snap.keptAt, snap.gas, snap.time = s, a.at, time.Now(), 0, 0
	s.run(func(w io.Writer) error { _, err := pinned(w); return err }, func(read io.Reader) error {
		ctx, cancel := context.WithTimeout(a.u.stopless(), keepTimeMax)
		defer cancel()
		as, err := a.u.slot(ctx, a.id, at.Slot)
		if err == nil {
			at.Assignment, at.HashChain = as.AssignmentID, as.HashChain
			err = c.Memories.Keep(ctx, at, read)
		}
		if err != nil {
			c.Logger.Error("the memory could not be handed over", "process", a.id, "slot", at.Slot, "err", err)
		}
		return err
	})
}
