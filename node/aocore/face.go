// Package aocore answers AO-Core requests over HTTP: it turns a request into messages, resolves them, and writes the answer.
//
// The face holds no state but answers that are the same whenever they are asked for. A request is read (request.go), its
// signatures are checked, its path is resolved by devices, and what that gives is signed and written in the encoding that the
// client takes (answer.go).
package aocore

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/resolve"
)

// BodyMax is the largest body that is read unless the settings say otherwise.
const BodyMax = 32 << 20

// Config says what the face stands on.
type Config struct {
	Node     *device.Node
	Resolver *resolve.Resolver
	BodyMax  int64 // bytes; 0 is BodyMax
	// Verify checks the signature of a data item. Nil is commitment.Verify; a node puts one here that remembers.
	Verify func(message.Message) (commitment.Verified, error)
	// Home is where GET / leads; "" answers it like any other path.
	Home string
}

// Face is the HTTP handler of a node. It is safe for concurrent use.
type Face struct {
	c        Config
	requests atomic.Uint64 // counts those that failed, for their names
	kept     *kept
	signed   *kept
}

// New makes a face.
func New(c Config) *Face {
	if c.BodyMax == 0 {
		c.BodyMax = BodyMax
	}
	if c.Verify == nil {
		c.Verify = commitment.Verify
	}
	return &Face{c: c, kept: newKept(keptBytes), signed: newKept(keptBytes)}
}

const keptBytes = 32 << 20 // of answers, and as many of signed ones

// ServeHTTP answers one request.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allow(w.Header(), r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if f.c.Home != "" && r.RequestURI == "/" && reads(r) {
		w.Header().Set("Location", f.c.Home)
		w.WriteHeader(http.StatusFound)
		return
	}
	wants := wantsOf(r)
	name := f.keptName(r, wants)
	if name != "" {
		if a, ok := f.kept.get(name); ok {
			a.write(w, r)
			return
		}
	}
	a, err := f.answer(w, r, wants)
	if err != nil {
		a = f.failure(w, r, wants, err)
	}
	if name != "" && a.fixed {
		f.kept.put(name, a)
	}
	a.write(w, r)
}

// answer works out the answer to a request.
func (f *Face) answer(w http.ResponseWriter, r *http.Request, wants wants) (*answer, error) {
	in, err := f.read(w, r, &wants)
	if err != nil {
		return nil, err
	}
	steps, err := resolve.Parse(in.path, in.keys)
	if err != nil {
		return nil, err
	}
	if steps == nil {
		steps = []device.Step{}
	}
	res, err := f.c.Resolver.Resolve(r.Context(), resolve.Request{Path: in.path, Keys: in.message, Steps: steps})
	if err != nil {
		o, ok := device.OutcomeOf(err)
		if !ok {
			return nil, err
		}
		return f.encode(r, device.Result{Value: o.Value, Status: o.Status}, wants)
	}
	return f.encode(r, res, wants)
}

// failure is the answer to a request that failed: what went wrong, its stable name, and what to do next.
func (f *Face) failure(w http.ResponseWriter, r *http.Request, wants wants, err error) *answer {
	if n, ok := w.(interface{ Note(error) }); ok {
		n.Note(err)
	}
	status := int(device.StatusOf(err))
	reason := err.Error()
	if status >= http.StatusInternalServerError && fault.KindOf(err) == fault.Internal {
		reason = outermost(err)
	}
	fields := []message.Field{
		{Key: "code", Value: message.Bytes(fault.CodeOf(err))},
		{Key: "reason", Value: message.Bytes(reason)},
		{Key: "request-id", Value: message.Bytes(f.requestID(r))},
		{Key: "status", Value: message.Int(status)},
		{Key: "type", Value: message.Bytes("error")},
		{Key: "body", Value: message.Bytes(reason)},
	}
	if hint := fault.HintOf(err); hint != "" {
		fields = append(fields, message.Field{Key: "details", Value: message.Bytes(hint)})
	}
	if fault.CodeOf(err) == "key-absent" { // clients of all ages know an absent key by this word
		fields = append(fields, message.Field{Key: keyResult, Value: message.Bytes(message.KeyBody)},
			message.Field{Key: message.KeyBody, Value: message.Atom("not_found")})
	}
	return f.encodeFailure(status, message.New(fields...), wants)
}

// outermost is the text of an error without its causes: those of a defect tell about the machine, and are for its log.
func outermost(err error) string {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Text
	}
	return "the node failed on this request; its log tells more"
}

// requestID names a request that failed, so that it is found in logs: the name that the client or a proxy gave it, or a number.
func (f *Face) requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") == "" {
		return id
	}
	return strconv.FormatUint(f.requests.Add(1), 10)
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// allow lets pages of every origin read the answer: everything here is public or signed.
func allow(h http.Header, r *http.Request) {
	h["Access-Control-Allow-Origin"] = anything
	h["Access-Control-Expose-Headers"] = anything
	if r.Method == http.MethodOptions {
		h["Access-Control-Allow-Methods"] = methods
		h["Access-Control-Allow-Headers"] = anything
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked) // * does not cover Authorization
		}
	}
}

var (
	anything = []string{"*"}
	methods  = []string{"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
)
