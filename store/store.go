// Package store keeps bytes: small ordered tables with atomic batches, and blobs as files found by their hash.
package store

import (
	"context"
	"errors"
	"io"
	"iter"

	"ago/fault"
	"ago/message"
)

// ErrNotFound is given for an absent key or blob.
var ErrNotFound = errors.New("not found")

// Pair is a key with its value. Both belong to the receiver.
type Pair struct {
	Key, Value []byte
}

// FormatVersion is the version of the tables, written into every store that survives its process. A change of the bytes
// under any key raises it and brings a migration.
const FormatVersion = 1

// ErrClosed is the cause of every fault that a closed store or a closed blob folder gives.
var ErrClosed error = fault.New(fault.Unavailable, "store-closed", "the store is closed")

// Store is an ordered map of keys to values. It is safe for concurrent use. Keys are compared as bytes; the first byte
// names the table. TableFormat belongs to the store itself: it is never seen in a scan and a batch that touches it is refused.
type Store interface {
	// Get gives a copy of the value, or ErrNotFound.
	Get(key []byte) ([]byte, error)
	// Scan goes through the keys with lower <= key < upper (nil: no bound), downwards if reverse. It sees one
	// consistent state of the store.
	Scan(lower, upper []byte, reverse bool) iter.Seq2[Pair, error]
	// Apply makes all of the batch visible, or nothing. With sync it returns after the batch is on disk; others may see it
	// a moment before that. After a fault the outcome is unknown until the store is opened again.
	Apply(b *Batch, sync bool) error
	Close() error
}

// Op is one step of a batch: a set, a delete, or (End set) a delete of the keys Key <= k < End.
type Op struct {
	Key, Value, End []byte
	Delete          bool
}

// Batch is a list of changes that become visible together. Later ones win. It is not safe for concurrent use.
type Batch struct {
	Ops []Op
}

// Set stores a value under a key; the batch keeps both slices.
func (b *Batch) Set(key, value []byte) { b.Ops = append(b.Ops, Op{Key: key, Value: value}) }

// Delete removes a key; an absent one is no error.
func (b *Batch) Delete(key []byte) { b.Ops = append(b.Ops, Op{Key: key, Delete: true}) }

// DeleteRange removes the keys lower <= k < upper; upper must not be empty.
func (b *Batch) DeleteRange(lower, upper []byte) {
	if upper == nil {
		upper = []byte{} // refused by Check; as nil it would read as a delete of lower alone
	}
	b.Ops = append(b.Ops, Op{Key: lower, End: upper, Delete: true})
}

// Add appends all changes of another batch.
func (b *Batch) Add(o *Batch) { b.Ops = append(b.Ops, o.Ops...) }

// Len is the number of changes.
func (b *Batch) Len() int { return len(b.Ops) }

// Check refuses what no store can keep: an empty key or bound, and the store's own table. Implementations call it before
// they change anything.
func (b *Batch) Check() error {
	for _, op := range b.Ops {
		if len(op.Key) == 0 || op.Key[0] == TableFormat || op.End != nil && len(op.End) == 0 {
			return fault.New(fault.Internal, "store-key-invalid", "key %x up to %x is not in a table", op.Key, op.End)
		}
	}
	return nil
}

// Blob is an open blob.
type Blob interface {
	io.ReadSeekCloser
	io.ReaderAt
	Size() int64
}

// Blobs keeps large byte strings by their SHA-256. Put returns after the bytes are on disk.
type Blobs interface {
	Put(ctx context.Context, r io.Reader) (id message.ID, size int64, err error)
	Open(id message.ID) (Blob, error)
	Delete(id message.ID) error
}
