package lua

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"ago/vm"
	"ago/vm/wasm"
)

// A Host is a function that a program may ask by machine.host(name, value). Value and answer are JSON, in the machine for
// messages lists of values; an error becomes one in the program, where pcall catches it.
type Host func(ctx context.Context, value []byte) ([]byte, error)

// Machine is a Lua state for programs that are no processes. Its methods are called by one goroutine at a time.
//
//	m, err := lua.NewMachine(ctx, engine, []byte(`function double(x) return {2 * x.n} end`), vm.Limits{}, nil)
//	r, err := m.Call(ctx, "double", []byte(`{"n":21}`))
//	// r.Value is [42]
type Machine struct {
	instance vm.Instance
	hosts    map[string]Host
}

// Result is what a call gave.
type Result struct {
	Value []byte // JSON; of EvalRaw a list of values
	Gas   uint64
}

// Error is an error of a program: what it says, with file and line, and how it came there.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// ErrEnded is wrapped by the error of a call that ended without a value and would end so everywhere: the gas was used up.
var ErrEnded = errors.New("the program was ended")

type hostsKey struct{}

// askHost finds the host functions of the machine that is running.
func askHost(ctx context.Context, name string, value []byte) ([]byte, error) {
	hosts, _ := ctx.Value(hostsKey{}).(map[string]Host)
	h := hosts[name]
	if h == nil {
		return nil, fmt.Errorf("this host offers no function %s", name)
	}
	return h(ctx, value)
}

// NewMachine gives a machine in which the source has run. The engine is one that runs modules of Format; machines of
// one source share its state until they change it.
func NewMachine(ctx context.Context, e vm.Engine, source []byte, l vm.Limits, hosts map[string]Host) (*Machine, error) {
	i, err := e.New(ctx, vm.Module{Format: Format, Bytes: source}, l)
	if err != nil {
		return nil, err
	}
	return &Machine{instance: i, hosts: hosts}, nil
}

// MachineOf gives a machine whose state an instance holds, one restored from snapshots, say.
func MachineOf(i vm.Instance, hosts map[string]Host) *Machine {
	return &Machine{instance: i, hosts: hosts}
}

// Load runs a text. Errors call it by the name; a name that begins with "=" is shown as it is, one that begins with
// "@" is that of a file.
func (m *Machine) Load(ctx context.Context, source []byte, name string) (Result, error) {
	return m.eval(ctx, vm.Input{Message: source, Env: wasm.LoadEnv(name)})
}

// Call calls a global function with one value, JSON, and gives its first result. After an error the state is what it
// was before the call.
func (m *Machine) Call(ctx context.Context, function string, value []byte) (Result, error) {
	return m.eval(ctx, vm.Input{Message: value, Env: wasm.CallEnv(function)})
}

// Uncaught is an error that nothing in the program caught. Values are what was thrown and the way that led there, in the form
// of the machine for messages; empty if there was no memory left to write them.
type Uncaught struct{ Values []byte }

func (e *Uncaught) Error() string { return "an error in Lua" }

// Evaluator is an instance, or a fork of one.
type Evaluator interface {
	Eval(ctx context.Context, in vm.Input) (vm.Output, error)
}

// EvalRaw calls a global function of an instance of MessagesFormat with a list of values, in the form of build/message.c; the
// answer is the list of its results. The call is not the state until the instance's Commit; Rollback undoes it. An error of the
// program is an *Uncaught, and a call that used up its gas wraps ErrEnded.
func EvalRaw(ctx context.Context, on Evaluator, hosts map[string]Host, function string, values []byte) (Result, error) {
	if hosts != nil {
		ctx = context.WithValue(ctx, hostsKey{}, hosts)
	}
	out, err := on.Eval(ctx, vm.Input{Message: values, Env: wasm.RawEnv(function)})
	r := Result{Gas: out.Gas}
	switch {
	case err != nil:
		return r, err
	case out.Failure != "":
		return r, fmt.Errorf("%w: %s", ErrEnded, out.Failure)
	case len(out.Response) == 0:
		return r, errors.New("the machine answered nothing")
	case out.Response[0] != 0:
		return r, &Uncaught{out.Response[1:]}
	}
	r.Value = out.Response[1:]
	return r, nil
}

// LoadRaw runs a text on an instance of MessagesFormat, as Machine.Load does; what it did is not the state until Commit.
func LoadRaw(ctx context.Context, on Evaluator, source []byte, name string) error {
	out, err := on.Eval(ctx, vm.Input{Message: source, Env: wasm.LoadEnv(name)})
	if err == nil {
		_, err = value(out)
	}
	return err
}

func (m *Machine) eval(ctx context.Context, in vm.Input) (Result, error) {
	if m.hosts != nil {
		ctx = context.WithValue(ctx, hostsKey{}, m.hosts)
	}
	out, err := m.instance.Eval(ctx, in)
	r := Result{Gas: out.Gas}
	if err == nil {
		r.Value, err = value(out)
	}
	if err != nil {
		return r, errors.Join(err, m.instance.Rollback())
	}
	return r, m.instance.Commit()
}

// value is the value in a response.
func value(out vm.Output) ([]byte, error) {
	if out.Failure != "" {
		return nil, fmt.Errorf("%w: %s", ErrEnded, out.Failure)
	}
	if v, ok := bytes.CutPrefix(out.Response, []byte(`{"ok":true,"response":`)); ok {
		return bytes.TrimSuffix(v, []byte("}")), nil
	}
	var r struct{ Response string }
	if err := json.Unmarshal(out.Response, &r); err != nil {
		return nil, err
	}
	return nil, &Error{r.Response}
}

// Instance is what holds the state: to snapshot it, to fork it.
func (m *Machine) Instance() vm.Instance { return m.instance }

// Close gives the machine up.
func (m *Machine) Close() error { return m.instance.Close() }
