package schedule

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// lane is the queue of one process. One goroutine drains it; it lives while there is work.
//
// Invariants: slots of a process are composed by its lane only; a block that may have been stored (an append of it failed
// with an unknown outcome) stays in unsettled and is appended again, byte for byte, before another block is composed.
type lane struct {
	process   message.ID
	waiting   []*request // guarded by Scheduler.mu, as is busy
	busy      bool
	head      *slotlog.Head // nil: to be read from the log
	floor     int64         // ms; no further slot gets an earlier time. Read with the head
	unsettled *composed
}

// composed is a block with everything that is stored beside it.
type composed struct {
	block    slotlog.Block
	extra    *store.Batch
	placed   map[message.ID]bool // further ids of its messages
	receipts []answer
	slots    []recent
	toSign   []unsigned
}

// unsigned is an assignment that somebody will read at once.
type unsigned struct {
	at         int // among the slots
	assignment message.Message
}

type answer struct {
	request *request
	receipt Receipt
}

// batchLog is a log in which a block and other changes are one atomic batch.
type batchLog interface {
	AppendWith(ctx context.Context, extra *store.Batch, blocks ...slotlog.Block) error
}

func (s *Scheduler) drain(l *lane) {
	defer s.wg.Done()
	ctx := context.Background() // a block is finished even if those who wait for it have gone
	for {
		runtime.Gosched() // messages that are about to ask for a slot come into the same block
		s.mu.Lock()
		n := min(len(l.waiting), blockMax)
		if n == 0 {
			l.busy = false
			if l.unsettled == nil {
				delete(s.open, l.process)
			}
			s.mu.Unlock()
			return
		}
		batch := l.waiting[:n:n]
		l.waiting = l.waiting[n:]
		s.mu.Unlock()
		s.assign(ctx, l, batch)
	}
}

// assign gives the requests their slots and answers them.
func (s *Scheduler) assign(ctx context.Context, l *lane, batch []*request) {
	fail := func(err error) {
		for _, r := range batch {
			r.done <- outcome{err: err}
		}
	}
	if err := s.settle(ctx, l); err != nil {
		fail(fault.Wrap(err, fault.Unavailable, "process-unsettled", "process %s takes no messages until its earlier slots are settled", l.process))
		return
	}
	for takeover := 0; ; takeover++ {
		c, repeats, err := s.compose(ctx, l, batch)
		if err != nil {
			fail(err)
			return
		}
		var refused error
		if len(c.block.Entries) > 0 {
			s.signAhead(c)
			refused = s.append(ctx, l, c)
		}
		answers := append(c.receipts, repeats...)
		if errors.Is(refused, slotlog.ErrFenced) && takeover < takeoversMax {
			// Another node had the process meanwhile. Nobody has seen the block, so its messages get the slots behind that node's.
			batch = batch[:0:0]
			for _, a := range answers {
				batch = append(batch, a.request)
			}
			continue
		}
		for _, a := range answers {
			a.request.done <- outcome{receipt: a.receipt, err: refused}
		}
		return
	}
}

// settle finds out about a block whose append had an unknown outcome, by appending the very same block again.
func (s *Scheduler) settle(ctx context.Context, l *lane) error {
	if l.unsettled == nil {
		return nil
	}
	return s.append(ctx, l, l.unsettled)
}

func (s *Scheduler) append(ctx context.Context, l *lane, c *composed) error {
	var err error
	if b, ok := s.c.Log.(batchLog); ok {
		err = b.AppendWith(ctx, c.extra, c.block)
	} else if err = s.c.Log.Append(ctx, c.block); err == nil {
		err = s.c.Store.Apply(c.extra, true)
	}
	switch {
	case err == nil:
		s.recents.put(c.slots)
		l.unsettled = nil
		l.head = &c.block.Head
		s.followMu.RLock()
		defer s.followMu.RUnlock()
		for _, f := range s.followers {
			f(l.process, c.block.Head.Next)
		}
		return nil
	case errors.Is(err, slotlog.ErrFenced), errors.Is(err, slotlog.ErrSlotUsed), errors.Is(err, slotlog.ErrGap), errors.Is(err, slotlog.ErrRepeated):
		// The log refused: nothing of the block was stored and nobody has seen it.
		l.unsettled, l.head = nil, nil
		s.epochMu.Lock()
		delete(s.epochs, slotlog.PartitionOf(l.process))
		s.epochMu.Unlock()
		return fault.Wrap(err, fault.Unavailable, "log-refused", "the log refused the slots %d to %d of process %s",
			c.block.First, c.block.Head.Next-1, l.process)
	case errors.Is(err, slotlog.ErrNotStored) && l.unsettled == nil:
		// Nobody will ever see the block, so the slots are free. That is not known of a block that was tried before.
		l.head = nil
		s.c.Logger.Error("append failed, nothing was stored", "process", l.process, "slot", c.block.First, "err", err)
		return fault.Wrap(err, fault.Unavailable, "log-unwritable", "nothing was stored of the slots %d to %d of process %s",
			c.block.First, c.block.Head.Next-1, l.process)
	default:
		l.unsettled, l.head = c, nil
		s.c.Logger.Error("append failed, outcome unknown", "process", l.process, "slot", c.block.First, "err", err)
		return fault.Wrap(err, fault.Unavailable, "log-unsettled", "it is not known whether the slots %d to %d of process %s are stored; "+
			"the message may still take its slot, and sending the same item again is safe: it gets one slot", c.block.First, c.block.Head.Next-1, l.process)
	}
}

// compose builds the next block of the requests that are new, and the answers to those that are not.
func (s *Scheduler) compose(ctx context.Context, l *lane, batch []*request) (*composed, []answer, error) {
	epoch, err := s.epoch(ctx, l.process)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Unavailable, "log-unowned", "process %s cannot be taken over", l.process)
	}
	if l.head == nil {
		h, err := s.c.Log.Head(ctx, l.process)
		if err != nil {
			return nil, nil, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", l.process)
		}
		if l.floor, err = s.floorOf(l.process); err != nil {
			return nil, nil, err
		}
		l.head = &h
	}
	const changes = 16 // of a slot, mostly
	c := &composed{block: slotlog.Block{Process: l.process, Epoch: epoch, First: l.head.Next, Head: *l.head, Entries: make([]slotlog.Entry, 0, len(batch))},
		extra: &store.Batch{Ops: make([]store.Op, 0, changes*len(batch))}, placed: make(map[message.ID]bool, len(batch)),
		receipts: make([]answer, 0, len(batch)), slots: make([]recent, 0, len(batch))}
	fresh := make(map[message.ID]int, len(batch)) // message id or dedup key -> position in the block
	var repeats []answer
	for _, r := range batch {
		if r.horizon {
			if err := s.raise(l); err != nil {
				r.done <- outcome{err: err}
				continue
			}
			repeats = append(repeats, answer{r, Receipt{Process: l.process, Slot: c.block.Head.Next, Timestamp: l.floor}})
			continue
		}
		if i, ok := fresh[r.id]; ok {
			repeats = append(repeats, answer{r, repeated(c.receipts[i].receipt, r)})
			continue
		}
		if i, ok := fresh[r.dedup]; ok && !r.dedup.IsZero() {
			repeats = append(repeats, answer{r, repeated(c.receipts[i].receipt, r)})
			continue
		}
		if got, ok, err := s.known(ctx, l.process, r); err != nil {
			r.done <- outcome{err: err}
			continue
		} else if ok {
			repeats = append(repeats, answer{r, got})
			continue
		}
		if err := s.extend(c, r, l.floor); err != nil {
			r.done <- outcome{err: err}
			continue
		}
		runtime.Gosched() // a flooded process signs one slot after the other: others have their turn in between
		fresh[r.id] = len(c.receipts) - 1
		if !r.dedup.IsZero() {
			fresh[r.dedup] = len(c.receipts) - 1
		}
	}
	return c, repeats, nil
}

func repeated(first Receipt, r *request) Receipt {
	first.Repeated = true
	first.ID = r.id
	return first
}

// known answers a message that has its slot already.
func (s *Scheduler) known(ctx context.Context, p message.ID, r *request) (Receipt, bool, error) {
	slot, err := s.c.Log.Find(ctx, p, r.id)
	if errors.Is(err, slotlog.ErrNotFound) && !r.dedup.IsZero() {
		slot, err = s.c.Log.Find(ctx, p, r.dedup)
	}
	if errors.Is(err, slotlog.ErrNotFound) {
		return Receipt{}, false, nil
	}
	if err == nil {
		for e, rangeErr := range s.c.Log.Range(ctx, p, slot, slot+1) {
			if rangeErr != nil {
				err = rangeErr
				break
			}
			assignment, idErr := s.assignmentID(ctx, e)
			if idErr != nil {
				err = idErr
				break
			}
			return Receipt{ID: r.id, Assignment: assignment, Process: p, Slot: slot, Timestamp: e.Timestamp, Repeated: true}, true, nil
		}
		if err == nil {
			err = fmt.Errorf("slot %d is found but cannot be read", slot)
		}
	}
	return Receipt{}, false, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", p)
}

// extend adds one message to the block: slot, time (not before the floor), hash chain, assignment.
func (s *Scheduler) extend(c *composed, r *request, floor int64) error {
	h := &c.block.Head
	if r.spawn && h.Next != 0 {
		return fault.New(fault.Conflict, "process-exists", "process %s exists with another definition", c.block.Process)
	}
	height, hash, blockTime := s.c.Blocks.Tip()
	e := slotlog.Entry{
		Process: c.block.Process, Slot: h.Next, Message: r.id, Item: r.raw, Form: r.form,
		Timestamp:   max(s.c.Clock.Now().UnixMilli(), h.Timestamp+1, floor),
		BlockHeight: height, BlockHash: hash, BlockTime: blockTime,
		ByID: r.byID, Exclude: r.remove, DedupKey: r.dedup,
	}
	a := process.Assigned{Content: r.content}
	var linked message.Message
	next, items := slotlog.Head{Next: e.Slot + 1, Timestamp: e.Timestamp}, []*ans104.Item{r.item}
	// A process that an earlier release began with assignments as items goes on with them.
	if r.def.Legacy() || h.Next > 0 && h.Hashpath == "" {
		e.HashChain = chain(e.Process, *h)
		as, err := ans104.Sign(assignment(e), s.c.Key)
		if err != nil {
			return fault.Wrap(err, fault.Internal, "assignment-unsigned", "slot %d of process %s could not be signed", e.Slot, e.Process)
		}
		e.Assignment, next.Assignment = as.Raw, as.ID()
		items = append(items, as)
	} else {
		var err error
		if linked, err = extendCore(&e, h, &next, r); err != nil {
			return err
		}
	}
	next.HashChain = e.HashChain
	before := len(c.extra.Ops)
	for _, it := range items {
		if it == nil || s.c.Index == nil {
			continue
		}
		if err := s.c.Index.Index(c.extra, it, message.ID{}); err != nil {
			c.extra.Ops = c.extra.Ops[:before]
			return err
		}
	}
	if err := s.place(c, e, r, next.Assignment); err != nil {
		c.extra.Ops = c.extra.Ops[:before]
		return err
	}
	c.block.Entries = append(c.block.Entries, e)
	*h = next
	if !e.ByID {
		if r.signed && !r.def.Legacy() && e.Assignment == nil {
			c.toSign = append(c.toSign, unsigned{len(c.slots), linked})
		}
		a.Entry, a.AssignmentID = e, next.Assignment
		c.slots = append(c.slots, recent{assigned: a})
	}
	c.receipts = append(c.receipts, answer{r, Receipt{ID: r.id, Assignment: next.Assignment, Process: e.Process, Slot: e.Slot, Timestamp: e.Timestamp}})
	return nil
}

// extendCore sets what an AO-Core assignment adds to an entry, and gives that with the message by its id. It is signed when
// somebody reads it.
func extendCore(e *slotlog.Entry, h, next *slotlog.Head, r *request) (message.Message, error) {
	e.Hashpath = h.Hashpath
	if h.Next == 0 {
		e.Hashpath = e.Process.String()
		e.HashChain = process.Chain(nil, e.Message.String())
	} else {
		e.HashChain = process.Chain(&h.HashChain, e.Message.String())
	}
	linked := process.Assigned{Entry: *e, Content: r.content}.CoreLinked()
	next.Assignment = linked.UnsignedID()
	var err error
	next.Hashpath, err = message.ExtendHashpath(r.def.HashpathAlg, e.Hashpath, next.Assignment.String())
	return linked, fault.Wrap(err, fault.Internal, "hashpath-unextended", "the hashpath of process %s", e.Process)
}

// place makes the ids of a message and its assignment findable. An id of its content alone may be that of an earlier message,
// which then keeps it.
func (s *Scheduler) place(c *composed, e slotlog.Entry, r *request, assignment message.ID) error {
	where := encodePlace(e.Slot, e.Timestamp)
	c.extra.Set(placeKey(r.id, e.Process), where)
	c.extra.Set(placeKey(assignment, e.Process), where)
	for _, id := range r.further {
		if c.placed[id] {
			continue
		}
		switch _, err := s.c.Store.Get(placeKey(id, e.Process)); {
		case errors.Is(err, store.ErrNotFound):
			c.extra.Set(placeKey(id, e.Process), where)
			c.placed[id] = true
		case err != nil:
			return fault.Wrap(err, fault.Unavailable, "store-unreadable", "the place of %s cannot be read", id)
		}
	}
	return nil
}

// chain is the hash chain's value of the slot that follows the head: the hash of the process id for the first slot, of the
// previous assignment's id and value for the others.
func chain(p message.ID, h slotlog.Head) message.ID {
	if h.Next == 0 {
		return sha256.Sum256(p[:])
	}
	return sha256.Sum256(append(h.Assignment[:], h.HashChain[:]...))
}

// assignment is the unsigned assignment item of a slot. The order of its tags is part of its form.
func assignment(e slotlog.Entry) ans104.Draft {
	tags := make([]process.Tag, 0, 10+len(e.Exclude))
	add := func(name, value string) { tags = append(tags, process.Tag{Name: name, Value: value}) }
	add("Process", e.Process.String())
	add("Epoch", "0")
	add("Nonce", strconv.FormatUint(uint64(e.Slot), 10))
	add("Hash-Chain", e.HashChain.String())
	add("Block-Height", fmt.Sprintf("%012d", e.BlockHeight))
	add("Timestamp", strconv.FormatInt(e.Timestamp, 10))
	add("Data-Protocol", "ao")
	add("Type", "Assignment")
	add("Variant", process.VariantLegacy)
	if e.Slot != 0 {
		add("Message", e.Message.String())
	}
	for _, f := range e.Exclude {
		add("Exclude", f)
	}
	// The anchor makes the item unique; made of process and slot, the same slot is always the same item.
	anchor := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte("assignment"), e.Process[:]...), uint64(e.Slot)))
	return ans104.Draft{Anchor: anchor[:], Tags: tags}
}
