//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ago/vm"

	"golang.org/x/sys/unix"
)

// The code of the benchmarks: a counter, as most messages of most processes, and a token's transfer.
const (
	tickCode  = "Count = (Count or 0) + 1 return Count"
	tokenCode = `Balances = Balances or { ["` + testOwner + `"] = 1000000000000 }
Handlers.add("transfer", Handlers.utils.hasMatchingTag("Action", "Transfer"), function(msg)
  local q = tonumber(msg.Data)
  assert(Balances[msg.From] and Balances[msg.From] >= q, "insufficient")
  Balances[msg.From] = Balances[msg.From] - q
  local to = "to" .. (q % 97)
  Balances[to] = (Balances[to] or 0) + q
  ao.send({ Target = to, Action = "Credit-Notice", Quantity = tostring(q) })
  ao.send({ Target = msg.From, Action = "Debit-Notice", Quantity = tostring(q) })
end)
return "ok"`
)

func benchModules(b *testing.B, f func(b *testing.B, m vm.Module)) {
	for _, c := range []struct{ name, file, format string }{
		{"64", "aos2_0_6", format64}, {"64metered", "aos2_0_6", format64meter},
		{"32", "aos2_0_4_32", format32}, {"32metered", "aos2_0_4_32", format32meter},
	} {
		b.Run(c.name, func(b *testing.B) { f(b, vm.Module{ID: c.name, Format: c.format, Bytes: moduleFile(b, c.file)}) })
	}
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perOp reports the CPU time of one operation: elapsed time says little on a shared machine.
func perOp(b *testing.B, began time.Duration) {
	b.ReportMetric(float64((cpuTime()-began).Microseconds())/float64(b.N), "cpu-us/op")
}

func benchMessages(b *testing.B, m vm.Module, prepare string, next func(p *talk, k int) vm.Input) {
	i, p := start(b, testEngine(b, Config{}), m, vm.Limits{})
	if prepare != "" {
		if got := do(b, i, p.eval(prepare)); got != "ok" {
			b.Fatal(got)
		}
	}
	for k := range 50 {
		do(b, i, next(p, k))
	}
	inputs := make([]vm.Input, b.N)
	for k := range inputs {
		inputs[k] = next(p, k)
	}
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	began := cpuTime()
	for _, in := range inputs {
		out, err := i.Eval(ctx, in)
		if err != nil || out.Failure != "" {
			b.Fatal(err, out.Failure)
		}
		if err := i.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	perOp(b, began)
}

func BenchmarkTick(b *testing.B) {
	benchModules(b, func(b *testing.B, m vm.Module) {
		benchMessages(b, m, "", func(p *talk, k int) vm.Input { return p.eval(tickCode) })
	})
}

func BenchmarkTransfer(b *testing.B) {
	benchModules(b, func(b *testing.B, m vm.Module) {
		benchMessages(b, m, tokenCode, func(p *talk, k int) vm.Input { return p.send("Transfer", strconv.Itoa(k%1000+1)) })
	})
}

// BenchmarkTickWithState is a tick of a process with much state: it must cost what it costs without.
func BenchmarkTickWithState(b *testing.B) {
	for _, mb := range []int{0, 16, 64, 256} {
		b.Run(fmt.Sprintf("%dMB", mb), func(b *testing.B) {
			m := vm.Module{ID: "aos", Format: format64, Bytes: moduleFile(b, "aos2_0_6")}
			benchMessages(b, m, fmt.Sprintf(`Big = {} for k = 1, %d do Big[k] = string.rep(tostring(k), 131072 // #tostring(k)) end return "ok"`, mb*8),
				func(p *talk, k int) vm.Input { return p.eval(tickCode) })
		})
	}
}

// BenchmarkCommit is only the commit after a tick.
func BenchmarkCommit(b *testing.B) {
	i, p := aos(b, testEngine(b, Config{}), vm.Limits{})
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		mustEval(b, i, p.eval(tickCode))
		b.StartTimer()
		if err := i.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRollback(b *testing.B) {
	i, p := aos(b, testEngine(b, Config{}), vm.Limits{})
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		mustEval(b, i, p.eval(tickCode))
		b.StartTimer()
		undo(b, i)
	}
}

// BenchmarkDryRun is a message on a copy of the state, refreshed each time, with two at once as on two cores.
func BenchmarkDryRun(b *testing.B) {
	i, p := aos(b, testEngine(b, Config{}), vm.Limits{})
	do(b, i, p.eval(tickCode))
	b.SetParallelism(1)
	b.ResetTimer()
	began := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		f, err := i.Fork(context.Background())
		if err != nil {
			b.Error(err)
			return
		}
		defer f.Close()
		q := newTalk(0)
		q.nonce = 1000
		for pb.Next() {
			if err := f.Refresh(context.Background()); err != nil {
				b.Error(err)
			}
			if _, err := f.Eval(context.Background(), q.eval(tickCode)); err != nil {
				b.Error(err)
			}
		}
	})
	perOp(b, began)
}

func BenchmarkFork(b *testing.B) {
	i, p := aos(b, testEngine(b, Config{}), vm.Limits{})
	do(b, i, p.eval(tickCode))
	b.ResetTimer()
	began := cpuTime()
	defer func() { perOp(b, began) }()
	for range b.N {
		f, err := i.Fork(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

func BenchmarkSnapshot(b *testing.B) {
	for _, full := range []bool{true, false} {
		b.Run(map[bool]string{true: "full", false: "incremental"}[full], func(b *testing.B) {
			i, p := aos(b, testEngine(b, Config{}), vm.Limits{})
			if err := i.Snapshot(io.Discard, true); err != nil {
				b.Fatal(err)
			}
			var w bytes.Buffer
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				do(b, i, p.eval(tickCode))
				w.Reset()
				b.StartTimer()
				if err := i.Snapshot(&w, full); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.Len()), "bytes")
		})
	}
}

// BenchmarkCheckpoint is what a checkpoint adds to the messages around it, with a state of which each message writes all or a
// little: the longest time to pin it, and the longest commit with a checkpoint after each message and without any.
func BenchmarkCheckpoint(b *testing.B) {
	const strings = `Big = Big or {} Round = (Round or 0) + 1 for k = 1, 320 do Big[k] = string.rep(string.char(64 + (k + Round) % 60), 131072) end return "ok"`
	const tables = `if not Big then Big = {} for k = 1, 300000 do Big[k] = { k } end end for k, v in ipairs(Big) do v[1] = v[1] + 1 end return "ok"`
	for _, c := range []struct{ name, prepare, message string }{
		{"strings-written", strings, strings}, {"strings-kept", strings, tickCode}, {"tables-written", tables, tables}, {"tables-kept", tables, tickCode},
		{"small", tickCode, tickCode},
	} {
		b.Run(c.name, func(b *testing.B) {
			i, p := aos(b, testEngine(b, Config{}), vm.Limits{})
			for range 3 {
				do(b, i, p.eval(c.prepare))
			}
			var pin, commit, plain time.Duration
			step := func(worst *time.Duration) {
				mustEval(b, i, p.eval(c.message))
				began := threadTime()
				if err := i.Commit(); err != nil {
					b.Fatal(err)
				}
				*worst = max(*worst, threadTime()-began)
			}
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range 40 {
				step(&plain)
			}
			b.ResetTimer()
			for range b.N {
				began := threadTime()
				write, err := i.Pin(false)
				pin = max(pin, threadTime()-began)
				if err != nil {
					b.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- write(io.Discard) }()
				for going := true; going; {
					step(&commit)
					select {
					case err := <-done:
						if err != nil {
							b.Fatal(err)
						}
						going = false
					default:
					}
				}
				step(&commit)
			}
			b.ReportMetric(float64(pin.Microseconds()), "pin-max-us")
			b.ReportMetric(float64(commit.Microseconds()), "commit-max-us")
			b.ReportMetric(float64(plain.Microseconds()), "plain-commit-max-us")
		})
	}
}

// threadTime is the processor time of the calling thread: what it waits for others is not in it.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

func BenchmarkRestore(b *testing.B) {
	e := testEngine(b, Config{})
	i, p := aos(b, e, vm.Limits{})
	do(b, i, p.eval(tickCode))
	var w bytes.Buffer
	if err := i.Snapshot(&w, true); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	began := cpuTime()
	defer func() { perOp(b, began) }()
	for range b.N {
		j, err := e.Restore(context.Background(), i.module, vm.Limits{}, bytes.NewReader(w.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		j.Close()
	}
}

func BenchmarkPrepare(b *testing.B) {
	m := vm.Module{ID: "aos", Format: format64, Bytes: moduleFile(b, "aos2_0_6")}
	for _, cached := range []bool{false, true} {
		b.Run(map[bool]string{false: "cold", true: "cached"}[cached], func(b *testing.B) {
			dir := b.TempDir()
			for k := range b.N {
				c := Config{CacheDir: dir}
				if !cached {
					c.CacheDir = fmt.Sprintf("%s/%d", dir, k)
				}
				e := testEngine(b, c)
				if err := e.Prepare(context.Background(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// residentMemory is the RSS of this process in bytes.
func residentMemory(tb testing.TB) int {
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Fatal(err)
	}
	n, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		tb.Fatal(err)
	}
	return n * os.Getpagesize()
}

// TestLiveProcessesAreSmall holds many processes with their committed images; with AGO_LONG=1, 200.
func TestLiveProcessesAreSmall(t *testing.T) {
	const each = 4 << 20
	count := 40
	if os.Getenv("AGO_LONG") != "" {
		count = 200
	}
	e := testEngine(t, Config{})
	module := vm.Module{ID: "aos", Format: format64, Bytes: moduleFile(t, "aos2_0_6")}
	if err := e.Prepare(t.Context(), module); err != nil {
		t.Fatal(err)
	}
	before := residentMemory(t)
	told := int64(0)
	for n := range count {
		i, err := e.New(t.Context(), module, vm.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		p := newTalk(n)
		do(t, i, p.boot())
		for range 3 {
			do(t, i, p.eval(tickCode))
		}
		told += i.Resident()
	}
	got := (residentMemory(t) - before) / count
	t.Logf("%d KiB each, by the instances' own account %d KiB, %d pages of images", got>>10, told/int64(count)>>10, e.arena.used)
	if got > each {
		t.Errorf("a live process takes %d KiB, at most %d are wanted", got>>10, each>>10)
	}
}
