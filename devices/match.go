package devices

import (
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Match finds messages by what they say, one key or all.
var _ = device.Register(device.Device{
	Name:       "match@1.0",
	Doc:        "finds the ids of messages that the node keeps and that agree with the message in one key, or in all",
	Default:    matchKey,
	DefaultKey: device.Key{Doc: "the ids of messages that have this key with the value that it has in the message; 404 if there are none"},
	Keys:       device.Keys{"all": {Doc: "the ids of messages that have all keys of the message with its values; none for a message without keys, 404 if there are none", Do: matchAll}},
	Excludes:   []string{"set", "remove", "id", "verify", "write"},
	Examples:   []device.Example{{Needs: "what is kept depends on the node", Path: "/~match@1.0&type=Process/type/1", Want: "qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk"}},
})

func matchKey(c *device.Call, base, _ message.Message) (message.Value, error) {
	v, ok := base.Get(c.Key)
	if !ok || message.IsPrivate(c.Key) {
		return nil, device.Absent(c.Key)
	}
	return matched(c, message.New(message.Field{Key: c.Key, Value: v}))
}

func matchAll(c *device.Call, base, _ message.Message) (message.Value, error) {
	want := meant(base)
	if want.Len() == 0 {
		return message.List{}, nil
	}
	return matched(c, want)
}

func matched(c *device.Call, want message.Message) (message.Value, error) {
	if c.Node.Contents == nil {
		return nil, unstored()
	}
	if want.Len() > queryKeysMax {
		return nil, fault.New(fault.TooLarge, "query-malformed", "up to %d keys are looked for at once, these are %d", queryKeysMax, want.Len())
	}
	ids, err := c.Node.Contents.Local().Match(c, want)
	if err != nil {
		return nil, err
	}
	return queryReturn(c, ids, "paths")
}
