package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/schedule"
	"ago/slotlog"
	"ago/store"
)

// remote is the schedulers of other machines, as the messenger uses them. What gets its slot there is noted in a row, from
// which its result is pulled and pushed on: see puller.
//
// A message that a client posts is noted before it is sent, too: its slot may be given and the answer lost.
type remote struct {
	f      *follower
	store  store.Store
	items  itemKeeper
	router string // scheduler router; "" is none
	pulled func(p message.ID)
	log    *slog.Logger

	verify func(message.Message) (commitment.Verified, error)

	mu     sync.Mutex
	flight map[string]bool // keys of intents that somebody is at
}

// itemKeeper keeps bytes of items.
type itemKeeper interface {
	PutItem(ctx context.Context, b *store.Batch, id message.ID, raw []byte) error
	Item(ctx context.Context, id message.ID) ([]byte, error)
}

// Rows of the messenger alone, by the second byte of their keys.
const (
	rowPull   byte = 'r' // process, slot -> what the result is asked by
	rowItem   byte = 'w' // id of an item that was posted and has no slot yet, as far as is known
	rowMade   byte = 'p' // id of a process that was made through here -> address of its scheduler: gateways hear of it later
	rowAssign byte = 'a' // process, message -> options of an assignment, likewise
)

const (
	suTimeMax   = time.Minute // for one call of a scheduler
	resendEvery = 10 * time.Second
)

// schedulerOf finds the scheduler that a process item names.
func (r *remote) schedulerOf(ctx context.Context, it *ans104.Item) (*client.Network, error) {
	n := *r.f.network
	if n.SU != "" {
		return &n, nil
	}
	if r.router != "" {
		n.SU = r.router
		return &n, nil
	}
	address, ok := it.Tag("Scheduler")
	if !ok {
		return nil, fault.New(fault.Malformed, "tag-missing", "the Process has no tag Scheduler").WithHint("name the address of a scheduler")
	}
	base, err := again(ctx, func() (string, error) { return r.f.network.Scheduler(ctx, address) })
	n.SU = base
	return &n, err
}

// place finds the scheduler of a process: the router's word counts before that of the gateway.
func (r *remote) place(ctx context.Context, id message.ID) (string, error) {
	base, err := r.store.Get(append([]byte{store.TableNode, rowMade}, id[:]...))
	if err == nil {
		return string(base), nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	if r.router != "" {
		n := client.Network{SU: r.router}
		if _, err := n.Process(ctx, id); err == nil {
			return r.router, nil
		} else if fault.KindOf(err) == fault.Unavailable {
			return "", err
		}
	}
	_, found, err := r.f.network.Locate(ctx, id)
	switch fault.CodeOf(err) {
	case "tag-missing": // it is on the gateway and names no scheduler: a wallet's transaction, or anything else
		err = fault.New(fault.NotFound, "process-unknown", "%s is no process", id)
	case "scheduler-unknown": // it is a process: what is for it has to wait
		err = fault.Wrap(err, fault.Unavailable, "scheduler-unknown", "the scheduler of process %s", id)
	}
	return found, err
}

// Submit gives a message to its scheduler.
func (r *remote) Submit(ctx context.Context, v commitment.Verified) (schedule.Receipt, error) {
	it, ok := ans104.ItemOf(v.Message())
	if !ok {
		return schedule.Receipt{}, fault.New(fault.Unsupported, "codec-unsupported", "only data items are brought to schedulers")
	}
	p, su := it.ID(), (*client.Network)(nil)
	var err error
	if kind, _ := it.Tag("Type"); kind == "Process" {
		su, err = r.schedulerOf(ctx, it)
	} else {
		p = it.Target
		var f *followed
		if f, err = r.f.process(ctx, p); err == nil {
			su = f.su
		}
	}
	if err != nil {
		return schedule.Receipt{}, unknownProcess(err)
	}
	_, err = call(ctx, func(ctx context.Context) (client.Scheduled, error) { return su.Schedule(ctx, it) })
	repeated := client.Repeated(err)
	if err != nil && !repeated {
		return schedule.Receipt{}, err
	}
	return r.receipt(ctx, su, p, it.ID(), it.ID(), repeated)
}

// Assign has a message get a slot in a process.
func (r *remote) Assign(ctx context.Context, p, id message.ID, o schedule.AssignOptions) (schedule.Receipt, error) {
	f, err := r.f.process(ctx, p)
	if err != nil {
		return schedule.Receipt{}, unknownProcess(err)
	}
	got, err := call(ctx, func(ctx context.Context) (client.Scheduled, error) {
		return f.su.Assign(ctx, p, id, o.BaseLayer, o.Exclude)
	})
	if client.Repeated(err) {
		return r.receipt(ctx, f.su, p, id, id, true)
	}
	if err != nil {
		return schedule.Receipt{}, err
	}
	as, err := message.ParseID(got.ID)
	if err != nil {
		return schedule.Receipt{}, fault.Wrap(err, fault.Unavailable, "answer-malformed", "the scheduler's answer to an assignment")
	}
	return r.receipt(ctx, f.su, p, as, as, false)
}

// Process gives the definition of a process.
func (r *remote) Process(ctx context.Context, id message.ID) (process.Definition, error) {
	d, err := r.f.Process(ctx, id)
	return d, unknownProcess(err)
}

// unknownProcess gives one code to all the ways in which nobody knows a process.
func unknownProcess(err error) error {
	if err != nil && fault.KindOf(err) == fault.NotFound && fault.CodeOf(err) != "process-unknown" {
		return fault.Wrap(err, fault.NotFound, "process-unknown", "no scheduler is known that has the process")
	}
	return err
}

func call[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, suTimeMax)
	defer cancel()
	v, err := f(ctx)
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		err = fault.Wrap(err, fault.Unavailable, "scheduler-slow", "the scheduler did not answer in %v", suTimeMax)
	}
	return v, err
}

// receipt asks for the slot and notes that its result is to be pulled.
func (r *remote) receipt(ctx context.Context, su *client.Network, p, id, ask message.ID, repeated bool) (schedule.Receipt, error) {
	edge, err := call(ctx, func(ctx context.Context) (client.Edge, error) {
		return again(ctx, func() (client.Edge, error) { return edgeOf(ctx, su, p, ask) })
	})
	if err != nil {
		return schedule.Receipt{}, err
	}
	s, err := edge.Read()
	if err != nil {
		return schedule.Receipt{}, err
	}
	if s.Process != p {
		return schedule.Receipt{}, fault.New(fault.Unavailable, "slot-elsewhere", "the scheduler at %s shows %s in process %s instead of %s", su.SU, ask, s.Process, p)
	}
	var b store.Batch
	b.Set(pullKey(p, s.Slot), ask[:])
	if ask == p {
		b.Set(append([]byte{store.TableNode, rowMade}, p[:]...), []byte(su.SU))
	}
	// Not synced: what says that the message is done is written after it, so both are there after a crash or neither.
	if err := r.store.Apply(&b, false); err != nil {
		return schedule.Receipt{}, err
	}
	r.pulled(p)
	return schedule.Receipt{ID: id, Assignment: s.Assignment, Process: p, Slot: s.Slot, Timestamp: s.Timestamp, Repeated: repeated}, nil
}

// edgeOf asks for the slot of a message. The process itself has the first one.
func edgeOf(ctx context.Context, su *client.Network, p, id message.ID) (client.Edge, error) {
	if id != p {
		return su.Slot(ctx, p, id)
	}
	for edge, err := range su.Log(ctx, p, -1) {
		return edge, err
	}
	return client.Edge{}, fault.New(fault.Unavailable, "slot-missing", "the scheduler at %s shows no slots of process %s yet", su.SU, p)
}

func pullKey(p message.ID, slot slotlog.Slot) []byte {
	k := append([]byte{store.TableNode, rowPull}, p[:]...)
	return binary.BigEndian.AppendUint64(k, uint64(slot))
}

// posted is remote for what clients post.
type posted struct{ *remote }

// Submit notes the item before it is sent.
func (r posted) Submit(ctx context.Context, v commitment.Verified) (schedule.Receipt, error) {
	it, ok := ans104.ItemOf(v.Message())
	if !ok {
		return r.remote.Submit(ctx, v)
	}
	id := it.ID()
	key := append([]byte{store.TableNode, rowItem}, id[:]...)
	var b store.Batch
	if err := r.items.PutItem(ctx, &b, id, it.Raw); err != nil {
		return schedule.Receipt{}, err
	}
	return r.noted(key, &b, nil, func() (schedule.Receipt, error) { return r.remote.Submit(ctx, v) })
}

// Assign notes the assignment before it is sent.
func (r posted) Assign(ctx context.Context, p, id message.ID, o schedule.AssignOptions) (schedule.Receipt, error) {
	key := append(append([]byte{store.TableNode, rowAssign}, p[:]...), id[:]...)
	value := []byte{0}
	if o.BaseLayer {
		value[0] = 1
	}
	value = append(value, strings.Join(o.Exclude, ",")...)
	return r.noted(key, &store.Batch{}, value, func() (schedule.Receipt, error) { return r.remote.Assign(ctx, p, id, o) })
}

// noted keeps a row while the outcome of a call is not known.
func (r *remote) noted(key []byte, b *store.Batch, value []byte, do func() (schedule.Receipt, error)) (schedule.Receipt, error) {
	r.mu.Lock()
	r.flight[string(key)] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.flight, string(key))
		r.mu.Unlock()
	}()
	b.Set(key, value)
	if err := r.store.Apply(b, true); err != nil {
		return schedule.Receipt{}, err
	}
	got, err := do()
	if err != nil && unsure(err) {
		return got, err
	}
	var done store.Batch
	done.Delete(key)
	return got, errors.Join(err, r.store.Apply(&done, false))
}

// unsure tells failures after which the message may have its slot all the same.
func unsure(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Unfinished, fault.Internal:
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// resend finds out what became of messages whose outcome was not known, by sending them again: they get their slot once.
func (r *remote) resend(ctx context.Context) {
	t := time.NewTicker(resendEvery)
	defer t.Stop()
	for {
		for _, kind := range []byte{rowItem, rowAssign} {
			if err := r.resendAll(ctx, kind); err != nil && ctx.Err() == nil {
				r.log.Warn("messages wait for their scheduler", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (r *remote) resendAll(ctx context.Context, kind byte) error {
	head := []byte{store.TableNode, kind}
	var keys, values [][]byte
	for kv, err := range r.store.Scan(head, store.PrefixEnd(head), false) {
		if err != nil {
			return err
		}
		keys, values = append(keys, bytes.Clone(kv.Key)), append(values, bytes.Clone(kv.Value))
	}
	var errs []error
	for i, key := range keys {
		r.mu.Lock()
		busy := r.flight[string(key)]
		r.mu.Unlock()
		if busy || ctx.Err() != nil {
			continue
		}
		err := r.resendOne(ctx, kind, key[2:], values[i])
		if err != nil && unsure(err) {
			errs = append(errs, err)
			continue
		}
		if err != nil {
			r.log.Warn("a message whose answer was lost was refused", "err", err)
		}
		var done store.Batch
		done.Delete(key)
		if err := r.store.Apply(&done, false); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

func (r *remote) resendOne(ctx context.Context, kind byte, key, value []byte) error {
	if kind == rowAssign {
		if len(key) != 64 || len(value) == 0 {
			return nil
		}
		o := schedule.AssignOptions{BaseLayer: value[0] == 1}
		if len(value) > 1 {
			o.Exclude = strings.Split(string(value[1:]), ",")
		}
		_, err := r.Assign(ctx, message.ID(key[:32]), message.ID(key[32:]), o)
		return err
	}
	if len(key) != 32 {
		return nil
	}
	raw, err := r.items.Item(ctx, message.ID(key))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m, err := ans104.Decode(raw)
	if err != nil {
		return err
	}
	v, err := r.verify(m)
	if err != nil {
		return err
	}
	_, err = r.Submit(ctx, v)
	return err
}

// remoteTarget is remote as the pusher uses it.
type remoteTarget struct{ r *remote }

func (t remoteTarget) Submit(ctx context.Context, v commitment.Verified) (push.Receipt, error) {
	got, err := t.r.Submit(ctx, v)
	return push.Receipt(got), err
}

func (t remoteTarget) Assign(ctx context.Context, p, id message.ID, o push.AssignOptions) (push.Receipt, error) {
	got, err := t.r.Assign(ctx, p, id, schedule.AssignOptions(o))
	return push.Receipt(got), err
}

func (t remoteTarget) Process(ctx context.Context, id message.ID) (process.Definition, error) {
	return t.r.Process(ctx, id)
}

// bundlerArchive uploads what is for nobody who evaluates.
type bundlerArchive struct{ n *client.Network }

func (a bundlerArchive) Upload(ctx context.Context, v commitment.Verified) error {
	it, ok := ans104.ItemOf(v.Message())
	if !ok {
		return fault.New(fault.Unsupported, "codec-unsupported", "only data items are uploaded")
	}
	if a.n.Bundler == "" {
		return fault.New(fault.NotFound, "process-unknown", "no scheduler is known that has the process %s", it.Target).
			WithHint("check the target; messages for wallets need --uploader-url")
	}
	_, err := call(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, a.n.Upload(ctx, it) })
	return err
}

var (
	_ push.Scheduler = remoteTarget{}
	_ push.Archive   = bundlerArchive{}
)
