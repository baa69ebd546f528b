package legacy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/schedule"
	"ago/slotlog"
)

// testKey is the same in every run, so that ids in failures can be compared.
var testKey = func() *commitment.Key {
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat("k", 32)))
	if err != nil {
		panic(err)
	}
	return k
}()

func item(t testing.TB, d ans104.Draft) *ans104.Item {
	t.Helper()
	it, err := ans104.SignDeterministic(d, testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func tags(pairs ...string) []ans104.Tag {
	var out []ans104.Tag
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, ans104.Tag{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

// fakeScheduler holds one process and its slots. Slot n has the timestamp 1000 + 10 n.
type fakeScheduler struct {
	process   message.ID
	slots     []process.Assigned
	submitted []message.ID
	assigned  []string
	places    map[message.ID][]schedule.Place
	refuse    error
}

func newFakeScheduler(t testing.TB, slots int) *fakeScheduler {
	s := &fakeScheduler{places: map[message.ID][]schedule.Place{}}
	for n := range slots {
		it := item(t, ans104.Draft{Tags: tags("Data-Protocol", "ao", "Type", "Process", "Name", "p"), Data: []byte("boot")})
		if n == 0 {
			s.process = it.ID()
		} else {
			it = item(t, ans104.Draft{Target: s.process, HasTarget: true, Anchor: fmt.Appendf(nil, "%032d", n), Data: fmt.Appendf(nil, "data %d", n)})
		}
		as := item(t, ans104.Draft{Tags: tags("Process", s.process.String(), "Nonce", fmt.Sprint(n)), Anchor: []byte(strings.Repeat("\xff", 32))})
		s.slots = append(s.slots, process.Assigned{
			Entry: slotlog.Entry{Process: s.process, Slot: slotlog.Slot(n), Message: it.ID(), Timestamp: int64(1000 + 10*n),
				BlockHeight: 77, Assignment: as.Raw, Item: it.Raw},
			Content: process.ContentOf(it), AssignmentID: as.ID(),
		})
	}
	return s
}

func (s *fakeScheduler) Submit(_ context.Context, v commitment.Verified) (schedule.Receipt, error) {
	if s.refuse != nil {
		return schedule.Receipt{}, s.refuse
	}
	s.submitted = append(s.submitted, v.ID())
	return schedule.Receipt{ID: v.ID(), Process: s.process, Timestamp: 5000}, nil
}

func (s *fakeScheduler) Assign(_ context.Context, p, id message.ID, o schedule.AssignOptions) (schedule.Receipt, error) {
	s.assigned = append(s.assigned, fmt.Sprintf("%s %s %t %s", p, id, o.BaseLayer, strings.Join(o.Exclude, "+")))
	return schedule.Receipt{ID: message.HashOf([]byte("assignment")), Timestamp: 5000}, s.refuse
}

func (s *fakeScheduler) Process(_ context.Context, id message.ID) (process.Definition, error) {
	if id != s.process {
		return process.Definition{}, fault.New(fault.NotFound, "process-unknown", "no process %s", id)
	}
	return process.Definition{ID: id}, nil
}

func (s *fakeScheduler) Find(_ context.Context, p, id message.ID) (slotlog.Slot, error) {
	for n, a := range s.slots {
		if p == s.process && (a.Message == id || a.AssignmentID == id) {
			return slotlog.Slot(n), nil
		}
	}
	return 0, fault.New(fault.NotFound, "message-unknown", "no message %s", id)
}

func (s *fakeScheduler) Item(_ context.Context, a process.Assigned) (*ans104.Item, error) {
	return ans104.DecodeItem(a.Assignment)
}

func (s *fakeScheduler) Where(_ context.Context, id message.ID) ([]schedule.Place, error) {
	if n, err := s.Find(context.Background(), s.process, id); err == nil {
		return []schedule.Place{{Process: s.process, Slot: n}}, nil
	}
	return s.places[id], nil
}

func (s *fakeScheduler) Range(_ context.Context, p message.ID, from, to slotlog.Slot) iter.Seq2[process.Assigned, error] {
	return func(yield func(process.Assigned, error) bool) {
		for n := from; p == s.process && n < min(to, slotlog.Slot(len(s.slots))); n++ {
			if !yield(s.slots[n], nil) {
				return
			}
		}
	}
}

func (s *fakeScheduler) Head(_ context.Context, p message.ID) (slotlog.Head, error) {
	if p != s.process || len(s.slots) == 0 {
		return slotlog.Head{}, nil
	}
	last := s.slots[len(s.slots)-1]
	return slotlog.Head{Next: last.Slot + 1, Timestamp: last.Timestamp}, nil
}

// fakeComputer answers what the test says and remembers what it was asked.
type fakeComputer struct {
	result  func(ctx context.Context, p, id message.ID) (compute.Evaluation, error)
	at      func(p message.ID, slot slotlog.Slot) (compute.Evaluation, error)
	results func(q compute.Query) (compute.Page, error)
	dryRun  func(to *message.ID, d process.DryMessage) (process.Result, error)
	memory  func(to *message.ID) (compute.State, error)
	tick    func(before int64) error
}

func (c fakeComputer) Tick(_ context.Context, _ message.ID, before int64) (compute.Due, error) {
	if c.tick == nil {
		return compute.Due{}, nil
	}
	return compute.Due{Timed: true}, c.tick(before)
}

func (c fakeComputer) Result(ctx context.Context, p, id message.ID) (compute.Evaluation, error) {
	return c.result(ctx, p, id)
}

func (c fakeComputer) At(_ context.Context, p message.ID, slot slotlog.Slot) (compute.Evaluation, error) {
	return c.at(p, slot)
}

func (c fakeComputer) Results(_ context.Context, _ message.ID, q compute.Query) (compute.Page, error) {
	return c.results(q)
}

func (c fakeComputer) DryRun(_ context.Context, _ message.ID, to *message.ID, d process.DryMessage) (process.Result, error) {
	return c.dryRun(to, d)
}

func (c fakeComputer) Memory(_ context.Context, _ message.ID, to *message.ID) (compute.State, error) {
	return c.memory(to)
}

// fakeMonitors notes what is watched.
type fakeMonitors map[message.ID]bool

func (m fakeMonitors) Add(p message.ID) error    { m[p] = true; return nil }
func (m fakeMonitors) Remove(p message.ID) error { delete(m, p); return nil }

type fakeArchive struct{ uploaded []message.ID }

func (a *fakeArchive) Upload(_ context.Context, v commitment.Verified) error {
	a.uploaded = append(a.uploaded, v.ID())
	return nil
}

func newSU(s *fakeScheduler) http.Handler {
	return (&SU{Scheduler: s, Verifier: commitment.NewVerifier(16), Clock: clock.NewPaused(time.UnixMilli(9000)),
		Height: func() uint64 { return 1500001 }, Address: "su-address"}).Handler()
}

// call makes one request and gives status and body.
func call(t testing.TB, h http.Handler, method, target string, body io.Reader) (int, string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, body))
	return w.Code, w.Body.String(), w.Header()
}

// failure checks the one form of errors.
func failure(t testing.TB, name string, status int, body string, wantStatus int, wantCode string) {
	t.Helper()
	var e struct{ Error, Code *string }
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error == nil || *e.Error == "" || e.Code == nil {
		t.Errorf("%s: %q is not an error with text and code", name, body)
		return
	}
	if status != wantStatus || *e.Code != wantCode {
		t.Errorf("%s: %d %s (%s), want %d %s", name, status, *e.Code, *e.Error, wantStatus, wantCode)
	}
}
