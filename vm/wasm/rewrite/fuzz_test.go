package rewrite

import (
	"errors"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

// FuzzRewrite: no bytes make Rewrite panic, its errors are ErrMalformed, and what the engine accepts stays
// something the engine accepts.
func FuzzRewrite(f *testing.F) {
	for _, tc := range gasCases {
		f.Add(assemble(f, tc.text), byte(31))
	}
	f.Add(emscriptenModule(f, true, true, false), byte(31))
	f.Add(emscriptenModule(f, false, false, true), byte(2))
	f.Add(everyInstruction(), byte(1))
	f.Add(assemble(f, `(tag $t (param i32)) (func (param i32) (result i32)
		try (result i32) try (result i32) local.get 0 throw $t delegate 0
		catch $t drop rethrow 0 catch_all i32.const 2 end)`), byte(4))
	f.Add(assemble(f, `(table 2 (ref null func) (ref.null func)) (global v128 (v128.const i64x2 1 2))
		(memory 1) (memory 1) (data "x")
		(func (result i32) v128.const i64x2 1 2 i8x16.extract_lane_s 3)
		(func i32.const 0 i32.const 0 i32.const 1 memory.copy 0 1)`), byte(1))
	f.Add([]byte(header), byte(0))
	f.Fuzz(func(t *testing.T, mod []byte, bits byte) {
		o := Options{Gas: bits&1 != 0, NativeEH: bits&2 != 0, TranslateEH: bits&4 != 0, ExportGlobals: bits&8 != 0, Poll: bits&16 != 0}
		out, _, err := Rewrite(mod, o)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || out != nil {
				t.Errorf("error %v with %d bytes", err, len(out))
			}
			return
		}
		if len(out) > 40*len(mod)+1000 {
			t.Errorf("%d bytes became %d", len(mod), len(out))
		}
		if _, _, err := Rewrite(out, Options{}); err != nil {
			t.Errorf("its own result: %v", err)
		}
		if wasmtime.ModuleValidate(engine(), mod) == nil {
			if err := wasmtime.ModuleValidate(engine(), out); err != nil {
				t.Errorf("the engine accepts the module and not the result: %v", err)
			}
		}
	})
}
