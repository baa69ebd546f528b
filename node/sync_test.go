package node

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// follow starts a node that follows the network's process.
func follow(t testing.TB, n *network, f Follow, change ...func(*Config)) *Node {
	t.Helper()
	f.Process, f.Interval = n.process, 20*time.Millisecond
	wasm, err := os.ReadFile(probeFile)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := ModuleTags(wasm, Tag{Name: "Module-Format", Value: probeFormat})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Patience: -1, CacheDir: modulesCache, Upstream: []string{n.Addresses().Gateway}, Follow: []Follow{f},
		Modules: []Module{{ID: probeID, Data: wasm, Tags: tags}}}
	for _, ch := range change {
		ch(&c)
	}
	m, err := Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// until waits for what Following tells.
func until(t testing.TB, m *Node, what string, is func(Following) bool) Following {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		f := m.Following()[0]
		if is(f) {
			return f
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about: %+v", what, f)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func caughtUp(slots slotlog.Slot) func(Following) bool {
	return func(f Following) bool { return f.Current && f.Read >= slots && f.Evaluated >= slots }
}

// sameLog compares the pages of two schedulers, and results of the messages in them.
func sameLog(t testing.TB, p message.ID, one, other *Node, slots int) {
	t.Helper()
	for _, query := range []string{"?limit=1000", "?limit=7&from-nonce=2", "?limit=1000&show-anchor=1"} {
		_, a := request(t, "GET", one.Addresses().SU+"/"+p.String()+query, nil)
		_, b := request(t, "GET", other.Addresses().SU+"/"+p.String()+query, nil)
		if string(a) != string(b) || !bytes.Contains(a, []byte(`"edges":[{`)) {
			t.Errorf("%s:\n%.300s\n%.300s", query, a, b)
		}
	}
	_, a := request(t, "GET", one.Addresses().CU+"/results/"+p.String()+"?limit=1000", nil)
	_, b := request(t, "GET", other.Addresses().CU+"/results/"+p.String()+"?limit=1000", nil)
	var page struct{ Edges []json.RawMessage }
	if err := json.Unmarshal(b, &page); err != nil || len(page.Edges) != slots || string(a) != string(b) {
		t.Errorf("results: %d, %v:\n%.300s\n%.300s", len(page.Edges), err, a, b)
	}
}

func TestALogOfAnotherSchedulerIsFollowed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startNetwork(t, nil)
	for range 300 {
		n.send(t, "count")
	}
	for _, change := range []func(*ans104.Draft){ // what a scheduler cannot show as it was signed
		func(d *ans104.Draft) { d.Data = []byte("count \xff") },
		func(d *ans104.Draft) { d.Anchor = bytes.Repeat([]byte{0xfe}, 32) },
		func(d *ans104.Draft) { d.Tags = append(d.Tags, Tag{Name: "a\xff", Value: "b"}) },
	} {
		it, err := ans104.Sign(n.draft(change), n.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.client.Post(ctx, it); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	m := follow(t, n, Follow{SU: n.Addresses().SU, Gateway: n.Addresses().Gateway}, func(c *Config) { c.Dir = dir })
	until(t, m, "following", caughtUp(304))
	sameLog(t, n.process, n.Node, m, 304)
	// It goes on, also after a restart.
	n.send(t, "count")
	until(t, m, "a new slot", caughtUp(305))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	n.send(t, "count")
	m = follow(t, n, Follow{SU: n.Addresses().SU, Gateway: n.Addresses().Gateway}, func(c *Config) { c.Dir = dir })
	if got := until(t, m, "a restart", caughtUp(306)); m.computer.Stats().Evaluated > 3 {
		t.Errorf("%d messages were evaluated after the restart: %+v", m.computer.Stats().Evaluated, got)
	}
	sameLog(t, n.process, n.Node, m, 306)
	status, body := request(t, "GET", m.Addresses().Node+"/following", nil)
	if want := regexp.MustCompile(`^{"following":\[{"process":"` + n.process.String() + `","from":"` + n.Addresses().SU + `","read":306,"known":306,"evaluated":306,"current":true}\]}`); status != 200 || !want.Match(body) {
		t.Errorf("GET /following: %d %s", status, body)
	}
	// Messages are not taken, and what the process sends is not pushed a second time.
	here := client.At(m.Addresses().Node)
	if _, err := here.Send(ctx, n.key, client.Message{Process: n.process, Data: []byte("count"), Anchor: anchor()}); fault.CodeOf(err) != "process-followed" {
		t.Errorf("a message to a process that is followed: %v", err)
	}
	if _, tasks := request(t, "GET", m.Addresses().Node+"/tasks", nil); !strings.Contains(string(tasks), `"tasks":[]`) {
		t.Errorf("tasks: %s", tasks)
	}
	// The scheduler is gone: this node becomes it.
	if _, err := m.Adopt(ctx, n.process); err != nil {
		t.Fatal(err)
	}
	id, err := here.Send(ctx, n.key, client.Message{Process: n.process, Data: []byte("count"), Anchor: anchor()})
	if err != nil {
		t.Fatal(err)
	}
	was := n.eval(t, "count") // the same as on the old network, at the same slot
	r, err := here.Result(ctx, n.process, id)
	if err != nil || r.Text() != was.Text() {
		t.Errorf("the first own slot: %s, %v, want %s", r.Text(), err, was.Text())
	}
	// Who follows the new scheduler has to know whose signatures count from now on.
	for _, signers := range [][]string{nil, {m.Addresses().Scheduler}} {
		next := follow(t, n, Follow{SU: m.Addresses().SU, Gateway: m.Addresses().Gateway, Signers: signers}, func(c *Config) { c.Upstream = []string{m.Addresses().Gateway} })
		if signers == nil {
			f := until(t, next, "the refusal", func(f Following) bool { return f.Refused != "" })
			if f.Code != "scheduler-is-another" || f.Read != 306 || !strings.Contains(f.Hint, "--signer") {
				t.Errorf("%+v", f)
			}
			continue
		}
		until(t, next, "following the new scheduler", caughtUp(307))
		sameLog(t, n.process, m, next, 307)
	}
}

// TestWithoutItsSchedulerTheLogIsReadFromArweave: assignments and messages are found by GraphQL.
func TestWithoutItsSchedulerTheLogIsReadFromArweave(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	for i := range 120 {
		if i%40 == 7 {
			n.send(t, "echo \xff\xfe")
			continue
		}
		n.send(t, "count")
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	m := follow(t, n, Follow{SU: gone.URL, Gateway: n.Addresses().Gateway})
	until(t, m, "reading from the gateway", func(f Following) bool { return f.Evaluated == 121 && f.From == n.Addresses().Gateway })
	sameLog(t, n.process, n.Node, m, 121)
}

// TestPagesOfAllKinds: by number or by time only, small, or saying that more follows when nothing does.
func TestPagesOfAllKinds(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	for range 60 {
		n.send(t, "count")
	}
	for name, kind := range map[string]func(q url.Values, r *http.Request) (after func([]byte) []byte){
		"small": func(q url.Values, _ *http.Request) func([]byte) []byte {
			q.Set("limit", "7")
			return nil
		},
		"by time only": func(q url.Values, _ *http.Request) func([]byte) []byte {
			q.Del("from-nonce")
			q.Set("limit", "9")
			return nil
		},
		"more than there is": func(q url.Values, _ *http.Request) func([]byte) []byte {
			q.Set("limit", "10")
			return func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"has_next_page":false`), []byte(`"has_next_page":true`), 1)
			}
		},
		"without the newest": func(_ url.Values, r *http.Request) func([]byte) []byte {
			if strings.HasSuffix(r.URL.Path, "/latest") {
				r.URL.Path = "/unknown"
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			su := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				after := kind(q, r)
				status, body := request(t, "GET", n.Addresses().SU+r.URL.Path+"?"+q.Encode(), nil)
				if after != nil {
					body = after(body)
				}
				w.WriteHeader(status)
				w.Write(body)
			}))
			defer su.Close()
			m := follow(t, n, Follow{SU: su.URL, Gateway: n.Addresses().Gateway})
			defer m.Close()
			have := slotlog.Slot(len(allSlots(t, n)))
			until(t, m, "following", caughtUp(have))
			n.send(t, "count")
			until(t, m, "the next slot", caughtUp(have+1))
			sameLog(t, n.process, n.Node, m, int(have)+1)
		})
	}
}

func allSlots(t testing.TB, n *network) []client.Edge {
	t.Helper()
	var all []client.Edge
	for e, err := range (&client.Network{SU: n.Addresses().SU}).Slots(context.Background(), n.process, 0, -1) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// TestAForgedLogIsRefusedAtItsSlot: nothing from there on is used, and when the log is right again it goes on.
func TestAForgedLogIsRefusedAtItsSlot(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	for range 20 {
		n.send(t, "count")
	}
	edit := func(change func([]json.RawMessage) []json.RawMessage) func(string, []byte) []byte {
		return func(path string, body []byte) []byte {
			if path != "/"+n.process.String() {
				return body
			}
			var p struct {
				Edges    []json.RawMessage `json:"edges"`
				PageInfo json.RawMessage   `json:"page_info"`
			}
			if err := json.Unmarshal(body, &p); err != nil {
				t.Error(err)
			}
			if len(p.Edges) > 12 {
				p.Edges = change(p.Edges)
			}
			out, err := json.Marshal(p)
			if err != nil {
				t.Error(err)
			}
			return out
		}
	}
	for _, c := range []struct {
		name   string
		change func([]json.RawMessage) []json.RawMessage
		code   string
	}{
		{"left out", func(e []json.RawMessage) []json.RawMessage { return append(e[:10:10], e[11:]...) }, "slot-missing"},
		{"exchanged", func(e []json.RawMessage) []json.RawMessage { e[10], e[11] = e[11], e[10]; return e }, "slot-missing"},
		{"text", func(e []json.RawMessage) []json.RawMessage {
			e[10] = bytes.Replace(e[10], []byte(`"data":"count"`), []byte(`"data":"echo x"`), 1)
			return e
		}, "signature-invalid"},
		{"height", func(e []json.RawMessage) []json.RawMessage {
			e[10] = bytes.Replace(e[10], []byte(`"Block-Height","value":"0000015`), []byte(`"Block-Height","value":"0000016`), 1)
			return e
		}, "signature-invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			meddler := newMeddler(t, n)
			change := edit(c.change)
			meddler.change.Store(&change)
			m := follow(t, n, Follow{SU: meddler.URL, Gateway: n.Addresses().Gateway})
			defer m.Close()
			f := until(t, m, "the refusal", func(f Following) bool { return f.Refused != "" && f.Evaluated == 10 })
			if f.Code != c.code || f.Read != 10 || f.Current || !strings.HasPrefix(f.Refused, "slot 10 of") {
				t.Errorf("%+v, want %s", f, c.code)
			}
		})
	}
}

// TestFollowingFromACheckpoint: the whole log is read and checked, and evaluated from a memory that is trusted.
func TestFollowingFromACheckpoint(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	var last message.ID
	for range 150 {
		last = n.send(t, "count")
	}
	publisher := keyOf(t, "p")
	e, _ := evaluates(t, n, last, "150", publisher, Checkpoints{Upload: true})
	if err := e.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		n.send(t, "count")
	}
	m := follow(t, n, Follow{SU: n.Addresses().SU, Gateway: n.Addresses().Gateway}, func(c *Config) {
		c.Checkpoints = Checkpoints{Gateway: n.Addresses().Gateway, Trusted: []string{publisher.Address().String()}}
	})
	until(t, m, "following", caughtUp(154))
	if got := m.computer.Stats().Evaluated; got > 130 {
		t.Errorf("%d messages were evaluated, although there is a checkpoint of slot 150", got)
	}
}
