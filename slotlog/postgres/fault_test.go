package postgres_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/slotlog/slotlogtest"
	"ago/store"
	database "ago/store/postgres"
	"ago/store/postgres/pgtest"
)

// writer appends to a process as an owner does: what was not answered is appended again, byte for byte, and after a refusal it
// takes the partition over and reads the head.
type writer struct {
	log     slotlog.Log
	process message.ID
	name    uint64
	made    uint64
	acked   *slotlogtest.Acknowledged

	fenced, repeated int
}

func (w *writer) run(ctx context.Context, until func() bool) error {
	var epoch slotlog.Epoch
	var next slotlog.Slot
	owned := false
	for !until() {
		if !owned {
			var err error
			if epoch, err = w.log.Acquire(ctx, slotlog.PartitionOf(w.process)); err != nil {
				continue
			}
			head, err := w.log.Head(ctx, w.process)
			if err != nil {
				continue
			}
			owned, next = true, head.Next
		}
		b := slotlogtest.Block(w.process, epoch, next, 1+int(next%4), w.name)
		for i := range b.Entries {
			w.made++
			b.Entries[i].Message, b.Entries[i].DedupKey = slotlogtest.ID("message by", w.name, w.made), message.ID{}
		}
		err := w.log.Append(ctx, b)
		for err != nil && !refused(err) && !until() { // nobody knows
			w.repeated++
			err = w.log.Append(ctx, b)
		}
		switch {
		case err == nil:
			w.acked.AddBlock(b)
			next = b.Head.Next
		case errors.Is(err, slotlog.ErrFenced), errors.Is(err, slotlog.ErrSlotUsed):
			w.fenced++
			owned = false
		case errors.Is(err, slotlog.ErrGap), errors.Is(err, slotlog.ErrRepeated):
			return err // an owner that reads the head never sees these
		}
	}
	return nil
}

func refused(err error) bool {
	for _, reason := range []error{slotlog.ErrFenced, slotlog.ErrSlotUsed, slotlog.ErrGap, slotlog.ErrRepeated} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// Two nodes take the same processes from each other while the whole server is killed and started again: what was acknowledged
// is there, once, without a gap.
func TestNothingIsLostOrDoubledWhenTheServerIsKilled(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database(t)
	a := open(t, database.Options{URL: url, Name: "a", Patience: 200 * time.Millisecond}) // gives up early, so that callers meet unknown outcomes
	b := open(t, database.Options{URL: url, Name: "b"})
	acked := &slotlogtest.Acknowledged{}
	var stop atomic.Bool
	var wg sync.WaitGroup
	var writers []*writer
	for i := range 4 {
		for _, n := range []*node{a, b} {
			w := &writer{log: n.Log, process: slotlogtest.ID("process", uint64(i%2)), name: uint64(len(writers) + 1), acked: acked}
			writers = append(writers, w)
			wg.Go(func() {
				if err := w.run(t.Context(), stop.Load); err != nil {
					t.Error(err)
				}
			})
		}
	}
	kills := 1
	if os.Getenv("AGO_LONG") != "" {
		kills = 20
	}
	for range kills {
		grow(t, acked, 100)
		server.Kill()
		server.Restart(t)
	}
	grow(t, acked, 100)
	stop.Store(true)
	wg.Wait()
	f, err := slotlogtest.Audit(t.Context(), b.Log, acked)
	if err == nil {
		err = f.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	fenced, repeated := 0, 0
	for _, w := range writers {
		fenced, repeated = fenced+w.fenced, repeated+w.repeated
	}
	t.Logf("%d acknowledged, %d stored, %d refused, %d repeated by the writers", acked.Count(), f.Stored, fenced, repeated)
	if fenced == 0 {
		t.Error("no owner was fenced")
	}
}

// grow waits until so many further slots were acknowledged.
func grow(t *testing.T, acked *slotlogtest.Acknowledged, n int) {
	t.Helper()
	want := acked.Count() + n
	for deadline := time.Now().Add(time.Minute); acked.Count() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is appended any more")
		}
	}
}

// The connections of a node are cut again and again while it appends; it notices nothing but the delay.
func TestCutConnectionsAreOnlyADelay(t *testing.T) {
	server := pgtest.Shared(t)
	n := open(t, database.Options{URL: server.Database(t), Name: "a"})
	p := slotlogtest.ID("process")
	cut := `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
	var stop atomic.Bool
	var wg sync.WaitGroup
	acked := &slotlogtest.Acknowledged{}
	wg.Go(func() {
		for seen := -1; !stop.Load(); time.Sleep(time.Millisecond) {
			if acked.Count() >= seen+6 {
				seen = acked.Count()
				server.Exec(t, n.url, cut)
			}
		}
	})
	for next := slotlog.Slot(0); next < 60; {
		b := slotlogtest.Block(p, 0, next, 2, 0)
		if err := n.Append(t.Context(), b); err != nil {
			t.Error(err)
			break
		}
		acked.AddBlock(b)
		next = b.Head.Next
	}
	stop.Store(true)
	wg.Wait()
	f, err := slotlogtest.Audit(t.Context(), n.Log, acked)
	if err == nil {
		err = f.Err()
	}
	if err != nil || f.Stored != 60 {
		t.Fatalf("%d stored, %v", f.Stored, err)
	}
}

// An append that waits for a lock longer than the time of a statement is refused by the database: nothing of it is stored.
func TestATimeLimitStoresNothing(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.Database(t)
	n := open(t, database.Options{URL: url, Name: "a", Timeout: 200 * time.Millisecond, Patience: time.Millisecond})
	p := slotlogtest.ID("process")
	b := slotlogtest.Block(p, 0, 0, 3, 0)
	free := server.Hold(t, url, `lock table ago_slots in access exclusive mode`)
	err := n.Append(t.Context(), b)
	if !errors.Is(err, slotlog.ErrNotStored) || fault.KindOf(err) != fault.Unavailable || fault.HintOf(err) == "" {
		t.Errorf("Append: %v", err)
	}
	free()
	if head, err := n.Head(t.Context(), p); err != nil || head.Next != 0 {
		t.Fatalf("Head = %+v, %v", head, err)
	}
	if err := n.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// Acquire waits for an append under way, and that append is stored: it came first.
func TestATakeoverWaitsForAnAppendUnderWay(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.Database(t)
	first, second := open(t, database.Options{URL: url, Name: "a"}), open(t, database.Options{URL: url, Name: "b"})
	p := slotlogtest.ID("process")
	free := server.Hold(t, url, `lock table ago_slots in access exclusive mode`)
	appended := make(chan error, 1)
	go func() { appended <- first.Append(context.Background(), slotlogtest.Block(p, 0, 0, 1, 0)) }()
	server.Waits(t, url, "ago_append")
	acquired := make(chan error, 1)
	go func() {
		_, err := second.Acquire(context.Background(), slotlog.PartitionOf(p))
		acquired <- err
	}()
	server.Waits(t, url, "ago_acquire")
	free()
	if err := errors.Join(<-appended, <-acquired); err != nil {
		t.Fatal(err)
	}
	if err := first.Append(t.Context(), slotlogtest.Block(p, 0, 1, 1, 0)); !errors.Is(err, slotlog.ErrFenced) {
		t.Errorf("the earlier owner: %v", err)
	}
	if head, err := second.Head(t.Context(), p); err != nil || head.Next != 1 {
		t.Errorf("Head = %+v, %v", head, err)
	}
}

// The caller's changes are stored with the blocks or not at all, and a node whose name another one has taken stores neither.
func TestChangesAreStoredWithTheirBlocks(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.Database(t)
	n := open(t, database.Options{URL: url, Name: "a"})
	p := slotlogtest.ID("process")
	set := func(value string) *store.Batch {
		b := &store.Batch{}
		b.Set([]byte("key"), []byte(value))
		return b
	}
	if err := n.AppendWith(t.Context(), set("1"), slotlogtest.Block(p, 0, 0, 1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := n.AppendWith(t.Context(), set("2"), slotlogtest.Block(p, 0, 0, 1, 0)); err != nil { // a repeat
		t.Fatal(err)
	}
	if err := n.AppendWith(t.Context(), set("3"), slotlogtest.Block(p, 0, 5, 1, 0)); !errors.Is(err, slotlog.ErrGap) {
		t.Fatal(err)
	}
	wrong := &store.Batch{}
	wrong.Set(nil, nil)
	if err := n.AppendWith(t.Context(), wrong, slotlogtest.Block(p, 0, 1, 1, 0)); !errors.Is(err, slotlog.ErrNotStored) {
		t.Fatal(err)
	}
	if v, err := n.store.Get([]byte("key")); err != nil || string(v) != "1" {
		t.Fatalf("Get = %q, %v, want 1", v, err)
	}
	successor := open(t, database.Options{URL: url, Name: "a"})
	if err := n.AppendWith(t.Context(), set("4"), slotlogtest.Block(p, 0, 1, 1, 0)); fault.CodeOf(err) != "store-taken" || !errors.Is(err, slotlog.ErrNotStored) {
		t.Fatalf("a node whose name was taken: %v", err)
	}
	if head, err := successor.Head(t.Context(), p); err != nil || head.Next != 1 {
		t.Fatalf("Head = %+v, %v", head, err)
	}
	if v, err := successor.store.Get([]byte("key")); err != nil || string(v) != "1" {
		t.Fatalf("Get = %q, %v, want 1", v, err)
	}
	if err := n.store.Fault(); !errors.Is(err, database.ErrTaken) {
		t.Errorf("Fault = %v", err)
	}
}
