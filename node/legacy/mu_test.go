package legacy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func newMU(s *fakeScheduler, a *fakeArchive) http.Handler {
	return (&MU{Scheduler: s, Archive: a, Monitors: fakeMonitors{}, Verifier: commitment.NewVerifier(16)}).Handler()
}

func TestMUTakesItemsAndAssignments(t *testing.T) {
	s, a := newFakeScheduler(t, 1), &fakeArchive{}
	mu := newMU(s, a)
	if status, body, _ := call(t, mu, "GET", "/", nil); status != 200 || body != "ao messenger unit" {
		t.Errorf("GET /: %d %s", status, body)
	}
	it := item(t, ans104.Draft{Target: s.process, HasTarget: true, Data: []byte("x")})
	for range 2 { // a client that repeats gets the same answer
		status, body, _ := call(t, mu, "POST", "/", bytes.NewReader(it.Raw))
		if want := fmt.Sprintf(`{"message":"Processing DataItem","id":%q}`, it.ID()); status != 202 || body != want {
			t.Errorf("message: %d %s, want %s", status, body, want)
		}
	}
	status, body, _ := call(t, mu, "POST", fmt.Sprintf("/?process-id=%s&assign=%s&base-layer=&exclude=", s.process, it.ID()), nil)
	if want := fmt.Sprintf(`{"message":"Processing Assignment","id":%q}`, message.HashOf([]byte("assignment"))); status != 202 || body != want {
		t.Errorf("assign: %d %s, want %s", status, body, want)
	}
	if want := []string{fmt.Sprintf("%s %s true ", s.process, it.ID())}; !slices.Equal(s.assigned, want) {
		t.Errorf("assigned %q, want %q", s.assigned, want)
	}
}

func TestMUKeepsWhatIsForNoProcess(t *testing.T) {
	s, a := newFakeScheduler(t, 1), &fakeArchive{}
	s.refuse = fault.New(fault.NotFound, "process-unknown", "no such process")
	it := item(t, ans104.Draft{Target: message.HashOf([]byte("a wallet")), HasTarget: true})
	status, body, _ := call(t, newMU(s, a), "POST", "/", bytes.NewReader(it.Raw))
	if status != 202 || !strings.Contains(body, it.ID().String()) || !slices.Equal(a.uploaded, []message.ID{it.ID()}) {
		t.Errorf("%d %s, uploaded %v", status, body, a.uploaded)
	}
}

func TestMURefuses(t *testing.T) {
	s, a := newFakeScheduler(t, 1), &fakeArchive{}
	mu := newMU(s, a)
	it := item(t, ans104.Draft{Target: s.process, HasTarget: true, Data: []byte("x")})
	forged := bytes.Clone(it.Raw)
	forged[len(forged)-1] ^= 1
	unknown := item(t, ans104.Draft{Target: message.HashOf([]byte("unknown")), HasTarget: true, Data: []byte("x")})
	monitor := "/monitor/" + s.process.String()
	other := "/monitor/" + it.ID().String()
	for _, c := range []struct {
		name, method, target string
		body                 io.Reader
		status               int
		code                 string
	}{
		{"no item", "POST", "/", strings.NewReader("{}"), 422, "key-type-unknown"},
		{"a flipped byte", "POST", "/", bytes.NewReader(forged), 400, "signature-invalid"},
		{"too large", "POST", "/", io.LimitReader(zeros{}, BodyMax+1), 413, "body-too-large"},
		{"process without assign", "POST", "/?process-id=" + s.process.String(), nil, 400, "query-missing"},
		{"monitor of an unknown process", "POST", "/monitor/" + unknown.Target.String(), bytes.NewReader(unknown.Raw), 404, "process-unknown"},
		{"monitor by a forged item", "POST", monitor, bytes.NewReader(forged), 400, "signature-invalid"},
		{"monitor of another process", "POST", other, bytes.NewReader(it.Raw), 400, "target-mismatch"},
		{"unmonitor of another process", "DELETE", other, bytes.NewReader(it.Raw), 400, "target-mismatch"},
		{"no route", "GET", "/result/x", nil, 404, "route-unknown"},
	} {
		status, body, _ := call(t, mu, c.method, c.target, c.body)
		failure(t, c.name, status, body, c.status, c.code)
	}
	if len(s.submitted)+len(a.uploaded) != 0 {
		t.Error("refused items were kept")
	}
	s.refuse = fault.New(fault.Denied, "scheduler-is-another", "not ours")
	status, body, _ := call(t, mu, "POST", "/", bytes.NewReader(it.Raw))
	failure(t, "the scheduler's word", status, body, 403, "scheduler-is-another")
}

func TestMUMonitors(t *testing.T) {
	s, watched := newFakeScheduler(t, 1), fakeMonitors{}
	mu := (&MU{Scheduler: s, Archive: &fakeArchive{}, Monitors: watched, Verifier: commitment.NewVerifier(16)}).Handler()
	it := item(t, ans104.Draft{Target: s.process, HasTarget: true, Data: []byte(" ")})
	for _, c := range []struct {
		method, answer string
		watched        bool
	}{
		{"DELETE", "Process deleted", false}, // of one that is not watched
		{"POST", "Monitoring process", true},
		{"POST", "Monitoring process", true},
		{"DELETE", "Process deleted", false},
	} {
		status, body, _ := call(t, mu, c.method, "/monitor/"+s.process.String(), bytes.NewReader(it.Raw))
		if status != 200 || body != c.answer || watched[s.process] != c.watched {
			t.Errorf("%s: %d %q, watched %v", c.method, status, body, watched)
		}
	}
}
