package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ago/builtin"
	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/push"
)

// apart are four units that know each other by their addresses only.
type apart struct {
	gateway *GatewayUnit
	su      *SchedulerUnit
	cu      *Evaluator
	mu      *MessengerUnit
	client  *client.Network
	key     *commitment.Key
	dir     string
}

func closing(t testing.TB, close func() error) {
	t.Cleanup(func() {
		if err := close(); err != nil {
			t.Error(err)
		}
	})
}

// startApart starts the units one after the other. An address that is given stands for the unit.
func startApart(t testing.TB, change func(*SchedulerConfig, *MessengerConfig)) *apart {
	t.Helper()
	ctx := context.Background()
	a := &apart{dir: t.TempDir()}
	probe, err := os.ReadFile(probeFile)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := ModuleTags(probe, Tag{Name: "Module-Format", Value: probeFormat})
	if err != nil {
		t.Fatal(err)
	}
	if a.gateway, err = StartGateway(ctx, GatewayConfig{Modules: []Module{{ID: probeID, Data: probe, Tags: tags}}}); err != nil {
		t.Fatal(err)
	}
	closing(t, a.gateway.Close)
	sc := SchedulerConfig{UnitConfig: UnitConfig{Dir: filepath.Join(a.dir, "su")}, Gateways: []string{a.gateway.URL()}, Bundler: a.gateway.BundlerURL()}
	mc := MessengerConfig{
		UnitConfig: UnitConfig{Dir: filepath.Join(a.dir, "mu")}, Gateway: a.gateway.URL(), Bundler: a.gateway.BundlerURL(),
		Traces: true, PushRoute: true, ResultDelay: 10 * time.Millisecond, Limits: push.Limits{DelayFirst: 10 * time.Millisecond},
	}
	if change != nil {
		change(&sc, &mc)
	}
	if a.su, err = StartScheduler(ctx, sc); err != nil {
		t.Fatal(err)
	}
	closing(t, a.su.Close)
	if a.cu, err = StartEvaluator(EvaluatorConfig{CacheDir: modulesCache, Gateway: a.gateway.URL()}); err != nil {
		t.Fatal(err)
	}
	closing(t, a.cu.Close)
	if mc.CU == "" {
		mc.CU = a.cu.URL()
	}
	a.startMessenger(t, mc)
	if a.key, err = commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat("u", 32))); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *apart) startMessenger(t testing.TB, c MessengerConfig) {
	t.Helper()
	var err error
	if a.mu, err = StartMessenger(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	closing(t, a.mu.Close)
	a.client = &client.Network{Gateway: a.gateway.URL(), Bundler: a.gateway.BundlerURL(), MU: a.mu.URL(), SU: a.su.URL(), CU: a.cu.URL()}
}

func (a *apart) spawn(t testing.TB) message.ID {
	t.Helper()
	id, err := a.client.Spawn(t.Context(), a.key, client.Spawn{
		Module: builtin.ID(), Scheduler: a.su.Address(), Authority: a.mu.Authority(), Tags: []Tag{{Name: "Name", Value: string(anchor())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (a *apart) eval(t testing.TB, p message.ID, code string) string {
	t.Helper()
	id, err := a.client.Send(t.Context(), a.key, client.Message{Process: p, Tags: []Tag{{Name: "Action", Value: "Eval"}}, Data: []byte(code), Anchor: anchor()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.client.Result(t.Context(), p, id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Text()
}

// until asks for the value of an expression until it is the one that is wanted.
func (a *apart) until(t testing.TB, p message.ID, expression, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = a.eval(t, p, "return tostring("+expression+")"); got == want {
			return
		}
	}
	t.Fatalf("%s is %q, not %q", expression, got, want)
}

// TestUnitsApartPlayPingPong: two processes answer each other through four units that share nothing but HTTP.
func TestUnitsApartPlayPingPong(t *testing.T) {
	t.Parallel()
	a := startApart(t, nil)
	one, two := a.spawn(t), a.spawn(t)
	for _, p := range []message.ID{one, two} {
		a.eval(t, p, `Count = 0
Handlers.add("Ping", "Ping", function(m)
  Count = Count + 1
  if tonumber(m.N) > 0 then Send({Target = m.From, Action = "Ping", N = tostring(tonumber(m.N) - 1)}) end
end)`)
	}
	first, err := a.client.Send(t.Context(), a.key, client.Message{Process: one, Tags: []Tag{{Name: "Action", Value: "Eval"}},
		Data: fmt.Appendf(nil, `Send({Target = "%s", Action = "Ping", N = "9"})`, two), Anchor: anchor()})
	if err != nil {
		t.Fatal(err)
	}
	a.until(t, two, "Count", "5")
	a.until(t, one, "Count", "5")
	// The chain is told, from the first message on.
	answer, err := http.Get(a.mu.URL() + "/trace/" + first.String())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var trace struct{ Hops []json.RawMessage }
	if err := json.NewDecoder(answer.Body).Decode(&trace); err != nil || len(trace.Hops) != 11 {
		t.Errorf("%d hops, %v; want 11", len(trace.Hops), err)
	}
	// What was scheduled is at the gateway, and a process makes another one.
	if _, err := a.client.Transaction(t.Context(), first); err != nil {
		t.Error(err)
	}
	a.eval(t, one, fmt.Sprintf(`Handlers.add("Made", function(m) return m.Action == "Spawned" end, function(m) Child = m.Process end)
ao.spawn("%s", {Tags = {{name = "Authority", value = "%s"}}})`, builtin.ID(), a.mu.Authority()))
	a.until(t, one, "Child ~= nil", "true")
}

// TestAMessengerLosesNothing: the compute unit does not answer, the messenger is stopped and started again in between, and a
// message whose outbox was to be pushed still is, once.
func TestAMessengerLosesNothing(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	var cu atomic.Value
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		q, err := http.NewRequestWithContext(r.Context(), r.Method, cu.Load().(string)+r.URL.RequestURI(), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	defer front.Close()
	var config MessengerConfig
	a := startApart(t, func(_ *SchedulerConfig, c *MessengerConfig) { c.CU, config = front.URL, *c; config.CU = front.URL })
	cu.Store(a.cu.URL())
	one, two := a.spawn(t), a.spawn(t)
	a.eval(t, two, `Seen = {} Handlers.add("Hi", "Hi", function(m) Seen[#Seen + 1] = m.N end)`)
	down.Store(true)
	for n := range 5 {
		if _, err := a.client.Send(t.Context(), a.key, client.Message{Process: one, Tags: []Tag{{Name: "Action", Value: "Eval"}},
			Data: fmt.Appendf(nil, `Send({Target = "%s", Action = "Hi", N = "%d"})`, two, n), Anchor: anchor()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.mu.Close(); err != nil {
		t.Fatal(err)
	}
	key, err := OpenKey(config.Dir)
	if err != nil || key.Address() != a.mu.c.Key.Address() {
		t.Fatal("the key of the messenger did not stay", err)
	}
	down.Store(false)
	a.startMessenger(t, config)
	a.until(t, two, `table.concat(Seen, " ")`, "0 1 2 3 4")
	// Asked again to push what was pushed, it changes nothing.
	id, err := a.client.Send(t.Context(), a.key, client.Message{Process: one, Tags: []Tag{{Name: "Action", Value: "Eval"}},
		Data: fmt.Appendf(nil, `Send({Target = "%s", Action = "Hi", N = "last"})`, two), Anchor: anchor()})
	if err != nil {
		t.Fatal(err)
	}
	a.until(t, two, "Seen[#Seen]", "last")
	answer, err := http.Post(fmt.Sprintf("%s/push/%s/0?process-id=%s", a.mu.URL(), id, one), "", nil)
	if err != nil || answer.StatusCode != http.StatusAccepted {
		t.Fatal(answer.Status, err)
	}
	answer.Body.Close()
	a.eval(t, one, fmt.Sprintf(`Send({Target = "%s", Action = "Hi", N = "end"})`, two))
	a.until(t, two, `table.concat(Seen, " ")`, "0 1 2 3 4 last end")
}

// TestAnAnswerOfTheSchedulerIsLost: the answer to a posted message is lost, and the message is pushed all the same.
func TestAnAnswerOfTheSchedulerIsLost(t *testing.T) {
	t.Parallel()
	var lose atomic.Bool
	var su atomic.Value
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, su.Load().(string)+r.URL.RequestURI(), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		q.ContentLength = r.ContentLength
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		if lose.Load() {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	defer front.Close()
	var config MessengerConfig
	a := startApart(t, func(_ *SchedulerConfig, c *MessengerConfig) { c.SU, config = front.URL, *c; config.SU = front.URL })
	config.CU = a.cu.URL()
	su.Store(a.su.URL())
	one, two := a.spawn(t), a.spawn(t)
	a.eval(t, two, `Seen = {} Handlers.add("Hi", "Hi", function(m) Seen[#Seen + 1] = m.N end)`)
	lose.Store(true)
	_, err := a.client.Send(t.Context(), a.key, client.Message{Process: one, Tags: []Tag{{Name: "Action", Value: "Eval"}},
		Data: fmt.Appendf(nil, `Send({Target = "%s", Action = "Hi", N = "1"})`, two), Anchor: anchor()})
	if fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("the answer was lost, and the client is told %v", err)
	}
	if err := a.mu.Close(); err != nil {
		t.Fatal(err)
	}
	lose.Store(false)
	a.startMessenger(t, config)
	a.until(t, two, `table.concat(Seen, " ")`, "1")
}

// TestASchedulerAloneRestarts: after a restart slots follow on, and what could not be uploaded is.
func TestASchedulerAloneRestarts(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	var bundler atomic.Value
	uploads := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer, err := http.Post(bundler.Load().(string)+r.URL.Path, "application/octet-stream", r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
	}))
	defer uploads.Close()
	var config SchedulerConfig
	a := startApart(t, func(c *SchedulerConfig, m *MessengerConfig) {
		c.Bundler, config = uploads.URL, *c
		config.Bundler = uploads.URL
		m.SU = "http://127.0.0.1:1" // nobody pushes here
	})
	bundler.Store(a.gateway.BundlerURL())
	a.client.MU = a.su.URL() // it takes items as a messenger does
	p := a.spawn(t)
	var last message.ID
	for range 3 {
		id, err := a.client.Send(t.Context(), a.key, client.Message{Process: p, Data: []byte("x"), Anchor: anchor()})
		if err != nil {
			t.Fatal(err)
		}
		last = id
	}
	if _, err := a.client.Transaction(t.Context(), last); fault.KindOf(err) != fault.NotFound {
		t.Fatalf("nothing could be uploaded, and the gateway knows the message: %v", err)
	}
	if err := a.su.Close(); err != nil {
		t.Fatal(err)
	}
	up.Store(true)
	var err error
	if a.su, err = StartScheduler(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	closing(t, a.su.Close)
	a.client.SU, a.client.MU = a.su.URL(), a.su.URL()
	if _, err := a.client.Send(t.Context(), a.key, client.Message{Process: p, Data: []byte("x"), Anchor: anchor()}); err != nil {
		t.Fatal(err)
	}
	edge, err := a.client.Latest(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := edge.Read(); err != nil || s.Slot != 4 || s.BlockHeight < 1_500_000 {
		t.Errorf("slot %d at block %d, %v; want 4", s.Slot, s.BlockHeight, err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := a.client.Transaction(t.Context(), last); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	base, err := a.client.Scheduler(t.Context(), a.su.Address())
	for deadline := time.Now().Add(20 * time.Second); base != a.su.URL() && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		base, err = a.client.Scheduler(t.Context(), a.su.Address())
	}
	if err != nil || base != a.su.URL() {
		t.Errorf("the scheduler is said to be at %s, %v", base, err)
	}
}

// TestTimersOfUnitsApart: the messenger asks a compute unit elsewhere what the timers of a watched process sent, and pushes it.
func TestTimersOfUnitsApart(t *testing.T) {
	t.Parallel()
	a := startApart(t, func(_ *SchedulerConfig, c *MessengerConfig) { c.TimerEvery = 100 * time.Millisecond })
	two := a.spawn(t)
	a.eval(t, two, `Seen = 0 Handlers.add("Tick", "Tick", function(m) Seen = Seen + 1 end)`)
	one, err := a.client.Spawn(t.Context(), a.key, client.Spawn{
		Module: builtin.ID(), Scheduler: a.su.Address(), Authority: a.mu.Authority(),
		Tags: []Tag{{Name: "Name", Value: "timer"}, {Name: "Cron-Interval", Value: "1-second"}, {Name: "Cron-Tag-Action", Value: "Cron"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.eval(t, one, fmt.Sprintf(`Handlers.add("Cron", "Cron", function(m) Send({Target = "%s", Action = "Tick"}) end)`, two))
	it, err := ans104.Sign(ans104.Draft{Target: one, HasTarget: true, Anchor: anchor(), Data: []byte(" ")}, a.key)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(a.mu.URL()+"/monitor/"+one.String(), "application/octet-stream", bytes.NewReader(it.Raw))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status, err)
	}
	answer.Body.Close()
	a.until(t, two, "Seen > 0", "true")
}
