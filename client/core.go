package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Ask is an AO-Core request.
type Ask struct {
	Path    string          // with its query; begins with a slash
	Message message.Message // is sent by POST, unless it is empty
	Wire    *httpsig.Wire   // is sent by POST as it is
	Explain bool            // the answer is {stages, status, body}, or {stages, status, code, reason}: see Answer.Value
	Bundle  bool            // what the answer links to stands in it
	Fresh   bool            // nothing that is kept counts
}

// Answer is what a node answered.
type Answer struct {
	Status int
	Wire   httpsig.Wire    // headers and body as they came
	Value  message.Value   // a message, or a value that is none
	Signed message.Message // what was signed, with its commitments; all if nobody signed
}

// Core asks a node. The answer's signatures are checked: one that does not hold fails with Forged ("answer-forged"), unless unchecked.
// An answer with a status of 400 and more is a fault with the code and reason that the node gave, except to a request that asked
// for an explanation.
func (n *Network) Core(ctx context.Context, ask Ask, unchecked bool) (Answer, error) {
	a, err := n.CoreWire(ctx, ask)
	if err != nil {
		return a, err
	}
	w, err := httpsig.Covered(a.Wire)
	if err != nil {
		return a, err
	}
	if _, signed := a.Wire.Get("signature-input"); !signed {
		w = a.Wire.Without("date", "content-length", "access-control-allow-origin", "access-control-expose-headers", "etag", "vary", "cache-control")
	}
	if a.Signed, err = httpsig.Decode(w); err != nil {
		return a, fault.Wrap(err, fault.Unavailable, "answer-malformed", "the node answered what is no message")
	}
	signers, err := commitment.VerifyEntries(a.Signed)
	if err != nil && !unchecked {
		f := fault.Wrap(err, fault.Forged, "answer-forged", "a signature of the answer does not hold")
		return a, f.(*fault.Error).WithHint("`ago verify -v` with the same address tells what differs; --unchecked takes it as it is")
	}
	content := a.Signed
	if len(signers) > 0 && err == nil {
		content = content.OnlyCommitted()
	}
	content = content.Without(message.KeyCommitments)
	if v, ok := content.Get("status"); ok && message.Equal(v, message.Int(a.Status)) {
		content = content.Without("status")
	}
	if a.Status >= http.StatusBadRequest && !(ask.Explain && explains(content)) {
		return a, failed(a, content)
	}
	a.Value = content
	if key := content.Text("ao-result"); key != "" {
		if v, ok := content.Get(key); ok {
			a.Value = v
		}
	}
	if !ask.Explain {
		return a, nil
	}
	if !explains(content) {
		return a, fault.New(fault.Unsupported, "explanation-missing", "the node at %s tells no stages", n.Node).WithHint("ask without --explain")
	}
	a.Value = content
	return a, nil
}

func explains(m message.Message) bool {
	_, ok := m.Get("stages")
	return ok
}

// Failed is the fault that an explained request ended with, nil if it worked.
func (a Answer) Failed() error {
	m, _ := a.Value.(message.Message)
	if a.Status < http.StatusBadRequest {
		return nil
	}
	return failed(a, m)
}

// failed is the fault that a node answered.
func failed(a Answer, m message.Message) error {
	reason, code := m.Text("reason"), m.Text("code")
	if reason == "" {
		reason = m.Text("error")
	}
	if reason == "" {
		reason = strings.TrimSpace(string(a.Wire.Body[:min(len(a.Wire.Body), 300)]))
	}
	if code == "" {
		code = "unit-refused"
	}
	f := fault.New(kindOf(a.Status), code, "the node answered %d: %s", a.Status, reason)
	f.Hint = m.Text("details")
	return f
}

// CoreWire asks a node and gives its answer, of whatever status, as it came: nothing of it is checked.
func (n *Network) CoreWire(ctx context.Context, ask Ask) (Answer, error) {
	if n.Node == "" {
		return Answer{}, fault.New(fault.Malformed, "address-missing", "the address of the node is not known").WithHint("name the node")
	}
	wire := httpsig.Wire{}
	method := http.MethodGet
	switch {
	case ask.Wire != nil:
		wire, method = *ask.Wire, http.MethodPost
	case ask.Message.Len() > 0:
		var err error
		if wire, err = httpsig.Encode(ask.Message, message.Nested); err != nil {
			return Answer{}, err
		}
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(n.Node, "/")+escapedPath(ask.Path), bytes.NewReader(wire.Body))
	if err != nil {
		return Answer{}, fault.Wrap(err, fault.Malformed, "address-malformed", "the address %s%s", n.Node, ask.Path)
	}
	r.Header.Set("Codec-Device", httpsig.Codec) // says to addresses that serve other things too what is meant
	for _, h := range wire.Headers {
		r.Header.Set(h.Name, h.Value)
	}
	if ask.Explain {
		r.Header.Set("Ao-Explain", "true")
	}
	if ask.Bundle {
		r.Header.Set("Accept-Bundle", "true")
	}
	if ask.Fresh {
		r.Header.Set("Cache-Control", "no-cache, no-store")
	}
	c := n.HTTP
	if c == nil {
		c = plain
	}
	got, err := c.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		f := fault.Wrap(err, fault.Unavailable, "unit-unreachable", "the node at %s does not answer", n.Node)
		return Answer{}, f.(*fault.Error).WithHint("is it running? `ago dev` starts a network on this machine")
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, dataMax+1))
	if err != nil {
		return Answer{}, fault.Wrap(err, fault.Unavailable, "answer-broken", "the answer of the node ended early")
	}
	if len(body) > dataMax {
		return Answer{}, fault.New(fault.TooLarge, "answer-too-large", "the answer of the node is larger than %d bytes", dataMax)
	}
	var hs []message.Header
	for name, values := range got.Header {
		for _, v := range values {
			hs = append(hs, message.Header{Name: strings.ToLower(name), Value: v})
		}
	}
	return Answer{Status: got.StatusCode, Wire: httpsig.NewWire(hs, body)}, nil
}

// escapedPath writes what people type so that it can stand in an address: what has a meaning in a path stays.
func escapedPath(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' || c == '{' || c == '|' || c == '}' || c == '#':
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Stored is what a node keeps a value under.
type Stored struct {
	Path string `json:"path"` // to read it by
}

// Put gives a node bytes, or a message with its commitments, to keep. The key signs the request, and needs the right to write
// there: others fail with Denied. Keys are RSA or Ed25519. A message with a signature that does not hold is not sent: Forged.
func (n *Network) Put(ctx context.Context, key *commitment.Key, v message.Value) (Stored, error) {
	if m, ok := v.(message.Message); ok { // a node would keep it without what does not hold
		if _, err := commitment.VerifyEntries(m); err != nil {
			return Stored{}, err
		}
	}
	m := message.New(message.Field{Key: "path", Value: message.Bytes("/~cache@1.0/write")}, message.Field{Key: "method", Value: message.Bytes("POST")})
	inner := ""
	if _, ok := v.(message.Bytes); ok {
		m = m.With("type", message.Bytes("single")).With(message.KeyBody, v)
	} else {
		inner = "1"
		m = m.With("type", message.Bytes("batch")).With(message.KeyBody, message.New(message.Field{Key: inner, Value: v}))
	}
	signed, err := httpsig.Commit(m, key, httpsig.Terms{Nesting: message.Nested})
	if err != nil {
		return Stored{}, err
	}
	a, err := n.Core(ctx, Ask{Path: "/~cache@1.0/write", Message: signed}, false)
	if err != nil {
		return Stored{}, err
	}
	answer, _ := a.Value.(message.Message)
	if inner != "" {
		one, _ := answer.Get(inner)
		answer, _ = one.(message.Message)
	}
	if answer.Text("path") == "" {
		return Stored{}, fault.New(fault.Unavailable, "answer-malformed", "the node does not tell where it keeps what it was given")
	}
	return Stored{answer.Text("path")}, nil
}
