// Command handlers measures how many small handler evaluations a second one process of the built-in module gets through at the
// compute unit: each message read from a schedule, evaluated, its state committed, its result stored.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"os"
	"runtime"
	"syscall"
	"time"

	"ago/builtin"
	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store/file"
	"ago/store/pebble"
	"ago/vm/lua"
	"ago/vm/wasm"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "handlers:", err)
		os.Exit(1)
	}
}

// log is a schedule in memory: the Process item, a handler, and messages for it.
type log struct {
	def process.Definition
	n   int
}

func (l *log) at(s slotlog.Slot) process.Assigned {
	a := process.Assigned{Entry: slotlog.Entry{Process: l.def.ID, Slot: s, Message: message.HashOf(fmt.Append(nil, s)),
		Timestamp: 1_700_000_000_000 + int64(s), BlockHeight: 1_500_000}}
	tags := []process.Tag{{Name: "Data-Protocol", Value: "ao"}, {Name: "Type", Value: "Message"}, {Name: "Variant", Value: "ao.TN.1"}}
	anchor := fmt.Sprintf("%032d", s)
	a.Content = process.Content{ID: a.Message, Owner: l.def.Owner, Target: l.def.ID.String(), Anchor: &anchor}
	switch s {
	case 0:
		a.Message = l.def.ID
		a.Content = process.ContentOf(l.def.Item)
		return a
	case 1:
		a.Content.Tags = append(tags, process.Tag{Name: "Action", Value: "Eval"})
		a.Content.Data = []byte(`Handlers.add("Count", "Count", function(m) N = (N or 0) + 1; print(N) end)`)
	default:
		a.Content.Tags = append(tags, process.Tag{Name: "Action", Value: "Count"})
	}
	return a
}

func (l *log) Process(context.Context, message.ID) (process.Definition, error) { return l.def, nil }

func (l *log) Range(_ context.Context, _ message.ID, from, to slotlog.Slot) iter.Seq2[process.Assigned, error] {
	return func(yield func(process.Assigned, error) bool) {
		for s := from; s < min(to, slotlog.Slot(l.n)); s++ {
			if !yield(l.at(s), nil) {
				return
			}
		}
	}
}

func (l *log) Find(context.Context, message.ID, message.ID) (slotlog.Slot, error) {
	return 0, fault.New(fault.NotFound, "message-unknown", "slots are asked for by number here")
}

func (l *log) Next(context.Context, message.ID) (slotlog.Slot, error) { return slotlog.Slot(l.n), nil }

// Module gives the built-in module.
func (l *log) Module(context.Context, message.ID) (process.Module, error) {
	it := builtin.Item()
	return process.Module{ID: it.ID(), Owner: it.ProcessAddress(), Tags: it.Tags, Format: builtin.Format,
		MemoryLimit: 1 << 30, ComputeLimit: 9_000_000_000_000, Bytes: func(context.Context) ([]byte, error) { return it.Data, nil }}, nil
}

func run() error {
	n := flag.Int("n", 20_000, "messages")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	dir, err := os.MkdirTemp("", "ago-handlers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, make([]byte, 32))
	if err != nil {
		return err
	}
	it, err := ans104.Sign(ans104.Draft{Tags: []process.Tag{{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Process"},
		{Name: "Module", Value: builtin.ID().String()}, {Name: "Scheduler", Value: key.Address().String()}}}, key)
	if err != nil {
		return err
	}
	l := &log{n: *n + 2}
	if l.def, err = process.Define(it.Message()); err != nil {
		return err
	}
	tables, err := pebble.Open(pebble.Options{Dir: dir + "/tables"})
	if err != nil {
		return err
	}
	defer tables.Close()
	blobs, err := file.Open(dir + "/blobs")
	if err != nil {
		return err
	}
	engine, err := wasm.New(wasm.Config{CacheDir: dir + "/compiled", Interpreters: []wasm.Interpreter{lua.Interpreter()}})
	if err != nil {
		return err
	}
	defer engine.Close()
	u, err := compute.Open(compute.Config{Store: tables, Blobs: blobs, Engine: engine, Schedule: l, Modules: l, Clock: clock.System{}})
	if err != nil {
		return err
	}
	defer u.Close()
	ctx := context.Background()
	if _, err := u.At(ctx, l.def.ID, 1); err != nil {
		return err
	}
	start, used := time.Now(), cpu()
	last, err := u.At(ctx, l.def.ID, slotlog.Slot(l.n-1))
	if err != nil {
		return err
	}
	secs, used := time.Since(start).Seconds(), cpu()-used
	r, err := last.Result()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"n": *n, "per_s": float64(*n) / secs, "cpu_us_each": used / float64(*n) * 1e6, "last": r.Output})
}

// cpu is the processor time this process has used, in seconds.
func cpu() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}
