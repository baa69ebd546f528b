package rewrite

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v39"
	"pgregory.net/rapid"
)

// A program is a random module whose function f always comes to an end: loops count down in locals of their
// own and functions call later ones only.
type program struct {
	t      *rapid.T
	text   strings.Builder
	labels int
	loops  int
	budget int
	number int // of the function being written
	depth  int // blocks open
}

const programFuncs, programLoops = 4, 6

func drawProgram(t *rapid.T) string {
	p := &program{t: t}
	fmt.Fprint(&p.text, "(memory 1) (global $g (mut i64) (i64.const 0)) (global $other (mut i32) (i32.const 5))\n",
		"(tag $e (param i64)) (type $t (func (param i64) (result i64)))\n(table 4 funcref) (elem (i32.const 0) $f0 $f1 $f2 $f3)\n")
	for i := range programFuncs {
		p.number, p.loops, p.labels, p.budget, p.depth = i, 0, 0, 25, 0
		export := ""
		if i == 0 {
			export = `(export "f")`
		}
		fmt.Fprintf(&p.text, "(func $f%d %s (type $t)", i, export)
		for l := range programLoops {
			fmt.Fprintf(&p.text, "(local $n%d i32)", l)
		}
		p.block(nil)
		fmt.Fprintln(&p.text, " local.get 0)")
	}
	return p.text.String()
}

func (p *program) emit(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

// block writes statements; labels are those of the blocks around, loops excluded.
func (p *program) block(labels []int) {
	p.depth++
	defer func() { p.depth-- }()
	for n := rapid.IntRange(0, 4).Draw(p.t, "statements"); n > 0 && p.budget > 0; n-- {
		p.budget--
		p.statement(labels)
	}
}

func (p *program) statement(labels []int) {
	inner := func() []int {
		p.labels++
		return append(labels[:len(labels):len(labels)], p.labels)
	}
	target := func() int { return rapid.SampledFrom(labels).Draw(p.t, "label") }
	switch rapid.IntRange(0, 18).Draw(p.t, "statement") {
	case 0, 1:
		p.emit("local.get 0 i64.const %d i64.add local.set 0", rapid.Int64().Draw(p.t, "constant"))
	case 2:
		p.emit("global.get $g local.get 0 i64.xor global.set $g")
	case 3:
		p.emit("local.get 0 f64.convert_i64_s f64.const 3 f64.div i64.reinterpret_f64 local.set 0")
	case 4:
		in := inner()
		p.emit("block $l%d", p.labels)
		p.block(in)
		p.emit("end")
	case 5:
		in := inner()
		p.emit("local.get 0 i32.wrap_i64 i32.const 3 i32.and if $l%d", p.labels)
		p.block(in)
		if rapid.Bool().Draw(p.t, "else") {
			p.emit("else")
			p.block(in)
		}
		p.emit("end")
	case 6:
		if p.loops == programLoops {
			return
		}
		n := p.loops
		p.loops++
		p.emit("i32.const %d local.set $n%d loop $again%d", rapid.IntRange(1, 3).Draw(p.t, "rounds"), n, n)
		p.block(labels)
		p.emit("local.get $n%d i32.const 1 i32.sub local.tee $n%d br_if $again%d end", n, n, n)
	case 7:
		if p.number+1 < programFuncs {
			p.emit("local.get 0 call $f%d local.set 0", rapid.IntRange(p.number+1, programFuncs-1).Draw(p.t, "callee"))
		}
	case 8:
		if p.number+1 < programFuncs {
			p.emit("local.get 0 i32.const %d call_indirect (type $t) local.set 0",
				rapid.IntRange(p.number+1, programFuncs-1).Draw(p.t, "callee"))
		}
	case 9:
		if len(labels) > 0 {
			p.emit("local.get 0 i32.wrap_i64 i32.const 1 i32.and br_if $l%d", target())
		}
	case 10:
		if len(labels) > 0 {
			p.emit("local.get 0 i32.wrap_i64 br_table $l%d $l%d", target(), target())
		}
	case 11:
		p.emit("local.get 0 i64.const 7 i64.eq if local.get 0 return end")
	case 12:
		p.emit("local.get 0 i64.const 255 i64.and i32.wrap_i64 local.get 0 i64.store i32.const 8 i32.load drop")
	case 13:
		if len(labels) > 0 {
			p.emit("br $l%d nop", target())
		}
	case 14:
		p.emit("local.get 0 local.get 0 i32.wrap_i64 i32.const 5 i32.and br_if %d drop", p.depth-1)
	case 15:
		p.emit("local.get 0 local.get 0 i32.wrap_i64 br_table %d %d", p.depth-1, p.depth-1)
	case 16, 17:
		in := inner()
		p.emit("block $h%d (result i64) try_table $l%d (catch $e $h%d)", p.labels, p.labels, p.labels)
		p.depth++
		p.block(in)
		p.depth--
		p.emit("end local.get 0 i64.const 1 i64.add end local.set 0")
	case 18:
		if p.number+1 < programFuncs && rapid.Bool().Draw(p.t, "tail call") {
			p.emit("local.get 0 return_call $f%d", p.number+1)
		} else {
			p.emit("local.get 0 i64.const 3 i64.and i64.eqz if local.get 0 throw $e end")
		}
	}
}

// Whatever a program does, the inlined counter has the number the host would have counted.
func TestInlinedGasEqualsTheHosts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mod, err := wasmtime.Wat2Wasm("(module " + drawProgram(rt) + ")")
		if err != nil {
			rt.Fatal(err)
		}
		calls, err := hostMeter(mod, valI64, true)
		if err != nil {
			rt.Fatal(err)
		}
		inlined, info := rewrite(t, mod, Options{Gas: true})
		counted := int64(0)
		a := start(t, calls, host{"metering.usegas": func(_ *run, args []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			counted += args[0].I64()
			return nil, nil
		}})
		b := start(t, inlined, nil)
		for _, arg := range []int64{0, 1, rapid.Int64().Draw(rt, "argument")} {
			x, errX := a.call("f", arg)
			y, errY := b.call("f", arg)
			if x != y || (errX == nil) != (errY == nil) { // an exception may leave f
				rt.Fatalf("f(%d) = %v, %v; inlined %v, %v", arg, x, errX, y, errY)
			}
			if used := b.i64(info.GasUsedGlobal); used != counted {
				rt.Fatalf("f(%d): gas %d, the host counted %d", arg, used, counted)
			}
		}
	})
}
