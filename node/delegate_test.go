package node

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
)

// TestAnotherUnitEvaluatesForANode: the slots are given here, and what they gave is asked of a compute unit that reads them from here.
// While it is away nothing fails for ever, and what it answers leads nowhere else.
func TestAnotherUnitEvaluatesForANode(t *testing.T) {
	t.Parallel()
	var unit atomic.Pointer[http.Handler]
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger is asked for %s", r.URL)
	}))
	defer stranger.Close()
	away := http.Handler(http.RedirectHandler(stranger.URL, http.StatusTemporaryRedirect))
	unit.Store(&away)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*unit.Load()).ServeHTTP(w, r) }))
	defer front.Close()
	n := startNetwork(t, func(c *Config) { c.Delegate = front.URL })

	own := n.scheduler.Address().String()
	it, err := ans104.Sign(ans104.Draft{Data: []byte("core"), Tags: tagList("device", "process@1.0", "Type", "Process", "Variant", "ao.N.1", "Data-Protocol", "ao",
		"execution-device", "delegated-compute@1.0", "Module", probeID.String(), "scheduler", own, "Authority", own)}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.client.Post(t.Context(), it); err != nil {
		t.Fatal(err)
	}
	n.process = it.ID()
	ids := []message.ID{n.send(t, "count"), n.send(t, "echo hello"), n.send(t, "count")}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := n.computer.At(ctx, n.process, 1); err == nil {
		t.Fatal("there is a result without the unit")
	}

	_, other := startEvaluator(t, newMeddler(t, n), t.TempDir(), false)
	at, err := url.Parse(other.CU)
	if err != nil {
		t.Fatal(err)
	}
	there := http.Handler(httputil.NewSingleHostReverseProxy(at))
	unit.Store(&there)
	p := n.process.String()
	for i, want := range []string{"1", "hello", "2"} {
		r, err := n.client.Result(t.Context(), n.process, ids[i])
		if err != nil || r.Text() != want {
			t.Errorf("slot %d gives %s, %v, want %s", i+1, r.JSON, err, want)
		}
		theirs, err := other.Result(t.Context(), n.process, ids[i])
		if err != nil || !sameJSON(t, n.read(t, "/"+p+"~process@1.0/compute="+string(rune('1'+i))+"/results/json/body"), string(theirs.JSON)) {
			t.Errorf("slot %d: the unit says %s, %v", i+1, theirs.JSON, err)
		}
	}
	if got := n.read(t, "/~delegated-compute@1.0/compute/results/output?slot=3&process-id="+p); got != "2" {
		t.Errorf("asked by slot: %s", got)
	}
	if got := n.read(t, "/"+p+"~process@1.0/as=execution/compute&data=count/results/output"); got != "3" {
		t.Errorf("tried out: %s", got)
	}
	code, _, body := n.atNode(t, "GET", "/~delegated-compute@1.0/compute?slot=9&process-id="+p, nil, nil)
	if code != http.StatusServiceUnavailable {
		t.Errorf("a slot that nobody has: %d %s", code, body)
	}
	if m := n.read(t, "/metrics"); !strings.Contains(m, `ao_device_calls_total{device="delegated-compute@1.0",outcome="answered"}`) {
		t.Error("no metrics of devices")
	}
}

func TestAnswersOfADelegateAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   string
	}{
		"breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("x"))
		}, "delegate-unanswered"},
		"has no end": {func(w http.ResponseWriter, _ *http.Request) {
			for b := make([]byte, 1<<20); ; {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		}, "delegate-too-large"},
	} {
		s := httptest.NewServer(c.answer)
		if _, _, err := newDelegate(s.URL+"/").Ask(t.Context(), "GET", "/result/x", nil); fault.CodeOf(err) != c.code {
			t.Errorf("an answer that %s: %v", name, err)
		}
		s.Close()
	}
	if _, _, err := newDelegate("http://127.0.0.1:1").Ask(t.Context(), "GET", "/", nil); fault.CodeOf(err) != "delegate-unanswered" {
		t.Errorf("%v", err)
	}
}
