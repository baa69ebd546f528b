//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ago/vm"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

// small builds a module of the 64-bit format by hand: what the loader needs of one, and a handle of the test's own.
// At address 1024 lies the text "hello".
func small(tb testing.TB, imports, body, ctors string) vm.Module {
	tb.Helper()
	b, err := wasmtime.Wat2Wasm(fmt.Sprintf(`(module
  %s
  (memory (export "memory") i64 4 200)
  (table (export "__indirect_function_table") 4 funcref)
  (global $sp (mut i64) (i64.const 65536))
  (global $count (mut i64) (i64.const 0))
  (data (i64.const 1024) "hello\00")
  (func (export "emscripten_stack_init") (global.set $sp (i64.const 65536)))
  (func (export "emscripten_stack_get_end") (result i64) (i64.const 4096))
  (func (export "emscripten_stack_get_current") (result i64) (global.get $sp))
  (func (export "_emscripten_stack_restore") (param i64) (global.set $sp (local.get 0)))
  (func (export "_emscripten_stack_alloc") (param i64) (result i64)
    (global.set $sp (i64.and (i64.sub (global.get $sp) (local.get 0)) (i64.const -16))) (global.get $sp))
  (func (export "__wasm_call_ctors") %s)
  (func $deep (param i64) (result i64) (i64.add (call $deep (local.get 0)) (i64.const 1)))
  (func (export "handle") (param $msg i64) (param $env i64) (result i64) %s))`, imports, ctors, body))
	if err != nil {
		tb.Fatal(err)
	}
	return vm.Module{ID: "small", Format: format64, Bytes: b}
}

func TestSmallModules(t *testing.T) {
	e := testEngine(t, Config{})
	for _, c := range []struct {
		name, imports, body string
		response, failure   string
	}{
		{"gives a text", "", `(i64.const 1024)`, "hello", ""},
		{"gives the message back", "", `(local.get $msg)`, "message", ""},
		{"gives nothing", "", `(i64.const 0)`, "", ""},
		{"points outside", "", `(i64.const 99999999)`, "", ""},
		{"points far outside", "", `(i64.const -1)`, "", ""},
		{"gives a text without an end", "", `(memory.fill (i64.const 262140) (i32.const 97) (i64.const 4)) (i64.const 262140)`, "aaaa", ""},
		{"gives broken text", "", `(i64.store (i64.const 2048) (i64.const 0x4182e2ff41)) (i64.const 2048)`, "A\uFFFD\uFFFDA", ""},
		{"is unreachable", "", `unreachable`, "", "unreachable"},
		{"reads outside", "", `(i64.load (i64.const 0x100000000))`, "", "memory access out of bounds"},
		{"divides by zero", "", `(i64.div_u (local.get $msg) (i64.const 0))`, "", "divide by zero"},
		{"overflows", "", `(i64.div_s (i64.const 0x8000000000000000) (i64.const -1))`, "", "divide result unrepresentable"},
		{"converts what cannot be", "", `(i64.trunc_f64_s (f64.const nan))`, "", "float unrepresentable in integer range"},
		{"calls no function", "", `(call_indirect (i32.const 1)) (i64.const 0)`, "", "null function or function signature mismatch"},
		{"calls outside the table", "", `(call_indirect (i32.const 9)) (i64.const 0)`, "", "table index is out of bounds"},
		{"calls itself without end", "", `(call $deep (i64.const 0))`, "", "Maximum call stack size exceeded"},
		{"needs what is not there", `(import "env" "nothing" (func $n (param i32 f64) (result i32)))`,
			`(call $n (i32.const 1) (f64.const 2)) drop (i64.const 1024)`, "", "the module called env.nothing, which this host does not have"},
		{"has an import it does not use", `(import "env" "nothing" (func $n (param i32 f64) (result i32)))`, `(i64.const 1024)`, "hello", ""},
		{"exits", `(import "env" "exit" (func $n (param i32)))`, `(call $n (i32.const 3)) (i64.const 0)`, "", "Program terminated with exit(3)"},
		{"aborts", `(import "env" "_abort_js" (func $n))`, `(call $n) (i64.const 0)`, "", "Aborted(native code called abort())"},
		{"throws without a catch", `(import "env" "_emscripten_throw_longjmp" (func $n))`, `(call $n) (i64.const 0)`, "", "Infinity"},
		{"copies outside", `(import "env" "_emscripten_memcpy_js" (func $n (param i64 i64 i64)))`,
			`(call $n (i64.const 2048) (i64.const 1024) (i64.const -1)) (call $n (i64.const -1) (i64.const 0) (i64.const 5)) (i64.const 2048)`, "hello", ""},
		{"grows too far", "", `(if (i64.ne (memory.grow (i64.const 100000)) (i64.const -1)) (then unreachable)) (i64.const 1024)`, "hello", ""},
		{"grows past its limit", "", `(if (i64.ne (memory.grow (i64.const 60)) (i64.const -1)) (then unreachable)) (i64.const 1024)`, "hello", ""},
		{"lets the host write anywhere", `(import "wasi_snapshot_preview1" "fd_write" (func $n (param i32 i64 i64 i64) (result i32)))`,
			`(call $n (i32.const 1) (i64.const -8) (i64.const 3) (i64.const -4)) drop (i64.const 1024)`, "hello", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, err := e.New(t.Context(), small(t, c.imports, c.body, ""), vm.Limits{MemoryMax: 50 * wasmPage})
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			before := stateSum(i)
			for range 2 { // the second time shows that the first left nothing behind
				out := mustEval(t, i, vm.Input{Message: []byte("message"), Env: []byte("env")})
				if string(out.Response) != c.response || out.Failure != c.failure {
					t.Fatalf("response %q, failure %q", out.Response, out.Failure)
				}
				if (out.Failure == "") != (out.Response != nil) {
					t.Errorf("%+v is neither a response nor a failure", out)
				}
				undo(t, i)
				if liveSum(i.(*instance).machine) != before {
					t.Fatal("it left a trace")
				}
			}
		})
	}
}

func TestGlobalsAreStateAsWell(t *testing.T) {
	e := testEngine(t, Config{})
	m := small(t, "", `(global.set $count (i64.add (global.get $count) (i64.const 1)))
      (i64.store8 (i64.const 2048) (i64.add (i64.const 48) (global.get $count))) (i64.store8 (i64.const 2049) (i64.const 0)) (i64.const 2048)`, "")
	i, err := e.New(t.Context(), m, vm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for k, want := range []string{"1", "2", "2", "2", "3"} {
		out := mustEval(t, i, vm.Input{})
		if string(out.Response) != want {
			t.Fatalf("step %d gives %q, want %q", k, out.Response, want)
		}
		if k == 1 || k == 2 {
			undo(t, i)
		} else if err := i.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	f, err := i.Fork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if err := i.Snapshot(&b, true); err != nil {
		t.Fatal(err)
	}
	j, err := e.Restore(t.Context(), m, vm.Limits{}, &b)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for range 2 {
		if out := mustEval(t, f, vm.Input{}); string(out.Response) != "4" {
			t.Errorf("the fork gives %q", out.Response)
		}
	}
	if out := mustEval(t, j, vm.Input{}); string(out.Response) != "4" {
		t.Errorf("the restored one gives %q", out.Response)
	}
}

func TestAModuleThatDoesNotStart(t *testing.T) {
	for name, ctors := range map[string]string{"traps": "unreachable", "never ends": "(loop (br 0))"} {
		e := testEngine(t, Config{TimeMax: 50 * time.Millisecond})
		if err := e.Prepare(t.Context(), small(t, "", "(i64.const 0)", ctors)); !errors.Is(err, vm.ErrModule) {
			t.Errorf("a start that %s: %v", name, err)
		}
	}
}

func TestCompiledModulesAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	m := small(t, "", "(i64.const 1024)", "")
	files := func() []string {
		f, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	run := func() {
		t.Helper()
		e := testEngine(t, Config{CacheDir: dir})
		defer e.Close()
		i, err := e.New(t.Context(), m, vm.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		if out := mustEval(t, i, vm.Input{}); string(out.Response) != "hello" {
			t.Fatalf("got %q", out.Response)
		}
	}
	run()
	kept := files()
	if len(kept) != 1 || !strings.HasSuffix(kept[0], ".wasmtime") {
		t.Fatalf("the cache holds %v", kept)
	}
	st, err := os.Stat(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	run()
	again, err := os.Stat(kept[0])
	if err != nil || !again.ModTime().Equal(st.ModTime()) {
		t.Error("the module was compiled again")
	}
	// Bytes of another compiler are no code.
	if err := os.WriteFile(kept[0], []byte("not code"), 0o600); err != nil {
		t.Fatal(err)
	}
	run()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{CacheDir: dir}); err == nil {
		t.Error("a folder that anyone may write to was accepted for code")
	}
}

func TestOneCompilationServesAll(t *testing.T) {
	e := testEngine(t, Config{CacheDir: t.TempDir()})
	m := small(t, "", "(i64.const 1024)", "")
	errs := make(chan error)
	for range 8 {
		go func() { errs <- e.Prepare(context.Background(), m) }()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if len(e.programs) != 1 {
		t.Errorf("%d programs", len(e.programs))
	}
}

func TestAClosedEngineRefusesAndKeepsWhatLives(t *testing.T) {
	made, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	e := made.(*engine)
	m := small(t, "", "(i64.const 1024)", "")
	i, err := e.New(t.Context(), m, vm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.New(t.Context(), m, vm.Limits{}); !errors.Is(err, vm.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if e.native == nil {
		t.Fatal("the engine went while an instance lives")
	}
	if out := mustEval(t, i, vm.Input{}); string(out.Response) != "hello" {
		t.Errorf("got %q", out.Response)
	}
	i.Close()
	if e.native != nil {
		t.Error("the engine stays")
	}
	if _, err := i.Eval(t.Context(), vm.Input{}); !errors.Is(err, vm.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
