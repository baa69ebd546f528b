// Package lua runs programs written in Lua 5.3 as processes: deterministic, counted in gas, within limits, on the same
// engine as modules of WebAssembly.
//
// The machine is Lua's own C sources compiled to WebAssembly; see README.md for what differs from a Lua at home.
package lua

import (
	_ "embed"

	"ago/vm"
	"ago/vm/wasm"
)

// Format is the Module-Format of a process whose module is a Lua text. The text defines a global function
//
//	handle(message, environment)
//
// that is called once per evaluation with both as tables; the table it returns is the response.
const Format = "lua-5.3-ago.1"

const (
	// GasMax is the most that one evaluation may use. One unit is about one instruction of Lua's virtual machine;
	// a core runs some 200 million in a second.
	GasMax = 3_000_000_000

	// MemoryMax is the largest memory of a process in bytes.
	MemoryMax = 1 << 30
)

//go:embed lua53.wasm
var program []byte

// MessagesFormat is the format of a Lua text whose functions take and give messages instead of JSON: see EvalRaw.
const MessagesFormat = "lua-5.3-messages-ago.1"

//go:embed messages.wasm
var messages []byte

// Interpreter is what an engine needs to run modules of Format: put it into wasm.Config.
func Interpreter() wasm.Interpreter {
	return wasm.Interpreter{Format: Format, Program: program, GasMax: GasMax, MemoryMax: MemoryMax, Host: askHost}
}

// MessagesInterpreter is what an engine needs to run modules of MessagesFormat.
func MessagesInterpreter() wasm.Interpreter {
	return wasm.Interpreter{Format: MessagesFormat, Program: messages, GasMax: GasMax, MemoryMax: MemoryMax, Host: askHost}
}

// Config says how an engine of its own keeps what it compiled.
type Config struct {
	CacheDir string // see wasm.Config
}

// New gives an engine that runs modules of Format and MessagesFormat. A node has one engine for all formats instead.
func New(c Config) (vm.Engine, error) {
	return wasm.New(wasm.Config{CacheDir: c.CacheDir, Interpreters: []wasm.Interpreter{Interpreter(), MessagesInterpreter()}})
}
