package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

const (
	protocol = "ao"
	variant  = "ao.TN.1"
)

// Message is what a client says; the tags of the protocol are added.
type Message struct {
	Process message.ID
	Tags    []ans104.Tag
	Data    []byte
	Anchor  []byte // nil or 32 bytes
}

// Spawn is a process to be made.
type Spawn struct {
	Module    message.ID
	Scheduler string // address; "" is that of the network
	Authority string // whose pushed messages the process trusts; "" is the messenger of the network
	Tags      []ans104.Tag
	Data      []byte
	Anchor    []byte // nil or 32 bytes; two spawns that are equal to the anchor are one process
}

// Identity is who a node signs as.
type Identity struct {
	Name      string `json:"name"` // "ago"
	Scheduler string `json:"scheduler"`
	Authority string `json:"authority"`
}

// Identity asks the node.
func (n *Network) Identity(ctx context.Context) (Identity, error) {
	var id Identity
	err := n.get(ctx, "node", n.Node, "/", nil, &id)
	return id, err
}

// Upload gives a signed item to the bundler.
func (n *Network) Upload(ctx context.Context, it *ans104.Item) error {
	_, err := n.do(ctx, request{unit: "bundler", base: n.Bundler, method: http.MethodPost, path: "/tx/arweave", body: it.Raw, kind: octets})
	return err
}

// UploadStatus asks the bundler what became of an item that it took: "CONFIRMED", "FINALIZED", "FAILED", "NOT_FOUND", or whatever
// else it calls what is still under way.
func (n *Network) UploadStatus(ctx context.Context, id message.ID) (string, error) {
	var a struct{ Status string }
	err := n.get(ctx, "bundler", n.Bundler, "/tx/"+id.String()+"/status", nil, &a)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return "NOT_FOUND", nil
	}
	return a.Status, err
}

const octets = "application/octet-stream"

// Publish signs and uploads data with its tags.
func (n *Network) Publish(ctx context.Context, key *commitment.Key, data []byte, tags []ans104.Tag) (message.ID, error) {
	it, err := ans104.Sign(ans104.Draft{Tags: tags, Data: data}, key)
	if err != nil {
		return message.ID{}, err
	}
	return it.ID(), n.Upload(ctx, it)
}

// Spawn signs and sends a Process item, and gives its id.
func (n *Network) Spawn(ctx context.Context, key *commitment.Key, s Spawn) (message.ID, error) {
	scheduler, authority := s.Scheduler, s.Authority
	if scheduler == "" || authority == "" {
		id, err := n.Identity(ctx)
		if err != nil {
			return message.ID{}, err
		}
		if scheduler == "" {
			scheduler = id.Scheduler
		}
		if authority == "" {
			authority = id.Authority
		}
	}
	tags := append([]ans104.Tag(nil), s.Tags...)
	tags = append(tags, ans104.Tag{Name: "Authority", Value: authority})
	if len(s.Data) == 0 {
		tags = append(tags, ans104.Tag{Name: "Content-Type", Value: "text/plain"})
	}
	tags = append(tags, ao("Process")...)
	tags = append(tags, ans104.Tag{Name: "Module", Value: s.Module.String()}, ans104.Tag{Name: "Scheduler", Value: scheduler})
	it, err := ans104.Sign(ans104.Draft{Anchor: s.Anchor, Tags: tags, Data: orSpace(s.Data)}, key)
	if err != nil {
		return message.ID{}, err
	}
	return it.ID(), n.Post(ctx, it)
}

// Send signs and sends a message, and gives its id. When it returns the message has its slot. It fails with "process-unknown"
// if the network has no such process; the message is kept there even so, since it may be for a wallet.
func (n *Network) Send(ctx context.Context, key *commitment.Key, m Message) (message.ID, error) {
	tags := append([]ans104.Tag(nil), m.Tags...)
	if len(m.Data) == 0 {
		tags = append(tags, ans104.Tag{Name: "Content-Type", Value: "text/plain"})
	}
	tags = append(tags, ao("Message")...)
	it, err := ans104.Sign(ans104.Draft{Target: m.Process, HasTarget: true, Anchor: m.Anchor, Tags: tags, Data: orSpace(m.Data)}, key)
	if err != nil {
		return message.ID{}, err
	}
	b, err := n.post(ctx, it)
	if err != nil {
		return it.ID(), err
	}
	var answer struct{ Code string }
	if json.Unmarshal(b, &answer) == nil && answer.Code == "process-unknown" { // messengers of other makes answer nothing of the kind
		return it.ID(), fault.New(fault.NotFound, answer.Code, "no process %s is on this network: the message %s is kept, and nobody evaluates it", m.Process, it.ID()).
			WithHint("is it the right network? `ago spawn` makes a process and prints its id")
	}
	return it.ID(), nil
}

// ao is the block of tags that makes an item one of the protocol. User tags come before it: whatever follows belongs to it.
func ao(kind string) []ans104.Tag {
	return []ans104.Tag{{Name: "Data-Protocol", Value: protocol}, {Name: "Variant", Value: variant}, {Name: "Type", Value: kind}}
}

// orSpace gives data the form clients send when there is none: gateways do not keep empty items.
func orSpace(data []byte) []byte {
	if len(data) == 0 {
		return []byte(" ")
	}
	return data
}

// Post gives a signed item to the messenger.
func (n *Network) Post(ctx context.Context, it *ans104.Item) error {
	_, err := n.post(ctx, it)
	return err
}

func (n *Network) post(ctx context.Context, it *ans104.Item) ([]byte, error) {
	return n.do(ctx, request{unit: "messenger", base: n.MU, method: http.MethodPost, path: "/", body: it.Raw, kind: octets})
}

// Result is what an evaluation gave.
type Result struct {
	Messages    []json.RawMessage
	Spawns      []json.RawMessage
	Assignments []json.RawMessage
	Output      json.RawMessage
	Error       json.RawMessage
	GasUsed     *json.Number
	JSON        json.RawMessage `json:"-"` // all of it, as it came
}

// Text is what a person wants to see of the output: the text the process printed or returned.
func (r Result) Text() string {
	shown := r.Output
	if r.Failed() {
		shown = r.Error
	}
	if text, ok := plainText(shown); ok {
		return text
	}
	return string(shown)
}

func plainText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", false
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, true
	}
	var fields struct{ Data, Output json.RawMessage }
	if json.Unmarshal(raw, &fields) != nil {
		return "", false
	}
	for _, inner := range []json.RawMessage{fields.Data, fields.Output} {
		if text, ok := plainText(inner); ok {
			return text, true
		}
	}
	return "", false
}

// Failed tells an evaluation that ended in an error and left the state as it was.
func (r Result) Failed() bool {
	switch string(r.Error) {
	case "", "null", "false", `""`, "0":
		return false
	}
	return true
}

// Result waits for the evaluation of a message.
func (n *Network) Result(ctx context.Context, process, id message.ID) (Result, error) {
	b, err := n.do(ctx, request{unit: "compute unit", base: n.CU, method: http.MethodGet, path: "/result/" + id.String(),
		query: url.Values{"process-id": {process.String()}, "no-busy": {"1"}}})
	if err != nil {
		return Result{}, err
	}
	return readResult(b)
}

// DryRun evaluates a message that nobody signs and nothing keeps. Owner is who it is from, "" is nobody.
func (n *Network) DryRun(ctx context.Context, m Message, owner string) (Result, error) {
	tags := append([]ans104.Tag(nil), m.Tags...)
	if owner == "" {
		owner = "1234"
	}
	body := map[string]any{
		"Id": "1234", "Target": m.Process.String(), "Owner": owner, "Anchor": "0", "Data": string(orSpace(m.Data)), "Tags": texts(append(tags, ao("Message")...)),
	}
	b, err := json.Marshal(body)
	if err != nil {
		return Result{}, fault.Wrap(err, fault.Malformed, "dry-run-malformed", "the message is no JSON")
	}
	b, err = n.do(ctx, request{unit: "compute unit", base: n.CU, method: http.MethodPost, path: "/dry-run",
		query: url.Values{"process-id": {m.Process.String()}}, body: b, kind: "application/json"})
	if err != nil {
		return Result{}, err
	}
	return readResult(b)
}

func texts(tags []ans104.Tag) []Tag {
	out := make([]Tag, len(tags))
	for i, t := range tags {
		out[i] = Tag{t.Name, t.Value}
	}
	return out
}

func readResult(b []byte) (Result, error) {
	var r Result
	if err := decode("compute unit", b, &r); err != nil {
		return r, err
	}
	r.JSON = b
	return r, nil
}

// Trace gives the whole chain that a message belongs to, as the node tells it.
func (n *Network) Trace(ctx context.Context, id message.ID) (json.RawMessage, error) {
	var out json.RawMessage
	err := n.get(ctx, "node", n.Node, "/trace/"+id.String(), nil, &out)
	return out, err
}
