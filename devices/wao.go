package devices

import (
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Wao is what the test tools of that name ask of a node.
var _ = device.Register(device.Device{
	Name: "wao@1.0",
	Doc:  "keeps modules for tests; what is sent by those whom the setting cache_writers lists, or by anybody where it lists all",
	Keys: device.Keys{"cache-module": {Doc: "the id that a module is kept under, in id; 403 for those who may not write", Do: waoCacheModule,
		Inputs: []device.Input{
			{Name: "data", Doc: "the bytes of the module"},
			{Name: "type", Doc: "its media type, application/wasm or application/lua", Type: device.TypeText, Max: 255},
		}}},
	Examples: []device.Example{{Needs: "only writers of the node are served", Path: "/~wao@1.0/cache_module&type=application/lua&data=x", Want: `{"id":"y4ZYOT3NlCGsiNfhVjrXqWwoGEnOf1pSdiOMpe_VTvo"}`}},
})

func waoCacheModule(c *device.Call, _, req message.Message) (message.Value, error) {
	ask, err := cacheWriter(c, req)
	if err != nil {
		return nil, err
	}
	from := ask.message
	v, ok := device.First(message.KeyData, from)
	if !ok {
		v, ok = from.Get(message.KeyBody)
	}
	data, isBytes := v.(message.Bytes)
	if !ok || !isBytes {
		return nil, fault.New(fault.Malformed, "argument-missing", "a module is bytes in data")
	}
	module := message.New(
		message.Field{Key: message.KeyContentType, Value: message.Bytes(from.Text("type"))},
		message.Field{Key: message.KeyData, Value: data}, message.Field{Key: message.KeyBody, Value: data})
	id, err := c.Node.Contents.Write(c, module)
	if err != nil {
		return nil, err
	}
	return message.New(message.Field{Key: "id", Value: message.Bytes(id.String())}), nil
}
