// Package memory is an order of messages that is gone when its process ends.
//
// It is written to be obviously right: one lock, one list of entries for each process. The other logs have to behave like it.
package memory

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// Log keeps everything in maps. It is safe for concurrent use.
type Log struct {
	mu        sync.Mutex
	processes map[message.ID]*process
	epochs    map[slotlog.Partition]slotlog.Epoch
	closed    bool
}

type process struct {
	entries []slotlog.Entry // by slot
	keys    map[message.ID]slotlog.Slot
	head    slotlog.Head
}

// New gives an empty log.
func New() *Log {
	return &Log{processes: map[message.ID]*process{}, epochs: map[slotlog.Partition]slotlog.Epoch{}}
}

// Append checks all blocks before it stores the first.
func (l *Log) Append(ctx context.Context, blocks ...slotlog.Block) error {
	if err := slotlog.Check(blocks...); err != nil {
		return slotlog.NotStored(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return slotlog.NotStored(err)
	}
	var fresh []slotlog.Block
	for _, b := range blocks {
		stored, err := l.check(b)
		if err != nil {
			return slotlog.NotStored(err)
		}
		if !stored {
			fresh = append(fresh, b)
		}
	}
	for _, b := range fresh {
		l.put(b)
	}
	return nil
}

func (l *Log) usable(ctx context.Context) error {
	if l.closed {
		return fault.New(fault.Unavailable, "log-closed", "the log is closed")
	}
	return ctx.Err()
}

// check tells whether the block is stored already, or why it cannot be stored.
func (l *Log) check(b slotlog.Block) (stored bool, err error) {
	if b.Epoch != l.epochs[slotlog.PartitionOf(b.Process)] {
		return false, slotlog.Refuse(slotlog.ErrFenced, b.Process, b.First)
	}
	p := l.processes[b.Process]
	if p == nil {
		p = &process{}
	}
	switch next := slotlog.Slot(len(p.entries)); {
	case b.First < next:
		for i := range b.Entries {
			s := b.First + slotlog.Slot(i)
			if s >= next || !b.Entries[i].Repeats(&p.entries[s]) {
				return false, slotlog.Refuse(slotlog.ErrSlotUsed, b.Process, s)
			}
		}
		return true, nil
	case b.First > next:
		return false, slotlog.Refuse(slotlog.ErrGap, b.Process, b.First)
	}
	given := map[message.ID]bool{}
	for i := range b.Entries {
		for _, key := range b.Entries[i].Keys() {
			if _, ok := p.keys[key]; ok || given[key] {
				return false, slotlog.Refuse(slotlog.ErrRepeated, b.Process, b.Entries[i].Slot)
			}
			given[key] = true
		}
	}
	return false, nil
}

func (l *Log) put(b slotlog.Block) {
	p := l.processes[b.Process]
	if p == nil {
		p = &process{keys: map[message.ID]slotlog.Slot{}}
		l.processes[b.Process] = p
	}
	for i := range b.Entries {
		p.entries = append(p.entries, clone(b.Entries[i]))
		for _, key := range b.Entries[i].Keys() {
			p.keys[key] = b.Entries[i].Slot
		}
	}
	p.head = b.Head
}

func clone(e slotlog.Entry) slotlog.Entry {
	e.Assignment, e.Item, e.Exclude = bytes.Clone(e.Assignment), bytes.Clone(e.Item), slices.Clone(e.Exclude)
	return e
}

// Range gives copies, one lookup for each slot.
func (l *Log) Range(ctx context.Context, p message.ID, from, to slotlog.Slot) iter.Seq2[slotlog.Entry, error] {
	return func(yield func(slotlog.Entry, error) bool) {
		for s := from; s != to; {
			e, ok, err := l.entry(ctx, p, s)
			if err != nil {
				yield(slotlog.Entry{}, err)
				return
			}
			if !ok || !yield(e, nil) {
				return
			}
			if from < to {
				s++
			} else {
				s--
			}
		}
	}
}

func (l *Log) entry(ctx context.Context, p message.ID, s slotlog.Slot) (slotlog.Entry, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return slotlog.Entry{}, false, err
	}
	if pr := l.processes[p]; pr != nil && s < slotlog.Slot(len(pr.entries)) {
		return clone(pr.entries[s]), true, nil
	}
	return slotlog.Entry{}, false, nil
}

// Head gives the head of the last block.
func (l *Log) Head(ctx context.Context, p message.ID) (slotlog.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return slotlog.Head{}, err
	}
	if pr := l.processes[p]; pr != nil {
		return pr.head, nil
	}
	return slotlog.Head{}, nil
}

// Find looks a message id or dedup key up.
func (l *Log) Find(ctx context.Context, p, key message.ID) (slotlog.Slot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	if pr := l.processes[p]; pr != nil {
		if s, ok := pr.keys[key]; ok {
			return s, nil
		}
	}
	return 0, slotlog.ErrNotFound
}

// Processes goes through the ids that there are when it starts.
func (l *Log) Processes(ctx context.Context, after message.ID) iter.Seq2[message.ID, error] {
	return func(yield func(message.ID, error) bool) {
		l.mu.Lock()
		ids, err := slices.Collect(maps.Keys(l.processes)), l.usable(ctx)
		l.mu.Unlock()
		if err != nil {
			yield(message.ID{}, err)
			return
		}
		slices.SortFunc(ids, func(a, b message.ID) int { return bytes.Compare(a[:], b[:]) })
		for _, id := range ids {
			if bytes.Compare(id[:], after[:]) > 0 && !yield(id, nil) {
				return
			}
		}
	}
}

// Acquire raises the epoch of the partition.
func (l *Log) Acquire(ctx context.Context, part slotlog.Partition) (slotlog.Epoch, error) {
	if err := slotlog.CheckPartition(part); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	l.epochs[part]++
	return l.epochs[part], nil
}

// Close makes every later use fail.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

var _ slotlog.Log = (*Log)(nil)
