package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// Source says what a record is.
type Source string

const (
	Item        Source = "item"        // a signed data item
	Transaction Source = "transaction" // a transaction of the chain
	Imported    Source = "imported"    // bytes served under an id without a signature, on local networks
)

// Record is what the gateway knows of an id. It must not be changed.
type Record struct {
	ID        message.ID
	Source    Source
	KeyType   commitment.KeyType // 0 if imported
	Owner     []byte             // public key; nil if imported
	Address   message.ID         // of the owner
	Target    message.ID
	HasTarget bool
	Anchor    []byte
	Tags      []Tag
	Signature []byte // nil if imported
	Quantity  string // winston
	Fee       string // winston
	DataSize  int64
	Parent    message.ID // the bundle it came in; zero if it came alone
	Arrived   int64      // ms
	Block     *Block     // nil while no block came since it arrived
	Remote    bool       // another gateway told it

	blockID string     // of a remote block, whose hash is longer than ours
	blob    message.ID // of imported data
	raw     []byte     // of an item, if it was read as a whole
	tx      *arweave.Transaction
}

// Tag gives the first value of a tag.
func (r *Record) Tag(name string) (string, bool) {
	for _, t := range r.Tags {
		if t.Name == name {
			return t.Value, true
		}
	}
	return "", false
}

// ContentType is the type the owner gave the data, or "".
func (r *Record) ContentType() string {
	v, _ := r.Tag("Content-Type")
	return v
}

// BlockID is the text of the record's block; "" while it has none.
func (r *Record) BlockID() string {
	switch {
	case r.blockID != "":
		return r.blockID
	case r.Block == nil:
		return ""
	}
	return r.Block.Hash.String()
}

func unknown(id message.ID) error {
	return fault.New(fault.NotFound, "record-unknown", "nothing is known here under %s", id).
		WithHint("check the id; a record of another network is found only if the node has gateways to ask")
}

// Record gives what is known of an id, here or at the other gateways. It fails with NotFound.
func (g *Gateway) Record(ctx context.Context, id message.ID) (*Record, error) {
	seq, ok, err := g.order.find(g.c.Store, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return g.remote(ctx, id)
	}
	return g.load(ctx, seq)
}

// Holds tells whether something is here under an id, as opposed to at the other gateways.
func (g *Gateway) Holds(id message.ID) (bool, error) {
	_, ok, err := g.order.find(g.c.Store, id)
	return ok, err
}

// load reads the record at a seq.
func (g *Gateway) load(ctx context.Context, seq uint64) (*Record, error) {
	v, err := g.c.Store.Get(numberKey(subSeq, seq))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "index-read", "reading record %d", seq)
	}
	r, err := decodeRow(v)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "index-damaged", "reading record %d", seq)
	}
	rec, err := g.fromRow(ctx, r)
	if err != nil {
		return nil, err
	}
	if blk, ok := g.blocks.At(r.height + 1); ok {
		rec.Block = &blk
	}
	return rec, nil
}

// fromRow gives the record of a row, without its block.
func (g *Gateway) fromRow(ctx context.Context, r row) (*Record, error) {
	rec := &Record{ID: r.id, Parent: r.parent, Arrived: r.time, Quantity: "0", Fee: "0"}
	switch r.kind {
	case kindItem:
		raw, err := g.c.Items.Item(ctx, r.id)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "item-missing", "reading the bytes of %s", r.id)
		}
		rec.raw = raw
		return rec, rec.setItem(raw, -1)
	case kindLargeItem:
		size, header, err := decodeLargeItemBody(r.body)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "index-damaged", "reading %s", r.id)
		}
		return rec, rec.setItem(header, size)
	case kindTransaction:
		tx, err := arweave.ParseTransaction(r.body)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "index-damaged", "reading %s", r.id)
		}
		rec.setTransaction(tx)
		return rec, nil
	case kindImported:
		var im imported
		if err := json.Unmarshal(r.body, &im); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "index-damaged", "reading %s", r.id)
		}
		rec.Source, rec.Address, rec.Tags = Imported, im.Owner, loadTags(im.Tags)
		rec.DataSize, rec.blob = im.Size, im.Blob
		return rec, nil
	}
	return nil, fault.Wrap(errRow, fault.Internal, "index-damaged", "reading %s", r.id)
}

// setItem takes the fields of an item from its bytes, or from those before its data if size is not negative.
func (r *Record) setItem(raw []byte, size int64) error {
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "item-damaged", "reading the stored bytes of %s", r.ID)
	}
	if size < 0 {
		size = int64(len(it.Data))
	}
	r.Source, r.KeyType, r.Owner, r.Address = Item, it.Type, it.Owner, it.Address()
	r.Target, r.HasTarget, r.Anchor = it.Target, it.HasTarget, it.Anchor
	r.Tags, r.Signature, r.DataSize = it.Tags, it.Signature, size
	return nil
}

// setTransaction takes the fields of a transaction, whose data is elsewhere.
func (r *Record) setTransaction(tx *arweave.Transaction) {
	r.Source, r.KeyType, r.Owner, r.Address = Transaction, commitment.RSA, tx.Owner, commitment.AddressOf(tx.Owner)
	r.Target, r.HasTarget, r.Anchor = tx.Target, tx.HasTarget, tx.LastTx
	r.Tags, r.Signature, r.DataSize = tx.Tags, tx.Signature, tx.DataSize
	r.Quantity, r.Fee, r.tx = tx.Quantity, tx.Reward, tx
}

// ItemBytes gives the signed bytes of a data item. It fails with NotFound, and with Unsupported for a record that is none.
func (g *Gateway) ItemBytes(ctx context.Context, id message.ID) ([]byte, error) {
	rec, err := g.Record(ctx, id)
	if err != nil {
		return nil, err
	}
	if rec.Source != Item {
		return nil, fault.New(fault.Unsupported, "not-an-item", "%s is no data item: %s", id, rec.Source).WithHint("GET /tx/%s answers its fields", id)
	}
	if rec.raw != nil {
		return rec.raw, nil
	}
	raw, err := g.c.Items.Item(ctx, id)
	return raw, fault.Wrap(err, fault.Internal, "item-missing", "reading the bytes of %s", id)
}

// Data opens the data of an id. The reader closes it. It fails with NotFound, and with Unfinished while chunks are missing.
func (g *Gateway) Data(ctx context.Context, id message.ID) (store.Blob, *Record, error) {
	rec, err := g.Record(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	b, err := g.data(ctx, rec)
	if err != nil {
		return nil, nil, err
	}
	return b, rec, nil
}

// itemOpener is a keeper of items that can open a large one without reading it. With one that cannot, every range of the data
// costs reading all of it.
type itemOpener interface {
	OpenItem(ctx context.Context, id message.ID) (store.Blob, error)
}

func (g *Gateway) data(ctx context.Context, rec *Record) (store.Blob, error) {
	switch {
	case rec.DataSize == 0:
		return inMemory(nil), nil
	case rec.Source == Imported:
		b, err := g.c.Blobs.Open(rec.blob)
		return b, fault.Wrap(err, fault.Internal, "blob-missing", "reading the data of %s", rec.ID)
	case rec.Source == Transaction:
		return g.transactionData(ctx, rec)
	case rec.raw != nil:
		return inMemory(rec.raw[int64(len(rec.raw))-rec.DataSize:]), nil
	}
	if o, ok := g.c.Items.(itemOpener); ok {
		b, err := o.OpenItem(ctx, rec.ID)
		if err == nil {
			skip := b.Size() - rec.DataSize
			if skip < 0 {
				return nil, errors.Join(fault.New(fault.Internal, "item-damaged", "%s has %d bytes, fewer than its data", rec.ID, b.Size()).
					WithHint("check the disk and restore the data folder from a copy"), b.Close())
			}
			return section{io.NewSectionReader(b, skip, rec.DataSize), b}, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, fault.Wrap(err, fault.Unavailable, "item-missing", "reading the bytes of %s", rec.ID)
		}
	}
	raw, err := g.c.Items.Item(ctx, rec.ID)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "item-missing", "reading the bytes of %s", rec.ID)
	}
	return inMemory(raw[int64(len(raw))-rec.DataSize:]), nil
}

// held is a blob of bytes at hand.
type held struct{ *bytes.Reader }

func inMemory(b []byte) store.Blob { return held{bytes.NewReader(b)} }

func (held) Close() error { return nil }

// section is a part of a blob.
type section struct {
	*io.SectionReader
	of io.Closer
}

func (s section) Close() error { return s.of.Close() }
