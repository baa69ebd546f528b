package compute

import (
	"context"
	"io"

	"ago/message"
	"ago/process"
	"ago/vm"
)

// Executions makes processes that are evaluated by an execution device, beside those that an engine evaluates.
type Executions interface {
	// Admit refuses a process that could not be evaluated.
	Admit(ctx context.Context, def process.Definition) error
	// New gives a process before its first slot.
	New(ctx context.Context, def process.Definition) (process.Executor, error)
	// Restore gives one in the state of the last of its snapshots: one full, then the incremental ones made after it.
	Restore(ctx context.Context, def process.Definition, snapshots ...io.Reader) (process.Executor, error)
}

// memorial is a process whose whole state is a linear memory.
type memorial interface {
	PinMemory() (write func(w io.Writer) (int64, error), err error)
	Memory(w io.Writer) (int64, error)
}

// program is a process that an engine evaluates.
type program struct {
	vm.Instance
	u *Computer
	l *lived
}

func (p *program) Eval(ctx context.Context, w process.Work) (process.Result, error) {
	in, done := p.u.input(p.l, w.JSON(p.l.def), w.Height())
	defer done()
	return resultOf(p.Instance.Eval(ctx, in))
}

func (p *program) Fork(ctx context.Context) (process.Fork, error) {
	f, err := p.Instance.Fork(ctx)
	if err != nil {
		return nil, err
	}
	return &programFork{f, p}, nil
}

func (p *program) State() message.Message { return message.Message{} }

type programFork struct {
	vm.Fork
	p *program
}

func (f *programFork) Eval(ctx context.Context, w process.Work) (process.Result, error) {
	in, done := f.p.u.input(f.p.l, w.JSON(f.p.l.def), w.Height())
	defer done()
	return resultOf(f.Fork.Eval(ctx, in))
}

// resultOf reads an output. The gas of a failure is no part of the result, but it was spent.
func resultOf(out vm.Output, err error) (process.Result, error) {
	if err != nil {
		return process.Result{Gas: out.Gas}, err
	}
	r := process.ResultOf(out)
	r.Gas = out.Gas
	return r, nil
}

// maker makes the executors of one process.
type maker struct {
	u *Computer
	l *lived
	m vm.Module
}

func (u *Computer) maker(ctx context.Context, l *lived) (maker, error) {
	k := maker{u: u, l: l}
	if l.def.ByDevice() {
		return k, nil
	}
	bytes, err := l.mod.Bytes(ctx)
	k.m = vm.Module{ID: l.mod.ID.String(), Format: l.mod.Format, Bytes: bytes}
	return k, err
}

func (k maker) program(inst vm.Instance, err error) (process.Executor, error) {
	if err != nil {
		return nil, err
	}
	return &program{inst, k.u, k.l}, nil
}

func (k maker) begin(ctx context.Context) (process.Executor, error) {
	if k.l.def.ByDevice() {
		return k.u.c.Executions.New(ctx, k.l.def)
	}
	inst, err := k.u.c.Engine.New(ctx, k.m, k.l.lim)
	if err != nil {
		return nil, cannotRun(k.l.mod, err)
	}
	return k.program(inst, nil)
}

func (k maker) restore(ctx context.Context, snapshots ...io.Reader) (process.Executor, error) {
	if k.l.def.ByDevice() {
		return k.u.c.Executions.Restore(ctx, k.l.def, snapshots...)
	}
	return k.program(k.u.c.Engine.Restore(ctx, k.m, k.l.lim, snapshots...))
}
