package devices

import (
	"encoding/base64"
	"encoding/json"

	"ago/codec/js"
	"ago/device"
	"ago/devices/jsonabi"
	"ago/message"
	"ago/process"
	"ago/vm"
)

// JSONIface stands before wasm-64@1.0 in the stack of a process whose module speaks JSON.
var _ = device.Register(device.Device{
	Name: "json-iface@1.0",
	Doc:  "gives messages to modules that read and write JSON, and reads what these answer; stands before wasm-64@1.0 in a stack that makes two passes",
	Keys: device.Keys{
		"init": {Doc: "the message with handle as the function to call", Do: jsonIfaceInit},
		"compute": {Doc: "in the first pass the message with the JSON of the scheduled one as parameters; in the second with the module's answer as results: outbox, output, data, error, raw, json/body. A module that failed is a 400 with results/body",
			Do: jsonIfaceCompute, Inputs: []device.Input{
				{Name: "pass", Doc: "the pass of the stack", Type: device.TypeInt},
				{Name: "body", Doc: "the scheduled message"},
			}},
		"from": {Doc: "the results that a module's answer says", Do: jsonIfaceFrom, Inputs: []device.Input{
			{Name: "json", Doc: "the answer, as text or message; the message itself if it is absent"}}},
		"to": {Doc: "the message as modules read it: Id, Target, Owner, From, Anchor, Data, Signature, Tags", Do: jsonIfaceTo, Inputs: []device.Input{
			{Name: "message", Doc: "the message; the one asked if it is absent", Type: device.TypeMap}}},
		"normalize": {Doc: "the message", Do: wasmSame},
		"snapshot":  {Doc: "the message", Do: wasmSame},
	},
	Examples: []device.Example{
		{Doc: "what a module answers, as results", Path: "/answer/from/output", Base: message.New(message.Field{Key: "answer", Value: message.New(
			message.Field{Key: "device", Value: message.Bytes("json-iface@1.0")}, message.Field{Key: "ok", Value: message.Atom("true")},
			message.Field{Key: "response", Value: message.New(message.Field{Key: "Output", Value: message.Bytes("hi")})})}), Want: "hi"},
	},
})

func jsonIfaceInit(_ *device.Call, base, _ message.Message) (message.Value, error) {
	return base.With("function", message.Bytes(jsonabi.Function)), nil
}

func jsonIfaceCompute(c *device.Call, base, req message.Message) (message.Value, error) {
	if whole(base, "pass", 1) == 1 {
		w, err := jsonabi.Of(c, base, req)
		if err != nil {
			return nil, err
		}
		return base.With("function", message.Bytes(jsonabi.Function)).
			With("parameters", message.List{message.Bytes(w.Message), message.Bytes(w.Env)}), nil
	}
	base = base.Without("parameters")
	prefix := wasmPrefix(base)
	all, _ := base.Get("results")
	results, _ := all.(message.Message)
	v, _ := results.Get(prefix)
	answer, _ := v.(message.Message)
	output, _ := answer.Get("output")
	text := ""
	if items := device.Items(output); len(items) > 0 {
		text, _ = device.Text(items[0])
	}
	switch answer.Text("type") {
	case "ok":
		said := jsonabi.AnswerOf(c, answer, func() jsonabi.Answer {
			out := vm.Output{Response: []byte(text)}
			if v, ok := answer.Get("gas"); ok {
				gas, _ := device.Whole(v)
				out.Gas, out.Metered = uint64(gas), true
			}
			return jsonabi.Answer{JSON: json.Valid(out.Response) || json.Valid([]byte(js.Text(out.Response))), Result: process.ResultOf(out)}
		})
		if !said.JSON {
			return base.With("results", message.New(message.Field{Key: message.KeyBody, Value: message.Bytes("JSON error parsing result output.")})), nil
		}
		def, err := jsonabi.Definition(c, base)
		if err != nil {
			return nil, err
		}
		return base.With("results", jsonabi.Results(said.Result, jsonabi.From(def))), nil
	case "error":
		return nil, c.Refuse(device.Failed, base.With("results", message.New(
			message.Field{Key: message.KeyBody, Value: message.Bytes("WASM execution error.")}, message.Field{Key: "error", Value: message.Bytes(text)})),
			"module-failed", "the module ended with an error", "results/error says which; the error is the module's own")
	}
	return base, nil
}

func jsonIfaceFrom(c *device.Call, base, req message.Message) (message.Value, error) {
	invalid := func(received message.Value) error {
		return c.Refuse(device.Failed, message.New(
			message.Field{Key: "error", Value: message.Bytes("Invalid JSON message input.")}, message.Field{Key: "received", Value: received}),
			"json-malformed", "what is given is not the JSON of a module's answer", "give an object with ok, and with response or error")
	}
	given, ok := req.Get("json")
	if !ok {
		given = base.Without("device")
	}
	var text []byte
	switch v := given.(type) {
	case message.Bytes:
		text = []byte(v)
	case message.Message:
		text = process.AppendPlainJSON(nil, v)
	default:
		return nil, invalid(given)
	}
	var answer struct {
		OK       *bool           `json:"ok"`
		Response json.RawMessage `json:"response"`
		Error    json.RawMessage `json:"error"`
	}
	if json.Unmarshal(text, &answer) != nil || answer.OK == nil {
		return nil, invalid(given)
	}
	if !*answer.OK {
		what := answer.Error
		if what == nil {
			what = answer.Response
		}
		var said string
		if json.Unmarshal(what, &said) != nil {
			said = string(what)
		}
		return nil, c.Refuse(device.Failed, message.New(message.Field{Key: "error", Value: message.Bytes(said)}),
			"module-failed", "the module answered an error", "error says which; the error is the module's own")
	}
	return process.ResultOf(vm.Output{Response: text}).Results(), nil
}

func jsonIfaceTo(c *device.Call, base, req message.Message) (message.Value, error) {
	m := base.Without("device")
	if v, ok := req.Get("message"); ok {
		var err error
		if m, err = c.Message(v); err != nil {
			return nil, err
		}
	}
	m, err := m.Bundle(c.Loader())
	if err != nil {
		return nil, err
	}
	content := process.ContentOfMessage(m)
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	tags := make(message.List, len(content.Tags))
	for i, t := range content.Tags {
		tags[i] = message.New(text("name", t.Name), text("value", t.Value))
	}
	anchor := ""
	if content.Anchor != nil {
		anchor = *content.Anchor
	}
	return message.New(text("Id", content.ID.String()), text("Target", content.Target), text("Owner", content.Owner), text("From", content.From()),
		text("Anchor", anchor), text("Data", string(content.Data)), text("Signature", encodeSignature(content.Signature)), message.Field{Key: "Tags", Value: tags}), nil
}

func encodeSignature(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
