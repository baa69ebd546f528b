package devices

import (
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Lookup reads what is here.
var _ = device.Register(device.Device{
	Name: "lookup@1.0",
	Doc:  "reads what this node itself keeps, without asking others",
	Keys: device.Keys{
		"read": {Doc: "what is kept here under target; 404 if nothing is",
			Inputs: []device.Input{{Name: "target", Doc: "an id, or a path as cache@1.0/write gave it", Type: device.TypeText, Max: cachePathMax, Required: true}}, Do: lookupRead},
	},
	Examples: []device.Example{{Needs: "what is kept depends on the node", Path: "/~lookup@1.0/read?target=qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk", Want: `{"a":"b"}`}},
})

func lookupRead(c *device.Call, base, req message.Message) (message.Value, error) {
	target := first("target", req, base)
	if c.Node.Contents == nil {
		return nil, device.Absent(target)
	}
	v, err := c.Node.Contents.Local().Read(c, cachePath(target))
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil, fault.Wrap(err, fault.NotFound, "message-absent", "%.100s is not kept here", target)
	}
	return v, err
}
