package schedule

import (
	"context"
	"encoding/binary"
	"errors"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// Horizon gives a time in ms and the first slot that no message has yet. Every slot from there on gets at least that time,
// even if the clock is set back or the scheduler restarts in between. So what lies before that time is settled.
func (s *Scheduler) Horizon(ctx context.Context, p message.ID) (now int64, next slotlog.Slot, err error) {
	if _, err := s.Process(ctx, p); err != nil {
		return 0, 0, err
	}
	got, err := s.enqueue(ctx, p, &request{horizon: true, done: make(chan outcome, 1)})
	return got.Timestamp, got.Slot, err
}

// raise moves the lane's floor to the present and notes it. Nothing waits for the disk: whatever is stored because of the
// horizon is stored after it, by the same store.
func (s *Scheduler) raise(l *lane) error {
	now := s.c.Clock.Now().UnixMilli()
	if now <= l.floor {
		return nil
	}
	b := &store.Batch{}
	b.Set(floorKey(l.process), binary.BigEndian.AppendUint64(nil, uint64(now)))
	if err := s.c.Store.Apply(b, false); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store-unwritable", "the time of process %s cannot be stored", l.process)
	}
	l.floor = now
	return nil
}

// floorOf is the horizon that was told last.
func (s *Scheduler) floorOf(p message.ID) (int64, error) {
	v, err := s.c.Store.Get(floorKey(p))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the time of process %s cannot be read", p)
	case len(v) != 8:
		return 0, fault.New(fault.Internal, "horizon-unreadable", "the stored time of process %s has %d bytes", p, len(v))
	}
	return int64(binary.BigEndian.Uint64(v)), nil
}

func floorKey(p message.ID) []byte { return append([]byte{store.TableHorizons}, p[:]...) }
