package lua

import (
	"strings"
	"testing"

	"ago/vm"
)

// Lua allows 200 calls of C within each other. Each of these programs makes them with frames as large as can be; the
// machine's stacks have to hold them, so that what ends them is Lua's own error.
func TestTheStacksHoldAllCallsOfC(t *testing.T) {
	i := instance(t, testEngine(t), evaluator, vm.Limits{GasMax: 1_000_000_000, MemoryMax: 64 << 20})
	const json = `local deep = ("["):rep(199) .. ("]"):rep(199) local function bottom() local j = require("json") j.encode(j.decode(deep)) string.format("%99.99f", 1e300) return ("x"):rep(190):match(("x?"):rep(190) .. "(x)") or "none" end `
	for _, c := range []struct{ name, text string }{
		{"pcall", json + `local function f(n) bottom() local ok, e = pcall(f, n + 1) error(e, 0) end f(1)`},
		{"gsub", json + `local function f(s) bottom() return (s:gsub(".", f)) end f("x")`},
		{"sort", json + `local function f(n)
  bottom()
  local t, calls = {}, 0
  for k = 1, 300 do t[k] = (k * 7919) % 311 end
  table.sort(t, function(a, b) calls = calls + 1 if calls > 1500 then f(n + 1) end return a < b end)
end f(1)`},
		{"tostring", json + `local mt = {} mt.__tostring = function(x) bottom() return string.format("%s", setmetatable({}, mt)) end return tostring(setmetatable({}, mt))`},
		{"coroutines", json + `local function f() bottom() return coroutine.wrap(f)() end f()`},
		{"load by a reader", json + `local function f() local done local g, e = load(function() if done then return end done = true bottom() f() return "x = 1" end) if e then error(e, 0) end return g, e end local g, e = f() if e then error(e, 0) end`},
		{"handlers", json + `local function h(m) bottom() return xpcall(error, h, m) end return xpcall(error, h, "x")`},
		{"index", json + `local mt = {} mt.__index = function(t, k) bottom() return t[k .. "x"] end return setmetatable({}, mt).x`},
		{"concat", json + `local mt = {} mt.__concat = function(a, b) bottom() return a .. b end return setmetatable({}, mt) .. "x"`},
		{"finalizers", json + `local function f() setmetatable({}, {__gc = function() bottom() f() collectgarbage() end}) end f() collectgarbage() error("C stack overflow by now", 0)`},
		{"requires", json + `for k = 1, 300 do package.preload["m" .. k] = function() bottom() return require("m" .. k + 1) end end return require("m1")`},
		{"hooks", json + `local n = 0 local function f() n = n + 1 bottom() return pcall(f) end debug.sethook(function() end, "l") f() debug.sethook() error("C stack overflow by now", 0)`},
	} {
		out, err := eval(t, i, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Rollback(); err != nil {
			t.Fatal(err)
		}
		if out.Failure != "" || !strings.Contains(string(out.Response), "stack overflow") && !strings.Contains(string(out.Response), "C levels") && c.name != "handlers" {
			t.Errorf("%s ended with %s %.300s", c.name, out.Failure, out.Response)
		}
	}
}
