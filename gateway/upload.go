package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// Bounds of what a bundle may bring in. An upload beyond them is refused. A transaction's bundle is opened as far as they
// reach: it is part of the chain either way, and what is beyond stays inside it, unfound by itself.
const (
	bundleDepthMax  = 8       // bundles in bundles
	bundleItemsMax  = 100_000 // items of one upload, on all levels
	batchChangesMax = 16_000  // changes written at once: about a thousand items with their rows
)

// Receipt is what a bundler answers for an item it keeps. Times are ms.
type Receipt struct {
	ID                  message.ID `json:"id"`
	Timestamp           int64      `json:"timestamp"`
	Winc                string     `json:"winc"`
	Version             string     `json:"version"`
	DeadlineHeight      uint64     `json:"deadlineHeight"`
	DataCaches          []string   `json:"dataCaches"`
	FastFinalityIndexes []string   `json:"fastFinalityIndexes"`
	Public              string     `json:"public"`
	Signature           string     `json:"signature"`
	Owner               string     `json:"owner"`
}

const (
	receiptVersion = "0.2.0"
	// deadlineBlocks is in how many blocks the item is promised to be part of the chain: it is with the next one.
	deadlineBlocks = 200
)

// Upload keeps a data item that was verified, with what is bundled in it, and gives a receipt once it is on disk. Uploading
// an item again is no error.
func (g *Gateway) Upload(ctx context.Context, v commitment.Verified) (Receipt, error) {
	it, ok := ans104.ItemOf(v.Message())
	if !ok {
		return Receipt{}, fault.New(fault.Unsupported, "not-an-item", "only data items can be uploaded").
			WithHint("sign the message as an ANS-104 data item")
	}
	if ans104.IsBundle(it.Tags) {
		if err := openable(it.Data); err != nil {
			return Receipt{}, err
		}
	}
	if err := g.keep(ctx, it); err != nil {
		return Receipt{}, err
	}
	return g.receipt(it.ID())
}

// openable refuses a bundle that would not be opened whole, before anything of it is kept.
func openable(data []byte) error {
	items := 0
	for p, err := range ans104.Walk(data, ans104.Limits{Items: bundleItemsMax, Depth: bundleDepthMax}) {
		if err != nil {
			return fault.Wrap(err, fault.Malformed, "bundle-malformed", "the item says that it is a bundle").(*fault.Error).
				WithHint("bundle the items again, or leave out the tag Bundle-Format")
		}
		if items++; items > bundleItemsMax {
			return fault.New(fault.TooLarge, "bundle-too-large", "the bundle holds more than %d items", bundleItemsMax).
				WithHint("upload it in parts")
		}
		if p.Depth >= bundleDepthMax && ans104.IsBundle(p.Item.Tags) {
			return fault.New(fault.TooLarge, "bundle-too-deep", "the bundle holds bundles more than %d deep", bundleDepthMax).
				WithHint("upload the inner bundle by itself")
		}
	}
	return nil
}

// keep stores an item with what is bundled in it.
func (g *Gateway) keep(ctx context.Context, it *ans104.Item) error {
	ctx = context.WithoutCancel(ctx) // half of it would be of no use to anybody
	own := func(b *store.Batch) error {
		known, err := g.Known(it.ID())
		if err != nil || known {
			return err
		}
		return g.put(ctx, b, it, message.ID{})
	}
	if ans104.IsBundle(it.Tags) {
		return g.unbundle(ctx, it.ID(), it.Data, own)
	}
	var b store.Batch
	if err := own(&b); err != nil {
		return err
	}
	if b.Len() == 0 {
		return g.confirm(it.ID())
	}
	return fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "upload-write", "keeping %s", it.ID())
}

// confirm waits until a visible record is on disk: it may have become visible by a batch that is still on its way. Any
// synced write does that; this one changes nothing.
func (g *Gateway) confirm(id message.ID) error {
	seq, known, err := g.order.find(g.c.Store, id)
	if err != nil || !known {
		return err
	}
	var b store.Batch
	b.Set(binary.BigEndian.AppendUint64(idKey(subID, id), seq), nil)
	return fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "upload-write", "keeping %s", id)
}

// put adds an item's bytes and rows to a batch.
func (g *Gateway) put(ctx context.Context, b *store.Batch, it *ans104.Item, parent message.ID) error {
	if err := g.c.Items.PutItem(ctx, b, it.ID(), it.Raw); err != nil {
		return fault.Wrap(err, fault.Unavailable, "upload-write", "keeping %s", it.ID())
	}
	return g.Index(b, it, parent)
}

// opened tells whether a bundle was opened to its end.
func (g *Gateway) opened(bundle message.ID) (bool, error) {
	_, err := g.c.Store.Get(idKey(subOpened, bundle))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, fault.Wrap(err, fault.Unavailable, "index-read", "looking up the bundle %s", bundle)
}

// unbundle keeps the items of a bundle that verify, and those of bundles in it. What cannot be read is logged and left where
// it is: the bundle as such was accepted, and is served either way.
//
// A large bundle takes several batches, and the node may end between two of them. The last one is synced; it has what own
// adds, the bundle's own record, and the note that all of it is here. Without the note a repeat does what is missing.
func (g *Gateway) unbundle(ctx context.Context, bundle message.ID, data []byte, own func(*store.Batch) error) error {
	lock := &g.opening[bundle[0]%byte(len(g.opening))] // a client that repeats itself waits for its first request
	lock.Lock()
	defer lock.Unlock()
	var b store.Batch
	done, err := g.opened(bundle)
	if err == nil && !done {
		err = g.walk(ctx, &b, bundle, data)
	}
	if err == nil {
		err = own(&b)
	}
	if err != nil {
		return err
	}
	b.Set(idKey(subOpened, bundle), nil)
	return fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "upload-write", "keeping the bundle %s", bundle)
}

// walk adds what is in a bundle to a batch, and writes the batch whenever it is full.
func (g *Gateway) walk(ctx context.Context, b *store.Batch, bundle message.ID, data []byte) error {
	left := bundleItemsMax
	for p, err := range ans104.Walk(data, ans104.Limits{Items: bundleItemsMax, Depth: bundleDepthMax}) {
		if err != nil {
			g.log.Warn("a bundle is not opened", "bundle", bundle, "err", err)
			return nil
		}
		if left--; left < 0 {
			g.log.Warn("a bundle is opened in part: it has too many items", "bundle", bundle, "max", bundleItemsMax)
			return nil
		}
		id, parent := p.Item.ID(), p.Parent
		if parent.IsZero() {
			parent = bundle
		}
		if known, err := g.Known(id); err != nil {
			return err
		} else if known {
			continue
		}
		if err := p.Item.Verify(); err != nil {
			g.log.Warn("a bundled item does not verify", "bundle", parent, "item", id, "err", err)
			continue
		}
		if err := g.put(ctx, b, p.Item, parent); err != nil {
			return err
		}
		if b.Len() > g.batch {
			if err := g.c.Store.Apply(b, false); err != nil {
				return fault.Wrap(err, fault.Unavailable, "upload-write", "keeping the bundle %s", bundle)
			}
			*b = store.Batch{}
		}
	}
	return nil
}

// receipt signs that an item is kept, over the list that bundlers sign.
func (g *Gateway) receipt(id message.ID) (Receipt, error) {
	r := Receipt{
		ID: id, Timestamp: g.c.Clock.Now().UnixMilli(), Winc: "0", Version: receiptVersion,
		DeadlineHeight: g.blocks.Height() + deadlineBlocks, DataCaches: []string{}, FastFinalityIndexes: []string{},
	}
	if g.c.Key == nil {
		return r, nil
	}
	hash := arweave.DeepHashBlobs([]byte("Bundlr"), []byte(r.Version), []byte(id.String()),
		strconv.AppendUint(nil, r.DeadlineHeight, 10), strconv.AppendInt(nil, r.Timestamp, 10))
	salt := sha256.Sum256(hash[:])
	sig, err := g.c.Key.SignDeterministic(hash[:], salt[:])
	if err != nil {
		return r, fault.Wrap(err, fault.Internal, "receipt-unsigned", "signing the receipt of %s", id)
	}
	r.Public = base64.RawURLEncoding.EncodeToString(g.c.Key.Owner())
	r.Signature = base64.RawURLEncoding.EncodeToString(sig)
	r.Owner = g.c.Key.Address().String()
	return r, nil
}
