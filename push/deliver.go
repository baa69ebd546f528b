package push

import (
	"context"
	"errors"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// outcome of an attempt, for the lane: done if neither stopped nor due.
type outcome struct {
	stopped  bool   // the pusher is closing; the task is as it was
	due      int64  // ms of the next attempt
	failures uint32 // in a row, in this lane
}

// deliver makes one attempt at a task.
func (p *Pusher) deliver(l *lane, k keyBytes) outcome {
	defer p.move()
	r, err := p.row(k.key())
	switch {
	case fault.KindOf(err) == fault.Unavailable:
		return p.again(l, err)
	case err != nil:
		// Nobody can deliver what cannot be read. The row stays for whoever can.
		p.c.Log.Error("task given up", "task", k.key(), "err", err)
		return p.forget(l, k)
	case r.State != Pending:
		return outcome{failures: l.failures}
	case r.Due > p.now() && !l.hurry:
		return outcome{due: r.Due}
	}
	l.hurry = false
	switch err = p.send(p.ctx, r); {
	case err == nil:
		return p.finish(l, r)
	case p.ctx.Err() != nil:
		return outcome{stopped: true} // no failure of the target
	}
	return p.fail(l, r, err)
}

func (p *Pusher) row(k Key) (*row, error) {
	raw, err := p.c.Store.Get(taskKey(k.bytes()))
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "task-unknown", "there is no task %s", k).WithHint("the list of tasks shows those there are")
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "store-unreadable", "task %s cannot be read", k)
	}
	return decodeRow(k, raw)
}

// send hands over what the task delivers and notes in the row what came of it.
func (p *Pusher) send(ctx context.Context, r *row) error {
	if r.Kind == KindAssign {
		return p.sendAssign(ctx, r)
	}
	if r.whole != nil {
		return p.sendCore(ctx, r)
	}
	it, err := r.item(p.c.Key)
	if err != nil {
		return err
	}
	r.Message = it.ID()
	target := it.Target
	if r.Kind == KindSpawn {
		target = r.Message
		r.Target = target.String()
	}
	plain := false
	if r.Kind != KindSpawn {
		switch _, err := p.c.Scheduler.Process(ctx, target); {
		case fault.KindOf(err) == fault.NotFound:
			plain = true
		case err != nil:
			return err
		}
	}
	v, err := p.verify(it.Message())
	if err != nil {
		return err
	}
	if plain {
		if err := p.c.Archive.Upload(ctx, v); err != nil {
			return err
		}
		r.State = Uploaded
		return nil
	}
	if err := p.arrive(r, r.Message, target); err != nil {
		return err
	}
	got, err := p.c.Scheduler.Submit(ctx, v)
	if err == nil {
		r.scheduled(got)
	}
	return err
}

func (p *Pusher) sendAssign(ctx context.Context, r *row) error {
	target, err := message.ParseID(r.Target)
	if err != nil {
		return fault.Wrap(err, fault.Malformed, "target-not-an-id", "assign %s", r.subject)
	}
	r.Message = r.subject
	if err := p.arrive(r, r.subject, target); err != nil {
		return err
	}
	got, err := p.c.Scheduler.Assign(ctx, target, r.subject, AssignOptions{BaseLayer: r.baseLayer, Exclude: r.exclude})
	if err == nil {
		r.scheduled(got)
	}
	return err
}

func (r *row) scheduled(got Receipt) {
	r.State, r.Assignment, r.Slot, r.Repeated = Delivered, got.Assignment, &got.Slot, got.Repeated
}

// arrive notes which task brings a message to a process. The first one stays: a second task with the same message is a repeat.
// A message that was there before somebody assigned it did not come by the assignment.
func (p *Pusher) arrive(r *row, id, target message.ID) error {
	if _, ok, err := p.arrival(id, target); err != nil || ok {
		return err
	}
	if r.Kind == KindAssign {
		if _, err := p.c.Store.Get(placeKey(id, target)); !errors.Is(err, store.ErrNotFound) {
			return fault.Wrap(err, fault.Unavailable, "store-unreadable", "the place of %s cannot be read", id)
		}
	}
	var b store.Batch
	b.Set(arrivalKey(id, target), arrival{r.Key.bytes(), r.Root, r.Depth}.encode())
	return p.c.Store.Apply(&b, false)
}

// finish writes that the task is done, together with what follows from it. It is not synced: see invariant 2.
func (p *Pusher) finish(l *lane, r *row) outcome {
	now := p.now()
	var b store.Batch
	var pl planned
	if r.State == Delivered {
		for _, next := range r.followUps(now) {
			pl.add(&b, &next)
		}
	}
	r.Changed, r.Due, r.Code, r.Reason = now, 0, "", ""
	r.anchor, r.data, r.tags, r.exclude, r.scheduler, r.whole = "", nil, nil, nil, "", nil
	k := r.Key.bytes()
	b.Set(taskKey(k), r.encode())
	b.Delete(pendingKey(l.key, k))
	if err := p.c.Store.Apply(&b, false); err != nil {
		return p.again(l, err)
	}
	p.mu.Lock()
	p.admit(pl)
	p.mu.Unlock()
	p.count.pending.Add(-1)
	if r.State == Uploaded {
		p.count.uploaded.Add(1)
	} else {
		p.count.delivered.Add(1)
	}
	return outcome{}
}

// passes tells failures that go by from refusals that stay.
func passes(err error) bool {
	switch fault.KindOf(err) {
	case fault.Internal, fault.TooMany, fault.Unfinished, fault.Unavailable:
		return true
	case fault.Conflict:
		return fault.CodeOf(err) == "not-settled" // more blocks will come
	}
	return false
}

// fail writes when to try again, or that the task is parked.
//
// Failures are counted by lane: when a target has not answered for a day, the tasks behind the one that is given up do not get
// a day each. One attempt tells whether the target is back.
func (p *Pusher) fail(l *lane, r *row, cause error) outcome {
	p.count.failures.Add(1)
	now := p.now()
	failures := max(l.failures, r.Attempts) + 1
	r.Attempts++
	r.Changed, r.Code, r.Reason = now, fault.CodeOf(cause), cut(cause.Error(), reasonMax)
	k := r.Key.bytes()
	var b store.Batch
	lasting := !passes(cause)
	if lasting || failures >= p.c.Limits.AttemptsMax {
		r.park(r.Code, r.Reason)
		b.Delete(pendingKey(l.key, k))
		b.Set(parkedKey(k), nil)
	} else {
		r.Due = now + p.delay(failures).Milliseconds()
	}
	b.Set(taskKey(k), r.encode())
	if err := p.c.Store.Apply(&b, false); err != nil {
		return p.again(l, err)
	}
	if r.State != Parked {
		l.failures = failures
		return outcome{due: r.Due}
	}
	p.count.pending.Add(-1)
	p.count.parked.Add(1)
	p.count.gaveUp.Add(1)
	p.c.Log.Warn("task parked", "task", r.Key, "kind", r.Kind, "target", r.Target, "code", r.Code, "reason", r.Reason)
	if lasting {
		failures = 0 // the target has answered
	}
	return outcome{failures: failures}
}

// again is for failures of the node's own store, of which the row cannot tell.
func (p *Pusher) again(l *lane, err error) outcome {
	if p.ctx.Err() != nil {
		return outcome{stopped: true}
	}
	p.count.failures.Add(1)
	l.failures++
	p.c.Log.Error("the store failed a task", "process", l.key.from, "err", err)
	return outcome{due: p.now() + p.delay(l.failures).Milliseconds()}
}

func (p *Pusher) forget(l *lane, k keyBytes) outcome {
	var b store.Batch
	b.Delete(pendingKey(l.key, k))
	if err := p.c.Store.Apply(&b, false); err != nil {
		return p.again(l, err)
	}
	p.count.pending.Add(-1)
	return outcome{failures: l.failures}
}
