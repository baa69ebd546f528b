package aocore

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ago/codec/ans104"
	"ago/codec/flat"
	"ago/codec/httpsig"
	"ago/codec/json"
	"ago/commitment"
	"ago/devices"
	"ago/fault"
	"ago/message"
)

// incoming is a request as messages.
type incoming struct {
	path    string          // with its query
	message message.Message // what was sent, as it was signed
	keys    message.Message // the same with what the request adds, for every step
}

// transport are headers that are about the connection, and no keys of a message unless somebody signed them.
var transport = map[string]bool{
	"accept": true, "accept-bundle": true, "accept-charset": true, "accept-codec": true, "accept-encoding": true, "accept-language": true,
	"access-control-request-headers": true, "access-control-request-method": true, "alt-used": true, "authorization": true, headerExplain: true, keyCacheControl: true, hdrPeerPort: true,
	"cdn-loop": true, "codec-device": true, "connection": true, "content-length": true, "cookie": true, "date": true, "dnt": true, "expect": true, "forwarded": true,
	"host": true, "if-modified-since": true, "if-none-match": true, "keep-alive": true, "origin": true, "pragma": true, "priority": true, "purpose": true,
	"proxy-authorization": true, "proxy-connection": true, "range": true, "referer": true, "require-codec": true, "te": true, "trailer": true, "traceparent": true, "tracestate": true,
	"transfer-encoding": true, "upgrade": true, "upgrade-insecure-requests": true, "user-agent": true, "via": true, "x-real-ip": true, "x-request-id": true,
}

func isTransport(name string) bool {
	return transport[name] || strings.HasPrefix(name, "sec-") || strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "cf-")
}

const (
	hdrSignature      = "signature"
	hdrSignatureInput = "signature-input"
	keyPath           = "path"
	keyMethod         = "method"
	keyCacheControl   = "cache-control"
	hdrPeerPort       = "ao-peer-port"
)

// read turns a request into messages. Every signature in it holds when it returns, or it fails: Forged.
func (q *request) read(w http.ResponseWriter, r *http.Request, wants *wants) (incoming, error) {
	f := q.Face
	body, err := f.body(w, r)
	if err != nil {
		return incoming{}, err
	}
	if err := q.account.Grow(f.readCost(wants.sent, body)); err != nil {
		return incoming{}, err
	}
	m, err := f.decode(r, wants, body)
	if err != nil {
		return incoming{}, err
	}
	if m, err = f.verified(m); err != nil {
		return incoming{}, err
	}
	wants.hear(m)
	in := incoming{path: q.pathOf(r, m), message: m, keys: m}
	if !reads(r) {
		in.keys = in.keys.With(keyMethod, message.Bytes(r.Method))
	}
	if peer := peerOf(r); peer != "" {
		in.keys = in.keys.With("ao-peer", message.Bytes(peer))
	}
	if wants.other != "" {
		if _, ok := m.Get("accept"); !ok {
			in.keys = in.keys.With("accept", message.Bytes(wants.other))
		}
	}
	return in, nil
}

// readCost tells about how many bytes of memory it takes to read a body in a codec.
func (f *Face) readCost(codec string, body []byte) int64 {
	switch codec {
	case json.Codec:
		return json.ReadCost(body, f.c.KeysMax)
	case flat.Codec:
		return flat.ReadCost(body)
	case httpsig.Codec:
		return httpsig.ReadCost(body, f.c.KeysMax)
	}
	return 3 * int64(len(body))
}

// peerOf is where a node that asks answers itself, if it tells its port.
func peerOf(r *http.Request) string {
	port, err := strconv.ParseUint(r.Header.Get(hdrPeerPort), 10, 16)
	if err != nil {
		return ""
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(host, strconv.FormatUint(port, 10))
}

// body reads the body, up to the limit.
func (f *Face) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	tooLarge := func() error {
		return fault.New(fault.TooLarge, "body-too-large", "a body has up to %d bytes", f.c.BodyMax).WithHint("send what is long as data of its own, and its id here")
	}
	if r.ContentLength > f.c.BodyMax {
		return nil, tooLarge()
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, f.c.BodyMax), r.ContentLength)
	if err != nil {
		var over *http.MaxBytesError
		if errors.As(err, &over) {
			return nil, tooLarge()
		}
		if refused := (*fault.Error)(nil); errors.As(err, &refused) {
			return nil, refused
		}
		return nil, fault.Wrap(err, fault.Malformed, "body-unreadable", "the body ended before it was complete")
	}
	return body, nil
}

// readAll reads what was promised to have so many bytes, less than 0 if nothing was. A promised length is not yet a sent one: room
// is made for eight times what has come at most.
func readAll(r io.Reader, promised int64) ([]byte, error) {
	b := make([]byte, 0, min(max(promised, 0), 64<<10)+1)
	for {
		if len(b) == cap(b) {
			room := 2 * cap(b)
			if promised >= int64(len(b)) {
				room = int(min(promised, 8*int64(cap(b)))) + 1 // one more, to see the end
			}
			b = append(make([]byte, 0, room), b...)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch err {
		case nil:
		case io.EOF:
			return b, nil
		default:
			return b, err
		}
	}
}

// decode reads headers and body by the codec that the request names.
func (f *Face) decode(r *http.Request, wants *wants, body []byte) (message.Message, error) {
	if err := signedInFull(r, wants.sent); err != nil {
		return message.Message{}, err
	}
	switch wants.sent {
	case ans104.Codec:
		return item(body)
	case json.Codec:
		return merged(r, body, func(text []byte) (message.Message, error) { return json.DecodeUpTo(text, f.c.KeysMax) })
	case flat.Codec:
		return merged(r, body, flat.Deserialize)
	case httpsig.Codec:
	default:
		return message.Message{}, fault.New(fault.Unsupported, "codec-unknown", "this node reads no %.60q", wants.sent).
			WithHint("codec-device is httpsig@1.0, ans104@1.0, json@1.0 or flat@1.0")
	}
	hs := make([]message.Header, 0, len(r.Header)+3)
	signed := r.Header.Get("Signature-Input") != "" && r.Header.Get("Signature") != ""
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if name == "content-length" { // it is that of the body; as a key it would stay with the message when the body is gone
			continue
		}
		if !signed && (isTransport(name) || message.IsPrivate(name)) || name == hdrSignature && !signed || name == hdrSignatureInput && !signed {
			continue
		}
		for _, v := range values {
			hs = append(hs, message.Header{Name: name, Value: v})
		}
	}
	if !signed {
		if len(hs) == 0 && len(body) == 0 {
			return message.Message{}, nil
		}
		if len(body) == 0 { // says what no body is
			hs = without(hs, message.KeyContentType)
		}
		return httpsig.DecodeUpTo(httpsig.NewWire(hs, body), f.c.KeysMax)
	}
	// What a signature covers of the first line stands among the headers for it.
	for _, h := range []message.Header{{Name: keyPath, Value: r.URL.EscapedPath()}, {Name: keyMethod, Value: r.Method}, {Name: "host", Value: r.Host}} {
		if r.Header.Get(h.Name) == "" {
			hs = append(hs, h)
		}
	}
	wants.old = strings.Contains(r.Header.Get("Signature-Input"), "http-sig-")
	m, err := httpsig.DecodeCovered(httpsig.NewWire(hs, body), f.c.KeysMax)
	if err == nil && !reads(r) && m.Commitments().Len() == 0 {
		return m, fault.New(fault.Malformed, "signature-unknown", "none of the signatures is one of a message").
			WithHint("the names of signatures begin with comm-, or with http-sig- in the first generation")
	}
	return m, err
}

// signedInFull refuses a request that changes something and has signature headers that nobody would look at: who sent it means it
// to be signed.
func signedInFull(r *http.Request, codec string) error {
	signature, input := r.Header.Get("Signature") != "", r.Header.Get("Signature-Input") != ""
	switch {
	case reads(r) || !signature && !input:
		return nil
	case codec != httpsig.Codec:
		return fault.New(fault.Malformed, "signature-unread", "signature headers are not read of a message in %.60s", codec).
			WithHint("put the signature into the message, or send headers and body of %s", httpsig.Codec)
	case !signature || !input:
		return fault.New(fault.Malformed, "signature-incomplete", "of the headers signature and signature-input one is missing")
	}
	return nil
}

// item reads a data item as a message that carries the commitment of its signature, as any other does.
func item(raw []byte) (message.Message, error) {
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		return message.Message{}, err
	}
	if !it.Signed() {
		return message.Message{}, fault.New(fault.Unauthorized, "item-unsigned", "the data item carries no signature").WithHint("sign the item before it is sent")
	}
	return it.Committing().Decoded(it.ID(), ans104.Codec, it.Raw, it), nil
}

func without(hs []message.Header, name string) []message.Header {
	out := hs[:0]
	for _, h := range hs {
		if h.Name != name {
			out = append(out, h)
		}
	}
	return out
}

// merged reads a body that is a message, over the headers that came with it.
func merged(r *http.Request, body []byte, decode func([]byte) (message.Message, error)) (message.Message, error) {
	inner, err := decode(body)
	if err != nil {
		return message.Message{}, err
	}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if isTransport(name) || message.IsPrivate(name) || name == message.KeyContentType || name == hdrSignature || name == hdrSignatureInput {
			continue
		}
		if _, ok := inner.Get(name); !ok {
			inner = inner.With(name, message.Bytes(strings.Join(values, ", ")))
		}
	}
	return inner, nil
}

// verified gives a message of which everything holds that was signed, and without what was not.
func (f *Face) verified(m message.Message) (message.Message, error) {
	if m.Codec() == ans104.Codec {
		_, err := f.c.Verify(m)
		return m, err
	}
	if m.Commitments().Len() == 0 {
		return clean(m), nil
	}
	signed, err := f.signedBy(m)
	if err != nil {
		return message.Message{}, err
	}
	held := httpsig.HoldingNested(m)
	if signed {
		held = held.OnlyCommitted()
	}
	return clean(held), nil
}

// signedBy tells whether somebody signed a message, all of whose commitments hold. Who asks for the same message later need not
// check it again.
func (f *Face) signedBy(m message.Message) (bool, error) {
	if m.Codec() == httpsig.Codec && len(m.Committers()) > 0 {
		_, err := f.c.Verify(m)
		if err == nil || fault.CodeOf(err) != "not-signed" {
			return err == nil, err
		}
	}
	signers, err := commitment.VerifyEntries(m)
	return len(signers) > 0, err
}

// clean gives a message without what is private: only nodes themselves say that.
func clean(m message.Message) message.Message {
	for key, v := range m.All() {
		if message.IsPrivate(key) {
			m = m.Without(key)
			continue
		}
		if inner, ok := v.(message.Message); ok {
			if c := clean(inner); c.Len() != inner.Len() || !message.Equal(c, inner) {
				m = m.With(key, c)
			}
		}
	}
	return m
}

// pathOf is the path that is resolved, with its query: one that was signed, or else that of the request. The query beside a path
// that an operator of the node signed is anybody's, and does not count.
func (q *request) pathOf(r *http.Request, m message.Message) string {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") {
		target = r.URL.RequestURI()
	}
	own := m.Text(keyPath)
	if !strings.HasPrefix(own, "/") {
		return target
	}
	if path, _, _ := strings.Cut(target, "?"); path != own {
		return own
	}
	operators := devices.Operators(q.node)
	if slices.ContainsFunc(m.Committers(), func(who string) bool { return slices.Contains(operators, who) }) {
		return own
	}
	return target // with its query
}
