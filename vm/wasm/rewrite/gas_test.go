package rewrite

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

// The expected numbers are sums by hand of the published prices.
var gasCases = []struct {
	name, text string
	want       int64
}{
	{"empty", `(func (export "f"))`, 0},
	{"nop", `(func (export "f") nop)`, 1 + 91},
	{"const and drop", `(func (export "f") i32.const 1 drop)`, 121 + 91},
	{"locals are free to declare", `(func (export "f") (local i64 i64 f32) nop)`, 1 + 91},
	{"local", `(func (export "f") (local i64) local.get 0 local.set 0)`, 240 + 91},
	{"float division is free", `(func (export "f") f64.const 1 f64.const 2 f64.div drop)`, 122 + 91},
	{"float compare: eq costs, lt is free",
		`(func (export "f") f64.const 1 f64.const 2 f64.eq drop f64.const 1 f64.const 2 f64.lt drop)`, 4 + 45 + 240 + 91},
	{"integer division", `(func (export "f") i64.const 1 i64.const 2 i64.div_u drop)`, 36_000 + 122 + 91},
	{"shift and rotate",
		`(func (export "f") i32.const 1 i32.const 2 i32.shl i32.const 2 i32.rotr drop)`, 3 + 67 + 90 + 120 + 91},
	{"wrap is free, eqz is not", `(func (export "f") i64.const 1 i32.wrap_i64 i32.eqz drop)`, 1 + 45 + 120 + 91},
	{"memory", `(memory 1) (func (export "f") i32.const 0 i32.const 0 i32.load i32.store8)`, 2 + 240 + 91},
	{"memory.size", `(memory 1) (func (export "f") memory.size drop)`, 100 + 120 + 91},
	{"memory.grow ends a segment",
		`(memory 1) (func (export "f") i32.const 0 memory.grow drop)`, 1 + 10_000 + 91 + 120 + 91},
	{"a block does not end a segment, its end does",
		`(func (export "f") block nop end nop)`, 1 + 1 + 91 + 1 + 91},
	{"if taken", `(func (export "f") i32.const 1 if nop else nop nop end)`, 1 + 1 + 91 + 1 + 90 + 91},
	{"if not taken", `(func (export "f") i32.const 0 if nop else nop nop end)`, 1 + 1 + 91 + 2 + 91},
	{"call charges caller and callee",
		`(func $g nop) (func (export "f") call $g)`, 90 + 91 + 1 + 91},
	{"call_indirect", `(table 1 funcref) (elem (i32.const 0) $g) (func $g nop)
			(func (export "f") i32.const 0 call_indirect)`, 1 + 10_000 + 91 + 1 + 91},
	{"a call does not end a segment",
		`(func $g) (func (export "f") call $g nop)`, 90 + 1 + 91},
	{"loop of three rounds", `(func (export "f") (local i32) i32.const 3 local.set 0
			loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end)`,
		1 + 120 + 1 + 91 + 3*(120+1+45+120+90+91)},
	{"br_table", `(func (export "f") block block i32.const 1 br_table 0 1 end nop end)`, 1 + 1 + 1 + 120 + 91},
	{"return", `(func (export "f") return nop)`, 90 + 91},
	{"unknown to the loader: bulk memory is free",
		`(memory 1) (func (export "f") i32.const 0 i32.const 0 i32.const 9 memory.fill)`, 3 + 91},
	{"unknown to the loader: two results",
		`(func (export "f") block (result i32 i32) i32.const 1 i32.const 2 end drop drop)`, 3 + 91 + 240 + 91},
	{"unknown to the loader: passive elements",
		`(table 1 funcref) (elem $e func $g) (func $g) (func (export "f") i32.const 0 i32.const 0 i32.const 1 table.init $e)`, 3 + 91},
	{"memory of 64 bits", `(memory i64 1) (func (export "f") i64.const 8 i32.load drop)`, 1 + 120 + 120 + 91},
}

func TestGasOfAFunction(t *testing.T) {
	for _, tc := range gasCases {
		t.Run(tc.name, func(t *testing.T) {
			out, info := rewrite(t, assemble(t, tc.text), Options{Gas: true})
			r := start(t, out, nil)
			if _, err := r.call("f"); err != nil {
				t.Fatal(err)
			}
			if got := r.i64(info.GasUsedGlobal); got != tc.want {
				t.Errorf("gas %d, want %d", got, tc.want)
			}
		})
	}
}

// everyInstruction is a module with each instruction the loader knows, behind one another. It is not valid,
// which the loader does not look at.
func everyInstruction() []byte {
	body := []byte{0}
	for op := 0; op <= 0xc4; op++ {
		zeros := map[immediate]int{immNone: 0, immIndex: 1, immIndex2: 2, immMemory: 2, immI32: 1, immI64: 1,
			immLabels: 2, immFour: 4, immEight: 8}
		switch n, ok := zeros[immediates[op]]; {
		case op >= int(opTry) && op <= int(opThrowRef) || op >= int(opReturnCall) && op <= int(opCatchAll) ||
			op == int(opEnd) || op == 0x25 || op == 0x26:
		case immediates[op] == immBlock:
			body = append(body, byte(op), typeEmpty)
		case ok:
			body = append(append(body, byte(op)), make([]byte, n)...)
		}
	}
	body = append(body, byte(opEnd), byte(opEnd), byte(opEnd), byte(opEnd))
	b := append([]byte(header), secType, 4, 1, 0x60, 0, 0, secImport, 1, 0, secFunction, 2, 1, 0, secCode)
	b = appendU32(b, uint32(len(body)+3))
	return appendBytes(append(b, 1), body)
}

// The sums are those of what the loader's transform makes of the modules, with a counter of 64 bits.
func TestSmallModulesEqualTheLoaders(t *testing.T) {
	golden, err := os.ReadFile("testdata/loader_sha256.txt")
	if err != nil {
		t.Fatal(err)
	}
	mods := map[string][]byte{"every instruction": everyInstruction()}
	for _, tc := range gasCases {
		mods[tc.name] = assemble(t, tc.text)
	}
	lines := strings.Split(strings.TrimSpace(string(golden)), "\n")
	if len(lines) != len(mods) {
		t.Errorf("%d sums for %d modules", len(lines), len(mods))
	}
	for _, line := range lines {
		want, name, _ := strings.Cut(line, "  ")
		out, err := oracleMeter(mods[name], valI64)
		got := hexSum(out)
		if errors.Is(err, errOracle) {
			got = "none"
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestOutOfGas(t *testing.T) {
	for _, tc := range []struct{ name, text string }{
		{"loop", `(func (export "f") loop br 0 end)`},
		{"loop of what the loader does not know",
			`(func (export "f") (local funcref) loop ref.func 0 local.set 0 try_table end br 0 end)`},
		{"loop in a loop", `(func (export "f") loop loop br 1 end end)`},
		{"loop closed by br_table", `(func (export "f") loop i32.const 0 br_table 0 0 end)`},
		{"loop closed by an exception", `(tag $t) (func (export "f") loop try_table (catch $t 0) throw $t end end)`},
		{"call", `(func $f (export "f") call $f)`},
		{"tail call", `(func $f (export "f") return_call $f)`},
		{"tail call behind what costs nothing", `(func $f (export "f") try_table end return_call $f)`},
		{"indirect tail call", `(table funcref (elem $f)) (func $f (export "f") i32.const 0 return_call_indirect)`},
		{"mutual calls", `(func $f (export "f") call $g) (func $g try_table end call $f)`},
		{"loop in a memory of 64 bits", `(memory i64 1) (func (export "f") loop i64.const 0 i32.const 1 i32.store br 0 end)`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, info := rewrite(t, assemble(t, tc.text), Options{Gas: true})
			r := start(t, out, nil)
			// A module that is not stopped must not stop the test.
			defer time.AfterFunc(5*time.Second, engine().IncrementEpoch).Stop()
			const limit = 200_000
			r.set(info.GasLimitGlobal, limit)
			if _, err := r.call("f"); err == nil {
				t.Fatal("it came to an end")
			}
			if used := r.i64(info.GasUsedGlobal); used <= limit || used > limit+50_000 {
				t.Errorf("used %d, want a little above %d", used, limit)
			}
		})
	}
}

// The host may read the counter whenever it is called: what a function gathers is added before.
func TestGasIsExactInTheHost(t *testing.T) {
	mod := assemble(t, `(import "env" "gas" (func $gas)) (table 1 funcref) (elem (i32.const 0) $gas)
		(func (export "f") (local i32)
			call $gas
			i32.const 3 local.set 0
			loop
				block local.get 0 i32.eqz br_if 0 nop end
				i32.const 0 call_indirect
				nop
				local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0
			end
			call $gas)`)
	var inlined, counted []int64
	out, info := rewrite(t, mod, Options{Gas: true})
	r := start(t, out, host{"env.gas": func(r *run, _ []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
		inlined = append(inlined, r.i64(info.GasUsedGlobal))
		return nil, nil
	}})
	if _, err := r.call("f"); err != nil {
		t.Fatal(err)
	}
	inlined = append(inlined, r.i64(info.GasUsedGlobal))

	calls, err := oracleMeter(mod, valI64)
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	r = start(t, calls, host{
		"env.gas": func(*run, []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			counted = append(counted, sum)
			return nil, nil
		},
		"metering.usegas": func(_ *run, args []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			sum += args[0].I64()
			return nil, nil
		},
	})
	if _, err := r.call("f"); err != nil {
		t.Fatal(err)
	}
	counted = append(counted, sum)
	if len(counted) != 6 || !slices.Equal(inlined, counted) {
		t.Errorf("the host reads %d, the loader's counted %d", inlined, counted)
	}
}

// A module that does not count is the loader's problem too: the default limit is the loader's.
func TestGasLimitDefault(t *testing.T) {
	out, info := rewrite(t, assemble(t, `(func (export "f"))`), Options{Gas: true})
	if got := start(t, out, nil).i64(info.GasLimitGlobal); got != GasLimitDefault {
		t.Errorf("limit %d, want %d", got, int64(GasLimitDefault))
	}
}

// The names of the added exports give way to a module's own.
func TestExportNamesAreUnique(t *testing.T) {
	text := `(global (mut i32) (i32.const 7)) (global i32 (i32.const 8))
		(func (export "ago:gas_used")) (func (export "ago:gas_used'")) (func (export "ago:global0"))`
	out, info := rewrite(t, assemble(t, text), Options{Gas: true, ExportGlobals: true})
	r := start(t, out, nil)
	if info.GasUsedGlobal != "ago:gas_used''" || info.GasLimitGlobal != "ago:gas_limit" {
		t.Errorf("gas globals %q %q", info.GasUsedGlobal, info.GasLimitGlobal)
	}
	if len(info.MutableGlobals) != 1 || info.MutableGlobals[0] != "ago:global0'" {
		t.Fatalf("mutable globals %q", info.MutableGlobals)
	}
	if got := r.global(info.MutableGlobals[0]).Get(r.store).I32(); got != 7 {
		t.Errorf("global is %d, want 7", got)
	}
}
