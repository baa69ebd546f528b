package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"ago/client"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/slotlog"
	"ago/store"
)

// polled are the monitors of a messenger whose compute unit is on another machine: it is asked, again and again, for what the
// timers of the watched processes sent. Where it has come to is stored in the batch that stores what is to be delivered.
type polled struct {
	store  store.Store
	f      *follower
	cu     *client.Network
	pusher *push.Pusher
	every  time.Duration
	log    *slog.Logger
	wake   chan struct{}
}

const (
	rowWatch    byte = 'c' // second byte in the node's table: process -> cursor
	polledEvery      = 10 * time.Second
	polledTicks      = 50 // results of one answer
	polledTime       = 10 * time.Minute
)

func watchKey(p message.ID) []byte { return append([]byte{store.TableNode, rowWatch}, p[:]...) }

// Add watches a process from its newest result on.
func (m *polled) Add(p message.ID) error {
	if _, err := m.store.Get(watchKey(p)); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), suTimeMax)
	defer cancel()
	cursor, err := m.cu.Newest(ctx, p)
	if err != nil {
		return err
	}
	var b store.Batch
	b.Set(watchKey(p), []byte(cursor))
	if err := m.store.Apply(&b, true); err != nil {
		return err
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return nil
}

// Remove ends that.
func (m *polled) Remove(p message.ID) error {
	var b store.Batch
	b.Delete(watchKey(p))
	return m.store.Apply(&b, true)
}

// run asks until ctx ends.
func (m *polled) run(ctx context.Context) {
	t := time.NewTicker(m.every)
	defer t.Stop()
	for {
		if err := m.all(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("the timers of some processes are asked for again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-m.wake:
		}
	}
}

func (m *polled) all(ctx context.Context) error {
	head := []byte{store.TableNode, rowWatch}
	type watched struct {
		p      message.ID
		cursor string
	}
	var list []watched
	for kv, err := range m.store.Scan(head, store.PrefixEnd(head), false) {
		if err != nil {
			return err
		}
		if len(kv.Key) == 34 {
			list = append(list, watched{message.ID(bytes.Clone(kv.Key[2:])), string(kv.Value)})
		}
	}
	var errs []error
	for _, w := range list {
		for more := true; more && ctx.Err() == nil; {
			var err error
			if w.cursor, more, err = m.one(ctx, w.p, w.cursor); err != nil {
				errs = append(errs, err)
				break
			}
		}
	}
	return errors.Join(errs...)
}

// one takes an answer's worth of ticks of a process.
func (m *polled) one(ctx context.Context, p message.ID, from string) (cursor string, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, polledTime)
	defer cancel()
	f, err := m.f.process(ctx, p)
	if err != nil {
		return from, false, err
	}
	ticks, more, err := m.cu.Ticks(ctx, p, from, polledTicks)
	if err != nil || len(ticks) == 0 {
		return from, false, err
	}
	var b store.Batch
	var planned []push.Position
	for _, t := range ticks {
		cursor = t.Cursor
		if t.Timer == "" { // the result of a message, which is pushed by whoever brought it
			continue
		}
		at := push.Position{Process: p, Slot: slotlog.Slot(t.Slot), Tick: t.Timestamp}
		if at.Cron, err = timerPlace(t.Timer); err != nil {
			return from, false, err
		}
		r, err := process.ParseResult(t.Node)
		if err == nil {
			err = m.pusher.PlanCron(&b, f.def, at, r)
		}
		if err != nil {
			return from, false, err
		}
		planned = append(planned, at)
	}
	if _, err := m.store.Get(watchKey(p)); errors.Is(err, store.ErrNotFound) {
		return cursor, false, nil // nobody watches it any more
	}
	b.Set(watchKey(p), []byte(cursor))
	if err := m.store.Apply(&b, true); err != nil {
		return from, false, err
	}
	for _, at := range planned {
		m.pusher.CommittedCron(at)
	}
	return cursor, more, nil
}

// timerPlace numbers a timer by its name, "<index>-<interval>": the index counts timers by time and by blocks apart.
func timerPlace(name string) (uint16, error) {
	text, rest, _ := strings.Cut(name, "-")
	n, err := strconv.ParseUint(text, 10, 14)
	if err != nil {
		return 0, fault.New(fault.Unavailable, "timer-unreadable", "the compute unit names a timer %.60q", name)
	}
	place := uint16(n)*2 + 1
	if strings.Contains(strings.ToLower(rest), "block") {
		place++
	}
	return place, nil
}
