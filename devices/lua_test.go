package devices_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"ago/device"
	"ago/device/devicetest"
	"ago/devices"
	"ago/fault"
	"ago/message"
	"ago/vm"
	"ago/vm/lua"
	"ago/vm/wasm"
)

// engine is one for all tests: compiling the machines takes longer than they do.
var engine = sync.OnceValues(func() (vm.Engine, error) {
	return wasm.New(wasm.Config{Interpreters: []wasm.Interpreter{lua.MessagesInterpreter()}})
})

// engineNode is a node that runs programs.
func engineNode(t testing.TB) *device.Node {
	t.Helper()
	e, err := engine()
	if err != nil {
		t.Fatal(err)
	}
	n := &device.Node{Registry: device.All()}
	device.Provide(n, e)
	return n
}

// program is a message that carries a Lua text.
func program(text string, fs ...message.Field) message.Message {
	return message.New(append(fs, field("device", message.Bytes("lua@5.3a")), field("content-type", message.Bytes("application/lua")), field("body", message.Bytes(text)))...)
}

const luaText = `
function hello(base, req) return "hi " .. (req.who or "nobody") end
function tab() return { a = 1, b = { c = "x" }, l = { 1, 2 } } end
function boom() error("broken") end
function thrown() error({ reason = "full" }) end
function teapot() return "error", { status = 418, body = "teapot" } end
function yes() return true end
function nothing() end
function number() return 404, { body = "none" } end
function add(a, b) return a + b end
function resolved(base, req) local s, v = ao.resolve("/~message@1.0&a=b/a") return s .. " " .. v end
function steps(base, req) local s, v = ao.resolve({x = {y = 7}}, "x", "y") return v end
function as(base, req) local s, v = ao.resolve({x = 1}, {"as", "message@1.0", {path = "keys"}}) return v end
function missing() local s, v = ao.resolve({}, "x") return s .. " " .. v.status end
function reads() return ao.get("a", {a = 5}) end
function absent() return ao.get("z", {a = 5}) == nil end
function sets() return ao.set(ao.set({a = 1}, "b", 2), {a = 3, c = {d = 4}}) end
function event() return ao.event("seen", {a = 1}) end
function nested(base) local s, v = ao.resolve(base, "hello") return v end
function forever(base) local s, v = ao.resolve(base, "forever") return v end
function whole() return "created", {n = 3} end
function endless() while true do end end`

func TestLuaKeepsTheRulesOfDevices(t *testing.T) {
	d, _ := device.All().Find("lua@5.3a")
	devicetest.Run(t, devicetest.Subject{Device: d, Node: engineNode(t), Runner: resolver, Bases: []message.Message{program(luaText)}})
}

func TestLuaFunctionsAreKeys(t *testing.T) {
	node := engineNode(t)
	module := message.New(field("content-type", message.Bytes("text/x-lua")), field("body", message.Bytes("function who() return 'module' end function both() return 1 end")))
	node.Contents = oneMessage{module}
	r := resolver(node)
	text := message.Bytes(luaText)
	for _, c := range []struct {
		name string
		base message.Message
		ask  device.Step
		want string // the answer, or its status and code or body behind !
	}{
		{"text", program(luaText), device.Ask("hello", field("who", message.Bytes("Ada"))), "hi Ada"},
		{"table", program(luaText), device.Ask("tab"), `{"a":1,"b":{"c":"x"},"l":[1,2]}`},
		{"status", program(luaText), device.Ask("teapot"), "!400 teapot"},
		{"number", program(luaText), device.Ask("number"), "!404 none"},
		{"created", program(luaText), device.Ask("whole"), `{"n":3}`},
		{"boolean", program(luaText), device.Ask("yes"), "true"},
		{"nothing", program(luaText), device.Ask("nothing"), "{}"},
		{"error", program(luaText), device.Ask("boom"), "!500 module:4: broken"},
		{"thrown", program(luaText), device.Ask("thrown"), "!500 "},
		{"no such function", program(luaText), device.Ask("nope"), "!500 the program defines no function nope"},
		{"function and parameters", program(luaText), device.Ask("call", field("function", message.Bytes("add")), field("parameters", message.List{message.Int(2), message.Int(3)})), "5"},
		{"of an assignment", program(luaText), device.Ask("hello", field("type", message.Bytes("Assignment")), field("body", message.New(field("function", message.Bytes("boom"))))), "hi nobody"},
		{"resolve", program(luaText), device.Ask("resolved"), "ok b"},
		{"steps", program(luaText), device.Ask("steps"), "7"},
		{"as", program(luaText), device.Ask("as"), `["device","x"]`},
		{"missing", program(luaText), device.Ask("missing"), "error 404"},
		{"get", program(luaText), device.Ask("reads"), "5"},
		{"absent", program(luaText), device.Ask("absent"), "true"},
		{"set", program(luaText), device.Ask("sets"), `{"a":3,"b":2,"c":{"d":4}}`},
		{"event", program(luaText), device.Ask("event"), "ok"},
		{"nested", program(luaText), device.Ask("nested"), "hi nobody"},
		{"nested for ever", program(luaText), device.Ask("forever/code"), "lua-nested"},
		{"reach", program(luaText, field("device-sandbox", message.List{message.Bytes("gzip@1.0")})), device.Ask("resolved"), "ok b"},
		{"out of reach", program("function reach() local s, v = ao.resolve({a = 'b'}, {'as', 'json@1.0', {path = 'to'}}) return s .. ' ' .. v.code end", field("device-sandbox", message.List{message.Bytes("gzip@1.0")})), device.Ask("reach"), "error device-unknown"},
		{"endless", program(luaText), device.Ask("endless"), "!413 "},
		{"by id", message.New(field("device", message.Bytes("lua@5.3a")), field("module", message.Bytes(module.SignedID().String()))), device.Ask("who"), "module"},
		{"by a link", message.New(field("device", message.Bytes("lua@5.3a")), field("module", message.Link{To: module.SignedID()})), device.Ask("both"), "1"},
		{"several", message.New(field("device", message.Bytes("lua@5.3a")), field("module", message.List{module, message.New(field("content-type", message.Bytes("application/lua")), field("data", message.Bytes("function both() return 2 end")))})), device.Ask("both"), "2"},
		{"a map", message.New(field("device", message.Bytes("lua@5.3a")), field("module", message.New(field("b", module), field("a", message.New(field("content-type", message.Bytes("application/lua")), field("body", text)))))), device.Ask("functions"), `["absent","add","as","boom","both","endless","event","forever","hello","missing","nested","nothing","number","reads","resolved","sets","steps","tab","teapot","thrown","who","whole","yes"]`},
		{"unknown module", message.New(field("device", message.Bytes("lua@5.3a")), field("module", message.Bytes(strings.Repeat("c", 43)))), device.Ask("x"), "!404 Lua module '" + strings.Repeat("c", 43) + "' not found."},
		{"no module", message.New(field("device", message.Bytes("lua@5.3a"))), device.Ask("x"), "!400 no-modules-found"},
		{"no code", message.New(field("device", message.Bytes("lua@5.3a")), field("module", message.New(field("content-type", message.Bytes("application/lua"))))), device.Ask("x"), "!404 Lua module not loadable. Lua modules must have a `body' element set to a binary of the code to load."},
		{"wrong text", program("x = = 1"), device.Ask("x"), "!500 module:1: unexpected symbol near '='"},
		{"sandbox", program("function see() return type(os.exit) .. type(load) end", field("sandbox", message.Atom("true"))), device.Ask("see"), "stringstring"},
		{"sandbox of a list", program("function see() return type(os.time) .. type(load) end", field("sandbox", message.List{message.Bytes("os/time")})), device.Ask("see"), "stringfunction"},
		{"a key of its own", program(luaText, field("count", message.Int(5))), device.Ask("count"), "5"},
		{"init", program(luaText, field("count", message.Int(5))), device.Ask("init/count"), "5"},
	} {
		res, err := r.Run(t.Context(), c.base, []device.Step{c.ask}, device.How{})
		got := ""
		switch o, is := device.OutcomeOf(err); {
		case is && o.Status >= 400:
			m, _ := o.Value.(message.Message)
			got = "!" + o.Status.String() + " " + m.Text("body")
		case err != nil:
			got = "!" + device.StatusOf(err).String() + " " + strings.TrimPrefix(err.Error(), "lua-ended")
			if strings.Contains(got, "out of gas") {
				got = "!413 "
			}
		default:
			got = devicetest.Show(res.Value)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// fewTurns are turns of which there are so many.
type fewTurns struct{ left int }

func (f *fewTurns) Enter(context.Context) (func(), error) {
	if f.left == 0 {
		return nil, fault.New(fault.TooMany, "no-turns", "no turn is left")
	}
	f.left--
	return func() { f.left++ }, nil
}

// TestProgramsOfRequestsWaitForTheirTurn: each call has one of its own, with what it calls, and gives it back however it ends. What the
// node runs itself has none.
func TestProgramsOfRequestsWaitForTheirTurn(t *testing.T) {
	node := engineNode(t)
	turns := &fewTurns{1}
	device.Provide[devices.Programs](node, turns)
	for _, key := range []string{"hello", "nested", "boom", "nope", "hello"} {
		_, err := resolver(node).Run(t.Context(), program(luaText), []device.Step{device.Ask(key)}, device.How{})
		if fault.CodeOf(err) == "no-turns" || turns.left != 1 {
			t.Errorf("%s: %v, %d left", key, err, turns.left)
		}
	}
	if _, err := resolver(node).Run(t.Context(), program("x = = 1"), []device.Step{device.Ask("x")}, device.How{}); err == nil || turns.left != 1 {
		t.Errorf("a wrong text: %v, %d left", err, turns.left)
	}
	turns.left = 0
	if _, err := resolver(node).Run(t.Context(), program(luaText), []device.Step{device.Ask("hello")}, device.How{}); fault.CodeOf(err) != "no-turns" {
		t.Errorf("without a turn: %v", err)
	}
	s, err := device.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := resolver(node).Run(device.WithSession(t.Context(), s), program(luaText), []device.Step{device.Ask("hello")}, device.How{}); err != nil {
		t.Errorf("in a process: %v", err)
	}
	node.Options = message.New(field("on", message.New(field("request", program(luaText, field("path", message.Bytes("hello")))))))
	c := &device.Call{Context: t.Context(), Node: node, Runner: resolver(node)}
	if _, err := devices.RunHook(c, "request", texts("body", "-")); fault.CodeOf(err) == "no-turns" {
		t.Errorf("a handler of the node: %v", err)
	}
}

func TestLuaStateLivesWithTheProcess(t *testing.T) {
	node := engineNode(t)
	r := resolver(node)
	s, err := device.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := device.WithSession(t.Context(), s)
	base := program(`n = 0 function compute(base, req) n = n + req.by base.n = n base.nested = select(2, ao.resolve(base, "look")) return base end function look() return n end`)
	for _, step := range []struct {
		by, want int64
		commit   bool
	}{{1, 1, true}, {2, 3, false}, {3, 4, true}} {
		res, err := r.Run(ctx, base, []device.Step{device.Ask("compute", field("by", message.Int(step.by)))}, device.How{})
		if err != nil {
			t.Fatal(err)
		}
		m := res.Value.(message.Message)
		if n, _ := m.Get("n"); n != message.Value(message.Int(step.want)) {
			t.Fatalf("%v, want %d", n, step.want)
		}
		// What a program reaches through the host begins anew: it is another message that says so.
		if n, _ := m.Get("nested"); n != message.Value(message.Int(0)) {
			t.Errorf("nested %v", n)
		}
		if step.commit {
			base, err = m, s.Commit()
		} else {
			err = s.Rollback()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
