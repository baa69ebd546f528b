package wasmtimecfg

import (
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

func TestEnableExceptions(t *testing.T) {
	// One tag without parameters, one function: block; try_table (catch_all 0); throw 0; end; end.
	mod := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0d\x03\x01\x00\x00" +
		"\x07\x05\x01\x01f\x00\x00\x0a\x10\x01\x0e\x00\x02\x40\x1f\x40\x01\x02\x00\x08\x00\x0b\x00\x0b\x0b")
	c := wasmtime.NewConfig()
	EnableExceptions(c)
	engine := wasmtime.NewEngineWithConfig(c)
	m, err := wasmtime.NewModule(engine, mod)
	if err != nil {
		t.Fatal(err)
	}
	store := wasmtime.NewStore(engine)
	inst, err := wasmtime.NewInstance(store, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inst.GetFunc(store, "f").Call(store); err != nil {
		t.Errorf("the exception was not caught: %v", err)
	}
	if _, err := wasmtime.NewModule(wasmtime.NewEngine(), mod); err == nil {
		t.Error("exceptions are on without being asked for: this package is not needed any more")
	}
}
