package client

import (
	"context"
	"strconv"

	"ago/message"
	"ago/slotlog"
)

// checkpointsMax is how many checkpoints of a process are looked at.
const checkpointsMax = 50

// Checkpoints finds the memories of a process that these addresses have published, newest blocks first, at most 50.
func (n *Network) Checkpoints(ctx context.Context, process message.ID, owners []string, tags ...Tag) ([]Transaction, error) {
	filters := []map[string]any{}
	for _, t := range append([]Tag{{"Process", process.String()}, {"Type", "Checkpoint"}, {"Data-Protocol", protocol}}, tags...) {
		filters = append(filters, map[string]any{"name": t.Name, "values": []string{t.Value}})
	}
	return n.transactions(ctx, `query($owners:[String!]!,$tags:[TagFilter!],$limit:Int!){transactions(owners:$owners,tags:$tags,first:$limit,sort:HEIGHT_DESC)`+selection+`}`,
		map[string]any{"owners": owners, "tags": filters, "limit": checkpointsMax})
}

// AssignmentsMax is how many slots can be asked for at a time.
const AssignmentsMax = 50

// Assignments finds assignments of the slots from <= slot < to that these addresses have signed: none, one or more of each,
// in any order. The range is cut to AssignmentsMax.
func (n *Network) Assignments(ctx context.Context, process message.ID, owners []string, from, to slotlog.Slot) ([]Transaction, error) {
	var nonces []string
	for s := from; s < min(to, from+AssignmentsMax); s++ {
		nonces = append(nonces, strconv.FormatUint(uint64(s), 10))
	}
	tags := []map[string]any{
		{"name": "Process", "values": []string{process.String()}}, {"name": "Nonce", "values": nonces},
		{"name": "Type", "values": []string{"Assignment"}}, {"name": "Data-Protocol", "values": []string{protocol}},
	}
	return n.transactions(ctx, `query($owners:[String!]!,$tags:[TagFilter!]){transactions(owners:$owners,tags:$tags,first:100)`+selection+`}`,
		map[string]any{"owners": owners, "tags": tags})
}

// Transactions asks the gateway for up to 100 ids. They come in any order, and those it does not know are left out.
func (n *Network) Transactions(ctx context.Context, ids []message.ID) ([]Transaction, error) {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return n.transactions(ctx, `query($ids:[ID!]!){transactions(ids:$ids,first:100)`+selection+`}`, map[string]any{"ids": texts})
}

// Part gives a transaction as the message it is; data as it was asked for by its id.
func (t Transaction) Part() Part {
	p := Part{ID: t.ID, Owner: t.Owner, Tags: t.Tags, Signature: t.Signature, Target: t.Recipient}
	return p
}
