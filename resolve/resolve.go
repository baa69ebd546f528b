// Package resolve is AO-Core: it takes a request apart into steps, finds the device that answers each, and keeps what the
// answers are the answers of.
package resolve

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"ago/clock"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Limits bound one request. The zero value of a field takes that of DefaultLimits.
type Limits struct {
	Depth      int           // calls within calls
	Steps      int           // calls in all
	Time       time.Duration // of a request that brings no deadline of its own
	CacheBytes int64         // of answers kept in memory, for all requests together
}

// DefaultLimits are far beyond what requests of processes need, and a second's work for a machine.
var DefaultLimits = Limits{Depth: 64, Steps: 10_000, Time: time.Minute, CacheBytes: 64 << 20}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	if l.Depth > 0 {
		d.Depth = l.Depth
	}
	if l.Steps > 0 {
		d.Steps = l.Steps
	}
	if l.Time > 0 {
		d.Time = l.Time
	}
	if l.CacheBytes > 0 {
		d.CacheBytes = l.CacheBytes
	}
	return d
}

// Resolver resolves requests on a node. It is safe for concurrent use.
type Resolver struct {
	node    *device.Node
	clock   clock.Clock
	limits  Limits
	memory  *memory
	names   *names
	flights *flights
	*counters
}

// counters are shared by the resolvers of one node.
type counters struct{ hits, misses, shared atomic.Int64 }

// Stats is how often answers were at hand since the node started, and what is in memory for that.
type Stats struct {
	Hits, Misses int64 // of answers that may be kept
	Shared       int64 // answers that another request had worked out at the same time
	Entries      int
	Bytes        int64
}

// Stats tells how the resolver does.
func (r *Resolver) Stats() Stats {
	s := Stats{Hits: r.hits.Load(), Misses: r.misses.Load(), Shared: r.shared.Load()}
	s.Entries, s.Bytes = r.memory.size()
	return s
}

// New makes the resolver of a node.
func New(node *device.Node, limits Limits) *Resolver {
	limits = limits.orDefault()
	r := &Resolver{node: node, clock: node.Clock, limits: limits, memory: newMemory(limits.CacheBytes), names: newNames(), flights: newFlights(), counters: &counters{}}
	if r.clock == nil {
		r.clock = clock.System{}
	}
	return r
}

// With gives a resolver of the same node with other settings: what is being computed is shared, what was computed is forgotten,
// since it may depend on the settings.
func (r *Resolver) With(node *device.Node) *Resolver {
	out := New(node, r.limits)
	out.flights, out.counters = r.flights, r.counters
	return out
}

// Request is what somebody asks.
type Request struct {
	Path    string          // with its query, as it came
	Keys    message.Message // what came with it: headers and body, or a signed message
	Steps   []device.Step   // is resolved instead of the path, if not nil: what a hook made of it
	How     device.How
	Explain *Explanation // is filled with what was done, if not nil
}

// Resolve answers a request. An answer with a status of 400 and more is an error: a fault, or a device.Outcome.
func (r *Resolver) Resolve(ctx context.Context, q Request) (device.Result, error) {
	t := r.trail(q)
	if q.Steps != nil {
		return t.root(ctx, nil, q.Steps, q.How)
	}
	began := t.now()
	steps, err := Parse(q.Path, q.Keys)
	q.Explain.add(Stage{Name: "parse", Key: q.Path, Total: t.since(began), Error: codeOf(err)})
	if err != nil {
		return device.Result{}, err
	}
	return t.root(ctx, nil, steps, q.How)
}

// Run takes a base through steps, as Call.Run does. A nil base is the first step.
func (r *Resolver) Run(ctx context.Context, base message.Value, steps []device.Step, how device.How) (device.Result, error) {
	return r.trail(Request{}).root(ctx, base, steps, how)
}

// Parse is the function of this name.
func (r *Resolver) Parse(path string, keys message.Message) ([]device.Step, error) {
	return Parse(path, keys)
}

// trail is what belongs to one request.
type trail struct {
	*Resolver
	steps   atomic.Int64
	origin  message.Message
	explain *Explanation
	timed   bool
	loose   atomic.Bool // something was asked whose answer may be another next time
	holding sync.Mutex
	holds   []func(context.Context) bool // tell whether what was asked has the same answer still
	lasting sync.Once
	lasted  bool    // what it makes may be kept on disk
	waits   *flight // what the request waits for now; guarded by flights
}

func (r *Resolver) trail(q Request) *trail {
	return &trail{Resolver: r, origin: q.Keys, explain: q.Explain, timed: q.Explain != nil || r.node.Observe != nil}
}

func (t *trail) now() time.Time {
	if !t.timed {
		return time.Time{}
	}
	return t.clock.Now()
}

func (t *trail) since(began time.Time) time.Duration {
	if !t.timed {
		return 0
	}
	return t.clock.Now().Sub(began)
}

// root runs what somebody outside asks: it has an end in time, and what only stacks of devices see ends as an answer.
func (t *trail) root(ctx context.Context, base message.Value, steps []device.Step, how device.How) (device.Result, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.limits.Time)
		defer cancel()
	}
	top := &frame{trail: t, how: how}
	res, err := top.Run(ctx, base, steps, how)
	if err == nil && !t.loose.Load() {
		res.While = t.still()
		res.Fixed = res.While == nil
	}
	if o, ok := device.OutcomeOf(err); ok && o.Status < device.OK {
		return device.Result{Value: o.Value, Status: device.OK}, nil
	}
	return res, err
}

// frame is one call that is under way, or the request itself, and what a call may resolve further with.
type frame struct {
	*trail
	parent *frame
	depth  int
	how    device.How
	device *device.Device
	key    string
	base   message.Message
	req    message.Message
	call   device.Call
}

// at is where a resolution stands: a value and the hashpath that leads to it.
type at struct {
	value  message.Value
	path   *device.Hashpath
	sound  bool // the path says all that the value depends on
	fixed  bool // the value follows from what was asked, while holds says so if it is not nil
	holds  func(context.Context) bool
	status device.Status
}

// Run takes a base through steps, within the call of the frame.
func (f *frame) Run(ctx context.Context, base message.Value, steps []device.Step, how device.How) (device.Result, error) {
	if how.CacheControl == "" {
		how.CacheControl = f.how.CacheControl
	}
	how.IgnoreHashpath = how.IgnoreHashpath || f.how.IgnoreHashpath
	now := at{value: base, status: device.OK}
	if base == nil {
		if len(steps) == 0 {
			return device.Result{Value: message.Message{}, Status: device.OK}, nil
		}
		var err error
		if now, steps, err = f.begin(ctx, steps, how); err != nil {
			return device.Result{}, err
		}
	}
	for len(steps) > 0 {
		step, rest := first(steps)
		next, consumed, err := f.step(ctx, now, step, rest, how)
		if err != nil {
			o, is := device.OutcomeOf(err)
			if !is || o.Status >= device.Failed || o.Status < device.OK && len(rest) == 0 {
				return device.Result{Status: device.StatusOf(err)}, err
			}
			next = at{value: o.Value, status: max(o.Status, device.OK)}
		}
		now, steps = next, rest[min(consumed, len(rest)):]
	}
	if now.value == nil {
		now.value = message.Message{}
	}
	return device.Result{Value: now.value, Status: now.status, Hashpath: now.path}, nil
}

// Parse is the function of this name.
func (f *frame) Parse(path string, keys message.Message) ([]device.Step, error) {
	return Parse(path, keys)
}

// begin makes the base of what the first step says, and gives the steps that are left.
func (f *frame) begin(ctx context.Context, steps []device.Step, how device.How) (at, []device.Step, error) {
	if err := f.count(); err != nil {
		return at{}, nil, err
	}
	s, rest := steps[0], steps[1:]
	if s.Sub != nil {
		res, err := f.Run(ctx, nil, s.Sub, how)
		return at{value: res.Value, path: res.Hashpath, status: device.OK}, rest, err
	}
	req, err := f.arguments(ctx, s, how)
	if err != nil {
		return at{}, nil, err
	}
	if s.Target != "" {
		v, err := f.read(ctx, s.Target)
		if err != nil {
			return at{}, nil, err
		}
		if req.Len() > 0 || s.As != "" {
			m := asMessage(v)
			for key, value := range req.All() {
				m = set(m, key, value)
			}
			v = under(m, s.As)
		}
		return at{value: v, status: device.OK}, rest, nil
	}
	if s.As != "" && req.Text(keyPath) != "" { // a key asked of a device: the base is what came with the request
		return at{value: req.Without(keyPath), status: device.OK}, append([]device.Step{{As: s.As, Request: req}}, rest...), nil
	}
	return at{value: under(req, s.As), status: device.OK}, rest, nil
}

// arguments gives the request of a step with the paths among its keys resolved.
func (f *frame) arguments(ctx context.Context, s device.Step, how device.How) (message.Message, error) {
	req := s.Request
	for _, a := range s.Args {
		res, err := f.Run(ctx, nil, a.Steps, how)
		if err != nil {
			return req, err
		}
		req = set(req, a.Key, res.Value)
	}
	return req, nil
}

// step applies one step to where the resolution stands.
func (f *frame) step(ctx context.Context, now at, s device.Step, rest []device.Step, how device.How) (at, int, error) {
	if err := ctx.Err(); err != nil {
		return at{}, 0, overtime(err)
	}
	if err := f.count(); err != nil {
		return at{}, 0, err
	}
	req, err := f.request(ctx, s, how)
	if err != nil {
		return at{}, 0, err
	}
	key := req.Text(keyPath)
	base, err := f.toBase(ctx, now.value, key)
	if err != nil {
		return at{}, 0, err
	}
	if s.As != "" {
		if seen := under(base, s.As); !sameDevice(seen, base) {
			base, now.path = seen, nil
		}
		now.value = base
	}
	if key == "" {
		return now, 0, nil
	}
	return f.ask(ctx, &question{frame: f, now: now, base: base, req: req, by: s.By, key: key, rest: rest, how: how})
}

// count holds the steps of the request against their limit.
func (f *frame) count() error {
	if n := f.steps.Add(1); n > int64(f.limits.Steps) {
		return fault.New(fault.Looped, "resolve-too-many-steps", "the request took more than %d steps", f.limits.Steps)
	}
	return nil
}

// request is what the step asks for: its own request, or what the parentheses that stand for it give.
func (f *frame) request(ctx context.Context, s device.Step, how device.How) (message.Message, error) {
	if s.Sub != nil {
		res, err := f.Run(ctx, nil, s.Sub, how)
		if err != nil {
			return message.Message{}, err
		}
		if m, ok := res.Value.(message.Message); ok {
			return m, nil
		}
		text, ok := device.Text(res.Value)
		if !ok {
			return message.Message{}, fault.New(fault.Malformed, "key-malformed", "parentheses within a path give a key or a message, not a %s", device.KindOf(res.Value))
		}
		return device.Ask(text).Request, nil
	}
	req, err := f.arguments(ctx, s, how)
	if s.Target != "" {
		req = req.With(keyPath, message.Bytes(s.Target))
	}
	return req, err
}

// toBase makes a message of what a step is applied to: a list is the message of its members, an id the message it stands for, and
// other values have nothing to ask for.
func (f *frame) toBase(ctx context.Context, v message.Value, key string) (message.Message, error) {
	switch b := v.(type) {
	case message.Message:
		return b, nil
	case message.List:
		return device.Numbered(b), nil
	case message.Link:
		loaded, err := f.read(ctx, b.To.String())
		if err != nil {
			return message.Message{}, err
		}
		return asMessage(loaded), nil
	case message.Bytes:
		if isID(string(b)) {
			loaded, err := f.read(ctx, string(b))
			if err != nil {
				return message.Message{}, err
			}
			return asMessage(loaded), nil
		}
	}
	return asMessage(v), nil
}

// asMessage is a value as a message: what is no message or list stands in its body.
func asMessage(v message.Value) message.Message {
	switch v := v.(type) {
	case nil:
		return message.Message{}
	case message.Message:
		return v
	case message.List:
		return device.Numbered(v)
	}
	return message.New(message.Field{Key: message.KeyBody, Value: v})
}

// under gives a message with the device it is to be seen under.
func under(m message.Message, name string) message.Message {
	if name == "" || m.Text(keyDevice) == name {
		return m
	}
	return m.With(keyDevice, message.Bytes(name))
}

func sameDevice(a, b message.Message) bool { return a.Text(keyDevice) == b.Text(keyDevice) }

const keyDevice = "device"

// read gives what is kept under an id.
func (f *frame) read(ctx context.Context, path string) (message.Value, error) {
	c := device.Call{Context: ctx, Node: f.node}
	began := f.now()
	v, err := c.Read(path)
	f.explain.add(Stage{Depth: f.depth, Name: "read", Key: path, Total: f.since(began), Error: codeOf(err)})
	return v, err
}

func overtime(err error) error {
	return fault.Wrap(err, fault.Unavailable, "resolve-given-up", "the request was given up or took too long")
}
