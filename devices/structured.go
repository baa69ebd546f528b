package devices

import (
	"ago/codec/structured"
	"ago/device"
	"ago/message"
)

// Structured is the form that every encoding starts from: texts, with a note of which are numbers, atoms and lists.
var _ = device.Register(device.Device{
	Name: structured.Codec,
	Doc:  "turns typed values into texts with a note of their types, and back",
	Keys: codecByHTTP(device.Keys{
		"to":   {Doc: "the message with the values that its texts and its key ao-types stand for", Do: structuredTo, CacheControl: "no-store, no-cache"},
		"from": {Doc: "the message as texts, with ao-types saying what they stand for", Do: structuredFrom, CacheControl: "no-store, no-cache"},
	}),
	Examples: []device.Example{{Path: "/~structured@1.0&n+integer=1/from", Want: `{"ao-types":"n=\"integer\"","device":"structured@1.0","n":"1"}`}},
})

func structuredTo(c *device.Call, base, _ message.Message) (message.Value, error) {
	if err := codecReads(c, base); err != nil {
		return nil, err
	}
	return structured.Decode(base, structured.GenB)
}

func structuredFrom(c *device.Call, base, _ message.Message) (message.Value, error) {
	if err := codecReads(c, base); err != nil {
		return nil, err
	}
	return structured.Encode(base, structured.GenB, message.Nested), nil
}
