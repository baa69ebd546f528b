package node

import (
	"context"
	"math"
	"sync"

	"ago/codec/json"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// streams tells clients of slots and results as they come.
type streams struct {
	n       *Node
	mu      sync.Mutex
	waiting map[message.ID]chan struct{} // closed when the process has further slots
}

func newStreams(n *Node) *streams {
	s := &streams{n: n, waiting: map[message.ID]chan struct{}{}}
	n.scheduler.OnAppend(func(p message.ID, _ slotlog.Slot) { s.appended(p) })
	return s
}

func (s *streams) appended(p message.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if more, ok := s.waiting[p]; ok {
		close(more)
		delete(s.waiting, p)
	}
}

// more is closed when the process has slots that it has not now.
func (s *streams) more(p message.ID) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	more, ok := s.waiting[p]
	if !ok {
		more = make(chan struct{})
		s.waiting[p] = more
	}
	return more
}

// Next serves aocore.Streams.
func (s *streams) Next(ctx context.Context, p message.ID) (uint64, error) {
	if _, err := s.n.scheduler.Process(ctx, p); err != nil {
		return 0, err
	}
	head, err := s.n.scheduler.Head(ctx, p)
	return uint64(head.Next), err
}

// Slots serves aocore.Streams.
func (s *streams) Slots(ctx context.Context, p message.ID, from uint64, results bool, send func(uint64, message.Message) error) error {
	next := slotlog.Slot(from)
	for {
		more := s.more(p) // before the log is read, so that nothing comes unseen between
		for a, err := range s.n.scheduler.Range(ctx, p, next, math.MaxUint64) {
			if err != nil {
				return err
			}
			m, err := s.told(ctx, a, results)
			if err != nil {
				return err
			}
			if err := send(uint64(a.Slot), m); err != nil {
				return err
			}
			next = a.Slot + 1
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.n.background.Done():
			return nil
		}
	}
}

// told is what clients learn of a slot.
func (s *streams) told(ctx context.Context, a process.Assigned, results bool) (message.Message, error) {
	fields := []message.Field{
		{Key: "block-height", Value: message.Int(a.BlockHeight)},
		{Key: "message", Value: message.Bytes(a.Content.ID.String())},
		{Key: "process", Value: message.Bytes(a.Process.String())},
		{Key: "slot", Value: message.Int(a.Slot)},
		{Key: "timestamp", Value: message.Int(a.Timestamp)},
	}
	if !results {
		return message.New(fields...), nil
	}
	e, err := s.n.computer.At(ctx, a.Process, a.Slot)
	if err != nil {
		return message.Message{}, err
	}
	var result message.Value = message.Bytes(e.JSON)
	if m, err := json.Decode(e.JSON); err == nil {
		result = m
	}
	return message.New(append(fields, message.Field{Key: "results", Value: result})...), nil
}
