package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ago/client"
	"ago/commitment"
	"ago/message"
	"ago/node"
	"ago/settings"
	"ago/store/postgres/pgtest"
)

// This file has the effects that show under load, over time, or with a database.

// metric reads a number of a unit that runs with metrics.
func (r *running) metric(t *testing.T, name string) float64 {
	t.Helper()
	for line := range strings.Lines(r.ask(t, "GET", "/metrics", nil).body) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			check(t, err)
			return n
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// endless is a dry run on the process of the built-in module that comes to no end.
func (r *running) endless(ctx context.Context) (status int) {
	body := fmt.Sprintf(`{"Id":"1","Target":%q,"Owner":%q,"From":%[2]q,"Data":"while true do end","Tags":[{"name":"Action","value":"Eval"}]}`, r.w.lua, r.w.address)
	q, err := http.NewRequestWithContext(ctx, "POST", r.url+"/dry-run?process-id="+r.w.lua.String(), strings.NewReader(body))
	if err != nil {
		return 0
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// crowded asks for endless dry runs until the numbers of those under way and of those that wait are as expected.
func (r *running) crowded(t *testing.T, asks int, running, waiting float64) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(cancel)
	for range asks {
		wg.Go(func() { r.endless(ctx) })
	}
	eventually(t, fmt.Sprintf("%v dry runs at a time and %v that wait", running, waiting), func() bool {
		return r.metric(t, "ao_cu_dry_runs_running") == running && r.metric(t, "ao_cu_dry_runs_waiting") == waiting
	})
}

func ofDryRunQueue(t *testing.T, w *world) {
	r := w.start(t, settings.CU, env{
		"WASM_EVALUATION_WORKERS_DRY_RUN_MAX_QUEUE": "2", "WASM_EVALUATION_PRIMARY_WORKERS_PERCENTAGE": "50", "WASM_EVALUATION_MAX_WORKERS": "2", "ENABLE_METRICS_ENDPOINT": "1",
	})
	r.crowded(t, 3, 1, 2)
	r.dryRun(t).is(t, 429, "more than 2 dry runs wait")
	r.result(t, 0).is(t, 200, "Output") // evaluations have a place of their own
}

// ofShare: of ten workers seven are for evaluations, so three dry runs have a place, of which one process gets half.
func ofShare(t *testing.T, w *world) {
	r := w.start(t, settings.CU, env{
		"WASM_EVALUATION_PRIMARY_WORKERS_PERCENTAGE": "70", "WASM_EVALUATION_MAX_WORKERS": "10", "ENABLE_METRICS_ENDPOINT": "1",
	})
	if a, b := r.metric(t, "ao_cu_workers"), r.metric(t, "ao_cu_dry_run_places"); a != 7 || b != 3 {
		t.Errorf("%v workers and %v places for dry runs", a, b)
	}
}

// ofWorkers: that there are never more is tested where evaluations can be held; here the unit has so many places.
func ofWorkers(t *testing.T, w *world) {
	for n, dry := range map[string]float64{"1": 4, "3": 12} {
		r := w.start(t, settings.CU, env{"WASM_EVALUATION_MAX_WORKERS": n, "ENABLE_METRICS_ENDPOINT": "1"})
		r.result(t, 0).is(t, 200, "Output")
		if a, b := r.metric(t, "ao_cu_workers"), r.metric(t, "ao_cu_dry_run_places"); fmt.Sprint(a) != n || b != dry {
			t.Errorf("%s: %v workers and %v places for dry runs", n, a, b)
		}
	}
}

// ofModuleCache: with room for one module, the first is asked for again after a second one.
func ofModuleCache(t *testing.T, w *world) {
	for size, asked := range map[string]int{"1": 2, "2": 1} {
		f := newFront(t, w.node.Addresses().Gateway)
		r := w.start(t, settings.CU, env{"GATEWAY_URL": f.URL, "WASM_MODULE_CACHE_MAX_SIZE": size})
		for _, p := range []message.ID{w.counting, w.extended, w.other} {
			r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%[1]s", p), nil).is(t, 200, "Output")
		}
		if n := f.count("/raw/" + message.HashOf([]byte("probe")).String()); n != asked {
			t.Errorf("room for %s: the module was asked for %d times, want %d", size, n, asked)
		}
	}
}

// slotOf reads the slot of the memory that is in a folder of checkpoints.
func slotOf(t *testing.T, dir string) (slot uint64) {
	t.Helper()
	for _, f := range files(t, dir) {
		if strings.HasSuffix(f, ".json") {
			b, err := os.ReadFile(f)
			check(t, err)
			var record struct{ Nonce uint64 }
			check(t, json.Unmarshal(b, &record))
			slot = max(slot, record.Nonce)
		}
	}
	return slot
}

// ofThrottle: what the interval and the end of the unit ask for is left out until the time is over.
func ofThrottle(t *testing.T, w *world) {
	for every, want := range map[string]uint64{"3600000": 2, "1": 5} {
		dir := t.TempDir()
		r := w.start(t, settings.CU, env{
			"PROCESS_CHECKPOINT_CREATION_THROTTLE": every, "PROCESS_MEMORY_CACHE_CHECKPOINT_INTERVAL": "10",
			"PROCESS_MEMORY_FILE_CHECKPOINTS_DIR": dir, "DISABLE_PROCESS_FILE_CHECKPOINT_CREATION": "false",
		})
		r.result(t, 1).is(t, 200, "Output")
		eventually(t, "the first checkpoint", func() bool { return slotOf(t, dir) == 2 })
		r.result(t, 4).is(t, 200, "Output")
		if want > 2 {
			eventually(t, "the second checkpoint", func() bool { return slotOf(t, dir) == want })
		}
		r.stop()
		if got := slotOf(t, dir); got != want {
			t.Errorf("throttled to %s ms the checkpoint is of slot %d, want %d", every, got, want)
		}
	}
}

// evaluated tells how many messages of the long process a unit evaluated for its last result.
func (w *world) evaluated(t *testing.T, e env) float64 {
	t.Helper()
	e["ENABLE_METRICS_ENDPOINT"] = "1"
	r := w.start(t, settings.CU, e)
	r.longResult(t).is(t, 200, "Output")
	return r.metric(t, "ao_cu_evaluations_total")
}

// published has checkpoints of the long process on Arweave: one after slot 104 and one after slot 108, of two owners.
func (w *world) published(t *testing.T, seed string) (old, newer string, ids map[string]string) {
	t.Helper()
	agent := commitment.NewAgent()
	ids = map[string]string{}
	for i, n := range []int{103, 107} {
		key, err := agent.FromSeed(commitment.Ed25519, bytes.Repeat([]byte{seed[0], byte('0' + i)}, 16))
		check(t, err)
		jwk, err := agent.MarshalJWK(key)
		check(t, err)
		r := w.start(t, settings.CU, env{"WALLET": string(jwk), "UPLOADER_URL": w.node.Addresses().Bundler, "DISABLE_PROCESS_CHECKPOINT_CREATION": "false"})
		r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%s", w.longs[n], w.long), nil).is(t, 200, "Output")
		r.stop() // which uploads
		owner := key.Address().String()
		found, err := (&client.Network{Gateway: w.node.Addresses().Gateway}).Checkpoints(t.Context(), w.long, []string{owner})
		check(t, err)
		if len(found) != 1 {
			t.Fatalf("%d checkpoints of %s", len(found), owner)
		}
		ids[owner] = found[0].ID
		old, newer = newer, owner
	}
	return old, newer, ids
}

func ofPreferred(t *testing.T, w *world) {
	old, newer, _ := w.published(t, "p")
	trusted := env{"PROCESS_CHECKPOINT_TRUSTED_OWNERS": old + "," + newer}
	if n := w.evaluated(t, trusted); n != 2 {
		t.Errorf("%v messages were evaluated, want the 2 after the newest checkpoint", n)
	}
	trusted["PROCESS_CHECKPOINT_PREFERRED_OWNERS"] = old
	if n := w.evaluated(t, trusted); n != 6 {
		t.Errorf("%v messages were evaluated, want the 6 after the checkpoint of the preferred owner", n)
	}
}

func ofIgnored(t *testing.T, w *world) {
	old, newer, ids := w.published(t, "i")
	trusted := env{"PROCESS_CHECKPOINT_TRUSTED_OWNERS": old + "," + newer, "IGNORE_ARWEAVE_CHECKPOINTS": ids[newer]}
	if n := w.evaluated(t, trusted); n != 6 {
		t.Errorf("%v messages were evaluated, want the 6 after the other checkpoint", n)
	}
	trusted["IGNORE_ARWEAVE_CHECKPOINTS"] += "," + ids[old]
	if n := w.evaluated(t, trusted); n != 111 {
		t.Errorf("%v messages were evaluated, want all 111", n)
	}
}

func ofIgnoredLocal(t *testing.T, w *world) {
	e := env{"PROCESS_MEMORY_FILE_CHECKPOINTS_DIR": t.TempDir(), "DISABLE_PROCESS_FILE_CHECKPOINT_CREATION": "false"}
	r := w.start(t, settings.CU, e)
	r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%s", w.longs[107], w.long), nil).is(t, 200, "Output")
	r.stop() // which writes
	if n := w.evaluated(t, e); n != 2 {
		t.Errorf("%v messages were evaluated, want the 2 after the checkpoint", n)
	}
	e["IGNORE_LOCAL_CHECKPOINTS"] = "true"
	if n := w.evaluated(t, e); n != 111 {
		t.Errorf("%v messages were evaluated, want all 111", n)
	}
}

// dam stands before a scheduler: what is posted for processes other than the one let through waits, or fails.
type dam struct {
	*httptest.Server
	open chan struct{}

	mu              sync.Mutex
	under, most, in int
}

func newDam(t *testing.T, to string, through message.ID, fail bool) *dam {
	d := &dam{open: make(chan struct{})}
	pass := newFront(t, to)
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == "POST" && !bytes.Contains(body, through[:]) {
			d.mu.Lock()
			d.in++
			d.under++
			d.most = max(d.most, d.under)
			d.mu.Unlock()
			if !fail {
				<-d.open
			}
			d.mu.Lock()
			d.under--
			d.mu.Unlock()
			if fail {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
		}
		q, err := http.NewRequest(r.Method, pass.URL+r.URL.RequestURI(), bytes.NewReader(body))
		if err == nil {
			var got *http.Response
			if got, err = http.DefaultClient.Do(q); err == nil {
				defer got.Body.Close()
				w.WriteHeader(got.StatusCode)
				_, _ = io.Copy(w, got.Body)
				return
			}
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *dam) seen() (under, most, in int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.under, d.most, d.in
}

// sender makes a process that sends to n others when it is told to, and gives the message that tells it.
func (w *world) sender(t *testing.T, n int) (p message.ID, order []byte) {
	t.Helper()
	p = w.spawn(t, w.luaModule, string(nextAnchor()))
	var code strings.Builder
	for range n {
		target := w.spawn(t, message.HashOf([]byte("probe")), string(nextAnchor()))
		fmt.Fprintf(&code, "Send({Target=%q, Data='count'}) ", target)
	}
	return p, w.item(t, p, code.String(), node.Tag{Name: "Action", Value: "Eval"})
}

func ofPushWorkers(t *testing.T, w *world) {
	const workers = 2
	p, order := w.sender(t, 6)
	d := newDam(t, w.node.Addresses().SU, p, false)
	defer sync.OnceFunc(func() { close(d.open) })()
	r := w.start(t, settings.MU, env{"SU_URL": d.URL, "MAX_WORKERS": fmt.Sprint(workers), "ENABLE_METRICS_ENDPOINT": "1"})
	r.ask(t, "POST", "/", order).is(t, 202, "Processing")
	eventually(t, "two deliveries at a time", func() bool {
		under, _, _ := d.seen()
		return under == workers && r.metric(t, "ao_mu_pending_tasks") == 6
	})
	for range 6 { // the others follow, two at a time
		d.open <- struct{}{}
	}
	eventually(t, "the end of the deliveries", func() bool { return r.metric(t, "ao_mu_pending_tasks") == 0 })
	if _, most, in := d.seen(); most != workers || in != 6 {
		t.Errorf("%d of %d deliveries were under way at a time, want %d", most, in, workers)
	}
}

// ofRetryDelay: six attempts within the patience of the test; with the delays of the default they take half a minute.
func ofRetryDelay(t *testing.T, w *world) {
	p, order := w.sender(t, 1)
	d := newDam(t, w.node.Addresses().SU, p, true)
	r := w.start(t, settings.MU, env{"SU_URL": d.URL, "TASK_QUEUE_RETRY_DELAY": "1"})
	r.ask(t, "POST", "/", order).is(t, 202, "Processing")
	eventually(t, "six attempts", func() bool { _, _, in := d.seen(); return in >= 6 })
}

func ofRetries(t *testing.T, w *world) {
	p, order := w.sender(t, 1)
	d := newDam(t, w.node.Addresses().SU, p, true)
	r := w.start(t, settings.MU, env{"SU_URL": d.URL, "TASK_QUEUE_RETRY_DELAY": "1", "TASK_QUEUE_MAX_RETRIES": "3", "DISABLE_TRACE": "false"})
	r.ask(t, "POST", "/", order).is(t, 202, "Processing")
	eventually(t, "the end of the attempts", func() bool { return strings.Contains(r.ask(t, "GET", "/tasks?state=parked", nil).body, p.String()) })
	if _, _, in := d.seen(); in != 3 {
		t.Errorf("%d attempts, want 3", in)
	}
}

// database starts a scheduler on a database of its own.
func (w *world) database(t *testing.T, e env) (r *running, server *pgtest.Server, url string) {
	t.Helper()
	server = pgtest.Shared(t)
	url = server.Database(t)
	e["DATABASE_URL"] = url
	if read := e["DATABASE_READ_URL"]; read != "" {
		e["DATABASE_READ_URL"] = url + read
	}
	e["WALLET"] = w.wallet
	return w.start(t, settings.SU, e), server, url
}

// connections counts those of a program to a database.
func connections(t *testing.T, server *pgtest.Server, url, condition string) int {
	t.Helper()
	n, err := strconv.Atoi(server.Ask(t, url, "select count(*)::text from pg_stat_activity where datname = current_database() and "+condition))
	check(t, err)
	return n
}

func ofDatabaseURL(t *testing.T, w *world) {
	r, server, url := w.database(t, env{})
	r.post(t, r.spawn(t), "x").is(t, 200, "")
	if got := server.Ask(t, url, "select count(*)::text from ago_slots"); got != "2" {
		t.Errorf("the database has %s slots, want 2", got)
	}
}

func ofReadURL(t *testing.T, w *world) {
	r, server, url := w.database(t, env{"DATABASE_READ_URL": "&application_name=elsewhere"})
	id := r.spawn(t)
	r.ask(t, "GET", "/"+id.String(), nil).is(t, 200, id.String())
	if n := connections(t, server, url, "application_name = 'elsewhere' and query like '%ago_slots%'"); n == 0 {
		t.Error("slots are not read there")
	}
}

// ofWriteConnections: writers that wait for a lock are as many as may be.
func ofWriteConnections(t *testing.T, w *world) {
	const most = 3
	r, server, url := w.database(t, env{"DB_WRITE_CONNECTIONS": fmt.Sprint(most)})
	var items [][]byte
	for range 8 {
		_, raw := w.spawnItem(t, r.said["address"])
		items = append(items, raw)
	}
	free := server.Hold(t, url, "lock table ago_slots in exclusive mode")
	var wg sync.WaitGroup
	for _, raw := range items {
		wg.Go(func() {
			answer, err := http.Post(r.url, "application/octet-stream", bytes.NewReader(raw))
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			if answer.StatusCode != 200 {
				t.Errorf("a process was answered with %s", answer.Status)
			}
		})
	}
	waiting := func() int {
		return connections(t, server, url, "wait_event_type = 'Lock' and application_name = 'ago'")
	}
	eventually(t, "three writers", func() bool { return waiting() == most })
	free()
	wg.Wait()
}

// ofReadConnections: however many read, as many statements as may be are under way at the replica.
func ofReadConnections(t *testing.T, w *world) {
	const most = 2
	r, server, url := w.database(t, env{})
	id := r.spawn(t)
	r.stop()
	replica := server.Copy(t, url)
	r = w.start(t, settings.SU, env{"DATABASE_URL": url, "DATABASE_READ_URL": replica, "DB_READ_CONNECTIONS": fmt.Sprint(most), "WALLET": w.wallet})
	free := server.Hold(t, replica, "lock table ago_slots in access exclusive mode")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { r.ask(t, "GET", "/"+id.String()+"?limit=1", nil).is(t, 200, id.String()) })
	}
	eventually(t, "two reads", func() bool {
		return connections(t, server, replica, "wait_event_type = 'Lock' and application_name = 'ago'") == most
	})
	free()
	wg.Wait()
	if n := connections(t, server, replica, "application_name = 'ago'"); n != most { // they stay open
		t.Errorf("%d connections to the replica, want %d", n, most)
	}
}

// ofProcessCache: definitions in memory are at most so many.
func ofProcessCache(t *testing.T, w *world) {
	r := w.start(t, settings.SU, env{"PROCESS_CACHE_SIZE": "2", "ENABLE_METRICS": "true"})
	var all []message.ID
	for range 5 {
		all = append(all, r.spawn(t))
	}
	seen := map[float64]bool{}
	for _, id := range all {
		r.post(t, id, "x").is(t, 200, "")
		seen[r.metric(t, "ao_su_cached_processes")] = true
	}
	if !seen[1] || !seen[2] || len(seen) != 2 {
		t.Errorf("one or two processes should be in memory: %v", seen)
	}
}
