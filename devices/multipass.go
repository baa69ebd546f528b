package devices

import (
	"ago/device"
	"ago/message"
)

// Multipass lets a stack run several times over one message.
var _ = device.Register(device.Device{
	Name:       "multipass@1.0",
	Doc:        "begins a stack of devices again until it has made as many passes as the message says",
	Default:    multipass,
	DefaultKey: device.Key{Doc: "the message; in a stack, before its last pass, the next pass instead"},
	Examples:   []device.Example{{Path: "/~multipass@1.0&a=b/compute", Want: `{"a":"b","device":"multipass@1.0"}`}},
})

func multipass(_ *device.Call, base, _ message.Message) (message.Value, error) {
	passes, pass := whole(base, "passes", 1), whole(base, "pass", 1)
	if pass < passes {
		return nil, device.Pass(base)
	}
	return base, nil
}
