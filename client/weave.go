package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"ago/fault"
	"ago/message"
)

// Height asks the gateway for the height of the newest block it knows.
func (n *Network) Height(ctx context.Context) (uint64, error) {
	var info struct{ Height *uint64 }
	if err := n.get(ctx, "gateway", n.Gateway, "/info", nil, &info); err != nil {
		return 0, err
	}
	if info.Height == nil {
		return 0, fault.New(fault.Unavailable, "answer-malformed", "the gateway does not tell the height of the chain")
	}
	return *info.Height, nil
}

// Attested asks the gateway whether one of the owners has an item with all of the tags in a block up to a height.
func (n *Network) Attested(ctx context.Context, owners []string, tags []Tag, max uint64) (bool, error) {
	filters := []map[string]any{}
	for _, t := range tags {
		filters = append(filters, map[string]any{"name": t.Name, "values": []string{t.Value}})
	}
	found, err := n.transactions(ctx, `query($owners:[String!]!,$tags:[TagFilter!],$max:Int){transactions(owners:$owners,tags:$tags,block:{min:0,max:$max},first:1)`+selection+`}`,
		map[string]any{"owners": owners, "tags": filters, "max": max})
	return len(found) > 0, err
}

// RecordQuery asks for the record of one id of the list $ids in the form in which processes read it.
const RecordQuery = `query($ids:[ID!]!){transactions(ids:$ids){edges{node{id anchor data{size} signature recipient owner{address key} ` +
	`fee{ar winston} quantity{winston ar} tags{name value} bundledIn{id} block{id timestamp height previous}}}}}`

// Record asks the gateway for the record of an id, with the height of its block, 0 if it is in none yet. It fails with NotFound.
func (n *Network) Record(ctx context.Context, id message.ID) (text json.RawMessage, height uint64, err error) {
	body, err := json.Marshal(map[string]any{"query": RecordQuery, "variables": map[string]any{"ids": []string{id.String()}}})
	if err != nil {
		return nil, 0, err
	}
	b, err := n.do(ctx, request{unit: "gateway", base: n.Gateway, method: http.MethodPost, path: "/graphql", body: body, kind: "application/json"})
	if err != nil {
		return nil, 0, err
	}
	return ReadRecord(b, id)
}

// ReadRecord takes the record of an id out of the answer to RecordQuery.
func ReadRecord(answer []byte, id message.ID) (text json.RawMessage, height uint64, err error) {
	var a struct {
		Errors []struct{ Message string }
		Data   struct {
			Transactions struct {
				Edges []struct{ Node json.RawMessage }
			}
		}
	}
	if err := decode("gateway", answer, &a); err != nil {
		return nil, 0, err
	}
	if len(a.Errors) > 0 {
		return nil, 0, fault.New(fault.Unavailable, "graphql-failed", "the gateway refused the query for %s: %.200s", id, a.Errors[0].Message)
	}
	if len(a.Data.Transactions.Edges) == 0 {
		return nil, 0, fault.New(fault.NotFound, "id-unknown", "the gateway does not know %s", id)
	}
	text = a.Data.Transactions.Edges[0].Node
	var node struct {
		ID    string
		Block *struct{ Height uint64 }
	}
	if err := decode("gateway", text, &node); err != nil {
		return nil, 0, err
	}
	if node.ID != id.String() {
		return nil, 0, fault.New(fault.Unavailable, "answer-malformed", "the gateway answered with the record of %.60q instead of that of %s", node.ID, id)
	}
	if node.Block != nil {
		height = node.Block.Height
	}
	return text, height, nil
}

// BlockJSON asks the gateway for a block by its height.
func (n *Network) BlockJSON(ctx context.Context, height uint64) (json.RawMessage, error) {
	var text json.RawMessage
	err := n.get(ctx, "gateway", n.Gateway, "/block/height/"+strconv.FormatUint(height, 10), nil, &text)
	return text, err
}
