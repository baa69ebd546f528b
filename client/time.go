package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"ago/fault"
	"ago/message"
)

// Timestamp tells the present of a process's scheduler, in ms.
func (n *Network) Timestamp(ctx context.Context, process message.ID) (int64, error) {
	var answer struct {
		Timestamp json.RawMessage `json:"timestamp"` // text from some schedulers, a number from others
	}
	if err := n.get(ctx, "scheduler", n.SU, "/timestamp", url.Values{"process-id": {process.String()}}, &answer); err != nil {
		return 0, err
	}
	text := string(answer.Timestamp)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fault.New(fault.Unavailable, "answer-malformed", "the scheduler at %s told the time %.40q", n.SU, text)
	}
	return at, nil
}

// blocksPage is what gateways give at most at once.
const blocksPage = 90

// Blocks gives some blocks from a height on, lowest first and without their hashes; none if the gateway has none yet.
func (n *Network) Blocks(ctx context.Context, from uint64) ([]Block, error) {
	body, err := json.Marshal(map[string]any{
		"query":     `query($min:Int!,$first:Int!){blocks(height:{min:$min},first:$first,sort:HEIGHT_ASC){edges{node{height timestamp}}}}`,
		"variables": map[string]any{"min": from, "first": blocksPage},
	})
	if err != nil {
		return nil, err
	}
	b, err := n.do(ctx, request{unit: "gateway", base: n.Gateway, method: http.MethodPost, path: "/graphql", body: body, kind: "application/json"})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Errors []struct{ Message string }
		Data   struct {
			Blocks struct {
				Edges []struct {
					Node struct {
						Height    uint64
						Timestamp int64
					}
				}
			}
		}
	}
	if err := decode("gateway", b, &answer); err != nil {
		return nil, err
	}
	if len(answer.Errors) > 0 {
		return nil, fault.New(fault.Unavailable, "graphql-failed", "the gateway refused to list blocks: %.200s", answer.Errors[0].Message)
	}
	var out []Block
	for _, e := range answer.Data.Blocks.Edges {
		out = append(out, Block{Height: e.Node.Height, Timestamp: 1000 * e.Node.Timestamp})
	}
	return out, nil
}
