package device

import (
	"context"
	"errors"
	"time"

	"ago/budget"
	"ago/clock"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Node is what devices see of the node they run on. It is put together once and not changed while it is in use; other
// settings are another Node.
type Node struct {
	Registry *Registry
	Key      *commitment.Key // signs what the node says; nil on a node that cannot
	Options  message.Message // the settings; keys that begin with priv are for devices only and never shown
	Clock    clock.Clock
	Contents Contents
	// Signers verifies the commitments of a message and says who made them; nil is commitment.VerifyEntries. A node puts one
	// here that remembers.
	Signers func(context.Context, message.Message) ([]commitment.Signer, error)
	// Observe hears of every call of a key when it has ended, for metrics and traces, and of what devices report. It must be
	// quick and safe for concurrent use. Nil hears nothing.
	Observe func(Event)

	services []any
}

// Derive gives a Node to change before it is used: the same settings and services.
func (n *Node) Derive() *Node {
	d := *n
	d.services = append([]any(nil), n.services...)
	return &d
}

// Address is the node's own address, "" without a key.
func (n *Node) Address() string {
	if n.Key == nil {
		return ""
	}
	return n.Key.Address().String()
}

// Option gives a setting; names with _ and - are one.
func (n *Node) Option(name string) (message.Value, bool) {
	if v, ok := n.Options.Get(name); ok {
		return v, true
	}
	return n.Options.Get(swapDashes(name))
}

func swapDashes(name string) string {
	b := []byte(name)
	for i, c := range b {
		switch c {
		case '-':
			b[i] = '_'
		case '_':
			b[i] = '-'
		}
	}
	return string(b)
}

// Event is what happened in a resolution: the call of a key, or something that a device reports.
type Event struct {
	Device, Key string
	Name        string // "" for the call of a key; otherwise what the device calls it
	Took        time.Duration
	Cached      bool // the answer was at hand
	Err         error
	Detail      message.Message
}

// How changes the way in which something is resolved.
type How struct {
	// CacheControl comes before what requests and answers say: "always", "no-store, no-cache", "only-if-cached"... "" says
	// nothing; then what the call that asks was told counts.
	CacheControl string
	// IgnoreHashpath leaves hashpaths alone: for reads that only steer.
	IgnoreHashpath bool
}

// Result is what a resolution gave.
type Result struct {
	Value    message.Value
	Status   Status
	Hashpath *Hashpath // nil where it is ignored, and for answers that no path leads to
	// Fixed tells that every device on the way promised that the answer follows from what was asked alone, so that it is the
	// same whenever it is asked for.
	Fixed bool
	// While, if not nil, tells whether an answer that is not Fixed is still what it was when it was given; nil for what cannot
	// be told.
	While func(context.Context) bool
}

// Runner resolves on behalf of a call: it keeps the limits and the trace of the resolution that the call is part of.
type Runner interface {
	Run(ctx context.Context, base message.Value, steps []Step, how How) (Result, error)
	Parse(path string, keys message.Message) ([]Step, error)
}

// Call is one call of a key: what was asked, and all of the node that a device may use. It is a context, which ends when the
// request is given up or its time is over.
type Call struct {
	context.Context
	Key      string // as it was asked for
	Device   string // the device that answers
	Node     *Node
	Runner   Runner
	Hashpath *Hashpath // of the base; nil if the base is no result
	Base     message.Value
	// Origin is the request as it came, with what was signed, before its path was cut into steps. It is empty where nobody
	// outside asked.
	Origin message.Message

	rest     []Step
	looked   bool
	consumed int
	promised bool
	while    func(context.Context) bool
}

// SetRest tells the call which steps follow it; for resolvers.
func (c *Call) SetRest(rest []Step) { c.rest = rest }

// Rest gives the steps of the path behind this one. An answer that looks ahead is not kept for other paths.
func (c *Call) Rest() []Step {
	c.looked = true
	return c.rest
}

// Consume takes the next n steps as answered with this one.
func (c *Call) Consume(n int) { c.looked, c.consumed = true, min(n, len(c.rest)) }

// Looked tells whether the call looked at what follows, and how many steps of it it answered; for resolvers.
func (c *Call) Looked() (looked bool, consumed int) { return c.looked, c.consumed }

// Promise says of this one answer what CacheControl of a device says of all: that it follows from base, request and the rest of the
// path alone. It does so for ever if while is nil, otherwise as long as that says so, which has to be quick.
func (c *Call) Promise(while func(context.Context) bool) { c.promised, c.while = true, while }

// Promised tells what was promised; for resolvers.
func (c *Call) Promised() (promised bool, while func(context.Context) bool) {
	return c.promised, c.while
}

// Resolve applies requests to a base, one after the other. A path of several keys in a request is walked.
func (c *Call) Resolve(base message.Value, reqs ...message.Message) (message.Value, error) {
	steps := make([]Step, len(reqs))
	for i, r := range reqs {
		steps[i] = Step{Request: r}
	}
	return c.Run(base, steps, How{})
}

// Run takes a base through steps. What ends well gives its value, whatever its status.
func (c *Call) Run(base message.Value, steps []Step, how How) (message.Value, error) {
	r, err := c.Runner.Run(c, base, steps, how)
	return r.Value, err
}

// Path resolves a path by the grammar of requests: "/~meta@1.0/info/address". The keys given go to every step.
func (c *Call) Path(path string, keys message.Message) (message.Value, error) {
	steps, err := c.Runner.Parse(path, keys)
	if err != nil {
		return nil, err
	}
	return c.Run(nil, steps, How{})
}

// As asks a key of another device than the base's own, which stays what it is: codecs, hooks and parts of a stack are called so.
func (c *Call) As(name string, base message.Value, req message.Message) (message.Value, error) {
	return c.Run(base, []Step{{By: name, Request: req}}, How{})
}

// Get reads what a path of keys leads to, to steer by it: no hashpath is made, nothing is kept. It fails with NotFound for
// what is not there.
func (c *Call) Get(base message.Value, path string) (message.Value, error) {
	return c.Run(base, []Step{Ask(path)}, How{CacheControl: "no-store, no-cache", IgnoreHashpath: true})
}

// Load gives what a link leads to, and any other value as it is.
func (c *Call) Load(v message.Value) (message.Value, error) {
	link, ok := v.(message.Link)
	if !ok {
		return v, nil
	}
	return c.Read(link.To.String())
}

// Loader is Load for what works on whole messages: message.Find, message.Merge, message.Bundle.
func (c *Call) Loader() message.Loader {
	return func(l message.Link) (message.Value, error) {
		v, err := c.Load(l)
		if err == nil {
			err = c.Charge(func(limit int64) int64 { return message.Footprint(v, limit) })
		}
		return v, err
	}
}

// Read gives what is kept under an id or a path. It fails with NotFound ("message-absent").
func (c *Call) Read(path string) (message.Value, error) {
	if c.Node.Contents == nil {
		return nil, absent(path)
	}
	v, err := c.Node.Contents.Read(c, path)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return nil, absent(path)
	}
	return v, err
}

func absent(path string) error {
	return fault.New(fault.NotFound, "message-absent", "Necessary messages not found in cache.").
		WithHint("%.100s is not known here: send the message to this node first, or ask a node that has it", path)
}

// Message is Load for a value that has to be a message; a list is the message of its members.
func (c *Call) Message(v message.Value) (message.Message, error) {
	v, err := c.Load(v)
	if err != nil {
		return message.Message{}, err
	}
	switch v := v.(type) {
	case message.Message:
		return v, nil
	case message.List:
		return Numbered(v), nil
	}
	return message.Message{}, fault.New(fault.Malformed, "message-wanted", "a message is wanted here, not a %s", KindOf(v))
}

// KindOf names the kind of a value in words.
func KindOf(v message.Value) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case message.Bytes:
		return "text"
	case message.Int, message.BigInt:
		return "whole number"
	case message.Float:
		return "number"
	case message.Atom:
		return "atom"
	case message.List:
		return "list"
	case message.Link:
		return "link"
	}
	return "message"
}

// Signers verifies the commitments of a message and says who made them; none for a message that nobody signed. One that does
// not hold is an error: Forged.
func (c *Call) Signers(m message.Message) ([]commitment.Signer, error) {
	if c.Node.Signers != nil {
		return c.Node.Signers(c, m)
	}
	return commitment.VerifyEntries(m)
}

// SignedBy tells whether an address is among those who verifiably signed a message.
func (c *Call) SignedBy(m message.Message, address string) (bool, error) {
	signers, err := c.Signers(m)
	for _, s := range signers {
		if s.Address().String() == address || s.ProcessAddress() == address {
			return true, err
		}
	}
	return false, err
}

// Sign commits to a message with the node's key; it fails with Unsupported ("node-has-no-key") without one.
func (c *Call) Sign(m message.Message, t httpsig.Terms) (message.Message, error) {
	if c.Node.Key == nil {
		return m, fault.New(fault.Unsupported, "node-has-no-key", "this node has no key to sign with")
	}
	return httpsig.Commit(m, c.Node.Key, t)
}

// Charge accounts for memory that the call is about to take, on behalf of the request that it is part of: cost tells it, and may
// stop counting at the limit. Within the evaluation of a process it does nothing, since results follow from messages alone. It
// fails as budget.Account.Grow does.
func (c *Call) Charge(cost func(limit int64) int64) error {
	a := budget.Of(c)
	if a == nil || c.Session() != nil {
		return nil
	}
	return a.Grow(cost(a.Limit()))
}

// Event reports something of interest to whoever watches the node.
func (c *Call) Event(name string, detail message.Message) {
	if c.Node.Observe != nil {
		c.Node.Observe(Event{Device: c.Device, Key: c.Key, Name: name, Detail: detail})
	}
}

// Option gives a setting of the node.
func (c *Call) Option(name string) (message.Value, bool) { return c.Node.Option(name) }

// Now is the node's time.
func (c *Call) Now() time.Time { return c.Clock().Now() }

// Clock is what the call waits by.
func (c *Call) Clock() clock.Clock {
	if c.Node.Clock == nil {
		return clock.System{}
	}
	return c.Node.Clock
}

// OutcomeOf finds an Outcome in an error.
func OutcomeOf(err error) (*Outcome, bool) {
	var o *Outcome
	ok := errors.As(err, &o)
	return o, ok
}
