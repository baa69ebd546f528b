package gateway

import (
	"bytes"
	"context"
	"slices"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// moduleTags are those of a module as the published tools write them. Limits are generous: a local network has no reason
// to refuse.
var moduleTags = []Tag{
	{Name: "Data-Protocol", Value: "ao"},
	{Name: "Variant", Value: "ao.TN.1"},
	{Name: "Type", Value: "Module"},
	{Name: "Content-Type", Value: "application/wasm"},
	{Name: "Input-Encoding", Value: "JSON-1"},
	{Name: "Output-Encoding", Value: "JSON-1"},
	{Name: "Memory-Limit", Value: "1-gb"},
	{Name: "Compute-Limit", Value: "9000000000000"},
}

// Import serves bytes under an id that was given elsewhere, without the signature that made it: a module under its public
// id, for local networks. Module tags that are not given are added; owner may be zero. Importing an id again replaces its
// bytes and tags; an id that is known with its signature keeps it, and the bytes must then be the same.
func (g *Gateway) Import(ctx context.Context, id message.ID, tags []Tag, data []byte, owner message.ID) error {
	if id.IsZero() {
		return fault.New(fault.Malformed, "import-id", "an import needs the id to serve the bytes under").WithHint("give the id that the bytes have elsewhere")
	}
	p, known, err := g.placeOf(id)
	if err != nil {
		return err
	}
	if known {
		old, err := g.load(ctx, p.seq)
		if err != nil {
			return err
		}
		if old.Source != Imported {
			return g.sameData(ctx, old, data)
		}
	}
	tags = slices.Clone(tags)
	for _, d := range moduleTags {
		if !slices.ContainsFunc(tags, func(t Tag) bool { return t.Name == d.Name }) {
			tags = append(tags, d)
		}
	}
	blob, size, err := g.c.Blobs.Put(ctx, bytes.NewReader(data))
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "import-write", "keeping %s", id)
	}
	r := row{kind: kindImported, id: id, body: imported{Owner: owner, Tags: storeTags(tags), Blob: blob, Size: size}.encode()}
	if !known {
		p = g.order.take(id, g.c.Clock.Now().UnixMilli(), g.blocks)
	}
	var b store.Batch
	write(&b, r, p, termsOf(nil, owner, message.ID{}, message.ID{}, tags))
	return fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "import-write", "keeping %s", id)
}

// placeOf gives the place of a visible record. Terms of its older rows may stay behind in the index: every answer is
// compared with the record.
func (g *Gateway) placeOf(id message.ID) (place, bool, error) {
	seq, known, err := g.order.find(g.c.Store, id)
	if err != nil || !known {
		return place{}, false, err
	}
	at, r, ok, err := g.rowFrom(seq)
	if err != nil || !ok || at != seq {
		return place{}, false, err
	}
	return place{seq, r.height, r.time}, true, nil
}

func (g *Gateway) sameData(ctx context.Context, rec *Record, data []byte) error {
	b, err := g.data(ctx, rec)
	if err != nil {
		return err
	}
	defer b.Close()
	have, err := readAll(b, b.Size(), "stored data")
	if err != nil {
		return err
	}
	if !bytes.Equal(have, data) {
		return fault.New(fault.Conflict, "import-differs", "%s is known here with its signature, and with other bytes", rec.ID).
			WithHint("import under another id, or leave the import out")
	}
	return nil
}
