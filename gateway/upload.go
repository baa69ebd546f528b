package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// Bounds of what a bundle may bring in. A bundle is opened as far as they reach; what is beyond stays inside it, unfound by
// itself, and its own record is not affected.
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
	if err := g.keep(ctx, it); err != nil {
		return Receipt{}, err
	}
	return g.receipt(it.ID())
}

// keep stores an item with what is bundled in it.
func (g *Gateway) keep(ctx context.Context, it *ans104.Item) error {
	known, err := g.Known(it.ID())
	if err != nil || known {
		return err
	}
	var b store.Batch
	if err := g.put(ctx, &b, it, message.ID{}); err != nil {
		return err
	}
	if ans104.IsBundle(it.Tags) {
		if err := g.unbundle(ctx, &b, it.ID(), it.Data); err != nil {
			return err
		}
	}
	return fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "upload-write", "keeping %s", it.ID())
}

// put adds an item's bytes and rows to a batch.
func (g *Gateway) put(ctx context.Context, b *store.Batch, it *ans104.Item, parent message.ID) error {
	if err := g.c.Items.PutItem(ctx, b, it.ID(), it.Raw); err != nil {
		return fault.Wrap(err, fault.Unavailable, "upload-write", "keeping %s", it.ID())
	}
	return g.Index(b, it, parent)
}

// unbundle keeps the items of a bundle that verify, and those of bundles in it. What cannot be read is logged and left where
// it is: the bundle as such was accepted, and is served either way.
func (g *Gateway) unbundle(ctx context.Context, b *store.Batch, bundle message.ID, data []byte) error {
	left := bundleItemsMax
	for p, err := range ans104.Walk(data, ans104.Limits{Items: bundleItemsMax, Depth: bundleDepthMax}) {
		if err != nil {
			g.log.Warn("a bundle is not opened", "bundle", bundle, "err", err)
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fault.Wrap(err, fault.Unavailable, "upload-stopped", "opening the bundle %s", bundle)
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
		if b.Len() > batchChangesMax {
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
