// Package wasm runs ao's WebAssembly modules: every published module format, the same results, memory and gas as the
// reference loader, with the memory kept alive between messages.
//
// One instance is one wasmtime store with one linear memory, owned by one process. The memory is never copied as a
// whole: a commit finds the resident pages that differ from the committed image and copies those; a rollback copies
// them back. See pages.go for the invariants.
package wasm

import (
	"time"
)

// Config says how an engine compiles and bounds modules. The zero value works: nothing is kept on disk.
type Config struct {
	// CacheDir holds compiled modules between runs. It is native code: the folder is created for this user alone,
	// and a folder that others may write to is refused. Empty: compiled anew by every process.
	CacheDir string
	// TimeMax is when an evaluation is stopped and begun anew under a gas limit, if the instance names none.
	// 0, and anything above it, means DefaultTimeMax. It never decides a result.
	TimeMax time.Duration
	// ProgramArgs are the arguments that programs of the oldest formats see, the program's name first. States of
	// legacy processes of those formats depend on them: they were the path and the arguments of the unit's script.
	ProgramArgs []string
	// Interpreters are the formats of modules that are not WebAssembly.
	Interpreters []Interpreter
}

const (
	// DefaultTimeMax ends an evaluation's first try. It is far above what a message of a healthy process takes
	// (milliseconds), and the shorter it is, the lower GasCeiling may be. Who takes longer is begun anew and pays this
	// and a fifth.
	DefaultTimeMax = 10 * time.Second

	// GasCeiling is the gas at which a message ends that was stopped by time and is evaluated again under the meter.
	// It decides a result, so no machine may come that far within DefaultTimeMax: it would take 3e13 a second. The
	// dearest Lua, loops of integer divisions, comes to 3e12 on the machine this was measured on, other code to 1e12.
	// An endless loop so ends after some five minutes. Only a module built to do so, from code that counts but does
	// nothing, could be quicker; its results are then its author's problem.
	GasCeiling = 300_000_000_000_000

	// stackMax is the machine stack of wasm code in bytes. Node gives wasm close to 1 MB; threads made for this
	// process have 8 MB or, where the limit is lifted, 2 MB.
	stackMax = 1 << 20

	// reservation is the address space set aside per linear memory. Below 4 GiB wasm32 code needs explicit bounds
	// checks (1.3 times slower), and a memory that has to move when it grows becomes resident as a whole.
	reservation = 4 << 30

	wasmPage = 65536 // bytes
)
