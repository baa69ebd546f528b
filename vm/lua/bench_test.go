package lua

import (
	"context"
	"fmt"
	"testing"

	"ago/vm"
)

// ledger is a small process: handlers by action over a table of balances.
const ledger = `
local json = require "json"
Balances = {}
Handlers = {}
local function tag(msg, name)
  for _, t in ipairs(msg.Tags or {}) do if t.name == name then return t.value end end
end
Handlers.Transfer = function(msg)
  local to, n = tag(msg, "Recipient"), tonumber(tag(msg, "Quantity"))
  Balances[msg.From] = (Balances[msg.From] or 1000000) - n
  Balances[to] = (Balances[to] or 0) + n
  return {{Target = to, Tags = {{name = "Action", value = "Credit-Notice"}, {name = "Quantity", value = tostring(n)}}}}
end
Handlers.Fill = function(msg)
  for i = 1, tonumber(msg.Data) do Balances["account-number-" .. i] = i end
  return {}
end
function handle(msg, env)
  local h = Handlers[tag(msg, "Action")]
  if not h then return {Output = "unknown action", Messages = {}, Spawns = {}, Assignments = {}} end
  return {Output = "", Messages = h(msg), Spawns = {}, Assignments = {}}
end`

func message(action, data string, k int) vm.Input {
	return vm.Input{
		Message: fmt.Appendf(nil, `{"Id":"m%040d","Target":"process","Owner":"owner","From":"from-%d","Data":%q,"Block-Height":"1",`+
			`"Timestamp":%d,"Module":"lua","Tags":[{"name":"Action","value":%q},{"name":"Recipient","value":"to-%d"},{"name":"Quantity","value":"7"}]}`,
			k, k%10, data, 1700000000000+k, action, k%7),
		Env: []byte(`{"Process":{"Id":"process","Owner":"owner","Tags":[{"name":"Name","value":"ledger"}]},"Module":{"Id":"lua","Tags":[]}}`),
	}
}

func do(tb testing.TB, i vm.Instance, in vm.Input) vm.Output {
	tb.Helper()
	out, err := i.Eval(context.Background(), in)
	if err != nil || out.Failure != "" {
		tb.Fatal(err, out.Failure)
	}
	if err := i.Commit(); err != nil {
		tb.Fatal(err)
	}
	return out
}

func instance(tb testing.TB, e vm.Engine, source string, l vm.Limits) vm.Instance {
	tb.Helper()
	i, err := e.New(context.Background(), vm.Module{ID: "test", Format: Format, Bytes: []byte(source)}, l)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { i.Close() })
	return i
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// BenchmarkMessage is an evaluation of a small message with its commit.
func BenchmarkMessage(b *testing.B) {
	i := instance(b, testEngine(b), ledger, vm.Limits{})
	k := 0
	for b.Loop() {
		k++
		do(b, i, message("Transfer", "", k))
	}
	b.ReportMetric(float64(i.Resident()), "resident-bytes")
}

// BenchmarkSpawn is a process from nothing to its first answer.
func BenchmarkSpawn(b *testing.B) {
	e := testEngine(b)
	instance(b, e, ledger, vm.Limits{})
	for b.Loop() {
		i, err := e.New(context.Background(), vm.Module{ID: "test", Format: Format, Bytes: []byte(ledger)}, vm.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		do(b, i, message("Transfer", "", 1))
		i.Close()
	}
}

// BenchmarkSnapshot is the size of what one small message changes, at two sizes of the state.
func BenchmarkSnapshot(b *testing.B) {
	for _, accounts := range []int{1000, 10000} {
		b.Run(fmt.Sprint(accounts), func(b *testing.B) {
			i := instance(b, testEngine(b), ledger, vm.Limits{})
			do(b, i, message("Fill", fmt.Sprint(accounts), 1))
			var full, delta, largest counter
			if err := i.Snapshot(&full, true); err != nil {
				b.Fatal(err)
			}
			k := 0
			for b.Loop() {
				k++
				do(b, i, message("Transfer", "", k))
				var one counter
				if err := i.Snapshot(&one, false); err != nil {
					b.Fatal(err)
				}
				delta.n += one.n
				largest.n = max(largest.n, one.n)
			}
			b.ReportMetric(float64(full.n), "full-bytes")
			b.ReportMetric(float64(delta.n)/float64(k), "delta-bytes")
			b.ReportMetric(float64(largest.n), "largest-delta-bytes")
			b.ReportMetric(float64(i.Resident()), "resident-bytes")
		})
	}
}
