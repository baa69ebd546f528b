package push

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
	"ago/store/memory"
)

// crashStore is a store whose machine can lose its power: what was not synced is gone from some point on.
type crashStore struct {
	mu       sync.Mutex
	live     *memory.Store
	durable  *memory.Store
	unsynced []*store.Batch
	dead     bool
}

func newCrashStore() *crashStore { return &crashStore{live: memory.New(), durable: memory.New()} }

func (s *crashStore) Get(key []byte) ([]byte, error) { return s.live.Get(key) }

func (s *crashStore) Scan(lower, upper []byte, reverse bool) iter.Seq2[store.Pair, error] {
	return s.live.Scan(lower, upper, reverse)
}

func (s *crashStore) Apply(b *store.Batch, sync bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return store.ErrClosed
	}
	if err := s.live.Apply(b, sync); err != nil {
		return err
	}
	s.unsynced = append(s.unsynced, &store.Batch{Ops: slices.Clone(b.Ops)})
	if sync {
		s.flush(len(s.unsynced))
	}
	return nil
}

func (s *crashStore) flush(n int) {
	for _, b := range s.unsynced[:n] {
		if err := s.durable.Apply(b, true); err != nil {
			panic(err)
		}
	}
	s.unsynced = nil
}

func (s *crashStore) Close() error { return s.live.Close() }

// crash keeps the synced batches and that share of the others, in their order.
func (s *crashStore) crash(share float64) *crashStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	s.flush(int(share * float64(len(s.unsynced))))
	next := newCrashStore()
	var all store.Batch
	for kv := range s.durable.Scan(nil, nil, false) {
		all.Set(kv.Key, kv.Value)
	}
	if err := next.Apply(&all, true); err != nil {
		panic(err)
	}
	return next
}

// slotted is a slot in the world's logs.
type slotted struct {
	id   message.ID
	item *ans104.Item
	byID bool
}

// world is the rest of a network: schedulers that never forget, and an evaluation of each slot.
type world struct {
	mu       sync.Mutex
	store    *crashStore
	pusher   *Pusher
	key      *commitment.Key
	defs     map[message.ID]process.Definition
	logs     map[message.ID][]slotted
	done     map[message.ID]int // slots that are evaluated since the start of the pusher
	uploads  []message.ID
	evaluate func(p message.ID, slot slotlog.Slot, s slotted) process.Result
	refuse   func(op string, target message.ID) error // before anything happens
	lose     func(op string, target message.ID) error // after it has happened: the answer is lost
	dead     bool
	module   message.ID
}

func newWorld(t testing.TB) *world {
	t.Helper()
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		store: newCrashStore(), key: key, defs: map[message.ID]process.Definition{}, logs: map[message.ID][]slotted{},
		done:     map[message.ID]int{},
		evaluate: func(message.ID, slotlog.Slot, slotted) process.Result { return result(nil, nil, nil) },
		module:   message.HashOf([]byte("module")),
	}
}

// open starts a pusher on what the store holds.
func (w *world) open(t testing.TB, c Config) *Pusher {
	t.Helper()
	c.Store, c.Scheduler, c.Archive, c.Key = w.store, w, w, w.key
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	p, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.pusher, w.dead, w.done = p, false, map[message.ID]int{}
	w.mu.Unlock()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	w.catchUp()
	return p
}

// catchUp evaluates what has a slot and no result, as a compute unit does after a restart.
func (w *world) catchUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.processes() {
		for slot := range w.logs[p] {
			w.compute(p, slotlog.Slot(slot))
		}
	}
}

func (w *world) processes() []message.ID {
	var ids []message.ID
	for id := range w.defs {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b message.ID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

func (w *world) compute(p message.ID, slot slotlog.Slot) {
	if w.dead || w.pusher == nil {
		return
	}
	at := Position{Process: p, Slot: slot}.append([]byte{store.TableResults})
	if _, err := w.store.Get(at); err == nil {
		return
	}
	s := w.logs[p][slot]
	a := process.Assigned{Entry: slotlog.Entry{Process: p, Slot: slot, Message: s.id, ByID: s.byID}}
	if s.item != nil {
		a.Content = process.ContentOf(s.item)
	}
	var b store.Batch
	b.Set(at, []byte{1})
	if err := w.pusher.Plan(&b, w.defs[p], a, w.evaluate(p, slot, s)); err != nil {
		return // the store failed: a later catch-up comes here again
	}
	if w.store.Apply(&b, true) == nil {
		w.pusher.Committed(p, slot)
	}
}

func (w *world) hook(h func(string, message.ID) error, op string, target message.ID) error {
	if w.dead {
		return fault.New(fault.Unavailable, "dead", "the machine is off")
	}
	if h == nil {
		return nil
	}
	return h(op, target)
}

func (w *world) Process(_ context.Context, id message.ID) (process.Definition, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.defs[id]
	if !ok {
		return d, fault.New(fault.NotFound, "process-unknown", "no process %s", id)
	}
	return d, nil
}

func (w *world) Submit(_ context.Context, v commitment.Verified) (Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	it, _ := ans104.ItemOf(v.Message())
	if err := w.hook(w.refuse, "submit", it.Target); err != nil {
		return Receipt{}, err
	}
	got, err := w.take(it)
	if err != nil {
		return got, err
	}
	return got, w.hook(w.lose, "submit", it.Target)
}

func (w *world) take(it *ans104.Item) (Receipt, error) {
	target := it.Target
	if kind, _ := it.Tag("Type"); kind == "Process" {
		target = it.ID()
		d, err := process.Define(it.Message())
		if err != nil {
			return Receipt{}, err
		}
		w.defs[target] = d
	}
	return w.append(target, slotted{it.ID(), it, false}), nil
}

// refusing sets how calls of the pusher fail.
func (w *world) refusing(f func(op string, target message.ID) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = f
}

func (w *world) Assign(_ context.Context, p, msg message.ID, _ AssignOptions) (Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.hook(w.refuse, "assign", p); err != nil {
		return Receipt{}, err
	}
	got := w.append(p, slotted{msg, nil, true})
	got.ID = got.Assignment
	return got, w.hook(w.lose, "assign", p)
}

func (w *world) append(p message.ID, s slotted) Receipt {
	for slot, old := range w.logs[p] {
		if old.id == s.id || pushedAlike(old, s) {
			return w.receipt(p, slotlog.Slot(slot), s.id, true)
		}
	}
	w.logs[p] = append(w.logs[p], s)
	slot := slotlog.Slot(len(w.logs[p]) - 1)
	w.compute(p, slot)
	return w.receipt(p, slot, s.id, false)
}

// pushedAlike tells two pushed messages that schedulers take for one, whoever signed them.
func pushedAlike(a, b slotted) bool {
	if a.item == nil || b.item == nil {
		return false
	}
	_, from := a.item.Tag("From-Process")
	return from && ans104.DedupHash(a.item) == ans104.DedupHash(b.item)
}

func (w *world) receipt(p message.ID, slot slotlog.Slot, id message.ID, repeated bool) Receipt {
	assignment := message.HashOf(fmt.Appendf(nil, "%s %d", p, slot))
	return Receipt{ID: id, Assignment: assignment, Process: p, Slot: slot, Timestamp: 1, Repeated: repeated}
}

func (w *world) Upload(_ context.Context, v commitment.Verified) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.hook(w.refuse, "upload", message.ID{}); err != nil {
		return err
	}
	w.uploads = append(w.uploads, v.ID())
	return nil
}

// spawn makes a process without a message that asks for it.
func (w *world) spawn(t testing.TB, name string) message.ID {
	t.Helper()
	it, err := ans104.Sign(ans104.Draft{Tags: []process.Tag{
		{Name: "Data-Protocol", Value: "ao"}, {Name: "Type", Value: "Process"}, {Name: "Variant", Value: "ao.TN.1"},
		{Name: "Name", Value: name}, {Name: "Module", Value: w.module.String()},
		{Name: "Scheduler", Value: w.key.Address().String()}, {Name: "Authority", Value: w.key.ProcessAddress()},
	}}, w.key)
	if err != nil {
		t.Fatal(err)
	}
	return w.submit(t, it)
}

// send is a message of a user.
func (w *world) send(t testing.TB, to message.ID, tags ...process.Tag) message.ID {
	t.Helper()
	user, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	n := len(w.logs[to])
	w.mu.Unlock()
	tags = append(tags, process.Tag{Name: "Data-Protocol", Value: "ao"}, process.Tag{Name: "Type", Value: "Message"})
	it, err := ans104.Sign(ans104.Draft{Target: to, HasTarget: true, Tags: tags, Data: fmt.Appendf(nil, "%d", n)}, user)
	if err != nil {
		t.Fatal(err)
	}
	return w.submit(t, it)
}

func (w *world) submit(t testing.TB, it *ans104.Item) message.ID {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.take(it); err != nil {
		t.Fatal(err)
	}
	return it.ID()
}

func (w *world) log(p message.ID) []slotted {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.logs[p])
}

type object = map[string]any

func tagList(kv ...string) []object {
	list := []object{}
	for i := 0; i < len(kv); i += 2 {
		list = append(list, object{"name": kv[i], "value": kv[i+1]})
	}
	return list
}

func anchor(slot slotlog.Slot, index int) string { return fmt.Sprintf("%016d%016d", slot, index) }

func result(messages, spawns, assigns []object) process.Result {
	list := func(v []object) json.RawMessage {
		if len(v) == 0 {
			return json.RawMessage("[]")
		}
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return b
	}
	return process.Result{Messages: list(messages), Spawns: list(spawns), Assignments: list(assigns), Output: json.RawMessage(`""`)}
}

// atRest tells that all is delivered and no search of the table is under way: one that began before the last delivery may still
// bring back a lane that has nothing left.
func atRest(p *Pusher) bool {
	s := p.Stats()
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.Pending == 0 && p.workers == 0 && !p.filling && len(p.ready) == 0
}

// idle waits until the pusher is at rest.
func idle(t testing.TB, p *Pusher) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for !atRest(p) {
		if time.Now().After(end) {
			t.Fatalf("still busy: %+v", p.Stats())
		}
		time.Sleep(200 * time.Microsecond)
	}
}
