package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
)

// Block is one of the chain.
type Block struct {
	Height    uint64
	Hash      message.ID // the first 32 bytes of the chain's own, which is longer on Arweave
	Timestamp int64      // ms
}

// Block asks the gateway for the newest block.
func (n *Network) Block(ctx context.Context) (Block, error) {
	var b struct {
		Height    json.Number `json:"height"`
		Timestamp json.Number `json:"timestamp"` // seconds
		Hash      string      `json:"indep_hash"`
	}
	if err := n.get(ctx, "gateway", n.Gateway, "/block/current", nil, &b); err != nil {
		return Block{}, err
	}
	height, err := b.Height.Int64()
	seconds, err2 := b.Timestamp.Int64()
	if err != nil || err2 != nil || height < 0 || seconds < 0 || seconds > 1<<40 {
		return Block{}, fault.New(fault.Unavailable, "block-malformed", "the gateway at %s tells no block: height %q, timestamp %q", n.Gateway, b.Height, b.Timestamp)
	}
	out := Block{Height: uint64(height), Timestamp: seconds * 1000}
	if hash, err := base64.RawURLEncoding.DecodeString(b.Hash); err == nil {
		copy(out.Hash[:], hash)
	}
	return out, nil
}

// Scheduled is what a scheduler answers to a message.
type Scheduled struct {
	ID        string
	Timestamp int64
}

// Schedule gives a signed item to the scheduler, following it to another one if it says so. A scheduler that has the item
// already may refuse it: Repeated tells such a refusal.
func (n *Network) Schedule(ctx context.Context, it *ans104.Item) (Scheduled, error) {
	b, err := n.do(ctx, request{unit: "scheduler", base: n.SU, method: http.MethodPost, path: "/", body: it.Raw, kind: octets})
	if err != nil {
		return Scheduled{}, err
	}
	return readScheduled(b)
}

// Assign has the scheduler give a message that exists already a slot in a process. The answer's ID is that of the assignment.
func (n *Network) Assign(ctx context.Context, process, id message.ID, baseLayer bool, exclude []string) (Scheduled, error) {
	q := url.Values{"process-id": {process.String()}, "assign": {id.String()}}
	if baseLayer {
		q.Set("base-layer", "")
	}
	if len(exclude) > 0 {
		q.Set("exclude", strings.Join(exclude, ","))
	}
	b, err := n.do(ctx, request{unit: "scheduler", base: n.SU, method: http.MethodPost, path: "/", query: q})
	if err != nil {
		return Scheduled{}, err
	}
	return readScheduled(b)
}

// Repeated tells the refusal of a scheduler that has the message already.
func Repeated(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "already exists")
}

func readScheduled(b []byte) (Scheduled, error) {
	var s struct {
		ID        string      `json:"id"`
		Timestamp json.Number `json:"timestamp"`
	}
	if err := decode("scheduler", b, &s); err != nil {
		return Scheduled{}, err
	}
	ms, err := s.Timestamp.Int64()
	if err != nil || s.ID == "" {
		return Scheduled{}, fault.New(fault.Unavailable, "answer-malformed", "the scheduler answered without an id or a timestamp")
	}
	return Scheduled{ID: s.ID, Timestamp: ms}, nil
}
