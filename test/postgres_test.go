package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/store/postgres/pgtest"
)

// startOn runs a node whose data is in a database.
func startOn(t testing.TB, url, name, wallet string) *network {
	t.Helper()
	return start(t, "node", "--data", t.TempDir(), "--port-base", fmt.Sprint(freePorts(t, 6)), "--wallet", wallet,
		"--db-mode", "remote", "--db-url", url, "--db-name", name, "--module", aosModule+"="+aosFile(t))
}

// wallet makes the file of a key that several nodes sign with.
func wallet(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wallet.json")
	if _, err := commitment.NewAgent().Create(path, commitment.Ed25519, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func spawnRing(t *testing.T, c *client.Network, key *commitment.Key, processes int) []message.ID {
	t.Helper()
	mod, err := message.ParseID(aosModule)
	if err != nil {
		t.Fatal(err)
	}
	var ps []message.ID
	for i := range processes {
		p, err := c.Spawn(context.Background(), key, client.Spawn{Module: mod, Tags: tag("Name", fmt.Sprint("ring", i))})
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
		eval(t, c, key, p, ring)
	}
	for i, p := range ps {
		eval(t, c, key, p, fmt.Sprintf("Peer = %q; return Peer", ps[(i+1)%processes]))
	}
	return ps
}

// A busy node on a database is killed, and so is the database. What was accepted is there once, pushes arrived once and in
// order, and a fresh unit comes to the same results and the same memory. The node's folder is lost with each kill: there is
// nothing in it.
func TestANodeOnADatabaseLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	dir := t.TempDir()
	n := start(t, "node", "--data", dir, "--port-base", fmt.Sprint(freePorts(t, 6)), "--wallet", wallet(t),
		"--db-mode", "remote", "--db-url", server.Database(t), "--module", aosModule+"="+aosFile(t))
	c, key := n.client(), user(t, 1)
	ps := spawnRing(t, c, key, 2)
	kills := 2
	if long() {
		kills = 40
	}
	accepted := keepBusy(t, c, key, ps, func() {
		for range kills {
			time.Sleep(400 * time.Millisecond)
			n.end(syscall.SIGKILL)
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
			n.restart()
			time.Sleep(400 * time.Millisecond)
			server.Kill()
			server.Restart(t)
		}
		time.Sleep(400 * time.Millisecond)
	})
	t.Logf("%d messages were accepted", len(accepted))
	if len(accepted) < kills {
		t.Fatal("the node was not busy")
	}
	settle(t, c, ps)
	logs := readLogs(t, c, ps)
	for id, p := range accepted {
		if logs[p].slots[id] != 1 {
			t.Errorf("accepted message %s has %d slots in process %s", id, logs[p].slots[id], p)
		}
	}
	checkPushes(t, c, ps, logs)
	compareWithReplay(t, n, ps, logs)
	n.end(syscall.SIGTERM)
	if code := n.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM ended with exit code %d:\n%s", code, n.log.String())
	}
}

// Two nodes on one database take messages for the same processes at the same time, then one of them is killed. No slot is
// doubled, nothing that was accepted is lost, and both have the same results.
func TestTwoNodesOnOneDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	url, key, wallet := server.Database(t), user(t, 1), wallet(t)
	first := startOn(t, url, "first", wallet)
	ps := spawnRing(t, first.client(), key, 2)
	second := startOn(t, url, "second", wallet)
	if got := eval(t, second.client(), key, ps[0], "return Peer"); got != ps[1].String() {
		t.Fatalf("the second node knows another state: %q", got)
	}

	var mu sync.Mutex
	accepted := map[message.ID]message.ID{}
	var refused atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w, c := range []*client.Network{first.client(), second.client(), first.client(), second.client()} {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				p := ps[(w/2+i)%len(ps)]
				it, err := ans104.Sign(ans104.Draft{Target: p, HasTarget: true, Data: fmt.Appendf(nil, "%d.%d", w, i),
					Tags: tag("Action", "Note", "Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message")}, key)
				if err != nil {
					t.Error(err)
					return
				}
				for !stop.Load() {
					if post(c.SU, it.Raw) {
						mu.Lock()
						accepted[it.ID()] = p
						mu.Unlock()
						break
					}
					refused.Add(1)
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	enough := func(n int) {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			have := len(accepted)
			mu.Unlock()
			if have >= n {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("only %d messages were accepted", have)
				return
			}
		}
	}
	enough(60)
	for _, p := range ps { // both evaluate what either of them took
		logs := readLogs(t, second.client(), []message.ID{p})
		id := logs[p].ids[len(logs[p].ids)-1]
		path := fmt.Sprintf("/result/%s?process-id=%s", id, p)
		if a, b := fetch(t, first.line["cu"]+path), fetch(t, second.line["cu"]+path); string(a) != string(b) || !json.Valid(a) {
			t.Errorf("the nodes have different results:\n%s\n%s", a, b)
		}
	}
	first.end(syscall.SIGKILL)
	enough(100)
	stop.Store(true)
	wg.Wait()
	if refused.Load() == 0 {
		t.Error("no node was ever shut out")
	}
	t.Logf("%d messages were accepted, %d times a node was shut out or gone", len(accepted), refused.Load())
	logs := readLogs(t, second.client(), ps)
	for id, p := range accepted {
		if logs[p].slots[id] != 1 {
			t.Errorf("accepted message %s has %d slots in process %s", id, logs[p].slots[id], p)
		}
	}
	settle(t, second.client(), ps)
	compareWithReplay(t, second, ps, logs)
}

// post sends an item to a scheduler once, and tells whether that accepted it.
func post(su string, raw []byte) bool {
	r, err := http.Post(su, "application/octet-stream", bytes.NewReader(raw))
	if err != nil {
		return false
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil && r.StatusCode < 300
}
