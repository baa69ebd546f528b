//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"ago/vm/wasm/rewrite"
)

// machine is one live wasm instance with the state its host functions keep outside the linear memory.
type machine struct {
	s   *store
	p   *program
	abi *abi
	mem []byte // the linear memory; taken again after every call into wasm

	sizeMax uint64 // bytes that it may have
	tracked int    // bytes of it whose writes the kernel tracks, see scanner.track

	host hostState

	malloc, free, handleFn                           fn
	stackSave, stackRestore, stackAlloc, setThrew    fn
	startUnwind, stopUnwind, startRewind, stopRewind fn
	gasUsed, gasLimit                                global
	globals                                          []global
	interpreted                                      *interpreted // nil: the module is the program
	async                                            asyncState
	drive                                            driveState
	longjmp                                          bool   // a longjmp is on its way to its invoke
	exited                                           bool   // the program left by exit
	reason                                           string // why a host function ended the evaluation
	fault                                            error  // a defect or limit of this machine, not of the module
}

// hostState is what a module can observe of the host beyond its memory. It is part of every snapshot.
type hostState struct {
	Clock uint64 // what the clock shows next: it counts its own readings
	Zone  bool   // the zone names were allocated
	Temp  uint64 // the old formats keep the upper half of a 64-bit result here
	Files files
}

func (h hostState) clone() hostState {
	h.Files = h.Files.clone()
	return h
}

// clockStart is what the clock shows first.
const clockStart = 10000

// halt is the panic value by which a host function leaves through its frames; host turns it into a trap.
type halt struct{}

func newMachine(p *program, memoryMax int64, timeMax time.Duration) (*machine, error) {
	m := &machine{p: p, abi: p.abi, host: hostState{Clock: clockStart}}
	if memoryMax >= 0 {
		memoryMax = max(memoryMax, rewrite.GateSize) // the limit is that of each memory, and the gate is one
	}
	s, err := instantiate(p.native, m, p.abi.export("memory"), p.abi.export("__indirect_function_table"), p.info.Gate, memoryMax)
	if err != nil {
		return nil, err
	}
	m.s = s
	m.mem = s.memory()
	m.sizeMax = p.abi.heapMax
	if p.info.MemoryMax > 0 {
		m.sizeMax = min(m.sizeMax, p.info.MemoryMax*wasmPage)
	}
	if memoryMax >= 0 {
		m.sizeMax = min(m.sizeMax, uint64(memoryMax))
	}
	if err := m.link(); err != nil {
		m.drop()
		return nil, err
	}
	if err := m.begin(timeMax); err != nil {
		m.drop()
		return nil, err
	}
	return m, nil
}

// begin runs the module's start function, if it has one.
func (m *machine) begin(timeMax time.Duration) error {
	if m.p.info.Start == "" {
		return nil
	}
	f, ok := m.s.function(m.p.info.Start)
	if !ok {
		return fmt.Errorf("the rewritten module does not export its start function")
	}
	disarm := m.s.arm(context.Background(), timeMax)
	_, end := m.call(f)
	if why := disarm(); end != nil {
		if why != notStopped {
			return errTime
		}
		return fmt.Errorf("its start function fails: %s", m.failure(end))
	}
	return nil
}

func (m *machine) drop() {
	if m.s != nil {
		m.s.drop()
		m.s = nil
	}
}

// link finds the exported functions by name.
func (m *machine) link() error {
	if m.abi.interpreter != nil {
		if err := m.linkGlobals(); err != nil {
			return err
		}
		return m.linkInterpreter()
	}
	_, constructors := m.s.function(m.abi.export("__wasm_call_ctors"))
	if _, starts := m.s.function("_start"); starts && !constructors {
		m.abi = m.abi.alone()
	}
	need := func(f *fn, names ...string) error {
		for _, n := range names {
			if g, ok := m.s.function(m.abi.export(n)); ok {
				*f = g
				return nil
			}
		}
		return fmt.Errorf("the module does not export %s", names[0])
	}
	for _, e := range []struct {
		f     *fn
		names []string
	}{
		{&m.handleFn, []string{"handle"}},
		{&m.stackSave, []string{"emscripten_stack_get_current", "stackSave"}},
		{&m.stackRestore, []string{"_emscripten_stack_restore", "stackRestore"}},
		{&m.stackAlloc, []string{"_emscripten_stack_alloc", "stackAlloc"}},
	} {
		if err := need(e.f, e.names...); err != nil {
			return err
		}
	}
	// What only some modules need is missed when it is needed.
	_ = need(&m.malloc, "malloc")
	_ = need(&m.free, "free")
	_ = need(&m.setThrew, "setThrew")
	if m.abi.asyncHeader > 0 {
		_ = need(&m.startUnwind, "asyncify_start_unwind")
		_ = need(&m.stopUnwind, "asyncify_stop_unwind")
		_ = need(&m.startRewind, "asyncify_start_rewind")
		_ = need(&m.stopRewind, "asyncify_stop_rewind")
	}
	if err := m.linkGlobals(); err != nil {
		return err
	}
	if m.p.info.GasUsedGlobal != "" {
		var ok, ok2 bool
		m.gasUsed, ok = m.s.global(m.p.info.GasUsedGlobal)
		m.gasLimit, ok2 = m.s.global(m.p.info.GasLimitGlobal)
		if !ok || !ok2 {
			return fmt.Errorf("the metered module does not export its gas")
		}
		return m.s.set(m.gasLimit, gasUnlimited)
	}
	return nil
}

func (m *machine) linkGlobals() error {
	for _, name := range m.p.info.MutableGlobals {
		g, ok := m.s.global(name)
		if !ok {
			return fmt.Errorf("the rewritten module does not export the global %s", name)
		}
		m.globals = append(m.globals, g)
	}
	return nil
}

// start brings a fresh instance to the state in which the reference loader hands it its first message.
func (m *machine) start() *ended {
	if m.abi.cookies {
		if e := m.callExport("emscripten_stack_init"); e != nil {
			return e
		}
		end, e := m.valueExport("emscripten_stack_get_end")
		if e != nil {
			return e
		}
		if end == 0 {
			end = 4
		}
		m.set32(end, 0x02135467)
		m.set32(end+4, 0x89BACDFE)
		m.set32(0, 0x63736d65)
	}
	if !m.abi.noFiles {
		m.host.Clock += 3 // the loader links the three standard streams; each link gets a time stamp
	}
	if m.abi.standalone {
		return nil
	}
	if e := m.callExport("__wasm_call_ctors"); e != nil {
		return e
	}
	if m.abi.dataFolder {
		m.now()
	}
	return m.startMain()
}

// startMain runs main where the format does; it ends by leaving the program, which is not a failure.
func (m *machine) startMain() *ended {
	main, ok := m.s.function(m.abi.export("main"))
	if !ok || m.abi.main == mainNone {
		return nil
	}
	var argc, argv uint64
	if m.abi.main == mainArgv {
		args := m.p.args
		argc = uint64(len(args))
		var e *ended
		if argv, e = m.call(m.stackAlloc, (argc+1)*4); e != nil {
			return e
		}
		for i, a := range args {
			p, e := m.call(m.stackAlloc, uint64(len(a))+1)
			if e != nil {
				return e
			}
			m.write(p, []byte(a))
			m.set8(p+uint64(len(a)), 0)
			m.set32(argv+uint64(i)*4, uint32(p))
		}
		m.set32(argv+argc*4, 0)
	}
	_, e := m.call(main, argc, argv)
	if e != nil && m.exited {
		m.exited = false
		return nil
	}
	return e
}

func (m *machine) callExport(name string) *ended {
	_, e := m.valueExport(name)
	return e
}

func (m *machine) valueExport(name string) (uint64, *ended) {
	f, ok := m.s.function(m.abi.export(name))
	if !ok {
		return 0, &ended{code: -1, text: "the module does not export " + name}
	}
	return m.call(f)
}

// call calls a function of the module and takes the memory again.
func (m *machine) call(f fn, args ...uint64) (uint64, *ended) {
	v, e := m.s.call(f, args...)
	m.mem = m.s.memory()
	if m.abi.pointer == 4 {
		v &= 0xffffffff
	}
	return v, e
}

// mustCall is call for host functions: what ends the inner call ends the outer one.
func (m *machine) mustCall(f fn, args ...uint64) uint64 {
	if f.store_id == 0 {
		m.stop("the module calls a function it does not export")
	}
	v, e := m.call(f, args...)
	if e != nil {
		m.leave(e)
	}
	return v
}

// leave ends the running host function as the given inner call ended.
func (m *machine) leave(e *ended) {
	if !e.host && m.reason == "" {
		m.reason = e.failure()
	}
	panic(halt{})
}

// stop ends the evaluation for a reason that is the same on every machine.
func (m *machine) stop(reason string) {
	m.reason = reason
	panic(halt{})
}

// enter is where an imported function arrives. It answers 1 to end the call with a trap. No panic crosses it.
func (m *machine) enter(index int, a *args) (rc int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case halt:
			rc = 1
		default:
			m.fault = fmt.Errorf("host function %s: %v", m.p.native.imports[index].name, r)
			rc = 1
		}
	}()
	m.mem = m.s.memory()
	a[0] = m.p.hosts[index](m, a)
	return 0
}

// args are the arguments of a host function, 32-bit ones zero extended. The result goes to the first.
type args = [16]uint64

type hostFunc func(m *machine, a *args) uint64

// handle gives the module one message, the way the reference loader calls it: text on the wasm stack (in allocated memory, as
// HyperBEAM does, if the module was built for any host), the stack put back afterwards, and as many rounds as there are asynchronous imports on the way.
func (m *machine) handle(message, env []byte) ([]byte, *ended) {
	sp, e := m.call(m.stackSave)
	if e != nil {
		return nil, e
	}
	allocate := m.stackAlloc
	if m.abi.standalone {
		allocate = m.malloc
	}
	var ptr [2]uint64
	for i, text := range [2][]byte{message, env} {
		if ptr[i], e = m.call(allocate, m.stackSize(text)); e != nil {
			return nil, e
		}
		m.write(ptr[i], text)
		m.set8(ptr[i]+uint64(len(text)), 0)
	}
	out, e := m.call(m.handleFn, ptr[0], ptr[1])
	for e == nil && m.async.state == asyncUnwinding {
		if e = m.resume(); e == nil {
			out, e = m.call(m.handleFn, ptr[0], ptr[1])
		}
	}
	if e != nil {
		return nil, e
	}
	if _, e = m.call(m.stackRestore, sp); e != nil {
		return nil, e
	}
	if out == 0 {
		return []byte{}, nil
	}
	return decodeText(m.text(out)), nil
}

func (m *machine) stackSize(text []byte) uint64 {
	if !m.abi.wideStrings {
		return uint64(len(text)) + 1
	}
	units := uint64(0)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r > 0xffff {
			units++
		}
		units++
		i += n
	}
	return units*4 + 1
}

// Memory access of host functions follows typed arrays: a write outside is lost, a read outside gives zero.

func (m *machine) set8(p uint64, v byte) {
	if p < uint64(len(m.mem)) {
		m.mem[p] = v
	}
}

func (m *machine) get32(p uint64) uint32 {
	if p <= uint64(len(m.mem))-4 {
		return binary.LittleEndian.Uint32(m.mem[p:])
	}
	return 0
}

func (m *machine) set32(p uint64, v uint32) {
	if p <= uint64(len(m.mem))-4 {
		binary.LittleEndian.PutUint32(m.mem[p:], v)
	}
}

func (m *machine) get64(p uint64) uint64 {
	if p <= uint64(len(m.mem))-8 {
		return binary.LittleEndian.Uint64(m.mem[p:])
	}
	return 0
}

func (m *machine) set64(p, v uint64) {
	if p <= uint64(len(m.mem))-8 {
		binary.LittleEndian.PutUint64(m.mem[p:], v)
	}
}

// getWord and setWord move a value of the size of a pointer.
func (m *machine) getWord(p uint64) uint64 {
	if m.abi.pointer == 8 {
		return m.get64(p)
	}
	return uint64(m.get32(p))
}

func (m *machine) setWord(p, v uint64) {
	if m.abi.pointer == 8 {
		m.set64(p, v)
	} else {
		m.set32(p, uint32(v))
	}
}

func (m *machine) write(p uint64, b []byte) {
	if p < uint64(len(m.mem)) {
		copy(m.mem[p:], b)
	}
}

// span is the part of [p, p+n) that lies in the memory.
func (m *machine) span(p, n uint64) []byte {
	if p >= uint64(len(m.mem)) {
		return nil
	}
	if rest := uint64(len(m.mem)) - p; n > rest {
		n = rest
	}
	return m.mem[p : p+n]
}

// text is the C string at p, without its end.
func (m *machine) text(p uint64) []byte {
	if p == 0 || p >= uint64(len(m.mem)) {
		return nil
	}
	b := m.mem[p:]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
