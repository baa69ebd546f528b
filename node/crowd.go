package node

import (
	"context"
	"runtime"
	"sync"
	"time"

	"ago/budget"
	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/node/legacy"
)

// crowd shares the work of taking messages between processes. A process that is alone may have any number of messages taken at
// a time; beside others it has a few, and what else comes for it waits at the door, where it costs nobody anything. So what is
// sent to a flooded process waits for its own kind.
type crowd struct {
	clock clock.Clock
	share int   // of one process that are inside while there are others
	pace  *pace // while some of these send little

	mu        sync.Mutex
	processes map[message.ID]*throng // that have something inside, or waiting
	last      arrivals
}

type throng struct {
	inside  int
	waiting []*newcomer
}

type newcomer struct {
	turn    chan struct{} // closed when it may enter
	entered bool
}

const (
	crowdMax   = 4096        // what waits for one process
	crowdShare = 8           // messages of one process: they wait for the disk together
	crowdQuiet = time.Second // after which a process that sends nothing is not there any more
)

func newCrowd(c clock.Clock, share int, p *pace) *crowd {
	out := &crowd{clock: c, share: share, pace: p, processes: map[message.ID]*throng{}}
	p.admit = append(p.admit, out.admit)
	return out
}

// turn serves the faces. What is for processes that are not known here waits for what else the address sends for such: ids cost
// nothing. It may have to ask others before it is taken, as for the module of a new process.
func (c *crowd) turn(known func(context.Context, message.ID) bool) legacy.Turn {
	return func(ctx context.Context, p message.ID) (func(), error) {
		if known(ctx, p) {
			return c.enter(ctx, p)
		}
		return c.pass(ctx, message.HashOf([]byte("unknown process of "+budget.Of(ctx).Who())))
	}
}

// pass is enter for what may wait for somebody else: what takes long makes room for others that wait here.
func (c *crowd) pass(ctx context.Context, p message.ID) (leave func(), err error) {
	once, err := c.enter(ctx, p)
	if err != nil {
		return nil, err
	}
	once = sync.OnceFunc(once)
	late := time.AfterFunc(askedLong, once)
	return func() { late.Stop(); once() }, nil
}

// enter waits until a message for the process may be taken. The function tells that it was.
func (c *crowd) enter(ctx context.Context, p message.ID) (leave func(), err error) {
	leave = func() { c.leave(p) }
	c.mu.Lock()
	c.last.note(p, c.clock.Now())
	t := c.processes[p]
	if t == nil {
		c.processes[p] = &throng{inside: 1}
		c.mu.Unlock()
		c.pace.calm(p)
		return leave, nil
	}
	if t.inside < c.room(p) {
		t.inside++
		c.mu.Unlock()
		return leave, nil
	}
	if len(t.waiting) >= crowdMax {
		c.mu.Unlock()
		return nil, fault.New(fault.TooMany, "process-crowded", "%d messages wait at the door for process %s", crowdMax, p).
			WithHint("send them more slowly; others are served meanwhile")
	}
	n := &newcomer{turn: make(chan struct{})}
	t.waiting = append(t.waiting, n)
	c.mu.Unlock()
	select {
	case <-n.turn:
		// One that leaves wakes the next one, which would go on in the same time slice, and so forth: others go first.
		runtime.Gosched()
		return leave, nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.entered { // its turn came at the same time
		c.left(p)
		return nil, ctx.Err()
	}
	for i := range t.waiting {
		if t.waiting[i] == n {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			break
		}
	}
	c.forget(p, t)
	return nil, ctx.Err()
}

// room is how many of a process may be inside. c.mu is held.
func (c *crowd) room(p message.ID) int {
	if !c.last.beside(p, c.clock.Now(), crowdQuiet) {
		return crowdMax
	}
	return c.pace.room(p, c.share)
}

// admit lets in those who have to wait no longer.
func (c *crowd) admit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, t := range c.processes {
		c.fill(p, t)
	}
}

func (c *crowd) leave(p message.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left(p)
}

// left ends the stay of one. c.mu is held, as in the following.
func (c *crowd) left(p message.ID) {
	t := c.processes[p]
	t.inside--
	c.fill(p, t)
	c.forget(p, t)
}

func (c *crowd) forget(p message.ID, t *throng) {
	if t.inside == 0 && len(t.waiting) == 0 {
		delete(c.processes, p)
	}
}

// fill lets in who has room.
func (c *crowd) fill(p message.ID, t *throng) {
	if len(t.waiting) == 0 {
		return
	}
	for room := c.room(p); len(t.waiting) > 0 && t.inside < room; t.inside++ {
		n := t.waiting[0]
		t.waiting[0] = nil
		t.waiting = t.waiting[1:]
		n.entered = true
		close(n.turn)
	}
}

// waiting counts what waits, of all processes.
func (c *crowd) waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.processes {
		n += len(t.waiting)
	}
	return n
}
