package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"ago/message"
)

// behind is a unit behind a router that only notes what it is asked.
type behind struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // METHOD URI BODY
}

func newBehind(t testing.TB) *behind {
	b := &behind{}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *behind) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
	w.Header().Set("X-Unit", b.URL)
	w.WriteHeader(http.StatusAccepted)
	io.WriteString(w, b.URL)
}

func (b *behind) last() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[len(b.asked)-1]
}

func routerOf(t testing.TB, c RouterConfig) *RouterUnit {
	t.Helper()
	u, err := StartRouter(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, u.Close)
	return u
}

func urls(all []*behind) (out []string) {
	for _, b := range all {
		out = append(out, b.URL)
	}
	return out
}

// TestEachRouteOfAProcessGoesToItsUnit: many processes, every route, two routers, again and again: one unit for each.
func TestEachRouteOfAProcessGoesToItsUnit(t *testing.T) {
	t.Parallel()
	all := []*behind{newBehind(t), newBehind(t), newBehind(t), newBehind(t)}
	a := startApart(t, nil)
	units := map[string][2]*RouterUnit{}
	for _, unit := range []string{"cu", "mu"} {
		for i := range 2 {
			pair := units[unit]
			pair[i] = routerOf(t, RouterConfig{Unit: unit, Hosts: urls(all)})
			units[unit] = pair
		}
	}
	share := map[string]int{}
	for n := range 60 {
		p := message.HashOf([]byte{byte(n)})
		home := all[cyrb53(p.String())%4].URL
		share[home]++
		id, item := a.item(t, p, "")
		for _, c := range []struct {
			unit, method, path string
			body               []byte
		}{
			{"cu", "GET", fmt.Sprintf("/result/%s?process-id=%s", id, p), nil}, {"cu", "GET", "/results/" + p.String() + "?limit=3&sort=DESC", nil},
			{"cu", "GET", fmt.Sprintf("/state/%s?to=%s", p, id), nil}, {"cu", "GET", "/cron/" + p.String(), nil},
			{"cu", "POST", "/dry-run?process-id=" + p.String(), []byte(`{"Data":"x"}`)},
			{"mu", "POST", "/", item}, {"mu", "POST", fmt.Sprintf("/?process-id=%s&assign=%s", p, id), nil},
			{"mu", "POST", "/monitor/" + p.String(), []byte("m")}, {"mu", "DELETE", "/monitor/" + p.String(), nil},
			{"mu", "POST", fmt.Sprintf("/push/%s/0?process-id=%s", id, p), nil},
		} {
			u := units[c.unit][n%2]
			status, _, text := step(t, c.method, u.URL()+c.path, c.body)
			unit := all[cyrb53(p.String())%4]
			if status != http.StatusAccepted || text != home || unit.last() != c.method+" "+c.path+" "+string(c.body) {
				t.Fatalf("%s %s of %s: %d from %s, want it from %s; that heard %.100q", c.method, c.path, p, status, text, home, unit.last())
			}
		}
		// A new process is where its messages will be.
		made, raw := a.item(t, message.ID{}, "s")
		if _, _, text := step(t, "POST", units["mu"][0].URL()+"/", raw); text != all[cyrb53(made.String())%4].URL {
			t.Errorf("a new process went to %s", text)
		}
	}
	if len(share) != 4 {
		t.Errorf("processes are at %v", share)
	}
}

// TestTheNextUnitHelpsOut: while a unit is down the next one in the list has its processes, with the same body; afterwards it has them again.
func TestTheNextUnitHelpsOut(t *testing.T) {
	t.Parallel()
	var home *httptest.Server
	next, third := newBehind(t), newBehind(t)
	home = httptest.NewServer(newBehind(t).Config.Handler)
	address := strings.TrimPrefix(home.URL, "http://")
	u := routerOf(t, RouterConfig{UnitConfig: UnitConfig{Metrics: true}, Unit: "cu", Hosts: []string{home.URL, next.URL, third.URL}})
	var p message.ID
	for n := byte(0); ; n++ {
		if p = message.HashOf([]byte{n, 'h'}); cyrb53(p.String())%3 == 0 {
			break
		}
	}
	ask := func() string {
		status, _, text := step(t, "POST", u.URL()+"/dry-run?process-id="+p.String(), []byte("body"))
		if status != http.StatusAccepted {
			t.Fatalf("%d %s", status, text)
		}
		return text
	}
	if got := ask(); got == next.URL || got == third.URL {
		t.Fatalf("it is at %s at first", got)
	}
	home.Close()
	for range 3 {
		if got := ask(); got != next.URL || !strings.HasSuffix(next.last(), " body") {
			t.Errorf("while its unit is down, it is at %s, which heard %q", got, next.last())
		}
	}
	if got := readyIs(t, u.URL(), 200); len(got.Notes) != 1 || !strings.Contains(got.Notes[0], home.URL) {
		t.Errorf("the router notes %v", got.Notes)
	}
	next.Close()
	if got := ask(); got != third.URL {
		t.Errorf("while two are down, it is at %s", got)
	}
	third.Close()
	if status, _, text := step(t, "GET", u.URL()+"/results/"+p.String(), nil); status != 503 || !strings.Contains(text, "unit-unreachable") {
		t.Errorf("while all are down: %d %s", status, text)
	}
	waitFor(t, "the end of readiness", func() bool { status, _, _ := step(t, "GET", u.URL()+"/ready", nil); return status == 503 })
	back := &behind{}
	l, err := listenOn(address)
	if err != nil {
		t.Skip("the port was taken meanwhile")
	}
	back.Server = httptest.NewUnstartedServer(back)
	back.Listener.Close()
	back.Listener = l
	back.Start()
	defer back.Close()
	if got := ask(); got != back.URL {
		t.Errorf("its unit is back, and it is at %s", got)
	}
}

// TestAnErrorOfAUnitIsItsAnswer: only a unit that cannot be reached is passed over; one that refuses has answered.
func TestAnErrorOfAUnitIsItsAnswer(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "busy")
	}))
	defer refusing.Close()
	u := routerOf(t, RouterConfig{Unit: "cu", Hosts: []string{refusing.URL}})
	answer, err := http.Get(u.URL() + "/results/" + nobody.String())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != 503 || string(b) != "busy" || answer.Header.Get("Retry-After") != "7" {
		t.Errorf("%s %q %v", answer.Status, b, answer.Header)
	}
}

// TestHostsOfProcessesOwnersAndModules: a host that was named for a process wins over that of its owner, and this over that of its module; all
// over the list. The router redirects or hands on as it was told.
func TestHostsOfProcessesOwnersAndModules(t *testing.T) {
	t.Parallel()
	usual, own, owners, modules, sub := newBehind(t), newBehind(t), newBehind(t), newBehind(t), newBehind(t)
	ids := map[string]message.ID{}
	known := map[string]string{}
	for _, name := range []string{"plain", "own", "owned", "made", "both", "sub"} {
		ids[name] = message.HashOf([]byte(name))
	}
	describe := func(owner, module string) string {
		b, _ := json.Marshal(map[string]any{"owner": map[string]string{"address": owner}, "tags": []map[string]string{{"name": "From-Module", "value": module}}})
		return string(b)
	}
	known[ids["plain"].String()] = describe("x", "y")
	known[ids["own"].String()] = describe("alice", "mod")
	known[ids["owned"].String()] = describe("alice", "y")
	known[ids["made"].String()] = describe("x", "mod")
	known[ids["both"].String()] = describe("alice", "mod")
	known[ids["sub"].String()] = describe("bob", "y")
	var mu sync.Mutex
	asked := map[string]int{}
	lookup := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(r.URL.Path, "/processes/")
		mu.Lock()
		asked[id]++
		mu.Unlock()
		if text, ok := known[id]; ok {
			io.WriteString(w, text)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer lookup.Close()
	c := RouterConfig{
		Unit: "cu", Hosts: []string{usual.URL}, Lookup: lookup.URL, ProcessToHost: map[string]string{ids["own"].String(): own.URL},
		OwnerToHost: map[string]string{"alice": owners.URL}, ModuleToHost: map[string]string{"mod": modules.URL}, Subrouter: sub.URL, SubOwners: []string{"bob"},
	}
	want := map[string]*behind{"plain": usual, "own": own, "owned": owners, "made": modules, "both": owners, "sub": sub}
	for _, redirects := range []bool{false, true} {
		c.Redirect = redirects
		u := routerOf(t, c)
		for range 3 {
			for name, unit := range want {
				path := "/results/" + ids[name].String() + "?from=a%2Fb&limit=2"
				status, place, text := step(t, "GET", u.URL()+path, nil)
				if redirects && (status != http.StatusTemporaryRedirect || place != unit.URL+path) || !redirects && (status != http.StatusAccepted || text != unit.URL) {
					t.Errorf("%s, redirects %t: %d to %s %s", name, redirects, status, place, text)
				}
			}
		}
		// One that nobody knows goes where its id says.
		if status, _, text := step(t, "GET", u.URL()+"/results/"+nobody.String(), nil); !redirects && text != usual.URL || redirects && status != http.StatusTemporaryRedirect {
			t.Errorf("an unknown process: %d %s", status, text)
		}
	}
	mu.Lock()
	for name, id := range ids {
		if n := asked[id.String()]; name != "own" && n != 2 || name == "own" && n != 0 {
			t.Errorf("the scheduler was asked %d times for %s by two routers", n, name)
		}
	}
	mu.Unlock()
	// While the scheduler that knows owners does not answer, nothing is sent to the wrong unit.
	lookup.Close()
	u := routerOf(t, c)
	if status, place, _ := step(t, "GET", u.URL()+"/results/"+ids["owned"].String(), nil); status != http.StatusServiceUnavailable {
		t.Errorf("without the lookup: %d to %s", status, place)
	}
	if status, place, _ := step(t, "GET", u.URL()+"/results/"+ids["own"].String(), nil); status != http.StatusTemporaryRedirect || !strings.HasPrefix(place, own.URL) {
		t.Errorf("a process with a host of its own needs no lookup: %d to %s", status, place)
	}
}

// TestARedirectKeepsTheRequest: clients follow with method and body.
func TestARedirectKeepsTheRequest(t *testing.T) {
	t.Parallel()
	unit := newBehind(t)
	u := routerOf(t, RouterConfig{Unit: "mu", Hosts: []string{unit.URL}, Redirect: true})
	a := startApart(t, nil)
	_, raw := a.item(t, nobody, "")
	answer, err := http.Post(u.URL(), "application/octet-stream", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if want := "POST / " + string(raw); unit.last() != want {
		t.Errorf("the unit heard %.60q", unit.last())
	}
}

func listenOn(address string) (net.Listener, error) { return net.Listen("tcp", address) }
