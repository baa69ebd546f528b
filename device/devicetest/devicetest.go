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
	t.Run("examples", s.examples)
	t.Run("unknown keys", s.unknown)
	t.Run("any arguments", s.arguments)
}

func (s Subject) examples(t *testing.T) {
	if len(s.Device.Examples) == 0 {
		t.Error("a device shows at least one example")
	}
	for _, e := range s.Device.Examples {
		if e.Needs != "" {
			continue
		}
		runner := s.Runner(s.Node)
		steps, err := runner.Parse(e.Path, message.Message{})
		if err != nil {
			t.Errorf("%s: %v", e.Path, err)
			continue
		}
		var base message.Value
		if e.Base.Len() > 0 {
			base = e.Base
		}
		r, err := runner.Run(t.Context(), base, steps, device.How{})
		if err != nil {
			t.Errorf("%s: %v", e.Path, err)
			continue
		}
		if got := Show(r.Value); got != e.Want {
			t.Errorf("%s answers %s, the example says %s", e.Path, got, e.Want)
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

func (s Subject) unknown(t *testing.T) {
	if s.Device.Default != nil || s.Device.Handler != nil {
		t.Skip("answers every key")
	}
	base := message.New(message.Field{Key: "device", Value: message.Bytes(s.Device.Name)})
	_, err := s.Runner(s.Node).Run(t.Context(), base, []device.Step{device.Ask("no-such-key")}, device.How{})
	if !device.IsNotFound(err) {
		t.Errorf("an unknown key ends with %v, not with NotFound", err)
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

func (s Subject) arguments(t *testing.T) {
	keys := []string{"no-such-key"}
	for key := range s.Device.Keys { // sorted below
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		do, k, ok := s.Device.Find(key)
		if !ok {
			continue
		}
		for _, req := range requests(key, k) {
			for _, base := range append([]message.Message{message.New()}, s.Bases...) {
				s.try(t, do, key, base.With("device", message.Bytes(s.Device.Name)), req)
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

func (s Subject) try(t *testing.T, do device.Func, key string, base, req message.Message) {
	t.Helper()
	before, asked := clone(base), clone(req)
	first, err := s.call(t, do, key, base, req)
	if !message.Equal(base, before) || !message.Equal(req, asked) {
		t.Errorf("%s changes what it is given: base %v, request %v", key, before, asked)
	}
	if _, is := device.OutcomeOf(err); err != nil && !is && fault.KindOf(err) == fault.Internal {
		t.Errorf("%s reports a defect of the node for a bad argument: %v (request %.300v)", key, err, req)
	}
	if s.Effects {
		return
	}
	second, again := s.call(t, do, key, base, req)
	if fault.CodeOf(err) != fault.CodeOf(again) || device.StatusOf(err) != device.StatusOf(again) || err == nil && !same(first, second) {
		t.Errorf("%s answers %.300v, then %.300v (%v, %v)", key, first, second, err, again)
	}
}

func same(a, b message.Value) bool {
	return a == nil && b == nil || a != nil && b != nil && message.Equal(a, b)
}

// call asks through the resolver, which checks the arguments first, or calls the function itself for a key that only it names.
func (s Subject) call(t *testing.T, do device.Func, key string, base, req message.Message) (v message.Value, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if do == nil {
		t.Fatalf("%s has no function", key)
	}
	r, err := s.Runner(s.Node).Run(ctx, base, []device.Step{{Request: req}}, device.How{CacheControl: "no-store, no-cache"})
	if ctx.Err() != nil {
		t.Fatalf("%s takes longer than %v", key, patience)
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
