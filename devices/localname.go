package devices

import (
	"strings"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// LocalName gives names to messages on one node.
var _ = device.Register(device.Device{
	Name:       "local-name@1.0",
	Doc:        "remembers names that the node's operator gives, and tells what they stand for",
	Default:    localNameRead,
	DefaultKey: device.Key{Doc: "what the name stands for; 404 if it has not been given"},
	Keys: device.Keys{
		"lookup": {Doc: "what the name in key stands for; 404 if it has not been given", Do: localNameLookup,
			Inputs: []device.Input{{Name: "key", Doc: "the name", Type: device.TypeText, Max: nameMax, Required: true}}},
		"register": {Doc: "Registered.: the name in key stands for value from now on. For the operator; 403 for others", Do: localNameRegister},
	},
	Examples: []device.Example{{Needs: "names are given by the node's operator", Path: "/~local-name@1.0/lookup?key=recorded", Want: "the value"}},
})

const nameMax = 255 // bytes of a name

// namePath is where a name is kept.
func namePath(name string) (string, error) {
	if name == "" || len(name) > nameMax || strings.ContainsAny(name, "/\x00") {
		return "", fault.New(fault.Malformed, "name-malformed", "a name has 1 to %d letters and no slash", nameMax)
	}
	return "local-name@1.0/" + name, nil
}

// named reads what a name stands for here.
func named(c *device.Call, name string) (message.Value, error) {
	path, err := namePath(name)
	if err != nil {
		return nil, err
	}
	if c.Node.Contents == nil {
		return nil, device.Absent(name)
	}
	v, err := c.Node.Contents.Local().Read(c, path)
	if device.IsNotFound(err) {
		return nil, device.Absent(name)
	}
	return v, err
}

// giveName makes a name stand for a value.
func giveName(c *device.Call, name string, v message.Value) error {
	path, err := namePath(name)
	if err != nil {
		return err
	}
	if c.Node.Contents == nil {
		return unstored()
	}
	if text, ok := device.Text(v); ok {
		v = message.Bytes(text)
	}
	id, err := c.Node.Contents.Write(c, v)
	if err != nil {
		return err
	}
	return c.Node.Contents.Link(c, path, id)
}

func localNameRead(c *device.Call, _, _ message.Message) (message.Value, error) {
	return named(c, c.Key)
}

func localNameLookup(c *device.Call, base, req message.Message) (message.Value, error) {
	return named(c, first("key", req, base))
}

func localNameRegister(c *device.Call, _, req message.Message) (message.Value, error) {
	ask, err := signedAsk(c, req)
	if err != nil {
		return nil, err
	}
	if len(ask.signers) == 0 || !ask.byOperator(c) {
		return nil, device.End(device.Forbidden, message.New(
			message.Field{Key: "status", Value: message.Int(device.Forbidden)}, message.Field{Key: "message", Value: message.Bytes("Unauthorized.")},
			message.Field{Key: "code", Value: message.Bytes("operator-only")}, message.Field{Key: "reason", Value: message.Bytes("only an operator of the node gives names")},
			message.Field{Key: "details", Value: message.Bytes("sign the request with the key of the node's operator")}))
	}
	if err := ask.here(c); err != nil {
		return nil, err
	}
	v, ok := ask.message.Get("value")
	if !ok {
		return nil, fault.New(fault.Malformed, "argument-missing", "a name is given to a value").WithHint("send key and value, signed by the operator")
	}
	return once(c, ask, message.Bytes("Registered."), func() error { return giveName(c, ask.message.Text("key"), v) })
}
