package node

import (
	"context"
	"slices"
	"strings"
	"sync"

	"ago/client"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/devices"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/schedule"
	"ago/slotlog"
)

// abroad reaches processes that other nodes schedule: it reads their logs into this node's, each slot checked, as far as somebody
// asks for, and brings messages to their schedulers.
type abroad struct {
	n      *Node
	places *places
	hints  *hints

	mu    sync.Mutex
	turns map[message.ID]chan struct{} // held while the log of a process is read
}

func newAbroad(n *Node) *abroad {
	return &abroad{n: n, places: &places{n: n}, hints: newHints(n), turns: map[message.ID]chan struct{}{}}
}

// alone tells that no other node is known that may have a process.
func (a *abroad) alone(p message.ID) bool {
	if len(a.n.c.Peers) > 0 || a.places.any() {
		return false
	}
	return len(a.hints.peers(p)) == 0
}

// own tells whether this node gives the slots of a process.
func (a *abroad) own(ctx context.Context, p message.ID) (bool, error) {
	head, err := a.n.scheduler.Head(ctx, p)
	return head.Next > 0 && !a.n.scheduler.Followed(p), err
}

// definition gives a process, from here or from those that know it.
func (a *abroad) definition(ctx context.Context, p message.ID) (process.Definition, error) {
	def, err := a.n.scheduler.Process(ctx, p)
	if err == nil || fault.KindOf(err) != fault.NotFound || a.alone(p) {
		return def, err
	}
	if def, hintErr := a.hints.definition(ctx, p); hintErr == nil {
		return def, nil
	}
	v, readErr := a.n.deviceNode().Contents.Read(ctx, p.String())
	if fault.KindOf(readErr) == fault.NotFound {
		v, readErr = a.places.fetch(ctx, p)
	}
	if readErr != nil {
		if fault.KindOf(readErr) == fault.NotFound {
			return def, err
		}
		return def, readErr
	}
	m, ok := v.(message.Message)
	if !ok || !process.IsDefinition(m) {
		return def, err
	}
	if it, ok := schedule.ItemIn(m); ok {
		m = it.Message()
	}
	if def, readErr = process.Define(m); readErr != nil || def.ID != p {
		return process.Definition{}, err
	}
	return def, nil
}

// enter waits for the turn to read the log of a process.
func (a *abroad) enter(ctx context.Context, p message.ID) (leave func(), err error) {
	for {
		a.mu.Lock()
		taken, busy := a.turns[p]
		if !busy {
			done := make(chan struct{})
			a.turns[p] = done
			a.mu.Unlock()
			return func() {
				a.mu.Lock()
				delete(a.turns, p)
				a.mu.Unlock()
				close(done)
			}, nil
		}
		a.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "reading-cut-off", "nobody waits for the log of process %s any more", p)
		}
	}
}

// newest is a slot after every other.
const newest = slotlog.Slot(1<<63 - 1)

// read brings the slots of a process up to one here, if another node schedules it. What that node shows is checked; the first slot
// that does not hold ends it with "slot-refused", and those before it stay.
func (a *abroad) read(ctx context.Context, p message.ID, to slotlog.Slot) error {
	if own, err := a.own(ctx, p); own || err != nil || a.alone(p) {
		return err
	}
	leave, err := a.enter(ctx, p)
	if err != nil {
		return err
	}
	defer leave()
	head, err := a.n.scheduler.Head(ctx, p)
	if err != nil || head.Next > to {
		return err
	}
	def, err := a.definition(ctx, p)
	if err != nil {
		return err
	}
	if def.Legacy() {
		if head.Next > 0 { // ago sync reads on
			return nil
		}
		return fault.New(fault.NotFound, "process-not-followed", "the log of process %s is not here: %s schedules it, for legacy units", p, def.Scheduler).
			WithHint("ask that scheduler's node, or have ago sync follow the process")
	}
	at, err := a.of(ctx, def)
	if err != nil {
		return err
	}
	for i, peer := range at {
		first := head.Next
		for {
			slots, more, askErr := peer.Schedule(ctx, p, head.Next, to)
			if err = askErr; err != nil || len(slots) == 0 {
				break
			}
			if head, err = a.n.scheduler.TakeCore(ctx, p, nil, slots); err != nil || !more || head.Next > to {
				break
			}
		}
		if err == nil && peer.hinted && head.Next > first {
			err = a.hints.proved(p, peer.URL)
		}
		if err == nil && (head.Next > 0 || i == len(at)-1) {
			return nil
		}
		a.n.c.Log.Warn("the log of another scheduler is not read on", "process", p, "from", peer.URL, "slot", head.Next, "err", err)
	}
	return err
}

// place is a node that may have a process.
type place struct {
	client.Peer
	hinted bool // by anybody, who may be wrong
}

// of gives the nodes that may have a process: those that its schedulers signed for come before those that somebody named.
func (a *abroad) of(ctx context.Context, def process.Definition) ([]place, error) {
	signed, err := a.places.of(ctx, def)
	var out []place
	for _, peer := range signed {
		out = append(out, place{Peer: peer})
	}
	for _, peer := range a.hints.peers(def.ID) {
		out = append(out, place{Peer: peer, hinted: true})
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}

// submit brings a message to the scheduler of its process, and gives the assignment, whose signature holds.
func (a *abroad) submit(ctx context.Context, p message.ID, v commitment.Verified) (message.Message, error) {
	m := v.Message()
	var def process.Definition
	var err error
	if process.IsDefinition(m) {
		def, err = process.Define(m)
	} else {
		def, err = a.definition(ctx, p)
	}
	if err != nil {
		return message.Message{}, err
	}
	at, err := a.of(ctx, def)
	if err != nil {
		return message.Message{}, err
	}
	var failed error
	for _, peer := range at {
		got, err := call(ctx, func(ctx context.Context) (message.Message, error) { return peer.Submit(ctx, def.ID, m) })
		if err == nil {
			got, err = a.assignment(ctx, def, process.ContentOfMessage(m).ID, got)
		}
		if err == nil || !peer.hinted && fault.KindOf(err) != fault.Unavailable {
			return got, err
		}
		if failed == nil {
			failed = err // what those say who come later counts less
		}
	}
	return message.Message{}, failed
}

// assignment gives that of a message from what the node of its scheduler answered. The message may have signed a path to another key
// than schedule, as push, whose answer names the slot: then it is read from the log.
func (a *abroad) assignment(ctx context.Context, def process.Definition, id message.ID, got message.Message) (message.Message, error) {
	m, err := a.answered(def, id, got)
	if err == nil {
		return m, nil
	}
	v, _ := got.Get("slot")
	n, ok := v.(message.Int)
	if !ok || n < 0 || got.Text("process") != def.ID.String() {
		return m, err
	}
	slot := slotlog.Slot(n)
	if readErr := a.read(ctx, def.ID, slot); readErr != nil {
		return m, err
	}
	if m, readErr := a.n.scheduler.Assignment(ctx, def.ID, slot); readErr == nil {
		return a.answered(def, id, m)
	}
	return m, err
}

// answered checks that a scheduler of the process signed an assignment of the message.
func (a *abroad) answered(def process.Definition, id message.ID, got message.Message) (message.Message, error) {
	held, signers := httpsig.Holding(got)
	held = held.OnlyCommitted()
	wrong := func(what string) (message.Message, error) {
		return held, fault.New(fault.Unavailable, "assignment-malformed", "the scheduler of process %s answered %s", def.ID, what)
	}
	if !slices.ContainsFunc(signers, func(s commitment.Signer) bool { return slices.Contains(def.Schedulers, s.Address().String()) }) {
		return wrong("what no scheduler of it signed")
	}
	body, _ := held.Get(message.KeyBody)
	assigned := message.ID{}
	switch body := body.(type) {
	case message.Message:
		assigned = process.ContentOfMessage(body).ID
		if it, ok := schedule.ItemIn(body); ok {
			assigned = it.ID()
		}
	case message.Link:
		assigned = body.To
	}
	if held.Text("process") != def.ID.String() || assigned != id {
		return wrong("an assignment of another message")
	}
	if _, ok := held.Get("slot"); !ok {
		return wrong("an assignment without a slot")
	}
	return held, nil
}

// Forward serves devices.Forwarder.
func (a *abroad) Forward(ctx context.Context, p message.ID, v commitment.Verified) (message.Message, error) {
	return a.submit(ctx, p, v)
}

// reachable is the node's scheduler as devices see it: with the processes of other nodes.
type reachable struct {
	*schedule.Scheduler
	a     *abroad
	admit func(ctx context.Context, p message.ID, v commitment.Verified) error
}

func (r reachable) Process(ctx context.Context, p message.ID) (process.Definition, error) {
	return r.a.definition(ctx, p)
}

func (r reachable) Head(ctx context.Context, p message.ID) (slotlog.Head, error) {
	if err := r.a.read(ctx, p, newest); err != nil {
		return slotlog.Head{}, err
	}
	return r.Scheduler.Head(ctx, p)
}

func (r reachable) Page(ctx context.Context, p message.ID, from, to slotlog.Slot) (process.Page, error) {
	if err := r.a.read(ctx, p, to); err != nil {
		return process.Page{}, err
	}
	return r.Scheduler.Page(ctx, p, from, to)
}

func (r reachable) Assignment(ctx context.Context, p message.ID, slot slotlog.Slot) (message.Message, error) {
	if err := r.a.read(ctx, p, slot); err != nil {
		return message.Message{}, err
	}
	return r.Scheduler.Assignment(ctx, p, slot)
}

func (r reachable) SubmitTo(ctx context.Context, p message.ID, v commitment.Verified) (schedule.Receipt, error) {
	to, ok := targetOf(p, v.Message())
	if ok && !process.IsDefinition(v.Message()) {
		if _, err := r.Scheduler.Process(ctx, to); fault.KindOf(err) == fault.NotFound {
			if def, err := r.a.definition(ctx, to); err == nil {
				return schedule.Receipt{}, fault.New(fault.Denied, "process-followed", "process %s is scheduled by %s", to, def.Scheduler).
					WithHint("send it to that scheduler's node")
			}
		}
	}
	if process.IsDefinition(v.Message()) {
		to = process.IDs(v.Message())[0]
	}
	if err := r.admit(ctx, to, v); err != nil {
		return schedule.Receipt{}, err
	}
	return r.Scheduler.SubmitTo(ctx, p, v)
}

// targetOf gives the process that a message is for.
func targetOf(p message.ID, m message.Message) (message.ID, bool) {
	if !p.IsZero() {
		return p, true
	}
	text := process.ContentOfMessage(m).Target
	if i := strings.IndexAny(text, "?&"); i >= 0 {
		text = text[:i]
	}
	id, err := message.ParseID(text)
	return id, err == nil
}

// computing is the compute unit as devices see it: it reads what other nodes scheduled before it evaluates.
type computing struct {
	devices.Computer
	a *abroad
}

func (c computing) State(ctx context.Context, p message.ID, slot slotlog.Slot) (message.Message, error) {
	if err := c.a.read(ctx, p, slot); err != nil {
		return message.Message{}, err
	}
	return c.Computer.State(ctx, p, slot)
}

// receiptOf reads what the messenger notes of an assignment.
func receiptOf(id message.ID, m message.Message) (push.Receipt, error) {
	p, err := message.ParseID(m.Text("process"))
	v, _ := m.Get("slot")
	slot, ok := v.(message.Int)
	at, _ := m.Get("timestamp")
	ms, timed := at.(message.Int)
	if err != nil || !ok || slot < 0 || !timed {
		return push.Receipt{}, fault.New(fault.Unavailable, "assignment-malformed", "the scheduler's answer says no slot")
	}
	return push.Receipt{ID: id, Assignment: m.UnsignedID(), Process: p, Slot: slotlog.Slot(slot), Timestamp: int64(ms)}, nil
}
