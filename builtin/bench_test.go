package builtin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"ago/vm"
)

const benchHandler = `Count = 0
Handlers.add("inc", "Inc", function(msg) Count = Count + 1 end)
Handlers.add("ping", "Ping", function(msg) msg.reply({ Action = "Pong", Data = tostring(Count) }) end)
return "ok"`

// message is one of a process's ordinary day, n its slot.
func message(n int, action, data string, more ...string) []byte {
	tags := tagList(append([]string{"Action", action, "Data-Protocol", "ao", "Type", "Message", "Variant", "ao.TN.1"}, more...)...)
	b, _ := json.Marshal(object{
		"Id": fmt.Sprintf("%043d", n), "Signature": "s", "Data": data, "Owner": ownerID, "Target": processID, "Anchor": "",
		"From": ownerID, "Tags": tags, "Epoch": 0, "Nonce": n, "Timestamp": 1700000000000 + n, "Block-Height": 1000 + n/100,
		"Hash-Chain": fmt.Sprintf("%043d", n), "Cron": false, "Read-Only": false,
	})
	return b
}

func prepared(b testing.TB, i vm.Instance, code string) []byte {
	env := environment(processTags())
	boot, _ := json.Marshal(object{
		"Id": processID, "Owner": ownerID, "From": ownerID, "Target": processID, "Data": "", "Tags": processTags(), "Epoch": 0,
		"Nonce": 0, "Timestamp": 1700000000000, "Block-Height": 1000, "Cron": false,
	})
	for n, m := range [][]byte{boot, message(1, "Eval", code)} {
		if a := evaluate(b, i, m, env); a.failed() || n == 1 && a.Data != "ok" {
			b.Fatal(a)
		}
	}
	return env
}

// cpuTime is what this program has used so far: elapsed time says little on a shared machine.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchMessages(b *testing.B, i vm.Instance, action string, more ...string) {
	env := prepared(b, i, benchHandler)
	inputs := make([]vm.Input, b.N)
	for n := range inputs {
		inputs[n] = vm.Input{Message: message(2+n, action, "", more...), Env: env}
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
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-began).Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkHandler(b *testing.B) {
	b.Run("ago", func(b *testing.B) { benchMessages(b, ours(b), "Inc") })
	b.Run("aos", func(b *testing.B) { benchMessages(b, aos(b), "Inc") })
}

func BenchmarkReply(b *testing.B) {
	b.Run("ago", func(b *testing.B) { benchMessages(b, ours(b), "Ping", "Reference", "7") })
	b.Run("aos", func(b *testing.B) { benchMessages(b, aos(b), "Ping", "Reference", "7") })
}

func BenchmarkSnapshot(b *testing.B) {
	i := ours(b)
	env := prepared(b, i, benchHandler)
	if err := i.Snapshot(io.Discard, true); err != nil {
		b.Fatal(err)
	}
	var n int64
	for k := range b.N {
		evaluate(b, i, message(2+k, "Inc", ""), env)
		var w counting
		if err := i.Snapshot(&w, false); err != nil {
			b.Fatal(err)
		}
		n += int64(w)
	}
	b.ReportMetric(float64(n)/float64(b.N), "snapshot-bytes/op")
	b.ReportMetric(float64(i.Resident()), "resident-bytes")
}

type counting int64

func (c *counting) Write(p []byte) (int, error) { *c += counting(len(p)); return len(p), nil }
