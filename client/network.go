// Package client talks to any ao network over HTTP: publish, spawn, send, read, trace.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ago/fault"
	"ago/message"
)

// Network is the addresses of the units. A call fails with "address-missing" if the one it needs is empty.
type Network struct {
	Gateway string   // data by id, GraphQL
	Bundler string   // uploads
	MU      string   // messages in
	SU      string   // order of messages
	CU      string   // results
	Node    string   // traces; only an ago node has it
	GraphQL []string // whole addresses, asked in order until one answers; none: /graphql of Gateway
	Page    int      // messages asked from a scheduler at once; 0: PageSize
	Anchors bool     // ask schedulers for the anchors of assignments too, which their signatures cover
	HTTP    *http.Client
}

// At gives the network that one ago node serves under one address.
func At(node string) *Network {
	node = strings.TrimRight(node, "/")
	return &Network{Gateway: node + "/gateway", Bundler: node + "/bundler", MU: node + "/mu", SU: node + "/su", CU: node + "/cu", Node: node}
}

const (
	answerMax = 64 << 20 // larger answers are pages that should have been smaller
	dataMax   = 1 << 30  // a module or an item's data
)

// request is one HTTP call.
type request struct {
	unit, base string // name and address, for the errors
	method     string
	path       string
	query      url.Values
	body       []byte
	kind       string // content type of the body
	max        int64
}

// do answers the body of a successful call. Faults keep what the other side said.
func (n *Network) do(ctx context.Context, q request) ([]byte, error) {
	if q.base == "" {
		return nil, fault.New(fault.Malformed, "address-missing", "the address of the %s is not known", q.unit).
			WithHint("name the node or the address of the unit")
	}
	address := strings.TrimRight(q.base, "/") + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	var body io.Reader
	if q.body != nil {
		body = bytes.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "address-malformed", "the address of the %s", q.unit)
	}
	r.Header.Set("Accept", "application/json")
	if q.kind != "" {
		r.Header.Set("Content-Type", q.kind)
	}
	c := n.HTTP
	if c == nil {
		c = plain
	}
	answer, err := c.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f := fault.Wrap(err, fault.Unavailable, "unit-unreachable", "the %s at %s does not answer", q.unit, q.base)
		return nil, f.(*fault.Error).WithHint("is it running? `ago dev` starts a network on this machine")
	}
	defer answer.Body.Close()
	max := q.max
	if max == 0 {
		max = answerMax
	}
	got, err := io.ReadAll(io.LimitReader(answer.Body, max+1))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "answer-broken", "the answer of the %s ended early", q.unit)
	}
	if int64(len(got)) > max {
		return nil, fault.New(fault.TooLarge, "answer-too-large", "the answer of the %s is larger than %d bytes", q.unit, max)
	}
	if answer.StatusCode/100 != 2 {
		return nil, refused(q.unit, answer.StatusCode, got)
	}
	return got, nil
}

// plain has no time limit of its own, since a result may take as long as its evaluation; the context has one.
var plain = &http.Client{Transport: &http.Transport{
	MaxIdleConnsPerHost: 32,
	IdleConnTimeout:     time.Minute,
	DisableCompression:  true, // units are near, and their pages are mostly signatures
}}

// refused reads the error form of an answer; other units send text.
func refused(unit string, status int, body []byte) error {
	var e struct{ Error, Code, Hint string }
	if json.Unmarshal(body, &e) != nil || e.Error == "" {
		e.Error = strings.TrimSpace(string(body[:min(len(body), 300)]))
	}
	if e.Code == "" {
		e.Code = "unit-refused"
	}
	f := fault.New(kindOf(status), e.Code, "the %s answered %d: %s", unit, status, e.Error)
	f.Hint = e.Hint
	return f
}

// kindOf is the kind of fault that a status stands for.
func kindOf(status int) fault.Kind {
	for k := fault.Internal; k <= fault.Unavailable; k++ {
		if k.Status() == status {
			return k
		}
	}
	return fault.Internal
}

func (n *Network) get(ctx context.Context, unit, base, path string, query url.Values, into any) error {
	b, err := n.do(ctx, request{unit: unit, base: base, method: http.MethodGet, path: path, query: query})
	if err != nil {
		return err
	}
	return decode(unit, b, into)
}

func decode(unit string, b []byte, into any) error {
	if raw, ok := into.(*json.RawMessage); ok && json.Valid(b) {
		*raw = b
		return nil
	}
	if text := bytes.TrimSpace(b); len(text) > 0 && text[0] == '<' {
		return fault.New(fault.Unavailable, "answer-malformed", "the %s answered a page (HTML), not JSON", unit).
			WithHint("the address is probably not that of a %s", unit)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fault.Wrap(err, fault.Unavailable, "answer-malformed", "the %s answered what is not the expected JSON", unit)
	}
	return nil
}

// Data gives the bytes of an id.
func (n *Network) Data(ctx context.Context, id message.ID) ([]byte, error) {
	return n.do(ctx, request{unit: "gateway", base: n.Gateway, method: http.MethodGet, path: "/raw/" + id.String(), max: dataMax})
}

// Transaction is what GraphQL tells of an id.
type Transaction struct {
	ID        string
	Anchor    string
	Signature string
	Recipient string
	Owner     struct{ Address, Key string }
	Tags      []Tag
}

// Tag is a name with a value, as units show it in JSON.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func first(tags []Tag, name string) string {
	for _, t := range tags {
		if t.Name == name {
			return t.Value
		}
	}
	return ""
}

const selection = `{edges{node{id anchor signature recipient owner{address key} tags{name value}}}}`

// Transaction asks the gateway for an id.
func (n *Network) Transaction(ctx context.Context, id message.ID) (Transaction, error) {
	found, err := n.transactions(ctx, `query($ids:[ID!]!){transactions(ids:$ids)`+selection+`}`, map[string]any{"ids": []string{id.String()}})
	if err != nil {
		return Transaction{}, err
	}
	if len(found) == 0 {
		return Transaction{}, fault.New(fault.NotFound, "id-unknown", "the gateway does not know %s", id)
	}
	return found[0], nil
}

func (n *Network) transactions(ctx context.Context, query string, variables map[string]any) ([]Transaction, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	b, err := n.graph(ctx, body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Errors []struct{ Message string }
		Data   struct {
			Transactions struct{ Edges []struct{ Node Transaction } }
		}
	}
	if err := decode("gateway", b, &answer); err != nil {
		return nil, err
	}
	if len(answer.Errors) > 0 {
		return nil, fault.Wrap(errors.New(answer.Errors[0].Message), fault.Unavailable, "graphql-failed", "the gateway refused the query")
	}
	var out []Transaction
	for _, e := range answer.Data.Transactions.Edges {
		out = append(out, e.Node)
	}
	return out, nil
}

// graph asks for the answer to a query.
func (n *Network) graph(ctx context.Context, body []byte) (answer []byte, err error) {
	if len(n.GraphQL) == 0 {
		return n.do(ctx, request{unit: "gateway", base: n.Gateway, method: http.MethodPost, path: "/graphql", body: body, kind: "application/json"})
	}
	for _, base := range n.GraphQL {
		answer, err = n.do(ctx, request{unit: "gateway", base: base, method: http.MethodPost, body: body, kind: "application/json"})
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return answer, err
}

// Locate finds the scheduler of a process: the address its Process item names, and where that one answers.
func (n *Network) Locate(ctx context.Context, process message.ID) (address, base string, err error) {
	t, err := n.Transaction(ctx, process)
	if err != nil {
		return "", "", err
	}
	if address = first(t.Tags, "Scheduler"); address == "" {
		return "", "", fault.New(fault.Malformed, "tag-missing", "%s has no Scheduler tag, so it is no process", process)
	}
	base, err = n.Scheduler(ctx, address)
	return address, base, err
}

// Scheduler finds where the scheduler of an address answers, as the newest item it has published about that says.
func (n *Network) Scheduler(ctx context.Context, address string) (base string, err error) {
	found, err := n.transactions(ctx, `query($owner:String!){transactions(owners:[$owner],first:1,sort:HEIGHT_DESC,`+
		`tags:[{name:"Data-Protocol",values:["ao"]},{name:"Type",values:["Scheduler-Location"]}])`+selection+`}`, map[string]any{"owner": address})
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		for _, tag := range found[0].Tags {
			if strings.EqualFold(tag.Name, "Url") {
				return strings.TrimRight(tag.Value, "/"), nil
			}
		}
	}
	return "", fault.New(fault.NotFound, "scheduler-unknown", "no Scheduler-Location of %s tells where it answers", address).
		WithHint("the scheduler publishes one when it starts; or name its address")
}
