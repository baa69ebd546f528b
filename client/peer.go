package client

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"ago/codec/httpsig"
	"ago/fault"
	"ago/message"
)

// Peer is another node that is asked for messages by their ids.
type Peer struct {
	URL  string       // of its AO-Core face
	HTTP *http.Client // nil is one that follows no redirects
}

// Name is the address of the node.
func (p Peer) Name() string { return p.URL }

// Keeps is false: what comes from there is nowhere on this node.
func (Peer) Keeps() bool { return false }

// unredirected does not go where the answer of a node sends it.
var unredirected = &http.Client{
	Transport:     plain.Transport,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Fetch gives the message, list or bytes that the node has under an id, or what it says it has: that it is what the id names is
// for the caller to check. The node is asked for what it has itself, so that nodes which ask each other do not go round. It
// fails with NotFound ("peer-lacks") if it has nothing, and with Unavailable and TooLarge.
func (p Peer) Fetch(ctx context.Context, id message.ID) (message.Value, error) {
	q := url.Values{"target": {id.String()}, "scope": {"local"}}
	status, _, m, err := p.ask(ctx, http.MethodGet, "/~cache@1.0/read?"+q.Encode(), nil, nil)
	if err != nil {
		return nil, err
	}
	switch status {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, fault.New(fault.NotFound, "peer-lacks", "the node at %s does not have %s", p.URL, id)
	default:
		return nil, fault.New(fault.Unavailable, "peer-refused", "the node at %s answered %d", p.URL, status)
	}
	return asked(m, id), nil
}

// ask sends a request and gives the answer, read as a message if its status is below 300.
func (p Peer) ask(ctx context.Context, method, path string, headers []message.Header, body []byte) (int, http.Header, message.Message, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(p.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, message.Message{}, fault.Wrap(err, fault.Malformed, "address-malformed", "the address %.100s", p.URL)
	}
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Accept-Encoding", "identity")
	for _, h := range headers {
		r.Header.Set(h.Name, h.Value)
	}
	c := p.HTTP
	if c == nil {
		c = unredirected
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, nil, message.Message{}, fault.Wrap(err, fault.Unavailable, "peer-unreachable", "the node at %s does not answer", p.URL)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(io.LimitReader(answer.Body, answerMax+1))
	if err != nil {
		return 0, nil, message.Message{}, fault.Wrap(err, fault.Unavailable, "answer-broken", "the answer of the node at %s ended early", p.URL)
	}
	if len(got) > answerMax {
		return 0, nil, message.Message{}, fault.New(fault.TooLarge, "answer-too-large", "the answer of the node at %s is larger than %d bytes", p.URL, answerMax)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return answer.StatusCode, answer.Header, message.Message{}, nil
	}
	var hs []message.Header
	for name, values := range answer.Header {
		hs = append(hs, message.Header{Name: strings.ToLower(name), Value: strings.Join(values, ", ")})
	}
	m, err := httpsig.Decode(httpsig.NewWire(hs, got))
	if err != nil {
		return 0, nil, m, fault.Wrap(err, fault.Unavailable, "answer-malformed", "the answer of the node at %s", p.URL)
	}
	return answer.StatusCode, answer.Header, m, nil
}

// transport are the headers that an answer has beside the message. What the node itself signs has a status too.
var transport = []string{
	"access-control-allow-headers", "access-control-allow-methods", "access-control-allow-origin", "access-control-expose-headers", "access-control-max-age",
	"ao-body-key", "ao-result", "cache-control", "connection", "content-length", "content-digest", "content-security-policy", "date", "etag", "keep-alive", "server", "transfer-encoding", "vary", "via", "x-content-type-options",
}

// asked finds in an answer what has the id: the answer with its commitments, what stands in its body, or what is left of it
// without what the node said about it. If nothing has, it is the answer.
func asked(m message.Message, id message.ID) message.Value {
	if _, ok := m.Commitments().Get(id.String()); ok || m.SignedID() == id {
		return m
	}
	body, ok := m.Get(message.KeyBody)
	if b, is := body.(message.Bytes); ok && is && message.HashOf([]byte(b)) == id {
		return b
	}
	if l, is := body.(message.List); is && l.ID() == id {
		return l
	}
	bare := m.Without(message.KeyCommitments)
	said := bare
	for _, name := range transport {
		bare = bare.Without(name)
	}
	if strings.HasPrefix(bare.Text(message.KeyContentType), message.MultipartPrefix) {
		bare = bare.Without(message.KeyContentType)
	}
	for _, candidate := range []message.Message{bare.Without("status"), bare, bare.Without("status").Without("hashpath"), said} {
		if candidate.UnsignedID() == id {
			return candidate
		}
	}
	return m
}
