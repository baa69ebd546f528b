//go:build linux && amd64 && cgo

package wasm

/*
#include "shim.h"
*/
import "C"

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// gate is how a running evaluation is stopped from outside: the module reads from a page of its own wherever it could run on
// without end, and that page is made unreadable (rewrite/poll.go). It is open whenever nothing runs.
type gate struct {
	mu      sync.Mutex
	running bool
	closed  bool
	why     stopReason
	number  uint64 // of the evaluation
	begun   time.Time
	due     time.Time // zero: no end
	timer   *time.Timer
	took    time.Duration // of the last evaluation
}

type stopReason uint8

const (
	notStopped stopReason = iota
	stoppedByCaller
	stoppedByTime
)

// arm begins an evaluation, which is stopped after the given time (0: never) or when ctx ends. The function it gives ends it,
// and tells why it was stopped.
func (s *store) arm(ctx context.Context, limit time.Duration) (disarm func() stopReason) {
	g := &s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running, g.why, g.begun, g.due = true, notStopped, time.Now(), time.Time{}
	g.number++
	if limit > 0 {
		g.due = g.begun.Add(limit)
		if g.timer == nil {
			g.timer = time.AfterFunc(limit, s.expire)
		} else {
			g.timer.Reset(limit)
		}
	}
	unwatch := func() bool { return true }
	if ctx.Done() != nil {
		number := g.number
		unwatch = context.AfterFunc(ctx, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.number == number { // and not a later evaluation
				s.shut(stoppedByCaller)
			}
		})
	}
	return func() stopReason {
		unwatch()
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.timer != nil {
			g.timer.Stop()
		}
		g.running, g.took = false, time.Since(g.begun)
		if g.closed {
			s.turn(false)
		}
		return g.why
	}
}

// expire is the timer. It may come late, for an evaluation that is over.
func (s *store) expire() {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	if due := s.gate.due; !due.IsZero() && !time.Now().Before(due) {
		s.shut(stoppedByTime)
	}
}

// shut stops what runs. The caller holds the mutex.
func (s *store) shut(why stopReason) {
	if s.gate.running && !s.gate.closed {
		s.gate.why = why
		s.turn(true)
	}
}

// turn closes or opens the gate. Without it nothing could be stopped, or nothing would run: a kernel that refuses is no place
// to go on.
func (s *store) turn(closed bool) {
	if errno := C.ago_gate(s.c, C.bool(closed)); errno != 0 {
		panic(fmt.Sprintf("the gate of a module cannot be turned: %v", syscall.Errno(errno)))
	}
	s.gate.closed = closed
}
