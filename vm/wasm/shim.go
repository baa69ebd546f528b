//go:build linux && amd64 && cgo

package wasm

/*
#cgo CFLAGS: -O2 -Wall
#cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"runtime/cgo"
	"unsafe"

	_ "github.com/bytecodealliance/wasmtime-go/v39" // brings the library that the shim calls
)

// nativeVersion is the version of the compiler that the binding brings.
const nativeVersion = "wasmtime 39.0.1"

// taken turns a message owned by the caller into an error.
func taken(s *C.char) error {
	if s == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(s))
	return errors.New(C.GoString(s))
}

// native is a loaded module: code, import table, ready to instantiate.
type native struct {
	c       *C.ago_module
	imports []importName
}

type importName struct{ module, name string }

func newNativeEngine() (*C.wasm_engine_t, error) {
	var e *C.wasm_engine_t
	if err := taken(C.ago_engine_new(reservation, stackMax, &e)); err != nil {
		return nil, err
	}
	return e, nil
}

// compile turns a module into native code, as bytes to be kept or loaded.
func compile(e *C.wasm_engine_t, module []byte) ([]byte, error) {
	if len(module) == 0 {
		return nil, errors.New("the module is empty")
	}
	var out *C.uint8_t
	var n C.size_t
	if err := taken(C.ago_compile(e, (*C.uint8_t)(unsafe.Pointer(&module[0])), C.size_t(len(module)), &out, &n)); err != nil {
		return nil, err
	}
	defer C.ago_free_compiled(out, n)
	return C.GoBytes(unsafe.Pointer(out), C.int(n)), nil
}

// load makes native code ready, from a file (mapped, so shared and dropped under pressure) or from bytes.
func load(e *C.wasm_engine_t, path string, code []byte) (*native, error) {
	n := new(native)
	var err error
	if path != "" {
		p := C.CString(path)
		defer C.free(unsafe.Pointer(p))
		err = taken(C.ago_load(e, p, nil, 0, &n.c))
	} else {
		err = taken(C.ago_load(e, nil, (*C.uint8_t)(unsafe.Pointer(&code[0])), C.size_t(len(code)), &n.c))
	}
	if err != nil {
		return nil, err
	}
	for _, im := range unsafe.Slice(n.c.imports, n.c.nimports) {
		n.imports = append(n.imports, importName{C.GoString(im.module), C.GoString(im.name)})
	}
	return n, nil
}

func (n *native) unload() { C.ago_unload(n.c) }

type (
	fn     = C.ago_func
	global = C.ago_global
)

// store is one live wasm instance.
type store struct {
	c      *C.ago_instance
	handle cgo.Handle
	result *C.ago_result // of the last call; here so that a call allocates nothing, and apart since C is given it
	gate   gate
}

func instantiate(n *native, owner *machine, memory, table, gate string, memoryMax int64) (*store, error) {
	s := &store{handle: cgo.NewHandle(owner), result: new(C.ago_result)}
	m, t, g := C.CString(memory), C.CString(table), C.CString(gate)
	defer C.free(unsafe.Pointer(m))
	defer C.free(unsafe.Pointer(t))
	defer C.free(unsafe.Pointer(g))
	if err := taken(C.ago_instantiate(n.c, C.uintptr_t(s.handle), m, t, g, C.int64_t(memoryMax), &s.c)); err != nil {
		s.handle.Delete()
		return nil, err
	}
	return s, nil
}

func (s *store) drop() {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.gate.running = false
	C.ago_drop(s.c)
	s.handle.Delete()
	s.c = nil
}

// memory is the linear memory as of the last call or growth. It must be taken again after either.
func (s *store) memory() []byte { return unsafe.Slice((*byte)(s.c.base), uint64(s.c.size)) }

func (s *store) grow(pages uint64) bool { return bool(C.ago_grow(s.c, C.uint64_t(pages))) }

func (s *store) function(name string) (fn, bool) {
	var f fn
	b := []byte(name)
	ok := C.ago_export_func(s.c, (*C.char)(unsafe.Pointer(&b[0])), C.size_t(len(b)), &f)
	return f, bool(ok)
}

func (s *store) tableFunction(index uint64) (fn, bool) {
	var f fn
	ok := C.ago_table_func(s.c, C.uint64_t(index), &f)
	return f, bool(ok)
}

func (s *store) global(name string) (global, bool) {
	var g global
	b := []byte(name)
	ok := C.ago_export_global(s.c, (*C.char)(unsafe.Pointer(&b[0])), C.size_t(len(b)), &g)
	return g, bool(ok)
}

func (s *store) get(g global) uint64 { return uint64(C.ago_global_get(s.c, g)) }

func (s *store) set(g global, v uint64) error { return taken(C.ago_global_set(s.c, g, C.uint64_t(v))) }

// ended says how a call ended without giving a value.
type ended struct {
	host bool // a host function or the clock ended it; the reason is with the machine
	code int  // trap code, see trapText
	text string
}

func (s *store) call(f fn, args ...uint64) (uint64, *ended) {
	r := s.result
	if len(args) <= 3 {
		var a [3]uint64
		copy(a[:], args)
		C.ago_call3(s.c, f, C.uint32_t(len(args)), C.uint64_t(a[0]), C.uint64_t(a[1]), C.uint64_t(a[2]), r)
	} else {
		C.ago_call(s.c, f, (*C.uint64_t)(unsafe.Pointer(&args[0])), C.uint32_t(len(args)), r)
	}
	if r.kind == C.AGO_OK {
		return uint64(r.value), nil
	}
	text := C.GoString(r.message)
	C.free(unsafe.Pointer(r.message))
	return 0, &ended{host: r.code < 0, code: int(r.code), text: text}
}

//export agoHost
func agoHost(handle C.uintptr_t, index C.uint32_t, slots *C.uint64_t, n C.uint32_t) C.int {
	m := cgo.Handle(handle).Value().(*machine)
	return C.int(m.enter(int(index), (*[C.AGO_ARGS_MAX]uint64)(unsafe.Pointer(slots))))
}
