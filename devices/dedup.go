package devices

import (
	"ago/device"
	"ago/message"
)

// Dedup lets a stack work on each message once.
var _ = device.Register(device.Device{
	Name:    "dedup@1.0",
	Doc:     "leaves out the rest of a stack for messages that it has seen",
	Default: dedup,
	DefaultKey: device.Key{Doc: "the message with the id of the subject noted in dedup; in a stack, the end of it if the id was there",
		Inputs: []device.Input{{Name: "dedup-subject", Doc: "the key that holds the subject, or request for all of the request; body is the default", Type: device.TypeText, Max: 4096}}},
	Examples: []device.Example{{Path: "/~dedup@1.0/compute&body=a", Want: `{"dedup":{"ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs":true},"device":"dedup@1.0"}`}},
})

func dedup(c *device.Call, base, req message.Message) (message.Value, error) {
	if whole(base, "pass", 1) > 1 {
		return base, nil
	}
	name := first("dedup-subject", base, req)
	if name == "" {
		name = message.KeyBody
	}
	var subject message.Value = req
	if name != "request" {
		v, ok := req.Get(name)
		if !ok || message.IsPrivate(name) {
			return base, nil
		}
		var err error
		if subject, err = c.Load(v); err != nil {
			return nil, err
		}
	}
	id := dedupID(subject)
	// The ids are keys and no list, so that noting one costs little however many there are.
	var seen message.Message
	switch v, _ := base.Get("dedup"); v := v.(type) {
	case message.Message:
		seen = v
	case message.List:
		for _, old := range device.Texts(v) {
			seen = seen.With(old, message.Atom("true"))
		}
	}
	if _, known := seen.Get(id); known {
		return nil, device.Skip(base)
	}
	return base.With("dedup", seen.With(id, message.Atom("true"))), nil
}

func dedupID(v message.Value) string {
	switch v := v.(type) {
	case message.Message:
		return v.SignedID().String()
	case message.List:
		return v.ID().String()
	}
	text, _ := device.Text(v)
	return message.HashOf([]byte(text)).String()
}
