package devices

import (
	"ago/codec/json"
	"ago/device"
	"ago/message"
)

// JSON writes messages for clients that read JSON.
var _ = device.Register(device.Device{
	Name:         json.Codec,
	Doc:          "writes a message as JSON, and reads it",
	CacheControl: "no-store, no-cache",
	Keys: codecByHTTP(device.Keys{
		"to":           {Doc: "the message as JSON", Do: jsonTo, Inputs: jsonInputs},
		"from":         {Doc: "the message that JSON stands for; 404 without any", Do: jsonDeserialize, Inputs: []device.Input{codecTarget}},
		"serialize":    {Doc: "the message as JSON in body, with its content-type", Do: jsonSerialize, Inputs: jsonInputs},
		"deserialize":  {Doc: "the message that JSON stands for; 404 without any", Do: jsonDeserialize, Inputs: []device.Input{codecTarget}},
		"content-type": {Doc: "the media type of what it writes", Do: jsonContentType},
	}),
	Examples: []device.Example{
		{Path: "/~message@1.0&a=1&n+integer=2/~json@1.0/serialize/body", Want: `{"a":"1","device":"json@1.0","n":2}`},
		{Path: `/~json@1.0&body="{%22a%22:[1,2]}"/deserialize/a/2`, Want: "2"},
	},
})

var jsonInputs = []device.Input{{Name: "bundle", Doc: "true writes what is linked in the place of links", Type: device.TypeFlag}}

func jsonText(c *device.Call, base, req message.Message) ([]byte, error) {
	if codecTerms(req).Nesting == message.Nested {
		whole, err := base.Bundle(c.Loader())
		if err != nil {
			return nil, limited(err)
		}
		base = whole
	}
	if err := codecReads(c, base); err != nil {
		return nil, err
	}
	return json.Encode(base)
}

func jsonTo(c *device.Call, base, req message.Message) (message.Value, error) {
	text, err := jsonText(c, base, req)
	return message.Bytes(text), err
}

func jsonSerialize(c *device.Call, base, req message.Message) (message.Value, error) {
	text, err := jsonText(c, base, req)
	if err != nil {
		return nil, err
	}
	return codecTyped(json.ContentType, text), nil
}

func jsonDeserialize(c *device.Call, base, req message.Message) (message.Value, error) {
	text, name, err := codecPayload(c, base, req)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, codecMissing("JSON", name)
	}
	if err := codecReadsText(c, func(text []byte) int64 { return json.ReadCost(text, codecKeysMax) }, text); err != nil {
		return nil, err
	}
	return json.DecodeUpTo(text, codecKeysMax)
}

func jsonContentType(*device.Call, message.Message, message.Message) (message.Value, error) {
	return message.Bytes(json.ContentType), nil
}
