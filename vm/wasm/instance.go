//go:build linux && amd64 && cgo

package wasm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ago/vm"
)

// gasUnlimited is the gas limit where none was asked for, the reference loader's own.
const gasUnlimited = 9_000_000_000_000_000

// overhead is about what an instance takes besides its pages: the store, its tables and the indexes of the image.
const overhead = 160 << 10

// instance implements vm.Instance.
type instance struct {
	engine  *engine
	module  vm.Module
	program *program
	limits  vm.Limits
	machine *machine
	metered *machine // holds the last evaluation if the first try was stopped by the clock
	image   *image
	dirty   bool // there is an evaluation to commit or roll back
	failed  bool // it ended without a response
	ended   bool // it came to an end, with or without one
	late    bool // its commit may come late
	last    vm.Input
	steady  int // messages committed in a row
	wary    int // how many have to be before commits come late, if that was a mistake before
	broken  atomic.Pointer[error]
	closed  atomic.Bool

	work     sync.Mutex // held while there is an evaluation to settle
	forks    atomic.Int64
	resident atomic.Int64
	chain    chain
}

var _ vm.Instance = (*instance)(nil)

func (i *instance) usable() error {
	if i.closed.Load() {
		return vm.ErrClosed
	}
	if err := i.broken.Load(); err != nil {
		return *err
	}
	return nil
}

var errPending = errors.New("the last evaluation was neither committed nor rolled back")

func (i *instance) Eval(ctx context.Context, in vm.Input) (vm.Output, error) {
	if err := i.usable(); err != nil {
		return vm.Output{}, err
	}
	if i.dirty {
		return vm.Output{}, errPending
	}
	i.work.Lock()
	e := i.engine
	i.late = i.mayBeLate() && len(in.Message)+len(in.Env) <= lateInputMax
	if i.late {
		i.last.Message, i.last.Env = append(i.last.Message[:0], in.Message...), append(i.last.Env[:0], in.Env...)
	}
	out, err := e.eval(ctx, i.machine, i.limits.GasMax, e.patience(i.limits), in)
	if errors.Is(err, errTime) {
		out, err = i.evalMetered(ctx, in)
	}
	i.dirty, i.ended, i.failed = true, err == nil, err != nil || out.Failure != ""
	return out, err
}

// errTime is an evaluation that the clock stopped.
var errTime = fmt.Errorf("%w: it took too long", vm.ErrUnfinished)

// evalMetered evaluates a message that the clock has stopped, on a copy of the state and under a gas limit, so that
// its end is the same on every machine however long it takes here. The copy stays until the evaluation is settled.
func (i *instance) evalMetered(ctx context.Context, in vm.Input) (vm.Output, error) {
	e := i.engine
	p, err := e.program(ctx, i.module, true)
	if err != nil {
		return vm.Output{}, err
	}
	m, err := e.copyOf(p, i.image, i.limits)
	if err != nil {
		return vm.Output{}, err
	}
	i.metered = m
	limit := e.gasCeiling
	if i.program.abi.metered && i.limits.GasMax > 0 {
		limit = min(limit, i.limits.GasMax)
	}
	return e.eval(ctx, m, limit, 0, in)
}

// copyOf gives a machine of the program in the newest state of an image.
func (e *engine) copyOf(p *program, im *image, l vm.Limits) (*machine, error) {
	m, err := e.machine(p, l)
	if err != nil {
		return nil, err
	}
	im.mu.RLock()
	err = im.fill(e.scanner, m, im.version, im.outside())
	behind := im.inputsBehind()
	im.mu.RUnlock()
	if err == nil {
		err = e.again(m, behind)
	}
	if err != nil {
		e.retire(m)
		return nil, err
	}
	return m, nil
}

// patience is how long an evaluation may take before it is begun anew under the meter.
func (e *engine) patience(l vm.Limits) time.Duration {
	if l.TimeMax > 0 {
		return min(e.timeMax, l.TimeMax)
	}
	return e.timeMax
}

// eval gives a machine one message. A limit of 0 is none.
func (e *engine) eval(ctx context.Context, m *machine, gasMax uint64, timeMax time.Duration, in vm.Input) (vm.Output, error) {
	if m.interpreted != nil {
		return e.evalInterpreted(ctx, m, gasMax, in)
	}
	if ctx.Err() != nil { // it ended before it began: no result either
		return vm.Output{}, fmt.Errorf("%w: %w", vm.ErrUnfinished, context.Cause(ctx))
	}
	metered := m.p.info.GasUsedGlobal != ""
	out := vm.Output{Metered: m.abi.metered}
	limit := uint64(gasUnlimited)
	if gasMax > 0 {
		limit = min(limit, gasMax)
	}
	if metered {
		if err := errors.Join(m.s.set(m.gasUsed, 0), m.s.set(m.gasLimit, limit)); err != nil {
			return out, err
		}
	}
	disarm := m.s.arm(ctx, timeMax)
	m.drive = driveState{of: in.Drive, ctx: ctx}
	response, end := m.handle(in.Message, in.Env)
	m.drive.of, m.drive.ctx = nil, nil
	stopped := disarm()
	if metered {
		used := m.s.get(m.gasUsed)
		if m.abi.metered {
			out.Gas = used
		}
		if used > limit {
			out.Failure = outOfGas
			return out, nil
		}
	}
	if end == nil {
		out.Response = response
		return out, nil
	}
	switch {
	case m.fault != nil:
		return out, m.fault
	case stopped == stoppedByCaller:
		return out, fmt.Errorf("%w: %w", vm.ErrUnfinished, context.Cause(ctx))
	case stopped == stoppedByTime:
		return out, errTime
	case m.reason == "" && end.code < 0:
		// A longjmp that nobody caught. The reference throws the number infinity for one.
		m.reason = "Infinity"
	}
	out.Failure = m.failure(end)
	return out, nil
}

// failure is the text of an evaluation that ended without a response.
func (m *machine) failure(end *ended) string {
	if m.reason != "" {
		return m.reason
	}
	if m.fault != nil {
		return m.fault.Error()
	}
	return end.failure()
}

// Commit makes the last evaluation's state the instance's.
func (i *instance) Commit() error {
	if err := i.usable(); err != nil {
		return err
	}
	if !i.dirty {
		return nil
	}
	if i.failed {
		return errors.New("an evaluation without a response cannot be committed")
	}
	i.dirty = false
	defer i.work.Unlock()
	i.steady++
	if i.late && !i.machine.drive.used && i.machine.s.gate.took <= lateTime && i.mayBeLate() {
		i.image.postpone(i.last)
		return nil
	}
	if err := i.settle(); err != nil {
		return i.spoil(err)
	}
	return nil
}

// settle makes the last evaluation's state the image.
func (i *instance) settle() error {
	if i.metered == nil {
		return i.commit()
	}
	m := i.metered
	i.metered = nil
	defer i.engine.retire(m)
	if _, err := i.image.commit(i.engine.scanner, m); err != nil {
		return err
	}
	fresh, err := i.engine.copyOf(i.program, i.image, i.limits)
	if err != nil {
		return err
	}
	i.engine.retire(i.machine)
	i.machine = fresh
	return i.commit()
}

func (i *instance) commit() error {
	written, err := i.image.commit(i.engine.scanner, i.machine)
	held := i.image.held()
	if i.machine.tracked > 0 {
		written = held // what is listed is only what changed; nearly all that is live has its page here
	}
	i.resident.Store(int64(written+held)*pageSize + overhead)
	return err
}

// Rollback forgets the last evaluation. If that had come to an end, so was refused for its result, the state outside
// the memory starts anew, as in the reference, which throws an instance away after an error. An evaluation that was
// stopped leaves no trace at all.
func (i *instance) Rollback() error {
	if err := i.usable(); err != nil {
		return err
	}
	if !i.dirty {
		return nil
	}
	e, im := i.engine, i.image
	im.mu.RLock()
	m, err := e.revert(i.machine, im, im.version, im.outside(), i.limits)
	im.mu.RUnlock()
	i.machine = m
	if err != nil {
		return err
	}
	i.dirty, i.steady = false, 0
	defer i.work.Unlock()
	e.retire(i.metered)
	i.metered = nil
	if len(im.behind) > 0 {
		i.wary = min(2*max(i.wary, e.lateAfter), lateAfterMax)
		err := e.again(m, im.behind)
		if err == nil {
			err = i.commit()
		}
		if err != nil {
			return i.spoil(err)
		}
	}
	if i.ended {
		im.mu.Lock()
		defer im.mu.Unlock()
		im.version++ // so that copies take it over
		im.host = i.program.base.host.clone()
		m.host = im.host.clone()
	}
	return nil
}

// revert brings a machine back to a version of its image, held for reading. Memory cannot shrink: a machine that has
// grown is replaced.
func (e *engine) revert(m *machine, im *image, version uint64, to at, l vm.Limits) (*machine, error) {
	if uint64(len(m.mem)) == to.size {
		if err := im.undo(e.scanner, m, version); err != nil {
			return m, err
		}
		return m, m.reset(to.host, to.globals)
	}
	fresh, err := e.machine(m.p, l)
	if err != nil {
		return m, err
	}
	if err := im.fill(e.scanner, fresh, version, to); err != nil {
		e.retire(fresh)
		return m, err
	}
	e.retire(m)
	return fresh, nil
}

// fill brings a freshly started machine to a version of the image, which is held for reading.
func (im *image) fill(s *scanner, m *machine, version uint64, to at) error {
	if err := m.growTo(to.size); err != nil {
		return err
	}
	im.load(m, 0, version)
	if im.pages >= s.from {
		if err := s.track(m); err != nil {
			return err
		}
	}
	return m.reset(to.host, to.globals)
}

func (m *machine) growTo(size uint64) error {
	if have := uint64(len(m.mem)); have < size {
		if !m.s.grow((size - have) / wasmPage) {
			return fmt.Errorf("there is no room for a linear memory of %d bytes", size)
		}
		m.mem = m.s.memory()
	}
	return nil
}

// reset puts the state outside the linear memory to what it was.
func (m *machine) reset(h hostState, globals []uint64) error {
	m.host = h.clone()
	m.async = asyncState{}
	m.longjmp, m.exited, m.reason, m.fault = false, false, "", nil
	for i := range m.globals {
		if err := m.s.set(m.globals[i], globals[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) readGlobals(to []uint64) []uint64 {
	for i := range m.globals {
		to = append(to, m.s.get(m.globals[i]))
	}
	return to
}

// Resident is what the instance held after its last commit.
func (i *instance) Resident() int64 { return i.resident.Load() }

func (i *instance) Close() error {
	if i.closed.Swap(true) {
		return nil
	}
	if !i.dirty {
		i.work.Lock() // somebody may be catching up
	}
	defer i.work.Unlock()
	i.engine.retire(i.machine)
	i.engine.retire(i.metered)
	i.image.close()
	return nil
}
