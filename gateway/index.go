package gateway

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// ordering gives records their place: seq, and with it arrival time and height, none of which ever goes back.
//
// The place is given before the caller's batch is written, so a record may become visible after one with a higher seq. A
// reader who goes upwards must not step over such a gap, or it would never see that record: settled gives the bound.
type ordering struct {
	mu     sync.Mutex
	next   uint64
	height uint64
	time   int64

	// recent holds the places given last, since their batch may not be written yet: a record that is indexed twice at the
	// same time, or again after a failed write, gets the same place and the same rows.
	recent map[message.ID]place
	ring   []message.ID
	at     int

	settled uint64   // all seqs below are visible or given up
	samples []sample // which seq was next, and when
}

type place struct {
	seq    uint64
	height uint64
	time   int64
}

// sample is taken on the machine's clock: it only decides how long a reader waits for a batch that is being written.
type sample struct {
	when time.Time
	next uint64
}

const (
	recentMax = 8192 // more batches than can wait for the disk at once
	// abandonAfter is when a place without a row is taken for one whose batch failed.
	abandonAfter = 10 * time.Second
)

func (o *ordering) open(s store.Store) error {
	o.recent = make(map[message.ID]place, recentMax)
	o.ring = make([]message.ID, recentMax)
	lower := []byte{table, subSeq}
	for p, err := range s.Scan(lower, store.PrefixEnd(lower), true) {
		if err != nil {
			return fault.Wrap(err, fault.Internal, "index-read", "reading the index")
		}
		r, err := decodeRow(p.Value)
		if err != nil || len(p.Key) != seqKeyLen {
			return fault.Wrap(errRow, fault.Internal, "index-damaged", "reading the newest record")
		}
		o.next = binary.BigEndian.Uint64(p.Key[2:]) + 1
		o.height, o.time = r.height, r.time
		break
	}
	o.settled = o.next
	return nil
}

// find gives the place of a visible record: the first one its id got.
func (o *ordering) find(s store.Store, id message.ID) (uint64, bool, error) {
	prefix := idKey(subID, id)
	for p, err := range s.Scan(prefix, store.PrefixEnd(prefix), false) {
		if err != nil {
			return 0, false, fault.Wrap(err, fault.Unavailable, "index-read", "looking up %s", id)
		}
		if len(p.Key) != idKeyLen+8 {
			return 0, false, fault.Wrap(errRow, fault.Internal, "index-damaged", "looking up %s", id)
		}
		return binary.BigEndian.Uint64(p.Key[idKeyLen:]), true, nil
	}
	return 0, false, nil
}

// take gives an id its place, the same one as long as its batch may still be on the way.
func (o *ordering) take(id message.ID, now int64, blocks *Blocks) place {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p, ok := o.recent[id]; ok {
		return p
	}
	// The height is read under the lock, or a later place could have a lower one.
	o.height = max(o.height, blocks.Height())
	o.time = max(o.time, now)
	p := place{o.next, o.height, o.time}
	o.sample()
	o.next++
	delete(o.recent, o.ring[o.at])
	o.ring[o.at] = id
	o.recent[id] = p
	o.at = (o.at + 1) % len(o.ring)
	return p
}

// sample notes which seq is next, once a second.
func (o *ordering) sample() {
	now := time.Now()
	if n := len(o.samples); n > 0 && now.Sub(o.samples[n-1].when) < time.Second {
		return
	}
	o.samples = append(o.samples, sample{now, o.next})
	if len(o.samples) > 64 {
		o.samples = append(o.samples[:0], o.samples[32:]...)
	}
}

// settle gives the seq that a reader who goes upwards may read to (exclusive). The store is read without the lock, which
// every new record needs.
func (o *ordering) settle(s store.Store) (uint64, error) {
	o.mu.Lock()
	o.sample()
	for _, sm := range o.samples {
		if time.Since(sm.when) > abandonAfter {
			o.settled = max(o.settled, sm.next)
		}
	}
	settled := o.settled
	o.mu.Unlock()
	for p, err := range s.Scan(numberKey(subSeq, settled), store.PrefixEnd([]byte{table, subSeq}), false) {
		if err != nil {
			return 0, fault.Wrap(err, fault.Unavailable, "index-read", "reading the index")
		}
		if binary.BigEndian.Uint64(p.Key[2:]) != settled {
			break
		}
		settled++
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settled = max(o.settled, settled)
	return settled, nil
}

// drop makes the next place of an id a new one.
func (o *ordering) drop(id message.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.recent, id)
}

// Index adds the rows of an accepted item to the caller's batch: with the batch the item can be found by its id, owner,
// target, parent and tags. Indexing an item again changes nothing that a reader sees. The item's bytes have to be with Items by then.
func (g *Gateway) Index(b *store.Batch, it *ans104.Item, parent message.ID) error {
	r := row{kind: kindItem, id: it.ID(), parent: parent}
	if len(it.Raw) > headerInline {
		r.kind, r.body = kindLargeItem, largeItemBody(it)
	}
	target := message.ID{}
	if it.HasTarget {
		target = it.Target
	}
	var buf [termsInline]uint64
	g.index(b, r, termsOf(buf[:0], it.Address(), target, parent, it.Tags))
	return nil
}

// termsInline is how many terms a record has without a list on the heap.
const termsInline = 32

// termsOf gives what a record is found by.
func termsOf(dst []uint64, owner, target, parent message.ID, tags []Tag) []uint64 {
	if !owner.IsZero() {
		dst = append(dst, idTerm(termOwner, owner))
	}
	if !target.IsZero() {
		dst = append(dst, idTerm(termRecipient, target))
	}
	if !parent.IsZero() {
		dst = append(dst, idTerm(termParent, parent))
	}
	for _, t := range tags {
		dst = append(dst, tagTerm(t.Name, t.Value))
	}
	return dst
}

// index adds the rows of a record. Its place is given here, not by a look into the store: see keys.go.
func (g *Gateway) index(b *store.Batch, r row, terms []uint64) {
	write(b, r, g.order.take(r.id, g.c.Clock.Now().UnixMilli(), g.blocks), terms)
}

// write adds the rows of a record in its place. All keys are cut from one piece of memory, since this is on the way of
// every message.
func write(b *store.Batch, r row, p place, terms []uint64) {
	r.height, r.time = p.height, p.time
	b.Ops = slices.Grow(b.Ops, len(terms)+2)
	slab := make([]byte, 0, idKeyLen+8+seqKeyLen+rowLen+len(r.body)+len(terms)*termKeyLen)
	cut := func(from int) []byte { return slab[from:len(slab):len(slab)] }

	slab = append(slab, table, subID)
	slab = append(slab, r.id[:]...)
	slab = binary.BigEndian.AppendUint64(slab, p.seq)
	b.Set(cut(0), nil)

	at := len(slab)
	slab = append(slab, table, subSeq)
	slab = binary.BigEndian.AppendUint64(slab, p.seq)
	key := cut(at)
	at = len(slab)
	slab = r.encode(slab)
	b.Set(key, cut(at))

	for _, term := range terms {
		at := len(slab)
		slab = append(slab, tableTerms)
		slab = binary.BigEndian.AppendUint64(slab, term)
		slab = binary.BigEndian.AppendUint64(slab, p.seq)
		b.Set(cut(at), nil)
	}
}
