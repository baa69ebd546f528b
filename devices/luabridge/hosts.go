package luabridge

import (
	"context"

	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/resolve"
	"ago/vm/lua"
)

// host is what a program may ask of the node: ao.resolve, ao.get, ao.set and ao.event.
type host struct {
	c      *device.Call
	runner device.Runner
}

// Hosts are the functions of the table ao for one call. A program that may reach certain devices only resolves with no others.
//
//	ao.resolve(path)                         status, value; "ok" or "error"
//	ao.resolve(request)                      a message with its path
//	ao.resolve(base, step, ...)              steps are paths, messages with a path, {"as", device, message}, or lists of them
//	ao.get(key, base)                        the value, nil if there is none
//	ao.set(base, key, value)                 the message with it; a table in place of key and value sets several
//	ao.event([group,] event)                 "ok"; whoever watches the node is told
func Hosts(c *device.Call, allowed []string) map[string]lua.Host {
	h := &host{c: c, runner: c.Runner}
	if allowed != nil {
		here := make([]string, 0, len(allowed))
		for _, name := range c.Node.Registry.Names() {
			if known(allowed, name) {
				here = append(here, name)
			}
		}
		if only, err := c.Node.Registry.Only(here...); err == nil {
			node := c.Node.Derive()
			node.Registry = only
			h.runner = resolve.New(node, resolve.Limits{CacheBytes: 1})
		}
	}
	hosts := map[string]lua.Host{}
	for name, f := range map[string]func(context.Context, []message.Value) ([]message.Value, error){
		"resolve": h.resolve, "get": h.get, "set": h.set, "event": h.event,
	} {
		hosts[name] = func(ctx context.Context, b []byte) ([]byte, error) {
			args, err := ReadList(b, nil)
			if err != nil {
				return nil, err
			}
			out, err := f(ctx, args)
			if err != nil {
				return nil, err
			}
			return AppendList(nil, out)
		}
	}
	return hosts
}

func (h *host) run(ctx context.Context, base message.Value, steps []device.Step) (message.Value, error) {
	r, err := h.runner.Run(ctx, base, steps, device.How{})
	if err != nil {
		return nil, err
	}
	return Whole(h.c, r.Value)
}

// resolve gives a status and what was found, or what went wrong.
func (h *host) resolve(ctx context.Context, args []message.Value) ([]message.Value, error) {
	if len(args) == 0 || args[0] == nil {
		return nil, fault.New(fault.Malformed, "resolve-arguments", "ao.resolve takes a path, a request, or a message and steps")
	}
	var base message.Value
	var steps []device.Step
	var err error
	switch {
	case len(args) == 1:
		steps, err = h.steps(nil, args[0], 0)
	default:
		base = args[0]
		if path, ok := base.(message.Bytes); ok { // what a path leads to
			steps, err = h.steps(nil, path, 0)
			base = nil
		}
		for _, a := range args[1:] {
			if err == nil {
				steps, err = h.steps(steps, a, 0)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	v, err := h.run(ctx, base, steps)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return []message.Value{message.Bytes("error"), failure(err)}, nil
	}
	return []message.Value{message.Bytes("ok"), v}, nil
}

// failure is what an error says to a program.
func failure(err error) message.Value {
	if o, ok := device.OutcomeOf(err); ok && o.Value != nil {
		return o.Value
	}
	return message.New(
		message.Field{Key: "status", Value: message.Int(device.StatusOf(err))},
		message.Field{Key: "code", Value: message.Bytes(fault.CodeOf(err))},
		message.Field{Key: message.KeyBody, Value: message.Bytes(err.Error())})
}

// steps reads what a program gives as steps.
func (h *host) steps(to []device.Step, v message.Value, depth int) ([]device.Step, error) {
	if depth > 4 || len(to) > 100 {
		return nil, fault.New(fault.TooLarge, "resolve-steps", "ao.resolve takes at most 100 steps")
	}
	switch v := v.(type) {
	case message.Bytes:
		if depth == 0 && len(to) == 0 || len(v) > 0 && v[0] == '/' {
			more, err := h.runner.Parse(string(v), message.Message{})
			return append(to, more...), err
		}
		return append(to, device.Ask(string(v))), nil
	case message.Int:
		text, _ := device.Text(v)
		return append(to, device.Ask(text)), nil
	case message.Message:
		if len(to) == 0 && depth == 0 && v.Text("path") != "" {
			more, err := h.runner.Parse(v.Text("path"), v.Without("path"))
			return append(to, more...), err
		}
		return append(to, device.Step{Request: v}), nil
	case message.List:
		if len(v) == 3 && v[0] == message.Value(message.Bytes("as")) {
			name, ok := device.Text(v[1])
			m, isMessage := v[2].(message.Message)
			if !ok || !isMessage {
				return nil, fault.New(fault.Malformed, "resolve-as", `as is {"as", device, message}`)
			}
			return append(to, device.Step{As: name, Request: m}), nil
		}
		var err error
		for _, member := range v {
			if to, err = h.steps(to, member, depth+1); err != nil {
				return nil, err
			}
		}
		return to, nil
	}
	return nil, fault.New(fault.Malformed, "resolve-arguments", "a step of ao.resolve is a path, a message or a list of them, not a %s", device.KindOf(v))
}

func (h *host) get(ctx context.Context, args []message.Value) ([]message.Value, error) {
	if len(args) != 2 || args[1] == nil {
		return nil, fault.New(fault.Malformed, "get-arguments", "ao.get takes a key and a message")
	}
	key, ok := device.Text(args[0])
	if !ok {
		return nil, fault.New(fault.Malformed, "get-arguments", "the key of ao.get is a text")
	}
	v, err := h.run(ctx, args[1], []device.Step{device.Ask(key)})
	if device.IsNotFound(err) {
		return []message.Value{nil}, nil
	}
	return []message.Value{v}, err
}

func (h *host) set(ctx context.Context, args []message.Value) ([]message.Value, error) {
	wrong := fault.New(fault.Malformed, "set-arguments", "ao.set takes a message, a key and a value, or a message and a table of values")
	base, ok := argument(args, 0)
	if !ok {
		return nil, wrong
	}
	values, several := argument(args, 1)
	if !several || len(args) > 2 {
		if len(args) < 2 {
			return nil, wrong
		}
		key, ok := device.Text(args[1])
		if !ok {
			return nil, wrong
		}
		var v message.Value = message.Unset
		if len(args) > 2 && args[2] != nil {
			v = args[2]
		}
		values = message.New(message.Field{Key: key, Value: v})
	}
	v, err := h.run(ctx, base, []device.Step{{Request: values.With("path", message.Bytes("set"))}})
	return []message.Value{v}, err
}

func (h *host) event(_ context.Context, args []message.Value) ([]message.Value, error) {
	name := "event"
	if len(args) > 1 {
		if group, ok := device.Text(args[0]); ok {
			name, args = group, args[1:]
		}
	}
	var detail message.Message
	if len(args) > 0 && args[0] != nil {
		detail = message.New(message.Field{Key: "event", Value: args[0]})
	}
	h.c.Event(name, detail)
	return []message.Value{message.Bytes("ok")}, nil
}
