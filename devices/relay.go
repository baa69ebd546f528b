package devices

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ago/codec/httpsig"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Outbound sends requests of relays to others. It decides which addresses are reached; a node that offers none relays nothing.
type Outbound interface {
	Do(*http.Request) (*http.Response, error)
	// Go runs what nobody waits for; false if too much of it is under way.
	Go(func()) bool
}

// Relay asks others.
var _ = device.Register(device.Device{
	Name: "relay@1.0",
	Doc:  "sends a request to another machine over HTTP, and gives its answer",
	Keys: device.Keys{
		"call":    {Doc: "what the other machine answers, with its status; 503 if it does not answer, 403 if the node relays nothing to it: by default a node for others reaches only the public network", Inputs: relayInputs, Do: relayCall},
		"cast":    {Doc: "OK, without waiting for what the other machine answers", Inputs: relayInputs, Do: relayCast},
		"request": {Doc: "for hooks: a request that is relayed in the place of the one that came", Do: relayRequest},
	},
	Examples: []device.Example{{Needs: "the answer is another machine's", Path: "/~relay@1.0/call?relay-path=http://localhost:4004/status", Want: "ok"}},
})

var relayInputs = []device.Input{
	{Name: "relay-path", Doc: "the address, http:// or https://, or a path at `peer`", Type: device.TypeText, Max: relayPathMax},
	{Name: "relay-method", Doc: "GET is the default", Type: device.TypeText, Max: 16},
	{Name: "relay-body", Doc: "the bytes to send"},
	{Name: "peer", Doc: "the machine, where the path does not name it; otherwise the routes of the node say", Type: device.TypeText, Max: relayPathMax},
	{Name: "target", Doc: "the key of the request that holds what is sent; the message is the default", Type: device.TypeText, Max: 4096},
}

const (
	relayPathMax   = 16 << 10
	relayAnswerMax = 64 << 20 // bytes of an answer
	relayTime      = 30 * time.Second
	relayHops      = "ao-relay-hops" // how many relays a request has been through
	relayHopsMax   = 4
)

// relayKept are keys of a request that are not sent on as headers.
var relayKept = map[string]bool{
	"path": true, "method": true, "body": true, "device": true, "host": true, "peer": true, "target": true, "commitments": true, "connection": true,
	"content-length": true, "content-digest": true, "ao-types": true, "transfer-encoding": true, "te": true, "upgrade": true, "accept-encoding": true,
	"cookie": true, "authorization": true, "priv": true, "signature": true, "signature-input": true, "ao-peer": true, relayHops: true, "proxy-authorization": true,
}

// relayDropped are headers of an answer that are the connection's own.
var relayDropped = map[string]bool{
	"set-cookie": true, "date": true, "connection": true, "content-length": true, "transfer-encoding": true, "content-encoding": true, "keep-alive": true, "status": true,
}

// relayed is a request to be sent.
type relayed struct {
	method, url string
	headers     []message.Header
	body        []byte
}

func relayRead(c *device.Call, base, req message.Message) (relayed, error) {
	target := base
	if name := req.Text("target"); name != "" && name != "self" {
		v, ok := device.First(name, req, base)
		if !ok || message.IsPrivate(name) {
			return relayed{}, device.Absent(name)
		}
		var err error
		if target, err = c.Message(v); err != nil {
			return relayed{}, err
		}
	}
	r := relayed{method: strings.ToUpper(relayFirst("method", base, target, req))}
	if r.method == "" {
		r.method = http.MethodGet
	}
	path := relayFirst("path", base, target, message.Message{})
	if path == "" {
		path = first("relay-path", req, base)
	}
	address, err := relayAddress(c, path, first("peer", base, target, req))
	if err != nil {
		return r, err
	}
	r.url = address
	for _, from := range []struct {
		in  message.Message
		key string
	}{{base, "body"}, {target, "body"}, {req, "relay-body"}, {base, "relay-body"}, {req, "body"}} {
		v, ok := from.in.Get(from.key)
		if !ok {
			continue
		}
		if v, err = c.Load(v); err != nil {
			return r, err
		}
		text, ok := device.Text(v)
		if !ok {
			return r, fault.New(fault.Malformed, "argument-malformed", "a body that is relayed is bytes, not a %s", device.KindOf(v))
		}
		r.body = []byte(text)
		break
	}
	for _, m := range []message.Message{target, req} {
		for key, v := range m.All() {
			text, ok := device.Text(v)
			if !ok || relayKept[key] || strings.HasPrefix(key, "relay-") || message.IsPrivate(key) || strings.ContainsAny(text, "\r\n\x00") {
				continue
			}
			r.headers = append(r.headers, message.Header{Name: key, Value: text})
		}
	}
	return r, nil
}

// relayFirst reads a field where it may stand: at the base, at what is sent, or with relay- before it.
func relayFirst(key string, base, target, req message.Message) string {
	if text := first(key, base, target); text != "" {
		return text
	}
	if text := first("relay-"+key, req, base); text != "" {
		return text
	}
	return req.Text(key)
}

// relayAddress makes an address of a path: its own, at a peer, or where the routes of the node lead.
func relayAddress(c *device.Call, path, peer string) (string, error) {
	if path == "" {
		return "", fault.New(fault.Malformed, "argument-missing", "relay-path says where to send it").WithHint("relay-path=http://... or https://...")
	}
	text := path
	if !relayAbsolute(path) {
		if peer == "" {
			v, err := c.Run(message.New(message.Field{Key: "device", Value: message.Bytes("router@1.0")}),
				[]device.Step{device.Ask("route", message.Field{Key: "route-path", Value: message.Bytes(path)})}, device.How{IgnoreHashpath: true})
			if err != nil {
				return "", err
			}
			to, ok := device.Text(v)
			if !ok {
				return "", fault.New(fault.Unsupported, "route-ambiguous", "several nodes answer to %.100q: relays ask one", path)
			}
			text = to
		} else {
			text = strings.TrimSuffix(peer, "/") + "/" + strings.TrimPrefix(path, "/")
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return "", fault.New(fault.Malformed, "address-malformed", "%.200q is no address of HTTP", text)
	}
	return u.String(), nil
}

func relayAbsolute(path string) bool {
	return strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://")
}

// send asks the other machine within a time.
func (r relayed) send(ctx context.Context, out Outbound, hops int64) (message.Message, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(string(r.body)))
	if err != nil {
		return message.Message{}, fault.Wrap(err, fault.Malformed, "address-malformed", "the request cannot be written")
	}
	for _, h := range r.headers {
		if !relayHeader(h.Name) {
			continue
		}
		req.Header.Set(h.Name, h.Value)
	}
	req.Header.Set(relayHops, strconv.FormatInt(hops+1, 10))
	resp, err := out.Do(req)
	if denied := (*fault.Error)(nil); errors.As(err, &denied) && denied.Kind == fault.Denied {
		return message.Message{}, denied
	}
	if err != nil {
		return message.Message{}, fault.Wrap(err, fault.Unavailable, "relay-unanswered", "%s does not answer", req.URL.Host)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, relayAnswerMax+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return message.Message{}, fault.Wrap(err, fault.Unavailable, "relay-unanswered", "the answer of %s broke off", req.URL.Host)
	}
	if len(body) > relayAnswerMax {
		return message.Message{}, fault.New(fault.TooLarge, "relay-too-large", "the answer of %s has more than %d bytes", req.URL.Host, relayAnswerMax)
	}
	return relayAnswer(resp, body), nil
}

// relayHeader tells names that HTTP can carry.
func relayHeader(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return name != ""
}

// relayAnswer is an answer as a message: one that says of what types its headers are is read as messages are, any other as it is.
func relayAnswer(resp *http.Response, body []byte) message.Message {
	var headers []message.Header
	var fs []message.Field
	for name, values := range resp.Header {
		name = strings.ToLower(name)
		if relayDropped[name] || message.IsPrivate(name) {
			continue
		}
		// What steers a client was for this node; where the answer leads is for the asker to see.
		if httpsig.Steers(name) && name != "location" && !strings.Contains(resp.Header.Get("Signature-Input"), `"`+name+`"`) {
			continue
		}
		headers = append(headers, message.Header{Name: name, Value: strings.Join(values, ", ")})
	}
	status := message.Field{Key: "status", Value: message.Int(resp.StatusCode)}
	if resp.Header.Get("Ao-Types") != "" || resp.Header.Get("Signature-Input") != "" {
		if m, err := httpsig.Decode(httpsig.NewWire(headers, body)); err == nil {
			m, _ = httpsig.Holding(m)
			return m.With(status.Key, status.Value)
		}
	}
	for _, h := range headers {
		fs = append(fs, message.Field{Key: h.Name, Value: message.Bytes(h.Value)})
	}
	return message.New(append(fs, status, message.Field{Key: message.KeyBody, Value: message.Bytes(body)})...)
}

// relayReady reads the request and finds what sends it; it refuses what has been relayed round and round.
func relayReady(c *device.Call, base, req message.Message) (relayed, Outbound, int64, error) {
	hops := max(whole(req, relayHops, 0), whole(c.Origin, relayHops, 0))
	if hops >= relayHopsMax {
		return relayed{}, nil, 0, fault.New(fault.Looped, "relay-loop", "the request has been through %d relays", hops)
	}
	r, err := relayRead(c, base, req)
	if err != nil {
		return r, nil, 0, err
	}
	out, ok := device.Service[Outbound](c)
	if !ok {
		return r, nil, 0, unserved("relaying")
	}
	return r, out, hops, nil
}

func relayCall(c *device.Call, base, req message.Message) (message.Value, error) {
	r, out, hops, err := relayReady(c, base, req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c, relayTime)
	defer cancel()
	return r.send(ctx, out, hops)
}

func relayCast(c *device.Call, base, req message.Message) (message.Value, error) {
	r, out, hops, err := relayReady(c, base, req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c), relayTime)
	observe := c.Node.Observe
	if !out.Go(func() {
		defer cancel()
		if _, err := r.send(ctx, out, hops); err != nil && observe != nil {
			observe(device.Event{Device: "relay@1.0", Key: "cast", Name: "cast-failed", Err: err})
		}
	}) {
		cancel()
		return nil, fault.New(fault.TooMany, "relay-busy", "too many requests are being relayed").WithHint("send it again later")
	}
	return message.Bytes("OK"), nil
}

func relayRequest(_ *device.Call, _, req message.Message) (message.Value, error) {
	v, ok := req.Get("request")
	if !ok {
		return nil, device.Absent("request")
	}
	return message.New(message.Field{Key: message.KeyBody, Value: message.List{
		message.New(message.Field{Key: "device", Value: message.Bytes("relay@1.0")}),
		message.New(
			message.Field{Key: "path", Value: message.Bytes("call")},
			message.Field{Key: "target", Value: message.Bytes(message.KeyBody)},
			message.Field{Key: message.KeyBody, Value: v}),
	}}), nil
}
