package legacy

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/schedule"
	"ago/slotlog"
)

const resultJSON = `{"Messages":[],"Assignments":[],"Spawns":[],"Output":"ok","GasUsed":0}`

func newCU(c Computer, s *fakeScheduler, patience, busy time.Duration) http.Handler {
	return (&CU{Computer: c, Places: s, Clock: clock.NewPaused(time.UnixMilli(9000)), Address: "cu-address", Patience: patience, Busy: busy}).Handler()
}

func TestCUAnswersStoredBytes(t *testing.T) {
	s := newFakeScheduler(t, 2)
	var asked []string
	c := fakeComputer{result: func(_ context.Context, p, id message.ID) (compute.Evaluation, error) {
		asked = append(asked, p.String()+" "+id.String())
		return compute.Evaluation{JSON: []byte(resultJSON)}, nil
	}}
	cu := newCU(c, s, 0, 0)
	if status, body, _ := call(t, cu, "GET", "/", nil); status != 200 || body != `{"address":"cu-address","timestamp":9000}` {
		t.Errorf("GET /: %d %s", status, body)
	}
	id := s.slots[1].Message.String()
	for _, query := range []string{"?process-id=" + s.process.String(), "?no-busy=1&process-id=" + s.process.String(), "?process%2Did=" + s.process.String()} {
		status, body, h := call(t, cu, "GET", "/result/"+id+query, nil)
		if status != 200 || body != resultJSON || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s %v", query, status, body, h)
		}
	}
	for _, a := range asked {
		if a != s.process.String()+" "+id {
			t.Errorf("asked for %s", a)
		}
	}
}

func TestCULooksForAMessageElsewhere(t *testing.T) {
	s := newFakeScheduler(t, 2)
	late := message.HashOf([]byte("late"))
	other := message.HashOf([]byte("p2"))
	asks := 0
	c := fakeComputer{result: func(_ context.Context, p, id message.ID) (compute.Evaluation, error) {
		asks++
		if p == s.process && id == late {
			return compute.Evaluation{JSON: []byte(resultJSON)}, nil
		}
		return compute.Evaluation{}, fault.New(fault.NotFound, "message-unknown", "no message")
	}}
	// It was scheduled on another process than the one asked for.
	s.places[late] = []schedule.Place{{Process: s.process, Slot: 1}}
	if status, body, _ := call(t, newCU(c, s, 0, 0), "GET", "/result/"+late.String()+"?process-id="+other.String(), nil); status != 200 {
		t.Errorf("elsewhere: %d %s", status, body)
	}
	// It never comes: the answer is that it is unknown, after some patience.
	delete(s.places, late)
	start := time.Now()
	status, body, _ := call(t, newCU(c, s, 50*time.Millisecond, 0), "GET", "/result/"+late.String()+"?process-id="+other.String(), nil)
	failure(t, "never", status, body, 404, "message-unknown")
	if time.Since(start) < 50*time.Millisecond {
		t.Error("it did not wait")
	}
}

func TestCUSaysBusyOnlyIfAskedTo(t *testing.T) {
	s := newFakeScheduler(t, 2)
	c := fakeComputer{result: func(ctx context.Context, p, id message.ID) (compute.Evaluation, error) {
		select {
		case <-ctx.Done():
			return compute.Evaluation{}, fault.New(fault.Unfinished, "evaluation-in-progress", "slot 1 of 5")
		case <-time.After(100 * time.Millisecond):
			return compute.Evaluation{JSON: []byte(resultJSON)}, nil
		}
	}}
	id := s.slots[1].Message.String()
	target := "/result/" + id + "?process-id=" + s.process.String()
	status, body, _ := call(t, newCU(c, s, 0, time.Millisecond), "GET", target, nil)
	want := fmt.Sprintf(`{"message":"Evaluation of process \"%s\" to \"%s\" is in progress."}`, s.process, id)
	if status != 202 || body != want {
		t.Errorf("busy: %d %s, want %s", status, body, want)
	}
	for _, cu := range []http.Handler{newCU(c, s, 0, 0), newCU(c, s, 0, time.Millisecond)} {
		if status, body, _ := call(t, cu, "GET", target+"&no-busy=1", nil); status != 200 {
			t.Errorf("no-busy: %d %s", status, body)
		}
	}
}

func TestCursorIsTheTextClientsTakeApart(t *testing.T) {
	seven := slotlog.Slot(7)
	c := cursor{Timestamp: 1700000000000, Slot: &seven, Sort: descending}
	const want = "eyJ0aW1lc3RhbXAiOjE3MDAwMDAwMDAwMDAsIm9yZGluYXRlIjoiNyIsImNyb24iOm51bGwsInNvcnQiOiJERVNDIn0="
	if c.String() != want {
		t.Errorf("%s, want %s", c, want)
	}
	got, err := parseCursor("from", want)
	if err != nil || got.Timestamp != c.Timestamp || *got.Slot != 7 || got.Sort != descending {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestResultsQuery(t *testing.T) {
	at := func(ms int64, slot int64, sort string) string {
		c := cursor{Timestamp: ms, Sort: sort}
		if slot >= 0 {
			n := slotlog.Slot(slot)
			c.Slot = &n
		}
		return strings.ReplaceAll(c.String(), "=", "%3D")
	}
	show := func(c *compute.Cursor) string {
		if c == nil {
			return "-"
		}
		if c.Slot == nil {
			return fmt.Sprint(c.Timestamp)
		}
		return fmt.Sprintf("%d/%d", c.Timestamp, *c.Slot)
	}
	s := newFakeScheduler(t, 2)
	for _, c := range []struct{ query, want string }{
		{"", "- - 25 false"},
		{"?sort=DESC&limit=5", "- - 5 true"},
		{"?from=1000&to=2000", "1000 2000 25 false"},
		{"?from=" + at(1000, 3, "DESC") + "&limit=1000", "1000/3 - 1000 true"},
		{"?sort=DESC&from=" + at(1000, 3, "ASC"), "1000/3 - 25 false"},
		{"?to=" + at(1000, 3, "DESC") + "&from=" + at(900, 1, "ASC"), "900/1 1000/3 25 false"},
		{"?from=" + at(1000, -1, "ASC"), "1000 - 25 false"},
		{"?limit=99999999", "- - 10000 false"},
	} {
		var got string
		cu := newCU(fakeComputer{results: func(q compute.Query) (compute.Page, error) {
			got = fmt.Sprintf("%s %s %d %t", show(q.From), show(q.To), q.Limit, q.Descending)
			if q.Failed {
				t.Error("failed evaluations were asked for")
			}
			return compute.Page{}, nil
		}}, s, 0, 0)
		status, body, _ := call(t, cu, "GET", "/results/"+s.process.String()+c.query, nil)
		if status != 200 || got != c.want || body != `{"pageInfo":{"hasNextPage":false},"edges":[]}` {
			t.Errorf("%q: %d %s asked %q, want %q", c.query, status, body, got, c.want)
		}
	}
}

func TestCUPages(t *testing.T) {
	s := newFakeScheduler(t, 2)
	cu := newCU(fakeComputer{results: func(compute.Query) (compute.Page, error) {
		return compute.Page{More: true, Evaluations: []compute.Evaluation{{Timestamp: 1010, Slot: 1, JSON: []byte(resultJSON)}}}, nil
	}}, s, 0, 0)
	_, body, _ := call(t, cu, "GET", "/results/"+s.process.String()+"?sort=DESC", nil)
	cursor := base64.StdEncoding.EncodeToString([]byte(`{"timestamp":1010,"ordinate":"1","cron":null,"sort":"DESC"}`))
	want := `{"pageInfo":{"hasNextPage":true},"edges":[{"node":{"Messages":[],"Assignments":[],"Spawns":[],"Output":"ok"},"cursor":"` + cursor + `"}]}`
	if body != want {
		t.Errorf("%s\nwant\n%s", body, want)
	}
}

func TestCUCron(t *testing.T) {
	s := newFakeScheduler(t, 2)
	var asked compute.Query
	var ticked []int64
	cu := newCU(fakeComputer{tick: func(before int64) error { ticked = append(ticked, before); return nil }, results: func(q compute.Query) (compute.Page, error) {
		asked = q
		return compute.Page{Evaluations: []compute.Evaluation{{Timestamp: 61000, Slot: 1, Cron: "0-1-minute", JSON: []byte(resultJSON)}}}, nil
	}}, s, 0, 0)
	text := `{"timestamp":61000,"ordinate":"1","cron":"0-1-minute","sort":"ASC"}`
	edge := base64.StdEncoding.EncodeToString([]byte(text))
	want := `{"pageInfo":{"hasNextPage":false},"edges":[{"node":{"Messages":[],"Assignments":[],"Spawns":[],"Output":"ok"},"cursor":"` + edge + `"}]}`
	for _, c := range []struct {
		query string
		tick  int64
		limit int
		from  string
	}{
		{"", 0, 500, ""},
		{"?limit=3", 0, 3, ""},
		{"?limit=5000&sort=DESC", 0, 1000, ""}, // there is one order only
		{"?from=" + url.QueryEscape(edge), 0, 500, "61000 0-1-minute"},
		{"?from=5&to=60000", 60001, 500, "5 "},
		{"?to=" + url.QueryEscape(edge), 61001, 500, ""},
	} {
		status, body, _ := call(t, cu, "GET", "/cron/"+s.process.String()+c.query, nil)
		from := ""
		if asked.From != nil {
			from = fmt.Sprint(asked.From.Timestamp, " ", asked.From.Cron)
		}
		if status != 200 || body != want || !asked.Ticks || asked.Descending || asked.Limit != c.limit || from != c.from || ticked[len(ticked)-1] != c.tick {
			t.Errorf("%s: %d %s, asked %+v from %q, ticks before %v", c.query, status, body, asked, from, ticked)
		}
	}
}

func TestCUState(t *testing.T) {
	s := newFakeScheduler(t, 2)
	closed := false
	cu := newCU(fakeComputer{memory: func(to *message.ID) (compute.State, error) {
		if to == nil || *to != s.slots[1].Message {
			t.Errorf("to %v", to)
		}
		return compute.State{Slot: 1, Timestamp: 1010, BlockHeight: 77,
			Memory: func(w io.Writer) (int64, error) { n, err := w.Write([]byte("memory")); return int64(n), err },
			Close:  func() error { closed = true; return nil }}, nil
	}}, s, 0, 0)
	status, body, h := call(t, cu, "GET", "/state/"+s.process.String()+"?to="+s.slots[1].Message.String(), nil)
	if status != 200 || body != "memory" || h.Get("Last-Timestamp") != "1010" || h.Get("Last-Ordinate") != "1" || h.Get("Last-Block-Height") != "77" || !closed {
		t.Errorf("%d %q %v closed %t", status, body, h, closed)
	}
}

func TestCUDryRun(t *testing.T) {
	s := newFakeScheduler(t, 2)
	var got process.DryMessage
	cu := newCU(fakeComputer{dryRun: func(to *message.ID, d process.DryMessage) (process.Result, error) {
		got = d
		return process.ParseResult([]byte(resultJSON))
	}}, s, 0, 0)
	body := `{"Id":"1234","Target":"t","Owner":"o","Anchor":"0","Data":"1234","Tags":[{"name":"Action","value":"Info"}]}`
	status, answer, _ := call(t, cu, "POST", "/dry-run?process-id="+s.process.String(), strings.NewReader(body))
	if status != 200 || answer != resultJSON || string(got.Data) != `"1234"` || len(got.Tags) != 1 || got.Tags[0].Value != "Info" {
		t.Errorf("%d %s %+v", status, answer, got)
	}
}

func TestCURefuses(t *testing.T) {
	s := newFakeScheduler(t, 2)
	cu := newCU(fakeComputer{
		result: func(context.Context, message.ID, message.ID) (compute.Evaluation, error) {
			return compute.Evaluation{}, fault.New(fault.NotFound, "process-unknown", "no process")
		},
		results: func(compute.Query) (compute.Page, error) { return compute.Page{}, nil },
		dryRun: func(*message.ID, process.DryMessage) (process.Result, error) {
			return process.Result{}, fault.New(fault.Unfinished, "dry-run-unfinished", "no end")
		},
		at: func(_ message.ID, slot slotlog.Slot) (compute.Evaluation, error) {
			return compute.Evaluation{}, fault.New(fault.NotFound, "slot-unknown", "no slot %d", slot)
		},
	}, s, 0, 0)
	p, none := s.process.String(), message.HashOf([]byte("none")).String()
	for _, c := range []struct {
		name, method, target, body string
		status                     int
		code                       string
	}{
		{"result without a process", "GET", "/result/" + none, "", 400, "query-missing"},
		{"result of no id", "GET", "/result/x?process-id=" + p, "", 400, "id-malformed"},
		{"result of no process", "GET", "/result/" + none + "?process-id=x", "", 400, "id-malformed"},
		{"result of an unknown process", "GET", "/result/" + none + "?process-id=" + none, "", 404, "process-unknown"},
		{"result of a slot without a process", "POST", "/result/0", "", 400, "query-missing"},
		{"result of no slot", "POST", "/result/-1?process-id=" + p, "{}", 400, "slot-malformed"},
		{"result of a slot that nobody has", "POST", "/result/7?process-id=" + p, "{}", 404, "slot-unknown"},
		{"results of an unknown process", "GET", "/results/" + none, "", 404, "process-unknown"},
		{"results in no order", "GET", "/results/" + p + "?sort=asc", "", 400, "query-malformed"},
		{"results of no number", "GET", "/results/" + p + "?limit=x", "", 400, "query-malformed"},
		{"results of nothing", "GET", "/results/" + p + "?limit=0", "", 400, "query-malformed"},
		{"results from no cursor", "GET", "/results/" + p + "?from=!!!", "", 400, "cursor-malformed"},
		{"results from a cursor without a time", "GET", "/results/" + p + "?from=e30%3D", "", 400, "cursor-malformed"},
		{"cron of an unknown process", "GET", "/cron/" + none, "", 404, "process-unknown"},
		{"state up to no id", "GET", "/state/" + p + "?to=x", "", 400, "id-malformed"},
		{"dry run without a process", "POST", "/dry-run", "{}", 400, "query-missing"},
		{"dry run of text", "POST", "/dry-run?process-id=" + p, "hello", 400, "dry-run-malformed"},
		{"dry run of a list", "POST", "/dry-run?process-id=" + p, "[]", 400, "dry-run-malformed"},
		{"dry run with tags of numbers", "POST", "/dry-run?process-id=" + p, `{"Tags":[{"name":"a","value":1}]}`, 400, "dry-run-malformed"},
		{"dry run without an end", "POST", "/dry-run?process-id=" + p, "{}", 202, "dry-run-unfinished"},
		{"no route", "GET", "/status", "", 404, "route-unknown"},
	} {
		status, body, _ := call(t, cu, c.method, c.target, strings.NewReader(c.body))
		failure(t, c.name, status, body, c.status, c.code)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("1700000000000")
	f.Add("eyJ0aW1lc3RhbXAiOjE3MDAwMDAwMDAwMDAsIm9yZGluYXRlIjoiNyIsImNyb24iOm51bGwsInNvcnQiOiJERVNDIn0=")
	f.Add(base64.StdEncoding.EncodeToString([]byte(`{"timestamp":1,"ordinate":5,"sort":"ASC"}`)))
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor("from", s)
		if err != nil {
			if fault.KindOf(err) != fault.Malformed {
				t.Fatalf("%v is not the client's fault", err)
			}
			return
		}
		if c.Sort == "" {
			return // a plain time has no text of its own
		}
		again, err := parseCursor("from", c.String())
		if err != nil || again.Timestamp != c.Timestamp || again.Sort != c.Sort || (again.Slot == nil) != (c.Slot == nil) || c.Slot != nil && *again.Slot != *c.Slot {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}

func FuzzRequests(f *testing.F) {
	s := newFakeScheduler(f, 3)
	p := s.process.String()
	cu := newCU(fakeComputer{
		result: func(context.Context, message.ID, message.ID) (compute.Evaluation, error) {
			return compute.Evaluation{JSON: []byte(resultJSON)}, nil
		},
		results: func(compute.Query) (compute.Page, error) { return compute.Page{}, nil },
		dryRun: func(*message.ID, process.DryMessage) (process.Result, error) {
			return process.ParseResult([]byte(resultJSON))
		},
	}, s, 0, 0)
	su := newSU(s)
	f.Add("process-id="+p+"&from=1&to=2&limit=3", []byte("{}"))
	f.Add("from-nonce=-1&to-nonce=5&show-anchor", []byte(`{"Tags":[{"name":"a","value":"b"}]}`))
	f.Add("process-id="+p+"&assign="+p+"&exclude=a,b", []byte{2, 0})
	f.Add("%zz=&=&&;", []byte("null"))
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		for _, c := range []struct {
			h            http.Handler
			method, path string
		}{{su, "GET", "/" + p}, {su, "POST", "/"}, {cu, "GET", "/results/" + p}, {cu, "GET", "/result/" + p}, {cu, "POST", "/dry-run"}} {
			r, err := http.NewRequest(c.method, "http://x"+c.path, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.URL.RawQuery = query
			w := &status{header: http.Header{}}
			c.h.ServeHTTP(w, r)
			if w.code >= 500 {
				t.Fatalf("%s %s?%s: %d", c.method, c.path, query, w.code)
			}
		}
	})
}

type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) Write(p []byte) (int, error) { return len(p), nil }
func (s *status) WriteHeader(code int)        { s.code = code }
