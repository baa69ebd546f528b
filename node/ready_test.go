package node

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ago/fault"
	"ago/message"
	"ago/push"
	"ago/store"
)

// faulty is a store that does not answer.
type faulty struct {
	store.Store
	err atomic.Pointer[error]
}

func (f *faulty) Get(key []byte) ([]byte, error) {
	if err := f.err.Load(); err != nil {
		return nil, *err
	}
	return f.Store.Get(key)
}

// TestUnitsTellWhetherTheyAreReady: each unit alone answers /ready and /readyz, and says why it is not.
func TestUnitsTellWhetherTheyAreReady(t *testing.T) {
	t.Parallel()
	a := startApart(t, nil)
	router, err := StartRouter(t.Context(), RouterConfig{Unit: "cu", Hosts: []string{a.cu.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, router.Close)
	for name, url := range map[string]string{"su": a.su.URL(), "mu": a.mu.URL(), "cu": a.cu.URL(), "gateway": a.gateway.URL(), "bundler": a.gateway.BundlerURL(), "ur": router.URL()} {
		if got := readyIs(t, url, http.StatusOK); len(got.Notes) != 0 {
			t.Errorf("%s: %v", name, got.Notes)
		}
		if status, _, _ := step(t, "GET", url+"/readyz", nil); status != 200 {
			t.Errorf("%s: /readyz is %d", name, status)
		}
		if status, _, _ := step(t, "GET", url+"/healthz", nil); status != 200 {
			t.Errorf("%s: /healthz is %d", name, status)
		}
	}
	broken := &faulty{Store: a.su.store}
	a.su.store = broken
	broken.err.Store(&errGone)
	if got := readyIs(t, a.su.URL(), 503); !strings.Contains(strings.Join(got.Reasons, " "), "the store does not answer") {
		t.Errorf("with a store that does not answer: %+v", got)
	}
	broken.err.Store(nil)
	readyIs(t, a.su.URL(), 200)
}

var errGone error = fault.New(fault.Unavailable, "store-gone", "gone")

// TestAClosedDoorIsNotReady: whoever refuses everything says so.
func TestAClosedDoorIsNotReady(t *testing.T) {
	t.Parallel()
	var list atomic.Pointer[string]
	lists := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if text := list.Load(); text != nil {
			w.Write([]byte(*text))
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer lists.Close()
	a := startApart(t, nil)
	warm := a.scheduler(t, SchedulerConfig{Door: Door{Warmup: time.Hour}})
	if got := readyIs(t, warm.URL(), 503); len(got.Reasons) != 1 || !strings.Contains(got.Reasons[0], "warming up") {
		t.Errorf("%+v", got)
	}
	listless := a.scheduler(t, SchedulerConfig{Door: Door{IPsURL: lists.URL}})
	if got := readyIs(t, listless.URL(), 503); len(got.Reasons) != 1 || !strings.Contains(got.Reasons[0], "who may post") {
		t.Errorf("%+v", got)
	}
	text := "[]"
	list.Store(&text)
	readyIs(t, a.scheduler(t, SchedulerConfig{Door: Door{IPsURL: lists.URL}}).URL(), 200)
}

// TestWhatIsBehindIsNoted: deliveries and uploads that wait, deliveries given up, results that cannot be had, a gateway that is silent. The unit
// is ready all the same.
func TestWhatIsBehindIsNoted(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer refusing.Close()
	a := startApart(t, func(s *SchedulerConfig, m *MessengerConfig) {
		s.Bundler, m.SU = refusing.URL, "http://127.0.0.1:1"
		m.CU, m.ResultDelay = refusing.URL, time.Millisecond
		m.Limits = push.Limits{DelayFirst: time.Millisecond, AttemptsMax: 1}
	})
	old := time.Now().Add(-10 * time.Minute)
	var b store.Batch
	b.Set(uploadKey(old.UnixNano(), message.ID{1}), nil)
	b.Set(pullKey(message.ID{2}, 1), make([]byte, 32))
	if err := a.su.store.Apply(&b, true); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "both notes of the scheduler", func() bool {
		a.su.tip.silent.Store(&old) // the gateway answers: whenever it is asked it is not silent any more
		notes := strings.Join(readyIs(t, a.su.URL(), 200).Notes, "\n")
		return strings.Contains(notes, "no gateway has told the newest block for 10m0s") &&
			strings.Contains(notes, "items wait for the bundler at "+refusing.URL+", the oldest for 10m0s")
	})
	if err := a.mu.store.Apply(&b, true); err != nil {
		t.Fatal(err)
	}
	a.mu.puller.wake(message.ID{2})
	waitFor(t, "the note about results", func() bool {
		_, _, text := step(t, "GET", a.mu.URL()+"/ready", nil)
		return strings.Contains(text, "the results of 1 processes could not be had")
	})
	readyIs(t, a.mu.URL(), 200)
}
