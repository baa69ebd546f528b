package luabridge

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"

	"ago/device"
	"ago/devices/running"
	"ago/fault"
	"ago/message"
	"ago/vm"
	"ago/vm/lua"
)

// SourceOf is the program with this text. A text that cannot be run is a *Thrown: see Started.
func SourceOf(e vm.Engine, l vm.Limits, text func() ([]byte, error)) running.Source {
	return running.Source{Engine: e, Limits: func() vm.Limits { return l }, Keep: true, Module: func() (vm.Module, error) {
		b, err := text()
		return vm.Module{ID: "lua", Format: lua.MessagesFormat, Bytes: b}, err
	}}
}

// GasOnce is what a call outside of a process may use.
const GasOnce = 200_000_000

// Once gives a program for a few calls, that shares nothing: so the texts of strangers take no memory when they have been called.
func Once(ctx context.Context, e vm.Engine, l vm.Limits, text []byte) (*running.Program, error) {
	p, err := running.Open(ctx, SourceOf(e, l, func() ([]byte, error) { return []byte("-- the text comes by itself"), nil }))
	if err != nil {
		return nil, err
	}
	if err := lua.LoadRaw(ctx, p, text, "=lua"); err != nil {
		var failed *lua.Error
		if errors.As(err, &failed) {
			what, trace, _ := strings.Cut(failed.Text, "\n")
			err = &Thrown{Value: message.Bytes(what), Trace: Frames(trace)}
		}
		return nil, errors.Join(ended(err), p.Close())
	}
	return p, nil
}

// ended says that a program used up its gas, for an error that does.
func ended(err error) error {
	if !errors.Is(err, lua.ErrEnded) {
		return err
	}
	return fault.New(fault.TooLarge, "lua-ended", "%v", err).
		WithHint("a call may use up to %d gas, about as many instructions, and one of a process up to %d", GasOnce, lua.GasMax)
}

// Started tells a text that fails, which is a *Thrown, from an engine that does.
func Started(err error) error {
	if err == nil || !errors.Is(err, vm.ErrModule) {
		return err
	}
	what, trace, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	what = bytes.TrimPrefix(what, []byte(vm.ErrModule.Error()+": "))
	return &Thrown{Value: message.Bytes(what), Trace: Frames(string(trace))}
}

// Thrown is an error that a program did not catch: what it threw, and the frames that led there.
type Thrown struct {
	Value message.Value
	Trace []string
}

func (e *Thrown) Error() string { return ThrownText(e.Value) }

// lists are buffers for arguments: what a process is called with has about the size of what it was called with before.
var lists = sync.Pool{New: func() any {
	b := make([]byte, 0, 8<<10)
	return &b
}}

const listMax = 1 << 20 // bytes of one that is used again

// Call calls a global function. Results that equal the arguments at their place are those: the first is compared with the first.
func Call(ctx context.Context, on running.Evaluator, hosts map[string]lua.Host, function string, args []message.Value) ([]message.Value, error) {
	b := lists.Get().(*[]byte)
	values, err := AppendList((*b)[:0], args)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cap(values) <= listMax {
			*b = values
			lists.Put(b)
		}
	}()
	r, err := lua.EvalRaw(ctx, on, hosts, function, values)
	var thrown *lua.Uncaught
	if errors.As(err, &thrown) {
		return nil, thrownOf(thrown.Values)
	}
	if err != nil {
		return nil, ended(err)
	}
	return ReadList(r.Value, args)
}

func thrownOf(b []byte) error {
	values, err := ReadList(b, nil)
	if err != nil || len(values) == 0 {
		return &Thrown{Value: message.Bytes("not enough memory")}
	}
	t := &Thrown{Value: values[0]}
	if t.Value == nil {
		t.Value = message.Bytes("nil")
	}
	if len(values) > 1 {
		text, _ := device.Text(values[1])
		t.Trace = Frames(text)
	}
	return t
}
