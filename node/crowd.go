package node

import (
	"context"
	"sync"

	"ago/fault"
	"ago/message"
	"ago/node/legacy"
)

// crowd shares the checks of what is handed in between processes: a few at a time, and the next one is of the process that has
// waited longest since its last one. What is sent to a flooded process waits for its own kind, never for others.
type crowd struct {
	mu     sync.Mutex
	free   int                        // checks that may begin at once
	queues map[message.ID][]*newcomer // of processes that something waits for
	order  []message.ID               // whose turn it is; each process that something waits for, once
}

// turn serves the faces. What is for processes that are not known here waits as if it were for one: ids cost nothing.
func (c *crowd) turn(known func(context.Context, message.ID) bool) legacy.Turn {
	return func(ctx context.Context, p message.ID) (func(), error) {
		if !known(ctx, p) {
			p = message.ID{}
		}
		return c.enter(ctx, p)
	}
}

type newcomer struct {
	turn  chan struct{} // closed when it is its turn
	gone  bool
	taken bool
}

// crowdMax bounds what waits for one process. Signatures are checked at some thousands a second.
const crowdMax = 4096

func newCrowd(places int) *crowd {
	return &crowd{free: max(places, 1), queues: map[message.ID][]*newcomer{}}
}

// enter waits for a turn of the process. The function gives it back.
func (c *crowd) enter(ctx context.Context, p message.ID) (leave func(), err error) {
	c.mu.Lock()
	if c.free > 0 && len(c.order) == 0 {
		c.free--
		c.mu.Unlock()
		return c.leave, nil
	}
	q := c.queues[p]
	if len(q) >= crowdMax {
		c.mu.Unlock()
		return nil, fault.New(fault.TooMany, "process-crowded", "%d messages wait at the door for process %s", crowdMax, p).
			WithHint("send them more slowly; others are served meanwhile")
	}
	n := &newcomer{turn: make(chan struct{})}
	if len(q) == 0 {
		c.order = append(c.order, p)
	}
	c.queues[p] = append(q, n)
	c.mu.Unlock()
	select {
	case <-n.turn:
		return c.leave, nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	n.gone = true
	taken := n.taken
	c.mu.Unlock()
	if taken { // its turn came at the same time
		c.leave()
	}
	return nil, ctx.Err()
}

// leave gives the place to the next process in turn.
func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.order) > 0 {
		p := c.order[0]
		c.order = c.order[1:]
		q := c.queues[p]
		n := q[0]
		if len(q) == 1 {
			delete(c.queues, p)
		} else {
			q[0] = nil
			c.queues[p] = q[1:]
			c.order = append(c.order, p)
		}
		if !n.gone {
			n.taken = true
			close(n.turn)
			return
		}
	}
	c.free++
}

// waiting counts what waits, of all processes.
func (c *crowd) waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queues {
		n += len(q)
	}
	return n
}
