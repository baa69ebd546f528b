package push

import (
	"errors"
	"fmt"
	"strings"

	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// planned is what a batch holds, from Plan to Committed.
type planned struct {
	waits           []waiting
	dropped, parked int
}

type waiting struct {
	lane laneKey
	entry
}

// chain is where an evaluated message stands: who began, and how many deliveries ago.
type chain struct {
	parent, root message.ID
	depth        uint32
}

// Plan adds the tasks of a slot's result to the batch that stores the result. Tasks that are stored already stay as they are,
// so a result may be stored again.
func (p *Pusher) Plan(b *store.Batch, def process.Definition, a process.Assigned, r process.Result) error {
	if quiet(r) {
		return nil
	}
	out := r.Outbox()
	if out.Len() == 0 {
		return nil
	}
	pos := Position{Process: def.ID, Slot: a.Slot}
	c, err := p.chainOf(def, a)
	if err != nil {
		return err
	}
	fresh, err := p.plan(b, def, pos, c, out)
	if err == nil && fresh {
		b.Set(placeKey(a.Message, def.ID), pos.append(nil))
	}
	return err
}

// PlanCron is Plan for the result of a timer: tick ms, and the place of the timer among those of the process, from 1. Such a
// result begins chains that no message is the first of.
func (p *Pusher) PlanCron(b *store.Batch, def process.Definition, at Position, r process.Result) error {
	if at.Cron == 0 {
		return fault.New(fault.Internal, "push-cron-unnamed", "a timer of process %s has no place", def.ID)
	}
	if quiet(r) {
		return nil
	}
	_, err := p.plan(b, def, at, chain{}, r.Outbox())
	return err
}

// quiet tells results that emit nothing, which most are, without reading them.
func quiet(r process.Result) bool {
	return len(r.Messages) <= 2 && len(r.Spawns) <= 2 && len(r.Assignments) <= 2
}

// chainOf finds out by which chain a message came. The arrival tells for one that was pushed from here; of any other the tag
// Pushed-For is believed only if the process trusts who signed it, for everybody can write it.
func (p *Pusher) chainOf(def process.Definition, a process.Assigned) (chain, error) {
	got, ok, err := p.arrival(a.Message, def.ID)
	if err != nil {
		return chain{}, err
	}
	if ok {
		return chain{parent: a.Message, root: got.root, depth: got.depth}, nil
	}
	c := chain{parent: a.Message, root: a.Message}
	if _, pushed := process.FirstTag(a.Content.Tags, "From-Process"); pushed && !a.ByID &&
		(a.Content.Owner == p.c.Key.ProcessAddress() || def.Trusts(a.Content.Owner)) {
		text, _ := process.FirstTag(a.Content.Tags, "Pushed-For")
		if id, err := message.ParseID(text); err == nil {
			c.root = id
		}
	}
	return c, nil
}

func (p *Pusher) arrival(id, at message.ID) (arrival, bool, error) {
	raw, err := p.c.Store.Get(arrivalKey(id, at))
	if errors.Is(err, store.ErrNotFound) {
		return arrival{}, false, nil
	}
	if err != nil {
		return arrival{}, false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the arrival of %s cannot be read", id)
	}
	got, ok := decodeArrival(raw)
	if !ok {
		return arrival{}, false, fault.New(fault.Internal, "arrival-unreadable", "the arrival of %s at %s is not whole", id, at)
	}
	return got, true, nil
}

func (p *Pusher) plan(b *store.Batch, def process.Definition, pos Position, c chain, out process.Outbox) (fresh bool, err error) {
	first := Key{Position: pos}.bytes()
	switch _, err := p.c.Store.Get(taskKey(first)); {
	case err == nil:
		return false, nil
	case !errors.Is(err, store.ErrNotFound):
		return false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the tasks of %s cannot be read", Key{Position: pos})
	}
	rows := entries(out)
	if err := sealed(rows, out, def, pos); err != nil {
		return false, err
	}
	now := p.now()
	var pl planned
	for i := range rows {
		r := &rows[i]
		r.Key.Position = pos
		r.Parent, r.Root, r.Depth = c.parent, c.root, c.depth+1
		r.module, r.scheduler = def.Module, def.Scheduler
		r.Planned, r.Changed = now, now
		if r.State == Pending {
			if r.Depth > p.c.Limits.DepthMax {
				r.park("depth-limit", fmt.Sprintf("the chain has %d deliveries, %d are allowed", r.Depth, p.c.Limits.DepthMax))
			} else if i >= p.c.Limits.FanOutMax {
				r.park("fan-out-limit", fmt.Sprintf("the result has %d deliveries, %d go out by themselves", len(rows), p.c.Limits.FanOutMax))
			}
		}
		pl.add(b, r)
	}
	if len(rows) > 0 {
		p.mu.Lock()
		p.planned[pos] = pl
		p.mu.Unlock()
	}
	return len(rows) > 0, nil
}

// add puts a new task with its index into a batch, and remembers what its commit means.
func (pl *planned) add(b *store.Batch, r *row) {
	k := r.Key.bytes()
	switch r.State {
	case Pending:
		l := r.lane()
		b.Set(pendingKey(l, k), plannedValue(r.Planned))
		pl.waits = append(pl.waits, waiting{l, entry{k, r.Planned}})
	case Parked:
		b.Set(parkedKey(k), nil)
		pl.parked++
	case Dropped:
		pl.dropped++
	}
	b.Set(taskKey(k), r.encode())
}

func (r *row) park(code, reason string) {
	r.State, r.Code, r.Reason, r.Due = Parked, code, cut(reason, reasonMax), 0
}

func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "")
}

// entries makes the rows of an outbox: pending, or dropped with the reason. Position, chain and sender are left to the caller.
func entries(out process.Outbox) []row {
	rows := make([]row, 0, out.Len())
	for _, m := range out.Messages {
		r := row{Task: Task{Kind: KindMessage, Target: m.Target}, anchor: m.Anchor, data: m.Data, tags: m.Tags}
		r.Key.Index = uint32(m.Index)
		rows = append(rows, r.judged(m.Problem))
	}
	for _, s := range out.Spawns {
		r := row{Task: Task{Kind: KindSpawn}, anchor: s.Anchor, data: s.Data, tags: s.Tags}
		r.Key.Index = uint32(s.Index)
		rows = append(rows, r.judged(s.Problem))
	}
	for _, a := range out.Assigns {
		r := row{Task: Task{Kind: KindAssign}, baseLayer: a.BaseLayer, exclude: a.Exclude}
		r.Key.Index = uint32(a.Index)
		r.subject, _ = message.ParseID(a.Message)
		if a.Problem != "" {
			rows = append(rows, r.judged(a.Problem))
			continue
		}
		for part, target := range a.Processes {
			r.Key.Part, r.Target = uint32(part), target
			rows = append(rows, r.judged(""))
		}
	}
	return rows
}

// judged decides whether the entry can ever become a message. One that cannot keeps only what tells people which it was.
func (r row) judged(problem string) row {
	if action, ok := process.FirstTag(r.tags, "Action"); ok {
		r.Action = cut(action, actionMax)
	}
	_, r.Cast = process.FirstTag(r.tags, "Cast")
	r.State = Pending
	r.Code = "outbox-entry-malformed"
	switch {
	case problem != "":
	case r.Kind != KindSpawn && !isID(r.Target):
		r.Code, problem = "target-not-an-id", fmt.Sprintf("the target %.*q is not an id of %d characters", targetMax, r.Target, message.IDLength)
	case r.anchor != "" && len(r.anchor) != ans104.AnchorSize:
		r.Code, problem = "anchor-size", fmt.Sprintf("the Anchor has %d bytes, an item's has %d", len(r.anchor), ans104.AnchorSize)
	case r.Kind == KindSpawn && !hasTag(r.tags, "Module"):
		r.Code, problem = "tag-missing", "the spawn has no tag Module"
	default:
		r.Code = ""
		return r
	}
	r.State, r.Reason = Dropped, cut(problem, reasonMax)
	r.Target = cut(r.Target, targetMax)
	r.anchor, r.data, r.tags, r.exclude = "", nil, nil, nil
	return r
}

func isID(s string) bool {
	_, err := message.ParseID(s)
	return err == nil
}

func hasTag(tags []process.Tag, name string) bool {
	_, ok := process.FirstTag(tags, name)
	return ok
}

// Committed tells that the batch with the slot's tasks is durable.
func (p *Pusher) Committed(id message.ID, slot slotlog.Slot) {
	p.committed(Position{Process: id, Slot: slot})
}

// CommittedCron is Committed for the result of a timer.
func (p *Pusher) CommittedCron(at Position) { p.committed(at) }

func (p *Pusher) committed(pos Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl, ok := p.planned[pos]
	if !ok {
		return
	}
	delete(p.planned, pos)
	p.admit(pl)
}

// admit takes up what a durable batch holds. The caller holds the mutex.
func (p *Pusher) admit(pl planned) {
	for _, w := range pl.waits {
		p.insert(w.lane, w.entry)
	}
	p.count.pending.Add(int64(len(pl.waits)))
	p.count.parked.Add(int64(pl.parked))
	p.count.dropped.Add(uint64(pl.dropped))
	p.employ()
}
