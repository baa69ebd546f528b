package push

import (
	"context"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// Sent gives the tasks of a slot's result in their order, at most PageMax, once each was tried: what failed is tried again later,
// and not waited for. The result has to be stored.
func (p *Pusher) Sent(ctx context.Context, id message.ID, slot slotlog.Slot) ([]Task, error) {
	for {
		moved := p.watch()
		tasks, open, err := p.tasksOf(Position{Process: id, Slot: slot})
		if err != nil || !open {
			return tasks, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return tasks, nil
		case <-p.ctx.Done():
			return tasks, nil
		}
	}
}

// watch gives a channel that is closed at the next end of an attempt.
func (p *Pusher) watch() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved == nil {
		p.moved = make(chan struct{})
	}
	return p.moved
}

// move tells those who watch.
func (p *Pusher) move() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

// tasksOf reads the tasks of a position; open tells that one was not tried yet.
func (p *Pusher) tasksOf(pos Position) (tasks []Task, open bool, err error) {
	prefix := pos.append([]byte{store.TableTasks})
	for kv, err := range p.c.Store.Scan(prefix, store.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the tasks cannot be read")
		}
		if len(kv.Key) != 1+keySize || len(tasks) == PageMax {
			break
		}
		r, err := decodeRow(keyBytes(kv.Key[1:]).key(), kv.Value)
		if err != nil {
			return nil, false, err
		}
		open = open || r.State == Pending && r.Attempts == 0
		tasks = append(tasks, r.Task)
	}
	return tasks, open, nil
}
