package schedule

import (
	"context"
	"strconv"
	"strings"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// request is one message that waits for its slot.
type request struct {
	item   *ans104.Item // nil if assigned by id
	def    *process.Definition
	id     message.ID // of the message
	dedup  message.ID // further key of repeats, zero if none
	byID   bool
	remove []string // fields left out, for a message assigned by id
	done   chan outcome
}

type outcome struct {
	receipt Receipt
	err     error
}

// Submit gives a verified Process or Message its slot. A repeat of an item answers the first receipt and changes nothing.
func (s *Scheduler) Submit(ctx context.Context, v commitment.Verified) (Receipt, error) {
	it, ok := ans104.ItemOf(v.Message())
	if !ok {
		return Receipt{}, fault.New(fault.Unsupported, "codec-unsupported",
			"only data items can be scheduled on a process of variant %s", process.VariantLegacy)
	}
	kind, err := check(it)
	if err != nil {
		return Receipt{}, err
	}
	r := &request{item: it, id: it.ID(), done: make(chan outcome, 1)}
	p := r.id
	if kind == "Process" {
		d, err := process.Define(it)
		if err != nil {
			return Receipt{}, err
		}
		if own := s.c.Key.Address().String(); d.Scheduler != own {
			return Receipt{}, fault.New(fault.Denied, "scheduler-is-another", "the Process names the scheduler %s", d.Scheduler).
				WithHint("this scheduler's address is %s", own)
		}
		if s.c.Admit != nil {
			if err := s.c.Admit(ctx, d); err != nil {
				return Receipt{}, err
			}
		}
		r.def = &d
	} else {
		p = it.Target
		d, err := s.Process(ctx, p)
		if err != nil {
			return Receipt{}, err
		}
		// The further key leaves out the signer, so only a signer that the process trusts may claim it: anybody else
		// could take the place of a message that is still to be pushed.
		if _, pushed := it.Tag("From-Process"); pushed && d.Trusts(it.ProcessAddress()) {
			h := ans104.DedupHash(it)
			r.dedup = message.HashOf(h[:])
		}
	}
	return s.enqueue(ctx, p, r)
}

// check applies the rules every item must keep and tells its Type.
func check(it *ans104.Item) (kind string, err error) {
	protocol := false
	for _, t := range it.Tags {
		if strings.HasSuffix(t.Name, "+link") || strings.HasSuffix(t.Value, "+link") {
			return "", fault.New(fault.Malformed, "tag-link", "the tag %q holds a link", t.Name).
				WithHint("a data item carries its values itself")
		}
		switch {
		case t.Name == "Data-Protocol" && t.Value == "ao":
			protocol = true
		case t.Name == "Type" && kind == "" && (t.Value == "Process" || t.Value == "Message"):
			kind = t.Value
		}
	}
	if !protocol {
		return "", fault.New(fault.Malformed, "data-protocol-missing", "the tag Data-Protocol must be ao").
			WithHint("add the tag Data-Protocol: ao and sign the item again")
	}
	if kind == "" {
		return "", fault.New(fault.Malformed, "type-unsupported", "the tag Type must be Process or Message").
			WithHint("add the tag Type: Message and sign the item again")
	}
	if kind == "Message" && !it.HasTarget {
		return "", fault.New(fault.Malformed, "target-missing", "a Message needs a target").
			WithHint("set the target to the id of the process")
	}
	return kind, nil
}

// AssignOptions says how a message is assigned by its id.
type AssignOptions struct {
	BaseLayer bool     // it is a transaction of the base layer and must be settled there
	Exclude   []string // fields the process is not to see
}

// settlementDefault is the depth a base-layer transaction needs if the process names none.
const settlementDefault = 20

// Assign gives a message that exists already a slot in a process. A repeat answers the first receipt.
func (s *Scheduler) Assign(ctx context.Context, p, id message.ID, o AssignOptions) (Receipt, error) {
	d, err := s.Process(ctx, p)
	if err != nil {
		return Receipt{}, err
	}
	r := &request{id: id, byID: true, remove: o.Exclude, done: make(chan outcome, 1)}
	if o.BaseLayer {
		depth := settlementDefault
		if v, ok := d.Tag("Settlement-Depth"); ok {
			if n, err := strconv.Atoi(v); err == nil && n >= 0 {
				depth = n
			}
		}
		n, err := s.c.Archive.Confirmations(ctx, id)
		if err != nil {
			return Receipt{}, err
		}
		if n < depth {
			return Receipt{}, fault.New(fault.Conflict, "not-settled", "transaction %s has %d confirmations, process %s asks for %d", id, n, p, depth).
				WithHint("assign it again when more blocks have passed")
		}
	} else if _, err := s.Find(ctx, p, id); err != nil {
		if _, err := s.c.Archive.Content(ctx, id); err != nil {
			return Receipt{}, err
		}
	}
	got, err := s.enqueue(ctx, p, r)
	got.ID = got.Assignment
	return got, err
}

func (s *Scheduler) enqueue(ctx context.Context, p message.ID, r *request) (Receipt, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return Receipt{}, fault.New(fault.Unavailable, "stopping", "the scheduler is stopping").WithHint("send the message again in a moment")
	}
	l := s.open[p]
	if l == nil {
		l = &lane{process: p}
		s.open[p] = l
	}
	if len(l.waiting) >= waitingMax {
		s.mu.Unlock()
		return Receipt{}, fault.New(fault.TooMany, "process-queue-full", "%d messages wait for process %s", waitingMax, p).
			WithHint("send the message again in a second")
	}
	l.waiting = append(l.waiting, r)
	if !l.busy {
		l.busy = true
		s.wg.Add(1)
		go s.drain(l)
	}
	s.mu.Unlock()
	select {
	case o := <-r.done:
		return o.receipt, o.err
	case <-ctx.Done():
		return Receipt{}, fault.Wrap(ctx.Err(), fault.Unavailable, "scheduling-cut-off", "nobody waits for the slot any more").(*fault.Error).
			WithHint("send the same item again: it gets its slot once")
	}
}

func (s *Scheduler) epoch(ctx context.Context, p message.ID) (slotlog.Epoch, error) {
	s.epochMu.Lock()
	defer s.epochMu.Unlock()
	part := slotlog.PartitionOf(p)
	if e, ok := s.epochs[part]; ok {
		return e, nil
	}
	e, err := s.c.Log.Acquire(ctx, part)
	if err == nil {
		s.epochs[part] = e
	}
	return e, err
}
