package rewrite

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

// emscripten is a module as emscripten makes them. f(i) calls a table entry through invoke: 0 returns 40, 1
// throws behind a change of the stack pointer, 2 traps, 3 invokes entry 1 again and adds what setThrew was told.
// The placeholders are the type of addresses, the name of the signature and an optional dynCall.
const emscripten = `(module
	(type $entry (func (param P) (result i32)))
	(import "env" "before" (func $before))
	(import "env" "invoke_SIG" (func $invoke (param P P) (result i32)))
	(import "env" "other" (func $other (param i32) (result i32)))
	(import "env" "_emscripten_throw_longjmp" (func $throw))
	(import "env" "after" (func $after (result i32)))
	(global $sp (mut P) (P.const 1000))
	(global $threw (mut i32) (i32.const 0))
	(global $ref funcref (ref.func $nine))
	(table $t TABLE 8 funcref)
	(elem (table $t) (OFF.const 0) func $ok $jump $trap $twice)
	(elem (table $t) (OFF.const 5) funcref (item (ref.func $nine)) (ref.null func))
	(elem declare func $nine)
	(elem func $ok $nine)
	(start $begin)
	(func $begin call $before)
	(func $ok (type $entry) i32.const 40)
	(func $jump (type $entry)
		(global.set $sp (P.sub (global.get $sp) (P.const 16)))
		call $throw
		i32.const 1)
	(func $trap (type $entry) unreachable)
	(func $twice (type $entry)
		(drop (call $invoke (P.const 1) (P.const 0)))
		(i32.add (global.get $threw) (call $other (i32.const 5))))
	(func $nine (type $entry) (i32.const 9))
	(func (export "setThrew") (param P i32)
		(if (i32.eqz (global.get $threw)) (then (global.set $threw (i32.add (i32.const 100) WRAP)))))
	(func (export "stackSave") (result P) global.get $sp)
	(func (export "stackRestore") (param P) (global.set $sp (local.get 0)))
	DYNCALL
	(func (export "f") (param P) (result i32)
		(call $invoke (local.get 0) (P.const 7)))
	(func (export "nine") (result i32)
		(global.set $ninth (global.get $ref))
		(table.set $t (OFF.const 7) (ref.func $nine))
		(call_indirect $t (type $entry) (P.const 0) (OFF.const 7)))
	(func (export "after") (result i32) (return_call $after))
	(global $ninth (mut funcref) (ref.null func))
	(func (export "many") (param i32)
		loop
			(drop (call $invoke (P.const 1) (P.const 0)))
			(br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
		end)
	(func (export "sp") (result P) global.get $sp)
	(func (export "threw") (result i32) global.get $threw)
)`

func emscriptenModule(t testing.TB, wide, wideTable, dynCall bool) []byte {
	p, wrap, off, table := "i32", "(local.get 0)", "i32", ""
	if wide {
		p, wrap = "i64", "(i32.wrap_i64 (local.get 0))"
	}
	if wideTable {
		off, table = "i64", "i64"
	}
	sig := map[string]string{"i32": "ii", "i64": "ij"}[p]
	d := ""
	if dynCall {
		d = `(func (export "dynCall_SIG") (param i32 P) (result i32)
			(call_indirect $t (type $entry) (local.get 1) (local.get 0)))
			(func (export "asyncify_start_unwind"))`
	}
	return assemble(t, strings.NewReplacer("DYNCALL", strings.NewReplacer("P", p, "SIG", sig).Replace(d),
		"WRAP", wrap, "TABLE", table, "OFF", off, "P", p, "SIG", sig).Replace(emscripten))
}

// legacyHost does what the loader's host functions do. Its exception is a trap that sets a flag.
func legacyHost(wide, dynCall bool) host {
	thrown := false
	h := host{
		"env.before": func(*run, []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) { return nil, nil },
		"env.other": func(_ *run, a []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			return []wasmtime.Val{wasmtime.ValI32(a[0].I32() * 2)}, nil
		},
		"env.after": func(*run, []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			return []wasmtime.Val{wasmtime.ValI32(77)}, nil
		},
		"env._emscripten_throw_longjmp": func(*run, []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			thrown = true
			return nil, wasmtime.NewTrap("longjmp")
		},
	}
	for _, sig := range []string{"ii", "ij"} {
		h["env.invoke_"+sig] = func(r *run, a []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			sp, err := r.call("stackSave")
			if err != nil {
				r.t.Fatal(err)
			}
			var index int32
			var arg any = a[1].Get()
			if wide {
				index = int32(a[0].I64())
			} else {
				index = a[0].I32()
			}
			res, err := r.call("dynCall_"+sig, index, arg)
			if err == nil {
				return []wasmtime.Val{wasmtime.ValI32(res.(int32))}, nil
			}
			if !thrown {
				return nil, wasmtime.NewTrap("passed on: " + err.Error())
			}
			thrown = false
			if _, err := r.call("stackRestore", sp); err != nil {
				r.t.Fatal(err)
			}
			var one any = int32(1)
			if wide {
				one = int64(1)
			}
			if _, err := r.call("setThrew", one, int32(0)); err != nil {
				r.t.Fatal(err)
			}
			return []wasmtime.Val{wasmtime.ValI32(0)}, nil
		}
	}
	return h
}

// The rewritten module does what the host did, with the same gas.
func TestSetjmpEqualsTheHosts(t *testing.T) {
	for _, v := range []struct{ wide, wideTable, dynCall bool }{
		{false, false, true}, {true, false, true}, {false, false, false}, {true, false, false}, {true, true, false},
	} {
		t.Run(fmt.Sprintf("%+v", v), func(t *testing.T) {
			mod := emscriptenModule(t, v.wide, v.wideTable, v.dynCall)
			native, info := rewrite(t, mod, Options{Gas: true, NativeEH: true, ExportGlobals: true})
			if info.InvokesRemoved != 1 || len(info.Imports) != 3 {
				t.Fatalf("%d invokes removed, imports left %v", info.InvokesRemoved, info.Imports)
			}
			plain, plainInfo := rewrite(t, mod, Options{Gas: true, ExportGlobals: true})
			for entry := range int32(5) {
				h := legacyHost(v.wide, v.dynCall)
				n := start(t, native, h)
				var arg any = entry
				if v.wide {
					arg = int64(entry)
				}
				got, gotErr := n.call("f", arg)
				state := func(r *run, info Info) string {
					threw, _ := r.call("threw")
					sp, _ := r.call("sp")
					return fmt.Sprint(threw, sp, r.i64(info.GasUsedGlobal))
				}
				gotState := state(n, info)
				if nine, err := n.call("nine"); nine != int32(9) {
					t.Errorf("function indices: nine() = %v, %v", nine, err)
				}
				if after, err := n.call("after"); after != int32(77) {
					t.Errorf("function indices: after() = %v, %v", after, err)
				}
				if !v.dynCall {
					// The host of this test calls through dynCall only: the values are written here.
					want := []string{"40", "0", "error", "111", "error"}[entry]
					if res := fmt.Sprint(got); gotErr != nil && want != "error" || gotErr == nil && res != want {
						t.Errorf("entry %d: %v, %v, want %s", entry, got, gotErr, want)
					}
					if !strings.Contains(gotState, " 1000 ") && entry < 2 {
						t.Errorf("entry %d: stack pointer not restored: %s", entry, gotState)
					}
					continue
				}
				p := start(t, plain, h)
				want, wantErr := p.call("f", arg)
				wantState := state(p, plainInfo)
				if got != want || (gotErr == nil) != (wantErr == nil) {
					t.Errorf("entry %d: %v, %v, want %v, %v", entry, got, gotErr, want, wantErr)
				}
				if gotState != wantState && wantErr == nil {
					t.Errorf("entry %d: threw, stack pointer, gas are %s, want %s", entry, gotState, wantState)
				}
			}
		})
	}
}

// A throw must not keep memory: the engine frees an exception object only with its instance.
func TestThrowsKeepNoMemory(t *testing.T) {
	out, _ := rewrite(t, emscriptenModule(t, true, false, true), Options{NativeEH: true})
	throwsKeepNoMemory(t, start(t, out, legacyHost(true, true)))
}

func throwsKeepNoMemory(t *testing.T, r *run) {
	throw := func(n int32) {
		if _, err := r.call("many", n); err != nil {
			t.Fatal(err)
		}
	}
	throw(1000)
	before := residentKiB(t)
	throw(200_000)
	// One object takes 32 bytes: 6250 KiB.
	if grown := residentKiB(t) - before; grown > 3000 {
		t.Errorf("200000 throws keep %d KiB", grown)
	}
}

func residentKiB(t *testing.T) int {
	runtime.GC()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the memory of a process is known on Linux only")
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	var n int
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSetjmpLeavesWhatItCannotDo(t *testing.T) {
	base := `(import "env" "invoke_v" (func (param i32)))
		(import "env" "_emscripten_throw_longjmp" (func))
		(table 1 funcref)`
	exports := `(func (export "setThrew") (param i32 i32)) (func (export "stackSave") (result i32) i32.const 0)
		(func (export "stackRestore") (param i32))`
	for _, tc := range []struct {
		name, text string
		want       int
	}{
		{"all there", base + exports, 1},
		{"no exports", base, 0},
		{"no throw", `(import "env" "invoke_v" (func (param i32))) (table 1 funcref)` + exports, 0},
		{"exports of other types", base + strings.Replace(exports, "(param i32))", "(param i64))", 1), 0},
		{"exceptions of C++ in the host", `(import "env" "__cxa_begin_catch" (func))` + base + exports, 0},
		{"suspendable without dynCall", base + exports + `(func (export "asyncify_start_unwind"))`, 0},
		{"suspendable with dynCall", base + exports + `(func (export "asyncify_start_unwind"))
			(func (export "dynCall_v") (param i32))`, 1},
		{"no table", strings.Replace(base, "(table 1 funcref)", "", 1) + exports, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, info := rewrite(t, assemble(t, tc.text), Options{NativeEH: true})
			if info.InvokesRemoved != tc.want {
				t.Errorf("%d invokes removed, want %d", info.InvokesRemoved, tc.want)
			}
			start(t, out, nil)
		})
	}
}

// Every published module keeps its shape and is accepted by the engine.
func TestPublishedModulesCompile(t *testing.T) {
	for _, p := range published {
		t.Run(p.file, func(t *testing.T) {
			mod := moduleBytes(t, p.file, p.sha256)
			out, info := rewrite(t, mod, Options{Gas: true, NativeEH: true, TranslateEH: true, ExportGlobals: true})
			if err := wasmtime.ModuleValidate(engine(), out); err != nil {
				t.Error(err)
			}
			if info.InvokesRemoved != 1 {
				t.Errorf("%d invokes removed", info.InvokesRemoved)
			}
			if again, _, _ := Rewrite(mod, Options{Gas: true, NativeEH: true, TranslateEH: true, ExportGlobals: true}); string(again) != string(out) {
				t.Error("a second run gave other bytes")
			}
			t.Logf("%d -> %d bytes, memory64 %v, pages %d..%d, globals %v", len(mod), len(out), info.Memory64, info.MemoryMin, info.MemoryMax, info.MutableGlobals)
		})
	}
}
