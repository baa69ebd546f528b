package node

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ago/codec/httpsig"
	"ago/message"
	"ago/push"
)

func TestHintsAreRead(t *testing.T) {
	p := message.HashOf(nil).String()
	for text, want := range map[string]string{
		p:                                 "",
		p + "?hint=http://a.example:8734": "http://a.example:8734",
		p + "?hint=http%3A%2F%2Fa.example%3A8734":             "http://a.example:8734",
		p + "&hint=https://a.example/node/":                   "https://a.example/node",
		p + "?other=1&hint=http://a.example":                  "http://a.example",
		p + "?hint=http://a.example?x=1":                      "http://a.example",
		p + "?hint=ftp://a.example":                           "",
		p + "?hint=http://user:word@a.example":                "",
		p + "?hint=//a.example":                               "",
		p + "?other=http://a.example":                         "",
		p + "?hint=http://a" + strings.Repeat("x", hintBytes): "",
	} {
		if got := hintIn(text); got != want {
			t.Errorf("%.100s: %q, want %q", text, got, want)
		}
	}
}

// FuzzHint: whatever stands behind an id, what is asked is the address of a node over HTTP, without anybody's name in it, and reads as
// itself.
func FuzzHint(f *testing.F) {
	for _, seed := range []string{"?hint=http://a.example:8734", "&hint=https%3A%2F%2Fa.example/x/", "?a=1&hint=http://[::1]:80", "?hint=http://a?b&c#d", "?%zz", "?hint=http://a/%3Fx%23y"} {
		f.Add(seed)
	}
	p := message.HashOf(nil).String()
	f.Fuzz(func(t *testing.T, behind string) {
		at := hintIn(p + behind)
		if at == "" {
			return
		}
		u, err := url.Parse(at)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q is read as %q: %v, %v", behind, at, u, err)
		}
	})
}

// TestAHintLeadsToAProcess that no peer and no record leads to: reading it, sending to it, and from process to process.
func TestAHintLeadsToAProcess(t *testing.T) {
	quick := push.Limits{DelayFirst: 20 * time.Millisecond, DelayMax: 100 * time.Millisecond}
	one := startNetwork(t, func(c *Config) { c.Push = quick })
	p := one.spawnLua(t, one.program(t, ballProgram), "one")
	one.hit(t, p, p, 5, 0)
	hinted := p + "?hint=" + one.Addresses().Node
	dir := t.TempDir()
	two := startNetwork(t, func(c *Config) { c.Dir, c.Push, c.Key = dir, quick, seeded(t, "2") })
	two.program(t, ballProgram) // the program is everywhere, as on Arweave
	if code, _, body := two.atNode(t, "GET", "/~scheduler@1.0/slot/current?target="+p, nil, nil); code != 200 || body != "-1" {
		t.Fatalf("without a hint: %d %s", code, body)
	}
	if code, _, body := two.atNode(t, "GET", "/~scheduler@1.0/slot/current?target="+url.QueryEscape(hinted), nil, nil); code != 200 || body != "1" {
		t.Fatalf("%d %s", code, body)
	}
	if code, _, body := two.atNode(t, "GET", "/"+p+"~process@1.0/now/got", nil, nil); code != 200 || body != "5," {
		t.Errorf("%d %s", code, body)
	}
	one.hit(t, p, p, 6, 0)
	two.hit(t, p, p, 7, 0)
	// It is remembered with the log.
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	two = startNetwork(t, func(c *Config) { c.Dir, c.Push, c.Key = dir, quick, seeded(t, "2") })
	if code, _, body := two.atNode(t, "GET", "/"+p+"~process@1.0/now/got", nil, nil); code != 200 || body != "5,6,7," {
		t.Errorf("after a restart: %d %s", code, body)
	}

	three := startNetwork(t, func(c *Config) { c.Push, c.Key = quick, seeded(t, "3") })
	q := three.spawnLua(t, three.program(t, ballProgram), "three")
	three.hit(t, q, hinted, 7, 8)
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, _, body := one.atNode(t, "GET", "/"+p+"~process@1.0/now/got", nil, nil); body == "5,6,7,8," {
			break
		} else if time.Now().After(deadline) {
			tasks, _ := three.pusher.Tasks(t.Context(), push.Filter{})
			t.Fatalf("%s; %+v", body, tasks)
		}
		time.Sleep(5 * time.Millisecond)
	}

	// Where strangers ask, a hint does not lead into the operator's networks; and it can be left aside.
	closed := startNetwork(t, func(c *Config) { c.Closed, c.Key = true, seeded(t, "4") })
	if code, _, body := closed.atNode(t, "GET", "/~scheduler@1.0/slot/current?target="+p+"&hint="+url.QueryEscape(one.Addresses().Node), nil, nil); code == 200 {
		t.Errorf("%d %s", code, body)
	}
	careful := startNetwork(t, func(c *Config) { c.Key = seeded(t, "5") })
	set := message.New(message.Field{Key: "path", Value: message.Bytes("/~meta@1.0/info")}, message.Field{Key: "scheduler_follow_hints", Value: message.Bytes("false")})
	header, body := signedHeaders(t, set, careful.c.Key)
	if code, _, text := careful.atNode(t, "POST", "/~meta@1.0/info", header, body); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	if code, _, body := careful.atNode(t, "GET", "/~scheduler@1.0/slot/current?target="+p+"&hint="+url.QueryEscape(one.Addresses().Node), nil, nil); code != 200 || body != "-1" {
		t.Errorf("%d %s", code, body)
	}
}

// TestAWrongHintLeadsNowhereElse: a process that was found stays found, whatever strangers name for it, and what is sent to it arrives.
func TestAWrongHintLeadsNowhereElse(t *testing.T) {
	quick := push.Limits{DelayFirst: 20 * time.Millisecond, DelayMax: 100 * time.Millisecond}
	one := startNetwork(t, func(c *Config) { c.Push = quick })
	p := one.spawnLua(t, one.program(t, ballProgram), "one")
	one.hit(t, p, p, 1, 0)
	answers := map[string]http.HandlerFunc{
		"nothing":   func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("x", "y") },
		"a refusal": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) },
		"an error":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	}
	hint := func(n *network, at string) {
		n.atNode(t, "GET", "/~scheduler@1.0/slot/current?target="+p+"&hint="+url.QueryEscape(at), nil, nil)
	}
	// One node has found the process by a hint, the other by the record of its scheduler.
	byHint := startNetwork(t, func(c *Config) { c.Push, c.Key = quick, seeded(t, "2") })
	byRecord := startNetwork(t, func(c *Config) { c.Push, c.Key, c.Peers = quick, seeded(t, "3"), []string{one.Addresses().Node} })
	byHint.program(t, ballProgram)
	byRecord.program(t, ballProgram)
	hint(byHint, one.Addresses().Node)
	ball, want := 1, "1,"
	for name, answer := range answers {
		server := httptest.NewServer(answer)
		for _, n := range []*network{byHint, byRecord} {
			hint(n, server.URL)
			ball++
			n.hit(t, p, p, ball, 0)
			want += strconv.Itoa(ball) + ","
			if code, _, body := n.atNode(t, "GET", "/"+p+"~process@1.0/now/got", nil, nil); code != 200 || body != want {
				t.Errorf("after a hint to who answers %s: %d %s, want %s", name, code, body, want)
			}
		}
		server.Close()
	}
}

// TestARealNodesLogIsReadOverHTTP: two slots that a node of the first generation signed, listed by a server that may change them.
func TestARealNodesLogIsReadOverHTTP(t *testing.T) {
	text, err := os.ReadFile("../codec/httpsig/testdata/http-genA/process.json")
	if err != nil {
		t.Fatal(err)
	}
	var pairs []struct {
		Name     string
		Response struct {
			Headers    map[string]string
			BodyBase64 string
		}
	}
	if err := json.Unmarshal(text, &pairs); err != nil {
		t.Fatal(err)
	}
	var slots []message.Field
	for _, pair := range pairs {
		if pair.Name != "ans104-spawn" && pair.Name != "ans104-message" {
			continue
		}
		var hs []message.Header
		for name, v := range pair.Response.Headers {
			hs = append(hs, message.Header{Name: name, Value: v})
		}
		body, err := base64.StdEncoding.DecodeString(pair.Response.BodyBase64)
		if err != nil {
			t.Fatal(err)
		}
		m, err := httpsig.Decode(httpsig.NewWire(hs, body))
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, message.Field{Key: m.Text("slot"), Value: m.OnlyCommitted()})
		slots[len(slots)-1].Key = []string{"0", "1"}[len(slots)-1]
	}
	const p = "Nrw7niIKr98lPo0NzKIusKAwFdRC75nMkp-czBpQ97s"
	var forged atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/schedule") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		list := message.New(slots...)
		if forged.Load() {
			one, _ := list.Get("1")
			m := one.(message.Message)
			list = list.With("1", m.With("timestamp", message.Int(1)).With(message.KeyCommitments, m.Commitments()))
		}
		out, err := httpsig.Encode(message.New(message.Field{Key: "assignments", Value: list}, message.Field{Key: "continues", Value: message.Atom("false")}), message.Nested)
		if err != nil {
			t.Error(err)
		}
		for _, h := range out.Headers {
			w.Header().Set(h.Name, h.Value)
		}
		w.Write(out.Body)
	}))
	defer server.Close()
	n := startNetwork(t, nil)
	forged.Store(true)
	ask := "/~scheduler@1.0/slot/current?target=" + p + "&hint=" + url.QueryEscape(server.URL)
	if code, _, body := n.atNode(t, "GET", ask, nil, nil); code == 200 || !strings.Contains(body, "slot 1 of process "+p+" is refused") {
		t.Errorf("forged: %d %s", code, body)
	}
	forged.Store(false)
	if code, _, body := n.atNode(t, "GET", ask, nil, nil); code != 200 || body != "1" {
		t.Errorf("%d %s", code, body)
	}
	// Its execution device, test-device@1.0, notes the slots that it was given.
	if code, _, body := n.atNode(t, "GET", "/"+p+"~process@1.0/now/results/assignment-slot", nil, nil); code != 200 || body != "1" {
		t.Errorf("%d %s", code, body)
	}
	code, header, body := n.atNode(t, "GET", "/"+p+"~process@1.0/schedule?from=1&to=1", map[string]string{"accept-bundle": "true"}, nil)
	if code != 200 || !strings.Contains(body, "wCKEK4ZVXgSQ6tNbeB4SxEqU7BeEZzReZ20tcJ1V0s0") {
		t.Errorf("%d %v %.200s", code, header, body)
	}
}
