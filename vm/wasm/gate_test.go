//go:build linux && amd64 && cgo

package wasm

import (
	"context"
	"errors"
	"testing"
	"time"

	"ago/vm"
)

// Code that runs on without end is stopped wherever it does so, also where it reads and writes nothing, and the instance goes on.
func TestWhateverRunsOnIsStopped(t *testing.T) {
	e := testEngine(t, Config{})
	fork := func(body string) vm.Fork {
		i, err := e.New(context.Background(), small(t, `(func $many (param i32) (result i32)
			(if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
			 (else (i32.add (call $many (i32.sub (local.get 0) (i32.const 1))) (call $many (i32.sub (local.get 0) (i32.const 1)))))))`,
			`(if (i64.eq (i64.load8_u (local.get $msg)) (i64.const 49)) (then `+body+`)) (i64.const 1024)`, ""), vm.Limits{TimeMax: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { i.Close() })
		f, err := i.Fork(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	over, end := context.WithCancel(context.Background())
	end()
	for name, body := range map[string]string{
		"an empty loop":                   `(loop $l (br $l))`,
		"a loop within an empty loop":     `(loop $o (loop $i (br_if $i (i64.ne (local.get $env) (i64.const 7)))) (br $o))`,
		"a loop behind another":           `(loop $a (br_if $a (i64.eq (local.get $env) (i64.const 7)))) (loop $b (br $b))`,
		"a loop that counts":              `(loop $l (local.set $env (i64.add (local.get $env) (i64.const 1))) (br $l))`,
		"calls without a loop":            `(drop (call $many (i32.const 100)))`,
		"a loop that writes where it can": `(loop $l (i64.store (i64.const 2048) (local.get $env)) (br $l))`,
	} {
		f := fork(body)
		for range 2 {
			if _, err := f.Eval(context.Background(), vm.Input{Message: []byte("1"), Env: []byte("{}")}); !errors.Is(err, vm.ErrUnfinished) {
				t.Errorf("%s: %v", name, err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			if _, err := f.Eval(ctx, vm.Input{Message: []byte("1"), Env: []byte("{}")}); !errors.Is(err, vm.ErrUnfinished) {
				t.Errorf("%s, cancelled: %v", name, err)
			}
			cancel()
			if _, err := f.Eval(over, vm.Input{Message: []byte("1"), Env: []byte("{}")}); !errors.Is(err, vm.ErrUnfinished) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s, cancelled before it began: %v", name, err)
			}
			if out, err := f.Eval(context.Background(), vm.Input{Message: []byte("2"), Env: []byte("{}")}); err != nil || string(out.Response) != "hello" {
				t.Errorf("after %s: %+v, %v", name, out, err)
			}
		}
	}
}

// A start function is run as part of making an instance, and can be stopped as well.
func TestStartFunctions(t *testing.T) {
	e := testEngine(t, Config{TimeMax: 30 * time.Millisecond})
	in := vm.Input{Message: []byte("{}"), Env: []byte("{}")}
	i, err := e.New(context.Background(), small(t, `(func $begin (i64.store (i64.const 1024) (i64.const 0x6f79)))(start $begin)`, `(i64.const 1024)`, ""), vm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if out := mustEval(t, i, in); string(out.Response) != "yo" {
		t.Errorf("the start function was not run: %+v", out)
	}
	for name, start := range map[string]string{
		"endless": `(func $begin (loop $l (br $l)))(start $begin)`,
		"fails":   `(func $begin unreachable)(start $begin)`,
	} {
		if _, err := e.New(context.Background(), small(t, start, `(i64.const 1024)`, ""), vm.Limits{}); !errors.Is(err, vm.ErrModule) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
