package lua

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"ago/vm"
)

// evaluator runs the text of a message.
const evaluator = `
Count = 0
function handle(msg, env)
  Count = Count + 1
  local v = assert(load(msg.Data, "=eval"))()
  return {Output = tostring(v), Count = Count}
end`

func eval(tb testing.TB, i vm.Instance, text string) (vm.Output, error) {
	tb.Helper()
	b, err := json.Marshal(map[string]string{"Data": text})
	if err != nil {
		tb.Fatal(err)
	}
	return i.Eval(context.Background(), vm.Input{Message: b, Env: []byte("{}")})
}

const (
	testGas    = 10_000_000
	testMemory = 24 << 20
)

// What bad programs do, and the end that each has to come to: "gas", or a part of the error's text.
var bad = []struct{ name, text, end string }{
	{"endless loop", `while true do end`, "gas"},
	{"endless for", `for i = 1, math.huge do end`, "gas"},
	{"endless repeat", `repeat until false`, "gas"},
	{"endless goto", `::a:: goto a`, "gas"},
	{"endless loop in pcall", `while true do pcall(function() while true do end end) end`, "gas"},
	{"endless loop in a coroutine", `coroutine.wrap(function() while true do end end)()`, "gas"},
	{"endless yields", `local c = coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end`, "gas"},
	{"endless tail calls", `local function f() return f() end f()`, "gas"},
	{"endless iterator", `for _ in function() return 1 end do end`, "gas"},
	{"endless errors", `while true do pcall(error) end`, "gas"},
	{"endless native calls", `local m = setmetatable({}, {__index = function(t, k) return k end}) local s = 0 while true do s = #string.format("%s", m[1]) end`, "gas"},
	{"endless metamethods", `local t = setmetatable({}, {__call = function(self) return self() end}) return t()`, "gas"},
	{"endless finalizers", `local function f() setmetatable({}, {__gc = function() while true do end end}) end f() collectgarbage()`, "gas"},
	{"finalizers that make more", `local mt = {} mt.__gc = function() setmetatable({}, mt) end setmetatable({}, mt) while true do collectgarbage() end`, "gas"},
	{"endless hook", `debug.sethook(function() while true do end end, "", 1) local x = 1`, "gas"},
	{"endless sort", `local t = {} for i = 1, 1000 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end`, "gas"},
	{"endless reader", `load(function() return " " end)`, "gas"},
	{"endless comparer", `table.sort({3, 2, 1, 4, 5}, function() while true do end end)`, "gas"},
	{"endless __index chain", `local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x`, "stack overflow"},
	{"endless replacement", `("x"):gsub(".", function() while true do end end)`, "gas"},
	{"endless length", `return #setmetatable({}, {__len = function() while true do end end})`, "gas"},
	{"collections", `local t = {} for i = 1, 1e5 do t[i] = {} end while true do collectgarbage() end`, "gas"},

	{"pattern with many stars", `return ("a"):rep(5000):find(("a*"):rep(100) .. "b")`, "gas"},
	{"pattern with many minus", `return ("a"):rep(3000):find((".-"):rep(60) .. "b")`, "gas"},
	{"pattern of balance", `local s = ("("):rep(200000) for i = 1, 1e9 do s:find("%b()") end`, "gas"},
	{"pattern of back references", `local s = ("a"):rep(200000) while true do s:find("(a*)%1b") end`, "gas"},
	{"pattern too deep", `return ("x"):rep(300):match(("(x"):rep(32) .. (")"):rep(32) .. ("x?"):rep(300))`, ""},
	{"plain search", `local s, p = ("a"):rep(1e6), ("a"):rep(5e5) .. "b" while true do s:find(p, 1, true) end`, "gas"},
	{"gmatch", `for i = 1, 1e9 do for w in ("ab "):rep(1e5):gmatch("%a+") do end end`, "gas"},

	{"long strings", `local s = "x" while true do s = s .. s end`, "not enough memory"},
	{"string.rep", `return #("x"):rep(1e9)`, "not enough memory"},
	{"string.rep of all there is", `return #("x"):rep(1 << 40)`, "resulting string too large"},
	{"string.rep in pcall", `local n = 0 for i = 1, 50 do if not pcall(string.rep, "x", 1e9) then n = n + 1 end end error(n .. " failed")`, "50 failed"},
	{"growing table", `local t = {} while true do t[#t + 1] = {1, 2, 3} end`, "not enough memory"},
	{"growing keys", `local t, i = {}, 0 while true do i = i + 1 t["key" .. i] = i end`, "not enough memory"},
	{"growing upvalues", `local f = function() end while true do local g = f f = function() return g end end`, "not enough memory"},
	{"coroutines without end", `local t = {} while true do t[#t + 1] = coroutine.create(function() end) end`, "not enough memory"},
	{"concat", `local t = {} for i = 1, 1e6 do t[i] = ("x"):rep(100) end return #table.concat(t)`, "not enough memory"},
	{"memory caught", `local t = {} local ok, e = pcall(function() while true do t[#t + 1] = ("x"):rep(100000) .. #t end end) t = nil error("caught: " .. e)`, "caught: not enough memory"},
	{"memory refused in an endless pcall", `while true do pcall(function() local s = ("x"):rep(1e7) while true do s = s .. s end end) end`, "gas"},
	{"format", `while true do string.format("%99.99f", 1e308) end`, "gas"},
	{"unpack", `return table.unpack({}, 1, 1e8)`, "too many results to unpack"},
	{"pack", `return #string.pack("c1000000000", "x")`, "not enough memory"},
	{"byte", `local s = ("x"):rep(1e7) return s:byte(1, -1)`, "string slice too long"},
	{"big json", `local s = ("["):rep(1e6) return require("json").decode(s)`, "nested too deeply"},
	{"json of itself", `local t = {} t.t = t return require("json").encode(t)`, "contains itself"},
	{"printing", `while true do print(("x"):rep(1000)) end`, "not enough memory"},

	{"recursion", `local function f() return 1 + f() end return f()`, ""},
	{"recursion in pcall", `local function f() return pcall(f) end local _, e = f() error(e)`, ""},
	{"recursion of metamethods", `local t = setmetatable({}, {}) getmetatable(t).__add = function(a, b) return a + b end return t + t`, "stack overflow"},
	{"recursion of tostring", `local t = setmetatable({}, {}) getmetatable(t).__tostring = function(x) return tostring(x) end return tostring(t)`, "stack overflow"},
	{"recursion of gsub", `local function f(s) return s:gsub(".", f) end return f("x")`, "stack overflow"},
	{"recursion of sort", `local function c(a, b) table.sort({3, 2, 1}, c) return a < b end table.sort({3, 2, 1}, c)`, "stack overflow"},
	{"recursion of coroutines", `local function f() return coroutine.wrap(f)() end return f()`, "stack overflow"},
	{"recursion of load", `local s = "return load(...)(...)" return load(s)(s)`, "gas"},
	{"recursion of error handlers", `return xpcall(error, function(m) return m .. nil end)`, ""},
	{"deep expressions", `return load("return " .. ("("):rep(1e5) .. "1" .. (")"):rep(1e5))()`, ""},
	{"deep tables as text", `return load("return " .. ("{"):rep(1e5) .. ("}"):rep(1e5))()`, ""},
	{"deep concatenation", `return load("return " .. ("'a'.."):rep(1e5) .. "'a'")()`, ""},
	{"long text", `return load(("x = 1 "):rep(1e6))()`, ""},
	{"many functions", `local t = {} for i = 1, 3e4 do t[i] = "function f" .. i .. "() end" end load(table.concat(t, " "))() error("done")`, "done"},

	{"bytecode", "return assert(load('\\27Lua', 'x', 'b'))", "precompiled code is not accepted"},
	{"bytecode of functions", `return load(string.dump(function() end))`, "precompiled code is not accepted"},
	{"error object", `error({code = 5})`, "error object is a table value"},
	{"error object with a text", `error(setmetatable({}, {__tostring = function() return "told" end}))`, "told"},
	{"error object with a bad text", `error(setmetatable({}, {__tostring = function() error("again") end}))`, ""},
	{"error object whose text does not end", `error(setmetatable({}, {__tostring = function() while true do end end}))`, "gas"},
	{"error nil", `error()`, "nil"},
	{"error that is long", `error(("x"):rep(1e6))`, "xxx"},
	{"error in a finalizer", `setmetatable({}, {__gc = function() error("late") end}) collectgarbage()`, "late"},
	{"no files", `return io.open("/etc/passwd")`, "global 'io'"},
	{"no commands", `return os.execute("ls")`, "field 'execute'"},
	{"no environment", `return os.getenv("HOME")`, "field 'getenv'"},
	{"no files by load", `return loadfile("/etc/passwd")`, "global 'loadfile'"},
	{"no modules", `return require("socket")`, "module 'socket' not found"},
	{"no host", `return require("machine").host("anything", 1)`, "offers no function anything"},
	{"result is a function", `function handle() return {f = print} end`, ""},
	{"breaking the libraries", `string.format = nil table.concat = nil pcall = nil error = nil local x = nil + 1`, "arithmetic on a nil value"},
	{"metatable of strings", `getmetatable("").__index = nil return ("x"):rep(1)`, "index a string value"},
	{"registry", `for k in pairs(debug.getregistry()) do debug.getregistry()[k] = nil end error("gone")`, ""},
	{"collisions", `local t = {} for i = 1, 1e6 do t[("k"):rep(40) .. i .. ("k"):rep(2000)] = i end`, ""},
	{"fmod", `local x = 0 while true do x = math.fmod(1e308, 5e-324) end`, "gas"},
	{"tonumber", `local s = ("1"):rep(1e6) while true do tonumber(s) end`, "gas"},
	{"comparisons", `local a, b = ("x"):rep(1e6) .. "a", ("x"):rep(1e6) .. "b" while true do if a > b then end end`, "gas"},
	{"next over what is empty", `local t = {} for i = 1, 2e5 do t[i] = i end for i = 1, 2e5 do t[i] = nil end while true do next(t) end`, "gas"},
	{"utf8", `local s = ("é"):rep(1e5) while true do utf8.len(s) end`, "gas"},
	{"base64", `local s = ("x"):rep(1e6) while true do require("base64").encode(s) end`, "gas"},
	{"traceback", `while true do debug.traceback() end`, "gas"},
	{"date", `while true do os.date(("%c"):rep(1000)) end`, "gas"},
}

func TestBadProgramsEndAndLeaveTheStateAlone(t *testing.T) {
	e := testEngine(t)
	short := instance(t, e, evaluator, vm.Limits{GasMax: testGas, MemoryMax: testMemory})
	long := instance(t, e, evaluator, vm.Limits{GasMax: 100 * testGas, MemoryMax: testMemory})
	counts := map[vm.Instance]int{}
	for _, b := range bad {
		t.Run(b.name, func(t *testing.T) {
			i := long // to come to another end than that of its gas
			if b.end == "gas" {
				i = short
			}
			begin := time.Now()
			out, err := eval(t, i, b.text)
			took := time.Since(begin)
			if err != nil {
				t.Fatal(err)
			}
			if err := i.Rollback(); err != nil {
				t.Fatal(err)
			}
			switch {
			case b.end == "gas":
				if out.Failure != "out of gas!" || out.Gas != testGas {
					t.Errorf("ended with %q, gas %d, %.300s", out.Failure, out.Gas, out.Response)
				}
			case out.Failure != "" && b.end == "" && out.Failure == "out of gas!":
			case out.Failure != "":
				t.Errorf("ended with the failure %s", out.Failure)
			case b.end != "" && (!strings.HasPrefix(string(out.Response), `{"ok":false,`) || !strings.Contains(string(out.Response), b.end)):
				t.Errorf("answered %.400s", out.Response)
			case !json.Valid(out.Response):
				t.Errorf("answered what is no JSON: %.400s", out.Response)
			}
			// Ten million instructions take less than a tenth of a second; what has no instructions has to be as dear.
			if took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			t.Logf("%v, gas %d, %.100s%s", took.Round(time.Millisecond), out.Gas, out.Response, out.Failure)
			counts[i]++
			out = do(t, i, vm.Input{Message: []byte(`{"Data":"return Count"}`), Env: []byte("{}")})
			var r struct{ Response struct{ Count int } }
			if err := json.Unmarshal(out.Response, &r); err != nil || r.Response.Count != counts[i] {
				t.Fatalf("the state afterwards is %s, %v", out.Response, err)
			}
		})
	}
}

func TestGasIsTheSameEveryTime(t *testing.T) {
	e := testEngine(t)
	text := `local t = {} for i = 1, 1000 do t[i] = ("x"):rep(i % 50) .. i end table.sort(t) collectgarbage() return #table.concat(t)`
	var first vm.Output
	for n := range 3 {
		i := instance(t, e, evaluator, vm.Limits{})
		out, err := eval(t, i, text)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = out
		}
		if out.Gas != first.Gas || string(out.Response) != string(first.Response) || out.Gas == 0 {
			t.Errorf("run %d: gas %d and %s, first %d and %s", n, out.Gas, out.Response, first.Gas, first.Response)
		}
		// One unit less is not enough, the same is.
		for _, c := range []struct {
			gas  uint64
			fail bool
		}{{first.Gas, false}, {first.Gas - 1, true}} {
			j := instance(t, e, evaluator, vm.Limits{GasMax: c.gas})
			out, err := eval(t, j, text)
			if err != nil || (out.Failure == "out of gas!") != c.fail {
				t.Errorf("with gas %d: %v, %q", c.gas, err, out.Failure)
			}
		}
	}
}

func TestAMessageLargerThanTheMemory(t *testing.T) {
	i := instance(t, testEngine(t), evaluator, vm.Limits{MemoryMax: 4 << 20})
	out, err := i.Eval(context.Background(), vm.Input{Message: []byte(`{"Data":"` + strings.Repeat("x", 8<<20) + `"}`), Env: []byte("{}")})
	if err != nil || out.Failure != "not enough memory" {
		t.Fatalf("%v, %q, %.100s", err, out.Failure, out.Response)
	}
	if err := i.Rollback(); err != nil {
		t.Fatal(err)
	}
	do(t, i, vm.Input{Message: []byte(`{"Data":"return 1"}`), Env: []byte("{}")})
}

func TestACallerStopsAnEvaluation(t *testing.T) {
	i := instance(t, testEngine(t), evaluator, vm.Limits{})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := i.Eval(ctx, vm.Input{Message: []byte(`{"Data":"while true do end"}`), Env: []byte("{}")})
	if !errors.Is(err, vm.ErrUnfinished) {
		t.Fatalf("it ended with %v", err)
	}
	if err := i.Rollback(); err != nil {
		t.Fatal(err)
	}
	do(t, i, vm.Input{Message: []byte(`{"Data":"return 1"}`), Env: []byte("{}")})
}

func TestModulesThatCannotBeLoaded(t *testing.T) {
	e := testEngine(t)
	for _, c := range []struct{ text, want string }{
		{"x = = 1", "process:1: unexpected symbol near '='"},
		{"error('at start')", "process:1: at start"},
		{"while true do end", "out of gas!"},
		{"local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end", "not enough memory"},
		{"\x1bLua", "precompiled code is not accepted"},
	} {
		if os.Getenv("AGO_LONG") == "" && (c.want == "out of gas!" || c.want == "not enough memory") {
			continue // takes as long, or as much, as loading may: five seconds, 256 MiB
		}
		err := e.Prepare(context.Background(), vm.Module{Format: Format, Bytes: []byte(c.text)})
		if !errors.Is(err, vm.ErrModule) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	if _, err := e.New(context.Background(), vm.Module{Format: Format, Bytes: []byte("x = 1")}, vm.Limits{}); err != nil {
		t.Errorf("a module without handle can be loaded, its evaluations fail: %v", err)
	}
}
