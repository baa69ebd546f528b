package compute

import (
	"sync"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// writer makes batches durable, those of one process in the order they come. What waits becomes one batch, so the cost of a
// sync is shared by every process that has something to store; but several batches are under way at a time, so a process does
// not wait for the batch of another one that stores more.
type writer struct {
	s store.Store

	mu       sync.Mutex
	queue    []pending
	underway map[message.ID]bool // processes with something in a batch that is being written
	groups   int                 // batches being written
	wg       sync.WaitGroup
}

type pending struct {
	process message.ID
	batch   *store.Batch
	before  func() error
	then    func(error)
}

const (
	writeMax  = 1024 // batches written at once
	groupsMax = 4    // writes at a time; the store syncs them together
)

func newWriter(s store.Store) *writer { return &writer{s: s, underway: map[message.ID]bool{}} }

// write queues a batch of a process; then is called once it is durable, or with the reason why it is not. A batch is not written
// if before gives an error when it is its turn: what it follows was not written.
func (w *writer) write(p message.ID, b *store.Batch, before func() error, then func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, pending{p, b, before, then})
	w.begin()
}

// begin writes what may be written now. w.mu is held.
func (w *writer) begin() {
	if w.groups == groupsMax || len(w.queue) == 0 {
		return
	}
	var group []pending
	members := map[message.ID]bool{}
	rest := w.queue[:0]
	for _, p := range w.queue {
		if w.underway[p.process] || len(group) == writeMax {
			rest = append(rest, p)
			continue
		}
		group = append(group, p)
		members[p.process] = true
	}
	clear(w.queue[len(rest):])
	if w.queue = rest; len(group) == 0 {
		return
	}
	for id := range members {
		w.underway[id] = true
	}
	w.groups++
	w.wg.Add(1)
	go w.commit(group, members)
}

func (w *writer) commit(group []pending, members map[message.ID]bool) {
	defer w.wg.Done()
	all, written := &store.Batch{}, group[:0]
	for _, p := range group {
		if err := p.before(); err != nil {
			p.then(err)
			continue
		}
		written = append(written, p)
		all.Add(p.batch)
	}
	if len(written) > 0 {
		err := fault.Wrap(w.s.Apply(all, true), fault.Unavailable, "store-unwritable", "results could not be stored")
		for _, p := range written {
			p.then(err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range members {
		delete(w.underway, id)
	}
	w.groups--
	w.begin()
}

// close waits until all is written. Nothing is queued any more.
func (w *writer) close() { w.wg.Wait() }
