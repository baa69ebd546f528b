// Package push delivers what evaluations emit: each entry of an outbox becomes a signed message that its target's scheduler
// gets exactly once, in order, and where it is on its way can always be asked.
//
// The invariants:
//
//  1. A task is stored in the batch that stores the result it comes from. There is no result without its tasks.
//  2. What a task delivers is a pure function of its row: the key salts the signature, so a second delivery is the same
//     message under the same id, and the scheduler answers with the slot of the first. Marking a task as done therefore needs
//     no sync: after a crash it is delivered again, and nothing happens twice.
//  3. Which task brought a message is stored before the message leaves, so what it causes finds its chain.
//  4. A process's tasks for one target form a lane and are delivered one after the other, in the order of their keys.
//
// The way of a task:
//
//	Plan        row, and its place in the pending index, into the batch of the result
//	Committed   the batch is durable: the lane takes the key; a lane that waited for nothing is ready
//	work        a worker takes a ready lane and delivers its tasks: build, sign, note the arrival, submit
//	            given a slot or refused for ever: the row says so and leaves the pending index
//	            failed for now: the row says when to try again, the lane sleeps till then
//	Start       after a restart the pending index holds what is left
package push

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ago/clock"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// Receipt is the scheduler's word for a slot.
type Receipt struct {
	ID         message.ID // the item, or the assignment if a message was assigned by its id
	Assignment message.ID
	Process    message.ID
	Slot       slotlog.Slot
	Timestamp  int64 // ms, of the slot
	Repeated   bool  // it had its slot before
}

// AssignOptions says how a message is assigned by its id.
type AssignOptions struct {
	BaseLayer bool
	Exclude   []string
}

// Scheduler gives slots, here or on another node. Submit and Assign answer a repeat with the first receipt. Process fails with
// NotFound for an id that no scheduler knows as a process. Calls end by themselves when the other side does not answer.
type Scheduler interface {
	Submit(ctx context.Context, v commitment.Verified) (Receipt, error)
	Assign(ctx context.Context, process, msg message.ID, o AssignOptions) (Receipt, error)
	Process(ctx context.Context, id message.ID) (process.Definition, error)
}

// Hinted is a Scheduler that may be told where a process is: text is its id, and behind it what the sender said.
type Hinted interface {
	Hint(process message.ID, text string)
}

// Archive keeps items whose target is no process. An upload of the same item again is no error.
type Archive interface {
	Upload(ctx context.Context, v commitment.Verified) error
}

// Place is a slot that a message has.
type Place struct {
	Process message.ID
	Slot    slotlog.Slot
}

// Limits bound the queue. Zero values stand for the defaults.
type Limits struct {
	DepthMax    uint32        // deliveries in a chain
	FanOutMax   int           // tasks of one result
	DelayFirst  time.Duration // after a first failure; it doubles with each further one
	DelayMax    time.Duration // longest time between two attempts
	AttemptsMax uint32        // failures in a row of one lane until the task is parked
	Workers     int           // deliveries under way
	Lanes       int           // lanes in memory; further ones wait in the table
}

// Defaults of Limits.
const (
	// Two processes that answer each other go on for ever; a chain of this length is no conversation any more.
	depthDefault = 100_000
	// An aos result of this many messages is several MB already; what goes beyond is kept, and goes out when somebody asks.
	fanOutDefault = 10_000
	// A scheduler that restarts is back within seconds, one that is down is asked once an hour.
	delayFirstDefault = time.Second
	delayMaxDefault   = time.Hour
	// 1 s doubling to 2048 s is 12 delays in 68 minutes; 23 more of an hour make a day.
	attemptsDefault = 36
	// A delivery mostly waits for a disk or another node, so there are more of them than cores.
	workersDefault = 64
	// About 300 bytes each if they hold a task or two, 2.5 KB if they are full: 20 to 160 MB if every one is taken.
	lanesDefault = 1 << 16
)

func (l Limits) orDefaults() Limits {
	l.DepthMax = nonzero(l.DepthMax, depthDefault)
	l.FanOutMax = nonzero(l.FanOutMax, fanOutDefault)
	l.DelayFirst = nonzero(l.DelayFirst, delayFirstDefault)
	l.DelayMax = nonzero(l.DelayMax, delayMaxDefault)
	l.AttemptsMax = nonzero(l.AttemptsMax, attemptsDefault)
	l.Workers = nonzero(l.Workers, workersDefault)
	l.Lanes = nonzero(l.Lanes, lanesDefault)
	return l
}

func nonzero[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Config is what a Pusher is made of. Verifier, Where and Log may be nil.
type Config struct {
	Store     store.Store
	Scheduler Scheduler
	Archive   Archive
	Key       *commitment.Key // signs what is delivered; processes trust it by its address
	Clock     clock.Clock
	Verifier  *commitment.Verifier // remembers what was checked, for the scheduler behind
	Where     func(ctx context.Context, id message.ID) ([]Place, error)
	Log       *slog.Logger
	Limits    Limits
}

// Pusher is the Messenger Unit. It is safe for concurrent use.
type Pusher struct {
	c   Config
	ctx context.Context
	end context.CancelFunc
	wg  sync.WaitGroup

	retrying sync.Mutex // two Retry of one task would count it twice

	mu       sync.Mutex
	planned  map[Position]planned // batches that are not known to be durable yet
	lanes    map[laneKey]*lane
	ready    []*lane
	sleeping sleepers
	workers  int
	started  bool
	closed   bool
	overflow bool // the table may hold lanes that are not in memory
	filling  bool
	next     []byte        // where the search for them goes on
	moved    chan struct{} // closed when an attempt ends; nil while nobody watches
	kick     chan struct{} // the earliest due time has changed

	count counters
}

type counters struct {
	pending, parked                                          atomic.Int64
	delivered, uploaded, dropped, gaveUp, failures, requeued atomic.Uint64
}

// Open makes a Pusher that plans, traces and lists; Start makes it deliver.
func Open(c Config) (*Pusher, error) {
	if c.Store == nil || c.Scheduler == nil || c.Archive == nil || c.Key == nil || c.Clock == nil {
		return nil, fault.New(fault.Internal, "push-config", "a Pusher needs Store, Scheduler, Archive, Key and Clock")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.orDefaults()
	p := &Pusher{c: c, planned: map[Position]planned{}, lanes: map[laneKey]*lane{}, kick: make(chan struct{}, 1)}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p, nil
}

// Start takes up what is pending in the store and begins to deliver. It is called once, before evaluations begin.
func (p *Pusher) Start() error {
	if err := p.resume(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.started {
		return nil
	}
	p.started = true
	heap.Init(&p.sleeping)
	p.wg.Add(1)
	go p.alarm()
	p.employ()
	return nil
}

// Close stops delivering and waits for the deliveries under way. Nothing is lost: Start takes the rest up again.
func (p *Pusher) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.end()
	p.wg.Wait()
}

func (p *Pusher) verify(m message.Message) (commitment.Verified, error) {
	if p.c.Verifier == nil {
		return commitment.Verify(m)
	}
	return p.c.Verifier.Verify(m)
}

func (p *Pusher) now() int64 { return p.c.Clock.Now().UnixMilli() }
