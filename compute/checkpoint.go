package compute

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
	"ago/vm"
)

// snapshots is what an actor knows of the chain of checkpoints it is writing: one full snapshot and those made after it.
type snapshots struct {
	length     int // 0: the next one is full
	full, rest int64
}

const chainMax = 64 // snapshots a restore has to read at most

// checkpointRow describes a snapshot in a blob: the state before slot.
type checkpointRow struct {
	slot slotlog.Slot
	blob message.ID
	full bool
	last moment
}

const checkpointVersion = 1

func (r checkpointRow) encode() []byte {
	b := []byte{checkpointVersion, 0}
	if r.full {
		b[1] = 1
	}
	b = append(b, r.blob[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.last.timestamp))
	return binary.BigEndian.AppendUint64(b, r.last.height)
}

func decodeCheckpoint(slot slotlog.Slot, b []byte) (checkpointRow, error) {
	if len(b) != 50 || b[0] != checkpointVersion {
		return checkpointRow{}, errors.New("a checkpoint entry has an unknown form")
	}
	return checkpointRow{slot: slot, full: b[1] == 1, blob: message.ID(b[2:34]),
		last: moment{int64(binary.BigEndian.Uint64(b[34:])), binary.BigEndian.Uint64(b[42:])}}, nil
}

func checkpointKey(p message.ID, slot slotlog.Slot) []byte {
	return slotKey(store.TableCheckpoints, p, slot)
}

// chains gives the checkpoints before or at a slot, newest first.
func (u *Computer) checkpoints(p message.ID, at slotlog.Slot) ([]checkpointRow, error) {
	var rows []checkpointRow
	for kv, err := range u.c.Store.Scan(checkpointKey(p, 0), checkpointKey(p, at+1), true) {
		if err != nil {
			return nil, err
		}
		r, err := decodeCheckpoint(slotOf(kv.Key), kv.Value)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// load gives the actor what it needs to evaluate: where the durable results end, definition, module and an instance.
func (a *actor) load(ctx context.Context) error {
	if !a.known {
		v, err := a.u.c.Store.Get(cursorKey(a.id))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fault.Wrap(err, fault.Unavailable, "store-unreadable", "the cursor of process %s cannot be read", a.id)
		}
		a.mu.Lock()
		a.known, a.stored = true, decodeSlot(v)
		a.mu.Unlock()
	}
	if a.inst != nil {
		return nil
	}
	def, err := a.u.c.Schedule.Process(ctx, a.id)
	if err != nil {
		return err
	}
	mod, lim, err := a.u.module(ctx, def)
	if err != nil {
		return err
	}
	l := &lived{def: def, mod: mod, lim: lim, env: process.EnvironmentJSON(def, mod)}
	if l.inst, l.at, l.last, err = a.u.restore(ctx, l, a.stored); err != nil {
		return err
	}
	a.def, a.loaded, a.inst, a.at, a.last, a.snap, a.spent = def, l, l.inst, l.at, l.last, snapshots{}, 0
	a.resident.Store(l.inst.Resident())
	a.mu.Lock()
	a.live = l
	a.tell()
	a.mu.Unlock()
	return nil
}

// restore gives an instance in the newest state at or before a slot that can be read: from the newest chain of checkpoints,
// an older one if it is damaged, or the module's first state.
func (u *Computer) restore(ctx context.Context, l *lived, at slotlog.Slot) (vm.Instance, slotlog.Slot, moment, error) {
	bytes, err := l.mod.Bytes(ctx)
	if err != nil {
		return nil, 0, moment{}, err
	}
	m := vm.Module{ID: l.mod.ID.String(), Format: l.mod.Format, Bytes: bytes}
	rows, err := u.checkpoints(l.def.ID, at)
	if err != nil {
		u.c.Logger.Error("checkpoints unreadable, evaluating from the start", "process", l.def.ID, "err", err)
	}
	for i := range rows {
		end := slices.IndexFunc(rows[i:], func(r checkpointRow) bool { return r.full })
		if end < 0 {
			break
		}
		chain := slices.Clone(rows[i : i+end+1])
		slices.Reverse(chain)
		inst, err := u.open(ctx, m, l, chain)
		if err == nil {
			u.restored.Add(1)
			return inst, rows[i].slot, rows[i].last, nil
		}
		if ctx.Err() != nil {
			return nil, 0, moment{}, stopping()
		}
		u.c.Logger.Error("checkpoint unusable, trying an older one", "process", l.def.ID, "slot", rows[i].slot, "err", err)
	}
	inst, err := u.c.Engine.New(ctx, m, l.lim)
	if err != nil {
		return nil, 0, moment{}, cannotRun(l.mod, err)
	}
	return inst, 0, moment{}, nil
}

func (u *Computer) open(ctx context.Context, m vm.Module, l *lived, chain []checkpointRow) (vm.Instance, error) {
	readers := make([]io.Reader, 0, len(chain))
	for _, r := range chain {
		b, err := u.c.Blobs.Open(r.blob)
		if err != nil {
			return nil, err
		}
		defer b.Close()
		var head [40]byte
		if _, err := io.ReadFull(b, head[:]); err != nil {
			return nil, err
		}
		if message.ID(head[:32]) != l.def.ID || slotlog.Slot(binary.BigEndian.Uint64(head[32:])) != r.slot {
			return nil, fmt.Errorf("blob %s is not the snapshot of slot %d", r.blob, r.slot)
		}
		readers = append(readers, b)
	}
	return u.c.Engine.Restore(ctx, m, l.lim, readers...)
}

// trySave writes a checkpoint; that it fails costs only time at the next start.
func (a *actor) trySave() {
	if err := a.save(); err != nil {
		a.u.c.Logger.Error("checkpoint failed", "process", a.id, "slot", a.at, "err", err)
	}
}

// save writes a checkpoint of the committed state. a.work is held, and all results up to a.at are durable.
func (a *actor) save() error {
	if a.inst == nil || a.spent == 0 || a.at == 0 {
		return nil
	}
	full := a.snap.length == 0 || a.snap.length >= chainMax || a.snap.rest > a.snap.full
	// The blob begins with process and slot, so that equal states of two processes are two blobs and each can be deleted.
	var buf bytes.Buffer
	buf.Write(a.id[:])
	buf.Write(binary.BigEndian.AppendUint64(nil, uint64(a.at)))
	if err := a.inst.Snapshot(&buf, full); err != nil {
		a.snap = snapshots{}
		return err
	}
	blob, size, err := a.u.c.Blobs.Put(a.u.stopless(), &buf)
	if err == nil {
		b := &store.Batch{}
		b.Set(checkpointKey(a.id, a.at), checkpointRow{blob: blob, full: full, last: a.last}.encode())
		err = a.u.c.Store.Apply(b, true)
	}
	if err != nil {
		a.snap = snapshots{} // the next increment would build on one that is not there
		return err
	}
	a.spent = 0
	if full {
		a.snap = snapshots{length: 1, full: size}
		return a.prune()
	}
	a.snap.length++
	a.snap.rest += size
	return nil
}

// stopless is a context for the writing that a shutdown itself causes.
func (u *Computer) stopless() context.Context { return context.WithoutCancel(u.stop) }

// prune deletes the checkpoints before the last but one full snapshot.
func (a *actor) prune() error {
	rows, err := a.u.checkpoints(a.id, a.at)
	if err != nil {
		return err
	}
	fulls := 0
	for i, r := range rows {
		if r.full {
			fulls++
		}
		if fulls < 2 || i+1 >= len(rows) {
			continue
		}
		b := &store.Batch{}
		b.DeleteRange(checkpointKey(a.id, 0), checkpointKey(a.id, r.slot))
		if err := a.u.c.Store.Apply(b, false); err != nil {
			return err
		}
		for _, old := range rows[i+1:] {
			if err := a.u.c.Blobs.Delete(old.blob); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	}
	return nil
}

// checkpoint saves between two evaluations.
func (a *actor) checkpoint() error {
	a.work.Lock()
	defer a.work.Unlock()
	return a.save()
}

// drop frees the instance; the next use restores it. a.work is held.
func (a *actor) drop() {
	a.mu.Lock()
	live := a.live
	a.live = nil
	a.mu.Unlock()
	if live != nil {
		live.closeForks(a)
	}
	if a.inst != nil {
		if err := a.inst.Close(); err != nil {
			a.u.c.Logger.Error("instance not freed", "process", a.id, "err", err)
		}
		a.inst = nil
	}
	a.resident.Store(0)
}

// shut saves and frees at the end.
func (a *actor) shut() error {
	a.work.Lock()
	defer a.work.Unlock()
	err := a.save()
	a.drop()
	return err
}

// worthSaving is the evaluation time below which doing it again is cheaper than a snapshot.
const worthSaving = 50 * time.Millisecond

// evict frees the instances that were used least recently until all live ones together are within LiveMax. The one that
// was just used is spared unless it alone is too large.
func (u *Computer) evict(used *actor) {
	used.used.Store(time.Now().UnixNano())
	for {
		var total int64
		var oldest *actor
		for _, a := range u.all() {
			n := a.resident.Load()
			total += n
			if n > 0 && a != used && (oldest == nil || a.used.Load() < oldest.used.Load()) && a.idle() {
				oldest = a
			}
		}
		if total <= u.c.LiveMax || oldest == nil || !oldest.work.TryLock() {
			return
		}
		if oldest.idle() {
			if oldest.spent >= worthSaving {
				oldest.trySave()
			}
			oldest.drop()
			u.evicted.Add(1)
		}
		oldest.work.Unlock()
	}
}

func (a *actor) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.running && a.pins == 0
}
