package compute

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"ago/slotlog"
	"ago/store"
)

// A checkpoint is written beside the evaluations: they wait only until the engine has pinned the state that is to be written.

// snapshots is what an actor knows of the chain of checkpoints it is writing, one full snapshot and those made after it, and
// of the memory it handed out last. It is guarded by work; the chain belongs to the saving under way while there is one.
type snapshots struct {
	length     int // 0: the next one is full
	full, rest int64
	under      *saving // the last one that was begun
	quiet      *time.Timer

	gas    uint64        // evaluated since a memory was handed to Memories
	time   time.Duration // likewise
	kept   slotlog.Slot  // the first slot that is not in the memory handed out last
	keptAt time.Time
	giving *saving
}

const chainMax = 64 // snapshots a restore has to read at most

// saving is a checkpoint on its way to the disk.
type saving struct {
	free chan struct{} // closed when the instance is not needed any more
	done chan struct{} // closed when it is over
	err  error         // once it is over
	took time.Duration // likewise
}

func newSaving() *saving { return &saving{free: make(chan struct{}), done: make(chan struct{})} }

// fail is a saving that never began.
func (s *saving) fail(err error) {
	s.err = err
	close(s.free)
	close(s.done)
}

func (s *saving) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// run has a pinned state written and returns at once. Read gives the bytes that the engine writes.
func (s *saving) run(write func(io.Writer) error, work func(read io.Reader) error) {
	began := time.Now()
	r, w := io.Pipe()
	go func() {
		err := write(w)
		close(s.free)
		w.CloseWithError(err)
	}()
	go func() {
		defer close(s.done)
		s.err = work(r)
		r.CloseWithError(errUnread)
		s.took = time.Since(began)
	}()
}

// holds counts how long checkpoints held up evaluations.
type holds struct {
	count      atomic.Uint64
	total, max atomic.Int64 // ns
}

func (h *holds) note(d time.Duration) {
	h.count.Add(1)
	h.total.Add(int64(d))
	for {
		was := h.max.Load()
		if int64(d) <= was || h.max.CompareAndSwap(was, int64(d)) {
			return
		}
	}
}

// spend adds up what was evaluated since the last checkpoints.
func (a *actor) spend(t time.Duration, gas uint64) {
	a.spent += t
	a.snap.time += t
	a.snap.gas += gas
}

// trySave begins what checkpoints are due. That one fails costs only time at the next start. a.work is held, and the writer has
// all results up to a.at. Unbroken tells whether it could write those before.
func (a *actor) trySave(unbroken func() error) {
	if a.spent >= max(checkpointEvery, checkpointShare*a.snap.took()) {
		a.beginSave(unbroken)
	}
	if c := &a.u.c; c.Memories != nil && (a.snap.gas >= c.KeepGas || a.snap.time >= c.KeepTime) {
		a.beginKeep(false)
	}
}

// saveWhenQuiet begins a snapshot when nothing more comes for a moment: whoever stands still is not held up by it, and what a
// kill makes to be evaluated again is little then. a.work is held.
func (a *actor) saveWhenQuiet() {
	if a.spent < worthSaving {
		return
	}
	if a.snap.quiet != nil {
		a.snap.quiet.Stop()
	}
	a.snap.quiet = time.AfterFunc(quietAfter, func() {
		if a.work.TryLock() { // who evaluates comes here again
			a.beginSave(nothingWaits)
			a.work.Unlock()
		}
	})
}

const quietAfter = 250 * time.Millisecond

// took is how long writing the last snapshot took.
func (c *snapshots) took() time.Duration {
	if c.under == nil || !c.under.over() {
		return 0
	}
	return c.under.took
}

// nothingWaits is for snapshots of states whose results are all durable.
func nothingWaits() error { return nil }

// beginSave begins a snapshot of the committed state unless one is under way.
func (a *actor) beginSave(unbroken func() error) {
	if a.snap.under != nil && !a.snap.under.over() || a.inst == nil || a.spent == 0 || a.at == 0 {
		return
	}
	s, at, last := newSaving(), a.at, a.last
	c := &a.snap
	full := c.length == 0 || c.length >= chainMax || c.rest > c.full
	c.under, a.spent = s, 0
	failed := func(err error) {
		c.length = 0 // the next increment would build on one that is not there
		a.u.c.Logger.Error("checkpoint failed", "process", a.id, "slot", at, "err", err)
	}
	began := time.Now()
	pinned, err := a.inst.Pin(full)
	a.u.holds.note(time.Since(began))
	if err != nil {
		failed(err)
		s.fail(err)
		return
	}
	s.run(pinned, func(read io.Reader) error {
		err := a.write(read, full, at, last, unbroken)
		if err != nil {
			failed(err)
		}
		return err
	})
}

// write stores a snapshot with its row, which the results before it come before.
func (a *actor) write(snapshot io.Reader, full bool, at slotlog.Slot, last moment, unbroken func() error) error {
	row := checkpointRow{slot: at, full: full, last: last}
	// The blob begins with process and position, so that equal states of two processes are two blobs and each can be deleted.
	head := append(a.id[:len(a.id):len(a.id)], row.position()...)
	blob, size, err := a.u.c.Blobs.Put(a.u.stopless(), io.MultiReader(bytes.NewReader(head), snapshot))
	if err != nil {
		return err
	}
	b := &store.Batch{}
	row.blob = blob
	b.Set(row.key(a.id), row.encode())
	written := make(chan error, 1)
	a.u.writer.write(a.id, b, unbroken, func(err error) { written <- err })
	if err := <-written; err != nil {
		return errors.Join(err, a.u.c.Blobs.Delete(blob))
	}
	c := &a.snap
	if full {
		c.length, c.full, c.rest = 1, size, 0
		return a.prune(at)
	}
	c.length++
	c.rest += size
	return nil
}

// errUnread ends a snapshot that nobody reads on.
var errUnread = errors.New("the checkpoint could not be written on")

// stopless is a context for the writing that a shutdown itself causes.
func (u *Computer) stopless() context.Context { return context.WithoutCancel(u.stop) }

// awaitFree waits until no checkpoint needs the instance. a.work is held.
func (a *actor) awaitFree() {
	if a.snap.under != nil {
		<-a.snap.under.done
	}
	if a.snap.giving != nil {
		<-a.snap.giving.free
	}
}

// awaitSave waits until no checkpoint is under way. a.work is held.
func (a *actor) awaitSave() error {
	var errs []error
	for _, s := range []*saving{a.snap.under, a.snap.giving} {
		if s != nil {
			<-s.done
			errs = append(errs, s.err)
		}
	}
	return errors.Join(errs...)
}

// save writes a snapshot and waits for it. a.work is held, and all results up to a.at are durable.
func (a *actor) save() error {
	if a.snap.under != nil {
		<-a.snap.under.done
	}
	a.beginSave(nothingWaits)
	if a.snap.under == nil {
		return nil
	}
	<-a.snap.under.done
	return a.snap.under.err
}

// saveOrSay is save for those who can do nothing about a failure, which the log has.
func (a *actor) saveOrSay() { _ = a.save() }

// checkpoint saves between two evaluations and waits, beside those that follow, until all is written.
func (a *actor) checkpoint(now bool) error {
	a.work.Lock()
	if a.snap.under != nil {
		<-a.snap.under.done
	}
	a.beginSave(nothingWaits)
	a.beginKeep(now)
	under, giving := a.snap.under, a.snap.giving
	a.work.Unlock()
	var errs []error
	for _, s := range []*saving{under, giving} {
		if s != nil {
			<-s.done
			errs = append(errs, s.err)
		}
	}
	return errors.Join(errs...)
}

// shut saves and frees at the end.
func (a *actor) shut() error {
	a.work.Lock()
	defer a.work.Unlock()
	err := a.save()
	a.beginKeep(false)
	err = errors.Join(err, a.awaitSave())
	a.drop()
	return err
}
