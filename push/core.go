package push

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/fault"
	"ago/message"
	"ago/process"
)

// What a process sends that a device evaluates stays a message, with its types and what is nested in it. The messenger adds who
// it is from, and signs it as the process of the target can read it: as an HTTP message, or as a data item for legacy units.

// sealed writes the messages of AO-Core rows as they will be signed.
func sealed(rows []row, out process.Outbox, def process.Definition, pos Position) error {
	var from []message.Field
	for i, sent := range out.Messages { // the first rows are those of messages
		r := &rows[i]
		if sent.Core.Len() == 0 || r.State != Pending {
			continue
		}
		if from == nil {
			from = sender(def)
		}
		m := sent.Core // its target may tell where the process is
		for _, f := range from {
			m = m.With(f.Key, f.Value)
		}
		if m.Text("anchor") == "" {
			// Two entries that are equal otherwise are two messages.
			key := Key{Position: pos, Index: r.Key.Index, Part: r.Key.Part}.bytes()
			sum := sha256.Sum256(append([]byte("ago push anchor 1"), key[:]...))
			m = m.With("anchor", message.Bytes(hex.EncodeToString(sum[:ans104.AnchorSize/2])))
		}
		whole, err := message.AppendValue(nil, m)
		if err != nil {
			return fault.Wrap(err, fault.Internal, "task-unwritable", "entry %d of slot %d of process %s", r.Key.Index, pos.Slot, def.ID)
		}
		r.whole = whole
		r.anchor, r.data, r.tags = "", nil, nil
	}
	return nil
}

// sender is what the messenger says of the process that a message is from. It stands in the place of what the process said.
func sender(def process.Definition) []message.Field {
	m := def.Message()
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	base := m.Without(message.KeyCommitments).Without("authority").Without("scheduler")
	fs := []message.Field{
		text("data-protocol", "ao"), text("variant", process.VariantCore), text("type", "Message"),
		text("from-process", def.ID.String()), text("from-uncommitted", m.UnsignedID().String()), text("from-base", base.UnsignedID().String()),
		text("from-scheduler", def.Scheduler),
	}
	if len(def.Authorities) > 0 {
		fs = append(fs, text("from-authority", strings.Join(def.Authorities, ",")))
	}
	return fs
}

// sendCore is send for a message of an AO-Core process.
func (p *Pusher) sendCore(ctx context.Context, r *row) error {
	v, err := message.ReadValue(r.whole)
	m, ok := v.(message.Message)
	if err != nil || !ok {
		return unreadable(r.Key, "whole")
	}
	target, err := message.ParseID(r.Target)
	if err != nil {
		return fault.Wrap(err, fault.Malformed, "target-not-an-id", "the target %.60q", r.Target)
	}
	if to, ok := p.c.Scheduler.(Hinted); ok {
		to.Hint(target, m.Text("target"))
	}
	m = m.With("target", message.Bytes(r.Target))
	def, err := p.c.Scheduler.Process(ctx, target)
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "target-unknown", "Could not access target process!").WithHint("spawn process %s where this node can reach it", target)
	}
	if err != nil {
		return err
	}
	err = p.submitCore(ctx, r, m, target, def.Legacy())
	if fault.CodeOf(err) == "legacy-scheduler" && !def.Legacy() { // its scheduler reads data items only
		err = p.submitCore(ctx, r, m, target, true)
	}
	return err
}

// submitCore signs a message, as a data item or for HTTP, and hands it over.
func (p *Pusher) submitCore(ctx context.Context, r *row, m message.Message, target message.ID, asItem bool) error {
	key := r.Key.bytes()
	salt := append([]byte("ago push 1"), key[:]...)
	var signed message.Message
	if asItem {
		it, err := ans104.SignDeterministic(draft(m, target), p.c.Key, salt)
		if err != nil {
			return err
		}
		signed = it.Message()
		r.Message = it.ID()
	} else {
		// It goes the way of a message that came by HTTP: what is nested in it is kept as it stands there.
		var err error
		signed, err = httpsig.Commit(m, p.c.Key, httpsig.Terms{Salt: salt})
		if err != nil {
			return err
		}
		w, err := httpsig.Encode(signed, message.Nested)
		if err != nil {
			return err
		}
		if signed, err = httpsig.Decode(w); err != nil {
			return err
		}
		r.Message = process.ContentOfMessage(signed).ID
	}
	verified, err := p.verify(signed)
	if err != nil {
		return err
	}
	if err := p.arrive(r, r.Message, target); err != nil {
		return err
	}
	got, err := p.c.Scheduler.Submit(ctx, verified)
	if err == nil {
		r.scheduled(got)
	}
	return err
}

// draft is the message as a data item: keys become tags, as far as they have a text.
func draft(m message.Message, target message.ID) ans104.Draft {
	c := process.ContentOfMessage(m)
	d := ans104.Draft{Data: c.Data, Anchor: []byte(*c.Anchor), Target: target, HasTarget: true}
	if len(d.Anchor) != ans104.AnchorSize {
		sum := sha256.Sum256(d.Anchor)
		d.Anchor = hex.AppendEncode(nil, sum[:ans104.AnchorSize/2])
	}
	if len(d.Data) == 0 {
		d.Data = []byte(noData)
	}
	for _, t := range c.Tags {
		if t.Name == "Variant" {
			t.Value = process.VariantLegacy
		}
		d.Tags = append(d.Tags, t)
	}
	return d
}
