//go:build linux && amd64 && cgo

package wasm

import (
	"context"
	"sync/atomic"

	"ago/vm"
)

// fork is an instance's committed state, copied, to try messages on. It has its own machine and only reads the image,
// so it never waits for an evaluation and no evaluation waits for it longer than a commit takes.
type fork struct {
	parent  *instance
	machine *machine
	pin     pin
	state   at
	dirty   bool
	closed  atomic.Bool
}

// at is the part of a state that lies outside the pages.
type at struct {
	size    uint64
	host    hostState
	globals []uint64
}

var _ vm.Fork = (*fork)(nil)

// Fork copies the committed state.
// A dry run is no result, so one that the clock stops is not begun anew: it is ErrUnfinished.
func (i *instance) Fork(ctx context.Context) (vm.Fork, error) {
	if i.closed.Load() {
		return nil, vm.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := &fork{parent: i}
	m, err := i.engine.machine(i.program, i.limits)
	if err != nil {
		return nil, err
	}
	f.machine = m
	im := i.image
	im.mu.RLock()
	defer im.mu.RUnlock()
	if im.closed {
		i.engine.retire(m)
		return nil, vm.ErrClosed
	}
	im.move(&f.pin, im.version)
	f.state = im.outside()
	if err := im.fill(i.engine.scanner, m, f.pin.version, f.state); err != nil {
		i.engine.retire(m)
		im.forget(&f.pin)
		return nil, err
	}
	return f, nil
}

// Eval evaluates one message and undoes it. The undoing is left to the next call: its answer is not waited for.
func (f *fork) Eval(ctx context.Context, in vm.Input) (vm.Output, error) {
	if f.closed.Load() {
		return vm.Output{}, vm.ErrClosed
	}
	if err := f.clean(); err != nil {
		return vm.Output{}, err
	}
	f.dirty = true
	e := f.parent.engine
	return e.eval(ctx, f.machine, f.parent.limits.GasMax, e.patience(f.parent.limits), in)
}

// clean undoes the last evaluation.
func (f *fork) clean() error {
	if !f.dirty {
		return nil
	}
	im := f.parent.image
	im.mu.RLock()
	defer im.mu.RUnlock()
	if im.closed {
		return vm.ErrClosed
	}
	m, err := f.parent.engine.revert(f.machine, im, f.pin.version, f.state, f.parent.limits)
	f.machine = m
	if err == nil {
		f.dirty = false
	}
	return err
}

// Refresh moves the copy to the newest committed state.
func (f *fork) Refresh(ctx context.Context) error {
	if f.closed.Load() {
		return vm.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.clean(); err != nil {
		return err
	}
	im := f.parent.image
	im.mu.RLock()
	defer im.mu.RUnlock()
	if im.closed {
		return vm.ErrClosed
	}
	from := f.pin.version
	if from == im.version {
		return nil
	}
	now := im.outside()
	if now.size > f.state.size {
		if err := f.machine.growTo(now.size); err != nil {
			return err
		}
	}
	im.move(&f.pin, im.version)
	im.load(f.machine, from, f.pin.version)
	f.state = now
	return f.machine.reset(now.host, now.globals)
}

// Close gives the copy up.
func (f *fork) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	f.parent.image.release(&f.pin)
	f.parent.engine.retire(f.machine)
	return nil
}
