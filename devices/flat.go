package devices

import (
	"ago/codec/flat"
	"ago/device"
	"ago/message"
)

// Flat writes messages as lines of paths and values.
var _ = device.Register(device.Device{
	Name:         flat.Codec,
	Doc:          "writes a message as paths with texts, as configuration files have them, and reads it",
	CacheControl: "no-store, no-cache",
	Keys: codecByHTTP(device.Keys{
		"to":          {Doc: "the message with one key for each text in it, named by the path to it", Do: flatTo},
		"from":        {Doc: "the message whose keys are nested by their slashes", Do: flatFrom},
		"serialize":   {Doc: "the message as lines `path: value`", Do: flatSerialize},
		"deserialize": {Doc: "the message that lines `path: value` stand for; 404 without any", Do: flatDeserialize, Inputs: []device.Input{codecTarget}},
	}),
	Examples: []device.Example{
		{Path: "/~message@1.0&a=1&b=2/~flat@1.0/serialize", Want: "a: 1\nb: 2\ndevice: flat@1.0"},
		{Path: "/~flat@1.0&body=\"x/y: 1\"/deserialize", Want: `{"x":{"y":"1"}}`},
	},
})

func flatTo(c *device.Call, base, _ message.Message) (message.Value, error) {
	if err := c.Charge(func(limit int64) int64 { return flat.Cost(base, limit) }); err != nil {
		return nil, err
	}
	return flat.Encode(base)
}

func flatFrom(c *device.Call, base, _ message.Message) (message.Value, error) {
	if err := codecReads(c, base); err != nil {
		return nil, err
	}
	return flat.Decode(base)
}

func flatSerialize(c *device.Call, base, _ message.Message) (message.Value, error) {
	if err := c.Charge(func(limit int64) int64 { return 2 * flat.Cost(base, limit) }); err != nil {
		return nil, err
	}
	text, err := flat.Serialize(base)
	return message.Bytes(text), err
}

func flatDeserialize(c *device.Call, base, req message.Message) (message.Value, error) {
	text, name, err := codecPayload(c, base, req)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, codecMissing("Flat", name)
	}
	if err := codecReadsText(c, flat.ReadCost, text); err != nil {
		return nil, err
	}
	return flat.Deserialize(text)
}
