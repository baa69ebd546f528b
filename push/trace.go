package push

import (
	"context"
	"encoding/binary"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// Hop is a message in a trace: the first one, whose task has no kind, or one that a task delivers.
type Hop struct {
	Task
	From    int        `json:"from"`             // place in the trace of the hop that caused it; -1 for a first one
	Process message.ID `json:"process,omitzero"` // where it was evaluated, or will be
	First   bool       `json:"first,omitempty"`  // it began the chain
	Asked   bool       `json:"asked,omitempty"`  // it is the message the trace was asked for
	Seen    bool       `json:"seen,omitempty"`   // what it caused stands at an earlier hop with the same slot
}

// Trace is the tree of a message: where its chain began and all it has caused so far. A hop stands behind the one that caused
// it; nearer ones come first.
type Trace struct {
	Hops  []Hop `json:"hops"`
	Whole bool  `json:"whole"` // false if there are more hops than a trace holds
}

const (
	// TraceMax bounds the hops of a trace: about 5 MB of JSON.
	TraceMax = 10_000
	// ancestorsMax bounds the way back to the first message; beyond it the trace begins in the middle of its chain.
	ancestorsMax = 200_000
)

// Trace gives the tree that a message is part of, from the first message of the chain on. It fails with NotFound for an id that
// is neither stored here as pushed nor has pushed anything, unless Where knows it.
func (p *Pusher) Trace(ctx context.Context, id message.ID) (Trace, error) {
	t := tracing{p: p, ctx: ctx, asked: id, seen: map[Position]bool{}}
	starts, err := t.starts(id)
	if err != nil {
		return Trace{}, err
	}
	if len(starts) == 0 {
		return Trace{}, fault.New(fault.NotFound, "trace-unknown", "nothing is known of message %s", id).
			WithHint("check the id; a message is known once it has a slot")
	}
	for _, h := range starts {
		t.add(h)
	}
	for i := 0; i < len(t.hops) && !t.full; i++ {
		if err := t.descend(i); err != nil {
			return Trace{}, err
		}
	}
	return Trace{Hops: t.hops, Whole: !t.full}, nil
}

type tracing struct {
	p     *Pusher
	ctx   context.Context
	asked message.ID
	hops  []Hop
	seen  map[Position]bool
	full  bool
}

func (t *tracing) add(h Hop) {
	if len(t.hops) == TraceMax {
		t.full = true
		return
	}
	h.Asked = !h.Message.IsZero() && h.Message == t.asked
	t.hops = append(t.hops, h)
}

// starts finds the first hops of all chains that the message is part of.
func (t *tracing) starts(id message.ID) ([]Hop, error) {
	var starts []Hop
	begun := map[Position]bool{}
	begin := func(pos Position, first message.ID) {
		if !begun[pos] {
			begun[pos] = true
			starts = append(starts, firstHop(pos, first))
		}
	}
	for found, err := range t.under(append([]byte{store.TablePushed}, id[:]...)) {
		if err != nil {
			return nil, err
		}
		a, ok := decodeArrival(found.Value)
		if !ok {
			continue
		}
		pos, first, err := t.climb(a.key.key())
		if err != nil {
			return nil, err
		}
		begin(pos, first)
	}
	for found, err := range t.under(append([]byte{store.TablePushIndex, indexPlaces}, id[:]...)) {
		if err != nil {
			return nil, err
		}
		at := message.ID(found.Key[len(found.Key)-idSize:])
		if _, ok, err := t.p.arrival(id, at); err != nil {
			return nil, err
		} else if ok || len(found.Value) != positionSize {
			continue
		}
		begin(Position{Process: at, Slot: slotlog.Slot(binary.BigEndian.Uint64(found.Value[idSize:]))}, id)
	}
	if len(starts) > 0 || t.p.c.Where == nil {
		return starts, nil
	}
	places, err := t.p.c.Where(t.ctx, id)
	for _, at := range places {
		begin(Position{Process: at.Process, Slot: at.Slot}, id)
	}
	if fault.KindOf(err) == fault.NotFound {
		err = nil
	}
	return starts, err
}

func (t *tracing) under(prefix []byte) func(func(store.Pair, error) bool) {
	return func(yield func(store.Pair, error) bool) {
		for kv, err := range t.p.c.Store.Scan(prefix, store.PrefixEnd(prefix), false) {
			if !yield(kv, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the tasks cannot be read")) || err != nil {
				return
			}
		}
	}
}

func firstHop(pos Position, id message.ID) Hop {
	h := Hop{Task: Task{Key: Key{Position: pos}, Message: id, Root: id}, Process: pos.Process, From: -1, First: true}
	slot := pos.Slot
	h.Slot = &slot
	return h
}

// climb goes from a task back to the evaluation that began its chain.
func (t *tracing) climb(k Key) (Position, message.ID, error) {
	been := map[Position]bool{}
	for range ancestorsMax {
		if err := t.ctx.Err(); err != nil {
			return Position{}, message.ID{}, fault.Wrap(err, fault.Unavailable, "cut-off", "trace %s", t.asked)
		}
		r, err := t.p.row(k)
		if err != nil {
			return Position{}, message.ID{}, err
		}
		if r.Parent.IsZero() || been[k.Position] {
			return k.Position, r.Parent, nil
		}
		been[k.Position] = true
		a, ok, err := t.p.arrival(r.Parent, k.Process)
		if err != nil || !ok {
			return k.Position, r.Parent, err
		}
		k = a.key.key()
	}
	return k.Position, message.ID{}, nil
}

// descend adds what a hop has caused.
func (t *tracing) descend(i int) error {
	if err := t.ctx.Err(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "cut-off", "trace %s", t.asked)
	}
	h := t.hops[i]
	if h.Slot == nil || h.Process.IsZero() {
		return nil
	}
	pos := Position{Process: h.Process, Slot: *h.Slot}
	if h.First {
		pos = h.Key.Position // with the timer, if one began
	}
	if t.seen[pos] {
		t.hops[i].Seen = true
		return nil
	}
	t.seen[pos] = true
	var entry int // hop of part 0 of the entry that is read
	var kind Kind
	for kv, err := range t.under(taskPrefix(pos)) {
		if err != nil {
			return err
		}
		if len(kv.Key) != 1+keySize {
			continue
		}
		r, err := decodeRow(keyBytes(kv.Key[1:]).key(), kv.Value)
		if err != nil {
			return err
		}
		next := Hop{Task: r.Task, From: i}
		if r.State == Delivered || r.State == Pending || r.State == Parked {
			next.Process, _ = message.ParseID(r.Target)
		}
		if r.Key.Part == 0 {
			entry, kind = len(t.hops), r.Kind
		} else if kind != KindAssign {
			next.From = entry // it follows from the delivery of part 0
		}
		t.add(next)
	}
	return nil
}
