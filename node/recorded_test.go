package node

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	corejson "ago/codec/json"
	"ago/commitment"
	"ago/device"
	"ago/message"
)

// recordedSide is a request or an answer as it was recorded.
type recordedSide struct {
	Method, Path     string
	Status           int
	Headers          map[string]any
	Body, BodyBase64 string
}

func (s recordedSide) body(t testing.TB) []byte {
	t.Helper()
	if s.BodyBase64 == "" {
		return []byte(s.Body)
	}
	raw, err := base64.StdEncoding.DecodeString(s.BodyBase64)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (s recordedSide) headers() []message.Header {
	var hs []message.Header
	for name, v := range s.Headers {
		if text, ok := v.(string); ok {
			hs = append(hs, message.Header{Name: name, Value: text})
		}
	}
	return hs
}

// recordedPair is what a node of the first generation was asked, and what it answered.
type recordedPair struct {
	name              string // file/name
	Name              string
	Request, Response recordedSide
	ConnectionClosed  bool
}

// recordedFiles are in the order in which they are asked: what one makes, those after it read.
var recordedFiles = []string{"meta", "message", "codec", "process", "lua", "cron-relay", "store", "pay"}

func recordedPairs(t testing.TB) (all []recordedPair) {
	t.Helper()
	for _, file := range recordedFiles {
		text, err := os.ReadFile(filepath.Join("../codec/httpsig/testdata/http-genA", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var pairs []recordedPair
		if err := json.Unmarshal(text, &pairs); err != nil {
			t.Fatal(err)
		}
		for _, p := range pairs {
			p.name = file + "/" + p.Name
			all = append(all, p)
		}
	}
	return all
}

// The operator of the node that was recorded.
const recordedOperator = "wCKEK4ZVXgSQ6tNbeB4SxEqU7BeEZzReZ20tcJ1V0s0"

// replay asks a node of ours what another was asked. What is theirs (addresses, ids of what they made) has a name of ours.
type replay struct {
	t     *testing.T
	n     *network
	user  *commitment.Key   // signed most requests
	names map[string]string // theirs -> ours
}

// call gives a name of theirs one of ours.
func (r *replay) call(theirs, ours string) { r.names[theirs] = ours }

// text puts our names into a text of theirs.
func (r *replay) text(s string) string {
	for theirs, ours := range r.names {
		s = strings.ReplaceAll(s, theirs, ours)
	}
	return s
}

// value puts our names into a message of theirs, and leaves out signatures, which then do not hold.
func (r *replay) value(v message.Value) message.Value {
	switch v := v.(type) {
	case message.Bytes:
		return message.Bytes(r.text(string(v)))
	case message.List:
		out := make(message.List, len(v))
		for i, m := range v {
			out[i] = r.value(m)
		}
		return out
	case message.Message:
		var fs []message.Field
		for key, m := range v.All() {
			if key != message.KeyCommitments {
				fs = append(fs, message.Field{Key: key, Value: r.value(m)})
			}
		}
		out := message.New(fs...)
		if len(v.Committers()) > 0 {
			out = r.signed(out, v.Committers()[0])
		}
		return out
	}
	return v
}

// signed signs for whoever signed there: the operator is ours.
func (r *replay) signed(m message.Message, by string) message.Message {
	r.t.Helper()
	key := r.user
	if by == recordedOperator {
		key = r.n.c.Key
	}
	m, err := httpsig.Commit(m, key, httpsig.Terms{Nesting: message.Nested})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// request is what is asked of our node: the request as it was recorded, or one made anew if it has names of theirs.
func (r *replay) request(p recordedPair) *http.Request {
	t := r.t
	t.Helper()
	body := p.Request.body(t)
	headers := map[string]string{}
	for name, v := range p.Request.Headers {
		if text, ok := v.(string); ok && name != "content-length" && name != "host" {
			headers[name] = text
		}
	}
	tampered := strings.Contains(p.Name, "tampered") || p.Name == "ans104-bad-signature"
	switch {
	case tampered:
	case headers["codec-device"] == ans104.Codec:
		it, err := ans104.DecodeItem(body)
		if err != nil {
			t.Fatal(err)
		}
		d := ans104.Draft{Data: it.Data, Anchor: it.Anchor}
		for _, tag := range it.Tags {
			d.Tags = append(d.Tags, Tag{Name: tag.Name, Value: r.text(tag.Value)})
		}
		if it.HasTarget {
			if d.Target, err = message.ParseID(r.text(it.Target.String())); err != nil {
				t.Fatal(err)
			}
			d.HasTarget = true
		}
		if it, err = ans104.Sign(d, r.user); err != nil {
			t.Fatal(err)
		}
		body = it.Raw
	case headers["signature"] != "":
		m, err := httpsig.Decode(httpsig.NewWire(p.Request.headers(), body))
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		if m.Committers()[0] == recordedOperator || r.text(string(body)) != string(body) || r.text(headers["path"]) != headers["path"] {
			for _, transport := range []string{"host", "content-length", "connection"} {
				m = m.Without(transport)
			}
			wire, err := httpsig.Encode(r.value(m).(message.Message), message.Nested)
			if err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			headers, body = map[string]string{}, wire.Body
			for _, h := range wire.Headers {
				headers[h.Name] = h.Value
			}
		}
	default:
		for name, v := range headers {
			headers[name] = r.text(v)
		}
	}
	q, err := http.NewRequestWithContext(t.Context(), p.Request.Method, r.n.Addresses().Node+strings.ReplaceAll(r.text(p.Request.Path), " ", "%20"), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range headers {
		q.Header.Set(name, v)
	}
	return q
}

// ofTransport are headers that say how something is asked or brought, and what our node says beside each answer.
var ofTransport = map[string]bool{
	"host": true, "connection": true, "content-length": true, "date": true, "server": true, "user-agent": true, "accept-encoding": true, "content-digest": true, "signature": true, "signature-input": true, "ao-types": true,
	"ao-result": true, "status": true, "body-keys": true, "access-control-allow-origin": true, "access-control-allow-methods": true, "access-control-allow-headers": true, "access-control-expose-headers": true,
	"etag": true, "vary": true, "access-control-max-age": true, "x-content-type-options": true, "method": true, "set-cookie": true,
	"accept": true, "accept-codec": true,
}

// ofFailures are what our node says beside an answer of 400 and above.
var ofFailures = []string{"code", "details", "reason", "request-id", "type", "retry-after"}

// ofSecond are keys that assignments of the second generation have beside those of the first.
var ofSecond = map[string]string{"base-hashpath": "variant", "type": "hash-chain"}

// ofRun are values that are of that run: ports and what is made of them (the id of a task is that of the request with its host), and
// which other processes there are. Only what kind they are is compared; an id gets a name.
var ofRun = map[string]string{"meta/info-port": "body", "cron-relay/cron-once": "body", "cron-relay/cron-every": "body", "process/scheduler-status": "processes",
	"process/slot": "block-hash"}

// read gives an answer as what it says: a message without what is of the transport, and what a JSON or ANS-104 body says.
func (r *replay) read(status int, headers []message.Header, body []byte) (message.Message, error) {
	kind := ""
	sendable := headers[:0:0]
	for _, h := range headers {
		if strings.EqualFold(h.Name, "content-type") {
			kind = h.Value
		}
		if h.Name == "inline-body-key" && status < 400 { // as the first generation calls it, also where it signs nothing
			h.Name = message.KeyBodyKey
		}
		if !strings.ContainsFunc(h.Value, func(c rune) bool { return c == 0 || c == utf8.RuneError || c == 'È' }) { // the recorded node wrote raw bytes into some
			sendable = append(sendable, h)
		}
	}
	m, err := httpsig.Decode(httpsig.NewWire(sendable, body))
	if err != nil {
		return m, err
	}
	m = withoutTransport(m.Without(message.KeyCommitments))
	if status >= 400 {
		for _, key := range ofFailures {
			m = m.Without(key)
		}
	}
	if cache := m.Text("cache-control"); cache != "no-store" { // how long ours may be kept; theirs said so of some only
		m = m.Without("cache-control")
	}
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		m = m.Without("content-type")
	case kind == "application/json":
		if inner, err := corejson.Decode(body); err == nil {
			m = message.New(message.Field{Key: message.KeyBody, Value: withoutTransport(inner)})
		}
	case kind == "application/ans104":
		it, err := ans104.DecodeItem(body)
		if err != nil {
			return m, err
		}
		m = message.New(message.Field{Key: message.KeyBody, Value: withoutTransport(it.Message())})
	}
	if list, ok := numbered(m); ok { // a list was an answer's headers in the first generation, and is its body in the second
		m = message.New(message.Field{Key: message.KeyBody, Value: list})
	}
	return m, nil
}

func withoutTransport(m message.Message) message.Message {
	for key := range m.All() {
		if ofTransport[strings.ToLower(key)] {
			m = m.Without(key)
		}
	}
	return m
}

// numbered gives a message with the keys 1, 2, 3... as a list.
func numbered(m message.Message) (message.List, bool) {
	items := device.Items(m)
	return items, len(items) > 0 && len(items) == m.Len()
}

// chance are keys whose values are of the machine and the moment: only what kind they are is compared. Ids among them get a name.
var chance = map[string]bool{"timestamp": true, "block-timestamp": true, "block-height": true, "block-hash": true, "hash-chain": true, "block-time": true}

// differences lists the paths at which two values differ.
func (r *replay) differences(path, key string, theirs, ours message.Value) []string {
	here := []string{strings.TrimPrefix(path, "/")}
	if chance[key] && theirs != nil && ours != nil {
		return nil
	}
	switch want := theirs.(type) {
	case message.Message, message.List:
		a, b := fieldsOf(theirs), fieldsOf(ours)
		if b == nil {
			return here
		}
		for k := range b {
			if ofTransport[k] && path != "" || k == message.KeyCommitments {
				delete(b, k)
			}
		}
		for k, beside := range ofSecond {
			if _, both := a[k]; !both && a[beside] != nil {
				delete(b, k)
			}
		}
		if _, list := want.(message.List); list && len(a) != len(b) {
			return here
		}
		all := maps.Clone(a)
		maps.Copy(all, b)
		var out []string
		for _, k := range slices.Sorted(maps.Keys(all)) {
			if k != message.KeyCommitments && !(ofTransport[k] && path != "") {
				out = append(out, r.differences(path+"/"+k, k, a[k], b[k])...)
			}
		}
		return out
	case message.Bytes:
		text, ok := ours.(message.Bytes)
		if !ok || r.text(string(want)) != string(text) && !namesOne(key) {
			return here
		}
		if r.text(string(want)) != string(text) && !r.named(string(want), string(text)) {
			return here
		}
		return nil
	case nil:
		if ours == nil {
			return nil
		}
		return here
	}
	if ours == nil || !message.Equal(theirs, ours) {
		return here
	}
	return nil
}

// namesOne tells keys that hold ids of what was made.
func namesOne(key string) bool { return key == "process" || strings.EqualFold(key, "id") }

// named takes an id of ours for one of theirs that had no name yet.
func (r *replay) named(theirs, ours string) bool {
	if _, err := message.ParseID(ours); err != nil || len(theirs) != len(ours) || r.names[theirs] != "" {
		return false
	}
	r.call(theirs, ours)
	return true
}

// alike compares a value that is of that run.
func (r *replay) alike(theirs, ours message.Value) bool {
	if theirs == nil || ours == nil || device.KindOf(theirs) != device.KindOf(ours) {
		return false
	}
	a, text := theirs.(message.Bytes)
	b, _ := ours.(message.Bytes)
	return !text || len(a) != 43 || r.named(string(a), string(b))
}

// fieldsOf gives the fields of a message or list, nil of anything else.
func fieldsOf(v message.Value) map[string]message.Value {
	out := map[string]message.Value{}
	switch v := v.(type) {
	default:
		return nil
	case message.List:
		for i, m := range v {
			out[fmt.Sprint(i+1)] = m
		}
	case message.Message:
		for key, m := range v.All() {
			out[key] = m
		}
	}
	return out
}

// difference is why an answer of ours is another, and where it is.
type difference struct {
	Why     string   `json:"why"`
	Differs []string `json:"differs"` // paths; status is that of HTTP
}

// TestWhatARealNodeAnsweredIsAnsweredHere asks a whole node, one after the other, everything that a node of the first generation
// was asked while it was recorded, and compares each answer key by key. What the recorded node had before is made first. Requests
// are sent as they were recorded, unless they say what only that node had: its address, and ids of what was made there; these are
// signed anew. testdata/recorded.json has every pair that is answered otherwise, with the reason and where exactly it differs.
func TestWhatARealNodeAnsweredIsAnsweredHere(t *testing.T) {
	t.Parallel()
	var differs map[string]difference
	text, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &differs); err != nil {
		t.Fatal(err)
	}
	r := newReplay(t)
	pairs := recordedPairs(t)
	same := 0
	found := map[string]difference{}
	for _, p := range pairs {
		if why := r.before(p); why != "" {
			t.Logf("%s is left out: %s", p.name, why)
			delete(differs, p.name)
			continue
		}
		got := r.ask(p)
		want, listed := differs[p.name]
		delete(differs, p.name)
		if len(got) > 0 {
			found[p.name] = difference{want.Why, got}
		}
		switch {
		case len(got) == 0 && !listed:
			same++
		case !listed:
			t.Errorf("%s is answered otherwise: %q", p.name, got)
		case want.Why == "" || !slices.Equal(got, want.Differs):
			t.Errorf("%s differs in %q, and is listed with %q (%s)", p.name, got, want.Differs, want.Why)
		}
	}
	for name := range differs {
		t.Errorf("%s is listed and not recorded", name)
	}
	t.Logf("%d of %d answer the same", same, len(pairs))
	if os.Getenv("AGO_WRITE") == "1" {
		b, err := json.MarshalIndent(found, "", " ")
		if err == nil {
			err = os.WriteFile("testdata/recorded.json", append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ask asks our node and tells where its answer differs.
func (r *replay) ask(p recordedPair) []string {
	t := r.t
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, body := doBy(t, client, r.request(p))
	if answer.StatusCode >= 500 && answer.StatusCode != http.StatusServiceUnavailable && p.Response.Status < 500 {
		t.Errorf("%s: %d %s", p.name, answer.StatusCode, body)
	}
	var out []string
	if answer.StatusCode != p.Response.Status {
		out = append(out, "status")
	}
	var headers []message.Header
	for name, values := range answer.Header {
		headers = append(headers, message.Header{Name: strings.ToLower(name), Value: strings.Join(values, ", ")})
	}
	ours, err := r.read(answer.StatusCode, headers, []byte(body))
	if err != nil {
		t.Errorf("%s: our answer cannot be read: %v", p.name, err)
	}
	theirs, err := r.read(p.Response.Status, p.Response.headers(), p.Response.body(t))
	if err != nil {
		t.Errorf("%s: the recorded answer cannot be read: %v", p.name, err)
	}
	if key, ok := ofRun[p.name]; ok {
		a, _ := theirs.Get(key)
		if b, _ := ours.Get(key); r.alike(a, b) {
			theirs, ours = theirs.Without(key), ours.Without(key)
		}
	}
	return append(out, r.differences("", "", theirs, ours)...)
}
