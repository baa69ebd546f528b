package test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

type tagType = ans104.Tag

// ring is a process that passes a message on N times, tells the sender of the first one, and notes whatever it gets twice.
const ring = `Got, Twice = {}, 0
Handlers.add("Ring", function(m) return m.Action == "Ring" end, function(m)
  local key = m.From .. ":" .. (m.Tags.Reference or m.Id)
  if Got[key] then Twice = Twice + 1 end
  Got[key] = true
  local n = tonumber(m.Tags.N)
  if n > 0 then
    ao.send({Target = Peer, Action = "Ring", N = tostring(n - 1)})
    ao.send({Target = Peer, Action = "Note", Of = m.Tags.N})
  end
end)
Handlers.add("Note", function(m) return m.Action == "Note" end, function(m) Notes = (Notes or 0) + 1 end)
return "ring"`

// A busy network is killed at random moments, again and again, also while it starts. What it accepted is there once, what its processes sent
// arrived once and in order, and a fresh unit that evaluates the logs comes to the same results and the same memory.
func TestNothingIsLostOrDoubledByKills(t *testing.T) {
	t.Parallel()
	module := aosFile(t)
	kills, seed := 6, uint64(time.Now().UnixNano())
	if long() {
		kills = 300
	}
	t.Logf("seed %d, %d kills", seed, kills)
	random := rand.New(rand.NewPCG(seed, 1))
	base := freePorts(t, 6)
	n := start(t, "dev", "--data", t.TempDir(), "--port-base", fmt.Sprint(base), "--module", aosModule+"="+module)
	c, key, ctx := n.client(), user(t, 1), context.Background()
	mod, err := message.ParseID(aosModule)
	if err != nil {
		t.Fatal(err)
	}
	const processes = 4
	var ps []message.ID
	for i := range processes {
		p, err := c.Spawn(ctx, key, client.Spawn{Module: mod, Tags: tag("Name", fmt.Sprint("ring", i))})
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
		eval(t, c, key, p, ring)
	}
	for i, p := range ps {
		eval(t, c, key, p, fmt.Sprintf("Peer = %q; return Peer", ps[(i+1)%processes]))
	}

	accepted := keepBusy(t, c, key, ps, func() {
		for k := range kills {
			time.Sleep(time.Duration(20+random.IntN(380)) * time.Millisecond)
			n.end(syscall.SIGKILL)
			if k%3 == 2 { // and once more while it starts
				n.launch()
				time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
				n.end(syscall.SIGKILL)
			}
			n.restart()
			if k%50 == 49 {
				t.Logf("%d kills", k+1)
			}
		}
	})
	t.Logf("%d messages were accepted", len(accepted))
	if len(accepted) < kills {
		t.Fatal("the network was not busy")
	}
	settle(t, c, ps)
	logs := readLogs(t, c, ps)
	for id, p := range accepted {
		if logs[p].slots[id] != 1 {
			t.Errorf("accepted message %s has %d slots in process %s", id, logs[p].slots[id], p)
		}
	}
	checkPushes(t, c, ps, logs)
	for i, p := range ps {
		r, err := c.DryRun(ctx, client.Message{Process: p, Tags: tag("Action", "Eval"), Data: []byte("return Twice")}, key.ProcessAddress())
		if err != nil || r.Text() != "0" {
			t.Errorf("process %d got messages twice: %q, %v", i, r.Text(), err)
		}
	}
	compareWithReplay(t, n, ps, logs)
	n.end(syscall.SIGTERM)
	if code := n.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM ended with exit code %d:\n%s", code, n.log.String())
	}
}

// keepBusy sends messages from several goroutines while during runs, and gives those that were accepted.
func keepBusy(t *testing.T, c *client.Network, key *commitment.Key, ps []message.ID, during func()) map[message.ID]message.ID {
	var mu sync.Mutex
	accepted := map[message.ID]message.ID{}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				p := ps[(w+i)%len(ps)]
				it, err := ans104.Sign(ans104.Draft{Target: p, HasTarget: true, Data: fmt.Appendf(nil, "%d.%d", w, i),
					Tags: tag("Action", "Ring", "N", fmt.Sprint(i%4), "Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message")}, key)
				if err != nil {
					t.Error(err)
					return
				}
				// An answer that did not come leaves open whether the message was taken: the same item again is the same message.
				for try := 0; try < 2 && !stop.Load(); try++ {
					ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
					err := c.Post(ctx, it)
					cancel()
					if err == nil {
						mu.Lock()
						accepted[it.ID()] = p
						mu.Unlock()
						break
					}
					time.Sleep(30 * time.Millisecond)
				}
				time.Sleep(25 * time.Millisecond)
			}
		})
	}
	during()
	stop.Store(true)
	wg.Wait()
	return accepted
}

// settle waits until every slot is evaluated and every task is delivered.
func settle(t *testing.T, c *client.Network, ps []message.ID) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	quiet := 0
	for quiet < 5 {
		if time.Now().After(deadline) {
			t.Fatalf("the network does not come to rest: %s\n%s", fetch(t, c.Node+"/readyz"), fetch(t, c.Node+"/tasks?state=pending&limit=5"))
		}
		time.Sleep(100 * time.Millisecond)
		var ready struct{ SlotsBehind uint64 }
		var tasks struct{ Tasks []json.RawMessage }
		unmarshal(t, fetch(t, c.Node+"/readyz"), &ready)
		unmarshal(t, fetch(t, c.Node+"/tasks?state=pending&limit=1"), &tasks)
		quiet++
		if ready.SlotsBehind > 0 || len(tasks.Tasks) > 0 {
			quiet = 0
		}
	}
	var parked struct{ Tasks []json.RawMessage }
	unmarshal(t, fetch(t, c.Node+"/tasks?state=parked&limit=3"), &parked)
	for _, p := range parked.Tasks {
		t.Errorf("a task was parked: %s", p)
	}
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unmarshal(t *testing.T, b []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}

// processLog is a log as its scheduler shows it.
type processLog struct {
	edges []client.Edge
	ids   []message.ID
	slots map[message.ID]int // how many slots a message has
}

// readLogs reads all logs and checks that slots follow each other without gap and the hash chain holds.
func readLogs(t *testing.T, c *client.Network, ps []message.ID) map[message.ID]*processLog {
	t.Helper()
	logs := map[message.ID]*processLog{}
	for _, p := range ps {
		l := &processLog{slots: map[message.ID]int{}}
		chain, assignment := client.ChainSeed(p), message.ID{}
		for e, err := range c.Log(context.Background(), p, -1) {
			if err != nil {
				t.Fatal(err)
			}
			s, err := e.Read()
			if err != nil {
				t.Fatal(err)
			}
			if int(s.Slot) != len(l.edges) {
				t.Fatalf("process %s: slot %d where %d is due", p, s.Slot, len(l.edges))
			}
			if s.Slot > 0 {
				chain = client.Chain(assignment, chain)
			}
			if s.HashChain != chain {
				t.Fatalf("process %s: the hash chain breaks at slot %d", p, s.Slot)
			}
			assignment = s.Assignment
			l.edges, l.ids = append(l.edges, e), append(l.ids, s.Message)
			if l.slots[s.Message]++; l.slots[s.Message] > 1 {
				t.Errorf("process %s: message %s has two slots", p, s.Message)
			}
		}
		logs[p] = l
	}
	return logs
}

func tagOf(tags []client.Tag, name string) string {
	for _, t := range tags {
		if t.Name == name {
			return t.Value
		}
	}
	return ""
}

// checkPushes holds what the results say was sent against what the targets' logs say has come.
func checkPushes(t *testing.T, c *client.Network, ps []message.ID, logs map[message.ID]*processLog) {
	t.Helper()
	type way struct{ from, to string }
	sent, came := map[way][]string{}, map[way][]string{}
	for _, p := range ps {
		for slot, id := range logs[p].ids {
			r, err := c.Result(context.Background(), p, id)
			if err != nil {
				t.Fatalf("process %s has no result for slot %d: %v", p, slot, err)
			}
			for _, raw := range r.Messages {
				var m struct {
					Target string
					Tags   []client.Tag
				}
				unmarshal(t, raw, &m)
				w := way{p.String(), m.Target}
				sent[w] = append(sent[w], tagOf(m.Tags, "Reference"))
			}
		}
		for _, e := range logs[p].edges {
			if from := tagOf(e.Message.Tags, "From-Process"); from != "" {
				w := way{from, p.String()}
				came[w] = append(came[w], tagOf(e.Message.Tags, "Reference"))
			}
		}
	}
	total := 0
	for w, s := range sent {
		total += len(s)
		if fmt.Sprint(s) != fmt.Sprint(came[w]) {
			t.Errorf("from %s to %s: sent %d, came %d\nsent %v\ncame %v", w.from, w.to, len(s), len(came[w]), s, came[w])
		}
	}
	for w := range came {
		if sent[w] == nil {
			t.Errorf("messages came from %s to %s that no result sent", w.from, w.to)
		}
	}
	t.Logf("%d pushed messages, each there once and in order", total)
	if total == 0 {
		t.Error("nothing was pushed")
	}
}

// compareWithReplay evaluates the logs in a unit of its own and compares all results and the memories.
func compareWithReplay(t *testing.T, n *network, ps []message.ID, logs map[message.ID]*processLog) {
	t.Helper()
	replay := start(t, "cu", "--gateway-url", n.line["gateway"], "--su-url", n.line["su"], "--memory", "--port", "0")
	fresh := &client.Network{CU: replay.line["cu"]}
	for _, p := range ps {
		for slot, id := range logs[p].ids {
			path := fmt.Sprintf("/result/%s?process-id=%s", id, p)
			want, got := fetch(t, n.line["cu"]+path), fetch(t, fresh.CU+path)
			if string(want) != string(got) {
				t.Fatalf("slot %d of process %s:\n  network %s\n  replay  %s", slot, p, want, got)
			}
		}
		want, got := sha256.Sum256(fetch(t, n.line["cu"]+"/state/"+p.String())), sha256.Sum256(fetch(t, fresh.CU+"/state/"+p.String()))
		if want != got {
			t.Errorf("process %s: the memory differs from that of a replay", p)
		}
	}
}
