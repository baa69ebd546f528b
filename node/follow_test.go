package node

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ago/client"
	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store/memory"
)

// meddler stands between a compute unit and the network and may change what the scheduler says.
type meddler struct {
	*httptest.Server
	asked  atomic.Int64
	change atomic.Pointer[func(path string, body []byte) []byte]
}

func newMeddler(t testing.TB, n *network) *meddler {
	m := &meddler{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.asked.Add(1)
		base := n.Addresses().SU
		if r.URL.Path == "/graphql" || strings.HasPrefix(r.URL.Path, "/raw/") || strings.HasPrefix(r.URL.Path, "/tx/") {
			base = n.Addresses().Gateway
		}
		q, err := http.NewRequest(r.Method, base+r.URL.RequestURI(), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		q.Header = r.Header
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
		}
		if f := m.change.Load(); f != nil {
			body = (*f)(r.URL.Path, body)
		}
		w.WriteHeader(answer.StatusCode)
		w.Write(body)
	}))
	t.Cleanup(m.Close)
	return m
}

func startEvaluator(t testing.TB, m *meddler, dir string, verify bool) (*Evaluator, *client.Network) {
	t.Helper()
	e, err := StartEvaluator(EvaluatorConfig{Dir: dir, CacheDir: modulesCache, Gateway: m.URL, SU: m.URL, VerifySignatures: verify})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, &client.Network{CU: e.URL()}
}

func (n *network) send(t testing.TB, command string) message.ID {
	t.Helper()
	id, err := n.client.Send(context.Background(), n.key, client.Message{Process: n.process, Data: []byte(command), Anchor: anchor()})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAnEvaluatorGivesTheSameResults(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	m := newMeddler(t, n)
	var ids []message.ID
	for _, command := range []string{"count", "count-then-fail", "echo \xff\xfe", "count", "count-then-trap", "count"} {
		ids = append(ids, n.send(t, command))
	}
	want := map[message.ID]string{}
	for _, id := range ids {
		r, err := n.client.Result(context.Background(), n.process, id)
		if err != nil {
			t.Fatal(err)
		}
		want[id] = string(r.JSON)
	}
	dir := t.TempDir()
	for _, verify := range []bool{true, false} {
		e, unit := startEvaluator(t, m, dir, verify)
		for _, id := range []message.ID{ids[5], ids[0], ids[3], ids[1], ids[2], ids[4]} {
			r, err := unit.Result(context.Background(), n.process, id)
			if err != nil || string(r.JSON) != want[id] {
				t.Errorf("verify %t: %s, %v, want %s", verify, r.JSON, err, want[id])
			}
		}
		ids = append(ids, n.send(t, "count")) // the log grows under the unit
		last := ids[len(ids)-1]
		r, err := n.client.Result(context.Background(), n.process, last)
		if err != nil {
			t.Fatal(err)
		}
		want[last] = string(r.JSON)
		if r, err := unit.Result(context.Background(), n.process, last); err != nil || string(r.JSON) != want[last] {
			t.Errorf("a new message: %s, %v, want %s", r.JSON, err, want[last])
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// What was evaluated is answered without asking anybody.
	_, unit := startEvaluator(t, m, dir, true)
	before := m.asked.Load()
	for id, want := range want {
		if r, err := unit.Result(context.Background(), n.process, id); err != nil || string(r.JSON) != want {
			t.Errorf("after a restart: %s, %v, want %s", r.JSON, err, want)
		}
	}
	if asked := m.asked.Load() - before; asked != 0 {
		t.Errorf("%d questions for stored results", asked)
	}
	// A message of no process, and one of another process.
	if _, err := unit.Result(context.Background(), n.process, nobody); fault.CodeOf(err) != "message-unknown" {
		t.Errorf("an unknown message: %v", err)
	}
	if _, err := unit.Result(context.Background(), nobody, ids[0]); err == nil {
		t.Error("a result of an unknown process")
	}
}

// TestBytesThatAreNoTextAreVerified: schedulers show tags, anchors and data as text, in which such bytes are lost.
func TestBytesThatAreNoTextAreVerified(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	m := newMeddler(t, n)
	var last *ans104.Item
	for _, change := range []func(*ans104.Draft){
		func(d *ans104.Draft) { d.Tags = append(d.Tags, Tag{Name: "a\xff", Value: "b"}) },
		func(d *ans104.Draft) { d.Tags = append(d.Tags, Tag{Name: "a", Value: "\xf0\x9f"}) },
		func(d *ans104.Draft) { d.Anchor = bytes.Repeat([]byte{0xfe}, 32) },
		func(d *ans104.Draft) { d.Data = []byte("count \xff") },
		func(d *ans104.Draft) { d.Data = []byte("count") },
	} {
		it, err := ans104.Sign(n.draft(change), n.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.client.Post(context.Background(), it); err != nil {
			t.Fatal(err)
		}
		last = it
	}
	_, unit := startEvaluator(t, m, "", true)
	if _, err := unit.Result(context.Background(), n.process, last.ID()); err != nil {
		t.Error(err)
	}
	for name, c := range map[string][2]string{
		"data":           {`"data":"count"`, `"data":"count \ufffd"`},
		"a tag's value":  {"\"value\":\"\ufffd\"", "\"value\":\"\ufffd!\""},
		"a replaced tag": {`{"name":"Type","value":"Message"}`, `{"name":"Type","value":"Message\ufffd"}`},
	} {
		change := func(_ string, body []byte) []byte { return bytes.ReplaceAll(body, []byte(c[0]), []byte(c[1])) }
		m.change.Store(&change)
		_, unit := startEvaluator(t, m, "", true)
		if _, err := unit.Result(context.Background(), n.process, last.ID()); fault.CodeOf(err) != "signature-invalid" {
			t.Errorf("a scheduler that shows other bytes as %s: %v", name, err)
		}
	}
}

// TestAssignedByID assigns what is not a message of a process: each unit has it from the gateway, and sees the same.
func TestAssignedByID(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startNetwork(t, nil)
	other, err := n.client.Spawn(ctx, n.key, client.Spawn{Module: probeID, Tags: []Tag{{Name: "Name", Value: "another"}}})
	if err != nil {
		t.Fatal(err)
	}
	m := newMeddler(t, n)
	_, unit := startEvaluator(t, m, "", true)
	for name, id := range map[string]message.ID{
		"a process": other, "an imported module": brokenID, "a message": n.send(t, "echo it"),
		"an item without an anchor": n.upload(t, ans104.Draft{Data: []byte("echo this"), Tags: []Tag{{Name: "a", Value: "b"}}}),
		"an anchor that is no text": n.upload(t, ans104.Draft{Data: []byte("echo that"), Anchor: bytes.Repeat([]byte{0xff}, 32)}),
	} {
		if status, body := request(t, "POST", n.Addresses().MU+"/?process-id="+n.process.String()+"&assign="+id.String(), nil); status != 202 && name != "a message" {
			t.Fatalf("%s: assign: %d %s", name, status, body)
		}
		want, err := n.client.Result(ctx, n.process, id)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := unit.Result(ctx, n.process, id)
		if err != nil || string(got.JSON) != string(want.JSON) {
			t.Errorf("%s: %s, %v, want %s", name, got.JSON, err, want.JSON)
		}
		seen := func(c process.Content, err error) string {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return string(process.MessageJSON(process.Definition{}, process.Assigned{Content: c, Entry: slotlog.Entry{ByID: true}}))
		}
		f := newFollower(&client.Network{Gateway: n.Addresses().Gateway}, memory.New(), true)
		here, there := seen(archive{n.gateway}.Content(ctx, id)), seen(f.content(ctx, id))
		if here != there {
			t.Errorf("%s: the node sees\n%s\na unit elsewhere\n%s", name, here, there)
		}
		if name == "an imported module" && !strings.Contains(here, `"Owner":"",`) {
			t.Errorf("%s has an owner: %s", name, here)
		}
	}
}

// upload puts an item at the bundler.
func (n *network) upload(t testing.TB, d ans104.Draft) message.ID {
	t.Helper()
	it, err := ans104.Sign(d, n.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.client.Upload(context.Background(), it); err != nil {
		t.Fatal(err)
	}
	return it.ID()
}

func TestAnEvaluatorRefusesALogThatWasChanged(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	m := newMeddler(t, n)
	var last message.ID
	for range 5 {
		last = n.send(t, "count")
	}
	page := func(change func(edges []json.RawMessage) []json.RawMessage) func(string, []byte) []byte {
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
			p.Edges = change(p.Edges)
			out, err := json.Marshal(p)
			if err != nil {
				t.Error(err)
			}
			return out
		}
	}
	replaced := func(slot int, old, new string) func(string, []byte) []byte {
		return page(func(edges []json.RawMessage) []json.RawMessage {
			changed := bytes.Replace(edges[slot], []byte(old), []byte(new), 1)
			if bytes.Equal(changed, edges[slot]) {
				t.Errorf("%q is not there to be changed", old)
			}
			edges[slot] = changed
			return edges
		})
	}
	for _, c := range []struct {
		name   string
		verify bool
		change func(string, []byte) []byte
		code   string // "" if it is not noticed
	}{
		{"nothing", true, page(func(e []json.RawMessage) []json.RawMessage { return e }), ""},
		{"a slot left out", false, page(func(e []json.RawMessage) []json.RawMessage { return append(e[:2:2], e[3:]...) }), "slot-missing"},
		{"two slots exchanged", false, page(func(e []json.RawMessage) []json.RawMessage { e[2], e[3] = e[3], e[2]; return e }), "slot-missing"},
		{"another chain value", false, replaced(3, `"name":"Hash-Chain","value":"`, `"name":"Hash-Chain","value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},{"name":"Was","value":"`), "hash-chain-invalid"},
		{"another text, unchecked", false, replaced(2, `"data":"count"`, `"data":"echo x"`), ""},
		{"another text", true, replaced(2, `"data":"count"`, `"data":"echo x"`), "signature-invalid"},
		{"another height", true, replaced(2, `"name":"Block-Height","value":"0000015`, `"name":"Block-Height","value":"0000016`), "signature-invalid"},
	} {
		m.change.Store(&c.change)
		_, unit := startEvaluator(t, m, "", c.verify)
		_, err := unit.Result(context.Background(), n.process, last)
		if c.code == "" && err != nil || c.code != "" && fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
	}
}

func TestANodeGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := func(c *Config) { c.Dir = filepath.Join(dir, "net") }
	n := startNetwork(t, keep)
	first, p := n.Addresses(), n.process
	if r := n.eval(t, "count"); r.Text() != "1" {
		t.Fatalf("%s", r.JSON)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = startNetwork(t, keep) // with one more process
	if n.Addresses().Scheduler != first.Scheduler {
		t.Error("the node has another key")
	}
	n.process = p
	if r := n.eval(t, "count"); r.Text() != "2" {
		t.Errorf("after a restart: %s", r.JSON)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Reset(filepath.Join(dir, "net")); err != nil {
		t.Fatal(err)
	}
	n = startNetwork(t, keep)
	if n.Addresses().Scheduler != first.Scheduler || n.countProcesses(t) != 1 {
		t.Errorf("an emptied network has %d processes and the key %s", n.countProcesses(t), n.Addresses().Scheduler)
	}
	if info, err := os.Stat(filepath.Join(dir, "net", keyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	if err := Reset(dir); fault.CodeOf(err) != "data-foreign" {
		t.Errorf("a folder of other things: %v", err)
	}
}
