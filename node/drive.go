package node

import (
	"context"

	"ago/client"
	"ago/drive"
	"ago/fault"
	"ago/gateway"
	"ago/message"
	"ago/process"
	"ago/store"
)

// weave is the node's own gateway as processes read it. What that has from other gateways it has checked.
type weave struct {
	g *gateway.Gateway
	// local tells that the gateway has a chain of its own: what it has from others was there before its first block.
	local bool
}

func (w weave) Height(context.Context) (uint64, error) { return w.g.Blocks().Height(), nil }

func (w weave) Attested(ctx context.Context, owners []string, tags []Tag, max uint64) (bool, error) {
	q := gateway.Query{Owners: []message.ID{}, Heights: &gateway.Span{Max: max}, First: 1}
	for _, o := range owners {
		if id, err := message.ParseID(o); err == nil {
			q.Owners = append(q.Owners, id)
		}
	}
	for _, t := range tags {
		q.Tags = append(q.Tags, gateway.TagQuery{Name: t.Name, Values: []string{t.Value}})
	}
	found, _, err := w.g.Search(ctx, q)
	return len(found) > 0, err
}

// Data opens what is under an id. Imported bytes are nobody's word, and may be replaced: processes do not see them.
func (w weave) Data(ctx context.Context, id message.ID) (drive.File, error) {
	blob, rec, err := w.g.Data(ctx, id)
	if err != nil {
		return nil, gone(id, err)
	}
	if rec.Source == gateway.Imported {
		return nil, errImported(id, blob)
	}
	return blob, nil
}

func errImported(id message.ID, blob store.Blob) error {
	_ = blob.Close()
	return fault.New(fault.NotFound, "data-unsigned", "the data of %s was imported without its signature, so no process can rely on it", id).
		WithHint("publish the signed item")
}

func (w weave) Transaction(ctx context.Context, id message.ID) ([]byte, uint64, error) {
	rec, err := w.g.Record(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if rec.Source == gateway.Imported {
		return nil, 0, nil
	}
	text, err := w.g.TransactionJSON(ctx, rec)
	return text, w.heightOf(rec), err
}

// heightOf is the height of a record's block, 0 if it has none.
func (w weave) heightOf(rec *gateway.Record) uint64 {
	switch {
	case rec.Block == nil:
		return 0
	case rec.Remote && w.local:
		return 1
	}
	return rec.Block.Height
}

func (w weave) Item(ctx context.Context, id message.ID) ([]byte, uint64, error) {
	rec, err := w.g.Record(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if rec.Source == gateway.Imported {
		return nil, 0, nil
	}
	text, _, err := client.ReadRecord(w.g.Query(ctx, client.RecordQuery, map[string]any{"ids": []any{id.String()}}, ""), id)
	return text, w.heightOf(rec), err
}

func (w weave) Block(_ context.Context, height uint64) ([]byte, error) {
	b, ok := w.g.Blocks().At(height)
	if !ok {
		return nil, fault.New(fault.NotFound, "block-unknown", "there is no block %d", height)
	}
	return w.g.BlockJSON(b)
}

var _ drive.Archive = weave{}

// admitFiles refuses a process that would ask for files that nobody can give it: an unknown extension or kind of availability,
// or boot data that is not there.
func (n *Node) admitFiles(ctx context.Context, d process.Definition) error {
	if d.ByDevice() {
		return nil
	}
	if err := extensions(d.Tags, "the extensions of the process are"); err != nil {
		return err
	}
	m, err := modules{archive{n.gateway}}.Module(ctx, d.Module)
	if err != nil {
		return err
	}
	if err := drive.Check(d, m); err != nil {
		return err
	}
	boot, ok := d.Tag("On-Boot")
	if !ok || boot == "Data" {
		return nil
	}
	id, err := message.ParseID(boot)
	if err != nil {
		return fault.New(fault.Malformed, "on-boot-malformed", "the tag On-Boot holds neither Data nor an id: %.100q", boot).
			WithHint("publish the code and name its id, or send it as the data of the Process with On-Boot: Data")
	}
	f, err := weave{n.gateway, true}.Data(ctx, id)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "boot-data-unknown", "the data of %s, which the process is to boot from, is not on this network", id).
			WithHint("publish it with `ago publish --plain FILE` first, and name its id in On-Boot")
	}
	if err != nil {
		return err
	}
	return f.Close()
}
