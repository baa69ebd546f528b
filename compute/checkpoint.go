package compute

import (
	"bytes"
	"cmp"
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
)

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
	b = binary.BigEndian.AppendUint64(b, r.last.height)
	if r.last.place != 0 {
		b = binary.BigEndian.AppendUint16(b, r.last.place)
	}
	return b
}

func decodeCheckpoint(slot slotlog.Slot, b []byte) (checkpointRow, error) {
	if len(b) != 50 && len(b) != 52 || b[0] != checkpointVersion {
		return checkpointRow{}, errors.New("a checkpoint entry has an unknown form")
	}
	r := checkpointRow{slot: slot, full: b[1] == 1, blob: message.ID(b[2:34]),
		last: moment{int64(binary.BigEndian.Uint64(b[34:])), binary.BigEndian.Uint64(b[42:]), 0}}
	if len(b) == 52 {
		r.last.place = binary.BigEndian.Uint16(b[50:])
	}
	return r, nil
}

func checkpointKey(p message.ID, slot slotlog.Slot) []byte {
	return slotKey(store.TableCheckpoints, p, slot)
}

// position is what the key of a checkpoint and the head of its blob say of the state: the slot it comes before, and the tick
// it comes after if there was one since the slot before.
func (r checkpointRow) position() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(r.slot))
	if r.last.place != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(r.last.timestamp))
		b = binary.BigEndian.AppendUint16(b, r.last.place)
	}
	return b
}

func (r checkpointRow) key(p message.ID) []byte {
	return append(append([]byte{store.TableCheckpoints}, p[:]...), r.position()...)
}

// checkpoints gives those before or at a slot, newest first.
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
		return a.loadTicks(ctx)
	}
	def, err := a.u.c.Schedule.Process(ctx, a.id)
	if err != nil {
		return err
	}
	l := &lived{def: def}
	switch {
	case !def.ByDevice():
		if l.mod, l.lim, err = a.u.module(ctx, def); err != nil {
			return err
		}
		l.env = process.EnvironmentJSON(def, l.mod)
	case a.u.c.Executions == nil:
		return unsupported(def)
	}
	if l.inst, l.at, l.last, err = a.u.restore(ctx, l, a.reach(), true); err != nil {
		return err
	}
	a.awaitFree()
	a.def, a.loaded, a.inst, a.at, a.last, a.snap, a.spent = def, l, l.inst, l.at, l.last, snapshots{kept: a.snap.kept, keptAt: a.snap.keptAt, giving: a.snap.giving}, 0
	a.resident.Store(l.inst.Resident())
	a.mu.Lock()
	a.stored = max(a.stored, a.at) // further only where the slots between may be left out: see reach
	a.mu.Unlock()
	a.ticks, a.state = nil, stateChain{last: stateOf(l.inst)}
	if err := a.loadTicks(ctx); err != nil {
		a.drop()
		return err
	}
	a.mu.Lock()
	a.live = l
	a.tell()
	a.mu.Unlock()
	return nil
}

// reach is the first slot that has to be evaluated at the latest. Slots without a result may be left out only in a log that
// another scheduler made, where nobody waits for what they would have sent, and never the slot that is asked for.
func (a *actor) reach() slotlog.Slot {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.target > a.stored+1 && a.u.c.Memories != nil && a.u.foreign(a.id, a.target-1) {
		return a.target - 1
	}
	return a.stored
}

// candidate is a state that evaluation can go on from: the one before a slot.
type candidate struct {
	next slotlog.Slot
	what string
	open func() (process.Executor, moment, error)
}

// restore gives an instance in the newest state before or at a slot that can be read: from the newest chain of checkpoints or
// a whole memory from elsewhere, an older one if it is damaged, or the module's first state. With ticks, it may be one after ticks that follow
// the last slot.
func (u *Computer) restore(ctx context.Context, l *lived, at slotlog.Slot, ticks bool) (process.Executor, slotlog.Slot, moment, error) {
	k, err := u.maker(ctx, l)
	if err != nil {
		return nil, 0, moment{}, err
	}
	for _, c := range u.candidates(ctx, k, at, ticks) {
		inst, last, err := c.open()
		if err == nil {
			u.restored.Add(1)
			return inst, c.next, last, nil
		}
		if ctx.Err() != nil {
			return nil, 0, moment{}, stopping()
		}
		u.c.Logger.Error("checkpoint unusable, trying an older one", "process", l.def.ID, "slot", c.next, "from", c.what, "err", err)
	}
	inst, err := k.begin(ctx)
	return inst, 0, moment{}, err
}

// candidates gives the states that can be gone on from, newest first; of equals, the unit's own.
func (u *Computer) candidates(ctx context.Context, k maker, at slotlog.Slot, ticks bool) []candidate {
	l := k.l
	rows, err := u.checkpoints(l.def.ID, at)
	if err != nil {
		u.c.Logger.Error("checkpoints unreadable, evaluating from the start", "process", l.def.ID, "err", err)
	}
	var found []candidate
	for i := range rows {
		if rows[i].slot == at && rows[i].last.place != 0 && !ticks {
			continue
		}
		end := slices.IndexFunc(rows[i:], func(r checkpointRow) bool { return r.full })
		if end < 0 {
			break
		}
		chain := slices.Clone(rows[i : i+end+1])
		slices.Reverse(chain)
		found = append(found, candidate{rows[i].slot, "own", func() (process.Executor, moment, error) {
			inst, err := u.open(ctx, k, chain)
			return inst, rows[i].last, err
		}})
	}
	var own slotlog.Slot
	if len(found) > 0 {
		own = found[0].next
	}
	if u.c.Memories == nil || l.def.ByDevice() || own+worthAsking > at {
		return found
	}
	memories, err := u.c.Memories.Find(ctx, l.def, at)
	if err != nil {
		u.c.Logger.Warn("not all checkpoints from elsewhere can be looked at", "process", l.def.ID, "err", err)
	}
	for _, memory := range memories {
		if memory.Slot < at {
			found = append(found, candidate{memory.Slot + 1, memory.Source, func() (process.Executor, moment, error) {
				inst, err := u.openMemory(ctx, k, memory)
				return inst, moment{memory.Timestamp, memory.BlockHeight, 0}, err
			}})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.next, a.next) })
	return found
}

func (u *Computer) open(ctx context.Context, k maker, chain []checkpointRow) (process.Executor, error) {
	readers := make([]io.Reader, 0, len(chain))
	for _, r := range chain {
		b, err := u.c.Blobs.Open(r.blob)
		if err != nil {
			return nil, err
		}
		defer b.Close()
		id := k.l.def.ID
		want := append(id[:len(id):len(id)], r.position()...)
		head := make([]byte, len(want))
		if _, err := io.ReadFull(b, head); err != nil {
			return nil, err
		}
		if !bytes.Equal(head, want) {
			return nil, fmt.Errorf("blob %s is not the snapshot of slot %d", r.blob, r.slot)
		}
		readers = append(readers, b)
	}
	return k.restore(ctx, readers...)
}

// prune deletes the checkpoints before the last but one full snapshot.
func (a *actor) prune(at slotlog.Slot) error {
	rows, err := a.u.checkpoints(a.id, at)
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
		b.DeleteRange(checkpointKey(a.id, 0), r.key(a.id))
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

// drop frees the instance; the next use restores it. a.work is held.
func (a *actor) drop() {
	a.mu.Lock()
	live := a.live
	a.live = nil
	a.mu.Unlock()
	if live != nil {
		live.closeForks(a)
	}
	a.awaitFree()
	if a.inst != nil {
		if err := a.inst.Close(); err != nil {
			a.u.c.Logger.Error("instance not freed", "process", a.id, "err", err)
		}
		a.inst = nil
	}
	a.resident.Store(0)
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
		live := 0
		for _, a := range u.all() {
			n := a.resident.Load()
			total += n
			if n > 0 {
				live++
			}
			if n > 0 && a != used && (oldest == nil || a.used.Load() < oldest.used.Load()) && a.idle() {
				oldest = a
			}
		}
		most := u.c.Limits.LiveCount
		if total <= u.c.LiveMax && (most <= 0 || live <= most) || oldest == nil || !oldest.work.TryLock() {
			return
		}
		oldest.letGo()
		oldest.work.Unlock()
	}
}

func (a *actor) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.running && a.pins == 0
}
