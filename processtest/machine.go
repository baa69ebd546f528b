// Package processtest runs the tests that developers write for their processes, each on a network in memory with a clock
// that only the test moves.
package processtest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"ago/fault"
	"ago/vm"
	"ago/vm/lua"
)

//go:embed runtime.lua
var program []byte

// stepGas bounds the Lua between two calls of a test: some seconds.
const stepGas = 1_000_000_000

// machine is the Lua that a test file runs on. It has no network: what the test wants of one it asks by a call.
type machine struct {
	engine   vm.Engine
	instance vm.Instance
}

// call is a question of a test.
type call struct {
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args"`
}

// answer is what the host says to a call: a value, or an error that fails the test.
type answer struct {
	Value  any    `json:"value,omitempty"`
	Error  string `json:"error,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// step is what the machine gives back: the tests of a file, a call, a failure, or the end.
type step struct {
	Tests   []definition `json:"tests"`
	Call    *call        `json:"call"`
	Done    bool         `json:"done"`
	Failure *Failure     `json:"failure"`
	Printed string       `json:"printed"`
}

type definition struct {
	Name string `json:"name"`
	At   string `json:"at"`
}

func newMachine(ctx context.Context, e vm.Engine) (*machine, error) {
	i, err := e.New(ctx, vm.Module{ID: "test", Format: lua.Format, Bytes: program}, vm.Limits{GasMax: stepGas})
	if err != nil {
		return nil, err
	}
	return &machine{engine: e, instance: i}, nil
}

func (m *machine) close() { m.instance.Close() }

func (m *machine) do(ctx context.Context, command string, fields map[string]any) (step, error) {
	var s step
	fields["command"] = command
	in, err := json.Marshal(fields)
	if err != nil {
		return s, fault.Wrap(err, fault.Internal, "test-step-unwritable", "a step of the test")
	}
	out, err := m.instance.Eval(ctx, vm.Input{Message: in, Env: []byte("{}")})
	if err != nil {
		return s, err
	}
	if out.Failure != "" {
		return step{Failure: &Failure{Message: "the test was stopped: " + out.Failure}}, m.instance.Rollback()
	}
	var response struct {
		OK       bool            `json:"ok"`
		Response json.RawMessage `json:"response"`
	}
	if err := json.Unmarshal(out.Response, &response); err != nil {
		return s, fault.Wrap(err, fault.Internal, "test-step-unreadable", "the machine's answer")
	}
	if !response.OK {
		var text string
		if json.Unmarshal(response.Response, &text) != nil {
			text = string(response.Response)
		}
		return step{Failure: &Failure{Message: text}}, m.instance.Rollback()
	}
	if err := json.Unmarshal(response.Response, &s); err != nil {
		return s, fault.Wrap(fmt.Errorf("%w: %.200s", err, response.Response), fault.Internal, "test-step-unreadable", "the machine's answer")
	}
	return s, m.instance.Commit()
}
