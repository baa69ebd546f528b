package devices

import (
	"ago/device"
	"ago/devices/jsonabi"
	"ago/message"
	"ago/vm"
)

// GenesisWASM runs processes of legacy modules on this node's own engine.
var _ = device.Register(device.Device{
	Name: "genesis-wasm@1.0",
	Doc:  "runs the modules of legacy processes, with results as a legacy compute unit gives them",
	Keys: device.Keys{
		"init": {Doc: "the message, once its module was found and has started", Do: genesisInit},
		"compute": {Doc: "the message with the module's answer as results: outbox, output, data, error, raw, json/body; patches in the outbox are merged into the message",
			Do: genesisCompute, Inputs: []device.Input{{Name: "body", Doc: "the scheduled message"}}},
		"normalize": {Doc: "the message: memory comes back with the process", Do: wasmSame},
		"snapshot":  {Doc: "body is the linear memory of the module", Do: genesisSnapshot},
	},
	Examples: []device.Example{{Doc: "a process runs its module by itself; the device is what its execution-device names", Path: "/~genesis-wasm@1.0&a=b/normalize", Want: `{"a":"b","device":"genesis-wasm@1.0"}`}},
})

func genesisInit(c *device.Call, base, _ message.Message) (message.Value, error) {
	_, err := jsonabi.Hold(c, wasmName(base), base)
	return base, err
}

func genesisSnapshot(c *device.Call, base, req message.Message) (message.Value, error) {
	return wasmSnapshot(c, base, req)
}

func genesisCompute(c *device.Call, base, req message.Message) (message.Value, error) {
	w, err := jsonabi.Of(c, base, req)
	if err != nil {
		return nil, err
	}
	p, err := jsonabi.Hold(c, wasmName(base), base)
	if err != nil {
		return nil, err
	}
	_, r, err := jsonabi.Eval(c, p, vm.Input{Message: w.Message, Env: w.Env})
	if err != nil {
		return nil, err
	}
	return patched(c, base.With("results", jsonabi.Results(r, jsonabi.From(w.Definition))))
}

// patched merges what results send as patches into the message.
func patched(c *device.Call, base message.Message) (message.Value, error) {
	v, err := c.As("patch@1.0", base, message.New(message.Field{Key: "path", Value: message.Bytes("patches")},
		message.Field{Key: "patch-from", Value: message.Bytes("/results/outbox")}, message.Field{Key: "patch-to", Value: message.Bytes("/")}))
	if device.IsNotFound(err) {
		return base, nil
	}
	return v, err
}
