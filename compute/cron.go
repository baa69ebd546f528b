package compute

import (
	"cmp"
	"context"
	"encoding/binary"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// Timeline is the time that processes with timers live in.
type Timeline interface {
	// Horizon gives a time in ms, and the first slot that no message has yet: every slot from there on gets at least that time.
	Horizon(ctx context.Context, p message.ID) (now int64, next slotlog.Slot, err error)
	// Blocks gives the blocks with from <= time < to, oldest first, for a time to that is no later than a horizon. They are higher
	// than the given height.
	Blocks(ctx context.Context, p message.ID, above uint64, from, to int64) ([]process.Moment, error)
}

// Ticks takes over what the ticks of timers send.
type Ticks interface {
	// PlanTick adds the tasks of a result to the batch that stores it.
	PlanTick(b *store.Batch, def process.Definition, t process.Tick, r process.Result) error
	// TickCommitted tells that the tasks of a tick are durable. It must not block.
	TickCommitted(t process.Tick)
}

// Due tells of the timers of a process.
type Due struct {
	Timed  bool  // it has timers
	Next   int64 // ms; when the next one by time is due, 0 if none ever is
	Blocks bool  // it has timers by blocks
}

// Tick evaluates the ticks of a process before a time (0: the present), and its messages of before then. What they gave is
// durable when it returns. Ticks are evaluated in any case before the message that follows them, so this matters only
// for those after the last message.
func (u *Computer) Tick(ctx context.Context, p message.ID, before int64) (Due, error) {
	if err := u.permit(ctx, p); err != nil {
		return Due{}, err
	}
	def, err := u.c.Schedule.Process(ctx, p)
	if err != nil {
		return Due{}, err
	}
	crons, err := timers(def)
	if err != nil || len(crons) == 0 {
		return Due{}, err
	}
	if u.c.Timeline == nil {
		return Due{}, timeless(p)
	}
	now, next, err := u.c.Timeline.Horizon(ctx, p)
	if err != nil {
		return Due{}, err
	}
	if before == 0 || before > now {
		before = now
	}
	a := u.actor(p)
	if a == nil {
		return Due{}, stopping()
	}
	a.advanceTicks(next, before)
	d := Due{Timed: true}
	for _, c := range crons {
		d.Blocks = d.Blocks || c.Blocks && c.Every > 0
	}
	err = a.wait(ctx, func() bool {
		d.Next = a.next
		return a.known && a.ticked >= before
	})
	return d, err
}

// timers are those of a legacy process: others have none by tags.
func timers(def process.Definition) ([]process.Cron, error) {
	if def.ByDevice() {
		return nil, nil
	}
	return process.Crons(def.Tags)
}

func timeless(p message.ID) error {
	return fault.New(fault.Unsupported, "cron-unsupported", "process %s has timers, and this unit knows no time to run them by", p).
		WithHint("ask a unit that has a scheduler")
}

// advanceTicks raises the time up to which ticks are evaluated, and the target to the slots of before that time.
func (a *actor) advanceTicks(next slotlog.Slot, before int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.target, a.due, a.dueFrom = max(a.target, next), max(a.due, before), max(a.dueFrom, next)
	switch {
	case a.running:
		a.tell()
	case !a.known || a.stored < a.target || a.ticked < a.due:
		a.start()
	}
}

// ticking goes through the ticks of a process beside its slots.
type ticking struct {
	u      *Computer
	p      message.ID
	crons  []process.Cron
	origin process.Moment
	line   *process.Line // nil before the first slot
}

// blockSpan is the time whose blocks are asked for at once, in ms: some 5000 blocks.
const blockSpan = 7 * 24 * 3_600_000

// ticking gives the ticks that come after a state; nil if the process has no timers.
func (u *Computer) ticking(ctx context.Context, def process.Definition, at slotlog.Slot, last moment) (*ticking, error) {
	crons, err := timers(def)
	if err != nil || len(crons) == 0 {
		return nil, err
	}
	if u.c.Timeline == nil {
		return nil, timeless(def.ID)
	}
	t := &ticking{u: u, p: def.ID, crons: crons}
	if at == 0 {
		return t, nil
	}
	if t.origin, err = u.momentOf(ctx, def.ID, 0); err != nil {
		return nil, err
	}
	left := process.Moment{Timestamp: last.timestamp, Height: last.height}
	if last.place != 0 {
		if left, err = u.momentOf(ctx, def.ID, at-1); err != nil {
			return nil, err
		}
	}
	t.line = process.NewLine(t.p, crons, t.origin, left, at-1)
	if last.place == 0 {
		return t, nil
	}
	for t.line.Known() <= last.timestamp {
		if err := t.learn(ctx, last.timestamp+1); err != nil {
			return nil, err
		}
	}
	t.line.SkipTo(last.timestamp, last.place)
	return t, nil
}

func (u *Computer) momentOf(ctx context.Context, p message.ID, slot slotlog.Slot) (process.Moment, error) {
	for as, err := range u.c.Schedule.Range(ctx, p, slot, slot+1) {
		return process.Moment{Timestamp: as.Timestamp, Height: as.BlockHeight}, err
	}
	return process.Moment{}, fault.New(fault.Unavailable, "slot-missing", "slot %d of process %s is missing from the log", slot, p)
}

// passed begins the ticks after a slot.
func (t *ticking) passed(as process.Assigned) {
	at := process.Moment{Timestamp: as.Timestamp, Height: as.BlockHeight}
	if as.Slot == 0 {
		t.origin = at
	}
	t.line = process.NewLine(t.p, t.crons, t.origin, at, as.Slot)
}

func (t *ticking) learn(ctx context.Context, before int64) error {
	from := t.line.Known()
	to := min(before, from+blockSpan)
	blocks, err := t.u.c.Timeline.Blocks(ctx, t.p, t.line.Height(), from, to)
	if err == nil {
		t.line.Learn(blocks, to)
	}
	return err
}

// next gives the next tick before a time.
func (t *ticking) next(ctx context.Context, before int64) (k process.Tick, ok bool, err error) {
	if t.line == nil {
		return k, false, nil
	}
	for {
		if k, ok = t.line.Next(before); ok || t.line.Known() >= before {
			return k, ok, nil
		}
		if err := t.learn(ctx, before); err != nil {
			return k, false, err
		}
	}
}

// runTicks evaluates the ticks before a time. a.work is held.
func (a *actor) runTicks(ctx context.Context, before int64, f *flight) error {
	if a.ticks == nil {
		return nil
	}
	for {
		k, ok, err := a.ticks.next(ctx, before)
		if err == nil && ok {
			err = a.tick(ctx, k, f)
		}
		if err != nil {
			a.ticks = nil // the tick is taken from it, and has to come again
			return err
		}
		if !ok {
			return nil
		}
		a.saveOnTheWay(f)
	}
}

// tick evaluates one tick and hands its result to the writer.
func (a *actor) tick(ctx context.Context, k process.Tick, f *flight) error {
	a.mu.Lock()
	replay := k.Slot+1 < a.stored || positionOf(k).compare(a.storedTick) <= 0
	a.mu.Unlock()
	r, err := a.apply(ctx, k.Slot, process.Work{Tick: &k})
	if err != nil {
		return err
	}
	if !replay {
		if err := a.storeTick(k, r, f); err != nil {
			a.drop()
			return err
		}
	}
	a.last = moment{k.Timestamp, k.Height, k.Place}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live != nil {
		a.live.last = a.last
	}
	return nil
}

// storeTick puts a result with its consequences into the batch that is to be written.
func (a *actor) storeTick(k process.Tick, r process.Result, f *flight) error {
	b := &store.Batch{}
	b.Set(tickKey(a.id, positionOf(k)), encodeTick(k, r, a.u.c.Clock.Now().UnixMilli()))
	if a.u.c.Ticks != nil {
		if err := a.u.c.Ticks.PlanTick(b, a.def, k, r); err != nil {
			return err
		}
	}
	a.held.batch.Add(b)
	a.held.ticks = append(a.held.ticks, k)
	a.ticksRun++
	if len(a.held.ticks) >= heldForeign {
		a.flush(f)
	}
	return nil
}

// revise forgets the ticks that were evaluated although a slot with an earlier time was still to come. A scheduler that told a
// horizon never does that; another one may be late with its log.
func (a *actor) revise(as process.Assigned, f *flight) error {
	a.flush(f)
	if err := f.wait(); err != nil {
		return err
	}
	a.u.c.Logger.Warn("a slot came after ticks that follow it; they are evaluated again", "process", a.id, "slot", as.Slot, "time", as.Timestamp)
	a.drop()
	rows, err := a.u.checkpoints(a.id, as.Slot)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "store-unreadable", "the checkpoints of process %s cannot be read", a.id)
	}
	first := checkpointRow{slot: as.Slot, last: moment{timestamp: as.Timestamp, place: 1}}
	b := &store.Batch{}
	b.DeleteRange(tickKey(a.id, tickAt{as.Slot - 1, as.Timestamp, 0}), resultKey(a.id, as.Slot))
	b.DeleteRange(first.key(a.id), checkpointKey(a.id, as.Slot+1))
	if err := a.u.c.Store.Apply(b, true); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store-unwritable", "the ticks of process %s cannot be revised", a.id)
	}
	for _, r := range rows {
		if r.slot == as.Slot && r.last.place != 0 && r.last.timestamp >= as.Timestamp {
			if err := a.u.c.Blobs.Delete(r.blob); err != nil {
				a.u.c.Logger.Warn("a checkpoint that is not used any more stays", "process", a.id, "err", err)
			}
		}
	}
	newest, err := a.u.newestTick(a.id)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.storedTick = newest
	a.mu.Unlock()
	return fault.New(fault.Unavailable, "ticks-revised", "the ticks before slot %d of process %s are evaluated again", as.Slot, a.id)
}

// noteTicks notes that ticks are durable. a.mu is held.
func (a *actor) noteTicks(ticks []process.Tick) {
	for _, k := range ticks {
		if at := positionOf(k); at.compare(a.storedTick) > 0 {
			a.storedTick = at
		}
	}
	a.ticksStored += uint64(len(ticks))
}

// settled notes that the ticks before a time were evaluated and are durable. a.work is held.
func (a *actor) settled(before int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ticked = max(a.ticked, before)
	if a.ticks != nil && a.ticks.line != nil {
		a.next, _ = a.ticks.line.Due()
	}
	a.tell()
}

// loadTicks brings the ticks to where the instance is. Those that are durable already are evaluated again without storing,
// so that the instance is where the results are.
func (a *actor) loadTicks(ctx context.Context) error {
	if a.ticks != nil {
		return nil
	}
	t, err := a.u.ticking(ctx, a.def, a.at, a.last)
	if err != nil || t == nil {
		return err
	}
	newest, err := a.u.newestTick(a.id)
	if err != nil {
		return err
	}
	a.ticks = t
	a.mu.Lock()
	defer a.mu.Unlock()
	if newest.compare(a.storedTick) > 0 {
		a.storedTick = newest
	}
	if a.storedTick.slot+1 == a.stored && a.storedTick.place != 0 {
		a.due, a.dueFrom = max(a.due, a.storedTick.timestamp+1), max(a.dueFrom, a.stored)
		a.told = a.storedTick.timestamp + 1
	}
	a.ticked = 0
	a.ticksRun = a.ticksStored // those whose write failed come again
	return nil
}

// tickAt is the position of a tick among the results of a process.
type tickAt struct {
	slot      slotlog.Slot
	timestamp int64
	place     uint16 // 0: there is no tick
}

func positionOf(k process.Tick) tickAt { return tickAt{k.Slot, k.Timestamp, k.Place} }

func (t tickAt) compare(u tickAt) int {
	return cmp.Or(cmp.Compare(t.slot, u.slot), cmp.Compare(t.timestamp, u.timestamp), cmp.Compare(t.place, u.place))
}

// tickKey sorts behind the result of the slot before the tick, and before that of the next.
func tickKey(p message.ID, t tickAt) []byte {
	k := append(slotKey(store.TableResults, p, t.slot), 1)
	k = binary.BigEndian.AppendUint64(k, uint64(t.timestamp))
	return binary.BigEndian.AppendUint16(k, t.place)
}

const (
	slotKeySize = 1 + 32 + 8
	tickKeySize = slotKeySize + 1 + 8 + 2
)

// tickOf reads the position of a tick out of its key; false if the key is that of a slot.
func tickOf(key []byte) (tickAt, bool) {
	if len(key) != tickKeySize {
		return tickAt{}, false
	}
	rest := key[slotKeySize+1:]
	return tickAt{slotOf(key), int64(binary.BigEndian.Uint64(rest)), binary.BigEndian.Uint16(rest[8:])}, true
}

// newestTick finds the durable tick after the last durable slot; zero if there is none.
func (u *Computer) newestTick(p message.ID) (tickAt, error) {
	prefix := append([]byte{store.TableResults}, p[:]...)
	for kv, err := range u.c.Store.Scan(prefix, store.PrefixEnd(prefix), true) {
		if err != nil {
			return tickAt{}, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the results of process %s cannot be read", p)
		}
		at, _ := tickOf(kv.Key)
		return at, nil
	}
	return tickAt{}, nil
}
