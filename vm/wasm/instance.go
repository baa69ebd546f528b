//go:build linux && amd64 && cgo

package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"ago/vm"
)

// gasUnlimited is the gas limit where none was asked for, the reference loader's own.
const gasUnlimited = 9_000_000_000_000_000

// instance implements vm.Instance.
type instance struct {
	engine  *engine
	module  vm.Module
	program *program
	limits  vm.Limits
	machine *machine
	image   *image
	dirty   bool // there is an evaluation to commit or roll back
	failed  bool // it ended without a response
	ended   bool // it came to an end, with or without one
	closed  atomic.Bool
}

var _ vm.Instance = (*instance)(nil)

var errPending = errors.New("the last evaluation was neither committed nor rolled back")

func (i *instance) Eval(ctx context.Context, in vm.Input) (vm.Output, error) {
	if i.closed.Load() {
		return vm.Output{}, vm.ErrClosed
	}
	if i.dirty {
		return vm.Output{}, errPending
	}
	out, err := i.engine.eval(ctx, i.machine, i.limits, in)
	i.dirty, i.ended, i.failed = true, err == nil, err != nil || out.Failure != ""
	return out, err
}

// eval gives a machine one message within limits.
func (e *engine) eval(ctx context.Context, m *machine, l vm.Limits, in vm.Input) (vm.Output, error) {
	if err := ctx.Err(); err != nil {
		return vm.Output{}, err
	}
	metered := m.p.info.GasUsedGlobal != ""
	out := vm.Output{Metered: m.abi.metered}
	limit := uint64(gasUnlimited)
	if l.GasMax > 0 {
		limit = min(limit, l.GasMax)
	}
	if metered {
		if err := errors.Join(m.s.set(m.gasUsed, 0), m.s.set(m.gasLimit, limit)); err != nil {
			return out, err
		}
	}
	timeMax := e.timeMax
	if l.TimeMax > 0 {
		timeMax = min(timeMax, l.TimeMax)
	}
	stop := m.s.arm(uint64(timeMax/tick) + 1)
	if ctx.Done() != nil {
		fired := make(chan struct{})
		unwatch := context.AfterFunc(ctx, func() {
			atomic.StoreUint32(stop, stoppedByCaller)
			close(fired)
		})
		defer func() {
			// The flag lies in memory that goes with the machine.
			if !unwatch() {
				<-fired
			}
		}()
	}
	if e.running.Add(1) == 1 {
		select {
		case e.wake <- struct{}{}:
		default:
		}
	}
	response, end := m.handle(in.Message, in.Env)
	e.running.Add(-1)
	if metered {
		out.Gas = m.s.get(m.gasUsed)
		if out.Gas > limit {
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
	case m.reason == "" && end.code < 0:
		switch atomic.LoadUint32(stop) {
		case stoppedByCaller:
			return out, fmt.Errorf("%w: %w", vm.ErrUnfinished, context.Cause(ctx))
		case stoppedByTime:
			return out, vm.ErrUnfinished
		}
		return out, fmt.Errorf("evaluation ended for no known reason: %s", end.text)
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

func (i *instance) Commit() error {
	if i.closed.Load() {
		return vm.ErrClosed
	}
	if !i.dirty {
		return nil
	}
	if i.failed {
		return errors.New("an evaluation without a response cannot be committed")
	}
	if err := i.image.commit(i.engine.scanner, i.machine); err != nil {
		return err
	}
	i.dirty = false
	return nil
}

// Rollback forgets the last evaluation. If that had come to an end, so was refused for its result, the state outside
// the memory starts anew, as in the reference, which throws an instance away after an error. An evaluation that was
// stopped leaves no trace at all.
func (i *instance) Rollback() error {
	if i.closed.Load() {
		return vm.ErrClosed
	}
	if !i.dirty {
		return nil
	}
	if i.ended {
		i.image.mu.Lock()
		i.image.host = i.program.base.host.clone()
		i.image.mu.Unlock()
	}
	m, err := i.engine.revert(i.machine, i.image, i.image.version, i.image.size, i.limits)
	if err != nil {
		return err
	}
	i.machine = m
	i.dirty = false
	return nil
}

// revert brings a machine back to a version of its image. Memory cannot shrink: a machine that has grown is replaced.
func (e *engine) revert(m *machine, im *image, version, size uint64, l vm.Limits) (*machine, error) {
	im.mu.RLock()
	defer im.mu.RUnlock()
	if uint64(len(m.mem)) != size {
		fresh, err := e.machine(m.p, l)
		if err != nil {
			return m, err
		}
		if err := im.fill(fresh, version, size); err != nil {
			e.retire(fresh)
			return m, err
		}
		e.retire(m)
		return fresh, nil
	}
	if err := im.undo(e.scanner, m, version); err != nil {
		return m, err
	}
	return m, m.reset(im.host, im.globals)
}

// fill brings a freshly started machine to a version of the image.
func (im *image) fill(m *machine, version, size uint64) error {
	if have := uint64(len(m.mem)); have < size {
		if !m.s.grow((size - have) / wasmPage) {
			return fmt.Errorf("the machine has no room for a linear memory of %d bytes", size)
		}
		m.mem = m.s.memory()
	}
	im.load(m, 0, version)
	return m.reset(im.host, im.globals)
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

func (i *instance) Snapshot(w io.Writer, full bool) error { return errors.New("not written yet") }

func (i *instance) Memory(w io.Writer) (int64, error) { return 0, errors.New("not written yet") }

func (i *instance) Fork(ctx context.Context) (vm.Fork, error) {
	return nil, errors.New("not written yet")
}

func (i *instance) Resident() int64 { return 0 }

func (i *instance) Close() error {
	if i.closed.Swap(true) {
		return nil
	}
	i.engine.retire(i.machine)
	i.image.close()
	return nil
}
