package wasm

import (
	"bytes"
	"context"
)

// An Interpreter is a WebAssembly program that runs modules of a format of its own, texts in some language. The engine
// gives it the module's text once; the state after that is what all instances of the module begin with, and their
// memories are private mappings of it.
//
// The program counts its own gas and exports, besides its memory, these functions (addresses and lengths are i32, gas
// is i64; a call that answers other than 0 has left an error text as its answer):
//
//	_initialize()
//	ago_start() i32                                     makes the machine
//	ago_alloc(n) i32                                    room for what the host writes; 0: there is none
//	ago_release(address)                                gives it back
//	ago_gas() i32                                       where the gas that is left lies, 64 bits with a sign
//	ago_answer() i32                                    where address and length of the last answer lie
//	ago_load(text, n, name, gas) i32                    runs a text under a name that ends with a zero
//	ago_freeze()                                        once, after the module's text: what is there now stays
//	ago_handle(message, n, env, n, gas) i32             evaluates a message, both given as JSON
//	ago_call(function, value, n, gas) i32               calls a function of the text with one JSON value
//
// It may import ago.host(name, n, value, n, answer) i32, which asks the host.
type Interpreter struct {
	Format    string
	Program   []byte
	GasMax    uint64 // the most that one evaluation may use, whatever the instance's limits say
	MemoryMax uint64 // bytes of linear memory, at most

	// Host answers what a program asks its host, in the context of the evaluation. Names are the program's, values
	// and answers JSON; an error becomes one in the program. Nil: there is nothing to ask.
	Host func(ctx context.Context, name string, value []byte) ([]byte, error)
}

// An evaluation of an interpreted module is a call of its handle. Three environments, which no JSON text can be, make
// it something else.
var (
	callMark = []byte("\x00call ")
	rawMark  = []byte("\x00raw ")
	loadMark = []byte("\x00load ")
)

// CallEnv is the environment in which the message is the argument of the module's global function of that name. The
// response has its result.
func CallEnv(function string) []byte { return append(bytes.Clone(callMark), function...) }

// RawEnv is CallEnv for programs whose calls take and give something else than JSON: the response is a byte, 0 if the call ended
// well, with the answer behind it as the program left it.
func RawEnv(function string) []byte { return append(bytes.Clone(rawMark), function...) }

// LoadEnv is the environment in which the message is a text to be run. Errors call it by the name, as Lua's load does:
// "=name" is the name itself.
func LoadEnv(name string) []byte { return append(bytes.Clone(loadMark), name...) }
