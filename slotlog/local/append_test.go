package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/slotlog/slotlogtest"
	"ago/store"
	"ago/store/items"
	"ago/store/memory"
)

var errSync = errors.New("the disk did not answer")

// slowStore shows a batch before its sync has ended, and can let the sync fail.
type slowStore struct {
	*memory.Store
	mu      sync.Mutex
	shown   chan struct{} // gets a token when a batch can be seen
	finish  chan error    // gives the outcome of its sync
	applied int
}

func newSlowStore() *slowStore {
	return &slowStore{Store: memory.New(), shown: make(chan struct{}, 10), finish: make(chan error, 10)}
}

func (s *slowStore) Apply(b *store.Batch, sync bool) error {
	if err := s.Store.Apply(b, sync); err != nil {
		return err
	}
	s.mu.Lock()
	s.applied++
	s.mu.Unlock()
	s.shown <- struct{}{}
	return <-s.finish
}

// wantSlots compares all ways to see how many slots a process has.
func wantSlots(t *testing.T, l *Log, p message.ID, entries []slotlog.Entry, n int) {
	t.Helper()
	var got []slotlog.Slot
	for e, err := range l.Range(t.Context(), p, 0, 100) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Slot)
	}
	if len(got) != n {
		t.Errorf("slots %d are read, want %d of them", got, n)
	}
	for e := range l.Range(t.Context(), p, slotlog.Slot(len(entries)-1), 0) {
		if int(e.Slot) >= n {
			t.Errorf("slot %d is read downwards, want %d slots", e.Slot, n)
		}
	}
	if head, err := l.Head(t.Context(), p); err != nil || int(head.Next) != n {
		t.Errorf("Head = %+v, %v, want %d slots", head, err, n)
	}
	for _, e := range entries {
		if _, err := l.Find(t.Context(), p, e.Message); (err == nil) != (int(e.Slot) < n) {
			t.Errorf("Find of slot %d: %v, want %d slots", e.Slot, err, n)
		}
	}
	listed := false
	for range l.Processes(t.Context(), message.ID{}) {
		listed = true
	}
	if listed != (n > 0) {
		t.Errorf("the process is listed: %v, with %d slots", listed, n)
	}
}

func TestASlotIsShownWhenItIsOnDisk(t *testing.T) {
	s := newSlowStore()
	l := New(s, memory.NewBlobs())
	p := slotlogtest.ID("process")
	first, second := slotlogtest.Block(p, 0, 0, 2, 0), slotlogtest.Block(p, 0, 2, 2, 0)
	all := append(append([]slotlog.Entry{}, first.Entries...), second.Entries...)
	for i, b := range []slotlog.Block{first, second} {
		done := make(chan error, 1)
		go func() { done <- l.Append(t.Context(), b) }()
		<-s.shown
		wantSlots(t, l, p, all, 2*i)
		s.finish <- nil
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantSlots(t, l, p, all, 2*i+2)
	}
}

func TestAnAppendThatFailedIsShownOnlyAfterItWasRepeated(t *testing.T) {
	s := newSlowStore()
	l := New(s, memory.NewBlobs())
	p := slotlogtest.ID("process")
	b := slotlogtest.Block(p, 0, 0, 2, 0)
	later := slotlogtest.Block(p, 0, 2, 1, 0)
	all := append(append([]slotlog.Entry{}, b.Entries...), later.Entries...)
	for range 3 { // each repeat has to reach the disk by itself
		s.finish <- errSync
		if err := l.Append(t.Context(), b); !errors.Is(err, errSync) {
			t.Fatalf("Append: %v", err)
		}
		wantSlots(t, l, p, all, 0)
	}
	if s.applied != 3 {
		t.Fatalf("%d batches for three appends", s.applied)
	}
	if err := l.Append(t.Context(), slotlogtest.Block(p, 0, 0, 2, 1)); !errors.Is(err, slotlog.ErrSlotUsed) {
		t.Fatalf("another block for slots that may be on disk: %v", err)
	}
	s.finish <- nil
	if err := l.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	wantSlots(t, l, p, all, 2)
	if err := l.Append(t.Context(), b); err != nil || s.applied != 4 {
		t.Fatalf("a repeat of what is on disk: %v, %d batches", err, s.applied)
	}
	// A later block settles an earlier one too.
	s.finish <- errSync
	if err := l.Append(t.Context(), later); !errors.Is(err, errSync) {
		t.Fatal(err)
	}
	next := slotlogtest.Block(p, 0, 3, 1, 0)
	s.finish <- nil
	if err := l.Append(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	wantSlots(t, l, p, append(all, next.Entries...), 4)
}

// fullBlobs takes no blob.
type fullBlobs struct{ store.Blobs }

var errFull = errors.New("no space left")

func (fullBlobs) Put(context.Context, io.Reader) (message.ID, int64, error) {
	return message.ID{}, 0, errFull
}

func TestAnAppendThatStoredNothingSaysSo(t *testing.T) {
	s := newSlowStore()
	p := slotlogtest.ID("process")
	b := slotlogtest.Block(p, 0, 0, 1, 0)
	b.Entries[0].Item = make([]byte, items.Inline+1)
	err := New(s, fullBlobs{memory.NewBlobs()}).Append(t.Context(), b)
	if !errors.Is(err, errFull) || !errors.Is(err, slotlog.ErrNotStored) || err.Error() != errFull.Error() || s.applied != 0 {
		t.Fatalf("a blob that cannot be written: %v", err)
	}
	l := New(s, memory.NewBlobs())
	if err := l.Append(t.Context(), slotlogtest.Block(p, 0, 1, 1, 0)); !errors.Is(err, slotlog.ErrGap) || !errors.Is(err, slotlog.ErrNotStored) {
		t.Fatalf("a refusal: %v", err)
	}
	s.finish <- errSync
	if err := l.Append(t.Context(), b); !errors.Is(err, errSync) || errors.Is(err, slotlog.ErrNotStored) {
		t.Fatalf("a batch that failed: %v", err)
	}
}

func TestARepeatOfAnOldBlockLeavesTheHead(t *testing.T) {
	s := newSlowStore()
	l := New(s, memory.NewBlobs())
	p := slotlogtest.ID("process")
	first, second := slotlogtest.Block(p, 0, 0, 1, 0), slotlogtest.Block(p, 0, 1, 1, 0)
	for _, step := range []struct {
		block   slotlog.Block
		outcome error
	}{{first, nil}, {second, errSync}, {first, nil}} {
		s.finish <- step.outcome
		if err := l.Append(t.Context(), step.block); !errors.Is(err, step.outcome) {
			t.Fatal(err)
		}
	}
	if head, err := l.Head(t.Context(), p); err != nil || head != second.Head {
		t.Fatalf("Head = %+v, %v, want %+v", head, err, second.Head)
	}
}

func TestAFailedTakeoverFencesNobodyByMistake(t *testing.T) {
	s := newSlowStore()
	l := New(s, memory.NewBlobs())
	p := slotlogtest.ID("process")
	s.finish <- errSync
	if _, err := l.Acquire(t.Context(), slotlog.PartitionOf(p)); !errors.Is(err, errSync) {
		t.Fatal(err)
	}
	s.finish <- nil
	epoch, err := l.Acquire(t.Context(), slotlog.PartitionOf(p))
	if err != nil || epoch != 2 {
		t.Fatalf("Acquire = %d, %v; the epoch that may be on disk must not be given again", epoch, err)
	}
}

func TestATakeoverWaitsForAppendsUnderWay(t *testing.T) {
	s := newSlowStore()
	l := New(s, memory.NewBlobs())
	p := slotlogtest.ID("process")
	appended, acquired := make(chan error, 1), make(chan error, 1)
	go func() { appended <- l.Append(t.Context(), slotlogtest.Block(p, 0, 0, 1, 0)) }()
	<-s.shown
	go func() {
		_, err := l.Acquire(t.Context(), slotlog.PartitionOf(p))
		acquired <- err
	}()
	select {
	case err := <-acquired:
		t.Fatalf("the epoch was raised under an append: %v", err)
	case <-s.shown:
		t.Fatal("the epoch was stored under an append")
	case <-time.After(20 * time.Millisecond):
	}
	s.finish <- nil
	s.finish <- nil
	if err := errors.Join(<-appended, <-acquired); err != nil {
		t.Fatal(err)
	}
}

func TestAWaitingAppendCanBeCancelled(t *testing.T) {
	s := newSlowStore()
	l := New(s, memory.NewBlobs())
	p, q := slotlogtest.ID("process", 1), slotlogtest.ID("process", 2)
	done := make(chan error, 1)
	go func() { done <- l.Append(t.Context(), slotlogtest.Block(p, 0, 0, 1, 0)) }()
	<-s.shown
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := l.Append(ctx, slotlogtest.Block(p, 0, 1, 1, 0), slotlogtest.Block(q, 0, 0, 1, 0))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Append: %v", err)
	}
	s.finish <- nil
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.finish <- nil
	if err := l.Append(t.Context(), slotlogtest.Block(q, 0, 0, 1, 0)); err != nil {
		t.Fatal(err)
	}
	if len(l.turns) != 0 || len(l.unsynced) != 0 {
		t.Fatalf("%d turns and %d notes are left", len(l.turns), len(l.unsynced))
	}
}

func TestTheCallersChangesShareTheBatch(t *testing.T) {
	tables := memory.New()
	l := New(tables, memory.NewBlobs())
	p := slotlogtest.ID("process")
	extra := func(value string) *store.Batch {
		b := &store.Batch{}
		b.Set([]byte("Tag"), []byte(value))
		return b
	}
	value := func() string {
		v, err := tables.Get([]byte("Tag"))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		return string(v)
	}
	b := slotlogtest.Block(p, 0, 0, 1, 0)
	for _, step := range []struct {
		name   string
		block  slotlog.Block
		reason error
		want   string
	}{
		{"a refused block", slotlogtest.Block(p, 0, 1, 1, 0), slotlog.ErrGap, ""},
		{"a new block", b, nil, "a new block"},
		{"the same block", b, nil, "a new block"},
		{"the next block", slotlogtest.Block(p, 0, 1, 1, 0), nil, "the next block"},
	} {
		if err := l.AppendWith(t.Context(), extra(step.name), step.block); !errors.Is(err, step.reason) {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := value(); got != step.want {
			t.Errorf("%s: the change is %q, want %q", step.name, got, step.want)
		}
	}
	if err := l.AppendWith(t.Context(), extra("alone")); err != nil || value() != "alone" {
		t.Errorf("changes without blocks: %q, %v", value(), err)
	}
	bad := &store.Batch{}
	bad.Set(nil, nil)
	if err := l.AppendWith(t.Context(), bad, slotlogtest.Block(p, 0, 2, 1, 0)); fault.CodeOf(err) != "store-key-invalid" {
		t.Errorf("a batch the store refuses: %v", err)
	}
	if err := l.Append(t.Context(), slotlogtest.Block(p, 0, 2, 1, 0)); err != nil {
		t.Errorf("the same slot without it: %v", err)
	}
}

func TestItems(t *testing.T) {
	tables, blobs := memory.New(), memory.NewBlobs()
	l := New(tables, blobs)
	id := func(size int) message.ID { return slotlogtest.ID("item", uint64(size)) }
	sizes := []int{0, 1, items.Inline, items.Inline + 1, 2 << 20}
	for _, size := range sizes {
		b := &store.Batch{}
		raw := bytes.Repeat([]byte{7}, size)
		if err := l.PutItem(t.Context(), b, id(size), raw); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Item(t.Context(), id(size)); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%d bytes are there before their batch: %v", size, err)
		}
		if err := tables.Apply(b, true); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Item(t.Context(), id(size)); err != nil || !bytes.Equal(got, raw) {
			t.Fatalf("%d bytes came back as %d, %v", size, len(got), err)
		}
		f, err := l.OpenItem(t.Context(), id(size))
		if err != nil || f.Size() != int64(size) {
			t.Fatalf("%d bytes cannot be opened: %v", size, err)
		}
		part := make([]byte, min(size, 10))
		if _, err := f.ReadAt(part, int64(size-len(part))); err != nil && err != io.EOF || !bytes.Equal(part, raw[:len(part)]) || f.Close() != nil {
			t.Fatalf("the end of %d bytes: %v, %v", size, part, err)
		}
		if f, err := blobs.Open(message.HashOf(raw)); (err == nil) != (size > items.Inline) {
			t.Errorf("%d bytes are a blob: %v, %v", size, f, err)
		}
	}
	if _, err := l.OpenItem(t.Context(), id(3)); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("an unknown item: %v", err)
	}
	// What is referred to but is not there, or is something else, is damage and not absence.
	if err := blobs.Delete(message.HashOf(bytes.Repeat([]byte{7}, 2<<20))); err != nil {
		t.Fatal(err)
	}
	broken := &store.Batch{}
	broken.Set(items.Key(id(1)), []byte{9})
	broken.Set(items.Key(id(0)), nil)
	if err := tables.Apply(broken, true); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 2 << 20} {
		if _, err := l.Item(t.Context(), id(size)); fault.CodeOf(err) != "log-damaged" || fault.HintOf(err) == "" {
			t.Errorf("a broken item: %v", err)
		}
		if _, err := l.OpenItem(t.Context(), id(size)); fault.CodeOf(err) != "log-damaged" || errors.Is(err, store.ErrNotFound) {
			t.Errorf("a broken item is opened: %v", err)
		}
	}
}

// countingBlobs counts the bytes that are read.
type countingBlobs struct {
	store.Blobs
	read int64
}

type countingBlob struct {
	store.Blob
	of *countingBlobs
}

func (b *countingBlobs) Open(id message.ID) (store.Blob, error) {
	f, err := b.Blobs.Open(id)
	return countingBlob{f, b}, err
}

func (b countingBlob) Read(p []byte) (int, error) {
	n, err := b.Blob.Read(p)
	b.of.read += int64(n)
	return n, err
}

func (b countingBlob) ReadAt(p []byte, at int64) (int, error) {
	n, err := b.Blob.ReadAt(p, at)
	b.of.read += int64(n)
	return n, err
}

func TestAPartOfALargeItemIsReadAlone(t *testing.T) {
	tables, blobs := memory.New(), &countingBlobs{Blobs: memory.NewBlobs()}
	l := New(tables, blobs)
	id, b := slotlogtest.ID("item"), &store.Batch{}
	if err := l.PutItem(t.Context(), b, id, make([]byte, 4<<20)); err != nil {
		t.Fatal(err)
	}
	if err := tables.Apply(b, true); err != nil {
		t.Fatal(err)
	}
	f, err := l.OpenItem(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 100), 3<<20); err != nil || blobs.read != 100 {
		t.Fatalf("%d bytes were read, %v", blobs.read, err)
	}
}

func TestDamageIsNotAbsence(t *testing.T) {
	tables := memory.New()
	l := New(tables, memory.NewBlobs())
	p := slotlogtest.ID("process")
	e := slotlogtest.Entry(p, 0, 0)
	b := &store.Batch{}
	b.Set(entryKey(p, 0), []byte{99})
	b.Set(dedupKey(p, e.Message), []byte{1})
	b.Set(headKey(p), []byte{1})
	b.Set(partitionKey(slotlog.PartitionOf(p)), []byte{1})
	if err := tables.Apply(b, true); err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{"Append": l.Append(t.Context(), slotlogtest.Block(p, 0, 0, 1, 0))}
	_, errs["Find"] = l.Find(t.Context(), p, e.Message)
	_, errs["Head"] = l.Head(t.Context(), p)
	_, errs["Acquire"] = l.Acquire(t.Context(), slotlog.PartitionOf(p))
	for _, err := range l.Range(t.Context(), p, 0, 1) {
		errs["Range"] = err
	}
	for _, name := range []string{"Append", "Find", "Head", "Acquire", "Range"} {
		if err := errs[name]; fault.CodeOf(err) != "log-damaged" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeadsAreBounded(t *testing.T) {
	h := newHeads(3)
	id := func(i int) message.ID { return slotlogtest.ID("p", uint64(i)) }
	for i := range 5 {
		h.put(id(i), slotlog.Head{Next: slotlog.Slot(i)})
		h.get(id(2))
	}
	h.put(id(4), slotlog.Head{Next: 40})
	h.drop(id(3))
	h.drop(id(3))
	got := map[string]slotlog.Slot{}
	for i := range 5 {
		if head, ok := h.get(id(i)); ok {
			got[fmt.Sprint(i)] = head.Next
		}
	}
	if diff := cmp.Diff(map[string]slotlog.Slot{"2": 2, "4": 40}, got); diff != "" {
		t.Fatal(diff)
	}
}
