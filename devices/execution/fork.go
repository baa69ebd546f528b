package execution

import (
	"context"

	"ago/device"
	"ago/message"
	"ago/process"
)

// Copy is a copy of a process, on which anything may be tried out.
type Copy struct {
	e       *executor
	state   message.Message
	session *device.Session
}

// Fork gives a copy of the committed state.
func (e *executor) Fork(ctx context.Context) (process.Fork, error) {
	f := &Copy{e: e}
	return f, f.Refresh(ctx)
}

// Refresh makes the copy anew.
func (f *Copy) Refresh(ctx context.Context) error {
	if err := f.Close(); err != nil {
		return err
	}
	f.e.mu.Lock()
	defer f.e.mu.Unlock()
	f.state, f.session = f.e.state, f.e.session.Fork(ctx)
	return nil
}

// Eval evaluates on the copy and undoes it.
func (f *Copy) Eval(ctx context.Context, w process.Work) (process.Result, error) {
	_, r, err := f.e.x.eval(ctx, f.e.def, f.state, f.session, w)
	if undo := f.session.Rollback(); err == nil {
		err = undo
	}
	return r, err
}

// Open gives the state of the copy, and a context in which its devices find what they hold.
func (f *Copy) Open(ctx context.Context) (context.Context, message.Message) {
	return device.WithSession(ctx, f.session), f.state
}

// Close gives the copy back.
func (f *Copy) Close() error {
	if f.session == nil {
		return nil
	}
	return f.session.Close()
}
