// Package rewrite prepares a WebAssembly module for the engine: it counts gas, turns the two older ways of
// exceptions into the one the engine runs, and exports the globals that belong to a process's state.
//
// It is a function of bytes to bytes without dependencies. The order of the rewrites is fixed: old exception
// instructions, then gas, then setjmp and longjmp, then globals, then polls; so the functions made for setjmp cost no gas,
// and polls neither.
package rewrite

import "fmt"

// Version of the rewrites. It changes whenever the bytes made of some module change, and belongs into the
// key of every cache of compiled modules.
const Version = "2"

// Options choose the rewrites. The zero value gives the module back as it is, decoded and encoded.
type Options struct {
	// Gas counts gas in the module: see gas.go for the prices. The counter and its limit are two exported
	// mutable i64 globals. The module stops with an unreachable trap soon after used is greater than limit.
	Gas bool
	// NativeEH replaces the imports by which emscripten modules ask the host for setjmp and longjmp (invoke_*
	// and _emscripten_throw_longjmp) by functions within the module that use exceptions. A module for which
	// that cannot be done is left as it is: see Info.InvokesRemoved.
	NativeEH bool
	// TranslateEH turns the legacy exception instructions (try, catch, rethrow, delegate) into the
	// standardised ones (try_table, throw_ref).
	TranslateEH bool
	// ExportGlobals exports all mutable globals.
	ExportGlobals bool
	// Poll makes the module stoppable from outside, see poll.go: Info.Gate is the page to close. The start function, if
	// there is one, is exported as Info.Start instead of being run by the instantiation.
	Poll bool
}

// Import is something the rewritten module needs.
type Import struct {
	Module, Name string
	Kind         byte // KindFunc and so on
	// Encoded value types, for functions only: 0x7f i32, 0x7e i64, 0x7d f32, 0x7c f64.
	TypeParams, TypeResults []byte
}

// Info describes the rewritten module.
type Info struct {
	GasUsedGlobal, GasLimitGlobal string   // export names, empty if not metered
	MutableGlobals                []string // export names in index order, the module's own; only with ExportGlobals
	Gate, Start                   string   // export names; only with Poll, Start empty if the module has none
	Memory64                      bool     // addresses are 64 bits wide
	MemoryMin, MemoryMax          uint64   // in pages; a MemoryMax of 0 means that none is declared
	Imports                       []Import
	Exports                       []string
	InvokesRemoved                int // number of invoke_* imports replaced
}

// moduleMax bounds the modules accepted, in bytes. Published modules are below 4 MB; a format's own limit for
// the whole file is 1 GiB, which nobody should be able to make a node read.
const moduleMax = 128 << 20

// Rewrite returns the module with the chosen rewrites done. Bytes that are no module, or a module of features
// not known here, give an error that wraps ErrMalformed. The result is a valid module if the input was one:
// Rewrite does not validate.
func Rewrite(mod []byte, o Options) ([]byte, Info, error) {
	if len(mod) > moduleMax {
		return nil, Info{}, fmt.Errorf("%w: %d bytes, at most %d are accepted", ErrMalformed, len(mod), moduleMax)
	}
	m, err := decode(mod)
	if err != nil {
		return nil, Info{}, err
	}
	var info Info
	mutable := m.globalCount() // behind come those of the rewrites, which are no state of the process
	if o.TranslateEH {
		if err := translateLegacy(m); err != nil {
			return nil, Info{}, err
		}
	}
	if o.Gas {
		if err := meter(m, &info); err != nil {
			return nil, Info{}, err
		}
	}
	if o.NativeEH {
		if err := replaceInvokes(m, &info); err != nil {
			return nil, Info{}, err
		}
	}
	if o.ExportGlobals {
		exportGlobals(m, mutable, &info)
	}
	if o.Poll {
		if err := poll(m, &info); err != nil {
			return nil, Info{}, err
		}
		exportStart(m, &info)
	}
	describe(m, &info)
	return m.encode(len(mod) + len(mod)/2), info, nil
}

// exportGlobals exports the mutable ones of the first n globals. The names depend on the index only, so that
// the metered and the unmetered form of a module have the same.
func exportGlobals(m *module, n uint32, info *Info) {
	for i := range n {
		if m.mutable[i] {
			info.MutableGlobals = append(info.MutableGlobals, m.addExport(fmt.Sprintf("ago:global%d", i), KindGlobal, i))
		}
	}
}

func describe(m *module, info *Info) {
	if len(m.memories) > 0 {
		l := m.memories[0]
		info.Memory64, info.MemoryMin, info.MemoryMax = l.index64, l.min, l.max
	}
	for _, im := range m.imports {
		i := Import{Module: im.module, Name: im.name, Kind: im.kind}
		if im.kind == KindFunc {
			i.TypeParams, i.TypeResults = m.types[im.typ].params, m.types[im.typ].results
		}
		info.Imports = append(info.Imports, i)
	}
	for _, e := range m.exports {
		info.Exports = append(info.Exports, e.name)
	}
}
