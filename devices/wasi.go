package devices

import (
	"ago/device"
	"ago/message"
)

// WASI prepares what modules expect of an operating system.
var _ = device.Register(device.Device{
	Name: "wasi@1.0",
	Doc:  "gives a module its standard streams; clock and randomness are refused, so that every node evaluates alike",
	Keys: device.Keys{
		"init":   {Doc: "the message with empty streams under vfs/dev and their numbers under file-descriptors", Do: wasiInit},
		"stdout": {Doc: "what stands in vfs/dev/stdout", Do: wasiStdout},
	},
	Examples: []device.Example{
		{Path: "/~wasi@1.0/init/vfs/dev/keys", Want: `["stderr","stdin","stdout"]`},
		{Path: "/~wasi@1.0/init/stdout", Want: ""},
	},
})

func wasiInit(_ *device.Call, base, _ message.Message) (message.Value, error) {
	names := []string{"stdin", "stdout", "stderr"}
	if _, ok := base.Get("file-descriptors"); ok {
		return base, nil
	}
	var numbers, streams []message.Field
	for i, name := range names {
		numbers = append(numbers, message.Field{Key: string(rune('0' + i)), Value: message.New(
			message.Field{Key: "filename", Value: message.Bytes("/dev/" + name)}, message.Field{Key: "offset", Value: message.Int(0)})})
		streams = append(streams, message.Field{Key: name, Value: message.Bytes("")})
	}
	return base.WithPath([]string{"wasm", "stdlib", "wasi_snapshot_preview1"}, message.New(message.Field{Key: "device", Value: message.Bytes("wasi@1.0")})).
		With("file-descriptors", message.New(numbers...)).WithPath([]string{"vfs", "dev"}, message.New(streams...)), nil
}

func wasiStdout(c *device.Call, base, _ message.Message) (message.Value, error) {
	v, ok, err := base.Find([]string{"vfs", "dev", "stdout"}, c.Loader())
	if err != nil || !ok {
		return message.Bytes(""), err
	}
	return v, nil
}
