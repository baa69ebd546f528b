package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ago/client"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func portOf(t testing.TB, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// pair are two schedulers with folders and wallets of their own, behind a router.
type pair struct {
	*apart
	configs [2]SchedulerConfig
	su      [2]*SchedulerUnit
	urls    [2]string
}

func startPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{}
	p.apart = startApart(t, func(c *SchedulerConfig, _ *MessengerConfig) { c.Key = keyOf(t, "1"); p.configs[0] = *c })
	p.configs[0].Bundler, p.configs[0].Redirects = p.gateway.BundlerURL(), true
	p.configs[1] = p.configs[0]
	p.configs[1].UnitConfig = UnitConfig{Dir: filepath.Join(p.dir, "su2"), Key: keyOf(t, "2")}
	p.su[0] = p.apart.su
	p.su[1] = p.scheduler(t, p.configs[1])
	for i := range p.su {
		p.urls[i] = p.su[i].URL()
		p.configs[i].Port = portOf(t, p.urls[i])
	}
	return p
}

func (p *pair) stop(t testing.TB, i int) {
	t.Helper()
	if err := p.su[i].Close(); err != nil {
		t.Fatal(err)
	}
}

// start starts a scheduler again where it answered before.
func (p *pair) start(t testing.TB, i int) {
	t.Helper()
	p.su[i] = p.scheduler(t, p.configs[i])
}

// on has something done with the data of a scheduler that does not run.
func (p *pair) on(t testing.TB, i int, do func(d *SchedulerData)) {
	t.Helper()
	d, err := OpenSchedulerData(t.Context(), p.configs[i].Dir, p.configs[i].Log)
	if err != nil {
		t.Fatal(err)
	}
	do(d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func (p *pair) router(t testing.TB, moved ...message.ID) string {
	t.Helper()
	r, err := StartSchedulerRouter(t.Context(), SchedulerRouterConfig{Schedulers: []RoutedScheduler{{URL: p.urls[0]}, {URL: p.urls[1], Processes: moved}}})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, r.Close)
	return r.URL()
}

// TestAProcessMovesToAnotherScheduler: the old one takes nothing any more and names the new one, which goes on with slots and
// hash chain. Messengers and compute units follow, whether they ask the router or the scheduler that the process names.
func TestAProcessMovesToAnotherScheduler(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := startPair(t)
	router := p.router(t)
	id := p.spawn(t)
	p.eval(t, id, "N = 0")
	for range 3 {
		p.eval(t, id, "N = N + 1; return N")
	}
	known, raw := p.item(t, id, "")
	if status, _, text := step(t, "POST", p.urls[0], raw); status != 200 {
		t.Fatal(status, text)
	}
	follower, err := StartEvaluator(EvaluatorConfig{CacheDir: modulesCache, Gateway: p.gateway.URL(), SU: router, VerifySignatures: true})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, follower.Close)
	through := &client.Network{Gateway: p.gateway.URL(), SU: router, MU: router, CU: follower.URL()}
	count := func(want string) {
		t.Helper()
		sent, err := through.Send(ctx, p.key, client.Message{Process: id, Tags: []Tag{{Name: "Action", Value: "Eval"}}, Data: []byte("N = N + 1; return N"), Anchor: anchor()})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := through.Result(ctx, id, sent); err != nil || r.Text() != want {
			t.Fatalf("%s, %v; want %s", r.JSON, err, want)
		}
	}
	count("4")

	folder := filepath.Join(t.TempDir(), "moved")
	if _, err := OpenSchedulerData(ctx, p.configs[0].Dir, nil); fault.CodeOf(err) != "store-locked" {
		t.Fatalf("the data of a running scheduler: %v", err)
	}
	p.stop(t, 0)
	p.stop(t, 1)
	p.on(t, 0, func(d *SchedulerData) {
		plain := t.TempDir() // an empty folder may be one that an interrupted export left
		if e, err := d.Export(ctx, id, plain); err != nil || e.HandedOver != nil || e.Slots != 7 {
			t.Fatalf("%+v, %v", e, err)
		}
		if _, err := d.Import(ctx, plain, ImportOptions{Continue: true}); fault.CodeOf(err) != "export-not-handed-over" {
			t.Errorf("an export that hands nothing over is continued: %v", err)
		}
		if _, err := d.HandOver(ctx, id, plain, p.urls[1]); fault.CodeOf(err) != "export-unwritable" || d.scheduler.HandedOver(id).To != "" {
			t.Errorf("into the folder of another export: %v", err)
		}
	})
	// An export that was interrupted: the process is handed over, and the folder is not whole.
	p.on(t, 0, func(d *SchedulerData) {
		if _, err := d.scheduler.HandOver(ctx, id, p.urls[1]); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{logFile, manifestPart} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte("cut o"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	for range 2 { // a second time changes nothing
		p.on(t, 0, func(d *SchedulerData) {
			if e, err := d.HandOver(ctx, id, folder, p.urls[1]); err != nil || e.Slots != 7 || *e.HandedOver != (ExportedHandover{p.urls[1], 1}) {
				t.Fatalf("%+v, %v", e, err)
			}
		})
	}
	// An import that was interrupted: half of the log is there.
	p.on(t, 1, func(d *SchedulerData) {
		half := filepath.Join(t.TempDir(), "half")
		if err := os.CopyFS(half, os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
		e, err := readManifest(half)
		if err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(filepath.Join(half, logFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(half, logFile), []byte(strings.Join(strings.SplitAfter(string(log), "\n")[:3], "")), 0o600); err != nil {
			t.Fatal(err)
		}
		if head, err := d.importLog(ctx, e, half, nil); err != nil || head.Next != 3 {
			t.Fatal(head, err)
		}
	})
	for range 2 {
		p.on(t, 1, func(d *SchedulerData) {
			if _, err := d.Import(ctx, folder, ImportOptions{Continue: true}); err != nil {
				t.Fatal(err)
			}
		})
	}
	p.on(t, 0, func(d *SchedulerData) {
		if _, err := d.Import(ctx, folder, ImportOptions{Continue: true}); fault.CodeOf(err) != "term-over" {
			t.Errorf("the old scheduler takes its own export: %v", err)
		}
	})
	p.start(t, 0)
	p.start(t, 1)

	// The router was not told yet, and the process names the old scheduler for ever.
	count("5")
	if got := p.eval(t, id, "N = N + 1; return N"); got != "6" {
		t.Errorf("through the messenger: %s", got)
	}
	other, msg := p.item(t, id, "")
	for _, c := range []struct {
		method, path string
		body         []byte
	}{
		{"POST", "/", msg}, {"POST", "/", raw}, {"POST", fmt.Sprintf("/?process-id=%s&assign=%s", id, other), nil}, {"GET", "/" + id.String() + "?from-nonce=0&limit=5", nil},
		{"GET", fmt.Sprintf("/%s?process-id=%s", known, id), nil}, {"GET", "/" + known.String(), nil}, {"GET", "/processes/" + id.String(), nil}, {"GET", "/" + id.String() + "/latest", nil},
		{"GET", "/timestamp?process-id=" + id.String(), nil}, {"GET", "/?process-id=" + id.String(), nil},
	} {
		if status, place, text := step(t, c.method, p.urls[0]+c.path, c.body); status != http.StatusTemporaryRedirect || place != p.urls[1]+c.path {
			t.Errorf("%s %s: %d to %q %s", c.method, c.path, status, place, text)
		}
	}
	if _, err := p.su[0].scheduler.Submit(ctx, verified(t, msg)); fault.CodeOf(err) != "process-handed-over" {
		t.Errorf("the old scheduler takes a message: %v", err)
	}
	// A message of before is known at the new one.
	slots := slotsOf(t, p.urls[1], id)
	if status, _, text := step(t, "POST", p.urls[1], raw); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if again := slotsOf(t, p.urls[1], id); len(again) != len(slots) || len(slots) != 9 || !slices.Equal(again[:7], exportedIDs(t, folder)) {
		t.Errorf("%d slots became %d", len(slots), len(again))
	}
	// A router that is told sends clients straight there; a fresh compute unit comes to the same result.
	router = p.router(t, id)
	if status, place, _ := step(t, "GET", router+"/"+id.String(), nil); status != http.StatusTemporaryRedirect || place != p.urls[1]+"/"+id.String() {
		t.Errorf("the router answers %d to %s", status, place)
	}
	through.SU, through.MU = router, router
	count("7")
	fresh, err := StartEvaluator(EvaluatorConfig{CacheDir: modulesCache, Gateway: p.gateway.URL(), SU: router, VerifySignatures: true})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, fresh.Close)
	last := slotsOf(t, p.urls[1], id)
	for _, m := range last[1:] {
		var results []string
		for _, cu := range []string{follower.URL(), fresh.URL(), p.cu.URL()} {
			status, _, text := step(t, "GET", fmt.Sprintf("%s/result/%s?process-id=%s", cu, m, id), nil)
			if status != 200 {
				t.Fatal(status, text)
			}
			results = append(results, text)
		}
		if results[0] != results[1] || results[0] != results[2] {
			t.Errorf("results of %s differ: %q", m, results)
		}
	}
}

// TestASchedulerNamesItselfAsTheNext: clients are not sent in circles. What was handed over can be brought back by way of a third
// folder.
func TestASchedulerNamesItselfAsTheNext(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	id := p.spawn(t)
	own, back := filepath.Join(t.TempDir(), "own"), filepath.Join(t.TempDir(), "back")
	p.stop(t, 0)
	p.on(t, 0, func(d *SchedulerData) {
		if _, err := d.HandOver(t.Context(), id, own, p.urls[0]); err != nil {
			t.Fatal(err)
		}
	})
	p.start(t, 0)
	_, msg := p.item(t, id, "")
	if status, _, text := step(t, "GET", p.urls[0]+"/"+id.String(), nil); status != 200 {
		t.Errorf("its log: %d %s", status, text)
	}
	if status, _, text := step(t, "POST", p.urls[0], msg); status != 503 || !strings.Contains(text, "process-handed-over") {
		t.Errorf("a message: %d %s", status, text)
	}
	p.stop(t, 0)
	third, err := OpenSchedulerData(t.Context(), t.TempDir(), p.configs[0].Log)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, third.Close)
	if _, err := third.Import(t.Context(), own, ImportOptions{Continue: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := third.HandOver(t.Context(), id, back, p.urls[0]); err != nil {
		t.Fatal(err)
	}
	p.on(t, 0, func(d *SchedulerData) {
		if _, err := d.Import(t.Context(), back, ImportOptions{Continue: true}); err != nil {
			t.Fatal(err)
		}
	})
	p.start(t, 0)
	if status, _, text := step(t, "POST", p.urls[0], msg); status != 200 {
		t.Errorf("a message after it is back: %d %s", status, text)
	}
	if got := slotsOf(t, p.urls[0], id); len(got) != 2 {
		t.Errorf("%d slots", len(got))
	}
}

func verified(t testing.TB, raw []byte) commitment.Verified {
	t.Helper()
	v, err := commitment.Verify(itemOf(t, raw).Message())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// slotsOf reads the ids of all messages of a process from a scheduler.
func slotsOf(t testing.TB, su string, p message.ID) []message.ID {
	t.Helper()
	_, _, text := step(t, "GET", su+"/"+p.String()+"?limit=1000", nil)
	var page struct {
		Edges []struct {
			Node struct{ Message struct{ ID message.ID } }
		}
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatal(err, text)
	}
	var out []message.ID
	for _, e := range page.Edges {
		out = append(out, e.Node.Message.ID)
	}
	return out
}

// exportedIDs reads them from a folder.
func exportedIDs(t testing.TB, dir string) []message.ID {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []message.ID
	for lines := json.NewDecoder(f); lines.More(); {
		var s exportedSlot
		if err := lines.Decode(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s.Message)
	}
	return out
}
