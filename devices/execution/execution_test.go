package execution

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"testing"

	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/process"

	"pgregory.net/rapid"
)

// adder adds what its message says to the state under a key that it says.
var adder = device.Device{
	Name: "adder-test@1.0",
	Doc:  "Notes values.",
	Keys: device.Keys{"compute": {Doc: "notes a value", Do: func(_ *device.Call, base, req message.Message) (message.Value, error) {
		v, _ := req.Get("body")
		m, _ := v.(message.Message)
		switch m.Text("do") {
		case "fail":
			return base.With("trace", message.Bytes("of the failure")), fault.New(fault.Malformed, "told-to", "told to fail")
		case "away":
			return nil, fault.New(fault.Unavailable, "away", "not now")
		case "text":
			return message.Bytes("no state"), nil
		}
		return base.With(m.Text("key"), message.Bytes(m.Text("value"))).With("results", message.New(message.Field{Key: "output", Value: message.Bytes(m.Text("value"))})), nil
	}}},
}

func executions() *Executions {
	base := device.Device{Name: device.Default, Doc: "Reads keys.", Excludes: []string{}, DefaultKey: device.Key{Doc: "the value"},
		Default: func(c *device.Call, base, _ message.Message) (message.Value, error) {
			if v, ok := base.Get(c.Key); ok {
				return v, nil
			}
			return nil, device.Absent(c.Key)
		}}
	return New(&device.Node{Registry: device.NewRegistry(adder, base)})
}

var definition = process.Definition{ExecutionDevice: "adder-test@1.0"}

func work(slot int, fs ...message.Field) process.Work {
	dry := process.DryMessage{}
	for _, f := range fs {
		dry.Tags = append(dry.Tags, process.Tag{Name: f.Key, Value: string(f.Value.(message.Bytes))})
	}
	return process.Work{Trial: &process.Trial{DryMessage: dry, Timestamp: int64(slot)}}
}

func text(key, value string) message.Field {
	return message.Field{Key: key, Value: message.Bytes(value)}
}

func TestHowSlotsEnd(t *testing.T) {
	e, err := executions().New(t.Context(), definition)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r, err := e.Eval(t.Context(), work(0, text("key", "a"), text("value", "1")))
	if err != nil || r.KeepState || string(r.Output) != `"1"` {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := e.Commit(); err != nil || e.State().Text("a") != "1" {
		t.Fatalf("%v, %v", e.State(), err)
	}
	for do, code := range map[string]string{"fail": "told-to", "text": "state-malformed"} {
		r, err := e.Eval(t.Context(), work(1, text("do", do)))
		if err != nil || !r.KeepState || !r.HasError() || r.Core.Text("code") != code || r.Core.Text("phase") != "compute" {
			t.Errorf("%s: %+v, %v", do, r, err)
		}
		if err := e.Rollback(); err != nil || e.State().Text("a") != "1" || e.State().Text("trace") != "" {
			t.Errorf("%s leaves %v, %v", do, e.State(), err)
		}
	}
	before := e.State()
	if r, err := e.Eval(t.Context(), work(2, text("do", "away"))); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("what is away for now is a result: %+v, %v", r, err)
	}
	if err := e.Rollback(); err != nil || !message.Equal(before, e.State()) {
		t.Errorf("%v, %v", e.State(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Eval(ctx, work(2, text("key", "a"), text("value", "2"))); err == nil {
		t.Error("an evaluation that was given up is a result")
	}
}

// TestSnapshotsLeadBack: whatever was evaluated, committed or undone, the snapshots give the same state again.
func TestSnapshotsLeadBack(t *testing.T) {
	x := executions()
	rapid.Check(t, func(t *rapid.T) {
		e, err := x.New(context.Background(), definition)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		var chain [][]byte
		for range rapid.IntRange(1, 12).Draw(t, "snapshots") {
			for range rapid.IntRange(0, 4).Draw(t, "slots") {
				do := rapid.SampledFrom([]string{"", "", "", "fail"}).Draw(t, "do")
				r, err := e.Eval(context.Background(), work(0, text("do", do), text("key", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")), text("value", rapid.String().Draw(t, "value"))))
				if err == nil && r.KeepState {
					err = e.Rollback()
				} else if err == nil {
					err = e.Commit()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			var b bytes.Buffer
			full := rapid.IntRange(0, 4).Draw(t, "full") == 0 || chain == nil
			if err := snapshot(e, &b, full); err != nil {
				t.Fatal(err)
			}
			if full {
				chain = nil
			}
			chain = append(chain, b.Bytes())
		}
		readers := make([]io.Reader, len(chain))
		for i, b := range chain {
			readers[i] = bytes.NewReader(b)
		}
		back, err := x.Restore(context.Background(), definition, readers...)
		if err != nil {
			t.Fatal(err)
		}
		defer back.Close()
		if !message.Equal(back.State(), e.State()) {
			t.Fatalf("%v, want %v", back.State(), e.State())
		}
	})
}

func FuzzRestore(f *testing.F) {
	x := executions()
	e, err := x.New(context.Background(), definition)
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := snapshot(e, &b, true); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		back, err := x.Restore(context.Background(), definition, bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := snapshot(back, &again, true); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkSlot evaluates messages that change one key of a state with that many: the cost is to follow the change.
func BenchmarkSlot(b *testing.B) {
	for _, keys := range []int{10, 100_000} {
		b.Run(strconv.Itoa(keys), func(b *testing.B) {
			e, err := executions().New(b.Context(), definition)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			all := make([]message.Field, keys)
			for i := range all {
				all[i] = text("key-"+strconv.Itoa(i), "value")
			}
			e.(*executor).state = message.New(all...).With(keyInitialized, message.Bytes("true")).With(keyDevice, message.Bytes(process.DeviceProcess))
			for i := 0; b.Loop(); i++ {
				if _, err := e.Eval(b.Context(), work(i, text("key", "key-5"), text("value", strconv.Itoa(i)))); err != nil {
					b.Fatal(err)
				}
				if err := e.Commit(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// snapshot pins and writes.
func snapshot(s interface {
	Pin(full bool) (func(io.Writer) error, error)
}, w io.Writer, full bool) error {
	write, err := s.Pin(full)
	if err != nil {
		return err
	}
	return write(w)
}
