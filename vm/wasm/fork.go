//go:build linux && amd64 && cgo

package wasm

import (
	"context"
	"errors"
	"sync/atomic"

	"ago/vm"
)

// fork is an instance's committed state, copied, to try messages on. It has its own machine and only reads the image,
// so it never waits for an evaluation and no evaluation waits for it longer than a commit takes.
type fork struct {
	parent *instance
	copied
	dirty  bool
	closed atomic.Bool
}

// copied is a machine in a pinned version of an image.
type copied struct {
	image   *image // the parent's, or one of its own until that is up to date
	machine *machine
	pin     *pin
	state   at
}

// at is the part of a state that lies outside the pages.
type at struct {
	size    uint64
	host    hostState
	globals []uint64
}

var _ vm.Fork = (*fork)(nil)

// Fork copies the committed state. A dry run is no result, so one that the clock stops is not begun anew: it is
// ErrUnfinished.
func (i *instance) Fork(ctx context.Context) (vm.Fork, error) {
	if err := i.usable(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	i.forks.Add(1) // from now on commits are in time
	c, err := i.copy()
	if err != nil {
		i.forks.Add(-1)
		return nil, err
	}
	return &fork{parent: i, copied: c}, nil
}

// copy makes a machine in the newest committed state.
func (i *instance) copy() (copied, error) {
	i.catchUp()
	e, c := i.engine, copied{image: i.image, pin: new(pin)}
	var err error
	_, c.state, err = c.image.hold(c.pin)
	if errors.Is(err, errBehind) {
		// The instance is evaluating: its newest state has to be made again.
		if c.image, c.machine, err = i.private(); err != nil {
			return c, err
		}
		_, c.state, err = c.image.hold(c.pin)
		return c, err
	}
	if err != nil {
		return c, err
	}
	if c.machine, err = e.machine(i.program, i.limits); err == nil {
		c.image.mu.RLock()
		err = c.image.fill(e.scanner, c.machine, c.pin.version, c.state)
		c.image.mu.RUnlock()
	}
	if err != nil {
		i.giveBack(c)
	}
	return c, err
}

// giveBack frees what copy made.
func (i *instance) giveBack(c copied) {
	c.image.release(c.pin)
	if c.image != i.image {
		c.image.close()
	}
	i.engine.retire(c.machine)
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
	im := f.image
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
	if f.image != im {
		return f.join()
	}
	moved, err := f.follow(im)
	if moved {
		im.sweep()
	}
	return err
}

// follow brings the copy to the newest version of the image.
func (f *fork) follow(im *image) (moved bool, err error) {
	im.mu.RLock()
	defer im.mu.RUnlock()
	if im.closed {
		return false, vm.ErrClosed
	}
	from := f.pin.version
	if from == im.version {
		return false, nil
	}
	now := im.outside()
	if err := f.machine.growTo(now.size); err != nil {
		return false, err
	}
	im.move(f.pin, im.version)
	im.load(f.machine, from, f.pin.version)
	f.state = now
	return true, f.machine.reset(now.host, now.globals)
}

// join moves a copy with an image of its own to the parent's, once that is up to date. Until then the evaluation that
// ran when the copy was made still runs, so the copy is of the newest state.
func (f *fork) join() error {
	f.parent.catchUp()
	im := f.parent.image
	im.mu.RLock()
	behind := len(im.behind) > 0
	im.mu.RUnlock()
	if behind {
		return nil
	}
	c, err := f.parent.copy()
	if err != nil {
		return err
	}
	f.parent.giveBack(f.copied)
	f.copied = c
	return nil
}

// Close gives the copy up.
func (f *fork) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	f.parent.giveBack(f.copied)
	f.parent.forks.Add(-1)
	return nil
}
