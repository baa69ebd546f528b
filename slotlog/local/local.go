// Package local is the order of messages on one machine: in the same store, and in the same batch, as what follows from it.
//
// Its tables, which store names; numbers are big-endian, so that keys sort like them:
//
//	L process slot -> entry without its item
//	M id           -> bytes of a message, or where they are
//	D process key  -> slot of a message id or dedup key
//	E process      -> epoch of the last append, head
//	P partition    -> epoch
//
// Invariants. A key of L, M or D is written once. Slots are unique because a process has one append at a time and its head
// comes from the store. Nothing is shown before it is on disk: the store shows a batch while its sync still runs, therefore
// an append notes the last head that is on disk before it starts, and reads stop there.
//
// An append, in outline:
//
//	share the partitions, take the processes, in order of their numbers and ids
//	compare epoch, head and keys with the store; leave blocks out that are there already
//	note the heads on disk
//	apply one batch with sync: entries, messages, keys, heads, and the caller's own changes
//	remember the new heads, forget the notes
package local

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"sync"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
	"ago/store/items"
)

const headsMax = 1 << 15 // heads in memory, about 200 bytes each

// Log is the only writer of its tables: a store has at most one. It is safe for concurrent use.
type Log struct {
	tables store.Store
	items  items.Items
	heads  *heads
	parts  [slotlog.Partitions]partition

	mu       sync.Mutex
	turns    map[message.ID]*turn
	unsynced map[message.ID]slotlog.Head // heads on disk of processes whose last append has not returned nil
	closed   bool
	users    sync.WaitGroup
}

type partition struct {
	sync.RWMutex // shared by appends, held alone to change the epoch
	mu           sync.Mutex
	known        bool
	epoch        slotlog.Epoch
}

// New gives the log that is in the tables. Messages over 256 KiB go to the blobs. Close leaves both open.
func New(tables store.Store, blobs store.Blobs) *Log {
	return &Log{
		tables:   tables,
		items:    items.Items{Tables: tables, Blobs: blobs},
		heads:    newHeads(headsMax),
		turns:    map[message.ID]*turn{},
		unsynced: map[message.ID]slotlog.Head{},
	}
}

// use keeps the log open until done is called.
func (l *Log) use(ctx context.Context) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fault.New(fault.Unavailable, "log-closed", "the log is closed")
	}
	l.users.Add(1)
	return l.users.Done, nil
}

// Close waits for what is under way. Afterwards everything fails.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.users.Wait()
	return nil
}

// onDisk tells how far a process is on disk if that may be less than what the store shows. Whoever asks must have read
// first: then what it read either is on disk or is beyond the answer.
func (l *Log) onDisk(p message.ID) (head slotlog.Head, limited bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	head, limited = l.unsynced[p]
	return head, limited
}

// Range reads the entries with their items.
func (l *Log) Range(ctx context.Context, p message.ID, from, to slotlog.Slot) iter.Seq2[slotlog.Entry, error] {
	return func(yield func(slotlog.Entry, error) bool) {
		done, err := l.use(ctx)
		if err != nil {
			yield(slotlog.Entry{}, err)
			return
		}
		defer done()
		var limit slotlog.Head
		limited, first := false, true
		want := from
		for pair, err := range l.slots(p, from, to) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(slotlog.Entry{}, err)
				return
			}
			if first {
				limit, limited = l.onDisk(p)
				first = false
			}
			s := slotOf(pair.Key)
			if s != want || limited && s >= limit.Next {
				return
			}
			e, err := l.entry(ctx, p, s, pair.Value)
			if !yield(e, err) || err != nil {
				return
			}
			if from < to {
				want++
			} else {
				want--
			}
		}
	}
}

// slots scans from <= s < to, or from >= s > to downwards.
func (l *Log) slots(p message.ID, from, to slotlog.Slot) iter.Seq2[store.Pair, error] {
	if from <= to {
		return l.tables.Scan(entryKey(p, from), entryKey(p, to), false)
	}
	return l.tables.Scan(append(entryKey(p, to), 0), append(entryKey(p, from), 0), true)
}

func (l *Log) entry(ctx context.Context, p message.ID, s slotlog.Slot, raw []byte) (slotlog.Entry, error) {
	e, item, err := decodeEntry(raw)
	if err != nil {
		return slotlog.Entry{}, damaged(err, "slot %d of process %s", s, p)
	}
	e.Process, e.Slot = p, s
	if item {
		if e.Item, err = l.items.Get(ctx, e.Message); err != nil {
			return slotlog.Entry{}, damaged(err, "the message of slot %d of process %s", s, p)
		}
	}
	return e, nil
}

// Head gives the head of the last block that is on disk.
func (l *Log) Head(ctx context.Context, p message.ID) (slotlog.Head, error) {
	done, err := l.use(ctx)
	if err != nil {
		return slotlog.Head{}, err
	}
	defer done()
	if head, ok := l.heads.get(p); ok {
		return head, nil
	}
	head, err := l.readHead(p)
	if err != nil {
		return slotlog.Head{}, err
	}
	if old, limited := l.onDisk(p); limited {
		return old, nil
	}
	return head, nil
}

func (l *Log) readHead(p message.ID) (slotlog.Head, error) {
	raw, err := l.tables.Get(headKey(p))
	if errors.Is(err, store.ErrNotFound) {
		return slotlog.Head{}, nil
	}
	if err != nil {
		return slotlog.Head{}, err
	}
	_, head, err := decodeHead(raw)
	return head, damaged(err, "the head of process %s", p)
}

// Find looks a message id or dedup key up.
func (l *Log) Find(ctx context.Context, p, key message.ID) (slotlog.Slot, error) {
	done, err := l.use(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	s, err := l.find(p, key)
	if err != nil {
		return 0, err
	}
	if old, limited := l.onDisk(p); limited && s >= old.Next {
		return 0, slotlog.ErrNotFound
	}
	return s, nil
}

func (l *Log) find(p, key message.ID) (slotlog.Slot, error) {
	raw, err := l.tables.Get(dedupKey(p, key))
	if errors.Is(err, store.ErrNotFound) {
		return 0, slotlog.ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	if len(raw) != 8 {
		return 0, damaged(errors.New("not a slot"), "key %s of process %s", key, p)
	}
	return slotlog.Slot(binary.BigEndian.Uint64(raw)), nil
}

// Processes reads the table of heads.
func (l *Log) Processes(ctx context.Context, after message.ID) iter.Seq2[message.ID, error] {
	return func(yield func(message.ID, error) bool) {
		done, err := l.use(ctx)
		if err != nil {
			yield(message.ID{}, err)
			return
		}
		defer done()
		for pair, err := range l.tables.Scan(append(headKey(after), 0), []byte{store.TableHeads + 1}, false) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(message.ID{}, err)
				return
			}
			p := message.ID(pair.Key[1:])
			if old, limited := l.onDisk(p); limited && old.Next == 0 {
				continue
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Acquire raises the epoch of the partition, on disk.
func (l *Log) Acquire(ctx context.Context, part slotlog.Partition) (slotlog.Epoch, error) {
	done, err := l.use(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	if err := slotlog.CheckPartition(part); err != nil {
		return 0, err
	}
	pt := &l.parts[part]
	pt.Lock()
	defer pt.Unlock()
	epoch, err := l.epoch(part)
	if err != nil {
		return 0, err
	}
	pt.known = false // whatever Apply does, the epoch in memory has to be the one that is on disk
	b := &store.Batch{}
	b.Set(partitionKey(part), binary.BigEndian.AppendUint64(nil, uint64(epoch+1)))
	if err := l.tables.Apply(b, true); err != nil {
		return 0, err
	}
	pt.known, pt.epoch = true, epoch+1
	return epoch + 1, nil
}

// epoch gives the epoch of a partition that the caller has locked or shares.
func (l *Log) epoch(part slotlog.Partition) (slotlog.Epoch, error) {
	pt := &l.parts[part]
	pt.mu.Lock()
	defer pt.mu.Unlock()
	if pt.known {
		return pt.epoch, nil
	}
	raw, err := l.tables.Get(partitionKey(part))
	switch {
	case errors.Is(err, store.ErrNotFound):
		pt.epoch = 0
	case err != nil:
		return 0, err
	case len(raw) != 8:
		return 0, damaged(errors.New("not an epoch"), "partition %d", part)
	default:
		pt.epoch = slotlog.Epoch(binary.BigEndian.Uint64(raw))
	}
	pt.known = true
	return pt.epoch, nil
}

// PutItem adds the bytes of a message to a batch, for messages that are in no log, too. Bytes over 256 KiB are stored as a
// blob at once; the batch gets a reference. The batch keeps raw.
func (l *Log) PutItem(ctx context.Context, b *store.Batch, id message.ID, raw []byte) error {
	return l.items.Put(ctx, b, id, raw)
}

// Item gives the bytes of a message, or store.ErrNotFound. Blobs are compared with their hash.
func (l *Log) Item(ctx context.Context, id message.ID) ([]byte, error) {
	done, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return l.items.Get(ctx, id)
}

// OpenItem opens the bytes of a message, or fails with store.ErrNotFound. The caller closes it.
func (l *Log) OpenItem(ctx context.Context, id message.ID) (store.Blob, error) {
	done, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return l.items.Open(id)
}

func damaged(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	f := fault.New(fault.Internal, "log-damaged", format+" cannot be read", args...)
	f.Cause = err
	return f.WithHint("check the disk and restore the data folder from a copy")
}

var _ slotlog.Log = (*Log)(nil)
