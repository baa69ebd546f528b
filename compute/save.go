package compute

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"ago/slotlog"
	"ago/store"
)

// A checkpoint is written beside the evaluations: they wait only until the engine holds the state that is to be written,
// which it does before it writes the first byte.

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
	held chan struct{} // closed when evaluations may go on
	free chan struct{} // closed when the instance is not needed any more
	done chan struct{} // closed when it is over
	once sync.Once
	err  error // once it is over
}

func newSaving() *saving {
	return &saving{held: make(chan struct{}), free: make(chan struct{}), done: make(chan struct{})}
}

func (s *saving) hold() { s.once.Do(func() { close(s.held) }) }

func (s *saving) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// run does the work and returns when the state is held. Read gives the bytes that the engine writes.
func (u *Computer) run(s *saving, write func(io.Writer) error, work func(read io.Reader) error) {
	began := time.Now()
	r, w := io.Pipe()
	go func() {
		err := write(holding{w, s})
		s.hold()
		close(s.free)
		w.CloseWithError(err)
	}()
	go func() {
		defer close(s.done)
		s.err = work(r)
		r.CloseWithError(errUnread)
	}()
	<-s.held
	for d := int64(time.Since(began)); ; {
		was := u.heldMax.Load()
		if d <= was || u.heldMax.CompareAndSwap(was, d) {
			return
		}
	}
}

// holding tells of the first byte that the engine writes: the state is held then.
type holding struct {
	io.Writer
	s *saving
}

func (h holding) Write(p []byte) (int, error) {
	h.s.hold()
	return h.Writer.Write(p)
}

// spend adds up what was evaluated since the last checkpoints.
func (a *actor) spend(t time.Duration, gas uint64) {
	a.spent += t
	a.snap.time += t
	a.snap.gas += gas
}

// trySave begins what checkpoints are due. That one fails costs only time at the next start. a.work is held, and all results
// up to a.at are durable.
func (a *actor) trySave() {
	if a.spent >= checkpointEvery {
		a.beginSave()
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
			a.beginSave()
			a.work.Unlock()
		}
	})
}

const quietAfter = 250 * time.Millisecond

// beginSave begins a snapshot of the committed state unless one is under way.
func (a *actor) beginSave() {
	if a.snap.under != nil && !a.snap.under.over() || a.inst == nil || a.spent == 0 || a.at == 0 {
		return
	}
	s, inst, at, last := newSaving(), a.inst, a.at, a.last
	c := &a.snap
	full := c.length == 0 || c.length >= chainMax || c.rest > c.full
	c.under, a.spent = s, 0
	a.u.run(s, func(w io.Writer) error { return inst.Snapshot(w, full) }, func(read io.Reader) error {
		err := a.write(read, full, at, last)
		if err != nil {
			c.length = 0 // the next increment would build on one that is not there
			a.u.c.Logger.Error("checkpoint failed", "process", a.id, "slot", at, "err", err)
		}
		return err
	})
}

// write stores a snapshot with its row.
func (a *actor) write(snapshot io.Reader, full bool, at slotlog.Slot, last moment) error {
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
	if err := a.u.c.Store.Apply(b, true); err != nil {
		return err
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
	a.beginSave()
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
	a.beginSave()
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
