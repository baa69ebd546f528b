// Package pebble is the store of a node that keeps its data: one folder on the local disk.
//
// Many goroutines that apply batches at the same time share their syncs: the engine collects what waits while a sync runs,
// so nothing above it has to.
//
// A failed write of the disk is the end of writing, not of the process: it is kept, from then on Apply answers with it, also
// to callers that wait inside the engine, and reading goes on. Invariant: no Apply returns nil after a failure.
package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"ago/fault"
	"ago/store"
)

const (
	cacheBytesDefault = 16 << 20 // an idle node has to stay below 100 MiB
	memtableBytes     = 8 << 20
	memtablesMax      = 2 // may be full at once
	// tableBytesMax bounds the tables of the lower levels, and with them their filters, which are read as a whole: 200 KB.
	tableBytesMax = 16 << 20
	openFilesMax  = 500 // soft; below the usual limit of 1024 together with sockets
	walSyncBytes  = 512 << 10
)

// format is the engine's own format. It is pinned, so that a new release of the library changes nothing on disk unasked.
const format = pebble.FormatTableFormatV6

var formatKey = append([]byte{store.TableFormat}, "format"...)

// Options say where the store is. Zero fields take the defaults.
type Options struct {
	Dir        string       // folder, made if absent
	CacheBytes int64        // blocks that are kept in memory, beside 16 MiB for what was written last; 16 MiB
	FS         vfs.FS       // file system; the machine's
	Log        *slog.Logger // the engine's own reports; slog's default
}

// Store is a folder with one engine in it.
type Store struct {
	db   *pebble.DB
	stop *stop

	mu     sync.Mutex
	closed bool
	users  sync.WaitGroup
}

// Open makes or opens a store. It fails if another process has it open, or if its tables have another format version.
func Open(o Options) (*Store, error) {
	if o.CacheBytes == 0 {
		o.CacheBytes = cacheBytesDefault
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	// The engine takes the memory of its memtables from the cache: one as large as they are would hold no block at all.
	cache := pebble.NewCache(o.CacheBytes + memtablesMax*memtableBytes)
	defer cache.Unref()
	if o.FS == nil {
		o.FS = vfs.Default
	}
	stop := newStop(o.Log)
	db, err := pebble.Open(o.Dir, engineOptions(o, cache, stop))
	if err != nil {
		return nil, openFault(o.Dir, err)
	}
	s := &Store{db: db, stop: stop}
	if err := errors.Join(s.checkFormat(o.Dir), stop.fault()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	stop.armed.Store(true)
	return s, nil
}

func engineOptions(o Options, cache *pebble.Cache, stop *stop) *pebble.Options {
	p := &pebble.Options{
		Cache:                       cache,
		EventListener:               stop.listener(),
		FS:                          files{o.FS, stop},
		FormatMajorVersion:          format,
		Logger:                      stop,
		MaxOpenFiles:                openFilesMax,
		MemTableSize:                memtableBytes,
		MemTableStopWritesThreshold: memtablesMax,
		WALBytesPerSync:             walSyncBytes,
	}
	p.Experimental.CompactionScheduler = newCompactions()
	for i := range p.Levels {
		// Most lookups of the log ask for a key that is not there: has this message a slot already?
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.Levels[i].FilterType = pebble.TableFilter
		p.TargetFileSizes[i] = min(int64(2<<20)<<i, tableBytesMax)
	}
	return p
}

func openFault(dir string, err error) error {
	f := fault.New(fault.Unavailable, "store-open-failed", "the store in %s cannot be opened", dir)
	f.Cause = err
	switch {
	case errors.Is(err, syscall.EAGAIN), lockHeld(err):
		f.Code = "store-locked"
		return f.WithHint("another process has the store open: stop it, or give this one another data folder")
	case errors.Is(err, fs.ErrPermission):
		return f.WithHint("give the user of this process the right to write in %s", dir)
	case pebble.IsCorruptionError(err):
		f.Kind, f.Code = fault.Internal, "store-damaged"
		return f.WithHint("restore %s from a copy", dir)
	}
	return f.WithHint("check the free space and the permissions of %s", dir)
}

// lockHeld recognises the engine's answer when this very process has the folder open; there is no value to compare with.
func lockHeld(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == "lock held by current process" {
			return true
		}
	}
	return false
}

func (s *Store) checkFormat(dir string) error {
	want := fmt.Sprint(store.FormatVersion)
	got, err := s.get(formatKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.commit(func(b *pebble.Batch) error { return b.Set(formatKey, []byte(want), nil) }, true)
	case err != nil:
		return err
	case string(got) != want:
		return fault.New(fault.Unsupported, "store-format", "the store in %s has format %s, this program writes format %s",
			dir, got, want).WithHint("use the release of the program that wrote the store")
	}
	return nil
}

// use keeps the engine open until done is called.
func (s *Store) use() (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	s.users.Add(1)
	return s.users.Done, nil
}

// Get gives a copy of the value.
func (s *Store) Get(key []byte) ([]byte, error) {
	done, err := s.use()
	if err != nil {
		return nil, err
	}
	defer done()
	if len(key) == 0 || key[0] == store.TableFormat {
		return nil, store.ErrNotFound
	}
	return s.get(key)
}

func (s *Store) get(key []byte) ([]byte, error) {
	// The engine's own Get leaves out the filters of the lowest level, where nearly everything is.
	it, err := s.db.NewIter(&pebble.IterOptions{UseL6Filters: true, KeyTypes: pebble.IterKeyTypePointsOnly})
	if err != nil {
		return nil, readFault(err)
	}
	if !it.SeekPrefixGE(key) || !bytes.Equal(it.Key(), key) {
		if err := it.Close(); err != nil { // with the error of the search
			return nil, readFault(err)
		}
		return nil, store.ErrNotFound
	}
	v, err := it.ValueAndErr()
	value := append([]byte{}, v...)
	if err := errors.Join(err, it.Close()); err != nil {
		return nil, readFault(err)
	}
	return value, nil
}

// Scan goes through a snapshot. The store stays open until the scan ends, also if somebody closes it meanwhile; a scan that
// closes the store it scans waits for itself.
func (s *Store) Scan(lower, upper []byte, reverse bool) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		done, err := s.use()
		if err != nil {
			yield(store.Pair{}, err)
			return
		}
		defer done()
		from := lower
		if len(from) == 0 || from[0] == store.TableFormat {
			from = []byte{store.TableFormat + 1} // behind the store's own table
		}
		if upper != nil && string(upper) <= string(from) {
			return
		}
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: upper})
		if err != nil {
			yield(store.Pair{}, readFault(err))
			return
		}
		defer it.Close()
		first, next := it.First, it.Next
		if reverse {
			first, next = it.Last, it.Prev
		}
		for ok := first(); ok; ok = next() {
			v, err := it.ValueAndErr()
			if err != nil {
				break // the iterator keeps the error
			}
			if !yield(store.Pair{Key: append([]byte{}, it.Key()...), Value: append([]byte{}, v...)}, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(store.Pair{}, readFault(err))
		}
	}
}

// Apply commits the batch. With sync it waits for the disk, together with all others that wait.
func (s *Store) Apply(b *store.Batch, sync bool) error {
	if err := b.Check(); err != nil {
		return err
	}
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	return s.commit(func(batch *pebble.Batch) error { return fill(batch, b) }, sync)
}

func fill(batch *pebble.Batch, b *store.Batch) error {
	for _, op := range b.Ops {
		var err error
		switch {
		case op.End != nil:
			if string(op.Key) < string(op.End) {
				err = batch.DeleteRange(op.Key, op.End, nil)
			}
		case op.Delete:
			err = batch.Delete(op.Key, nil)
		default:
			err = batch.Set(op.Key, op.Value, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commit gives the batch to the engine in a goroutine of its own, since a failure keeps that goroutine.
func (s *Store) commit(fill func(*pebble.Batch) error, sync bool) error {
	if err := s.stop.fault(); err != nil {
		return err
	}
	batch := s.db.NewBatch()
	if err := fill(batch); err != nil {
		return fault.Wrap(errors.Join(err, batch.Close()), fault.Internal, "store-batch-invalid", "a batch cannot be built")
	}
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
	}
	committed := make(chan error, 1)
	go func() { committed <- errors.Join(s.db.Apply(batch, opts), batch.Close()) }()
	var err error
	select {
	case err = <-committed:
	case <-s.stop.failed:
	}
	if failure := s.stop.fault(); failure != nil {
		return failure
	}
	if err != nil {
		return writeFault(err)
	}
	return nil
}

// Fault tells why the store takes no more changes, or nil while it does. It stays: only a new process writes again.
func (s *Store) Fault() error {
	if err := s.stop.fault(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	return nil
}

// Close waits for reads and writes under way and releases the folder. After a failed write it only answers with that: the
// engine cannot be closed, and the folder is free again when the process ends. What was acknowledged is in its log.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.users.Wait()
	if err := s.stop.fault(); err != nil {
		return err
	}
	closed := make(chan error, 1)
	go func() { closed <- s.db.Close() }()
	select {
	case err := <-closed:
		return fault.Wrap(err, fault.Unavailable, "store-close-failed", "the store did not close in order")
	case <-s.stop.failed:
		return s.stop.fault()
	}
}

// MemoryBytes is what the engine holds in memory: block cache and memtables. It is 0 once the store failed or is closed.
func (s *Store) MemoryBytes() int64 {
	done, err := s.use()
	if err != nil {
		return 0
	}
	defer done()
	if s.stop.fault() != nil {
		return 0
	}
	m := s.db.Metrics()
	return m.BlockCache.Size + int64(m.MemTable.Size)
}

func readFault(err error) error {
	if err == nil {
		return nil
	}
	if pebble.IsCorruptionError(err) {
		f := fault.New(fault.Internal, "store-damaged", "the store gave bytes that are not what was written")
		f.Cause = err
		return f.WithHint("check the disk and restore the store from a copy")
	}
	return fault.Wrap(err, fault.Unavailable, "store-read-failed", "the store cannot be read")
}

func writeFault(err error) error {
	f := fault.New(fault.Unavailable, "store-write-failed", "the store takes no more changes")
	f.Cause = err
	if errors.Is(err, syscall.ENOSPC) {
		f.Code = "disk-full"
		return f.WithHint("free space on the disk of the data folder, then restart the node: it reads on, but writes nothing until then")
	}
	return f.WithHint("check the disk of the data folder, then restart the node: it reads on, but writes nothing until then")
}

var _ store.Store = (*Store)(nil)
