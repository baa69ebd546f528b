package schedule

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"

	"ago/budget"
	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// Assignments that follow from their entries are signed when somebody reads them, or together with the slot for those who are
// answered with them, and kept. A signature is a function of the
// key and the slot, so that one that was lost is made again as it was.

// Forms in which a derived assignment is kept: the last byte of its key.
const (
	keptMessage byte = 'm' // the AO-Core message over the scheduled message's id
	keptItem    byte = 'i' // the item of legacy units
)

// pageMax and pageBytes bound a page of a schedule.
const (
	pageMax   = 1000
	pageBytes = 16 << 20
	pageCost  = 8 << 10 // bytes of memory for a slot, beside three times those of its message
)

// Assignment gives a slot as the AO-Core message that assigns it, signed by the scheduler. It fails with NotFound
// ("slot-unknown") for a slot that is not given yet.
func (s *Scheduler) Assignment(ctx context.Context, p message.ID, slot slotlog.Slot) (message.Message, error) {
	for a, err := range s.Range(ctx, p, slot, slot+1) {
		if err != nil {
			return message.Message{}, err
		}
		signed, err := s.signed(ctx, []process.Assigned{a})
		if err != nil {
			return message.Message{}, err
		}
		return signed[0], nil
	}
	return message.Message{}, fault.New(fault.NotFound, "slot-unknown", "process %s has no slot %d", p, slot).
		WithHint("ask for the current slot first")
}

// Page gives the slots from <= slot <= to, at most 1000 and 64 MiB of messages, with their signed assignments; to may be beyond
// the last slot.
func (s *Scheduler) Page(ctx context.Context, p message.ID, from, to slotlog.Slot) (process.Page, error) {
	head, err := s.Head(ctx, p)
	if err != nil {
		return process.Page{}, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", p)
	}
	if head.Next == 0 {
		return process.Page{}, fault.New(fault.NotFound, "process-unknown", "process %s is not scheduled here", p).
			WithHint("spawn it on this network first, or check the id")
	}
	page := process.Page{Process: p}
	page.BlockHeight, page.BlockHash, page.BlockTime = s.c.Blocks.Tip()
	end := min(to, head.Next-1) + 1
	size := 0
	for a, err := range s.Range(ctx, p, min(from, end), end) {
		if err != nil {
			return page, err
		}
		more := max(len(a.Item), len(a.Content.Data))
		if len(page.Slots) == pageMax || size > 0 && size+more > pageBytes {
			page.Continues = true
			break
		}
		grow := budget.Of(ctx).Grow
		if size > 0 {
			grow = budget.Of(ctx).Try // the page may end here
		}
		if err := grow(int64(3*more + pageCost)); err != nil {
			if size == 0 {
				return page, err
			}
			page.Continues = true // as much as there is memory for
			break
		}
		size += more
		page.Slots = append(page.Slots, a)
	}
	page.Signed, err = s.signed(ctx, page.Slots)
	return page, err
}

// Item gives the assignment of a slot as the item of legacy units. That of an AO-Core process is made when it is asked for;
// its message need not be a data item.
func (s *Scheduler) Item(ctx context.Context, a process.Assigned) (*ans104.Item, error) {
	if _, written := a.Written(); a.Assignment != nil && !written {
		it, err := ans104.DecodeItem(a.Assignment)
		return it, fault.Wrap(err, fault.Internal, "assignment-unreadable", "slot %d of %s", a.Slot, a.Process)
	}
	key := assignmentKey(a.Process, a.Slot, keptItem)
	if raw, err := s.c.Store.Get(key); err == nil {
		if it, err := ans104.DecodeItem(raw); err == nil {
			return it, nil
		}
	}
	leave, err := s.enterSigning(ctx)
	if err != nil {
		return nil, err
	}
	draft := assignment(a.Entry)
	for i, t := range draft.Tags {
		if t.Name == "Variant" {
			draft.Tags[i].Value = process.VariantCore
		}
	}
	it, err := ans104.SignDeterministic(draft, s.c.Key, assignmentSalt(a.Process, a.Slot))
	leave()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "assignment-unsigned", "slot %d of process %s could not be signed", a.Slot, a.Process)
	}
	var b store.Batch
	b.Set(key, it.Raw)
	b.Set(placeKey(it.ID(), a.Process), encodePlace(a.Slot, a.Timestamp))
	return it, s.keep(&b)
}

// signed gives the assignments with the scheduler's commitments.
func (s *Scheduler) signed(ctx context.Context, as []process.Assigned) ([]message.Message, error) {
	out := make([]message.Message, len(as))
	fresh := make([]message.Message, len(as))
	errs := make([]error, len(as))
	var wg sync.WaitGroup
	for i, a := range as {
		if m, ok := a.Written(); ok {
			out[i] = m
			continue
		}
		kept, err := s.keptSignature(a)
		if err != nil {
			return nil, err
		}
		if kept.Len() > 0 {
			out[i] = a.Core().With(message.KeyCommitments, kept)
			continue
		}
		leave, err := s.enterSigning(ctx)
		if err != nil {
			errs[i] = err
			break
		}
		wg.Go(func() {
			defer leave()
			if fresh[i], errs[i] = httpsig.Commit(a.CoreLinked(), s.c.Key, httpsig.Terms{Salt: assignmentSalt(a.Process, a.Slot)}); errs[i] == nil {
				out[i] = a.Core().With(message.KeyCommitments, fresh[i].Commitments())
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var b store.Batch
	for i, m := range fresh {
		if m.Len() == 0 {
			continue
		}
		if err := keepSignature(&b, as[i], m); err != nil {
			return nil, err
		}
	}
	return out, s.keep(&b)
}

// signAhead signs the slots of a block whose assignments will be read at once, so that they are kept together with it. One that
// cannot be signed is left to its reader, who hears why.
func (s *Scheduler) signAhead(c *composed) {
	signed := make([]message.Message, len(c.toSign))
	var wg sync.WaitGroup
	for from := 0; from < len(c.toSign); from += signedTogether {
		some := func() {
			for i := from; i < min(from+signedTogether, len(c.toSign)); i++ {
				a := c.slots[c.toSign[i].at].assigned
				signed[i], _ = httpsig.Commit(c.toSign[i].assignment, s.c.Key, httpsig.Terms{Salt: assignmentSalt(a.Process, a.Slot)})
			}
		}
		if from+signedTogether >= len(c.toSign) {
			some()
			break
		}
		wg.Go(some)
	}
	wg.Wait()
	for i, u := range c.toSign {
		at := u.at
		if signed[i].Len() > 0 && keepSignature(c.extra, c.slots[at].assigned, signed[i]) == nil {
			c.slots[at].commitments = signed[i].Commitments()
		}
	}
}

// signedTogether are assignments that are signed one after the other rather than beside each other.
const signedTogether = 8

// keptCommitments begins what is kept of a signed assignment: the id of what it says, and the commitments. Earlier releases began
// with the form of the whole message.
const keptCommitments byte = 'c'

// keepSignature keeps the commitments of a signed assignment, and makes it findable by its id.
func keepSignature(b *store.Batch, a process.Assigned, signed message.Message) error {
	id := a.AssignmentID
	const usual = 1 << 10
	v, err := message.AppendValue(append(append(make([]byte, 0, usual), keptCommitments), id[:]...), signed.Commitments())
	if err != nil {
		return fault.Wrap(err, fault.Internal, "assignment-unkeepable", "slot %d of process %s", a.Slot, a.Process)
	}
	b.Set(assignmentKey(a.Process, a.Slot, keptMessage), v)
	b.Set(placeKey(signed.SignedID(), a.Process), encodePlace(a.Slot, a.Timestamp))
	return nil
}

// keptSignature gives the commitments with which the assignment was signed before; none if it was not, or said something else
// than it does now.
func (s *Scheduler) keptSignature(a process.Assigned) (message.Message, error) {
	if r, ok := s.recents.get(a.Process, a.Slot); ok && r.commitments.Len() > 0 {
		return r.commitments, nil
	}
	raw, err := s.c.Store.Get(assignmentKey(a.Process, a.Slot, keptMessage))
	if errors.Is(err, store.ErrNotFound) {
		return message.Message{}, nil
	}
	if err != nil {
		return message.Message{}, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the assignment of slot %d of %s cannot be read", a.Slot, a.Process)
	}
	if len(raw) == 0 {
		return message.Message{}, nil
	}
	if raw[0] == keptCommitments {
		rest, ok := bytes.CutPrefix(raw[1:], a.AssignmentID[:])
		if !ok {
			return message.Message{}, nil
		}
		v, err := message.ReadValue(rest)
		m, _ := v.(message.Message)
		if err != nil {
			return message.Message{}, nil
		}
		return m, nil
	}
	m, err := process.Kept(slotlog.Form(raw[0]), raw[1:])
	if err != nil || !message.Equal(m.Without(message.KeyCommitments), a.CoreLinked()) {
		return message.Message{}, nil
	}
	return m.Commitments(), nil
}

// keep stores signatures before anybody sees them.
func (s *Scheduler) keep(b *store.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	return fault.Wrap(s.c.Store.Apply(b, true), fault.Unavailable, "store-unwritable", "the signed assignments cannot be kept")
}

// enterSigning waits for one of as many places as there are cores: signatures that readers wait for must not starve the slots.
func (s *Scheduler) enterSigning(ctx context.Context) (leave func(), err error) {
	if ctx.Err() != nil {
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "signing-cut-off", "nobody waits for the assignments any more")
	}
	select {
	case s.signing <- struct{}{}:
		return func() { <-s.signing }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "signing-cut-off", "nobody waits for the assignments any more")
	}
}

func assignmentKey(p message.ID, slot slotlog.Slot, form byte) []byte {
	k := append(make([]byte, 0, 42), store.TableAssignments)
	return append(binary.BigEndian.AppendUint64(append(k, p[:]...), uint64(slot)), form)
}

// assignmentSalt makes the signatures of a slot repeatable and no two of them alike.
func assignmentSalt(p message.ID, slot slotlog.Slot) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte("ago assignment"), p[:]...), uint64(slot)))
	return h[:]
}
