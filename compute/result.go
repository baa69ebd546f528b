package compute

import (
	"context"
	"encoding/binary"
	"errors"
	"sort"
	"time"

	"ago/budget"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// Evaluation is a stored result with its position.
type Evaluation struct {
	Process     message.ID
	Slot        slotlog.Slot
	Message     message.ID // zero for a tick
	Timestamp   int64      // ms, of the slot or the tick
	BlockHeight uint64
	EvaluatedAt int64  // ms, of the node's clock
	Failed      bool   // it has an error, and legacy pages leave it out
	Cron        string // name of the timer, if this is a tick after the slot; else ""
	JSON        []byte // as process.Result.AppendJSON wrote it
	// Core is what the results of a device said, if IsCore is set: the JSON is written from it.
	Core   message.Message
	IsCore bool
}

// Result reads the JSON into its parts.
func (e Evaluation) Result() (process.Result, error) {
	if e.IsCore {
		return process.OutcomeOf(e.Core), nil
	}
	return process.ParseResult(e.JSON)
}

// Stored form of a result: version, flags, timestamp, height, evaluated at, message id, JSON. That of a tick has the size of the
// timer's name and the name where others have the message.
const (
	resultVersion = 1
	resultHead    = resultTimes + 32
	resultTimes   = 2 + 8 + 8 + 8

	resultFailed = 1
	resultTick   = 2
	resultCore   = 4 // a message where others have the JSON
)

func encodeResult(as process.Assigned, r process.Result, now int64) ([]byte, error) {
	var flags byte
	if r.IsCore {
		flags = resultCore
	}
	b := appendHead(make([]byte, 0, resultHead+128+r.Size()), flags, r, as.Timestamp, as.BlockHeight, now)
	b = append(b, as.Message[:]...)
	if r.IsCore {
		return message.AppendValue(b, r.Core)
	}
	return r.AppendJSON(b), nil
}

func encodeTick(k process.Tick, r process.Result, now int64) []byte {
	b := appendHead(make([]byte, 0, resultHead+128+r.Size()), resultTick, r, k.Timestamp, k.Height, now)
	b = binary.BigEndian.AppendUint16(b, uint16(len(k.Name)))
	b = append(b, k.Name...)
	return r.AppendJSON(b)
}

func appendHead(b []byte, flags byte, r process.Result, timestamp int64, height uint64, now int64) []byte {
	if r.HasError() {
		flags |= resultFailed
	}
	b = append(b, resultVersion, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(timestamp))
	b = binary.BigEndian.AppendUint64(b, height)
	return binary.BigEndian.AppendUint64(b, uint64(now))
}

func decodeResult(p message.ID, slot slotlog.Slot, b []byte) (Evaluation, error) {
	bad := fault.New(fault.Internal, "result-unreadable", "the stored result of slot %d of process %s has an unknown form", slot, p)
	if len(b) < resultTimes || b[0] != resultVersion {
		return Evaluation{}, bad
	}
	e := Evaluation{
		Process: p, Slot: slot, Failed: b[1]&resultFailed != 0,
		Timestamp:   int64(binary.BigEndian.Uint64(b[2:])),
		BlockHeight: binary.BigEndian.Uint64(b[10:]),
		EvaluatedAt: int64(binary.BigEndian.Uint64(b[18:])),
	}
	rest := b[resultTimes:]
	if b[1]&resultTick == 0 {
		if len(rest) < 32 {
			return Evaluation{}, bad
		}
		e.Message, e.JSON = message.ID(rest[:32]), rest[32:]
		if b[1]&resultCore != 0 {
			v, err := message.ReadValue(e.JSON)
			if e.Core, e.IsCore = v.(message.Message); err != nil || !e.IsCore {
				return Evaluation{}, bad
			}
			e.JSON = process.OutcomeOf(e.Core).JSON()
		}
		return e, nil
	}
	if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
		return Evaluation{}, bad
	}
	n := 2 + int(binary.BigEndian.Uint16(rest))
	e.Cron, e.JSON = string(rest[2:n]), rest[n:]
	return e, nil
}

func slotKey(table byte, p message.ID, slot slotlog.Slot) []byte {
	k := make([]byte, 0, 42)
	k = append(k, table)
	k = append(k, p[:]...)
	return binary.BigEndian.AppendUint64(k, uint64(slot))
}

// resultKey ends in a zero: results between two slots come after that of the slot before.
func resultKey(p message.ID, slot slotlog.Slot) []byte {
	return append(slotKey(store.TableResults, p, slot), 0)
}

func slotOf(key []byte) slotlog.Slot { return slotlog.Slot(binary.BigEndian.Uint64(key[33:])) }

func cursorKey(p message.ID) []byte { return append([]byte{store.TableCursors}, p[:]...) }

func encodeSlot(s slotlog.Slot) []byte { return binary.BigEndian.AppendUint64(nil, uint64(s)) }

func decodeSlot(b []byte) slotlog.Slot {
	if len(b) != 8 {
		return 0
	}
	return slotlog.Slot(binary.BigEndian.Uint64(b))
}

// stored reads a durable result; ok is false if there is none yet.
func (u *Computer) storedResult(p message.ID, slot slotlog.Slot) (e Evaluation, ok bool, err error) {
	v, err := u.c.Store.Get(resultKey(p, slot))
	if errors.Is(err, store.ErrNotFound) {
		return e, false, nil
	}
	if err != nil {
		return e, false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the result of slot %d of process %s cannot be read", slot, p)
	}
	e, err = decodeResult(p, slot, v)
	return e, err == nil, err
}

// Evaluated is the first slot of a process without a result.
func (u *Computer) Evaluated(p message.ID) slotlog.Slot {
	v, err := u.c.Store.Get(cursorKey(p))
	if err != nil {
		return 0
	}
	return decodeSlot(v)
}

// Failing tells why the evaluation of a process does not go on for now; nil if it does.
func (u *Computer) Failing(p message.ID) error {
	u.mu.Lock()
	a := u.actors[p]
	u.mu.Unlock()
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken
}

// firstResult gives the first durable result at or after a slot.
func (u *Computer) firstResult(p message.ID, slot slotlog.Slot) (e Evaluation, ok bool, err error) {
	if e, ok, err = u.storedResult(p, slot); ok || err != nil {
		return e, ok, err
	}
	for kv, err := range u.c.Store.Scan(resultKey(p, slot), store.PrefixEnd(append([]byte{store.TableResults}, p[:]...)), false) {
		if err != nil {
			return e, false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the results of process %s cannot be read", p)
		}
		e, err = decodeResult(p, slotOf(kv.Key), kv.Value)
		return e, err == nil, err
	}
	return e, false, nil
}

// skipped tells why a slot before the cursor has no result.
func (u *Computer) skipped(p message.ID, slot slotlog.Slot) error {
	if e, ok, err := u.firstResult(p, slot); err == nil && ok {
		return fault.New(fault.NotFound, "result-before-checkpoint",
			"slot %d of process %s was not evaluated here: evaluation went on from a checkpoint, and results begin with slot %d", slot, p, e.Slot).
			WithHint("ask another unit, or evaluate the process from its first message in another data folder, without checkpoints from elsewhere")
	}
	return fault.New(fault.NotFound, "slot-unknown", "process %s has no slot %d", p, slot)
}

// Result gives the result of a message (or assignment) of a process, evaluating it first if need be. However many ask, it is
// evaluated once. When ctx ends before, the fault is Unfinished and says how far the process is.
func (u *Computer) Result(ctx context.Context, p, id message.ID) (Evaluation, error) {
	if err := u.permit(ctx, p); err != nil {
		return Evaluation{}, err
	}
	slot, err := u.c.Schedule.Find(ctx, p, id)
	if err != nil {
		return Evaluation{}, err
	}
	return u.At(ctx, p, slot)
}

// At gives the result of a slot.
func (u *Computer) At(ctx context.Context, p message.ID, slot slotlog.Slot) (Evaluation, error) {
	if e, ok, err := u.storedResult(p, slot); ok || err != nil {
		return e, err
	}
	a := u.actor(p)
	if a == nil {
		return Evaluation{}, stopping()
	}
	a.advance(slot + 1)
	if err := u.hydrating(ctx, a, slot); err != nil {
		return Evaluation{}, err
	}
	if err := a.wait(ctx, func() bool { return a.known && a.stored > slot }); err != nil {
		return Evaluation{}, err
	}
	e, ok, err := u.storedResult(p, slot)
	if err == nil && !ok {
		err = u.skipped(p, slot)
	}
	return e, err
}

// failingMax is how long those who ask are kept waiting for a process that cannot be evaluated now. It is tried on anyway.
const failingMax = 15 * time.Second

// wait waits until the condition holds; it is asked with a.mu held.
func (a *actor) wait(ctx context.Context, until func() bool) error {
	for {
		a.mu.Lock()
		ok, running, broken, changed := until(), a.running, a.broken, a.changed
		stored, target := a.stored, a.target
		hopeless := broken != nil && time.Since(a.failing) > failingMax
		a.mu.Unlock()
		switch {
		case ok:
			return nil
		case hopeless:
			return broken
		case !running && broken != nil:
			return broken
		case !running:
			return fault.New(fault.NotFound, "slot-unknown", "the log of process %s ends before the slot asked for", a.id).
				WithHint("the scheduler knows %d slots", stored)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			f := fault.New(fault.Unfinished, "evaluation-in-progress", "Evaluation of process %q is in progress: slot %d of %d", a.id, stored, target).
				WithHint("ask again in a moment")
			f.Cause = broken
			return f
		}
	}
}

// Cursor is a position among the results of a process: a time, a slot of that time if one is meant, and the name of a timer
// if a tick after that slot is meant.
type Cursor struct {
	Timestamp int64 // ms
	Slot      *slotlog.Slot
	Cron      string
}

// Query selects results. From with a slot is exclusive, without one inclusive; To is inclusive. Descending gives the newest
// first; the range is the same.
type Query struct {
	From, To   *Cursor
	Limit      int
	Descending bool
	Failed     bool // with those that have an error
	Ticks      bool // ticks only
}

// resultsBytes is after how many bytes a page of results ends early.
const resultsBytes = 64 << 20

// Page is a run of results. More tells that the range holds further ones.
type Page struct {
	Evaluations []Evaluation
	More        bool
}

// Results gives stored results; it starts no evaluation.
func (u *Computer) Results(ctx context.Context, p message.ID, q Query) (Page, error) {
	var page Page
	if err := u.permit(ctx, p); err != nil {
		return page, err
	}
	lower, upper := resultKey(p, 0), store.PrefixEnd(append([]byte{store.TableResults}, p[:]...))
	if q.From != nil {
		key, err := u.bound(ctx, p, *q.From, 0)
		if err != nil {
			return page, err
		}
		lower = key
	}
	if q.To != nil {
		key, err := u.bound(ctx, p, *q.To, 1)
		if err != nil {
			return page, err
		}
		upper = key
	}
	size := 0
	for kv, err := range u.c.Store.Scan(lower, upper, q.Descending) {
		if err != nil {
			return page, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the results of process %s cannot be read", p)
		}
		e, err := decodeResult(p, slotOf(kv.Key), kv.Value)
		if err != nil {
			return page, err
		}
		if e.Failed && !q.Failed || e.Cron == "" && q.Ticks {
			continue
		}
		if len(page.Evaluations) == q.Limit {
			page.More = true
			break
		}
		if size += len(kv.Value); size > resultsBytes && len(page.Evaluations) > 0 {
			page.More = true
			break
		}
		grow := budget.Of(ctx).Grow
		if len(page.Evaluations) > 0 {
			grow = budget.Of(ctx).Try // the page may end here
		}
		if err := grow(4 * int64(len(kv.Value))); err != nil {
			if len(page.Evaluations) == 0 {
				return page, err
			}
			page.More = true // as much as there is memory for
			break
		}
		page.Evaluations = append(page.Evaluations, e)
	}
	return page, nil
}

// bound gives the first key behind a cursor. If it is only a time, that is the first of that time, or of as many ms later.
func (u *Computer) bound(ctx context.Context, p message.ID, c Cursor, later int64) ([]byte, error) {
	switch {
	case c.Slot != nil && c.Cron != "":
		place, err := u.placeOf(ctx, p, c.Cron)
		if err != nil {
			return nil, err
		}
		return append(tickKey(p, tickAt{*c.Slot, c.Timestamp, place}), 0), nil
	case c.Slot != nil:
		return append(resultKey(p, *c.Slot), 0), nil
	}
	s, err := u.firstSince(p, c.Timestamp+later)
	if err != nil || s == 0 {
		return resultKey(p, s), err
	}
	return tickKey(p, tickAt{s - 1, max(c.Timestamp+later, 0), 0}), nil // ticks of that time come before the slot
}

// placeOf finds a timer of a process by its name.
func (u *Computer) placeOf(ctx context.Context, p message.ID, name string) (uint16, error) {
	def, err := u.c.Schedule.Process(ctx, p)
	if err != nil {
		return 0, err
	}
	crons, err := timers(def)
	if err != nil {
		return 0, err
	}
	for i, c := range crons {
		if c.Name == name {
			return uint16(i + 1), nil
		}
	}
	return 0, fault.New(fault.Malformed, "cursor-malformed", "process %s has no timer %.80q", p, name).
		WithHint("pass the cursor of an edge as it was given")
}

// firstSince is the first slot whose time is not before ts. Times grow with slots, so it is found by halving.
func (u *Computer) firstSince(p message.ID, ts int64) (slotlog.Slot, error) {
	v, err := u.c.Store.Get(cursorKey(p))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the cursor of process %s cannot be read", p)
	}
	var failed error
	n := sort.Search(int(decodeSlot(v)), func(i int) bool {
		e, ok, err := u.firstResult(p, slotlog.Slot(i))
		if err != nil {
			failed = err
		}
		return !ok || e.Timestamp >= ts
	})
	return slotlog.Slot(n), failed
}
