package compute

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// Snapshot writes all that an instance has in the state after the last slot with a result, in the engine's own form. Unlike a
// memory it is exact, and only for nodes of this make.
func (u *Computer) Snapshot(ctx context.Context, p message.ID, w io.Writer) (Position, error) {
	a := u.actor(p)
	if a == nil {
		return Position{}, stopping()
	}
	next := u.Evaluated(p)
	if next == 0 {
		return Position{}, fault.New(fault.NotFound, "slot-unknown", "nothing of process %s was evaluated yet", p)
	}
	def, err := u.c.Schedule.Process(ctx, p)
	if err != nil {
		return Position{}, err
	}
	inst, last, leave, err := u.stateAfter(ctx, a, next-1, false)
	if err != nil {
		return Position{}, err
	}
	defer leave()
	write, err := inst.Pin(true)
	if err == nil {
		err = write(w)
	}
	return Position{Process: p, Module: def.Module, Slot: next - 1, Timestamp: last.timestamp, BlockHeight: last.height}, errors.Join(err, inst.Close())
}

// TakeSnapshot has a process that was not evaluated yet go on from what Snapshot wrote. Results of the slots before are not
// there then.
func (u *Computer) TakeSnapshot(ctx context.Context, at Position, r io.Reader) error {
	if next := u.Evaluated(at.Process); next > 0 {
		return fault.New(fault.Conflict, "process-evaluated", "process %s is evaluated up to slot %d already", at.Process, next-1)
	}
	head := binary.BigEndian.AppendUint64(at.Process[:], uint64(at.Slot+1))
	blob, _, err := u.c.Blobs.Put(ctx, io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return err
	}
	b := &store.Batch{}
	b.Set(checkpointKey(at.Process, at.Slot+1), checkpointRow{blob: blob, full: true, last: moment{at.Timestamp, at.BlockHeight, 0}}.encode())
	b.Set(cursorKey(at.Process), encodeSlot(at.Slot+slotlog.Slot(1)))
	return u.c.Store.Apply(b, true)
}
