// Package memory is a store that is gone when its process ends: for tests, and for networks that nobody needs tomorrow.
//
// It is written to be obviously right; the other stores have to behave like it.
package memory

import (
	"bytes"
	"context"
	"io"
	"iter"
	"sync"

	"github.com/tidwall/btree"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// Store is a sorted tree. It is safe for concurrent use.
type Store struct {
	mu     sync.RWMutex
	pairs  *btree.BTreeG[pair] // by key; scans read a copy, which shares what does not change
	closed bool
}

type pair struct{ key, value string }

// New gives an empty store.
func New() *Store {
	return &Store{pairs: btree.NewBTreeGOptions(func(a, b pair) bool { return a.key < b.key }, btree.Options{NoLocks: true})}
}

// Get gives a copy of the value.
func (s *Store) Get(key []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	p, ok := s.pairs.Get(pair{key: string(key)})
	if !ok {
		return nil, store.ErrNotFound
	}
	return []byte(p.value), nil
}

// Scan takes what is in the bounds before it starts.
func (s *Store) Scan(lower, upper []byte, reverse bool) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		pairs, err := s.now()
		if err != nil {
			yield(store.Pair{}, err)
			return
		}
		each := func(p pair) bool {
			if reverse && p.key < string(lower) || !reverse && upper != nil && p.key >= string(upper) {
				return false
			}
			if reverse && upper != nil && p.key >= string(upper) { // the bound itself is not in it
				return true
			}
			return yield(store.Pair{Key: []byte(p.key), Value: []byte(p.value)}, nil)
		}
		switch {
		case !reverse:
			pairs.Ascend(pair{key: string(lower)}, each)
		case upper != nil:
			pairs.Descend(pair{key: string(upper)}, each)
		default:
			pairs.Reverse(each)
		}
	}
}

// now gives the pairs as they are, which no later change reaches.
func (s *Store) now() (*btree.BTreeG[pair], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	return s.pairs.Copy(), nil
}

// Apply makes the changes in their order. There is no disk, so sync means nothing.
func (s *Store) Apply(b *store.Batch, _ bool) error {
	if err := b.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	for _, op := range b.Ops {
		switch {
		case op.End != nil:
			s.remove(string(op.Key), string(op.End))
		case op.Delete:
			s.pairs.Delete(pair{key: string(op.Key)})
		default:
			s.pairs.Set(pair{string(op.Key), string(op.Value)})
		}
	}
	return nil
}

// remove takes out the keys from <= key < end. s.mu is held.
func (s *Store) remove(from, end string) {
	var gone []pair
	s.pairs.Ascend(pair{key: from}, func(p pair) bool {
		if p.key >= end {
			return false
		}
		gone = append(gone, p)
		return true
	})
	for _, p := range gone {
		s.pairs.Delete(p)
	}
}

// Close makes every later use fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Blobs keeps byte strings by their hash.
type Blobs struct {
	mu    sync.RWMutex
	bytes map[message.ID][]byte
}

// NewBlobs gives an empty collection.
func NewBlobs() *Blobs { return &Blobs{bytes: map[message.ID][]byte{}} }

// Put reads all of r.
func (b *Blobs) Put(ctx context.Context, r io.Reader) (message.ID, int64, error) {
	raw, err := io.ReadAll(r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return message.ID{}, 0, fault.Wrap(err, fault.Unavailable, "blob-unread", "a blob could not be read to its end")
	}
	id := message.HashOf(raw)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes[id] = raw
	return id, int64(len(raw)), nil
}

// Open gives the blob, or ErrNotFound.
func (b *Blobs) Open(id message.ID) (store.Blob, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	raw, ok := b.bytes[id]
	if !ok {
		return nil, store.ErrNotFound
	}
	return blob{bytes.NewReader(raw)}, nil
}

// Delete forgets a blob; an absent one is no error. Who has it open reads on.
func (b *Blobs) Delete(id message.ID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.bytes, id)
	return nil
}

type blob struct{ *bytes.Reader }

func (blob) Close() error { return nil }

var (
	_ store.Store = (*Store)(nil)
	_ store.Blobs = (*Blobs)(nil)
)
