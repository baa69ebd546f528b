package push

import (
	"context"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// Filter chooses tasks. The zero Filter means all.
type Filter struct {
	State   State      // 0 for any
	Process message.ID // the sender; zero for any
	After   *Key       // only those behind this one
	Limit   int        // at most PageMax, which 0 means too
}

// Page is a part of the list of tasks. Next is set if there may be more: they come after it.
type Page struct {
	Tasks []Task
	Next  *Key
}

const (
	// PageMax bounds the tasks of a page.
	PageMax = 1000
	// readMax bounds the rows that are read for a page, so that a filter that little fits does not go through a whole table.
	readMax = 20_000
)

// Tasks lists tasks in the order of their keys. A page may be empty although there are more.
func (p *Pusher) Tasks(ctx context.Context, f Filter) (Page, error) {
	limit := f.Limit
	if limit <= 0 || limit > PageMax {
		limit = PageMax
	}
	head := []byte{store.TableTasks}
	if f.State == Parked {
		head = []byte{store.TablePushIndex, indexParked}
	}
	low, high := head, store.PrefixEnd(head)
	if !f.Process.IsZero() {
		low = append(low[:len(low):len(low)], f.Process[:]...)
		high = store.PrefixEnd(low)
	}
	if f.After != nil {
		k := f.After.bytes()
		after := append(append(head[:len(head):len(head)], k[:]...), 0)
		if string(after) > string(low) {
			low = after
		}
	}
	var page Page
	read := 0
	for kv, err := range p.c.Store.Scan(low, high, false) {
		if err != nil {
			return Page{}, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the tasks cannot be read")
		}
		if err := ctx.Err(); err != nil {
			return Page{}, fault.Wrap(err, fault.Unavailable, "cut-off", "list tasks")
		}
		if len(kv.Key) != len(head)+keySize {
			continue
		}
		if len(page.Tasks) == limit || read == readMax {
			return page, nil
		}
		read++
		k := keyBytes(kv.Key[len(head):]).key()
		page.Next = &k
		var r *row
		if f.State == Parked {
			r, err = p.row(k)
		} else {
			r, err = decodeRow(k, kv.Value)
		}
		if err != nil {
			return Page{}, err
		}
		if f.State == 0 || r.State == f.State {
			page.Tasks = append(page.Tasks, r.Task)
		}
	}
	page.Next = nil
	return page, nil
}

// Retry queues a parked task again, and wakes the lane of a pending one that waits. It is durable when it returns. Anybody may
// ask: what is delivered is the same message whenever it is delivered.
func (p *Pusher) Retry(_ context.Context, k Key) error {
	p.retrying.Lock()
	defer p.retrying.Unlock()
	r, err := p.row(k)
	if err != nil {
		return err
	}
	switch r.State {
	case Pending:
	case Parked:
		if err := p.requeue(r); err != nil {
			return err
		}
	case Dropped:
		return fault.New(fault.Unsupported, "task-dropped", "task %s cannot become a message: %s", k, r.Reason).
			WithHint("the process has to send a well-formed one")
	default:
		return fault.New(fault.Conflict, "task-done", "task %s is %s already", k, r.State).WithHint("nothing is left to do")
	}
	l := r.lane()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.insert(l, entry{k.bytes(), r.Planned})
	if lane := p.lanes[l]; lane != nil && lane.state == laneSleeping {
		lane.failures, lane.hurry = 0, true
		p.rouse(lane)
	}
	p.employ()
	return nil
}

func (p *Pusher) requeue(r *row) error {
	k := r.Key.bytes()
	r.State, r.Attempts, r.Changed = Pending, 0, p.now()
	var b store.Batch
	b.Delete(parkedKey(k))
	b.Set(pendingKey(r.lane(), k), plannedValue(r.Planned))
	b.Set(taskKey(k), r.encode())
	if err := p.c.Store.Apply(&b, true); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store-unwritable", "task %s cannot be queued", r.Key)
	}
	p.count.requeued.Add(1)
	p.count.pending.Add(1)
	p.count.parked.Add(-1)
	return nil
}
