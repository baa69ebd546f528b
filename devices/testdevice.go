package devices

import (
	"strings"
	"time"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// TestDevice is what processes of tests run on.
var _ = device.Register(device.Device{
	Name: "test-device@1.0",
	Doc:  "answers in ways that tests can foretell: as the execution device of a process it notes the slots that it has seen",
	Keys: device.Keys{
		"info":        {Doc: "what the device is for, and how many keys", Do: testInfo},
		"test-func":   {Doc: "GOOD_FUNCTION", Do: testText("GOOD_FUNCTION")},
		"index":       {Doc: "a page", Do: testIndex},
		"load":        {Doc: "the message", Do: testSame},
		"init":        {Doc: "the message with already-seen set to no slots", Do: testInit},
		"compute":     {Doc: "the message with the slot of the assignment noted in results/assignment-slot and first in already-seen", Do: testCompute},
		"restore":     {Doc: "the message with the key started-state", Do: testRestore},
		"normalize":   {Doc: "the message", Do: testSame},
		"snapshot":    {Doc: "an empty message: all of the state is in the message", Do: testSnapshot},
		"postprocess": {Doc: "the body of the request", Do: testPostprocess},
		"mul": {Doc: "the message with results of the product of two numbers", Do: testMul,
			Inputs: []device.Input{{Name: "args", Doc: "the two numbers", Type: device.TypeList, Max: 2}}},
		"delay": {Doc: "the message, or what `return` holds, after a time", Do: testDelay,
			Inputs: []device.Input{{Name: "duration", Doc: "in milliseconds, up to 10000; 750 is the default", Type: device.TypeInt}}},
	},
	Examples: []device.Example{
		{Path: "/~test-device@1.0/test_func", Want: "GOOD_FUNCTION"},
		{Path: "/~test-device@1.0/compute&slot+integer=4/already-seen", Want: "[4]"},
	},
})

const (
	testDelayDefault = 750
	testDelayMax     = 10_000 // ms
	testSeenMax      = 10_000 // slots in already-seen
)

func testText(text string) device.Func {
	return func(*device.Call, message.Message, message.Message) (message.Value, error) {
		return message.Bytes(text), nil
	}
}

func testSame(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil }

func testInfo(c *device.Call, _, _ message.Message) (message.Value, error) {
	d, _ := c.Node.Registry.Find(c.Device)
	return d.Describe(), nil
}

func testIndex(_ *device.Call, base, _ message.Message) (message.Value, error) {
	name := base.Text("name")
	if name == "" {
		name = "turtles"
	}
	text := "i like " + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(name) + "!"
	return message.New(
		message.Field{Key: message.KeyContentType, Value: message.Bytes("text/html")},
		message.Field{Key: message.KeyBody, Value: message.Bytes(text)}), nil
}

func testInit(_ *device.Call, base, _ message.Message) (message.Value, error) {
	return base.With("already-seen", message.List{}), nil
}

func testCompute(_ *device.Call, base, req message.Message) (message.Value, error) {
	v, ok := req.Get("slot")
	if !ok {
		return nil, fault.New(fault.Malformed, "argument-missing", "an assignment has a slot")
	}
	slot, ok := device.Whole(v)
	if !ok {
		return nil, fault.New(fault.Malformed, "argument-malformed", "slot has to be a whole number")
	}
	before, _ := base.Get("already-seen")
	seen := message.List{message.Int(slot)}
	for _, old := range device.Items(before) {
		if len(seen) < testSeenMax {
			seen = append(seen, old)
		}
	}
	results := message.New(message.Field{Key: "assignment-slot", Value: message.Int(slot)})
	return base.With("already-seen", seen).With("results", results).With("random-key", message.Bytes("random-value")), nil
}

func testRestore(_ *device.Call, base, _ message.Message) (message.Value, error) {
	if _, ok := base.Get("already-seen"); !ok {
		return nil, device.Absent("already-seen")
	}
	return base.With("started-state", message.Atom("true")), nil
}

func testSnapshot(*device.Call, message.Message, message.Message) (message.Value, error) {
	return message.Message{}, nil
}

func testPostprocess(_ *device.Call, _, req message.Message) (message.Value, error) {
	if v, ok := req.Get(message.KeyBody); ok {
		return v, nil
	}
	return nil, device.Absent(message.KeyBody)
}

func testMul(_ *device.Call, base, req message.Message) (message.Value, error) {
	v, _ := device.First("args", req, base)
	args := device.Items(v)
	if len(args) != 2 {
		return nil, fault.New(fault.Malformed, "argument-missing", "mul needs two numbers in args")
	}
	a, ok := device.Whole(args[0])
	b, also := device.Whole(args[1])
	if !ok || !also {
		return nil, fault.New(fault.Malformed, "argument-malformed", "args have to be whole numbers")
	}
	if p := a * b; a == 0 || p/a == b && !(a == -1 && b == -1<<63) {
		return base.With("results", message.List{message.Int(p)}), nil
	}
	return nil, fault.New(fault.TooLarge, "product-too-large", "the product does not fit in 64 bits")
}

func testDelay(c *device.Call, base, req message.Message) (message.Value, error) {
	ms := int64(testDelayDefault)
	if v, ok := req.Get("duration"); ok {
		ms, _ = device.Whole(v)
	}
	if ms > testDelayMax {
		return nil, fault.New(fault.TooLarge, "argument-too-large", "duration is up to %d ms", testDelayMax)
	}
	wait, stop := c.Clock().After(time.Duration(max(ms, 0)) * time.Millisecond)
	defer stop()
	select {
	case <-wait:
	case <-c.Done():
		return nil, fault.Wrap(c.Err(), fault.Unavailable, "resolve-given-up", "the request was given up or took too long")
	}
	if v, ok := device.First("return", req, base); ok {
		return v, nil
	}
	return base, nil
}
