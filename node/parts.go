package node

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"

	"ago/codec/ans104"
	_ "ago/codec/tx" // brings the check of commitments that transactions made
	"ago/commitment"
	"ago/compute"
	"ago/cron"
	"ago/drive"
	"ago/fault"
	"ago/gateway"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/schedule"
	"ago/slotlog"
	"ago/store"
)

// The units meet only here: each of these types gives one unit the few methods of another that it asks for.

// items are the bytes of everything indexed. An assignment is not stored a second time: it is in the slot it assigns.
type items struct {
	log   itemLog
	where func(ctx context.Context, id message.ID) ([]schedule.Place, error) // nil: nothing is scheduled here
}

func (i items) PutItem(ctx context.Context, b *store.Batch, id message.ID, raw []byte) error {
	return i.log.PutItem(ctx, b, id, raw)
}

func (i items) OpenItem(ctx context.Context, id message.ID) (store.Blob, error) {
	return i.log.OpenItem(ctx, id)
}

func (i items) Item(ctx context.Context, id message.ID) ([]byte, error) {
	raw, err := i.log.Item(ctx, id)
	if !errors.Is(err, store.ErrNotFound) {
		return raw, err
	}
	if i.where == nil {
		return nil, err
	}
	places, placesErr := i.where(ctx, id)
	if placesErr != nil || len(places) == 0 {
		return nil, errors.Join(err, placesErr)
	}
	at := places[0]
	for e, err := range i.log.Range(ctx, at.Process, at.Slot, at.Slot+1) {
		if err != nil {
			return nil, err
		}
		if _, written := (process.Assigned{Entry: e}).Written(); e.Assignment != nil && !written {
			return e.Assignment, nil
		}
	}
	return nil, err
}

// blocks stamps slots with the gateway's newest block.
type blocks struct{ g *gateway.Gateway }

func (b blocks) Tip() (uint64, message.ID, int64) {
	c := b.g.Blocks().Current()
	return c.Height, c.Hash, c.Time
}

// archive knows what is not scheduled: items by id for the scheduler, plain items for the messenger.
type archive struct{ g *gateway.Gateway }

func (a archive) Upload(ctx context.Context, v commitment.Verified) error {
	_, err := a.g.Upload(ctx, v)
	return err
}

// Content gives an item or a transaction as a process that it is assigned to sees it: as gateways show it, which is where
// a compute unit on another machine has it from. Anchors are base64url there, and an imported record has no owner.
func (a archive) Content(ctx context.Context, id message.ID) (process.Content, error) {
	raw, err := a.g.ItemBytes(ctx, id)
	if err == nil {
		it, err := ans104.DecodeItem(raw)
		if err != nil {
			return process.Content{}, err
		}
		c := process.ContentOf(it)
		c.Anchor = shownAnchor(it.Anchor)
		return c, nil
	}
	if fault.KindOf(err) != fault.Unsupported {
		return process.Content{}, gone(id, err)
	}
	rec, err := a.g.Record(ctx, id)
	if err != nil {
		return process.Content{}, err
	}
	data, err := a.data(ctx, id)
	if err != nil {
		return process.Content{}, err
	}
	c := process.Content{ID: id, Signature: rec.Signature, OwnerKey: rec.Owner, Owner: ownerOf(rec), Anchor: shownAnchor(rec.Anchor), Tags: rec.Tags, Data: data}
	if rec.HasTarget {
		c.Target = rec.Target.String()
	}
	return c, nil
}

func shownAnchor(raw []byte) *string {
	text := base64.RawURLEncoding.EncodeToString(raw)
	return &text
}

// ownerOf is the address of the signer as processes see it, "" for an imported record: it has nobody's signature.
func ownerOf(rec *gateway.Record) string {
	switch {
	case rec.Owner != nil:
		return commitment.ProcessAddress(rec.Owner)
	case !rec.Address.IsZero():
		return rec.Address.String()
	}
	return ""
}

func (a archive) data(ctx context.Context, id message.ID) ([]byte, error) {
	blob, _, err := a.g.Data(ctx, id)
	if err != nil {
		return nil, gone(id, err)
	}
	defer blob.Close()
	b, err := io.ReadAll(blob)
	return b, fault.Wrap(err, fault.Unavailable, "data-unreadable", "the data of %s", id)
}

// gone tells data that was deleted under the node from data that cannot be read now: nobody is kept waiting for it.
func gone(id message.ID, err error) error {
	if !errors.Is(err, store.ErrNotFound) || fault.KindOf(err) == fault.NotFound {
		return err
	}
	return fault.New(fault.NotFound, "data-gone", "the data of %s was on this node and is gone", id).
		WithHint("put the data folder back as it was, or publish the same data again")
}

// Confirmations counts the blocks from the transaction's own to the newest.
func (a archive) Confirmations(ctx context.Context, id message.ID) (int, error) {
	rec, err := a.g.Record(ctx, id)
	if err != nil || rec.Block == nil {
		return 0, err
	}
	return int(a.g.Blocks().Height()-rec.Block.Height) + 1, nil
}

// modules finds programs at the gateway.
type modules struct{ a archive }

func (m modules) Module(ctx context.Context, id message.ID) (process.Module, error) {
	rec, err := m.a.g.Record(ctx, id)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			err = fault.New(fault.NotFound, "module-unknown", "module %s is not on this network", id).
				WithHint("publish it with `ago publish FILE`, or start the network with --module %s=FILE", id)
		}
		return process.Module{}, err
	}
	return describe(id, ownerOf(rec), rec.Tags, func(ctx context.Context) ([]byte, error) { return m.a.data(ctx, id) })
}

// describe reads what the tags of a module say.
func describe(id message.ID, owner string, tags []Tag, bytes func(context.Context) ([]byte, error)) (process.Module, error) {
	m := process.Module{ID: id, Owner: owner, Tags: tags, Bytes: bytes}
	m.Format, _ = process.FirstTag(tags, "Module-Format")
	if kind, _ := process.FirstTag(tags, "Type"); kind != "Module" {
		return m, fault.New(fault.Unsupported, "module-unsupported", "%s is not a module: its Type tag is %q", id, kind).
			WithHint("name the id of a module, an item with the tag Type: Module")
	}
	for _, name := range []string{"Input-Encoding", "Output-Encoding"} {
		switch v, _ := process.FirstTag(tags, name); v {
		case "JSON-1", "JSON-V1":
		default:
			return m, fault.New(fault.Unsupported, "module-encoding-unsupported", "%s for module %q is not supported: %q", name, id, v).
				WithHint("modules speak JSON-1")
		}
	}
	if err := extensions(tags, fmt.Sprintf("Module Extensions for module %q are", id)); err != nil {
		return m, err
	}
	if v, ok := process.FirstTag(tags, "Memory-Limit"); ok {
		n, err := process.ParseMemoryLimit(v)
		if err != nil {
			return m, err
		}
		m.MemoryLimit = n
	}
	if v, ok := process.FirstTag(tags, "Compute-Limit"); ok {
		if _, err := fmt.Sscanf(v, "%d", &m.ComputeLimit); err != nil {
			return m, fault.New(fault.Malformed, "compute-limit-malformed", "Compute-Limit of module %s is a whole number, not %q", id, v)
		}
	}
	return m, nil
}

// extensions refuses tags that name an extension nothing here has.
func extensions(tags []Tag, whose string) error {
	for _, t := range tags {
		if t.Name == "Extension" && t.Value != drive.Extension {
			return fault.New(fault.Unsupported, "extension-unsupported", "%s not supported: %q", whose, t.Value).
				WithHint("supported extensions: %s", drive.Extension)
		}
	}
	return nil
}

// slots is the scheduler as the compute unit reads it.
type slots struct{ *schedule.Scheduler }

func (s slots) Next(ctx context.Context, p message.ID) (slotlog.Slot, error) {
	h, err := s.Head(ctx, p)
	return h.Next, err
}

// timeline is the time that processes with timers live in: the scheduler's, with the gateway's blocks. For a process of another
// scheduler it ends with the newest slot that is here, and the blocks are those of the gateway it is followed by.
type timeline struct{ n *Node }

func (t timeline) Horizon(ctx context.Context, p message.ID) (int64, slotlog.Slot, error) {
	h, err := t.n.scheduler.Head(ctx, p)
	if err != nil {
		return 0, 0, err
	}
	if h.Next > 0 && h.Next < t.n.scheduler.ForeignUntil(p) {
		return h.Timestamp, h.Next, nil
	}
	return t.n.scheduler.Horizon(ctx, p)
}

func (t timeline) Blocks(ctx context.Context, p message.ID, above uint64, from, to int64) ([]process.Moment, error) {
	for _, m := range t.n.mirrors {
		if m.f.Process == p && t.n.scheduler.ForeignUntil(p) != 0 && m.network.Gateway != "" {
			return listBlocks(ctx, m.network, above, from, to)
		}
	}
	return t.n.gateway.Blocks().Between(from, to)
}

// ticks has what a tick sends delivered if somebody watches the process.
type ticks struct {
	p *push.Pusher
	m *cron.Monitors
	s *schedule.Scheduler
}

func (t ticks) PlanTick(b *store.Batch, def process.Definition, k process.Tick, r process.Result) error {
	if !t.m.Watches(def.ID) || k.Slot+1 < t.s.ForeignUntil(def.ID) { // what another scheduler's slots caused, others deliver
		return nil
	}
	return t.p.PlanCron(b, def, tickPosition(k), r)
}

func (t ticks) TickCommitted(k process.Tick) { t.p.CommittedCron(tickPosition(k)) }

func tickPosition(k process.Tick) push.Position {
	return push.Position{Process: k.Process, Slot: k.Slot, Tick: k.Timestamp, Cron: k.Place}
}

// target is the scheduler as the messenger pushes to it, and those of other nodes.
type target struct {
	s *schedule.Scheduler
	a *abroad
}

func (t target) Submit(ctx context.Context, v commitment.Verified) (push.Receipt, error) {
	r, err := t.s.Submit(ctx, v)
	p, ok := targetOf(message.ID{}, v.Message())
	if code := fault.CodeOf(err); code != "process-followed" && code != "process-unknown" || !ok || t.a.alone(p) {
		return push.Receipt(r), err
	}
	got, askErr := t.a.submit(ctx, p, v)
	if fault.CodeOf(askErr) == "location-unknown" {
		return push.Receipt(r), err
	}
	if askErr != nil {
		return push.Receipt(r), askErr
	}
	return receiptOf(process.ContentOfMessage(v.Message()).ID, got)
}

func (t target) Assign(ctx context.Context, p, id message.ID, o push.AssignOptions) (push.Receipt, error) {
	r, err := t.s.Assign(ctx, p, id, schedule.AssignOptions(o))
	return push.Receipt(r), err
}

func (t target) Process(ctx context.Context, id message.ID) (process.Definition, error) {
	return t.a.definition(ctx, id)
}

// Hint notes where a process may be found that somebody sends to.
func (t target) Hint(p message.ID, text string) { t.a.hints.Hint(p, text) }

func (t target) where(ctx context.Context, id message.ID) ([]push.Place, error) {
	found, err := t.s.Where(ctx, id)
	out := make([]push.Place, len(found))
	for i, p := range found {
		out[i] = push.Place(p)
	}
	return out, err
}

// unknown tells a request for what no route serves.
func unknown(r *http.Request) error {
	return fault.New(fault.NotFound, "route-unknown", "nothing answers %s %s here", r.Method, r.URL.Path).
		WithHint("GET / tells the addresses of the units")
}

var (
	_ compute.Schedule = slots{}
	_ compute.Modules  = modules{}
	_ compute.Timeline = timeline{}
	_ compute.Ticks    = ticks{}
	_ push.Scheduler   = target{}
	_ push.Hinted      = target{}
	_ push.Archive     = archive{}
)
