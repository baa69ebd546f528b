package devices

import (
	"ago/device"
	"ago/message"
)

// Whois says who asks and who answers.
var _ = device.Register(device.Device{
	Name: "whois@1.0",
	Doc:  "tells a caller the address that the node sees of it, and the host that the node is known by",
	Keys: device.Keys{
		"echo": {Doc: "the address of whoever asks, as the node sees it; unknown if it does not", Do: whoisEcho},
		"node": {Doc: "the host that the node is known by; 404 if it has not been told one", Do: whoisNode},
	},
	Examples: []device.Example{{Path: "/~whois@1.0/echo", Want: "unknown"}},
})

func whoisEcho(_ *device.Call, base, req message.Message) (message.Value, error) {
	if peer := first("ao-peer", req, base); peer != "" {
		return message.Bytes(peer), nil
	}
	return message.Bytes("unknown"), nil
}

func whoisNode(c *device.Call, _, _ message.Message) (message.Value, error) {
	if v, ok := c.Option("node-host"); ok {
		return v, nil
	}
	return nil, device.Absent("node")
}
