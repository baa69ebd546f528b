package node

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

func TestAMeterGivesABurstAndThenItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(Rate{PerSecond: 4, Burst: 3}, clock.System{})
		for i := range 3 {
			if wait := m.take("a"); wait != 0 {
				t.Fatalf("%d of the burst waits %v", i, wait)
			}
		}
		if wait := m.take("a"); wait != 250*time.Millisecond {
			t.Fatalf("the fourth waits %v", wait)
		}
		if wait := m.take("b"); wait != 0 {
			t.Fatalf("another key waits %v", wait)
		}
		time.Sleep(250 * time.Millisecond)
		if wait := m.take("a"); wait != 0 {
			t.Fatalf("after the time it was told it waits %v more", wait)
		}
		if wait := m.take("a"); wait != 250*time.Millisecond {
			t.Fatalf("the one after it waits %v", wait)
		}
		time.Sleep(time.Hour)
		for i := range 3 {
			if wait := m.take("a"); wait != 0 {
				t.Fatalf("%d of the next burst waits %v", i, wait)
			}
		}
	})
}

// TestAMeterNeverGivesMore: whatever comes when, in no span of time is more taken than burst and rate allow, and who waits as
// long as it was told is taken.
func TestAMeterNeverGivesMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := clock.NewPaused(time.Unix(1_700_000_000, 0))
		rate := Rate{PerSecond: float64(rapid.IntRange(1, 50).Draw(t, "rate")), Burst: rapid.IntRange(1, 20).Draw(t, "burst")}
		m := newMeter(rate, c)
		var taken []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			c.Advance(time.Duration(rapid.IntRange(0, 400).Draw(t, "ms")) * time.Millisecond)
			wait := m.take("k")
			if wait > 0 && rapid.Bool().Draw(t, "patient") {
				c.Advance(wait)
				if again := m.take("k"); again != 0 {
					t.Fatalf("told to wait %v, it has to wait %v more", wait, again)
				}
				wait = 0
			}
			if wait == 0 {
				taken = append(taken, c.Now())
			}
		}
		for i := range taken {
			for j := i; j < len(taken); j++ {
				most := rate.burst() + taken[j].Sub(taken[i]).Seconds()*rate.PerSecond + 1e-6
				if float64(j-i+1) > most {
					t.Fatalf("%d taken in %v", j-i+1, taken[j].Sub(taken[i]))
				}
			}
		}
	})
}

// TestAMeterForgets: keys that nobody uses any more take no room, and too many at once share one allowance instead of growing.
func TestAMeterForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(Rate{PerSecond: 1, Burst: 2}, clock.System{})
		m.most = 10
		refused := 0
		for i := range 20 {
			if m.take(fmt.Sprint(i)) > 0 {
				refused++
			}
		}
		if len(m.now) > 11 || refused != 8 {
			t.Fatalf("%d keys are kept, %d of 10 further ones were refused", len(m.now), refused)
		}
		if m.take("3") != 0 || m.take("3") == 0 {
			t.Fatal("a key that was known before does not have its own allowance")
		}
		time.Sleep(time.Minute)
		m.take("x")
		time.Sleep(time.Minute)
		m.take("y")
		if len(m.now)+len(m.old) > 2 {
			t.Fatalf("%d keys are kept", len(m.now)+len(m.old))
		}
	})
}

func TestNetworksOfClients(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::9": "2001:db8:1:2::/64", "::1": "::/64", "pipe": "pipe",
	} {
		if got := networkOf(ip); got != want {
			t.Errorf("%s counts as %s, want %s", ip, got, want)
		}
	}
}

// TestAddressesAreLimitedAtEveryFace: too many requests of one address are answered 429 with a time and a reason, at all faces
// alike; who asks for the health of the node is not counted.
func TestAddressesAreLimitedAtEveryFace(t *testing.T) {
	t.Parallel()
	n := startNode(t, Config{Addresses: Rate{PerSecond: 0.01, Burst: 6}})
	a := n.Addresses()
	faces := []string{a.Gateway + "/info", a.Bundler + "/info", a.MU + "/", a.SU + "/", a.CU + "/", a.Node + "/"}
	for _, url := range faces {
		if r, body := ask(t, url); r.StatusCode == http.StatusTooManyRequests {
			t.Fatalf("%s of the burst: %s", url, body)
		}
	}
	for _, url := range faces {
		r, body := ask(t, url)
		tooMany(t, r, body, "address-rate-limited")
		if after, _ := strconv.Atoi(r.Header.Get("Retry-After")); after < 90 || after > 100 {
			t.Errorf("%s: Retry-After is %q", url, r.Header.Get("Retry-After"))
		}
	}
	if r, body := ask(t, a.Node+"/healthz"); r.StatusCode != http.StatusOK {
		t.Errorf("healthz: %s", body)
	}
}

func tooMany(t testing.TB, r *http.Response, body []byte, code string) {
	t.Helper()
	var reason struct{ Error, Code, Hint string }
	if err := json.Unmarshal(body, &reason); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if r.StatusCode != http.StatusTooManyRequests || reason.Code != code || reason.Error == "" || reason.Hint == "" || r.Header.Get("Retry-After") == "" {
		t.Fatalf("%s, Retry-After %q: %s", r.Status, r.Header.Get("Retry-After"), body)
	}
}

// TestProcessesAndWalletsAreLimited: messages beyond the rate get no slot at scheduler and messenger, forged ones use nothing
// up, and other processes and wallets are served meanwhile.
func TestProcessesAndWalletsAreLimited(t *testing.T) {
	t.Parallel()
	n := startNode(t, Config{Door: Door{PerProcess: Rate{PerSecond: 0.01, Burst: 3}, PerWallet: Rate{PerSecond: 0.01, Burst: 5}}})
	a := n.Addresses()
	keys := make([]*commitment.Key, 3)
	for i := range keys {
		var err error
		if keys[i], err = commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat(fmt.Sprint(i), 32))); err != nil {
			t.Fatal(err)
		}
	}
	post := func(url string, raw []byte) (*http.Response, []byte) {
		r, err := http.Post(url, "application/octet-stream", strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, b
	}
	spawn := func(key *commitment.Key) message.ID {
		it := signed(t, key, ans104.Draft{Tags: []Tag{
			{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Process"},
			{Name: "Module", Value: a.Module}, {Name: "Scheduler", Value: a.Scheduler}, {Name: "Name", Value: string(anchor())}}})
		if r, b := post(a.SU, it.Raw); r.StatusCode != http.StatusOK {
			t.Fatalf("spawn: %s %s", r.Status, b)
		}
		return it.ID()
	}
	draft := func(p message.ID) ans104.Draft {
		return ans104.Draft{Target: p, HasTarget: true, Anchor: anchor(), Tags: []Tag{
			{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Message"}}}
	}
	one, two := spawn(keys[0]), spawn(keys[0])
	forged := signed(t, keys[0], draft(one)).Raw
	forged[len(forged)-1] ^= 1
	for range 9 {
		if r, b := post(a.SU, forged); r.StatusCode != http.StatusBadRequest {
			t.Fatalf("forged: %s %s", r.Status, b)
		}
	}
	for _, url := range []string{a.SU, a.MU} { // with its own spawn the burst of three is used up
		if r, b := post(url, signed(t, keys[1], draft(one)).Raw); r.StatusCode >= 300 {
			t.Fatalf("%s: %s %s", url, r.Status, b)
		}
	}
	for _, url := range []string{a.SU, a.MU} {
		r, b := post(url, signed(t, keys[1], draft(one)).Raw)
		tooMany(t, r, b, "process-rate-limited")
	}
	if r, b := post(a.SU, signed(t, keys[1], draft(two)).Raw); r.StatusCode >= 300 {
		t.Fatalf("the other process: %s %s", r.Status, b)
	}
	three := spawn(keys[2])
	r, b := post(a.SU, signed(t, keys[1], draft(three)).Raw)
	tooMany(t, r, b, "wallet-rate-limited")
	if r, b := post(a.SU, signed(t, keys[2], draft(three)).Raw); r.StatusCode >= 300 {
		t.Fatalf("the other wallet: %s %s", r.Status, b)
	}
}

func signed(t testing.TB, key *commitment.Key, d ans104.Draft) *ans104.Item {
	t.Helper()
	it, err := ans104.Sign(d, key)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func ask(t testing.TB, url string) (*http.Response, []byte) {
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
	return r, b
}

func TestALimitedHandlerIsTheHandlerWithoutALimit(t *testing.T) {
	t.Parallel()
	h := limitAddresses(http.NotFoundHandler(), newMeter(Rate{}, clock.System{}))
	for range 100 {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil)); w.Code != http.StatusNotFound {
			t.Fatal(w.Code)
		}
	}
}

func startNode(t testing.TB, c Config) *Node {
	t.Helper()
	c.CacheDir = modulesCache
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, n.Close)
	return n
}
