package node

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"ago/client"
	"ago/codec/js"
	"ago/commitment"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/schedule"
	"ago/slotlog"
	"ago/store"
)

// follower reads the logs of schedulers on other machines, as the compute unit's Schedule and Modules.
//
// Nothing a scheduler says is taken on trust that can be checked: slots follow each other, the hash chain is recomputed, and
// on demand both signatures of a slot are verified. What was read leaves two kinds of rows: where a message is, so that
// a known result needs no other machine, and marks (slot, timestamp, chain), from which reading goes on after a restart.
type follower struct {
	network  *client.Network // gateway; SU if one is fixed
	store    store.Store
	verify   bool
	place    func(ctx context.Context, id message.ID) (string, error) // address of a process's scheduler; nil: by its tags
	patience time.Duration                                            // for a process that the gateway does not know yet
	programs int                                                      // modules whose bytes are kept
	headAge  time.Duration                                            // of the known end of a log

	mu        sync.Mutex
	processes map[message.ID]*followed
	elsewhere map[message.ID]schedule.Place // messages asked for with a process that does not have them
	modules   map[message.ID]process.Module
}

const (
	chainedSince      = 1_440_000              // block height from which on the network's assignments carry a hash chain
	headMaxAge        = 100 * time.Millisecond // of the known end of a log
	followedMax       = 4096
	elsewhereMax      = 1024
	recentMax         = 16
	attempts          = 5
	attemptDelay      = 500 * time.Millisecond // doubled after each failure
	rowWhere     byte = 'i'                    // second byte in the node's table: process, id -> slot
	rowMark      byte = 'm'                    // process, slot -> mark
)

// followed is one process of another scheduler.
type followed struct {
	id      message.ID
	su      *client.Network
	def     process.Definition
	chained bool

	mu     sync.Mutex
	mark   mark // the last slot that was read
	recent map[slotlog.Slot]client.Edge
	next   slotlog.Slot
	asked  time.Time
}

// mark is what the next slot is checked against.
type mark struct {
	slot       slotlog.Slot
	known      bool
	timestamp  int64
	assignment message.ID
	chain      message.ID
}

func newFollower(n *client.Network, s store.Store, verify bool) *follower {
	return &follower{network: n, store: s, verify: verify, headAge: headMaxAge, programs: modulesMax, processes: map[message.ID]*followed{},
		elsewhere: map[message.ID]schedule.Place{}, modules: map[message.ID]process.Module{}}
}

// again repeats a call that failed because the other side did not answer.
func again[T any](ctx context.Context, call func() (T, error)) (T, error) {
	delay := attemptDelay
	for n := 1; ; n++ {
		v, err := call()
		if err == nil || n == attempts || fault.KindOf(err) != fault.Unavailable {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(delay):
		}
		delay *= 2
	}
}

func (f *follower) process(ctx context.Context, id message.ID) (*followed, error) {
	f.mu.Lock()
	p, ok := f.processes[id]
	f.mu.Unlock()
	if ok {
		return p, nil
	}
	su := *f.network
	if su.SU == "" {
		base, err := again(ctx, func() (string, error) {
			if f.place != nil {
				return f.place(ctx, id)
			}
			return f.located(ctx, id)
		})
		if err != nil {
			return nil, err
		}
		su.SU = base
	}
	meta, err := again(ctx, func() (client.Process, error) { return su.Process(ctx, id) })
	if err != nil {
		if k := fault.KindOf(err); k == fault.NotFound || k == fault.Malformed {
			err = fault.New(fault.NotFound, "process-unknown", "the scheduler at %s does not know process %s", su.SU, id)
		}
		return nil, err
	}
	part := meta.Part()
	if part.Signature == "" { // the form of old processes; their definition is the same
		part.Signature = base64.RawURLEncoding.EncodeToString(make([]byte, commitment.RSA.SignatureSize()))
	}
	it, err := part.Item(nil)
	if err != nil {
		return nil, err
	}
	def, err := process.Define(it.Message())
	if err != nil {
		return nil, err
	}
	def.ID = id
	height, err := strconv.ParseUint(strings.TrimLeft(meta.Block, "0 "), 10, 64)
	p = &followed{id: id, su: &su, def: def, chained: err == nil && height >= chainedSince, recent: map[slotlog.Slot]client.Edge{}}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.processes) >= followedMax {
		clear(f.processes)
	}
	f.processes[id] = p
	return p, nil
}

// locatePoll is how often a gateway is asked again for a process that it does not know yet.
const locatePoll = 100 * time.Millisecond

// located finds the scheduler of a process at the gateway. One that was made a moment ago gets there a little later than its
// maker is answered, so it is asked again for a while.
func (f *follower) located(ctx context.Context, id message.ID) (string, error) {
	for deadline := time.Now().Add(f.patience); ; {
		_, base, err := f.network.Locate(ctx, id)
		if err == nil || fault.KindOf(err) != fault.NotFound || time.Now().After(deadline) {
			return base, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(locatePoll):
		}
	}
}

// Process gives the definition of a process.
func (f *follower) Process(ctx context.Context, id message.ID) (process.Definition, error) {
	p, err := f.process(ctx, id)
	if err != nil {
		return process.Definition{}, err
	}
	return p.def, nil
}

// Find gives the slot of a message or assignment, from the rows if it was read before.
func (f *follower) Find(ctx context.Context, id, msg message.ID) (slotlog.Slot, error) {
	if id == msg {
		return 0, nil
	}
	if v, err := f.store.Get(whereKey(id, msg)); err == nil && len(v) == 8 {
		return slotlog.Slot(binary.BigEndian.Uint64(v)), nil
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	p, err := f.process(ctx, id)
	if err != nil {
		return 0, err
	}
	edge, err := again(ctx, func() (client.Edge, error) { return p.su.Slot(ctx, id, msg) })
	if err != nil {
		if k := fault.KindOf(err); k == fault.NotFound || k == fault.Malformed {
			err = fault.New(fault.NotFound, "message-unknown", "the scheduler at %s does not know message %s", p.su.SU, msg)
		}
		return 0, err
	}
	s, err := edge.Read()
	if err != nil {
		return 0, err
	}
	if s.Process != id {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.elsewhere) >= elsewhereMax {
			clear(f.elsewhere)
		}
		f.elsewhere[msg] = schedule.Place{Process: s.Process, Slot: s.Slot}
		return 0, fault.New(fault.NotFound, "message-unknown", "message %s is not one of process %s", msg, id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.recent) >= recentMax {
		clear(p.recent)
	}
	p.recent[s.Slot] = edge
	return s.Slot, nil
}

// Where tells of a message that Find found in another process.
func (f *follower) Where(_ context.Context, id message.ID) ([]schedule.Place, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p, ok := f.elsewhere[id]; ok {
		return []schedule.Place{p}, nil
	}
	return nil, nil
}

// Next asks the scheduler where the log ends, not more often than readers can notice.
func (f *follower) Next(ctx context.Context, id message.ID) (slotlog.Slot, error) {
	p, err := f.process(ctx, id)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	next, fresh := p.next, time.Since(p.asked) < f.headAge
	p.mu.Unlock()
	if fresh {
		return next, nil
	}
	edge, err := again(ctx, func() (client.Edge, error) { return p.su.Latest(ctx, id) })
	if err != nil {
		return 0, err
	}
	s, err := edge.Read()
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.asked = s.Slot+1, time.Now()
	return p.next, nil
}

// Range reads the slots from <= slot < to.
func (f *follower) Range(ctx context.Context, id message.ID, from, to slotlog.Slot) iter.Seq2[process.Assigned, error] {
	return func(yield func(process.Assigned, error) bool) {
		if from >= to {
			return
		}
		p, err := f.process(ctx, id)
		if err != nil {
			yield(process.Assigned{}, err)
			return
		}
		at, err := f.markBefore(p, from)
		if err != nil {
			yield(process.Assigned{}, err)
			return
		}
		r := &reading{f: f, p: p, at: at}
		defer r.flush()
		for edge, err := range f.edges(ctx, p, at, to) {
			if err == nil {
				err = r.check(ctx, edge)
			}
			if err != nil {
				yield(process.Assigned{}, err)
				return
			}
			if r.at.slot < from {
				continue
			}
			a, err := f.assigned(ctx, r.slot, edge)
			if !yield(a, err) || err != nil || r.at.slot+1 >= to {
				return
			}
		}
	}
}

// Anchor makes a position that was trusted a place to read on from, if the scheduler has the same assignment there. What it
// sends next has to follow on it.
func (f *follower) Anchor(ctx context.Context, at compute.Position) error {
	p, err := f.process(ctx, at.Process)
	if err != nil {
		return err
	}
	m, err := f.markBefore(p, at.Slot+1)
	if err != nil {
		return err
	}
	if !(m.known && m.slot == at.Slot) {
		if m, err = f.markAt(ctx, p, at); err != nil {
			return err
		}
	}
	if m.slot != at.Slot || m.timestamp != at.Timestamp || !at.Assignment.IsZero() && m.assignment != at.Assignment ||
		!at.HashChain.IsZero() && m.chain != at.HashChain {
		return fault.New(fault.Forged, "checkpoint-of-another", "the scheduler at %s has another assignment in slot %d", p.su.SU, at.Slot)
	}
	b := &store.Batch{}
	b.Set(markKey(p.id, at.Slot), encodeMark(m))
	return f.store.Apply(b, false)
}

// markAt asks for the slot of a position, by its assignment, or where that is not known through the log.
func (f *follower) markAt(ctx context.Context, p *followed, at compute.Position) (mark, error) {
	if at.Assignment.IsZero() {
		for a, err := range f.Range(ctx, at.Process, at.Slot, at.Slot+1) {
			return mark{a.Slot, true, a.Timestamp, a.AssignmentID, a.HashChain}, err
		}
		return mark{}, fault.New(fault.NotFound, "slot-unknown", "the scheduler at %s has no slot %d of process %s", p.su.SU, at.Slot, at.Process)
	}
	edge, err := again(ctx, func() (client.Edge, error) { return p.su.Slot(ctx, at.Process, at.Assignment) })
	if err == nil && f.verify {
		err = f.verifySlot(ctx, edge)
	}
	if err != nil {
		return mark{}, err
	}
	s, err := edge.Read()
	if err == nil && s.Process != p.id {
		err = fault.New(fault.Forged, "checkpoint-of-another", "the assignment %s is one of process %s", at.Assignment, s.Process)
	}
	return mark{s.Slot, true, s.Timestamp, s.Assignment, s.HashChain}, err
}

// edges gives the slots after a mark: those that Find has just seen without asking again.
func (f *follower) edges(ctx context.Context, p *followed, at mark, to slotlog.Slot) iter.Seq2[client.Edge, error] {
	return func(yield func(client.Edge, error) bool) {
		next, after := slotlog.Slot(0), int64(-1)
		if at.known {
			next, after = at.slot+1, at.timestamp
		}
		for ; next < to; next++ {
			p.mu.Lock()
			edge, ok := p.recent[next]
			p.mu.Unlock()
			if !ok {
				break
			}
			s, err := edge.Read()
			if !yield(edge, err) || err != nil {
				return
			}
			after = s.Timestamp
		}
		if next >= to {
			return
		}
		for edge, err := range p.su.Log(ctx, p.id, after) {
			if !yield(edge, err) || err != nil {
				return
			}
		}
	}
}

// reading is one way through a log.
type reading struct {
	f     *follower
	p     *followed
	at    mark
	slot  client.Slot
	batch store.Batch
}

const rowsAtOnce = 512

// check takes a slot only if it is the one that follows.
func (r *reading) check(ctx context.Context, edge client.Edge) error {
	s, err := edge.Read()
	if err != nil {
		return err
	}
	want, chain := slotlog.Slot(0), client.ChainSeed(r.p.id)
	core := process.Chain(nil, s.Message.String())
	if r.at.known {
		want, chain = r.at.slot+1, client.Chain(r.at.assignment, r.at.chain)
		core = process.Chain(&r.at.chain, s.Message.String())
	}
	if s.Process != r.p.id || s.Slot != want {
		return fault.New(fault.Conflict, "slot-missing", "the scheduler at %s sent slot %d of %s instead of slot %d of %s", r.p.su.SU, s.Slot, s.Process, want, r.p.id)
	}
	// An AO-Core process may be scheduled by legacy units, too, which keep to their rule.
	if r.p.chained && s.HashChain != chain && (r.p.def.Legacy() || s.HashChain != core) {
		return fault.New(fault.Unsupported, "hash-chain-invalid", "HashChain invalid on message %s", s.Message).
			WithHint("the scheduler's log was changed or has a gap: it is not evaluated past this slot")
	}
	if r.f.verify {
		if err := r.f.verifySlot(ctx, edge); err != nil {
			return err
		}
	}
	r.slot = s
	r.at = mark{slot: s.Slot, known: true, timestamp: s.Timestamp, assignment: s.Assignment, chain: s.HashChain}
	slot := binary.BigEndian.AppendUint64(nil, uint64(s.Slot))
	for _, id := range []message.ID{s.Message, s.Assignment} {
		key := whereKey(r.p.id, id)
		if _, err := r.f.store.Get(key); errors.Is(err, store.ErrNotFound) { // of a message that is there twice, the first counts
			r.batch.Set(key, slot)
		}
	}
	if r.batch.Len() >= rowsAtOnce {
		r.flush()
	}
	return nil
}

// flush keeps the rows. They can be read again, so nothing waits for the disk, and a failure only costs that reading.
func (r *reading) flush() {
	if r.batch.Len() == 0 {
		return
	}
	r.batch.Set(markKey(r.p.id, r.at.slot), encodeMark(r.at))
	r.f.store.Apply(&r.batch, false)
	r.batch = store.Batch{}
	r.p.mu.Lock()
	r.p.mark = r.at
	r.p.mu.Unlock()
}

func (f *follower) verifySlot(ctx context.Context, edge client.Edge) error {
	if err := f.verifyPart(ctx, edge.Assignment); err != nil || edge.Message == nil {
		return err
	}
	return f.verifyPart(ctx, *edge.Message)
}

// verifyPart verifies what the scheduler shows. Where that need not be what was signed, since it is shown as text, the signed
// bytes come from the gateway, and what is shown has to be their text.
func (f *follower) verifyPart(ctx context.Context, p client.Part) error {
	err := p.Verify(nil)
	if err == nil || !p.Lossy() {
		return err
	}
	id, err := message.ParseID(p.ID)
	if err != nil {
		return fault.Wrap(err, fault.Malformed, "id-malformed", "message")
	}
	exact, err := again(ctx, func() (client.Exact, error) { return f.network.Exact(ctx, id) })
	if err != nil {
		return err
	}
	if !shows(p, exact) {
		return fault.New(fault.Forged, "signature-invalid", "the scheduler shows other tags, anchor or data of %s than were signed", p.ID)
	}
	return p.Verify(&exact)
}

// shows tells whether a part is how a scheduler shows these bytes.
func shows(p client.Part, e client.Exact) bool {
	if p.Data != js.Text(e.Data) || len(p.Tags) != len(e.Tags) {
		return false
	}
	for i, t := range e.Tags {
		if p.Tags[i].Name != js.Text([]byte(t.Name)) || p.Tags[i].Value != js.Text([]byte(t.Value)) {
			return false
		}
	}
	return p.Anchor == nil || *p.Anchor == string(e.Anchor) || *p.Anchor == base64.RawURLEncoding.EncodeToString(e.Anchor)
}

// assigned gives a slot as the compute unit takes it.
func (f *follower) assigned(ctx context.Context, s client.Slot, edge client.Edge) (process.Assigned, error) {
	a := process.Assigned{AssignmentID: s.Assignment, Entry: slotlog.Entry{
		Process: s.Process, Slot: s.Slot, Message: s.Message, Timestamp: s.Timestamp, BlockHeight: s.BlockHeight,
		HashChain: s.HashChain, Exclude: s.Exclude, ByID: edge.Message == nil,
	}}
	if edge.Message == nil {
		c, err := f.content(ctx, s.Message)
		a.Content = c
		return a, err
	}
	c, err := contentOf(s.Message, edge.Message.Owner.Address, edge.Message.Owner.Key, edge.Message.Signature, edge.Message.Tags)
	c.Target, c.Anchor, c.Data = edge.Message.Target, edge.Message.Anchor, []byte(edge.Message.Data)
	a.Content = c
	return a, err
}

func contentOf(id message.ID, address, key, signature string, tags []client.Tag) (process.Content, error) {
	c := process.Content{ID: id, Owner: address, Tags: make([]Tag, len(tags))}
	var err error
	if c.OwnerKey, err = base64.RawURLEncoding.DecodeString(key); err == nil {
		c.Signature, err = base64.RawURLEncoding.DecodeString(signature)
	}
	if err != nil {
		return c, fault.Wrap(err, fault.Unavailable, "message-malformed", "the owner or signature of %s", id)
	}
	if len(c.OwnerKey) == commitment.Ethereum.OwnerSize() {
		c.Owner = commitment.ProcessAddress(c.OwnerKey)
	}
	for i, t := range tags {
		c.Tags[i] = Tag{Name: t.Name, Value: t.Value}
	}
	return c, nil
}

// content gives a message that was assigned by its id, as the gateway has it.
func (f *follower) content(ctx context.Context, id message.ID) (process.Content, error) {
	t, err := again(ctx, func() (client.Transaction, error) { return f.network.Transaction(ctx, id) })
	if err != nil {
		return process.Content{}, err
	}
	c, err := contentOf(id, t.Owner.Address, t.Owner.Key, t.Signature, t.Tags)
	if err != nil {
		return c, err
	}
	c.Target, c.Anchor = t.Recipient, &t.Anchor
	c.Data, err = again(ctx, func() ([]byte, error) { return f.network.Data(ctx, id) })
	return c, err
}

// modulesMax are the programs whose bytes are kept: a unit runs many processes of few modules.
const modulesMax = 8

// Module finds a program at the gateway.
func (f *follower) Module(ctx context.Context, id message.ID) (process.Module, error) {
	f.mu.Lock()
	m, ok := f.modules[id]
	f.mu.Unlock()
	if ok {
		return m, nil
	}
	t, err := again(ctx, func() (client.Transaction, error) { return f.network.Transaction(ctx, id) })
	if err != nil {
		return process.Module{}, err
	}
	c, err := contentOf(id, t.Owner.Address, t.Owner.Key, "", t.Tags)
	if err != nil {
		return process.Module{}, err
	}
	data := sync.OnceValues(func() ([]byte, error) {
		return again(context.WithoutCancel(ctx), func() ([]byte, error) { return f.network.Data(context.WithoutCancel(ctx), id) })
	})
	m, err = describe(id, c.Owner, c.Tags, func(context.Context) ([]byte, error) {
		b, err := data()
		if err != nil { // the next one who asks tries again
			f.mu.Lock()
			delete(f.modules, id)
			f.mu.Unlock()
		}
		return b, err
	})
	if err != nil {
		return m, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.modules) >= f.programs {
		clear(f.modules)
	}
	f.modules[id] = m
	return m, nil
}

// markBefore finds the nearest mark before a slot; the zero mark is the beginning of the log.
func (f *follower) markBefore(p *followed, from slotlog.Slot) (mark, error) {
	if from == 0 {
		return mark{}, nil
	}
	p.mu.Lock()
	m := p.mark
	p.mu.Unlock()
	if m.known && m.slot == from-1 {
		return m, nil
	}
	for kv, err := range f.store.Scan(markKey(p.id, 0), markKey(p.id, from), true) {
		if err != nil {
			return mark{}, err
		}
		if m, ok := decodeMark(kv.Key, kv.Value); ok {
			return m, nil
		}
	}
	return mark{}, nil
}

func whereKey(p, id message.ID) []byte {
	k := append(make([]byte, 0, 66), store.TableNode, rowWhere)
	return append(append(k, p[:]...), id[:]...)
}

func markKey(p message.ID, slot slotlog.Slot) []byte {
	k := append(append(make([]byte, 0, 42), store.TableNode, rowMark), p[:]...)
	return binary.BigEndian.AppendUint64(k, uint64(slot))
}

func encodeMark(m mark) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 72), uint64(m.timestamp))
	return append(append(b, m.assignment[:]...), m.chain[:]...)
}

func decodeMark(key, v []byte) (mark, bool) {
	if len(key) != 42 || len(v) != 72 {
		return mark{}, false
	}
	return mark{
		slot: slotlog.Slot(binary.BigEndian.Uint64(key[34:])), known: true, timestamp: int64(binary.BigEndian.Uint64(v)),
		assignment: message.ID(v[8:40]), chain: message.ID(v[40:72]),
	}, true
}

var (
	_ compute.Schedule = (*follower)(nil)
	_ compute.Anchored = (*follower)(nil)
	_ compute.Modules  = (*follower)(nil)
)
