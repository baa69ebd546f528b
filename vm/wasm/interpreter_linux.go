//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unsafe"

	"ago/vm"
	"ago/vm/wasm/rewrite"

	"golang.org/x/sys/unix"
)

const (
	// loadGas is what a module's text may use while it is loaded.
	loadGas = 1_000_000_000

	// loadMemory is the memory in bytes that it may take meanwhile.
	loadMemory = 256 << 20

	// stackWiped is how much of the program's C stack is made zero after an evaluation. What lies there is of no
	// use, and would otherwise be part of every snapshot.
	stackWiped = 16 << 10

	// replyWiped is up to what length an answer is made zero once it was read; longer ones the program frees.
	replyWiped = 16 << 10
)

func (in Interpreter) abi() *abi {
	return &abi{format: in.Format, pointer: 4, heapMax: in.MemoryMax, metered: true, noFiles: true, interpreter: &in}
}

// interpreted is what a machine knows of the interpreter in it.
type interpreted struct {
	alloc, release, load, handle, call fn
	gas, answer                        uint64 // addresses
	args                               [5]uint64
	ctx                                context.Context // of the evaluation under way
}

func (m *machine) linkInterpreter() error {
	in := &interpreted{}
	for name, f := range map[string]*fn{
		"ago_alloc": &in.alloc, "ago_release": &in.release, "ago_load": &in.load, "ago_handle": &in.handle, "ago_call": &in.call,
	} {
		g, ok := m.s.function(name)
		if !ok {
			return fmt.Errorf("the interpreter does not export %s", name)
		}
		*f = g
	}
	for name, p := range map[string]*uint64{"ago_gas": &in.gas, "ago_answer": &in.answer} {
		v, e := m.valueExport(name)
		if e != nil {
			return errors.New(e.failure())
		}
		*p = v
	}
	m.interpreted = in
	return nil
}

// startInterpreter makes the machine and gives it the module's text.
func (m *machine) startInterpreter(text []byte) error {
	if e := m.callExport("_initialize"); e != nil {
		return errors.New(e.failure())
	}
	v, e := m.valueExport("ago_start")
	if e != nil {
		return errors.New(e.failure())
	}
	if v != 0 {
		return errors.New("the interpreter does not start")
	}
	if err := m.loadText(text, "=process", loadGas); err != nil {
		return err
	}
	if e := m.callExport("ago_freeze"); e != nil {
		return errors.New(e.failure())
	}
	return nil
}

// loadText runs a text. Its name is what errors call it.
func (m *machine) loadText(text []byte, name string, gas uint64) error {
	in := m.interpreted
	at, err := m.lend(text, append([]byte(name), 0))
	if err != nil {
		return err
	}
	v, e := m.call(in.load, at[0], uint64(len(text)), at[1], gas)
	switch {
	case e != nil && m.gasLeft() < 0:
		//lint:ignore ST1005 the text is part of results
		return errors.New(outOfGas)
	case e != nil:
		return errors.New(e.failure())
	case v != 0:
		return errors.New(string(m.answered()))
	}
	return m.giveBack(at)
}

// lend writes texts into the program's memory.
func (m *machine) lend(texts ...[]byte) (at [2]uint64, err error) {
	for i, t := range texts {
		v, e := m.call(m.interpreted.alloc, uint64(len(t)))
		if e != nil || v == 0 {
			return at, errNoMemory
		}
		m.write(v, t)
		at[i] = v
	}
	return at, nil
}

var errNoMemory = errors.New("not enough memory")

// giveBack frees what was lent.
func (m *machine) giveBack(at [2]uint64) error {
	for _, p := range at {
		if p == 0 {
			continue
		}
		if _, e := m.call(m.interpreted.release, p); e != nil {
			return errors.New(e.failure())
		}
	}
	return nil
}

func (m *machine) answered() []byte {
	in := m.interpreted
	return m.span(uint64(m.get32(in.answer)), uint64(m.get32(in.answer+4)))
}

func (m *machine) gasLeft() int64 { return int64(m.get64(m.interpreted.gas)) }

// interpret evaluates one message, or does what the environment says instead.
func (m *machine) interpret(gas uint64, message, env []byte) (response []byte, end *ended) {
	in := m.interpreted
	f, second, wrapped, raw := in.handle, env, false, false
	if name, ok := bytes.CutPrefix(env, callMark); ok {
		f, second, wrapped = in.call, append(bytes.Clone(name), 0), true
	} else if name, ok := bytes.CutPrefix(env, rawMark); ok {
		f, second, raw = in.call, append(bytes.Clone(name), 0), true
	} else if name, ok := bytes.CutPrefix(env, loadMark); ok {
		f, second, wrapped = in.load, append(bytes.Clone(name), 0), true
	}
	at, err := m.lend(message, second)
	if err != nil {
		return nil, &ended{code: -1, host: true, text: err.Error()}
	}
	n := uint64(len(message))
	var v uint64
	switch f {
	case in.handle:
		in.args = [5]uint64{at[0], n, at[1], uint64(len(env)), gas}
		v, end = m.call(f, in.args[:5]...)
	case in.call:
		in.args = [5]uint64{at[1], at[0], n, gas}
		v, end = m.call(f, in.args[:4]...)
	default:
		in.args = [5]uint64{at[0], n, at[1], gas}
		v, end = m.call(f, in.args[:4]...)
	}
	if end != nil {
		return nil, end
	}
	answer := m.answered()
	switch {
	case raw:
		response = append([]byte{byte(v)}, answer...)
	case v != 0:
		response = refusal(answer)
	case f == in.load:
		response = []byte(`{"ok":true,"response":null}`)
	case wrapped:
		response = append(append([]byte(`{"ok":true,"response":`), answer...), '}')
	default:
		response = bytes.Clone(answer)
	}
	if (v == 0 || raw) && f != in.load && len(answer) <= replyWiped {
		clear(answer)
	}
	for i, n := range [2]int{len(message), len(second)} {
		if n <= replyWiped {
			clear(m.span(at[i], uint64(n)))
		}
	}
	if err := m.giveBack(at); err != nil {
		return nil, &ended{code: -1, text: err.Error()}
	}
	return response, nil
}

// refusal is the response of an evaluation that ended with an error of the program.
func refusal(text []byte) []byte {
	var b bytes.Buffer
	b.WriteString(`{"ok":false,"response":`)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(decodeText(text)))
	b.Truncate(b.Len() - 1) // the encoder ends with a line feed
	b.WriteByte('}')
	return b.Bytes()
}

// evalInterpreted gives a machine one message.
func (e *engine) evalInterpreted(ctx context.Context, m *machine, gasMax uint64, in vm.Input) (vm.Output, error) {
	if ctx.Err() != nil { // it ended before it began: no result either
		return vm.Output{}, fmt.Errorf("%w: %w", vm.ErrUnfinished, context.Cause(ctx))
	}
	out := vm.Output{Metered: true}
	limit := m.abi.interpreter.GasMax
	if gasMax > 0 {
		limit = min(limit, gasMax)
	}
	m.interpreted.ctx = ctx
	disarm := m.s.arm(ctx, 0) // no clock stops it: the gas does
	response, end := m.interpret(limit, in.Message, in.Env)
	stopped := disarm()
	m.interpreted.ctx = nil
	left := m.gasLeft()
	out.Gas = uint64(int64(limit) - left)
	m.set64(m.interpreted.gas, 0)
	m.wipeStack()
	switch {
	case m.fault != nil:
		return out, m.fault
	case end != nil && stopped == stoppedByCaller:
		return out, fmt.Errorf("%w: %w", vm.ErrUnfinished, context.Cause(ctx))
	case left < 0:
		// How far it went beyond the limit says nothing.
		out.Gas, out.Failure = limit, outOfGas
	case end != nil:
		out.Failure = m.failure(end)
	default:
		out.Response = response
	}
	return out, nil
}

// wipeStack makes what calls have left on the C stack zero.
func (m *machine) wipeStack() {
	if len(m.globals) == 0 {
		return
	}
	top := m.s.get(m.globals[0]) & 0xffffffff
	low := top - min(top, stackWiped)
	clear(m.span(low, top-low))
}

// interpreterHost is the one function that an interpreter imports.
func interpreterHost(m *machine, a *args) uint64 {
	name, value, answer := m.span(a[0], a[1]), m.span(a[2], a[3]), a[4]
	failed := uint64(0)
	var text []byte
	var err error
	if host := m.abi.interpreter.Host; host == nil || m.interpreted.ctx == nil {
		err = fmt.Errorf("this host offers no function %s", name)
	} else {
		text, err = host(m.interpreted.ctx, string(name), bytes.Clone(value))
	}
	if err != nil {
		text, failed = []byte(err.Error()), 1
	}
	at := m.mustCall(m.interpreted.alloc, uint64(len(text)))
	if at != 0 {
		m.write(at, text)
	}
	m.set32(answer, uint32(at))
	m.set32(answer+4, uint32(len(text)))
	return failed
}

// buildInterpreted makes the program of a text: the interpreter's code and the state after the text was loaded.
func (e *engine) buildInterpreted(text []byte, v variant, a *abi) (*program, error) {
	shared, err := e.interpreterCode(a)
	if err != nil {
		return nil, err
	}
	p := &program{abi: a, hash: v.hash, native: shared.native, info: shared.info, hosts: shared.hosts, shared: true}
	m, err := newMachine(p, loadMemory, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", vm.ErrModule, err)
	}
	defer m.drop()
	e.scanner.prepare(m.mem)
	if err := m.startInterpreter(text); err != nil {
		return nil, fmt.Errorf("%w: %w", vm.ErrModule, err)
	}
	m.set64(m.interpreted.gas, 0)
	m.wipeStack()
	p.base, err = newSharedBase(e.scanner, m)
	return p, err
}

// interpreterCode compiles an interpreter once.
func (e *engine) interpreterCode(a *abi) (*program, error) {
	e.interpreterMu.Lock()
	defer e.interpreterMu.Unlock()
	if p := e.interpreters[a.format]; p != nil {
		return p, nil
	}
	rewritten, info, err := rewrite.Rewrite(a.interpreter.Program, rewrite.Options{TranslateEH: true, ExportGlobals: true, Poll: true})
	if err != nil {
		return nil, err
	}
	p := &program{abi: a, info: info}
	if p.native, err = e.code(rewritten, variant{format: a.format}); err != nil {
		return nil, err
	}
	for _, im := range p.native.imports {
		p.hosts = append(p.hosts, hostFor(a, im))
	}
	e.interpreters[a.format] = p
	return p, nil
}

// newSharedBase takes the state of a machine as a file in memory that other machines map.
func newSharedBase(s *scanner, m *machine) (*base, error) {
	b := &base{pages: map[int]*page{}, size: uint64(len(m.mem)), host: m.host.clone(), globals: m.readGlobals(nil)}
	for i := len(m.mem)/pageSize - 1; i >= 0 && b.imageEnd == 0; i-- {
		if !isZero(m.mem[i*pageSize : (i+1)*pageSize]) {
			b.imageEnd = i + 1
		}
	}
	fd, err := unix.MemfdCreate("ago-state", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	length := b.imageEnd * pageSize
	if err := unix.Ftruncate(fd, int64(length)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	for i := range b.imageEnd {
		part := m.mem[i*pageSize : (i+1)*pageSize]
		if isZero(part) {
			continue
		}
		if n, err := unix.Pwrite(fd, part, int64(i*pageSize)); err != nil || n != pageSize {
			unix.Close(fd)
			return nil, fmt.Errorf("writing the first state: %d bytes, %w", n, err)
		}
	}
	b.file = fd + 1
	if b.image, err = unix.Mmap(fd, 0, length, unix.PROT_READ, unix.MAP_SHARED); err != nil {
		unix.Close(fd)
		return nil, err
	}
	b.digest = b.sum()
	return b, nil
}

// adopt brings a fresh machine into the state of a shared base by mapping it.
func (m *machine) adopt(b *base) error {
	if err := m.growTo(b.size); err != nil {
		return err
	}
	at := unsafe.Pointer(unsafe.SliceData(m.mem))
	if _, err := unix.MmapPtr(b.file-1, 0, at, uintptr(len(b.image)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED); err != nil {
		return fmt.Errorf("mapping the first state: %w", err)
	}
	return m.reset(b.host, b.globals)
}

// close gives up what a shared base holds.
func (b *base) close() {
	if b == nil || b.file == 0 {
		return
	}
	_ = unix.Munmap(b.image)
	_ = unix.Close(b.file - 1)
	b.image, b.file = nil, 0
}
