// Package devicetest holds what every device has to keep to: call Run from the device's own test.
package devicetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ago/codec/json"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Subject is a device with what it takes to call it.
type Subject struct {
	Device *device.Device
	Node   *device.Node
	// Runner makes the resolver of a node.
	Runner func(*device.Node) device.Runner
	// Bases are messages of the kind that the device works on; the empty message is always tried.
	Bases []message.Message
	// Effects tells that a call changes something beyond its answer, so that two need not answer alike.
	Effects bool
}

// patience bounds one call: far beyond what any bounded one takes, so that only one without bounds reaches it.
const patience = 20 * time.Second

// Run checks the device: its examples are true, it leaves its input alone, it answers the same twice, it fails by the rules for
// keys it does not know, and no argument makes it panic, hang or report a defect of the node.
func Run(t *testing.T, s Subject) {
	t.Helper()
	for _, p := range s.Problems(t.Context()) {
		t.Error(p)
	}
}

// Problems lists the rules that the device breaks, and how.
func (s Subject) Problems(ctx context.Context) []string {
	c := &check{Subject: s, ctx: ctx}
	c.examples()
	c.unknown()
	c.arguments()
	return c.problems
}

// check is one run of the suite.
type check struct {
	Subject
	ctx      context.Context
	problems []string
}

// problem notes one; a device that breaks a rule at every argument is not listed for ever.
func (c *check) problem(format string, args ...any) {
	if len(c.problems) < 20 {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

func (c *check) examples() {
	if len(c.Device.Examples) == 0 {
		c.problem("a device shows at least one example")
	}
	for _, e := range c.Device.Examples {
		if e.Needs != "" {
			continue
		}
		runner := c.Runner(c.Node)
		steps, err := runner.Parse(e.Path, message.Message{})
		if err != nil {
			c.problem("%s: %v", e.Path, err)
			continue
		}
		var base message.Value
		if e.Base.Len() > 0 {
			base = e.Base
		}
		r, err := runner.Run(c.ctx, base, steps, device.How{})
		if err != nil {
			c.problem("%s: %v", e.Path, err)
			continue
		}
		if got := Show(r.Value); got != e.Want {
			c.problem("%s answers %s, the example says %s", e.Path, got, e.Want)
		}
	}
}

// Show writes a value as examples do: texts and numbers as they are, messages and lists as JSON.
func Show(v message.Value) string {
	switch v := v.(type) {
	case message.Float:
		return fmt.Sprint(float64(v))
	case message.List:
		text, err := json.Encode(message.New(message.Field{Key: "list", Value: v}))
		if err != nil {
			return err.Error()
		}
		return strings.TrimSuffix(strings.TrimPrefix(string(text), `{"list":`), "}")
	case message.Message:
		text, err := json.Encode(v.Without("priv"))
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	text, ok := device.Text(v)
	if !ok {
		return fmt.Sprintf("%v", v)
	}
	return text
}

func (c *check) unknown() {
	if c.Device.Default != nil || c.Device.Handler != nil {
		return // answers every key
	}
	base := message.New(message.Field{Key: "device", Value: message.Bytes(c.Device.Name)})
	_, err := c.Runner(c.Node).Run(c.ctx, base, []device.Step{device.Ask("no-such-key")}, device.How{})
	if !device.IsNotFound(err) {
		c.problem("an unknown key ends with %v, not with NotFound", err)
	}
}

// hostile are values that somebody may send for any argument.
func hostile() []message.Value {
	deep := message.New()
	for range 200 {
		deep = message.New(message.Field{Key: "a", Value: deep})
	}
	wide := make(message.List, 20000)
	for i := range wide {
		wide[i] = message.Int(i)
	}
	return []message.Value{
		message.Bytes(""), message.Bytes("x"), message.Bytes("-1"), message.Bytes("99999999999999999999"), message.Bytes("\x00\xff\r\n"),
		message.Bytes("../../etc"), message.Bytes("/a/b/(c"), message.Bytes(strings.Repeat("a", 1<<20)), message.Bytes(strings.Repeat("a,", 1<<16)),
		message.Int(-1 << 63), message.Int(1<<63 - 1), message.BigInt("123456789012345678901234567890"), message.Float(-1.5),
		message.Atom("true"), message.Atom("undefined"), message.List{}, wide, message.New(), deep,
		message.Link{To: message.HashOf([]byte("absent"))},
	}
}

func (c *check) arguments() {
	keys := []string{"no-such-key"}
	for key := range c.Device.Keys { // sorted below
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		_, k, ok := c.Device.Find(key)
		if !ok {
			continue
		}
		for _, req := range requests(key, k) {
			for _, base := range append([]message.Message{message.New()}, c.Bases...) {
				c.try(key, base.With("device", message.Bytes(c.Device.Name)), req)
			}
		}
	}
}

// requests are calls of a key without arguments, and with each of its inputs hostile.
func requests(key string, k device.Key) []message.Message {
	plain := message.New(message.Field{Key: "path", Value: message.Bytes(key)})
	out := []message.Message{plain}
	for _, in := range k.Inputs {
		for _, v := range hostile() {
			out = append(out, plain.With(in.Name, v))
		}
	}
	return out
}

func (c *check) try(key string, base, req message.Message) {
	before, asked := clone(base), clone(req)
	first, err := c.call(key, base, req)
	if !message.Equal(base, before) || !message.Equal(req, asked) {
		c.problem("%s changes what it is given: base %.300v, request %.300v", key, before, asked)
	}
	if _, is := device.OutcomeOf(err); err != nil && !is && fault.KindOf(err) == fault.Internal {
		c.problem("%s reports a defect of the node for a bad argument: %.600v (request %.300v)", key, err, req)
	}
	if c.Effects {
		return
	}
	second, again := c.call(key, base, req)
	if fault.CodeOf(err) != fault.CodeOf(again) || device.StatusOf(err) != device.StatusOf(again) || err == nil && !same(first, second) {
		c.problem("%s answers %.300v, then %.300v (%v, %v)", key, first, second, err, again)
	}
}

func same(a, b message.Value) bool {
	return a == nil && b == nil || a != nil && b != nil && message.Equal(a, b)
}

// call asks through the resolver, which checks the arguments first.
func (c *check) call(key string, base, req message.Message) (message.Value, error) {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	r, err := c.Runner(c.Node).Run(ctx, base, []device.Step{{Request: req}}, device.How{CacheControl: "no-store, no-cache"})
	if ctx.Err() != nil {
		c.problem("%s takes longer than %v (request %.300v)", key, patience, req)
	}
	return r.Value, err
}

// clone copies a value down to what could be changed in place.
func clone(v message.Value) message.Value {
	switch v := v.(type) {
	case message.List:
		out := make(message.List, len(v))
		for i, member := range v {
			out[i] = clone(member)
		}
		return out
	case message.Message:
		var fs []message.Field
		for key, member := range v.All() {
			fs = append(fs, message.Field{Key: key, Value: clone(member)})
		}
		return message.New(fs...)
	}
	return v
}
