package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// turn is the right to append to a process.
type turn struct {
	taken chan struct{} // holds one token while somebody appends
	users int           // who has it or waits for it
}

// Append stores the blocks in one batch.
func (l *Log) Append(ctx context.Context, blocks ...slotlog.Block) error {
	return l.AppendWith(ctx, nil, blocks...)
}

// AppendWith stores the blocks and the caller's own changes in one batch. If all blocks are stored already, so are the
// changes, and nothing happens. Errors are those of slotlog.Log.
func (l *Log) AppendWith(ctx context.Context, extra *store.Batch, blocks ...slotlog.Block) error {
	if err := slotlog.Check(blocks...); err != nil {
		return slotlog.NotStored(err)
	}
	done, err := l.use(ctx)
	if err != nil {
		return slotlog.NotStored(err)
	}
	defer done()
	// Encoding and large messages come first, since others wait while a turn is taken.
	writes := make([]store.Batch, len(blocks))
	for i := range blocks {
		if err := l.write(ctx, &writes[i], &blocks[i]); err != nil {
			return slotlog.NotStored(err)
		}
	}
	leave, err := l.enter(ctx, blocks)
	if err != nil {
		return slotlog.NotStored(err)
	}
	defer leave()
	b, before, err := l.join(writes, extra, blocks)
	if err != nil {
		return slotlog.NotStored(err)
	}
	if b.Len() == 0 {
		return nil
	}
	return l.commit(b, before, blocks)
}

// join makes one batch of what is not stored yet, and gives the heads of the processes that it changes. The caller has the
// turns.
func (l *Log) join(writes []store.Batch, extra *store.Batch, blocks []slotlog.Block) (*store.Batch, map[message.ID]slotlog.Head, error) {
	size := 0
	for i := range writes {
		size += writes[i].Len()
	}
	if extra != nil {
		size += extra.Len()
	}
	b := &store.Batch{Ops: make([]store.Op, 0, size+len(blocks))}
	before := make(map[message.ID]slotlog.Head, len(blocks))
	fresh := len(blocks) == 0
	for i := range blocks {
		block := &blocks[i]
		head, stored, err := l.compare(block)
		if err != nil {
			return nil, nil, err
		}
		if !stored {
			b.Add(&writes[i])
			before[block.Process] = head
			fresh = true
		} else if _, doubtful := l.onDisk(block.Process); doubtful {
			// Stored by an append that failed, so perhaps not on disk: a write behind it settles that.
			b.Set(headKey(block.Process), encodeHead(block.Epoch, head))
			before[block.Process] = head
		}
	}
	if fresh && extra != nil {
		b.Add(extra)
	}
	return b, before, nil
}

// write encodes a block.
func (l *Log) write(ctx context.Context, b *store.Batch, block *slotlog.Block) error {
	b.Ops = make([]store.Op, 0, 3*len(block.Entries)+1)
	for i := range block.Entries {
		e := &block.Entries[i]
		b.Set(entryKey(e.Process, e.Slot), encodeEntry(e))
		for _, key := range e.Keys() {
			b.Set(dedupKey(e.Process, key), binary.BigEndian.AppendUint64(nil, uint64(e.Slot)))
		}
		if e.Item == nil {
			continue
		}
		if err := l.PutItem(ctx, b, e.Message, e.Item); err != nil {
			return err
		}
	}
	b.Set(headKey(block.Process), encodeHead(block.Epoch, block.Head))
	return nil
}

// enter shares the blocks' partitions and takes the turns of their processes. All callers do it in the same order, so
// that nobody waits in a circle.
func (l *Log) enter(ctx context.Context, blocks []slotlog.Block) (leave func(), err error) {
	ids := make([]message.ID, len(blocks))
	for i := range blocks {
		ids[i] = blocks[i].Process
	}
	slices.SortFunc(ids, func(a, b message.ID) int { return bytes.Compare(a[:], b[:]) })
	parts := make([]slotlog.Partition, len(ids))
	for i, id := range ids {
		parts[i] = slotlog.PartitionOf(id)
	}
	slices.SortFunc(parts, cmp.Compare)
	parts = slices.Compact(parts)
	taken := ids[:0:0]
	leave = func() {
		for _, id := range taken {
			l.giveTurn(id)
		}
		for _, part := range parts {
			l.parts[part].RUnlock()
		}
	}
	for _, part := range parts {
		l.parts[part].RLock()
	}
	for _, id := range ids {
		if err := l.takeTurn(ctx, id); err != nil {
			leave()
			return nil, err
		}
		taken = append(taken, id)
	}
	return leave, nil
}

func (l *Log) takeTurn(ctx context.Context, p message.ID) error {
	l.mu.Lock()
	t := l.turns[p]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		l.turns[p] = t
	}
	t.users++
	l.mu.Unlock()
	select {
	case t.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		l.dropTurn(p, t)
		return ctx.Err()
	}
}

func (l *Log) giveTurn(p message.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.turns[p]
	<-t.taken
	l.dropTurn(p, t)
}

func (l *Log) dropTurn(p message.ID, t *turn) {
	if t.users--; t.users == 0 {
		delete(l.turns, p)
	}
}

// compare tells whether a block is stored already, or why it cannot be; and the head it found. The caller has the turn.
func (l *Log) compare(b *slotlog.Block) (head slotlog.Head, stored bool, err error) {
	epoch, err := l.epoch(slotlog.PartitionOf(b.Process))
	if err != nil {
		return head, false, err
	}
	if b.Epoch != epoch {
		return head, false, slotlog.Refuse(slotlog.ErrFenced, b.Process, b.First)
	}
	head, ok := l.heads.get(b.Process)
	if !ok {
		if head, err = l.readHead(b.Process); err != nil {
			return head, false, err
		}
	}
	switch {
	case b.First < head.Next:
		return head, true, l.compareStored(b)
	case b.First > head.Next:
		return head, false, slotlog.Refuse(slotlog.ErrGap, b.Process, b.First)
	}
	return head, false, l.compareKeys(b)
}

func (l *Log) compareStored(b *slotlog.Block) error {
	want := b.Entries
	for pair, err := range l.slots(b.Process, b.First, b.First+slotlog.Slot(len(want))) {
		if err != nil {
			return err
		}
		s := slotOf(pair.Key)
		e, _, err := decodeEntry(pair.Value)
		if err != nil {
			return damaged(err, "slot %d of process %s", s, b.Process)
		}
		e.Process, e.Slot = b.Process, s
		if !want[0].Repeats(&e) {
			return slotlog.Refuse(slotlog.ErrSlotUsed, b.Process, s)
		}
		want = want[1:]
	}
	if len(want) > 0 {
		return slotlog.Refuse(slotlog.ErrSlotUsed, b.Process, want[0].Slot)
	}
	return nil
}

func (l *Log) compareKeys(b *slotlog.Block) error {
	given := make(map[message.ID]bool, len(b.Entries))
	for i := range b.Entries {
		e := &b.Entries[i]
		for _, key := range e.Keys() {
			_, err := l.find(b.Process, key)
			if err == nil || given[key] {
				return slotlog.Refuse(slotlog.ErrRepeated, b.Process, e.Slot)
			}
			if !errors.Is(err, slotlog.ErrNotFound) {
				return err
			}
			given[key] = true
		}
	}
	return nil
}

// commit applies the batch. If that fails, nobody knows what is on disk: the notes stay until an append of the process
// succeeds, which the store only lets happen when everything before it is on disk too.
func (l *Log) commit(b *store.Batch, before map[message.ID]slotlog.Head, blocks []slotlog.Block) error {
	l.mu.Lock()
	for p, head := range before {
		if _, doubtful := l.unsynced[p]; !doubtful {
			l.unsynced[p] = head
		}
	}
	l.mu.Unlock()
	err := l.tables.Apply(b, true)
	for i := range blocks {
		p := blocks[i].Process
		if _, changed := before[p]; !changed {
			continue
		}
		if err != nil {
			l.heads.drop(p)
		} else if blocks[i].Head.Next > before[p].Next {
			l.heads.put(p, blocks[i].Head)
		}
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range before {
		delete(l.unsynced, p)
	}
	return nil
}
