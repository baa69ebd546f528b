package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/fault"
)

// modulesCache is shared by the tests, so that a module is compiled once.
var modulesCache string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ago-node-test-")
	if err != nil {
		panic(err)
	}
	modulesCache = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func (n *network) ask(t testing.TB, method, path, body string, into any) int {
	t.Helper()
	status, answer := request(t, method, n.Addresses().Node+path, []byte(body))
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatalf("%s %s: %d %s: %v", method, path, status, answer, err)
		}
	}
	return status
}

func TestTheNodeTellsWhoAndHowItIs(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	var who struct{ Name, Scheduler, Authority, SU, KeyType string }
	if n.ask(t, "GET", "/", "", &who); who.Name != "ago" || who.Scheduler != n.Addresses().Scheduler || who.SU != n.Addresses().SU || who.KeyType != "ed25519" {
		t.Errorf("%+v", who)
	}
	var ready struct {
		Ready   bool
		Reasons []string
	}
	if status := n.ask(t, "GET", "/readyz", "", &ready); status != 200 || !ready.Ready || len(ready.Reasons) != 0 {
		t.Errorf("%d %+v", status, ready)
	}
	if status := n.ask(t, "GET", "/healthz", "", nil); status != 200 {
		t.Errorf("/healthz: %d", status)
	}
	n.eval(t, "count")
	_, metrics := request(t, "GET", n.Addresses().Node+"/metrics", nil)
	for _, want := range []string{"ao_cu_evaluations_total 2", "ao_mu_pending_tasks 0", `ao_http_requests_total{face="node",status="200"}`, "ao_gateway_height_blocks 1.5e+06", "go_goroutines"} {
		if !strings.Contains(string(metrics), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if status, _ := request(t, "GET", n.Addresses().CU+"/metrics", nil); status != 200 {
		t.Errorf("the compute unit's /metrics: %d", status)
	}
	// Profiles are served only if asked for.
	if status, _ := request(t, "GET", n.Addresses().Node+"/debug/pprof/", nil); status != 404 {
		t.Errorf("profiles: %d", status)
	}
	n.ready.Store(false)
	if status := n.ask(t, "GET", "/readyz", "", &ready); status != 503 || ready.Ready || len(ready.Reasons) != 1 {
		t.Errorf("a node that starts: %d %+v", status, ready)
	}
}

func TestTheClockIsMovedOverHTTP(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(2_000_000_000_000)
	n := startNetwork(t, func(c *Config) { c.Clock = clock.NewPaused(start) })
	var at struct {
		Now    int64
		Height uint64
		Paused bool
	}
	if n.ask(t, "GET", "/clock", "", &at); at.Now != start.UnixMilli() || !at.Paused || at.Height != 1_500_000 {
		t.Errorf("%+v", at)
	}
	if n.ask(t, "POST", "/clock", `{"advance":"1h"}`, &at); at.Now != start.Add(time.Hour).UnixMilli() || at.Height != 1_500_030 {
		t.Errorf("an hour later: %+v", at)
	}
	if n.ask(t, "POST", "/clock", `{"resume":true}`, &at); at.Paused {
		t.Errorf("it still stands: %+v", at)
	}
	if n.ask(t, "POST", "/clock", `{"mine":3}`, &at); at.Height != 1_500_033 {
		t.Errorf("after mining: %+v", at)
	}
	if n.ask(t, "POST", "/clock", `{"pause":true,"advance":"1s"}`, &at); !at.Paused {
		t.Errorf("it still runs: %+v", at)
	}
	for _, body := range []string{"", "{}", "hello", `{"advance":"-1h"}`, `{"advance":"soon"}`, `{"pause":true,"resume":true}`, `{"paus":true}`, `{"advance":3}`,
		`{"advance":"1h"} and so on`, `{"advance":"1h"}{"advance":"1h"}`, `{"advance":"90000h"}`, `{"mine":-1}`, `{"mine":0}`, `{"mine":"1"}`, `{"pause":true}` + strings.Repeat(" ", 5000)} {
		if status := n.ask(t, "POST", "/clock", body, nil); status != 400 {
			t.Errorf("%s: %d", body, status)
		}
	}
	// A page of another site is no friend of the clock; one of this machine is.
	for origin, want := range map[string]int{"https://example.org": 403, "null": 403, "http://localhost:3000": 200} {
		r, err := http.NewRequest("POST", n.Addresses().Node+"/clock", strings.NewReader(`{"pause":true}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("a page of %s: %d, want %d", origin, answer.StatusCode, want)
		}
	}
	if now := n.c.Clock.Now(); now.UnixMilli() != at.Now {
		t.Errorf("a refused command moved the clock to %v", now)
	}
}

func FuzzClock(f *testing.F) {
	f.Add(`{"advance":"1h"}`)
	f.Add(`{"pause":true}`)
	f.Fuzz(func(t *testing.T, body string) {
		c := clock.NewPaused(time.UnixMilli(0))
		before := c.Now()
		if err := move(c, func(uint64) error { return nil }, strings.NewReader(body)); err != nil && (fault.KindOf(err) != fault.Malformed || !c.Now().Equal(before)) {
			t.Fatalf("%q: %v, and the clock is at %v", body, err, c.Now())
		}
	})
}

func TestTracesAndTasks(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	id := n.send(t, "count") // sends, as the first evaluation did, a message to "t", which is no id
	if _, err := n.client.Result(context.Background(), n.process, id); err != nil {
		t.Fatal(err)
	}
	var trace struct {
		Hops []struct {
			State, Key           string
			First, Asked         bool
			Evaluated, Scheduled int64
		}
	}
	// The times of slots grow strictly, so they may be a little ahead of the clock.
	if n.ask(t, "GET", "/trace/"+id.String(), "", &trace); len(trace.Hops) != 2 || !trace.Hops[0].First || !trace.Hops[0].Asked ||
		trace.Hops[0].Evaluated+10 < trace.Hops[0].Scheduled || trace.Hops[0].Scheduled == 0 || trace.Hops[1].State != "dropped" {
		t.Errorf("%+v", trace)
	}
	var tasks struct {
		Tasks []struct{ Key, State string }
	}
	for query, want := range map[string]int{"": 2, "?state=dropped": 2, "?state=parked": 0, "?process=" + n.process.String(): 2, "?process=" + nobody.String(): 0, "?limit=1": 1, "?after=" + trace.Hops[1].Key: 0} {
		if status := n.ask(t, "GET", "/tasks"+query, "", &tasks); status != 200 || len(tasks.Tasks) != want {
			t.Errorf("%q: %d %+v, want %d", query, status, tasks, want)
		}
	}
	for query, want := range map[string]int{"?limit=0": 400, "?limit=x": 400, "?process=x": 400, "?after=x": 400} {
		if status := n.ask(t, "GET", "/tasks"+query, "", nil); status != want {
			t.Errorf("%q: %d", query, status)
		}
	}
	if status := n.ask(t, "POST", "/tasks/"+trace.Hops[1].Key+"/retry", "", nil); status/100 != 4 {
		t.Errorf("a dropped task was tried again: %d", status)
	}
}

func TestClientsFindTheScheduler(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, func(c *Config) { c.Name = "localhost" })
	address, base, err := n.client.Locate(context.Background(), n.process)
	if err != nil || address != n.Addresses().Scheduler || base != n.Addresses().SU || !strings.HasPrefix(base, "http://localhost:") {
		t.Errorf("%s at %s, %v", address, base, err)
	}
}

func TestAMessageForAWalletIsKept(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	raw := n.signed(t, n.draft(func(d *ans104.Draft) { d.Target, d.Data = nobody, []byte("dear wallet") }))
	status, body := request(t, "POST", n.Addresses().MU, raw)
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`{"message":"Stored DataItem: its target is no process of this network","id":%q,"code":"process-unknown"}`, it.ID()); status != 202 || string(body) != want {
		t.Errorf("%d %s", status, body)
	}
	if data, err := n.client.Data(context.Background(), it.ID()); err != nil || string(data) != "dear wallet" {
		t.Errorf("%q, %v", data, err)
	}
}
