// Package cron keeps the processes whose timers somebody watches: each tick is evaluated when it is due, and what it sends is
// delivered.
//
// What is watched is stored. When the next tick of a process is due follows from its timers, so nothing is polled: one
// alarm waits for the earliest of all.
package cron

import (
	"bytes"
	"container/heap"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// Due tells of the timers of a process.
type Due struct {
	Timed  bool  // it has timers
	Next   int64 // ms; when the next one by time is due, 0 if none ever is
	Blocks bool  // it has timers by blocks
}

// Config is what monitors stand on. Log may be nil.
type Config struct {
	Store store.Store
	Clock clock.Clock
	Log   *slog.Logger
	// Tick evaluates the ticks of a process before the present, which are durable when it returns.
	Tick func(ctx context.Context, p message.ID) (Due, error)
	// NextBlock tells when the next block comes by itself, in ms.
	NextBlock func() int64
}

const (
	monitorsMax = 100_000 // processes watched, some 200 bytes each
	workers     = 16      // processes whose ticks are under way: they wait for cores and disks
	retryFirst  = time.Second
	retryMax    = time.Minute
)

// Monitors are the watched processes. It is safe for concurrent use.
type Monitors struct {
	c      Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	places chan struct{}

	change sync.Mutex // one change of what is watched at a time, until it is on disk

	mu       sync.Mutex
	watched  map[message.ID]*watch
	sleeping sleepers
	started  bool
	mined    int64         // ms; of blocks that came before their time and were not looked at yet, 0 if there are none
	kick     chan struct{} // the earliest due time has changed
}

// watch is one process.
type watch struct {
	process message.ID
	due     int64 // ms, while it sleeps
	place   int   // among the sleepers; -1 if it is not
	running bool
	again   int64 // when to run once more, since something has changed since it runs; -1: not
	blocks  bool
	delay   time.Duration // after a failure
}

// Open reads what is watched. Start makes it happen.
func Open(c Config) (*Monitors, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Monitors{c: c, watched: map[message.ID]*watch{}, kick: make(chan struct{}, 1), places: make(chan struct{}, workers)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	prefix := []byte{store.TableMonitors}
	for kv, err := range c.Store.Scan(prefix, store.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the monitors cannot be read")
		}
		if len(kv.Key) != 1+len(message.ID{}) {
			return nil, fault.New(fault.Internal, "monitor-unreadable", "a stored monitor has a key of %d bytes", len(kv.Key))
		}
		p := message.ID(kv.Key[1:])
		m.watched[p] = &watch{process: p, place: -1, again: -1}
	}
	return m, nil
}

// Start takes up what is watched.
func (m *Monitors) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started {
		return
	}
	m.started = true
	for _, w := range m.watched {
		m.sleep(w, 0)
	}
	m.wg.Add(1)
	go m.alarm()
}

// Close stops. What is watched is so again after the next start.
func (m *Monitors) Close() {
	m.cancel()
	m.wg.Wait()
}

// Add watches a process. It is durable when it returns; a process that is watched already stays so.
func (m *Monitors) Add(p message.ID) error {
	m.change.Lock()
	defer m.change.Unlock()
	m.mu.Lock()
	n, known := len(m.watched), m.watched[p] != nil
	m.mu.Unlock()
	if known {
		return nil
	}
	if n >= monitorsMax {
		return fault.New(fault.TooMany, "monitors-full", "%d processes are monitored already", n).
			WithHint("end one with DELETE /monitor/<process>")
	}
	b := &store.Batch{}
	b.Set(monitorKey(p), nil)
	if err := m.c.Store.Apply(b, true); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store-unwritable", "the monitor of process %s cannot be stored", p)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &watch{process: p, place: -1, again: -1}
	m.watched[p] = w
	if m.started {
		m.sleep(w, 0)
	}
	return nil
}

// Remove ends the watching of a process, if it is watched.
func (m *Monitors) Remove(p message.ID) error {
	m.change.Lock()
	defer m.change.Unlock()
	b := &store.Batch{}
	b.Delete(monitorKey(p))
	if err := m.c.Store.Apply(b, true); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store-unwritable", "the monitor of process %s cannot be removed", p)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.watched[p]; w != nil {
		delete(m.watched, p)
		if w.place >= 0 {
			heap.Remove(&m.sleeping, w.place)
		}
	}
	return nil
}

// Watches tells whether a process is watched.
func (m *Monitors) Watches(p message.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.watched[p] != nil
}

// All gives the watched processes in the order of their ids.
func (m *Monitors) All() []message.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]message.ID, 0, len(m.watched))
	for p := range m.watched {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b message.ID) int { return bytes.Compare(a[:], b[:]) })
	return all
}

// Count tells how many processes are watched.
func (m *Monitors) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.watched)
}

// Moved tells that a process has a new slot, from which its ticks are counted anew. It does not block.
func (m *Monitors) Moved(p message.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.watched[p]; w != nil {
		m.hurry(w, 0)
	}
}

// Mined tells that blocks came before their time, and the time they have, in ms. It does not block.
func (m *Monitors) Mined(at int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mined = max(m.mined, at)
	m.ring()
}

func monitorKey(p message.ID) []byte { return append([]byte{store.TableMonitors}, p[:]...) }

// hurry runs a watch at a time that is earlier than planned, or once more if it runs. m.mu is held.
func (m *Monitors) hurry(w *watch, at int64) {
	switch {
	case w.running:
		w.again = max(w.again, at)
	case m.started && (w.place < 0 || at < w.due):
		m.sleep(w, at)
	}
}

// sleep puts a watch among the sleepers. m.mu is held.
func (m *Monitors) sleep(w *watch, due int64) {
	w.due = due
	if w.place >= 0 {
		heap.Fix(&m.sleeping, w.place)
	} else {
		heap.Push(&m.sleeping, w)
	}
	if w.place == 0 {
		m.ring()
	}
}

func (m *Monitors) ring() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// alarm starts what is due.
func (m *Monitors) alarm() {
	defer m.wg.Done()
	for {
		now := m.c.Clock.Now().UnixMilli()
		m.mu.Lock()
		if m.mined != 0 {
			for _, w := range m.watched {
				if w.blocks || w.running {
					m.hurry(w, m.mined+1) // a block is settled once its time has passed
				}
			}
			m.mined = 0
		}
		var next *watch
		var wait time.Duration = -1
		if len(m.sleeping) > 0 {
			if next = m.sleeping[0]; next.due > now {
				wait, next = time.Duration(next.due-now)*time.Millisecond, nil
			} else {
				heap.Pop(&m.sleeping)
				next.running = true
			}
		}
		m.mu.Unlock()
		if next != nil {
			select {
			case m.places <- struct{}{}:
			case <-m.ctx.Done():
				return
			}
			m.wg.Add(1)
			go m.run(next)
			continue
		}
		var due <-chan time.Time
		stop := func() {}
		if wait >= 0 {
			due, stop = m.c.Clock.After(wait)
		}
		select {
		case <-due:
		case <-m.kick:
		case <-m.ctx.Done():
			stop()
			return
		}
		stop()
	}
}

// run evaluates what is due of one process and finds out when the next tick is.
func (m *Monitors) run(w *watch) {
	defer m.wg.Done()
	due, err := m.c.Tick(m.ctx, w.process)
	<-m.places
	now := m.c.Clock.Now().UnixMilli()
	next := due.Next
	if due.Blocks {
		if at := m.c.NextBlock(); next == 0 || at < next {
			next = at
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	again := w.again
	w.running, w.again, w.blocks = false, -1, due.Blocks || err != nil && w.blocks
	if m.watched[w.process] != w || m.ctx.Err() != nil {
		return
	}
	switch {
	case err != nil:
		w.delay = min(max(2*w.delay, retryFirst), retryMax)
		m.c.Log.Warn("the timers of a process will be tried again", "process", w.process, "err", err, "after", w.delay)
		m.sleep(w, now+w.delay.Milliseconds())
	case again >= 0 && (next == 0 || again < next):
		m.sleep(w, again)
	case next != 0:
		m.sleep(w, next+1) // a tick is settled once its time has passed
	}
	if err == nil {
		w.delay = 0
	}
}

// sleepers are watches by due time.
type sleepers []*watch

func (s sleepers) Len() int           { return len(s) }
func (s sleepers) Less(i, j int) bool { return s[i].due < s[j].due }
func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

func (s *sleepers) Push(v any) {
	w := v.(*watch)
	w.place = len(*s)
	*s = append(*s, w)
}

func (s *sleepers) Pop() any {
	old := *s
	w := old[len(old)-1]
	w.place = -1
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return w
}
