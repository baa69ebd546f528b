package client

import (
	"context"

	"ago/message"
)

// Processes finds the processes of an owner, newest first: those with the name, or with "" all. At most 100 are told.
func (n *Network) Processes(ctx context.Context, owner message.ID, name string) ([]Transaction, error) {
	tags := []map[string]any{{"name": "Data-Protocol", "values": []string{protocol}}, {"name": "Type", "values": []string{"Process"}}}
	if name != "" {
		tags = append(tags, map[string]any{"name": "Name", "values": []string{name}})
	}
	return n.transactions(ctx, `query($owners:[String!]!,$tags:[TagFilter!]){transactions(owners:$owners,tags:$tags,first:100,sort:HEIGHT_DESC)`+selection+`}`,
		map[string]any{"owners": []string{owner.String()}, "tags": tags})
}

// Tag gives the first tag of the name, "" if there is none.
func (t Transaction) Tag(name string) string { return first(t.Tags, name) }
