//go:build linux && amd64 && cgo

package wasm

/*
#include "shim.h"
*/
import "C"

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"ago/vm"
	"ago/vm/wasm/rewrite"
)

// compileMax bounds the compilations under way: each takes all cores for about half a second.
const compileMax = 1

// engine implements vm.Engine.
type engine struct {
	native      *C.wasm_engine_t
	cacheDir    string
	codeVersion string // whatever native code depends on besides the module
	timeMax     time.Duration
	gasCeiling  uint64
	lateMax     int
	lateAfter   int
	programArgs []string
	formats     map[string]*abi // of the interpreters
	scanner     *scanner
	arena       arena
	compiling   chan struct{}

	mu       sync.Mutex
	programs map[variant]*building
	closed   bool
	live     int // machines

	interpreterMu sync.Mutex
	interpreters  map[string]*program // compiled, by format
}

var _ vm.Engine = (*engine)(nil)

// New gives an engine. The error says what this machine lacks.
func New(c Config) (vm.Engine, error) {
	// A stack trace for every longjmp makes error handling four times slower, and nobody would see it.
	os.Unsetenv("RUST_BACKTRACE")
	e := &engine{
		cacheDir: c.CacheDir, timeMax: c.TimeMax, gasCeiling: GasCeiling, lateMax: lateMax, lateAfter: lateAfter, programArgs: c.ProgramArgs,
		programs: map[variant]*building{}, compiling: make(chan struct{}, compileMax),
	}
	e.formats, e.interpreters = map[string]*abi{}, map[string]*program{}
	for _, in := range c.Interpreters {
		e.formats[in.Format] = in.abi()
	}
	if e.timeMax <= 0 || e.timeMax > DefaultTimeMax {
		e.timeMax = DefaultTimeMax
	}
	if e.cacheDir != "" {
		if err := ownFolder(e.cacheDir); err != nil {
			return nil, err
		}
	}
	var err error
	if e.scanner, err = newScanner(); err != nil {
		return nil, err
	}
	if e.native, err = newNativeEngine(); err != nil {
		e.scanner.close()
		return nil, err
	}
	e.codeVersion = fmt.Sprintf("%s engine=%s-2 cpu=%s reservation=%d stack=%d", rewrite.Version, nativeVersion, cpuIdentity(), uint64(reservation), stackMax)
	return e, nil
}

func (e *engine) Prepare(ctx context.Context, m vm.Module) error {
	_, err := e.program(ctx, m, false)
	return err
}

func (e *engine) New(ctx context.Context, m vm.Module, l vm.Limits) (vm.Instance, error) {
	p, err := e.program(ctx, m, false)
	if err != nil {
		return nil, err
	}
	if l.MemoryMax > 0 && l.MemoryMax < uint64(p.base.size) {
		return nil, fmt.Errorf("%w: it starts with %d bytes, the limit is %d", vm.ErrLimit, p.base.size, l.MemoryMax)
	}
	i := &instance{engine: e, module: m, program: p, limits: l}
	i.image = newImage(&e.arena, p.base)
	if i.machine, err = e.machine(p, l); err != nil {
		return nil, err
	}
	if err := i.commit(); err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

// machine gives a started instance of a program.
func (e *engine) machine(p *program, l vm.Limits) (*machine, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, vm.ErrClosed
	}
	e.live++
	e.mu.Unlock()
	memoryMax := int64(-1)
	if l.MemoryMax > 0 && l.MemoryMax <= math.MaxInt64 {
		memoryMax = int64(max(l.MemoryMax, p.base.size))
	}
	m, err := e.launch(p, memoryMax)
	if err != nil {
		e.mu.Lock()
		e.live--
		e.mu.Unlock()
		return nil, err
	}
	return m, nil
}

// launch instantiates a program and starts it. A start that does not end is an error of the module.
func (e *engine) launch(p *program, memoryMax int64) (*machine, error) {
	m, err := newMachine(p, memoryMax, e.timeMax)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be instantiated: %w", vm.ErrModule, err)
	}
	e.scanner.prepare(m.mem)
	if p.shared {
		if err := m.adopt(p.base); err != nil {
			m.drop()
			return nil, err
		}
		return m, nil
	}
	disarm := m.s.arm(context.Background(), e.timeMax)
	end := m.start()
	disarm()
	if end != nil {
		err := fmt.Errorf("%w: it does not start: %s", vm.ErrModule, m.failure(end))
		m.drop()
		return nil, err
	}
	return m, nil
}

// retire frees a machine.
func (e *engine) retire(m *machine) {
	if m == nil {
		return
	}
	m.drop()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.live--
	e.unload()
}

// Close ends the engine. Instances that still live keep what they need until they are closed.
func (e *engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	building := make([]*building, 0, len(e.programs))
	for _, b := range e.programs {
		building = append(building, b)
	}
	e.mu.Unlock()
	for _, b := range building {
		<-b.done
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unload()
	return nil
}

// unload frees the programs once nothing can use them any more. It is called with mu held.
func (e *engine) unload() {
	if !e.closed || e.live > 0 || e.native == nil {
		return
	}
	for _, b := range e.programs {
		if b.p == nil {
			continue
		}
		b.p.base.close()
		if !b.p.shared {
			b.p.native.unload()
		}
	}
	for _, p := range e.interpreters {
		p.native.unload()
	}
	clear(e.interpreters)
	clear(e.programs)
	C.ago_engine_delete(e.native)
	e.native = nil
	e.scanner.close()
}

func firstLine(b []byte, field string) []byte {
	for line := range bytes.Lines(b) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(name)) == field {
			return value
		}
	}
	return nil
}
