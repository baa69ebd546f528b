package aocore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ago/budget"
	"ago/codec/ans104"
	"ago/codec/flat"
	"ago/codec/httpsig"
	"ago/codec/json"
	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
)

const (
	keyResult = "ao-result"
	keyStatus = "status"
	keyCodec  = "codec-device"
)

// answer is what goes to the client. It does not change once it is made.
type answer struct {
	status int
	header []line
	body   []byte
	etag   string
	fixed  bool                       // the same whenever it is asked for
	while  func(context.Context) bool // tells whether it still is; nil if that cannot be told
}

// line is a header in the form in which net/http keeps it.
type line struct {
	name   string
	values []string
}

// encode writes what a resolution gave.
func (q *request) encode(r *http.Request, res device.Result, wants wants) (*answer, error) {
	status := device.HTTPStatus(res.Value, device.End(res.Status, nil))
	// A message that says a status and a place sends nobody there; a call that ended so does.
	q.redirects = res.Status >= 300 && res.Status < 400
	m, err := q.nested(r, asMessage(res.Value), wants)
	if err != nil {
		return nil, err
	}
	codec := wants.codec
	if _, own := m.Get(message.KeyContentType); own && !wants.required {
		codec = httpsig.Codec
	}
	if codec != httpsig.Codec {
		if err := q.account.Grow(writeCost(codec, m, q.account.Limit())); err != nil {
			return nil, err
		}
		if m, err = inCodec(m, codec, q.steering()...); err != nil {
			return nil, err
		}
	}
	a, err := q.httpsig(m, status, res.Hashpath, wants)
	if err != nil {
		return nil, err
	}
	if reads(r) && status == http.StatusOK {
		// What headers say beside the path would come to others who ask for it from whoever keeps it by its path.
		a.fixed, a.while = res.Fixed && q.keptName() != "", res.While
		a.tag(r, m)
	}
	return a, nil
}

// encodeFailure writes an error. It is not signed: what failed says nothing that could be held against the node, and costs it as
// little as possible.
func encodeFailure(status int, m message.Message, wants wants) *answer {
	if wants.html {
		return page(status, m)
	}
	if wants.codec == json.Codec {
		if encoded, err := inCodec(m, json.Codec); err == nil {
			m = encoded
		}
	}
	wire, err := httpsig.Encode(m, message.Nested)
	if err != nil {
		wire = httpsig.Wire{Body: []byte("the error cannot be written")}
	}
	return answerOf(status, wire)
}

// nested gives the message with what it links to in it, or linked, as the client asks.
func (q *request) nested(r *http.Request, m message.Message, wants wants) (message.Message, error) {
	contents := q.node.Contents
	load := func(l message.Link) (message.Value, error) {
		v, err := contents.Read(r.Context(), l.To.String())
		if err == nil && q.account != nil {
			err = q.account.Grow(message.Footprint(v, q.account.Limit()))
		}
		return v, err
	}
	switch {
	case contents == nil:
		return m, nil
	case wants.bundle == "true":
		return m.Bundle(load)
	case wants.bundle != "false" && inPlace(m): // or the signatures would not hold for what is sent
		whole, err := m.Bundle(load)
		if budget.Crowded(err) {
			return m, err
		}
		if err != nil {
			return m, nil
		}
		return whole, nil
	case len(m.Committers()) > 0:
		return m, nil
	case wants.bundle == "false":
		keep := contents.Lend
		if q.resolver.Lasting(r.Context(), q.in.message) {
			keep = contents.Write
		}
		return m.Linkify(func(_ message.ID, v message.Value) error {
			_, err := keep(r.Context(), v)
			return err
		})
	}
	return m, nil
}

// inPlace tells whether somebody signed a message with what is nested in it, and not by the ids of that.
func inPlace(m message.Message) bool {
	for _, v := range m.Commitments().All() {
		if entry, _ := v.(message.Message); entry.Text("committer") != "" && entry.Text("bundle") == "true" {
			return true
		}
	}
	return false
}

// inCodec gives the message whose body is m in a codec; short values of m that headers may hold stand beside it.
func inCodec(m message.Message, codec string, steering ...string) (message.Message, error) {
	var text []byte
	var err error
	kind := ""
	switch codec {
	case json.Codec:
		kind = json.ContentType
		text, err = json.Encode(m)
	case flat.Codec:
		kind = "application/flat"
		text, err = flat.Serialize(m)
	case ans104.Codec:
		kind = "application/ans104"
		text, err = itemOf(m)
	default:
		err = fault.New(fault.Unsupported, "codec-unknown", "this node writes no %.60q", codec)
	}
	if err != nil {
		return m, err
	}
	fields := []message.Field{
		{Key: message.KeyBody, Value: message.Bytes(text)},
		{Key: message.KeyContentType, Value: message.Bytes(kind)},
		{Key: keyCodec, Value: message.Bytes(codec)},
	}
	for key, v := range m.All() {
		if len(fields) > besideMax {
			break
		}
		if httpsig.Steers(key) && !slices.Contains(steering, key) || key == message.KeyBody || key == message.KeyData || key == message.KeyCommitments || key == message.KeyContentType || key == keyCodec || message.IsPrivate(key) {
			continue
		}
		if text, ok := device.Text(v); ok && len(text) <= besideLength && httpsig.InHeader(key, text) {
			fields = append(fields, message.Field{Key: key, Value: v})
		}
	}
	return message.New(fields...), nil
}

const (
	besideMax    = 64  // values that stand beside a body that holds them all
	besideLength = 256 // bytes of one
)

// itemOf gives the data item that a message is, signed by whoever signed the message, or one without a signature.
func itemOf(m message.Message) ([]byte, error) {
	if it, ok := ans104.ItemOf(m); ok {
		return it.Raw, nil
	}
	for _, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		if entry.Text("commitment-device") == ans104.Codec {
			if it, err := ans104.FromCommitment(m, entry); err == nil {
				return it.Raw, nil
			}
		}
	}
	d, err := ans104.DraftOf(m)
	if err != nil {
		return nil, err
	}
	it, err := ans104.Unsigned(d)
	if err != nil {
		return nil, err
	}
	return it.Raw, nil
}

// steering are the keys of an answer that steer its client, as headers: none that a message of anybody's could have.
func (q *request) steering() []string {
	if q.redirects {
		return []string{keyLocation}
	}
	return nil
}

const (
	keyLocation   = "location"
	contentLength = "content-length"
)

// writeCost tells about how many bytes of memory it takes to write a message in a codec.
func writeCost(codec string, m message.Message, limit int64) int64 {
	if codec == flat.Codec {
		return 2 * flat.Cost(m, limit)
	}
	return 3 * message.Footprint(m, limit)
}

// httpsig writes a message as headers and body, signed by the node unless others have signed it.
func (q *request) httpsig(m message.Message, status int, path *device.Hashpath, wants wants) (*answer, error) {
	cost, err := httpsig.Fits(m)
	if err != nil {
		return nil, err
	}
	if err := q.account.Grow(cost); err != nil {
		return nil, err
	}
	if len(m.Committers()) > 0 {
		wire, err := httpsig.Encode(httpsig.Unsteered(m), message.Nested, q.steering()...)
		if err != nil {
			return nil, err
		}
		return answerOf(status, wire), nil
	}
	m = m.Without(contentLength) // which is that of the body
	if taken(m) {
		m = inBody(m)
	} else if !wants.old {
		m = narrow(m)
	}
	if _, ok := m.Get(keyStatus); !ok {
		m = m.With(keyStatus, message.Int(status))
	}
	tag, err := path.Text()
	if err != nil {
		return nil, err
	}
	if wants.old {
		return q.old(m, status)
	}
	k := q.node.Key
	if wants.peer && q.c.PeerKey != nil {
		k = q.c.PeerKey
	}
	return q.sign(k, m, status, tag)
}

// taken tells whether a message has a key that the answer has a header for which the node writes itself.
func taken(m message.Message) bool {
	for key := range m.All() {
		switch key {
		case "etag", "vary", "x-content-type-options", "content-security-policy":
			return true
		}
		if strings.HasPrefix(key, "access-control-") {
			return true
		}
	}
	return false
}

// headersMax are the bytes of headers that every client takes: those of Node.js take 16 KiB, of which signatures have their part.
const headersMax = 10 << 10

// narrow gives a message that fits into headers: one that does not is the body of another.
func narrow(m message.Message) message.Message {
	size := 0
	for key, v := range m.All() {
		if text, ok := device.Text(v); ok && key != message.KeyBody && len(text) <= message.HeaderMax {
			size += 2*len(key) + len(text) + 16 // its name stands in the signature and among the types, too
		}
	}
	if size <= headersMax {
		return m
	}
	return inBody(m)
}

// inBody gives a message whose body is m.
func inBody(m message.Message) message.Message {
	out := asMessage(nil).With(message.KeyBody, m.Without(message.KeyCommitments))
	for _, key := range []string{keyStatus, keyCacheControl} {
		if v, ok := m.Get(key); ok {
			out = out.With(key, v)
		}
	}
	return out
}

// old writes an answer for a client of the first generation.
func (q *request) old(m message.Message, status int) (*answer, error) {
	wire, err := httpsig.EncodeA(m, q.steering()...)
	if err == nil && widthOf(wire) > headersMax { // of the first generation, texts of every length are headers
		wire, err = httpsig.EncodeA(inBody(m), q.steering()...)
	}
	if err != nil {
		return nil, err
	}
	k := q.c.PeerKey
	if k == nil {
		k = q.node.Key
	}
	if k == nil || k.Type() != commitment.RSA && k.Type() != commitment.Ed25519 {
		return answerOf(status, wire), nil
	}
	raw, err := wire.Bytes()
	if err != nil {
		return nil, err
	}
	return q.once(k, "first generation "+message.HashOf(raw).String(), func() (*answer, error) {
		signed, err := httpsig.SignA(wire, k, tagAnswer)
		if err != nil {
			return nil, err
		}
		return answerOf(status, signed), nil
	})
}

// widthOf are the bytes of headers, and of their names among what is signed.
func widthOf(w httpsig.Wire) int {
	size := 0
	for _, h := range w.Headers {
		size += 2*len(h.Name) + len(h.Value) + 8
	}
	return size
}

// tagAnswer is the tag of an answer that no path of hashes led to. Without one it could be sent back as a request of the node's own.
const tagAnswer = "answer"

// sign writes an answer with a key's signature over all of it. What is the same is signed once.
func (q *request) sign(k *commitment.Key, m message.Message, status int, tag string) (*answer, error) {
	if k == nil {
		wire, err := httpsig.Encode(m, message.Nested, q.steering()...)
		if err != nil {
			return nil, err
		}
		return answerOf(status, wire), nil
	}
	if tag == "" {
		tag = tagAnswer
	}
	id := m.Without(message.KeyCommitments).UnsignedID()
	name := strconv.Itoa(status) + " " + tag + " " + id.String()
	if q.redirects {
		name += " redirects"
	}
	return q.once(k, name, func() (*answer, error) {
		signed, err := httpsig.Commit(m, k, httpsig.Terms{Nesting: message.Nested, Tag: tag, Salt: []byte(name)})
		if err != nil {
			return nil, err
		}
		wire, err := httpsig.Encode(signed, message.Nested, q.steering()...)
		if err != nil {
			return nil, err
		}
		return answerOf(status, wire), nil
	})
}

// once makes a signed answer, or gives the one that a key has signed before under a name.
func (q *request) once(k *commitment.Key, name string, make func() (*answer, error)) (*answer, error) {
	name = k.Address().String() + " " + name
	a, ok := q.signed.get(name)
	if !ok {
		select {
		case q.signing <- struct{}{}:
			defer func() { <-q.signing }()
		case <-q.r.Context().Done():
			return nil, fault.New(fault.Unavailable, "resolve-given-up", "the request was given up before its answer was signed")
		}
		var err error
		if a, err = make(); err != nil {
			return nil, err
		}
		q.signed.put(name, a)
	}
	out := *a
	return &out, nil
}

// answerOf makes the answer of headers and a body.
func answerOf(status int, wire httpsig.Wire) *answer {
	const more = 4 // the length, and what tag adds
	a := &answer{status: status, body: wire.Body, header: make([]line, 0, len(wire.Headers)+more)}
	values := make([]string, 0, len(wire.Headers)+1)
	add := func(name, value string) {
		values = append(values, value)
		a.header = append(a.header, line{name, values[len(values)-1 : len(values) : len(values)]})
	}
	for _, h := range wire.Headers {
		if h.Name == contentLength {
			continue
		}
		value := h.Value
		if h.Name == hdrSignature || h.Name == hdrSignatureInput {
			value = plainNames(value)
		}
		add(canonicalName(h.Name), value)
	}
	add("Content-Length", strconv.Itoa(len(a.body)))
	return a
}

// usual are names that answers often have, and the standard library does not know.
var usual = func() map[string]string {
	names := map[string]string{}
	for name := range strings.FieldsSeq(`action ao-body-key ao-result ao-types assignment at-slot base-hashpath block-hash block-height block-timestamp
		content-digest data-protocol device epoch hash-chain path process signature signature-input slot status target timestamp type variant`) {
		names[name] = http.CanonicalHeaderKey(name)
	}
	return names
}()

// canonicalName is the form in which net/http keeps the name of a header.
func canonicalName(name string) string {
	if n, ok := usual[name]; ok {
		return n
	}
	return http.CanonicalHeaderKey(name)
}

// plainNames writes the names of signatures with letters, digits and hyphens only. No signature covers its name and readers take
// any, but some published clients lose the whole answer at an underscore.
func plainNames(text string) string {
	if !strings.Contains(text, "_") {
		return text
	}
	b := []byte(text)
	name, quoted := true, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '=':
			name = false
		case c == ',':
			name = true
		case name && c == '_':
			b[i] = '-'
		}
	}
	return string(b)
}

// tag gives the answer a name by which clients and caches know it again.
func (a *answer) tag(r *http.Request, m message.Message) {
	h := sha256.New()
	for _, l := range a.header {
		if l.name == "Signature" || l.name == "Signature-Input" {
			continue
		}
		h.Write([]byte(l.name + ": " + l.values[0] + "\n"))
	}
	h.Write(a.body)
	a.etag = `"` + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18]) + `"`
	a.header = append(slices.Clip(a.header), line{"Etag", []string{a.etag}}, line{"Vary", varies})
	if m.Text(keyCacheControl) == "" {
		control := []string{"no-cache"} // may be kept, and has to be asked for again
		if a.fixed {
			control = []string{"public, max-age=86400"}
		}
		a.header = append(a.header, line{"Cache-Control", control})
	}
}

var varies = []string{"Accept, Accept-Bundle, Accept-Codec, Require-Codec"}

// write sends the answer.
func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if a.etag != "" && known(r.Header["If-None-Match"], a.etag) {
		for _, l := range a.header {
			if l.name == "Etag" || l.name == "Cache-Control" || l.name == "Vary" {
				h[l.name] = l.values
			}
		}
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = nil // or net/http would guess one
	browser := browses(r)
	if browser {
		h["X-Content-Type-Options"] = nosniff
	}
	for _, l := range a.header {
		h[l.name] = l.values
		if browser && l.name == "Content-Type" && acts(l.values[0]) {
			h["Content-Security-Policy"] = sandbox
		}
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		w.Write(a.body)
	}
}

// What browsers are told of an answer: to take it for what it says it is, and of one that may have programs in it, that these
// do not speak for the node, whose pages are whatever anybody asks for.
var (
	nosniff = []string{"nosniff"}
	sandbox = []string{"sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"}
)

// browses tells whether a browser asks, and may show what it gets. Others take every header for a part of the message.
func browses(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("User-Agent"), "Mozilla/") && r.Header.Get("Sec-Fetch-Dest") != "empty" || strings.Contains(r.Header.Get("Accept"), "text/html")
}

// acts tells whether a browser runs programs in what has this content type.
func acts(contentType string) bool {
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	kind = strings.TrimSpace(kind)
	return kind == "text/html" || kind == "multipart/related" || strings.HasSuffix(kind, "xml") || strings.HasPrefix(kind, "multipart/x-mixed")
}

// known tells whether the client has the answer already.
func known(given []string, etag string) bool {
	for _, text := range given {
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == etag || one == "*" {
				return true
			}
		}
	}
	return false
}
