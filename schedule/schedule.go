// Package schedule is the Scheduler Unit: it gives each message of a process the next slot, once and for ever.
//
// What waits for one process is taken together: slots, timestamps, hash chain and signatures are made in memory, the block
// is appended to the slot log, and only when it is durable does anybody hear of it.
package schedule

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"runtime"
	"slices"
	"sync"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// Blocks tells the block that new slots are stamped with.
type Blocks interface {
	Tip() (height uint64, hash message.ID, timeMS int64)
}

// Index makes accepted items findable by owner, tags and recipient, in the batch that stores them.
type Index interface {
	Index(b *store.Batch, it *ans104.Item, parent message.ID) error
}

// Archive knows the messages that can be assigned by their id although no scheduler of this node took them.
type Archive interface {
	Content(ctx context.Context, id message.ID) (process.Content, error)
	// Confirmations is the number of blocks on top of a base-layer transaction's own, itself included.
	Confirmations(ctx context.Context, id message.ID) (int, error)
}

// Config is what a scheduler stands on.
type Config struct {
	Log     slotlog.Log
	Store   store.Store
	Key     *commitment.Key // signs the assignments
	Clock   clock.Clock
	Blocks  Blocks
	Index   Index
	Archive Archive
	// CacheMax is how many definitions of processes are kept in memory; 0: 4096.
	CacheMax int
	// Admit refuses a process that could not be evaluated, before it gets its first slot. May be nil.
	Admit  func(context.Context, process.Definition) error
	Logger *slog.Logger
}

// Limits of one request; a process's queue beyond waitingMax answers "too many" at once instead of growing.
const (
	waitingMax = 8192
	blockMax   = 256 // messages in one block: more would only delay the first of them

	definitionsDefault = 4096
	takeoversMax       = 2 // times a block is composed anew because another node took the process over
)

// Scheduler gives slots. It is safe for concurrent use.
type Scheduler struct {
	c    Config
	mu   sync.Mutex
	open map[message.ID]*lane

	epochMu sync.Mutex
	epochs  map[slotlog.Partition]slotlog.Epoch

	defMu sync.RWMutex
	defs  map[message.ID]process.Definition

	signing chan struct{} // held while an assignment is signed for a reader
	recents recents

	origins origins // of processes that other schedulers began

	followMu  sync.RWMutex
	followers []func(message.ID, slotlog.Slot)

	closed bool
	wg     sync.WaitGroup
}

// Receipt is the answer to an accepted message.
type Receipt struct {
	ID         message.ID // the item, or the assignment if a message was assigned by its id
	Assignment message.ID
	Process    message.ID
	Slot       slotlog.Slot
	Timestamp  int64 // ms, of the slot
	Repeated   bool  // it had its slot before
}

// Place is where a message has a slot.
type Place struct {
	Process message.ID
	Slot    slotlog.Slot
}

// Open gives a scheduler over a log.
func Open(c Config) (*Scheduler, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.CacheMax <= 0 {
		c.CacheMax = definitionsDefault
	}
	return &Scheduler{
		c:      c,
		open:   map[message.ID]*lane{},
		epochs: map[slotlog.Partition]slotlog.Epoch{},
		defs:   map[message.ID]process.Definition{},

		signing: make(chan struct{}, min(runtime.GOMAXPROCS(0), runtime.NumCPU())),
	}, nil
}

// Address is the address of the key that signs the assignments.
func (s *Scheduler) Address() message.ID { return s.c.Key.Address() }

// Tip is the block that new slots are stamped with: its height, its hash, and its time in ms.
func (s *Scheduler) Tip() (height uint64, hash message.ID, timeMS int64) { return s.c.Blocks.Tip() }

// OnAppend registers a function that hears of every durable block: the process and its next free slot. It must not block.
func (s *Scheduler) OnAppend(f func(p message.ID, next slotlog.Slot)) {
	s.followMu.Lock()
	defer s.followMu.Unlock()
	s.followers = append(s.followers, f)
}

// Close refuses new messages and waits for the blocks under way.
func (s *Scheduler) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wg.Wait()
}

// Process gives the definition of a process this node schedules.
func (s *Scheduler) Process(ctx context.Context, id message.ID) (process.Definition, error) {
	s.defMu.RLock()
	d, ok := s.defs[id]
	s.defMu.RUnlock()
	if ok {
		return d, nil
	}
	return s.readProcess(ctx, id)
}

func (s *Scheduler) readProcess(ctx context.Context, id message.ID) (d process.Definition, err error) {
	for e, err := range s.c.Log.Range(ctx, id, 0, 1) {
		if err != nil {
			return d, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", id)
		}
		m, err := process.Kept(e.Form, e.Item)
		if err != nil {
			return d, fault.Wrap(err, fault.Internal, "process-unreadable", "the stored process %s cannot be read", id)
		}
		if d, err = process.Define(m); err != nil {
			return d, err
		}
		s.remember(d)
		return d, nil
	}
	return d, fault.New(fault.NotFound, "process-unknown", "process %s is not scheduled here", id).
		WithHint("spawn it on this network first, or check the id")
}

// Cached is how many definitions of processes are in memory.
func (s *Scheduler) Cached() int {
	s.defMu.Lock()
	defer s.defMu.Unlock()
	return len(s.defs)
}

func (s *Scheduler) remember(d process.Definition) {
	s.defMu.Lock()
	defer s.defMu.Unlock()
	if len(s.defs) >= s.c.CacheMax {
		clear(s.defs)
	}
	s.defs[d.ID] = d
}

// Find gives the slot that a message id or an assignment id has in a process.
func (s *Scheduler) Find(_ context.Context, p, id message.ID) (slotlog.Slot, error) {
	v, err := s.c.Store.Get(placeKey(id, p))
	if errors.Is(err, store.ErrNotFound) {
		return 0, fault.New(fault.NotFound, "message-unknown", "message %s has no slot in process %s", id, p).
			WithHint("send it to the messenger or the scheduler first")
	}
	if err != nil {
		return 0, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the place of %s cannot be read", id)
	}
	slot, _ := decodePlace(v)
	return slot, nil
}

// Where gives all places of a message id or an assignment id, oldest first.
func (s *Scheduler) Where(_ context.Context, id message.ID) ([]Place, error) {
	return places(s.c.Store, id)
}

// Head gives the head of a process; Next is 0 if it is unknown here.
func (s *Scheduler) Head(ctx context.Context, p message.ID) (slotlog.Head, error) {
	return s.c.Log.Head(ctx, p)
}

// Processes gives all processes in the order of their ids, after the given one.
func (s *Scheduler) Processes(ctx context.Context, after message.ID) iter.Seq2[message.ID, error] {
	return s.c.Log.Processes(ctx, after)
}

// Range gives the slots from <= slot < to with their messages; downwards, to < slot <= from, if from > to.
func (s *Scheduler) Range(ctx context.Context, p message.ID, from, to slotlog.Slot) iter.Seq2[process.Assigned, error] {
	return func(yield func(process.Assigned, error) bool) {
		from := from
		for ; from < to && ctx.Err() == nil; from++ {
			r, ok := s.recents.get(p, from)
			if !ok {
				break
			}
			if !yield(r.assigned, nil) {
				return
			}
			if from+1 == to {
				return
			}
		}
		for e, err := range s.c.Log.Range(ctx, p, from, to) {
			if err != nil {
				yield(process.Assigned{}, err)
				return
			}
			a, err := s.assigned(ctx, e)
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

func (s *Scheduler) assigned(ctx context.Context, e slotlog.Entry) (process.Assigned, error) {
	a := process.Assigned{Entry: e}
	if e.ByID && e.Item == nil {
		var err error
		if a.Content, err = s.content(ctx, e.Message); err != nil {
			return a, err
		}
	} else {
		m, err := process.Kept(e.Form, e.Item)
		if err != nil {
			return a, fault.Wrap(err, fault.Internal, "item-unreadable", "the stored message %s cannot be read", e.Message)
		}
		a.Content = process.ContentOfMessage(m)
	}
	if as, err := ans104.DecodeItem(e.Assignment); err == nil {
		a.AssignmentID = as.ID()
	} else if _, written := a.Written(); e.Assignment == nil || written {
		a.AssignmentID = a.CoreID()
	}
	return a, nil
}

// assignmentID gives the id of a slot's assignment: of the item, or of the content of the AO-Core message.
func (s *Scheduler) assignmentID(ctx context.Context, e slotlog.Entry) (message.ID, error) {
	if _, written := (process.Assigned{Entry: e}).Written(); e.Assignment != nil && !written {
		as, err := ans104.DecodeItem(e.Assignment)
		if err != nil {
			return message.ID{}, err
		}
		return as.ID(), nil
	}
	a, err := s.assigned(ctx, e)
	return a.AssignmentID, err
}

// Message gives a message that has a slot here, by any of its ids and with its commitments, or an assignment by its id. It fails
// with NotFound ("message-unknown").
func (s *Scheduler) Message(ctx context.Context, id message.ID) (message.Message, error) {
	s.defMu.RLock()
	d, ok := s.defs[id]
	s.defMu.RUnlock()
	if ok && !d.Legacy() {
		return d.Message(), nil
	}
	found, err := places(s.c.Store, id)
	if err != nil {
		return message.Message{}, err
	}
	for _, at := range found {
		for a, err := range s.Range(ctx, at.Process, at.Slot, at.Slot+1) {
			if err != nil {
				return message.Message{}, err
			}
			if m := a.Content.Message(); slices.Contains(process.IDs(m), id) {
				return m, nil
			}
			return s.Assignment(ctx, at.Process, at.Slot)
		}
	}
	return message.Message{}, fault.New(fault.NotFound, "message-unknown", "message %s has no slot here", id).
		WithHint("send it to the scheduler first")
}

// content finds a message by its id: among what is published, or in a slot of any process.
func (s *Scheduler) content(ctx context.Context, id message.ID) (process.Content, error) {
	c, err := s.c.Archive.Content(ctx, id)
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return c, err
	}
	found, placesErr := places(s.c.Store, id)
	if placesErr != nil {
		return c, placesErr
	}
	for _, at := range found {
		for e, rangeErr := range s.c.Log.Range(ctx, at.Process, at.Slot, at.Slot+1) {
			if rangeErr == nil && !e.ByID && e.Item != nil {
				a, err := s.assigned(ctx, e)
				return a.Content, err
			}
		}
	}
	return c, err
}
