package devices

import (
	"ago/codec/httpsig"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// NodeProcess names the processes that a node runs for itself.
var _ = device.Register(device.Device{
	Name:    "node-process@1.0",
	Doc:     "gives the process that the node runs under a name, and begins it when it is first asked for",
	Default: nodeProcess,
	DefaultKey: device.Key{
		Doc:    "the process of the name, as the setting node_processes defines it; 404 if it does not",
		Inputs: []device.Input{{Name: "spawn", Doc: "false does not begin what has not begun", Type: device.TypeFlag}},
	},
	Group:    func(c *device.Call, _, _ message.Message) string { return "node-process " + c.Key },
	Examples: []device.Example{{Needs: "the processes of a node are its operator's", Path: "/~node-process@1.0/ledger/now/balance", Want: "{}"}},
})

func nodeProcess(c *device.Call, _, req message.Message) (message.Value, error) {
	v, err := named(c, c.Key)
	if err == nil {
		if text, ok := v.(message.Bytes); ok {
			return c.Read(string(text))
		}
		return c.Load(v)
	}
	if !device.IsNotFound(err) {
		return nil, err
	}
	if flag, ok := req.Get("spawn"); ok {
		if spawn, _ := device.Flag(flag); !spawn {
			return nil, err
		}
	}
	all, _ := c.Option("node_processes")
	defined, _ := all.(message.Message)
	v, ok := defined.Get(c.Key)
	if !ok {
		return nil, err
	}
	definition, err := c.Message(v)
	if err != nil {
		return nil, err
	}
	own := c.Node.Address()
	if own == "" {
		return nil, noKey()
	}
	for _, key := range []string{"scheduler", "authority"} {
		definition = definition.With(key, nodeProcessWith(definition, key, own))
	}
	signed, err := c.Sign(definition, httpsig.Terms{Nesting: message.Nested})
	if err != nil {
		return nil, err
	}
	if err := nodeProcessSchedule(c, signed); err != nil {
		return nil, err
	}
	if err := giveName(c, c.Key, message.Bytes(signed.SignedID().String())); err != nil {
		return nil, err
	}
	return signed, nil
}

// nodeProcessWith adds an address to those that a definition names.
func nodeProcessWith(definition message.Message, key, address string) message.Value {
	v, ok := definition.Get(key)
	if !ok {
		return message.Bytes(address)
	}
	out := message.List{}
	for _, name := range device.Texts(v) {
		if name != address {
			out = append(out, message.Bytes(name))
		}
	}
	return append(out, message.Bytes(address))
}

// nodeProcessSchedule gives the process its first slot.
func nodeProcessSchedule(c *device.Call, process message.Message) error {
	v, err := c.Resolve(message.New(message.Field{Key: "device", Value: message.Bytes("scheduler@1.0")}), device.Ask("schedule",
		message.Field{Key: "method", Value: message.Bytes("POST")}, message.Field{Key: message.KeyBody, Value: process}).Request)
	if err != nil {
		return err
	}
	m, _ := v.(message.Message)
	if status := whole(m, "status", int64(device.OK)); status >= int64(device.Failed) {
		return fault.New(fault.Unavailable, "process-unscheduled", "the process was not begun: %.300s", m.Text(message.KeyBody))
	}
	return nil
}
