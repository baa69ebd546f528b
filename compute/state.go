package compute

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// The state of a process that a device evaluates is a message, and the state after every slot can be read. The newest ones are
// in memory, where they share what did not change. Each slot's batch holds what changed since the slot before, or the whole
// state where reading the changes since the last whole one would cost more than reading it.

const (
	chainSlotsMax = 256       // changes read for one state at most
	chainSmall    = 64 << 10  // bytes of changes that are read at any rate
	statesMax     = 1024      // states in memory,
	statesWeight  = 128 << 20 // and bytes of what they do not share, about
)

// stateChain is where the rows of a process stand. It is guarded by work.
type stateChain struct {
	last  message.Message // state after the last slot, without results
	whole int             // bytes of the last whole row; 0: the next one is whole
	since int             // bytes of the rows after it
	slots int             // and how many they are
}

const keyResults = "results"

// stateOf gives a state as it is kept: results are in the row of the result.
func stateOf(e process.Executor) message.Message {
	m := e.State()
	if _, ok := m.Get(keyResults); ok {
		m = m.Without(keyResults)
	}
	return m
}

// storeState adds the state after a slot, which is that of the instance, to the batch of the slot's result.
func (a *actor) storeState(b *store.Batch, slot slotlog.Slot) error {
	if !a.def.ByDevice() {
		return nil
	}
	c, now := &a.state, stateOf(a.inst)
	row, err := []byte{rowPatch}, error(nil)
	if c.whole > 0 && c.slots < chainSlotsMax && c.since < max(chainSmall, c.whole) {
		if row, err = message.Diff(c.last, now).AppendTo(row); err == nil {
			c.since, c.slots = c.since+len(row), c.slots+1
		}
	} else if row, err = message.AppendValue([]byte{rowWhole}, now); err == nil {
		c.whole, c.since, c.slots = len(row), 0, 0
	}
	if err != nil {
		return fault.Wrap(err, fault.Internal, "state-unwritable", "the state of process %s after slot %d cannot be kept", a.id, slot)
	}
	c.last = now
	b.Set(slotKey(store.TableStates, a.id, slot), row)
	a.u.states.put(stateAt{a.id, slot}, now, len(row))
	return nil
}

// keepState notes the state after a slot that was evaluated again.
func (a *actor) keepState(slot slotlog.Slot) {
	if a.inst == nil || !a.def.ByDevice() {
		return
	}
	a.state.last = stateOf(a.inst)
	if at := (stateAt{a.id, slot}); !a.u.states.has(at) {
		a.u.states.put(at, a.state.last, chainSmall)
	}
}

// The first byte of a row.
const (
	rowPatch byte = 1
	rowWhole byte = 2
)

// State gives the state of a process after a slot, evaluating it first if need be: the keys of its definition, the definition
// under process, at-slot, results, and whatever its device keeps there. The state of a legacy process is a memory, of which
// this shows the results.
func (u *Computer) State(ctx context.Context, p message.ID, slot slotlog.Slot) (message.Message, error) {
	e, err := u.At(ctx, p, slot)
	if err != nil {
		return message.Message{}, err
	}
	r, err := e.Result()
	if err != nil {
		return message.Message{}, err
	}
	def, err := u.c.Schedule.Process(ctx, p)
	if err != nil {
		return message.Message{}, err
	}
	var m message.Message
	if def.ByDevice() {
		if m, err = u.stateAt(p, slot); err != nil {
			return m, err
		}
	} else {
		whole := def.Message()
		m = whole.Without(message.KeyCommitments).With("process", whole).With("device", message.Bytes(process.DeviceProcess)).
			With("at-slot", message.Int(int64(slot))).With("initialized", message.Bytes("true"))
	}
	return m.With(keyResults, r.Results()), nil
}

// Newest gives the last slot of a process that has its result; it is not ok if none has.
func (u *Computer) Newest(_ context.Context, p message.ID) (slot slotlog.Slot, ok bool, err error) {
	v, err := u.c.Store.Get(cursorKey(p))
	if err == nil {
		next := decodeSlot(v)
		return next - min(next, 1), next > 0, nil
	}
	if errors.Is(err, store.ErrNotFound) {
		return 0, false, nil
	}
	return 0, false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the cursor of process %s cannot be read", p)
}

// stateAt gives the state after a slot, without results, from memory or from its rows.
func (u *Computer) stateAt(p message.ID, slot slotlog.Slot) (message.Message, error) {
	if m, ok := u.states.get(stateAt{p, slot}); ok {
		return m, nil
	}
	var patches []message.Patch
	next, weight := slot, 0
	for kv, err := range u.c.Store.Scan(slotKey(store.TableStates, p, 0), slotKey(store.TableStates, p, slot+1), true) {
		if err != nil {
			return message.Message{}, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the states of process %s cannot be read", p)
		}
		if slotOf(kv.Key) != next || len(kv.Value) == 0 {
			break
		}
		weight += len(kv.Value)
		if kv.Value[0] == rowPatch {
			patch, err := message.ReadPatch(kv.Value[1:])
			if err != nil {
				return message.Message{}, unreadableState(p, slot, err)
			}
			patches = append(patches, patch)
			if next == 0 {
				break
			}
			next--
			if m, ok := u.states.get(stateAt{p, next}); ok {
				return u.follow(p, slot, m, patches, weight)
			}
			continue
		}
		v, err := message.ReadValue(kv.Value[1:])
		m, ok := v.(message.Message)
		if err != nil || !ok {
			return message.Message{}, unreadableState(p, slot, err)
		}
		return u.follow(p, slot, m, patches, weight)
	}
	return message.Message{}, fault.New(fault.NotFound, "state-unknown", "the state of process %s after slot %d is not kept here", p, slot).
		WithHint("ask for a slot that was evaluated here")
}

// follow applies patches, of which the last comes first.
func (u *Computer) follow(p message.ID, slot slotlog.Slot, m message.Message, patches []message.Patch, weight int) (message.Message, error) {
	var err error
	for i := len(patches) - 1; i >= 0; i-- {
		if m, err = m.Apply(patches[i]); err != nil {
			return m, unreadableState(p, slot, err)
		}
	}
	u.states.put(stateAt{p, slot}, m, weight)
	return m, nil
}

func unreadableState(p message.ID, slot slotlog.Slot, err error) error {
	f := fault.New(fault.Internal, "state-unreadable", "the stored state of process %s after slot %d cannot be read", p, slot)
	f.Cause = err
	return f
}

// Try opens the latest state of a process that a device evaluates to try something out on: the context lets devices find what
// they hold beside it. Nothing that is done there reaches the process. Of a legacy process it is the state alone.
func (u *Computer) Try(ctx context.Context, p message.ID, do func(ctx context.Context, state message.Message) error) error {
	a := u.actor(p)
	if a == nil {
		return stopping()
	}
	l, err := a.pin(ctx)
	if err != nil {
		return err
	}
	defer a.unpin()
	leave, err := u.enterDryRun(ctx, a)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, dryTimeMax)
	defer cancel()
	fork, err := l.inst.Fork(ctx)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "dry-run-unavailable", "the state of process %s could not be copied", p)
	}
	defer fork.Close()
	open, ok := fork.(interface {
		Open(context.Context) (context.Context, message.Message)
	})
	if !ok {
		return fault.New(fault.Unsupported, "state-no-message", "the state of process %s is a memory, not a message", p)
	}
	u.dryRuns.Add(1)
	within, state := open.Open(ctx)
	return do(within, state)
}

// states are states in memory, those used least recently given up first. Its weight is what reading them again would cost.
type states struct {
	mu     sync.Mutex
	by     map[stateAt]*list.Element
	order  list.List // of *keptState, the newest use first
	weight int
}

type stateAt struct {
	process message.ID
	slot    slotlog.Slot
}

type keptState struct {
	at     stateAt
	state  message.Message
	weight int
}

func newStates() *states { return &states{by: map[stateAt]*list.Element{}} }

func (s *states) get(at stateAt) (message.Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.by[at]
	if e == nil {
		return message.Message{}, false
	}
	s.order.MoveToFront(e)
	return e.Value.(*keptState).state, true
}

func (s *states) has(at stateAt) bool {
	_, ok := s.get(at)
	return ok
}

func (s *states) put(at stateAt, m message.Message, weight int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.by[at]; e != nil {
		k := e.Value.(*keptState)
		s.weight += weight - k.weight
		k.state, k.weight = m, weight
		s.order.MoveToFront(e)
	} else {
		s.by[at] = s.order.PushFront(&keptState{at, m, weight})
		s.weight += weight
	}
	for len(s.by) > 1 && (len(s.by) > statesMax || s.weight > statesWeight) {
		e := s.order.Back()
		k := s.order.Remove(e).(*keptState)
		delete(s.by, k.at)
		s.weight -= k.weight
	}
}
