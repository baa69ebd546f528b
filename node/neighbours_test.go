package node

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
)

// step makes one request and follows nothing.
func step(t testing.TB, method, url string, body []byte) (status int, location, text string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := unfollowing.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Location"), string(b)
}

// scheduler starts one more scheduler in front of the gateway of a network.
func (a *apart) scheduler(t testing.TB, c SchedulerConfig) *SchedulerUnit {
	t.Helper()
	c.Gateways, c.Bundler = []string{a.gateway.URL()}, cmp.Or(c.Bundler, a.gateway.BundlerURL())
	s, err := StartScheduler(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, s.Close)
	return s
}

// item makes a message for a process, or a process if that is zero.
func (a *apart) item(t testing.TB, p message.ID, scheduler string) (message.ID, []byte) {
	t.Helper()
	d := ans104.Draft{Anchor: anchor(), Data: []byte("1"), Tags: []Tag{{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}}}
	if p.IsZero() {
		d.Tags = append(d.Tags, Tag{Name: "Type", Value: "Process"}, Tag{Name: "Module", Value: builtin.ID().String()}, Tag{Name: "Scheduler", Value: scheduler})
	} else {
		d.Target, d.HasTarget = p, true
		d.Tags = append(d.Tags, Tag{Name: "Type", Value: "Message"})
	}
	it, err := ans104.Sign(d, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return it.ID(), it.Raw
}

func waitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

// TestAProcessOfAnotherSchedulerIsThere: every request about a process goes to the scheduler that the process names.
func TestAProcessOfAnotherSchedulerIsThere(t *testing.T) {
	t.Parallel()
	a := startApart(t, nil)
	second := a.scheduler(t, SchedulerConfig{Redirects: true})
	alone := a.scheduler(t, SchedulerConfig{})
	p, raw := a.item(t, message.ID{}, a.su.Address())
	if status, _, text := step(t, "POST", a.su.URL(), raw); status != 200 {
		t.Fatal(status, text)
	}
	id, msg := a.item(t, p, "")
	waitFor(t, "the upload of the process", func() bool {
		_, base, err := a.client.Locate(t.Context(), p)
		return err == nil && base == a.su.URL()
	})
	for _, c := range []struct {
		method, path string
		body         []byte
	}{
		{"POST", "/", msg}, {"POST", fmt.Sprintf("/?process-id=%s&assign=%s", p, id), nil}, {"GET", "/" + p.String() + "?from-nonce=0&limit=5", nil},
		{"GET", fmt.Sprintf("/%s?process-id=%s", id, p), nil}, {"GET", "/processes/" + p.String(), nil}, {"GET", "/" + p.String() + "/latest", nil},
		{"GET", "/timestamp?process-id=" + p.String(), nil}, {"GET", "/?process-id=" + p.String(), nil},
	} {
		if status, place, text := step(t, c.method, second.URL()+c.path, c.body); status != http.StatusTemporaryRedirect || place != a.su.URL()+c.path {
			t.Errorf("%s %s: %d to %q %s", c.method, c.path, status, place, text)
		}
		if status, place, _ := step(t, c.method, alone.URL()+c.path, c.body); status/100 == 3 {
			t.Errorf("%s %s: a scheduler that was told not to answers %d to %s", c.method, c.path, status, place)
		}
		if status, place, _ := step(t, c.method, a.su.URL()+c.path, c.body); status/100 == 3 {
			t.Errorf("%s %s: the scheduler of the process answers %d to %s", c.method, c.path, status, place)
		}
	}
	// Clients notice nothing: they follow with the same body.
	_, msg = a.item(t, p, "")
	answer, err := http.Post(second.URL(), "application/octet-stream", bytes.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 200 || answer.Request.URL.Host != strings.TrimPrefix(a.su.URL(), "http://") {
		t.Errorf("a message was answered with %s by %s", answer.Status, answer.Request.URL)
	}
	// What nobody has is not found, and neither is what its own scheduler does not have.
	nowhere, lost := message.HashOf([]byte("nowhere")), message.ID{}
	lost, raw = a.item(t, message.ID{}, second.Address())
	if err := a.client.Upload(t.Context(), itemOf(t, raw)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []message.ID{nowhere, lost} {
		if status, _, text := step(t, "GET", second.URL()+"/"+p.String(), nil); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", p, status, text)
		}
	}
}

// TestANodeSendsToOtherSchedulers: the scheduler of a node that stands on another gateway does what one alone does.
func TestANodeSendsToOtherSchedulers(t *testing.T) {
	t.Parallel()
	a := startApart(t, nil)
	n, err := Start(t.Context(), Config{Upstream: []string{a.gateway.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, n.Close)
	p, raw := a.item(t, message.ID{}, a.su.Address())
	if status, _, text := step(t, "POST", a.su.URL(), raw); status != 200 {
		t.Fatal(status, text)
	}
	waitFor(t, "the upload of the process", func() bool {
		_, base, err := a.client.Locate(t.Context(), p)
		return err == nil && base == a.su.URL()
	})
	for _, path := range []string{"/" + p.String() + "?from-nonce=0&limit=5", "/processes/" + p.String(), "/" + p.String() + "/latest"} {
		if status, place, text := step(t, "GET", n.Addresses().SU+path, nil); status != http.StatusTemporaryRedirect || place != a.su.URL()+path {
			t.Errorf("%s: %d to %q %s", path, status, place, text)
		}
	}
	_, msg := a.item(t, p, "")
	if status, place, text := step(t, "POST", n.Addresses().SU+"/", msg); status != http.StatusTemporaryRedirect || place != a.su.URL()+"/" {
		t.Errorf("a message: %d to %q %s", status, place, text)
	}
	if status, _, text := step(t, "GET", n.Addresses().SU+"/"+message.HashOf([]byte("nowhere")).String(), nil); status != http.StatusNotFound {
		t.Errorf("what nobody has: %d %s", status, text)
	}
}

func itemOf(t testing.TB, raw []byte) *ans104.Item {
	t.Helper()
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// TestStrangersIdsAreNotAskedForAgain: a gateway hears of an unknown process once in a while only.
func TestStrangersIdsAreNotAskedForAgain(t *testing.T) {
	t.Parallel()
	a := startApart(t, nil)
	var asked atomic.Int64
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.WriteString(w, `{"data":{"transactions":{"edges":[]}}}`)
	}))
	defer gateway.Close()
	s := a.scheduler(t, SchedulerConfig{Redirects: true, GraphQL: gateway.URL + "/graphql"})
	before := asked.Load()
	for range 20 {
		step(t, "GET", s.URL()+"/"+nobody.String(), nil)
	}
	if n := asked.Load() - before; n != 1 {
		t.Errorf("the gateway was asked %d times", n)
	}
}

// TestTheTimeToLiveOfALocation: it is the one that was set, and a new one is announced.
func TestTheTimeToLiveOfALocation(t *testing.T) {
	t.Parallel()
	a := startApart(t, nil)
	c := SchedulerConfig{UnitConfig: UnitConfig{Dir: t.TempDir()}, PublicURL: "https://su.example"}
	for _, ttl := range []time.Duration{0, 5 * time.Minute, 5 * time.Minute, 2 * time.Second} {
		c.LocationTTL = ttl
		s := a.scheduler(t, c)
		want := fmt.Sprint(cmp.Or(ttl, time.Hour).Milliseconds())
		waitFor(t, "the announcement", func() bool { return timeToLive(t, a, s.Address()) == want })
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// timeToLive asks the gateway as clients do.
func timeToLive(t testing.TB, a *apart, owner string) string {
	t.Helper()
	query, err := json.Marshal(map[string]string{"query": `{transactions(owners:["` + owner + `"],first:1,sort:HEIGHT_DESC,tags:[{name:"Type",values:["Scheduler-Location"]}]){edges{node{tags{name value}}}}}`})
	if err != nil {
		t.Fatal(err)
	}
	_, got := request(t, "POST", a.gateway.URL()+"/graphql", query)
	var answer struct {
		Data struct {
			Transactions struct {
				Edges []struct{ Node struct{ Tags []Tag } }
			}
		}
	}
	if err := json.Unmarshal(got, &answer); err != nil {
		t.Fatal(err)
	}
	for _, e := range answer.Data.Transactions.Edges {
		for _, tag := range e.Node.Tags {
			if tag.Name == "Time-To-Live" {
				return tag.Value
			}
		}
	}
	return ""
}

// behindARouter are two schedulers with one wallet, which ask the router whose a new process is.
type behindARouter struct {
	*apart
	router *SchedulerRouter
	su     [2]*SchedulerUnit
	key    *commitment.Key
}

func startBehindARouter(t testing.TB) *behindARouter {
	t.Helper()
	b := &behindARouter{apart: startApart(t, nil), key: keyOf(t, "w")}
	// The router has to know the schedulers, and they the router: a port is told before it is listened on.
	var ahead atomic.Pointer[http.ServeMux]
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ahead.Load().ServeHTTP(w, r) }))
	t.Cleanup(door.Close)
	var list []RoutedScheduler
	for i := range b.su {
		b.su[i] = b.scheduler(t, SchedulerConfig{UnitConfig: UnitConfig{Key: b.key}, Router: door.URL, Redirects: true})
		list = append(list, RoutedScheduler{URL: b.su[i].URL()})
	}
	var err error
	if b.router, err = StartSchedulerRouter(t.Context(), SchedulerRouterConfig{UnitConfig: UnitConfig{Metrics: true}, Schedulers: list}); err != nil {
		t.Fatal(err)
	}
	closing(t, b.router.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status, place, text := step(t, r.Method, b.router.URL()+r.URL.RequestURI(), body)
		w.Header().Set("Location", place)
		w.WriteHeader(status)
		io.WriteString(w, text)
	})
	ahead.Store(mux)
	return b
}

// TestTwoSchedulersBehindARouter: each process is at one of them, whoever is asked first.
func TestTwoSchedulersBehindARouter(t *testing.T) {
	t.Parallel()
	b := startBehindARouter(t)
	address := b.key.Address().String()
	placed := map[string]int{}
	var processes []message.ID
	for range 10 {
		p, raw := b.item(t, message.ID{}, address)
		for _, su := range b.su { // nobody gave it a scheduler yet
			if status, _, text := step(t, "POST", su.URL(), raw); status != http.StatusForbidden || !strings.Contains(text, "process-unrouted") {
				t.Fatalf("a process that came by the back door: %d %s", status, text)
			}
		}
		status, place, text := step(t, "POST", b.router.URL(), raw)
		if status != http.StatusTemporaryRedirect {
			t.Fatal(status, text)
		}
		home := strings.TrimSuffix(place, "/")
		placed[home]++
		for _, su := range b.su { // the wrong one names the right one, and makes nothing
			if status, place, text := step(t, "POST", su.URL(), raw); su.URL() != home && (status != http.StatusTemporaryRedirect || place != home+"/") {
				t.Errorf("the other scheduler answered %d to %s %s", status, place, text)
			} else if su.URL() == home && status != 200 {
				t.Errorf("its scheduler answered %d %s", status, text)
			}
		}
		processes = append(processes, p)
	}
	if len(placed) != 2 || placed[b.su[0].URL()] != 5 {
		t.Errorf("processes are at %v", placed)
	}
	through := &client.Network{SU: b.router.URL(), MU: b.router.URL()}
	for _, p := range processes {
		for range 3 {
			if _, err := through.Send(t.Context(), b.apart.key, client.Message{Process: p, Data: []byte("1"), Anchor: anchor()}); err != nil {
				t.Fatal(err)
			}
		}
		edge, err := through.Latest(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := edge.Read(); err != nil || s.Slot != 3 {
			t.Errorf("%s is at slot %d, %v", p, s.Slot, err)
		}
		here := 0
		for _, su := range b.su {
			if _, err := su.scheduler.Process(t.Context(), p); err == nil {
				here++
			}
		}
		if here != 1 {
			t.Errorf("%s is at %d schedulers", p, here)
		}
	}
	// A message for a process that nobody has.
	_, raw := b.item(t, nobody, "")
	if status, _, text := step(t, "POST", b.router.URL(), raw); status != http.StatusNotFound || !strings.Contains(text, "process-unknown") {
		t.Errorf("a message for nobody: %d %s", status, text)
	}
	readyIs(t, b.router.URL(), 200)
	if err := b.su[0].Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the note about the one that stopped", func() bool {
		_, _, text := step(t, "GET", b.router.URL()+"/ready", nil)
		return strings.Contains(text, b.su[0].URL()+" does not answer")
	})
	readyIs(t, b.router.URL(), 200)
	if _, _, text := step(t, "GET", b.router.URL()+"/metrics", nil); !strings.Contains(text, "\nao_su_schedulers_down 1\n") {
		t.Error("the metrics do not tell")
	}
	if err := b.su[1].Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of readiness", func() bool { status, _, _ := step(t, "GET", b.router.URL()+"/ready", nil); return status == 503 })
}

// TestARouterThatDoesNotAnswer: what nobody can tell is refused for now, and the process is made nowhere.
func TestARouterThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	a := startApart(t, nil)
	s := a.scheduler(t, SchedulerConfig{Router: "http://127.0.0.1:1", Assignment: "7"})
	p, raw := a.item(t, message.ID{}, s.Address())
	if status, _, text := step(t, "POST", s.URL(), raw); status != 503 || !strings.Contains(text, "router-unreachable") {
		t.Errorf("%d %s", status, text)
	}
	if _, err := s.scheduler.Process(t.Context(), p); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the process is here: %v", err)
	}
}

// TestTheNumberAtARouter: the published form of the check compares the number in the router's address.
func TestTheNumberAtARouter(t *testing.T) {
	t.Parallel()
	a := startApart(t, nil)
	var place atomic.Pointer[string]
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", *place.Load()+r.URL.RequestURI())
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer router.Close()
	s := a.scheduler(t, SchedulerConfig{Router: router.URL, Assignment: "7"})
	for base, want := range map[string]int{"https://su7.ao.example": 200, "https://su77.ao.example": 307, "https://su.ao.example": 307, "ftp://su7": 503} {
		place.Store(&base)
		_, raw := a.item(t, message.ID{}, s.Address())
		if status, to, text := step(t, "POST", s.URL(), raw); status != want || status == 307 && to != base+"/" {
			t.Errorf("%s: %d to %s %s", base, status, to, text)
		}
	}
}

func readyIs(t testing.TB, url string, want int) (answer struct {
	Ready          bool
	Reasons, Notes []string
}) {
	t.Helper()
	status, _, text := step(t, "GET", url+"/ready", nil)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != want || answer.Ready != (want == 200) || (len(answer.Reasons) == 0) != answer.Ready {
		t.Errorf("%s/ready: %d %s, %v", url, status, text, err)
	}
	return answer
}

// TestANodeLeavesTheDataOfASchedulerAlone: it would push again what messengers elsewhere have pushed.
func TestANodeLeavesTheDataOfASchedulerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := startApart(t, nil)
	s := a.scheduler(t, SchedulerConfig{UnitConfig: UnitConfig{Dir: dir}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Start(t.Context(), Config{Dir: dir, CacheDir: modulesCache}); fault.CodeOf(err) != "data-of-a-scheduler" {
		t.Errorf("it starts: %v, %v", n, err)
	}
	closing(t, a.scheduler(t, SchedulerConfig{UnitConfig: UnitConfig{Dir: dir}}).Close)
}
