//go:build linux && amd64 && cgo

package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ago/vm"
)

// Commits that come late.
//
// Bringing the image up to date costs a sixth of a usual message, mostly because it pushes the program's own data out
// of the processor's cache. Nobody looks at the image of a process that does well: it matters when an evaluation is
// refused, or somebody asks for a copy. So an instance whose last messages were all committed keeps the next few only
// as inputs, and the image is brought up to date with every lateMax'th, or when it is needed:
//
//   - Whoever wants the newest state calls catchUp. Between evaluations the live memory is that state.
//   - While an evaluation runs, the newest state is the image and the inputs behind it, evaluated again on a copy.
//   - A rollback goes back to the image and evaluates again what is behind.
//
// Evaluation is deterministic, or a network of units could not work; a test compares with an engine that is never late.
//
// Invariants: image.behind changes with image.mu held, and only by who holds work; work is held from Eval to the end
// of Commit or Rollback; behind is empty while there are forks, but for the evaluation that ran when the first came.

const (
	// lateMax is how many messages may be behind. A refused message costs up to as many evaluations.
	lateMax = 16

	// lateAfter is the number of messages that have to be committed in a row before commits come late. It doubles with
	// each refusal that made messages be evaluated again, up to lateAfterMax, so that no process pays much for this.
	lateAfter    = 32
	lateAfterMax = 4096

	// lateInputMax bounds the inputs that are kept, in bytes, and lateTime the evaluations: what takes long itself gains
	// nothing, and would have to be done again.
	lateInputMax = 64 << 10
	lateTime     = 20 * time.Millisecond
)

// mayBeLate tells whether the commit of the evaluation under way can come late.
func (i *instance) mayBeLate() bool {
	m := i.machine
	return i.steady >= max(i.wary, i.engine.lateAfter) && i.forks.Load() == 0 && len(i.image.behind) < i.engine.lateMax &&
		i.metered == nil && m.interpreted == nil && uint64(len(m.mem)) == i.image.size
}

// postpone keeps an input instead of committing what it led to.
func (im *image) postpone(in vm.Input) {
	im.mu.Lock()
	defer im.mu.Unlock()
	n := len(im.behind)
	if n < cap(im.behind) {
		im.behind = im.behind[:n+1] // with the buffers of an earlier input
	} else {
		im.behind = append(im.behind, vm.Input{})
	}
	b := &im.behind[n]
	b.Message, b.Env = append(b.Message[:0], in.Message...), append(b.Env[:0], in.Env...)
}

// catchUp brings the image up to date if no evaluation is under way.
func (i *instance) catchUp() {
	if !i.work.TryLock() {
		return
	}
	defer i.work.Unlock()
	if i.usable() != nil || len(i.image.behind) == 0 {
		return
	}
	if err := i.commit(); err != nil {
		i.spoil(err)
	}
}

// spoil marks an instance whose image is half of one state and half of another.
func (i *instance) spoil(err error) error {
	err = fmt.Errorf("a commit failed halfway, so this instance is of no more use: %w", err)
	i.broken.Store(&err)
	return err
}

// inputsBehind copies what is behind. The lock is held for reading.
func (im *image) inputsBehind() []vm.Input {
	var ins []vm.Input
	for _, in := range im.behind {
		ins = append(ins, vm.Input{Message: append([]byte(nil), in.Message...), Env: append([]byte(nil), in.Env...)})
	}
	return ins
}

var errOtherEnd = errors.New("evaluated again, a message ended otherwise than the first time")

// again evaluates messages that were committed before, on a machine in the state before the first of them.
func (e *engine) again(m *machine, ins []vm.Input) error {
	for _, in := range ins {
		out, err := e.eval(context.Background(), m, 0, 0, in)
		if err == nil && out.Failure != "" {
			err = fmt.Errorf("%w: %s", errOtherEnd, out.Failure)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// private makes an image of its own for the newest state of an instance that is evaluating, with a machine in it.
func (i *instance) private() (*image, *machine, error) {
	e := i.engine
	m, err := e.copyOf(i.program, i.image, i.limits)
	if err != nil {
		return nil, nil, err
	}
	im := newImage(&e.arena, i.program.base)
	m.tracked = 0 // the new image has nothing of what was there before tracking began
	if _, err := im.commit(e.scanner, m); err != nil {
		im.close()
		e.retire(m)
		return nil, nil, err
	}
	return im, m, nil
}
