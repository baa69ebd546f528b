//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"ago/vm"
)

const endless = "while true do pcall(function() while true do end end) end"

func TestASlowMessageGivesTheSameResultAsAFastOne(t *testing.T) {
	e := testEngine(t, Config{})
	slow, p := aos(t, e, vm.Limits{TimeMax: 30 * time.Millisecond})
	fast, q := aos(t, e, vm.Limits{})
	code := "local n = 0 for k = 1, 6000000 do n = n + k % 7 end Sum = (Sum or 0) + n return Sum"
	for range 2 {
		a, b := mustEval(t, slow, p.eval(code)), mustEval(t, fast, q.eval(code))
		if !bytes.Equal(a.Response, b.Response) || a.Metered != b.Metered || a.Gas != b.Gas {
			t.Fatalf("stopped and begun anew: %s, at once: %s", a.Response, b.Response)
		}
		if slow.metered == nil || fast.metered != nil {
			t.Fatal("the clock did not stop the one, or stopped the other: this test shows nothing")
		}
		if err := errors.Join(slow.Commit(), fast.Commit()); err != nil {
			t.Fatal(err)
		}
	}
	if stateSum(slow) != stateSum(fast) || liveSum(slow.machine) != stateSum(fast) {
		t.Error("the states differ")
	}
	if got := do(t, slow, p.eval("return Sum > 0")); got != "true" {
		t.Errorf("got %s", got)
	}
}

func TestAnEndlessMessageRunsOutOfGas(t *testing.T) {
	e := testEngine(t, Config{})
	e.gasCeiling = 200_000_000_000
	i, p := aos(t, e, vm.Limits{TimeMax: 30 * time.Millisecond})
	before := stateSum(i)
	out := mustEval(t, i, p.eval(endless))
	if out.Failure != outOfGas || out.Metered {
		t.Fatalf("got %+v", out)
	}
	undo(t, i)
	if stateSum(i) != before || liveSum(i.machine) != before {
		t.Error("it left a trace")
	}
}

func TestGasIsLimitedAndRefilled(t *testing.T) {
	e := testEngine(t, Config{})
	for _, m := range []vm.Module{
		{ID: "aos64", Format: format64meter, Bytes: moduleFile(t, "aos2_0_6")},
		{ID: "aos32", Format: format32meter, Bytes: moduleFile(t, "aos2_0_4_32")},
	} {
		t.Run(m.Format, func(t *testing.T) {
			i, p := start(t, e, m, vm.Limits{GasMax: 30_000_000_000})
			in := p.eval("return 1")
			out := mustEval(t, i, in)
			if !out.Metered || out.Gas == 0 || out.Failure != "" {
				t.Fatalf("got %+v", out)
			}
			undo(t, i)
			again := mustEval(t, i, in)
			if again.Gas != out.Gas {
				t.Errorf("the same message took %d, then %d", out.Gas, again.Gas)
			}
			undo(t, i)
			before := stateSum(i)
			for range 2 {
				out = mustEval(t, i, p.eval(endless))
				if out.Failure != outOfGas || out.Gas <= 30_000_000_000 {
					t.Fatalf("got %+v", out)
				}
				undo(t, i)
			}
			if liveSum(i.machine) != before {
				t.Error("it left a trace")
			}
			if out := mustEval(t, i, in); out.Gas != again.Gas {
				t.Errorf("after running out the message takes %d, before %d", out.Gas, again.Gas)
			}
		})
	}
}

func TestADryRunIsStoppedByTheClock(t *testing.T) {
	e := testEngine(t, Config{})
	i, p := aos(t, e, vm.Limits{TimeMax: 30 * time.Millisecond})
	f, err := i.Fork(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Eval(context.Background(), p.eval(endless)); !errors.Is(err, vm.ErrUnfinished) {
		t.Fatalf("got %v", err)
	}
	if got := output(t, mustEval(t, f, p.eval("return 2 + 2"))); got != "4" {
		t.Errorf("got %s", got)
	}
}

func TestModulesThatCannotRun(t *testing.T) {
	e := testEngine(t, Config{})
	ctx := context.Background()
	if err := e.Prepare(ctx, vm.Module{Format: "wasm128", Bytes: []byte("\x00asm\x01\x00\x00\x00")}); !errors.Is(err, vm.ErrFormat) {
		t.Errorf("unknown format: %v", err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "an empty module": []byte("\x00asm\x01\x00\x00\x00"),
		"half a module": moduleFile(t, "aos2_0_6")[:100000],
	} {
		if err := e.Prepare(ctx, vm.Module{Format: format64, Bytes: b}); !errors.Is(err, vm.ErrModule) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
