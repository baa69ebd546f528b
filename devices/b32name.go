package devices

import (
	"encoding/base32"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// B32Name writes ids so that they can be parts of host names, where letters have no case.
var _ = device.Register(device.Device{
	Name:         "b32-name@1.0",
	Doc:          "turns ids into names of 52 letters without case, as host names have them, and back",
	CacheControl: "no-store, no-cache",
	Default:      b32Name,
	DefaultKey:   device.Key{Doc: "the id that a name of 52 letters stands for, or the name of an id"},
	Keys: device.Keys{"lookup": {Doc: "as the key itself", Do: b32NameLookup,
		Inputs: []device.Input{{Name: "key", Doc: "the name, or the id", Type: device.TypeText, Max: 64, Required: true}}}},
	Examples: []device.Example{{Path: "/~b32-name@1.0/lookup&key=qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk", Want: "vkbkzf4vzerdsc7naipvc43jszdwd32xkm4v2zss2p3w7bnfzteq"}},
})

const b32Length = 52

func b32Name(c *device.Call, _, _ message.Message) (message.Value, error) { return b32Turn(c.Key) }

func b32NameLookup(_ *device.Call, base, req message.Message) (message.Value, error) {
	return b32Turn(first("key", req, base))
}

func b32Turn(text string) (message.Value, error) {
	letters := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	if id, err := message.ParseID(text); err == nil {
		return message.Bytes(letters.EncodeToString(id[:])), nil
	}
	if len(text) != b32Length {
		return nil, device.Absent(text)
	}
	raw, err := letters.DecodeString(text)
	if err != nil || letters.EncodeToString(raw) != text {
		return nil, fault.New(fault.NotFound, "key-absent", "%.60q is no name of an id", text).WithHint("an id is 52 letters from a to z and 2 to 7")
	}
	return message.Bytes(message.ID(raw).String()), nil
}
