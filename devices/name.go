package devices

import (
	"ago/device"
	"ago/message"
)

// Name finds what a name stands for, whoever gave it.
var _ = device.Register(device.Device{
	Name:    "name@1.0",
	Doc:     "asks the resolvers of the node, one after the other, what a name stands for",
	Default: name,
	DefaultKey: device.Key{
		Doc:    "the message that the name stands for, by the first of the setting name_resolvers that knows it; local-name@1.0 without the setting. 404 if none does",
		Inputs: []device.Input{{Name: "load", Doc: "false gives the id instead of the message", Type: device.TypeFlag}},
	},
	Examples: []device.Example{{Needs: "what names stand for depends on the node", Path: "/~name@1.0/arns?load=false", Want: "qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk"}},
})

const resolversMax = 32 // resolvers of one node

func name(c *device.Call, _, req message.Message) (message.Value, error) {
	v, err := resolveName(c, c.Key)
	if err != nil {
		return nil, err
	}
	load := true
	if flag, ok := req.Get("load"); ok {
		load, _ = device.Flag(flag)
	}
	if !load {
		if link, ok := v.(message.Link); ok {
			return message.Bytes(link.To.String()), nil
		}
		return v, nil
	}
	if text, ok := v.(message.Bytes); ok {
		if _, err := message.ParseID(string(text)); err == nil {
			return c.Read(string(text))
		}
	}
	return c.Load(v)
}

// resolveName asks the resolvers in turn; those that fail are passed over.
func resolveName(c *device.Call, key string) (message.Value, error) {
	setting, ok := c.Option("name_resolvers")
	if !ok {
		return named(c, key)
	}
	resolvers := device.Items(setting)
	for _, r := range resolvers[:min(len(resolvers), resolversMax)] {
		if err := c.Err(); err != nil {
			return nil, err
		}
		if v, err := askResolver(c, r, key); err == nil && v != nil {
			return v, nil
		}
	}
	return nil, device.Absent(key)
}

// askResolver asks one: a text is a path that the name is added to, a message answers to the key lookup or to the name itself.
func askResolver(c *device.Call, r message.Value, key string) (message.Value, error) {
	if text, ok := r.(message.Bytes); ok {
		steps, err := c.Runner.Parse(string(text), message.Message{})
		if err != nil {
			return nil, err
		}
		return c.Run(nil, append(steps, device.Ask(key)), device.How{})
	}
	m, err := c.Message(r)
	if err != nil {
		return nil, err
	}
	if d, ok := c.Node.Registry.Find(m.Text("device")); ok {
		if _, listed := d.Keys["lookup"]; listed {
			return c.Resolve(m, device.Ask("lookup", message.Field{Key: "key", Value: message.Bytes(key)}).Request)
		}
	}
	return c.Resolve(m, device.Ask(key).Request)
}
