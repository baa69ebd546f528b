// Package aocore answers AO-Core requests over HTTP: it turns a request into messages, resolves them, and writes the answer.
//
// The face holds no state but answers that are the same whenever they are asked for. A request is read (request.go), its
// signatures are checked, its path is resolved by devices, and what that gives is signed and written in the encoding that the
// client takes (answer.go).
package aocore

import (
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"ago/budget"
	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/resolve"
)

// What a request may have at most unless the settings say otherwise.
const (
	BodyMax = 32 << 20 // bytes of a body
	KeysMax = 1 << 16  // keys and members of lists, of all that is nested in it together
)

// Config says what the face stands on.
type Config struct {
	Node     *device.Node
	Resolver *resolve.Resolver
	BodyMax  int64 // bytes; 0 is BodyMax
	KeysMax  int   // keys and members of lists in one request; 0 is KeysMax
	// PeerKey is the RSA key that signs what goes to those who know no other signatures: clients of the first generation, and
	// nodes that tell their port. Nil is the key of the node.
	PeerKey *commitment.Key
	// Verify checks the signature of a data item. Nil is commitment.Verify; a node puts one here that remembers.
	Verify func(message.Message) (commitment.Verified, error)
	// Home is where GET / leads; "" answers it like any other path.
	Home string
	// Hook gives a message {request, body} to the handlers of a moment and tells what they make of it: "request" with the steps
	// of a request before it is resolved, "response" with the answer. Nil runs none.
	Hook func(c *device.Call, name string, m message.Message) (message.Message, error)
	// Streams are what goes on in processes. Nil streams nothing.
	Streams Streams
	// StreamsMax are those that are open at a time, half of them at most for one address; 0 is 256.
	StreamsMax int
}

// Face is the HTTP handler of a node. It is safe for concurrent use.
type Face struct {
	c        Config
	now      atomic.Pointer[settings]
	requests atomic.Uint64 // counts those that failed, for their names
	signed   *kept
	streams  *budget.Budget // a place for each that is open
	signing  chan struct{}  // a place for each processor, so that signatures do not hold up everything else
}

// settings are what a node works with at a time, and the answers that follow from them.
type settings struct {
	node     *device.Node
	resolver *resolve.Resolver
	kept     *kept
	hooks    map[string]bool // that have handlers
}

// New makes a face.
func New(c Config) *Face {
	if c.BodyMax == 0 {
		c.BodyMax = BodyMax
	}
	if c.KeysMax == 0 {
		c.KeysMax = KeysMax
	}
	if c.StreamsMax == 0 {
		c.StreamsMax = streamsMax
	}
	if c.Verify == nil {
		c.Verify = commitment.Verify
	}
	f := &Face{c: c, signed: newKept(keptBytes), streams: budget.New(int64(c.StreamsMax)), signing: make(chan struct{}, min(runtime.GOMAXPROCS(0), runtime.NumCPU()))}
	f.Use(c.Node, c.Resolver)
	return f
}

// Use goes on with other settings: requests that come from now on see them.
func (f *Face) Use(node *device.Node, resolver *resolve.Resolver) {
	s := &settings{node: node, resolver: resolver, kept: newKept(keptBytes), hooks: map[string]bool{}}
	if on, ok := node.Option("on"); ok && f.c.Hook != nil {
		if all, ok := on.(message.Message); ok {
			for name, handlers := range all.All() {
				s.hooks[name] = len(device.Items(handlers)) > 0
				if m, ok := handlers.(message.Message); ok {
					s.hooks[name] = m.Len() > 0
				}
			}
		}
	}
	f.now.Store(s)
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
	q := &request{Face: f, settings: f.now.Load(), r: r, wants: wants, account: budget.Of(r.Context())}
	if wants.stream && q.stream(w) {
		return
	}
	name := q.keptName()
	if name != "" {
		if a, ok := q.kept.get(name); ok && (a.fixed || a.while(r.Context())) {
			a.write(w, r)
			return
		}
	}
	a, err := q.answer(w)
	if err != nil {
		a = q.failure(w, err)
	}
	if name != "" && (a.fixed || a.while != nil) {
		q.kept.put(name, a)
	}
	a.write(w, r)
}

// request is one on its way.
type request struct {
	*Face
	*settings
	r     *http.Request
	wants wants
	in    incoming

	account *budget.Account // of the memory that it takes

	redirects bool // the answer sends the client elsewhere
}

// answer works out the answer to a request.
func (q *request) answer(w http.ResponseWriter) (*answer, error) {
	var err error
	if q.in, err = q.read(w, q.r, &q.wants); err != nil {
		return nil, err
	}
	steps, err := resolve.Parse(q.in.path, q.in.keys)
	if err != nil {
		return nil, err
	}
	if steps == nil {
		steps = []device.Step{}
	}
	if q.hooks["request"] {
		if steps, err = q.before(steps); err != nil {
			return q.outcome(err)
		}
	}
	ask := resolve.Request{Path: q.in.path, Keys: q.in.message, Steps: steps, How: device.How{CacheControl: q.r.Header.Get(keyCacheControl)}}
	if q.wants.explain {
		ask.Explain = &resolve.Explanation{}
		if !q.hooks["request"] {
			ask.Steps = nil // so that the parsing is among the stages
		}
	}
	res, err := q.resolver.Resolve(q.r.Context(), ask)
	if o, ok := device.OutcomeOf(err); ok && q.wants.explain {
		res, err = device.Result{Value: o.Value, Status: o.Status}, nil
	}
	if q.wants.explain {
		return q.explained(ask.Explain, res, err)
	}
	if err != nil {
		return q.outcome(err)
	}
	return q.settle(res)
}

// outcome is the answer to a request that a device ended with a status of its own.
func (q *request) outcome(err error) (*answer, error) {
	o, ok := device.OutcomeOf(err)
	if !ok {
		return nil, err
	}
	return q.settle(device.Result{Value: o.Value, Status: o.Status})
}

// settle gives the answer to the handlers of the node, and writes it.
func (q *request) settle(res device.Result) (*answer, error) {
	res, err := q.heard(res)
	if err != nil {
		return nil, err
	}
	return q.encode(q.r, res, q.wants)
}

// heard is what the handlers of the node make of an answer.
func (q *request) heard(res device.Result) (device.Result, error) {
	if q.hooks["response"] {
		m, err := q.c.Hook(q.call(), "response", q.hooked(asMessage(res.Value)))
		if o, ok := device.OutcomeOf(err); ok {
			res = device.Result{Value: o.Value, Status: o.Status}
		} else if err != nil {
			return res, err
		} else if v, ok := m.Get(message.KeyBody); ok {
			if v, isMessage := v.(message.Message); !isMessage || !message.Equal(v, asMessage(res.Value)) {
				res = device.Result{Value: v, Status: res.Status}
			}
		}
	}
	return res, nil
}

// before lets the handlers of the node see the steps of a request, and gives those that are to be resolved.
func (q *request) before(steps []device.Step) ([]device.Step, error) {
	sequence := device.Sequence(steps)
	m, err := q.c.Hook(q.call(), "request", q.hooked(sequence))
	if err != nil {
		return nil, err
	}
	body, ok := m.Get(message.KeyBody)
	if !ok || message.Equal(body, sequence) {
		return steps, nil
	}
	return device.Steps(body)
}

func (q *request) hooked(body message.Value) message.Message {
	return message.New(message.Field{Key: "request", Value: q.in.message}, message.Field{Key: message.KeyBody, Value: body})
}

// call is what handlers are called with.
func (q *request) call() *device.Call {
	return &device.Call{Context: q.r.Context(), Device: "hook@1.0", Node: q.node, Runner: q.resolver, Origin: q.in.message}
}

// asMessage is a value as a message that can be sent: what is none stands in its body.
func asMessage(v message.Value) message.Message {
	if m, ok := v.(message.Message); ok {
		return m
	}
	if v == nil {
		v = message.Bytes("")
	}
	return message.New(message.Field{Key: message.KeyBody, Value: v}, message.Field{Key: keyResult, Value: message.Bytes(message.KeyBody)})
}

// failure is the answer to a request that failed: what went wrong, its stable name, and what to do next.
func (q *request) failure(w http.ResponseWriter, err error) *answer {
	if n, ok := w.(interface{ Note(error) }); ok {
		n.Note(err)
	}
	if after := fault.RetryAfter(err); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	}
	status := int(device.StatusOf(err))
	reason := reasonOf(err)
	fields := []message.Field{
		{Key: "code", Value: message.Bytes(fault.CodeOf(err))},
		{Key: "reason", Value: message.Bytes(reason)},
		{Key: "request-id", Value: message.Bytes(q.requestID())},
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
	return encodeFailure(status, message.New(fields...), q.wants)
}

// reasonOf is the text of an error for a client.
func reasonOf(err error) string {
	if device.StatusOf(err) >= http.StatusInternalServerError && fault.KindOf(err) == fault.Internal {
		return outermost(err)
	}
	return err.Error()
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
func (q *request) requestID() string {
	id := q.r.Header.Get("X-Request-Id")
	if id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") == "" {
		return id
	}
	return strconv.FormatUint(q.requests.Add(1), 10)
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
