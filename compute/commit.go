package compute

import (
	"sync"

	"ago/fault"
	"ago/store"
)

// writer makes batches durable in the order they come. All that wait while the disk is busy become one batch: the cost of
// a sync is shared by every process that has something to store.
type writer struct {
	s      store.Store
	mu     sync.Mutex
	queue  []pending
	wake   chan struct{}
	done   chan struct{}
	closed bool
}

type pending struct {
	batch  *store.Batch
	before func() error
	then   func(error)
}

const writeMax = 1024 // batches written at once

func newWriter(s store.Store) *writer {
	w := &writer{s: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// write queues a batch; then is called once it is durable, or with the reason why it is not. A batch is not written if before
// gives an error when it is its turn: what it follows was not written.
func (w *writer) write(b *store.Batch, before func() error, then func(error)) {
	w.mu.Lock()
	w.queue = append(w.queue, pending{b, before, then})
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) run() {
	defer close(w.done)
	for {
		w.mu.Lock()
		n := min(len(w.queue), writeMax)
		group := w.queue[:n:n]
		w.queue = w.queue[n:]
		closed := w.closed
		w.mu.Unlock()
		if n == 0 {
			if closed {
				return
			}
			<-w.wake
			continue
		}
		all, written := &store.Batch{}, group[:0]
		for _, p := range group {
			if err := p.before(); err != nil {
				p.then(err)
				continue
			}
			written = append(written, p)
			all.Add(p.batch)
		}
		if len(written) == 0 {
			continue
		}
		err := fault.Wrap(w.s.Apply(all, true), fault.Unavailable, "store-unwritable", "results could not be stored")
		for _, p := range written {
			p.then(err)
		}
	}
}

func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	<-w.done
}
