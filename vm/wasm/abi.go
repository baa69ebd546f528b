//go:build linux && amd64 && cgo

package wasm

// abi is what differs between the published module formats: how text is passed, what happens at start, what the
// host functions of that generation answered.
type abi struct {
	format  string
	pointer int // bytes of a C pointer

	wideStrings bool   // text takes four bytes per UTF-16 unit of stack, not its length in UTF-8
	fixedClock  bool   // the date import answers 0, not the counter
	heapMax     uint64 // bytes that growth may reach
	environ     bool   // environment strings are given, not an empty list
	main        mainStyle
	cookies     bool // stack cookies are written before the constructors
	dataFolder  bool // the loader creates /data at start, which reads the clock once
	timePair    bool // time_t arrives as two 32-bit halves
	timePointer bool // time_t arrives by pointer
	zoneByAlloc bool // tzset allocates the zone names, once per instance
	longZone    bool // zone names are the long ones, cut
	noFiles     bool // file calls are the stubs of a build without a file system
	shell       bool // the program is told that there is a command interpreter
	metered     bool
	minified    bool // imports and exports carry one-letter names
	standalone  bool // built to run in any host: nothing is called at start, and text is passed in allocated memory

	interpreter *Interpreter // the program that runs modules of this format; nil: they are programs themselves

	asyncHeader uint64 // bytes before the asyncify stack; 0: no asyncify
}

type mainStyle int

const (
	mainNone mainStyle = iota // main is not called
	mainBare                  // main(0, 0)
	mainArgv                  // main(argc, argv) with the program's name on the wasm stack
)

const (
	asyncStack = 40 << 20 // bytes of asyncify stack, allocated for each unwinding
	heapMax32  = 4294901760
	heapMaxOld = 524288000
	heapMax64  = 17179869184
)

var abis = map[string]*abi{}

func init() {
	four := abi{pointer: 4, heapMax: heapMax32, cookies: true, dataFolder: true, timePair: true, shell: true, asyncHeader: 12}
	long := abi{pointer: 8, heapMax: heapMax64, cookies: true, dataFolder: true, asyncHeader: 24}
	for _, a := range []struct {
		name string
		abi  abi
	}{
		{"wasm32-unknown-emscripten", abi{pointer: 4, wideStrings: true, fixedClock: true, heapMax: heapMaxOld,
			environ: true, main: mainBare, timePointer: true, zoneByAlloc: true, noFiles: true, minified: true}},
		{"wasm32-unknown-emscripten2", abi{pointer: 4, wideStrings: true, fixedClock: true, heapMax: heapMaxOld,
			environ: true, main: mainArgv, cookies: true, timePointer: true, zoneByAlloc: true}},
		{"wasm32-unknown-emscripten3", abi{pointer: 4, heapMax: heapMax32, environ: true, main: mainBare,
			cookies: true, timePair: true, longZone: true}},
		{"wasm32-unknown-emscripten4", four},
		{"wasm64-unknown-emscripten-draft_2024_02_15", long},
		{"wasm32-unknown-emscripten-metering", metered(four)},
		{"wasm64-unknown-emscripten-draft_2024_10_16-metering", metered(long)},
	} {
		a.abi.format = a.name
		abis[a.name] = &a.abi
	}
}

func metered(a abi) abi {
	a.metered = true
	return a
}

// alone is the format for a module of it that was built to run in any host, as those made for HyperBEAM's wasm-64@1.0 are: they
// have a _start, which nobody calls, and no constructors.
func (a *abi) alone() *abi {
	b := *a
	b.standalone, b.cookies, b.dataFolder, b.main = true, false, false, mainNone
	return &b
}

// export is the name under which a build of this format exports a function of the C runtime.
func (a *abi) export(canonical string) string {
	if a.minified {
		if s, ok := shortExports[canonical]; ok {
			return s
		}
	}
	return canonical
}

// canonical is the name of an imported function as its authors wrote it.
func (a *abi) canonical(name string) string {
	if a.minified {
		if s, ok := shortImports[name]; ok {
			return s
		}
	}
	return name
}

// The one-letter names of the first format are those of one build of the C library, fixed by the loader.
var shortExports = map[string]string{
	"memory": "E", "__wasm_call_ctors": "F", "handle": "G", "main": "H", "__indirect_function_table": "I",
	"malloc": "J", "__errno_location": "K", "setThrew": "L", "stackSave": "M", "stackRestore": "N", "stackAlloc": "O",
}

var shortImports = map[string]string{
	"a": "_emscripten_date_now", "b": "setTempRet0", "c": "fd_close", "d": "__syscall_fcntl64",
	"e": "__syscall_unlinkat", "f": "fd_write", "g": "__syscall_openat", "h": "getTempRet0", "i": "_mktime_js",
	"j": "_tzset_js", "k": "emscripten_memcpy_big", "l": "exit", "m": "system", "n": "strftime", "o": "fd_seek",
	"p": "_emscripten_throw_longjmp", "q": "emscripten_resize_heap", "r": "__syscall_lstat64",
	"s": "__syscall_renameat", "t": "__syscall_rmdir", "u": "environ_get", "v": "environ_sizes_get",
	"w": "__syscall_dup3", "x": "invoke_vii", "y": "fd_read", "z": "__syscall_ioctl",
	"A": "_emscripten_get_now_is_monotonic", "B": "_gmtime_js", "C": "_localtime_js", "D": "abort",
}
