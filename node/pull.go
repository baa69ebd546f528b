package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ago/client"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/slotlog"
	"ago/store"
)

// puller brings results from compute units on other machines to the pusher. A row stands for each slot whose result is still
// to come. The row goes in the batch that stores what the result sends, so that no result is lost and none counts twice;
// results of one process are taken in the order of their slots, so that what it sends keeps its order.
type puller struct {
	store  store.Store
	f      *follower
	cu     *client.Network
	pusher *push.Pusher
	first  time.Duration // before a result that failed is asked for again
	max    int           // failures after which it is left for the next start; 0: never
	log    *slog.Logger
	ctx    context.Context
	wg     *sync.WaitGroup
	places chan struct{}

	mu   sync.Mutex
	busy map[message.ID]bool // process -> it has got new rows meanwhile

	taken, failed atomic.Uint64
	waiting       atomic.Int64
	failing       atomic.Int64 // of those that wait, results that could not be had when they were asked for last
}

const (
	pullsAtOnce  = 64 // each mostly waits for an evaluation
	pullDelayMax = time.Minute
	resultTime   = 30 * time.Minute // for one answer: the evaluation may take as long
)

// wake has the rows of a process looked at.
func (u *puller) wake(p message.ID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.busy[p]; ok {
		u.busy[p] = true
		return
	}
	if u.ctx.Err() != nil {
		return
	}
	u.busy[p] = false
	u.wg.Go(func() { u.process(p) })
}

// start takes up the rows of before.
func (u *puller) start() error {
	head := []byte{store.TableNode, rowPull}
	for from := head; ; {
		var found message.ID
		ok := false
		for kv, err := range u.store.Scan(from, store.PrefixEnd(head), false) {
			if err != nil {
				return fault.Wrap(err, fault.Unavailable, "store-unreadable", "the results to come cannot be read")
			}
			if len(kv.Key) == 42 {
				found, ok = message.ID(kv.Key[2:34]), true
			}
			break
		}
		if !ok {
			return nil
		}
		u.wake(found)
		from = store.PrefixEnd(append(bytes.Clone(head), found[:]...))
	}
}

// process takes the results of one process until none is to come.
func (u *puller) process(p message.ID) {
	var after slotlog.Slot // rows before it were left for the next start
	for u.ctx.Err() == nil {
		slot, value, ok, err := u.next(p, after)
		if err != nil {
			u.log.Error("the results to come cannot be read", "process", p, "err", err)
			u.sleep(u.first)
			continue
		}
		if !ok {
			u.mu.Lock()
			if !u.busy[p] {
				delete(u.busy, p)
				u.mu.Unlock()
				return
			}
			u.busy[p] = false
			u.mu.Unlock()
			continue
		}
		if !u.pull(p, slot, value) {
			after = slot + 1
		}
	}
}

func (u *puller) next(p message.ID, from slotlog.Slot) (slot slotlog.Slot, value []byte, ok bool, err error) {
	for kv, err := range u.store.Scan(pullKey(p, from), store.PrefixEnd(append([]byte{store.TableNode, rowPull}, p[:]...)), false) {
		if err != nil {
			return 0, nil, false, err
		}
		return slotlog.Slot(binary.BigEndian.Uint64(kv.Key[34:])), bytes.Clone(kv.Value), true, nil
	}
	return 0, nil, false, nil
}

// pull takes one result, trying again until it is there. It is false if the result is left for the next start.
func (u *puller) pull(p message.ID, slot slotlog.Slot, value []byte) bool {
	u.waiting.Add(1)
	defer u.waiting.Add(-1)
	delay := u.first
	for tries := 1; ; tries++ {
		err := u.once(p, slot, value)
		if err == nil || u.ctx.Err() != nil {
			return err == nil
		}
		if u.failed.Add(1); tries == 1 {
			u.failing.Add(1)
			defer u.failing.Add(-1)
		}
		if u.max > 0 && tries >= u.max {
			u.log.Error("a result is not asked for any more until the next start", "process", p, "slot", slot, "err", err)
			return false
		}
		u.log.Warn("a result is asked for again", "process", p, "slot", slot, "err", err, "after", delay)
		u.sleep(delay)
		delay = min(2*delay, pullDelayMax)
	}
}

func (u *puller) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-u.ctx.Done():
	}
}

func (u *puller) once(p message.ID, slot slotlog.Slot, value []byte) error {
	var b store.Batch
	b.Delete(pullKey(p, slot))
	if len(value) < 32 {
		return u.store.Apply(&b, true)
	}
	ask := message.ID(value[:32])
	f, err := u.f.process(u.ctx, p)
	if err != nil {
		return err
	}
	edge, err := edgeOf(u.ctx, f.su, p, ask)
	if err != nil {
		return err
	}
	s, err := edge.Read()
	if err != nil {
		return err
	}
	if s.Process != p || s.Slot != slot {
		return fault.New(fault.Unavailable, "slot-elsewhere", "the scheduler at %s shows %s at slot %d of %s now", f.su.SU, ask, s.Slot, s.Process)
	}
	a, err := u.f.assigned(u.ctx, s, edge)
	if err != nil {
		return err
	}
	cu := u.cu
	if len(value) > 32 {
		cu = &client.Network{CU: string(value[32:])}
	}
	r, err := u.result(cu, p, ask)
	if err != nil {
		return err
	}
	if err := u.pusher.Plan(&b, f.def, a, r); err != nil {
		return err
	}
	if err := u.store.Apply(&b, true); err != nil {
		return err
	}
	u.pusher.Committed(p, slot)
	u.taken.Add(1)
	return nil
}

func (u *puller) result(cu *client.Network, p, id message.ID) (process.Result, error) {
	select {
	case u.places <- struct{}{}:
	case <-u.ctx.Done():
		return process.Result{}, u.ctx.Err()
	}
	defer func() { <-u.places }()
	ctx, cancel := context.WithTimeout(u.ctx, resultTime)
	defer cancel()
	got, err := cu.Result(ctx, p, id)
	if err != nil {
		return process.Result{}, err
	}
	return process.ParseResult(got.JSON)
}
