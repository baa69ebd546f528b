package devices

import (
	"bytes"
	"encoding/json"

	"ago/device"
	"ago/devices/jsonabi"
	"ago/fault"
	"ago/message"
	"ago/vm"
)

// WASM64 runs a module of a process. With json-iface@1.0 before it in a stack it runs those of legacy processes.
var _ = device.Register(device.Device{
	Name:    "wasm-64@1.0",
	Aliases: []string{"WASM-64/1.0"},
	Doc:     "runs the WebAssembly module of a process: what the module holds in its memory lives as long as the process",
	Keys: device.Keys{
		"init": {Doc: "the message, once its module was found and has started", Do: wasmInit, Inputs: wasmInputs},
		"compute": {Doc: "the message with results/wasm/type (ok or error), results/wasm/output (a list) and, if the module counts it, results/wasm/gas; in the first pass of a stack only, and as it is without a function",
			Do: wasmCompute, Inputs: append([]device.Input{
				{Name: "function", Doc: "the function to call: handle", Type: device.TypeText, Max: 4096},
				{Name: "parameters", Doc: "its arguments: the JSON of the message and that of the environment", Type: device.TypeList, Max: 64},
			}, wasmInputs...)},
		"normalize": {Doc: "the message: memory comes back with the process", Do: wasmSame},
		"snapshot":  {Doc: "body is the linear memory of the module", Do: wasmSnapshot, Inputs: wasmInputs},
	},
	Examples: []device.Example{{Doc: "a module runs as part of a process", Path: "/~wasm-64@1.0&a=b/normalize", Want: `{"a":"b","device":"wasm-64@1.0"}`}},
})

var wasmInputs = []device.Input{
	{Name: "image", Doc: "the id of the module, a message with its bytes under body, or the bytes; of the process, or the message itself. Absent: the module of the process"},
	{Name: "module-format", Doc: "the format of an image that does not say its own; wasm64-unknown-emscripten-draft_2024_02_15 if this is absent", Type: device.TypeText, Max: 200},
	{Name: "output-prefix", Doc: "where under results the output stands; wasm is the default", Type: device.TypeText, Max: 100},
}

func wasmSame(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil }

func wasmName(base message.Message) string { return "wasm/" + base.Text("device-key") }

func wasmInit(c *device.Call, base, _ message.Message) (message.Value, error) {
	_, err := jsonabi.Hold(c, wasmName(base), base)
	return base, err
}

func wasmCompute(c *device.Call, base, req message.Message) (message.Value, error) {
	if whole(base, "pass", 1) != 1 {
		return base, nil
	}
	from := []message.Message{base}
	if req.Text("type") != "Assignment" { // the message of a process does not choose what is called
		from = []message.Message{req, base}
	}
	named, ok := device.First("function", from...)
	if !ok {
		return base, nil
	}
	function, _ := device.Text(named)
	given, _ := device.First("parameters", from...)
	texts := device.Items(given)
	if function != jsonabi.Function || len(texts) != 2 {
		return nil, fault.New(fault.Unsupported, "function-unsupported", "modules are called by %s with two texts here", jsonabi.Function).
			WithHint("put json-iface@1.0 before wasm-64@1.0 into the stack")
	}
	msg, isText := texts[0].(message.Bytes)
	env, isText2 := texts[1].(message.Bytes)
	if !isText || !isText2 {
		return nil, fault.New(fault.Malformed, "parameters-malformed", "%s takes the JSON of a message and of an environment", jsonabi.Function)
	}
	p, err := jsonabi.Hold(c, wasmName(base), base)
	if err != nil {
		return nil, err
	}
	out, r, err := jsonabi.Eval(c, p, vm.Input{Message: []byte(msg), Env: []byte(env)})
	if err != nil {
		return nil, err
	}
	fs := []message.Field{{Key: "type", Value: message.Bytes("ok")}, {Key: "output", Value: message.List{message.Bytes(out.Response)}}}
	if out.Failure != "" {
		fs = []message.Field{{Key: "type", Value: message.Bytes("error")}, {Key: "output", Value: message.List{message.Bytes(out.Failure)}}}
	}
	if out.Metered {
		fs = append(fs, message.Field{Key: "gas", Value: message.Int(int64(out.Gas))})
	}
	answer := message.New(fs...)
	if out.Failure == "" && json.Valid(out.Response) {
		if !out.Metered {
			r.Gas = 0 // which the answer does not say
		}
		jsonabi.AnswerOf(c, answer, func() jsonabi.Answer { return jsonabi.Answer{JSON: true, Result: r} })
	}
	results, _ := base.Get("results")
	m, _ := results.(message.Message)
	return base.With("results", m.With(wasmPrefix(base), answer)), nil
}

// wasmPrefix is where under results the output stands.
func wasmPrefix(base message.Message) string {
	if prefix := base.Text("output-prefix"); prefix != "" {
		return prefix
	}
	return "wasm"
}

func wasmSnapshot(c *device.Call, base, _ message.Message) (message.Value, error) {
	p, err := jsonabi.Hold(c, wasmName(base), base)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := jsonabi.Memory(p, &b); err != nil {
		return nil, err
	}
	return message.New(message.Field{Key: message.KeyBody, Value: message.Bytes(b.String())}), nil
}
