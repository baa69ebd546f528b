package devices_test

import (
	"bytes"
	"context"
	"testing"

	"ago/clock"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/device/devicetest"
	"ago/fault"
	"ago/message"
	"ago/resolve"
	"time"
)

// kept checks that a device keeps the rules of all devices, on a node with a key.
func kept(t *testing.T, name string, node *device.Node, effects bool, bases ...message.Message) {
	t.Helper()
	d, ok := device.All().Find(name)
	if !ok {
		t.Fatalf("%s is not registered", name)
	}
	devicetest.Run(t, devicetest.Subject{Device: d, Node: node, Runner: resolver, Effects: effects, Bases: bases})
}

func texts(pairs ...string) message.Message {
	var fs []message.Field
	for i := 0; i < len(pairs); i += 2 {
		fs = append(fs, field(pairs[i], message.Bytes(pairs[i+1])))
	}
	return message.New(fs...)
}

func newKey(t *testing.T, seed byte) *commitment.Key {
	t.Helper()
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// plainNode has a key, a clock that stands and no settings.
func plainNode(t *testing.T) *device.Node {
	return &device.Node{Registry: device.All(), Key: newKey(t, 7), Clock: clock.NewPaused(time.UnixMilli(1_700_000_000_000))}
}

func signed(t *testing.T, m message.Message, k *commitment.Key) message.Message {
	t.Helper()
	out, err := httpsig.Commit(m, k, httpsig.Terms{Nesting: message.Nested})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// asked is what a request with a path and keys ends with.
func asked(t *testing.T, node *device.Node, path string, keys message.Message) (message.Value, error) {
	t.Helper()
	return askedBy(t.Context(), node, path, keys)
}

func askedBy(ctx context.Context, node *device.Node, path string, keys message.Message) (message.Value, error) {
	res, err := resolve.New(node, resolve.Limits{}).Resolve(ctx, resolve.Request{Path: path, Keys: keys})
	return res.Value, err
}

// said is an answer as text: its code after ! for an error.
func said(v message.Value, err error) string {
	if err == nil {
		return devicetest.Show(v)
	}
	if o, ok := device.OutcomeOf(err); ok {
		return "!" + o.Error()
	}
	return "!" + fault.CodeOf(err)
}
