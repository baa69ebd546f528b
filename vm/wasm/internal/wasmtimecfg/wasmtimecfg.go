// Package wasmtimecfg sets the options of wasmtime that its Go binding does not offer.
//
// The prototypes are declared here and the linker is told to leave the symbols alone: they are in the library
// the Go binding links, so neither its headers nor its path have to be known.
package wasmtimecfg

/*
#cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-all
#include <stdbool.h>

typedef struct wasm_config_t wasm_config_t;
void wasmtime_config_wasm_exceptions_set(wasm_config_t*, bool);
*/
import "C"

import (
	"runtime"
	"unsafe"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

// EnableExceptions turns on try_table, throw, throw_ref and exnref.
func EnableExceptions(c *wasmtime.Config) {
	C.wasmtime_config_wasm_exceptions_set(pointer(c), true)
	runtime.KeepAlive(c)
}

// pointer takes the C object out of the binding's wrapper, of which it is the first and only field.
func pointer(c *wasmtime.Config) *C.wasm_config_t {
	return *(**C.wasm_config_t)(unsafe.Pointer(c))
}
