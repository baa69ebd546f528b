// Package memory is a store that is gone when its process ends: for tests, and for networks that nobody needs tomorrow.
//
// It is written to be obviously right; the other stores have to behave like it.
package memory

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// Store is a sorted list. It is safe for concurrent use.
type Store struct {
	mu     sync.RWMutex
	pairs  []pair // by key
	closed bool
}

type pair struct{ key, value string }

// New gives an empty store.
func New() *Store { return &Store{} }

// find gives the place of the first key that is not smaller. The caller has the lock.
func (s *Store) find(key []byte) (at int, ok bool) {
	return slices.BinarySearchFunc(s.pairs, string(key), func(p pair, k string) int { return strings.Compare(p.key, k) })
}

// Get gives a copy of the value.
func (s *Store) Get(key []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	at, ok := s.find(key)
	if !ok {
		return nil, store.ErrNotFound
	}
	return []byte(s.pairs[at].value), nil
}

// Scan takes what is in the bounds before it starts.
func (s *Store) Scan(lower, upper []byte, reverse bool) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		pairs, err := s.between(lower, upper)
		if err != nil {
			yield(store.Pair{}, err)
			return
		}
		if reverse {
			slices.Reverse(pairs)
		}
		for _, p := range pairs {
			if !yield(store.Pair{Key: []byte(p.key), Value: []byte(p.value)}, nil) {
				return
			}
		}
	}
}

func (s *Store) between(lower, upper []byte) ([]pair, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	first, _ := s.find(lower)
	end := len(s.pairs)
	if upper != nil {
		end, _ = s.find(upper)
	}
	return slices.Clone(s.pairs[first:max(first, end)]), nil
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
		at, ok := s.find(op.Key)
		switch {
		case op.End != nil:
			end, _ := s.find(op.End)
			s.pairs = slices.Delete(s.pairs, at, max(at, end))
		case op.Delete && ok:
			s.pairs = slices.Delete(s.pairs, at, at+1)
		case op.Delete:
		case ok:
			s.pairs[at].value = string(op.Value)
		default:
			s.pairs = slices.Insert(s.pairs, at, pair{string(op.Key), string(op.Value)})
		}
	}
	return nil
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
