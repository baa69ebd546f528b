package rewrite

import (
	"strings"
	"sync"
	"testing"

	"ago/vm/wasm/internal/wasmtimecfg"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

// engine compiles what the rewrites make. One is enough: compilation is safe for concurrent use.
var engine = sync.OnceValue(func() *wasmtime.Engine {
	c := wasmtime.NewConfig()
	c.SetWasmMemory64(true)
	c.SetWasmMultiMemory(true)
	c.SetWasmTailCall(true)
	c.SetEpochInterruption(true)
	wasmtimecfg.EnableExceptions(c)
	return wasmtime.NewEngineWithConfig(c)
})

// assemble turns the text form of a module into bytes. A text without "(module" is taken as its fields.
func assemble(t testing.TB, text string) []byte {
	t.Helper()
	if !strings.HasPrefix(strings.TrimSpace(text), "(module") {
		text = "(module " + text + ")"
	}
	b, err := wasmtime.Wat2Wasm(text)
	if err != nil {
		t.Fatalf("assemble: %v\n%s", err, text)
	}
	return b
}

// A run is an instance of a module whose imports are given by the test.
type run struct {
	t     testing.TB
	store *wasmtime.Store
	inst  *wasmtime.Instance
}

// host gives the functions a module imports, by "module.name". Absent ones trap when called.
type host map[string]func(r *run, args []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap)

func start(t testing.TB, mod []byte, h host) *run {
	t.Helper()
	m, err := wasmtime.NewModule(engine(), mod)
	if err != nil {
		t.Fatalf("the engine refuses the module: %v", err)
	}
	r := &run{t: t, store: wasmtime.NewStore(engine())}
	r.store.SetEpochDeadline(1)
	linker := wasmtime.NewLinker(engine())
	for _, im := range m.Imports() {
		ft := im.Type().FuncType()
		if ft == nil {
			continue
		}
		key := im.Module() + "." + *im.Name()
		f := h[key]
		fn := wasmtime.NewFunc(r.store, ft, func(_ *wasmtime.Caller, args []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			if f == nil {
				return nil, wasmtime.NewTrap("no host function " + key)
			}
			return f(r, args)
		})
		if err := linker.Define(r.store, im.Module(), *im.Name(), fn); err != nil {
			t.Fatal(err)
		}
	}
	if r.inst, err = linker.Instantiate(r.store, m); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *run) call(name string, args ...any) (any, error) {
	r.t.Helper()
	f := r.inst.GetFunc(r.store, name)
	if f == nil {
		r.t.Fatalf("no export %s", name)
	}
	return f.Call(r.store, args...)
}

func (r *run) global(name string) *wasmtime.Global {
	r.t.Helper()
	e := r.inst.GetExport(r.store, name)
	if e == nil {
		r.t.Fatalf("no export %s", name)
	}
	return e.Global()
}

func (r *run) i64(name string) int64 {
	r.t.Helper()
	return r.global(name).Get(r.store).I64()
}

func (r *run) set(name string, v int64) {
	r.t.Helper()
	if err := r.global(name).Set(r.store, wasmtime.ValI64(v)); err != nil {
		r.t.Fatal(err)
	}
}

func rewrite(t testing.TB, mod []byte, o Options) ([]byte, Info) {
	t.Helper()
	out, info, err := Rewrite(mod, o)
	if err != nil {
		t.Fatal(err)
	}
	return out, info
}
