package devices

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"ago/device"
	"ago/devices/luabridge"
	"ago/devices/running"
	"ago/fault"
	"ago/message"
	"ago/vm"
)

// Lua runs programs that a message names or carries: every global function of theirs is a key.
var _ = device.Register(device.Device{
	Name:     "lua@5.3a",
	Doc:      "runs Lua 5.3: every global function of the modules that a message names is a key of it",
	Default:  luaCall,
	Excludes: []string{"commit", "commitments", "committed", "committers", "decode", "encode", "get", "id", "index", "info", "keys", "path", "remove", "set", "set-path", "verify"},
	DefaultKey: device.Key{
		Doc: "what the function of this name gives for the message, the request and a table of options: one value, or a status and a value. " +
			"An error of the program is a 500 with what was thrown under body and the way there under trace",
		Inputs: luaInputs,
	},
	Keys: device.Keys{
		"init":      {Doc: "the message, once its modules have run", Do: luaInit, Inputs: luaInputs[:luaBaseInputs]},
		"functions": {Doc: "the names of the functions that the modules define, in order", Do: luaFunctions, Inputs: luaInputs[:luaBaseInputs]},
		"normalize": {Doc: "the message: the state of a process is restored with the process", Do: luaSame},
	},
	Examples: []device.Example{
		{Doc: "a function of a module that the message carries", Path: "/hello?who=Ada", Want: "hi Ada", Needs: "a message with the module: device=lua@5.3a, content-type=application/lua and a body that defines hello"},
	},
})

// luaBaseInputs is how many of the inputs are about the program.
const luaBaseInputs = 3

var luaInputs = []device.Input{
	{Name: "module", Doc: "the id of a message with the text, such a message (content-type application/lua, the text under body or data), or a list or map of them; globals of later ones replace those of earlier ones"},
	{Name: "sandbox", Doc: "true takes io, os.execute, load, require and their like away; a list or map says what else (a map with what stands instead). Absent: nothing is taken away"},
	{Name: "device-sandbox", Doc: "the names of the devices that the program may reach with ao.resolve, ao.get and ao.set; all if it is absent"},
	{Name: "function", Doc: "the function to call instead of that of the key's name", Type: device.TypeText, Max: 4096},
	{Name: "parameters", Doc: "the arguments to call it with", Type: device.TypeList, Max: 10_000},
}

// luaOnce bounds programs that are called outside of a process.
var luaOnce = vm.Limits{MemoryMax: 256 << 20, GasMax: luabridge.GasOnce}

func luaSame(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil }

func luaInit(c *device.Call, base, _ message.Message) (message.Value, error) {
	_, done, err := luaOpen(c, base)
	if err != nil {
		return nil, luaEnd(c, err)
	}
	return base, done()
}

func luaFunctions(c *device.Call, base, _ message.Message) (message.Value, error) {
	p, done, err := luaOpen(c, base)
	if err != nil {
		return nil, luaEnd(c, err)
	}
	out, err := luabridge.Call(c, p, nil, luabridge.FunctionNames, nil)
	if err = errors.Join(err, done()); err != nil {
		return nil, luaEnd(c, err)
	}
	names, _ := out[0].(message.List)
	return names, nil
}

func luaCall(c *device.Call, base, req message.Message) (message.Value, error) {
	if v, ok := base.Get(c.Key); ok && !message.IsPrivate(c.Key) {
		return v, nil
	}
	function, args, err := luaAsked(c, base, req)
	if err != nil {
		return nil, err
	}
	p, done, err := luaOpen(c, base)
	if err != nil {
		return nil, luaEnd(c, err)
	}
	ctx, err := luaEnter(c)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	hosts := luabridge.Hosts(c, luaAllowed(base))
	out, err := luabridge.Call(ctx, p, hosts, function, args)
	if err = errors.Join(err, done()); err != nil {
		return nil, luaEnd(c, err)
	}
	return luaAnswer(out)
}

// luaAsked gives the function and its arguments. The scheduled message of a process does not choose what is called.
func luaAsked(c *device.Call, base, req message.Message) (string, []message.Value, error) {
	from := []message.Message{req, base}
	if body, ok := req.Get(message.KeyBody); ok {
		if m, ok := body.(message.Message); ok {
			from = []message.Message{m, req, base}
		}
	}
	if req.Text("type") == "Assignment" {
		from = nil
	}
	function := c.Key
	if v, ok := device.First("function", from...); ok {
		text, isText := device.Text(v)
		if !isText || text == "" || strings.ContainsRune(text, 0) {
			return "", nil, fault.New(fault.Malformed, "function-malformed", "the name of a function is a text")
		}
		function = text
	}
	var args []message.Value
	if v, ok := device.First("parameters", from...); ok {
		v, err := c.Load(v)
		if err != nil {
			return "", nil, err
		}
		args = device.Items(v)
	} else {
		args = []message.Value{base, req, message.New()}
	}
	whole := make([]message.Value, len(args))
	for i, v := range args {
		v, err := luabridge.Whole(c, v)
		if err != nil {
			return "", nil, err
		}
		whole[i] = v
	}
	return function, whole, nil
}

// luaAnswer reads what a function gave: one value, or a status and a value.
func luaAnswer(out []message.Value) (message.Value, error) {
	switch {
	case len(out) == 0:
		return message.New(), nil
	case len(out) == 1 && out[0] == nil:
		return message.Atom("nil"), nil
	case len(out) == 1:
		return out[0], nil
	}
	v := out[1]
	if v == nil {
		v = message.New()
	}
	if n, ok := device.Whole(out[0]); ok && n >= 200 && n <= 599 && n/100 != 3 { // a program sends nobody elsewhere
		return nil, device.End(device.Status(n), v)
	}
	name, _ := device.Text(out[0])
	switch name {
	case "ok":
		return v, nil
	case "skip", "pass":
		m, ok := v.(message.Message)
		if !ok {
			return nil, fault.New(fault.Malformed, "status-malformed", "the status %s needs a message", name)
		}
		if name == "skip" {
			return nil, device.Skip(m)
		}
		return nil, device.Pass(m)
	case "created":
		return nil, device.Created(v)
	case "not_found", "not-found":
		return nil, device.End(device.NotFound, v)
	case "failure":
		return nil, device.End(device.Failure, v)
	}
	return nil, device.End(device.Failed, v)
}

// luaEnd makes an error of the program an answer: status, body, trace.
func luaEnd(c *device.Call, err error) error {
	var thrown *luabridge.Thrown
	if !errors.As(err, &thrown) {
		return err
	}
	trace := make([]message.Field, len(thrown.Trace))
	for i, frame := range thrown.Trace {
		trace[i] = message.Field{Key: strconv.Itoa(i + 1), Value: message.Bytes(frame)}
	}
	return c.Refuse(device.Failure, message.New(
		message.Field{Key: "status", Value: message.Int(device.Failure)},
		message.Field{Key: message.KeyBody, Value: thrown.Value},
		message.Field{Key: "trace", Value: message.New(trace...)}), "lua-failed", "the program ended with an error", "body is what it threw, and trace where; the error is the program's own")
}

// luaNesting counts programs that call each other through the host.
type luaNesting struct{}

const luaNestingMax = 4

func luaEnter(c *device.Call) (context.Context, error) {
	depth, _ := c.Value(luaNesting{}).(int)
	if depth >= luaNestingMax {
		return nil, fault.New(fault.Looped, "lua-nested", "Lua programs call each other at most %d deep", luaNestingMax)
	}
	return context.WithValue(c, luaNesting{}, depth+1), nil
}

// luaOpen gives the program of a message: in a process the one that it holds, else one that is closed by done.
func luaOpen(c *device.Call, base message.Message) (p running.Evaluator, done func() error, err error) {
	engine, ok := device.Service[vm.Engine](c)
	if !ok {
		return nil, nil, fault.New(fault.Unsupported, "engine-missing", "this node runs no programs")
	}
	if depth, _ := c.Value(luaNesting{}).(int); c.Session() != nil && depth == 0 {
		p, err = running.Hold(c, "lua/"+base.Text("device-key"), luabridge.SourceOf(engine, vm.Limits{}, func() ([]byte, error) { return luaProgram(c, base) }))
		return p, func() error { return nil }, luabridge.Started(err)
	}
	text, err := luaProgram(c, base)
	if err != nil {
		return nil, nil, err
	}
	leave, err := luaTurn(c)
	if err != nil {
		return nil, nil, err
	}
	s, err := luabridge.Once(c, engine, luaOnce, text)
	if err != nil {
		leave()
		return nil, nil, err
	}
	return s, func() error {
		defer leave()
		return s.Close()
	}, nil
}

// Programs gives turns to calls that run programs of strangers: outside of processes, which have their own.
type Programs interface {
	// Enter waits for a turn, and fails with TooMany or Unavailable if there is none soon.
	Enter(context.Context) (leave func(), err error)
}

// luaTurn waits for the turn of a program. What a process runs, what the node itself runs for each request, and what a program that
// has its turn calls go on at once.
func luaTurn(c *device.Call) (leave func(), err error) {
	depth, _ := c.Value(luaNesting{}).(int)
	turns, ok := device.Service[Programs](c)
	if !ok || depth > 0 || c.Session() != nil || c.Value(hooked{}) != nil {
		return func() {}, nil
	}
	if leave, err = turns.Enter(c); err != nil {
		return nil, err
	}
	leave = sync.OnceFunc(leave)
	context.AfterFunc(c, leave) // whatever becomes of the call
	return leave, nil
}

func luaProgram(c *device.Call, base message.Message) ([]byte, error) {
	sources, err := luabridge.Sources(c, base)
	if err != nil {
		return nil, err
	}
	bars, err := luabridge.BarredBy(base)
	if err != nil {
		return nil, err
	}
	return luabridge.Program(sources, bars), nil
}

// luaAllowed are the devices that the program may reach; nil is all.
func luaAllowed(base message.Message) []string {
	v, ok := base.Get("device-sandbox")
	if !ok {
		return nil
	}
	return append([]string{"lua@5.3a"}, device.Texts(v)...)
}
