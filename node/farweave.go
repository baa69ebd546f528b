package node

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"

	"ago/client"
	"ago/drive"
	"ago/fault"
	"ago/gateway"
	"ago/message"
	"ago/slotlog/local"
	"ago/store"
)

// farWeave is another network's gateway as processes read it. What is said to be in a block is taken on its word; data and
// records are fetched through a gateway of our own, which checks them against their ids and keeps them.
type farWeave struct {
	kept    weave
	network *client.Network
}

// newFarWeave keeps what it fetches in the unit's own store.
func newFarWeave(n *client.Network, s store.Store, b store.Blobs) (farWeave, error) {
	g, err := gateway.Open(gateway.Config{Store: s, Blobs: b, Items: local.New(s, b), Upstream: []string{n.Gateway}})
	return farWeave{weave{g: g}, n}, err
}

func (f farWeave) Height(ctx context.Context) (uint64, error) { return f.network.Height(ctx) }

func (f farWeave) Attested(ctx context.Context, owners []string, tags []Tag, max uint64) (bool, error) {
	wanted := make([]client.Tag, len(tags))
	for i, t := range tags {
		wanted[i] = client.Tag{Name: t.Name, Value: t.Value}
	}
	return f.network.Attested(ctx, owners, wanted, max)
}

func (f farWeave) Data(ctx context.Context, id message.ID) (drive.File, error) {
	return f.kept.Data(ctx, id)
}

func (f farWeave) Transaction(ctx context.Context, id message.ID) ([]byte, uint64, error) {
	_, height, err := f.network.Record(ctx, id)
	if err != nil || height == 0 {
		return nil, 0, err
	}
	text, _, err := f.kept.Transaction(ctx, id)
	return text, height, notGiven(id, height, err)
}

// Item gives the other gateway's own words, since they hold more than is signed, if what is signed is in them.
func (f farWeave) Item(ctx context.Context, id message.ID) ([]byte, uint64, error) {
	text, height, err := f.network.Record(ctx, id)
	if err != nil || height == 0 {
		return nil, 0, err
	}
	own, _, err := f.kept.Item(ctx, id)
	if err != nil {
		return nil, 0, notGiven(id, height, err)
	}
	var told, checked signedPart
	if err := errors.Join(json.Unmarshal(text, &told), json.Unmarshal(own, &checked)); err != nil {
		return nil, 0, fault.Wrap(err, fault.Unavailable, "answer-malformed", "the record of %s", id)
	}
	if !reflect.DeepEqual(told, checked) {
		return nil, 0, fault.New(fault.Unavailable, "record-forged", "the gateway's record of %s is not what was signed", id)
	}
	return text, height, nil
}

// signedPart is what a record tells of a signed item.
type signedPart struct {
	ID, Anchor, Signature, Recipient string
	Owner                            struct{ Address, Key string }
	Data                             struct{ Size string }
	Tags                             []client.Tag
}

// notGiven is the error of a record that is in a block and cannot be had: it is not decided that it does not exist.
func notGiven(id message.ID, height uint64, err error) error {
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "record-unavailable", "%s is in block %d, and the gateway does not give it", id, height)
}

func (f farWeave) Block(ctx context.Context, height uint64) ([]byte, error) {
	text, err := f.network.BlockJSON(ctx, height)
	if err != nil {
		return nil, err
	}
	var b struct{ Height *uint64 }
	if err := json.Unmarshal(text, &b); err != nil || b.Height == nil || *b.Height != height {
		return nil, fault.New(fault.Unavailable, "answer-malformed", "the gateway answered another block than %d", height)
	}
	return text, nil
}

var _ drive.Archive = farWeave{}
