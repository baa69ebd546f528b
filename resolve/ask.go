package resolve

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// A question is one key asked of a message, on its way through the stages: device, cache, flight, call, cache.
type question struct {
	*frame   // who asks
	now      at
	base     message.Message
	req      message.Message
	by       string // the device whose key is asked, "" for that of the base
	key      string
	rest     []device.Step
	how      device.How
	device   *device.Device
	do       device.Func
	doc      device.Key
	path     *device.Hashpath // of the answer
	sound    bool             // the path of the answer says all that the answer depends on
	policy   policy
	promised bool   // by the device, of all answers of the key
	name     string // the answer is kept under it; "" if it is not
	stage    Stage
}

// ask answers a key of a message by its device.
func (f *frame) ask(ctx context.Context, q *question) (at, int, error) {
	began := f.now()
	next, consumed, err := q.answer(ctx)
	f.depends(next, err == nil && next.fixed || err != nil && q.promised)
	if f.timed {
		q.report(next, err, f.since(began))
	}
	return next, consumed, err
}

func (q *question) answer(ctx context.Context) (at, int, error) {
	if err := q.dispatch(); err != nil {
		return at{}, 0, err
	}
	if err := q.doc.Check(q.base, q.req); err != nil {
		return at{}, 0, err
	}
	if !q.how.IgnoreHashpath && q.by == "" { // which device was asked is not in the path

		q.path = q.now.path.Extend(q.now.value, q.req)
	}
	q.decide(ctx)
	if v, ok := q.lookup(ctx); ok {
		return v, 0, nil
	}
	if q.policy.only {
		return at{}, 0, device.End(device.NotCached, notCached)
	}
	name := q.flightName(ctx)
	if name == "" {
		return q.run(ctx)
	}
	return q.flights.share(ctx, q, name)
}

var notCached = message.New(
	message.Field{Key: "status", Value: message.Int(device.NotCached)},
	message.Field{Key: "cache-status", Value: message.Bytes("miss")},
	message.Field{Key: "body", Value: message.Bytes("Computed result not available in cache.")})

// dispatch finds the function that answers: that of the message's device, or that of message@1.0.
func (q *question) dispatch() error {
	name, err := q.deviceName()
	if err != nil {
		return err
	}
	d, ok := q.node.Registry.Find(name)
	if !ok {
		return unknownDevice(name)
	}
	if q.do, q.doc, ok = d.Find(q.key); !ok {
		if d, ok = q.node.Registry.Find(device.Default); !ok {
			return unknownDevice(device.Default)
		}
		if q.do, q.doc, ok = d.Find(q.key); !ok {
			return device.Absent(q.key)
		}
	}
	q.device = d
	return nil
}

func (q *question) deviceName() (string, error) {
	if q.by != "" {
		return q.by, nil
	}
	v, ok := q.base.Get(keyDevice)
	if !ok {
		return device.Default, nil
	}
	name, ok := device.Text(v)
	if !ok {
		return "", fault.New(fault.Unsupported, "device-not-loadable", "a device is named here, not given as a %s", device.KindOf(v)).
			WithHint("use lua@5.3a with a module for functions of your own")
	}
	if name == "" {
		return device.Default, nil
	}
	return name, nil
}

func unknownDevice(name string) error {
	if isID(name) {
		return fault.New(fault.Unsupported, "device-not-loadable", "devices that are published under an id are not run here: %s", name)
	}
	return fault.New(fault.Unsupported, "device-unknown", "this node has no device %.100q", name).
		WithHint("its version belongs to the name, as in process@1.0")
}

// run makes the call.
func (q *question) run(ctx context.Context) (next at, consumed int, err error) {
	if err := q.mayCall(); err != nil {
		return at{}, 0, err
	}
	inner := &frame{trail: q.trail, parent: q.frame, depth: q.depth + 1, how: q.how, device: q.device, key: q.key, base: q.base, req: q.req}
	c := q.prepare(ctx, inner)
	began := q.frame.now()
	v, err := q.invoke(c)
	q.stage.Took = append(q.stage.Took, Timing{"call", q.since(began)})
	looked, consumed := c.Looked()
	if o, ok := device.OutcomeOf(err); ok && o.Status < device.OK {
		return at{}, consumed, err // how a stack of devices goes on is for the stack to see
	}
	v, status, err := device.Settle(v, err)
	if err != nil {
		return at{}, consumed, err
	}
	if link, ok := v.(message.Link); ok {
		if v, err = q.read(ctx, link.To.String()); err != nil {
			return at{}, consumed, err
		}
	}
	next = at{value: v, path: q.path, sound: q.sound && !looked, fixed: q.promised, status: status}
	if promised, while := c.Promised(); promised && !inSession(ctx) {
		next.fixed, next.holds = true, while
	}
	if looked || status != device.OK {
		q.name = ""
	}
	if status != device.OK { // what was made once is not what the path leads to
		next.path, next.sound = nil, false
	}
	q.keep(ctx, next)
	return next, consumed, nil
}

// prepare makes the call that a function of the device is given.
func (q *question) prepare(ctx context.Context, inner *frame) *device.Call {
	c := &inner.call
	*c = device.Call{Context: ctx, Key: q.key, Device: q.device.Name, Node: q.node, Runner: inner, Hashpath: q.now.path, Base: q.now.value, Origin: q.origin}
	c.SetRest(q.rest)
	return c
}

// invoke calls the function; one that panics fails as a defect of the node, and nothing else does.
func (q *question) invoke(c *device.Call) (v message.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v = nil
			err = fault.Wrap(fmt.Errorf("%v\n%s", r, debug.Stack()), fault.Internal, "device-failed", "%s failed at %s", c.Device, c.Key)
		}
	}()
	return q.do(c, q.base, q.req)
}

// identicalFrom is how deep calls go before they are compared with those they are within: a comparison costs as much as the
// messages are large, and few requests come here.
const identicalFrom = 8

// mayCall holds the call against the limits: how deep it is, and whether the very same one is under way above it.
func (q *question) mayCall() error {
	if q.depth >= q.limits.Depth {
		return fault.New(fault.Looped, "resolve-too-deep", "%s/%s is asked %d calls deep", q.device.Name, q.key, q.depth)
	}
	if q.depth < identicalFrom {
		return nil
	}
	for p := q.frame; p != nil; p = p.parent {
		if p.device == q.device && p.key == q.key && message.Equal(p.req, q.req) && message.Equal(p.base, q.base) {
			return fault.New(fault.Looped, "resolve-loop", "%s/%s asks for itself", q.device.Name, q.key)
		}
	}
	return nil
}

// report tells who watches.
func (q *question) report(next at, err error, took time.Duration) {
	name := device.Default
	if q.device != nil {
		name = q.device.Name
	}
	if q.node.Observe != nil {
		q.node.Observe(device.Event{Device: name, Key: q.key, Took: took, Cached: q.stage.Cached, Err: err})
	}
	if q.explain == nil {
		return
	}
	s := q.stage
	s.Depth, s.Name, s.Device, s.Key, s.Total, s.Error = q.depth, "call", name, q.key, took, codeOf(err)
	s.Status = int(device.StatusOf(err))
	if err == nil {
		s.Status = int(next.status)
		s.Hashpath, _ = next.path.Text()
	}
	q.explain.add(s)
}
