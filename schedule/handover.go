package schedule

import (
	"context"
	"encoding/binary"
	"errors"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// A process moves from one scheduler to another by being handed over: this one gives no slots any more, and says where the next
// one answers. Each time it moves its term grows, so that what was written of an earlier move makes nobody the scheduler again.

// Handover tells of a process that was handed over.
type Handover struct {
	To    string       // address of the scheduler it was handed over to
	Slots slotlog.Slot // that it had then: the next one is the other scheduler's
	Term  uint64       // of the scheduler it was handed over to; those that handed nothing over have 0
}

// origin is who gives the slots of a process. Processes that were never anybody else's have the zero origin and no row.
type origin struct {
	first slotlog.Slot // of this scheduler; notAdopted: it gives none
	term  uint64
	slots slotlog.Slot // when it was handed over
	to    string       // "" unless it was
}

// HandedOver tells where a process was handed over to; To is "" if it was not.
func (s *Scheduler) HandedOver(p message.ID) Handover {
	o, err := s.origin(p)
	if err != nil || o.to == "" {
		return Handover{}
	}
	return Handover{o.to, o.slots, o.term}
}

// HandOver ends this scheduler's term for a process: from then on it refuses its messages, and tells the address of the next
// one. A repeat changes the address only. It is on disk when HandOver returns. Nobody may submit messages meanwhile. It fails
// with NotFound ("process-unknown") and, if another scheduler gives the slots, with Denied ("process-followed").
func (s *Scheduler) HandOver(ctx context.Context, p message.ID, to string) (Handover, error) {
	turn := s.origins.turn(p)
	turn.Lock()
	defer turn.Unlock()
	if to == "" {
		return Handover{}, fault.New(fault.Malformed, "scheduler-missing", "process %s is handed over to nobody", p).WithHint("name the address of the next scheduler")
	}
	head, err := s.c.Log.Head(ctx, p)
	if err != nil {
		return Handover{}, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", p)
	}
	if head.Next == 0 {
		return Handover{}, fault.New(fault.NotFound, "process-unknown", "process %s is not scheduled here", p).WithHint("name the data of the scheduler that has it")
	}
	o, err := s.origin(p)
	if err != nil {
		return Handover{}, err
	}
	if o.to == "" {
		if o.first == notAdopted {
			return Handover{}, s.elsewhere(p)
		}
		o = origin{first: notAdopted, term: o.term + 1, slots: head.Next}
	}
	o.to = to
	if err := s.setOrigin(p, o); err != nil {
		return Handover{}, err
	}
	return Handover{o.to, o.slots, o.term}, nil
}

// AdoptTerm makes this scheduler the one that a process was handed over to, and tells the first slot that it will give. The log
// has to be here as far as it was handed over. It fails with Conflict ("term-over") if the process is known to have gone on
// elsewhere since then; repeated, it changes nothing.
func (s *Scheduler) AdoptTerm(ctx context.Context, p message.ID, h Handover) (slotlog.Slot, error) {
	turn := s.origins.turn(p)
	turn.Lock()
	defer turn.Unlock()
	head, err := s.c.Log.Head(ctx, p)
	if err != nil {
		return 0, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", p)
	}
	o, err := s.origin(p)
	switch {
	case err != nil:
		return 0, err
	case head.Next == 0 || head.Next < h.Slots:
		return 0, fault.New(fault.Conflict, "slot-missing", "process %s was handed over with %d slots, and %d are here", p, h.Slots, head.Next).
			WithHint("import all of it first")
	case o.first != notAdopted:
		return o.first, nil
	case o.to != "" && h.Term <= o.term:
		return 0, fault.New(fault.Conflict, "term-over", "process %s was handed over from here to %s, and what is imported is not later", p, o.to).
			WithHint("to get it back, let that scheduler hand it over to this one")
	case head.Next > h.Slots:
		return 0, fault.New(fault.Conflict, "term-over", "process %s was handed over with %d slots, and %d are here: somebody else went on with it", p, h.Slots, head.Next).
			WithHint("let the scheduler that gives its slots hand it over to this one")
	}
	return head.Next, s.setOrigin(p, origin{first: head.Next, term: h.Term})
}

// origin reads who gives the slots of a process.
func (s *Scheduler) origin(p message.ID) (origin, error) {
	s.origins.mu.Lock()
	defer s.origins.mu.Unlock()
	if o, ok := s.origins.known[p]; ok {
		return o, nil
	}
	v, err := s.c.Store.Get(originKey(p))
	var o origin
	if !errors.Is(err, store.ErrNotFound) {
		if err != nil {
			return o, fault.Wrap(err, fault.Unavailable, "store-unreadable", "it cannot be read who schedules process %s", p)
		}
		if o, err = decodeOrigin(v); err != nil {
			return o, err
		}
	}
	s.origins.remember(p, o)
	return o, nil
}

// setOrigin stores who gives the slots of a process. The process has its turn.
func (s *Scheduler) setOrigin(p message.ID, o origin) error {
	b := &store.Batch{}
	b.Set(originKey(p), o.encode())
	if err := s.c.Store.Apply(b, true); err != nil {
		s.origins.forget(p) // it may be there nevertheless
		return fault.Wrap(err, fault.Unavailable, "store-unwritable", "it cannot be stored who schedules process %s", p)
	}
	s.origins.mu.Lock()
	defer s.origins.mu.Unlock()
	s.origins.remember(p, o)
	return nil
}

func (o *origins) forget(p message.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.known, p)
}

// encode gives the row of an origin: its first slot, and if it ever moved its term, slots and address.
func (o origin) encode() []byte {
	v := binary.BigEndian.AppendUint64(nil, uint64(o.first))
	if o.term == 0 {
		return v
	}
	v = binary.BigEndian.AppendUint64(v, o.term)
	v = binary.BigEndian.AppendUint64(v, uint64(o.slots))
	return append(v, o.to...)
}

func decodeOrigin(v []byte) (origin, error) {
	if len(v) != 8 && len(v) < 24 {
		return origin{}, fault.New(fault.Internal, "origin-unreadable", "the row of a process's scheduler has %d bytes", len(v))
	}
	o := origin{first: slotlog.Slot(binary.BigEndian.Uint64(v))}
	if len(v) >= 24 {
		o.term, o.slots, o.to = binary.BigEndian.Uint64(v[8:]), slotlog.Slot(binary.BigEndian.Uint64(v[16:])), string(v[24:])
	}
	return o, nil
}
