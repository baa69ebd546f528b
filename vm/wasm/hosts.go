//go:build linux && amd64 && cgo

package wasm

import (
	"fmt"
	"math"
	"strings"
)

// hostTable are the imported functions by the name their authors gave them. Arguments are raw: pointers and sizes as
// unsigned numbers, doubles as their bits. What is not in the table instantiates and traps when it is called.
var hostTable = map[string]hostFunc{}

func init() {
	for _, group := range []map[string]hostFunc{coreHosts, timeHosts, fileHosts, driveHosts} {
		for name, f := range group {
			hostTable[name] = f
		}
	}
}

var coreHosts = map[string]hostFunc{
	"metering_gasUsed": func(m *machine, a *args) uint64 {
		if m.p.info.GasUsedGlobal == "" {
			return 0
		}
		return m.s.get(m.gasUsed)
	},

	"emscripten_resize_heap":    resizeHeap,
	"emscripten_get_heap_max":   func(m *machine, a *args) uint64 { return m.abi.heapMax },
	"_emscripten_memcpy_js":     copyWithin,
	"emscripten_memcpy_js":      copyWithin,
	"emscripten_memcpy_big":     copyWithin,
	"_emscripten_throw_longjmp": func(m *machine, a *args) uint64 { m.longjmp = true; panic(halt{}) },

	"abort":     abortHost,
	"_abort_js": abortHost,
	"exit":      exitHost,
	"proc_exit": exitHost,
	"__assert_fail": func(m *machine, a *args) uint64 {
		file, function := "unknown filename", "unknown function"
		if a[1] != 0 {
			file = string(m.text(a[1]))
		}
		if a[3] != 0 {
			function = string(m.text(a[3]))
		}
		m.stop(fmt.Sprintf("Aborted(Assertion failed: %s, at: %s,%d,%s)", m.text(a[0]), file, int32(a[2]), function))
		return 0
	},
	"__cxa_throw": func(m *machine, a *args) uint64 {
		m.stop("Aborted(Assertion failed: Exception thrown, but exception catching is not enabled. Compile with -sNO_DISABLE_EXCEPTION_CATCHING or -sEXCEPTION_CATCHING_ALLOWED=[..] to catch.)")
		return 0
	},
	"emscripten_err": func(m *machine, a *args) uint64 { return 0 },
	"_emscripten_system": func(m *machine, a *args) uint64 {
		if a[0] == 0 {
			if m.abi.shell {
				return 1
			}
			return 0
		}
		// The reference runs the command on its own machine in the one format that claims a shell; nothing here does.
		return negative(errNoSystem)
	},
	"system": func(m *machine, a *args) uint64 {
		if a[0] == 0 {
			return 0
		}
		m.setErrno(errNoSystem)
		return negative(1)
	},
	"getTempRet0": func(m *machine, a *args) uint64 { return m.host.Temp },
	"setTempRet0": func(m *machine, a *args) uint64 { m.host.Temp = a[0]; return 0 },

	"environ_get": func(m *machine, a *args) uint64 {
		p := a[1]
		for i, s := range m.environ() {
			m.setWord(a[0]+uint64(i*m.abi.pointer), p)
			m.write(p, []byte(s))
			m.set8(p+uint64(len(s)), 0)
			p += uint64(len(s)) + 1
		}
		return 0
	},
	"environ_sizes_get": func(m *machine, a *args) uint64 {
		env := m.environ()
		n := len(env)
		for _, s := range env {
			n += len(s)
		}
		m.setWord(a[0], uint64(len(env)))
		m.setWord(a[1], uint64(n))
		return 0
	},

	"_dlinit":    func(m *machine, a *args) uint64 { return 0 },
	"_dlopen_js": dlopen,
	"_dlsym_js":  dlopen,
}

func exitHost(m *machine, a *args) uint64 {
	m.exited = true
	m.stop(fmt.Sprintf("Program terminated with exit(%d)", int32(a[0])))
	return 0
}

func abortHost(m *machine, a *args) uint64 {
	if m.abi.noFiles {
		m.stop("Aborted(). Build with -sASSERTIONS for more info.")
	}
	m.stop("Aborted(native code called abort())")
	return 0
}

func dlopen(m *machine, a *args) uint64 {
	m.stop("Aborted(To use dlopen, you need enable dynamic linking, see https://github.com/emscripten-core/emscripten/wiki/Linking)")
	return 0
}

// negative is -n as an i32 result.
func negative(n uint32) uint64 { return uint64(-n) }

func (m *machine) setErrno(n uint32) {
	f, ok := m.s.function(m.abi.export("__errno_location"))
	if !ok {
		return
	}
	p := m.mustCall(f)
	m.set32(p, n)
}

// copyWithin copies inside the memory. Ranges that reach out of it are clamped, as typed arrays do: a failed
// allocation of a gigabyte really gets here.
func copyWithin(m *machine, a *args) uint64 {
	size := uint64(len(m.mem))
	to, from, n := min(a[0], size), min(a[1], size), a[2]
	end := from + n
	if end < from || end > size {
		end = size
	}
	copy(m.mem[to:], m.mem[from:end])
	return 0
}

// resizeHeap grows the memory the way the C runtime asks its host to: generously first, then more modestly.
func resizeHeap(m *machine, a *args) uint64 {
	asked, old := a[0], uint64(len(m.mem))
	if asked <= old {
		if m.abi.noFiles {
			return 1
		}
		m.stop("Aborted(Assertion failed)")
	}
	if asked > m.abi.heapMax {
		return 0
	}
	for cut := 1.0; cut <= 4; cut *= 2 {
		generous := math.Min(float64(old)*(1+0.2/cut), float64(asked)+100663296)
		want := alignUp(math.Max(float64(asked), generous))
		size := uint64(math.Min(float64(m.abi.heapMax), want))
		pages := (float64(size) - float64(old) + 65535) / 65536
		if m.s.grow(uint64(pages)) {
			m.mem = m.s.memory()
			return 1
		}
		if old+uint64(pages)*wasmPage <= m.sizeMax {
			// The module may have it, this machine has not got it: that must not become a result.
			m.fault = fmt.Errorf("no room for a linear memory of %d bytes", size)
			panic(halt{})
		}
	}
	return 0
}

func alignUp(x float64) float64 { return x + math.Mod(65536-math.Mod(x, 65536), 65536) }

func (m *machine) environ() []string {
	if !m.abi.environ {
		return nil
	}
	program := "./this.program"
	if len(m.p.args) > 0 {
		program = m.p.args[0]
	}
	return []string{"USER=web_user", "LOGNAME=web_user", "PATH=/", "PWD=/", "HOME=/home/web_user", "LANG=C.UTF-8", "_=" + program}
}

// hostFor finds the host function of an import.
func hostFor(a *abi, im importName) hostFunc {
	if a.interpreter != nil && im.module == "ago" && im.name == "host" {
		return interpreterHost
	}
	name := a.canonical(im.name)
	if f, ok := hostTable[name]; ok {
		return f
	}
	if sig, ok := strings.CutPrefix(name, "invoke_"); ok {
		return invoke(sig)
	}
	return func(m *machine, _ *args) uint64 {
		m.stop(fmt.Sprintf("the module called %s.%s, which this host does not have", im.module, im.name))
		return 0
	}
}

// invoke calls a function of the table and catches the longjmp that may come out of it. It serves modules whose
// setjmp was not rewritten to exceptions.
func invoke(sig string) hostFunc {
	return func(m *machine, a *args) uint64 {
		n := len(sig)
		sp := m.mustCall(m.stackSave)
		f, ok := m.s.function("dynCall_" + sig)
		in := make([]uint64, n)
		copy(in, a[:n])
		if ok {
			in[0] &= 0xffffffff // the index of dynCall has 32 bits, on every format
		} else {
			if f, ok = m.s.tableFunction(in[0]); !ok {
				m.stop("null function or function signature mismatch")
			}
			in = in[1:]
		}
		v, e := m.call(f, in...)
		if e == nil {
			return v
		}
		if !m.longjmp {
			m.leave(e)
		}
		m.longjmp = false
		m.mustCall(m.stackRestore, sp)
		m.mustCall(m.setThrew, 1, 0)
		return 0
	}
}
