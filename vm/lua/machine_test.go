package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ago/vm"
)

func TestAMachineCallsAndIsCalled(t *testing.T) {
	ctx := context.Background()
	asked := ""
	hosts := map[string]Host{
		"resolve": func(_ context.Context, value []byte) ([]byte, error) {
			asked = string(value)
			return []byte(`{"found":true,"n":7}`), nil
		},
		"fail": func(context.Context, []byte) ([]byte, error) { return nil, errors.New("not today") },
	}
	m, err := NewMachine(ctx, testEngine(t), []byte(`
local machine = require "machine"
n = 0
function double(x) n = n + 1 return {2 * x.n, n} end
function resolve(path) return machine.host("resolve", {path = path}).n + 1 end
function failing() local ok, e = pcall(machine.host, "fail") return e end
function unknown() return machine.host("unknown") end
function bad(x) n = 100 error("bad " .. x) end
function endless() while true do end end
function nothing() end`), vm.Limits{GasMax: 1e6}, hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, c := range []struct{ function, value, want, fails string }{
		{"double", `{"n":21}`, `[42,1]`, ""},
		{"double", `{"n":2.5}`, `[5,2]`, ""},
		{"resolve", `"/a/b"`, `8`, ""},
		{"failing", `null`, `"not today"`, ""},
		{"unknown", `null`, ``, "this host offers no function unknown"},
		{"bad", `"x"`, ``, "process:8: bad x\nstack traceback:"},
		{"double", `{"n":1}`, `[2,3]`, ""}, // what failed has changed nothing
		{"endless", `1`, ``, "out of gas!"},
		{"double", `{"n":1}`, `[2,4]`, ""},
		{"nothing", `1`, `null`, ""},
		{"absent", `1`, ``, "defines no function absent"},
		{"double", `{"n":`, ``, "unexpected end of text"},
	} {
		r, err := m.Call(ctx, c.function, []byte(c.value))
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %s, %v", c.function, r.Value, err)
			}
			var e *Error
			if errors.As(err, &e) == errors.Is(err, ErrEnded) {
				t.Errorf("%s: the error %v is of the wrong kind", c.function, err)
			}
			continue
		}
		if err != nil || string(r.Value) != c.want || r.Gas == 0 {
			t.Errorf("%s(%s): %s, gas %d, %v", c.function, c.value, r.Value, r.Gas, err)
		}
	}
	if asked != `{"path":"/a/b"}` {
		t.Errorf("the host was asked %s", asked)
	}
	if _, err := m.Load(ctx, []byte("function double(x)\n  return x.n .. nil end"), "@lib/double.lua"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Call(ctx, "double", []byte(`{"n":1}`)); err == nil || !strings.HasPrefix(err.Error(), "lib/double.lua:2: attempt to concatenate a nil value") {
		t.Errorf("the loaded text fails with %v", err)
	}
	if _, err := m.Load(ctx, []byte("x = = 1"), "=typed"); err == nil || !strings.HasPrefix(err.Error(), "typed:1: unexpected symbol near '='") {
		t.Errorf("the wrong text fails with %v", err)
	}
}

func ExampleMachine() {
	ctx := context.Background()
	e, err := New(Config{CacheDir: cacheDir})
	if err != nil {
		panic(err)
	}
	defer e.Close()
	m, err := NewMachine(ctx, e, []byte(`function greet(who) return "Hello, " .. who .. "!" end`), vm.Limits{}, nil)
	if err != nil {
		panic(err)
	}
	defer m.Close()
	r, err := m.Call(ctx, "greet", []byte(`"reader"`))
	fmt.Println(string(r.Value), err)
	// Output: "Hello, reader!" <nil>
}
