package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/push"
	"ago/schedule"
	"ago/slotlog"
)

// ballProgram keeps what it got, and hits a ball back as long as it is below its limit.
const ballProgram = `
function compute(base, req, opts)
  local m = req.body
  base.results = { outbox = {} }
  if m.ball then
    base.got = (base.got or "") .. m.ball .. ","
    local n = tonumber(m.ball)
    if n < tonumber(m.limit) then
      base.results.outbox["1"] = { target = m.other, other = m.target, ball = tostring(n + 1), limit = m.limit }
    end
  end
  return base
end
`

func seeded(t testing.TB, seed string) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat(seed, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (n *network) spawnLua(t testing.TB, module message.ID, name string) string {
	t.Helper()
	own := n.scheduler.Address().String()
	header, _ := n.item(t, "/push", 200, "*/*", ans104.Draft{Data: []byte("x"), Tags: tagList("device", "process@1.0", "execution-device", "lua@5.3a",
		"module", module.String(), "Name", name, "Authority", own, "Scheduler", own, "Data-Protocol", "ao", "Type", "Process", "Variant", "ao.N.1")})
	return header.Get("process")
}

func (n *network) program(t testing.TB, source string) message.ID {
	t.Helper()
	module, err := ans104.Sign(ans104.Draft{Data: []byte(source), Tags: tagList("Content-Type", "application/lua")}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.client.Upload(context.Background(), module); err != nil {
		t.Fatal(err)
	}
	return module.ID()
}

func (n *network) hit(t testing.TB, p, other string, ball, limit int) {
	t.Helper()
	id, err := message.ParseID(p)
	if err != nil {
		t.Fatal(err)
	}
	n.item(t, "/"+p+"~process@1.0/push?async=true", 200, "application/json", ans104.Draft{Target: id, HasTarget: true, Data: []byte("hit"),
		Tags: tagList("ball", strconv.Itoa(ball), "limit", strconv.Itoa(limit), "other", other, "Data-Protocol", "ao", "Type", "Message", "Variant", "ao.N.1")})
}

// proxied stands before a node and may change what it answers.
func proxied(t testing.TB, to string, change func(path string, body []byte) []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := http.NewRequest(r.Method, to+r.RequestURI, r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		q.Header = r.Header.Clone()
		answer, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
		}
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		changed := change(r.URL.Path, body)
		if !bytes.Equal(changed, body) {
			sum := sha256.Sum256(changed)
			w.Header().Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
		}
		w.WriteHeader(answer.StatusCode)
		w.Write(changed)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestOneNodeSchedulesAndAnotherComputes: the states by path are the same.
func TestOneNodeSchedulesAndAnotherComputes(t *testing.T) {
	t.Parallel()
	one := startNetwork(t, nil)
	p := one.spawnLua(t, one.program(t, ballProgram), "one")
	for i := range 4 {
		one.hit(t, p, p, 5+i, 0)
	}
	two := startNetwork(t, func(c *Config) { c.Peers = []string{one.Addresses().Node}; c.Key = seeded(t, "2") })
	for _, path := range []string{"/slot/current", "/compute=2/got", "/now/got", "/compute=4/at-slot", "/compute=1/got", "/now/process/name"} {
		code, _, want := one.atNode(t, "GET", "/"+p+"~process@1.0"+path, nil, nil)
		if code != 200 {
			t.Fatalf("%s at the scheduler: %d %.300s", path, code, want)
		}
		if code, _, got := two.atNode(t, "GET", "/"+p+"~process@1.0"+path, nil, nil); code != 200 || got != want {
			t.Errorf("%s: %d %.300s, want %.300s", path, code, got, want)
		}
	}
	// It goes on, and what is sent here gets its slot there.
	one.hit(t, p, p, 9, 0)
	two.hit(t, p, p, 10, 0)
	if code, _, got := two.atNode(t, "GET", "/"+p+"~process@1.0/now/got", nil, nil); code != 200 || got != "5,6,7,8,9,10," {
		t.Errorf("%d %s", code, got)
	}
	// The log reads the same here, with the scheduler's signatures.
	id, _ := message.ParseID(p)
	a, err := one.scheduler.Page(t.Context(), id, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	b, err := two.scheduler.Page(t.Context(), id, 0, 100)
	if err != nil || len(b.Signed) != 7 {
		t.Fatalf("%d slots, %v", len(b.Signed), err)
	}
	for i := range a.Signed {
		if a.Signed[i].SignedID() != b.Signed[i].SignedID() {
			t.Errorf("slot %d is another assignment", i)
		}
	}
}

// TestATamperedLogOfAnotherNodeIsRefused, and what came before the wrong slot is used.
func TestATamperedLogOfAnotherNodeIsRefused(t *testing.T) {
	t.Parallel()
	one := startNetwork(t, nil)
	p := one.spawnLua(t, one.program(t, ballProgram), "one")
	for i := range 4 {
		one.hit(t, p, p, 5+i, 0)
	}
	var honest atomic.Bool
	between := proxied(t, one.Addresses().Node, func(path string, body []byte) []byte {
		if honest.Load() || !strings.HasSuffix(path, "/schedule") {
			return body
		}
		body = bytes.ReplaceAll(body, []byte("ball: 7\r\n"), []byte("ball: 9\r\n"))
		return bytes.ReplaceAll(body, []byte("value: 7\r\n"), []byte("value: 9\r\n")) // of the item's tags
	})
	two := startNetwork(t, func(c *Config) { c.Peers = []string{between}; c.Key = seeded(t, "2") })
	// The scheduler says that it answers where the liar is.
	if _, err := one.abroad.places.Announce(t.Context(), between); err != nil {
		t.Fatal(err)
	}
	code, _, body := two.atNode(t, "GET", "/"+p+"~process@1.0/now/got", nil, nil)
	if code == 200 || !strings.Contains(body, "slot 3 of process "+p+" is refused") {
		t.Errorf("%d %s", code, body)
	}
	if code, _, body := two.atNode(t, "GET", "/"+p+"~process@1.0/compute=2/got", nil, nil); code != 200 || body != "5,6," {
		t.Errorf("the state before: %d %s", code, body)
	}
	if code, _, body := two.atNode(t, "GET", "/"+p+"~process@1.0/compute=3/got", nil, nil); code == 200 {
		t.Errorf("the state after it: %d %s", code, body)
	}
	honest.Store(true)
	if code, _, body := two.atNode(t, "GET", "/"+p+"~process@1.0/now/got", nil, nil); code != 200 || body != "5,6,7,8," {
		t.Errorf("the right log afterwards: %d %s", code, body)
	}
}

// TestProcessesOfTwoNodesAnswerEachOther, each message once and in order, also when one of the nodes restarts in between.
func TestProcessesOfTwoNodesAnswerEachOther(t *testing.T) {
	t.Parallel()
	quick := push.Limits{DelayFirst: 20 * time.Millisecond, DelayMax: 100 * time.Millisecond, AttemptsMax: 1000}
	one := startNetwork(t, func(c *Config) { c.Push = quick })
	dir := t.TempDir()
	key := seeded(t, "2")
	start := func(port int) *network {
		return startNetwork(t, func(c *Config) {
			c.Push, c.Dir, c.Peers, c.Key, c.Ports.Node = quick, dir, []string{one.Addresses().Node}, key, port
		})
	}
	two := start(0)
	module := one.program(t, ballProgram)
	p, q := one.spawnLua(t, module, "one"), two.spawnLua(t, module, "two")
	// The first node is told where the second one is.
	record, err := two.abroad.places.Record(t.Context(), two.scheduler.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := one.abroad.places.Put(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	const last = 40
	one.hit(t, p, q, 0, last)
	wait := func(n *network, process string, balls int) string {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for {
			_, _, got := n.atNode(t, "GET", "/"+process+"~process@1.0/now/got", nil, nil)
			if strings.Count(got, ",") >= balls {
				return got
			}
			if time.Now().After(deadline) {
				tasks, _ := one.pusher.Tasks(t.Context(), push.Filter{})
				t.Fatalf("%s; tasks %+v", got, tasks)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	wait(two, q, 5)
	at, err := url.Parse(two.Addresses().Node)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	two = start(port)
	want := [2]string{}
	for ball := 0; ball <= last; ball++ {
		want[ball%2] += fmt.Sprint(ball, ",")
	}
	if got := wait(one, p, last/2+1); got != want[0] {
		t.Errorf("the first got %s", got)
	}
	if got := wait(two, q, last/2); got != want[1] {
		t.Errorf("the second got %s", got)
	}
	// Each computes what the other schedules.
	if got := wait(one, q, last/2); got != want[1] {
		t.Errorf("the second, computed by the first: %s", got)
	}
	if got := wait(two, p, last/2+1); got != want[0] {
		t.Errorf("the first, computed by the second: %s", got)
	}
	if n := one.pusher.Stats().Parked + two.pusher.Stats().Parked; n != 0 {
		t.Errorf("%d deliveries are parked", n)
	}
}

// TestAMessageForAProcessElsewhereIsBroughtThere also if it is one that legacy units would not read; or the client is sent there.
func TestAMessageForAProcessElsewhereIsBroughtThere(t *testing.T) {
	t.Parallel()
	one := startNetwork(t, nil)
	p := one.spawnLua(t, one.program(t, ballProgram), "one")
	two := startNetwork(t, func(c *Config) { c.Peers = []string{one.Addresses().Node}; c.Key = seeded(t, "2") })
	id, err := message.ParseID(p)
	if err != nil {
		t.Fatal(err)
	}
	header, _ := two.item(t, "/"+p+"~process@1.0/schedule", 200, "*/*", ans104.Draft{Target: id, HasTarget: true, Data: []byte("x"), Tags: tagList("n", "1")})
	if header.Get("slot") != "1" {
		t.Errorf("%v", header)
	}
	// What a message says about its answer is for its sender's node, not between the nodes.
	form := tagList("require-codec", "application/json", "accept-bundle", "false", "n", "2", "Data-Protocol", "ao", "Type", "Message", "Variant", "ao.N.1")
	header, body := two.item(t, "/"+p+"~process@1.0/push", 200, "*/*", ans104.Draft{Target: id, HasTarget: true, Data: []byte("x"), Tags: form})
	if header.Get("slot") != "2" || header.Get("content-type") != "application/json" {
		t.Errorf("%v %.300s", header, body)
	}
	m := message.New(message.Field{Key: "target", Value: message.Bytes(p)}, message.Field{Key: "type", Value: message.Bytes("Message")},
		message.Field{Key: "require-codec", Value: message.Bytes("application/json")}, message.Field{Key: "n", Value: message.Bytes("3")})
	for i, path := range []string{"", "schedule", "/" + p + "~process@1.0/schedule", "/" + p + "~process@1.0/push"} {
		if path != "" {
			m = m.With("path", message.Bytes(path))
		}
		headers, raw := signedHeaders(t, m, two.key)
		code, header, body := two.atNode(t, "POST", "/"+p+"~process@1.0/schedule", headers, raw)
		if code != 200 || header.Get("content-type") != "application/json" {
			t.Errorf("path %q: %d %v %.300s", path, code, header, body)
		}
		if head, err := one.scheduler.Head(t.Context(), id); err != nil || head.Next != slotlog.Slot(4+i) {
			t.Errorf("path %q: %+v, %v", path, head, err)
		}
	}
}

// TestAnAssignmentOfAnotherNodeIsBelievedIfItsSchedulerSignedIt, and if it is of the message.
func TestAnAssignmentOfAnotherNodeIsBelievedIfItsSchedulerSignedIt(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	p, err := message.ParseID(n.spawnLua(t, n.program(t, ballProgram), "one"))
	if err != nil {
		t.Fatal(err)
	}
	n.hit(t, p.String(), p.String(), 5, 0)
	n.hit(t, p.String(), p.String(), 6, 0)
	def, err := n.scheduler.Process(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	first, err := n.scheduler.Assignment(t.Context(), p, 1)
	if err != nil {
		t.Fatal(err)
	}
	second, err := n.scheduler.Assignment(t.Context(), p, 2)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := first.Get("body")
	body, _ := v.(message.Message)
	it, ok := schedule.ItemIn(body)
	if !ok {
		t.Fatal("the assignment holds no item")
	}
	if _, err := n.abroad.answered(def, it.ID(), first); err != nil {
		t.Errorf("as it is: %v", err)
	}
	plain := first.Without("commitments")
	other, err := httpsig.Commit(plain, seeded(t, "3"), httpsig.Terms{Nesting: message.Nested})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]message.Message{
		"of another message": second, "signed by another": other, "unsigned": plain, "changed": first.With("slot", message.Int(7)), "nothing": {},
	} {
		if _, err := n.abroad.answered(def, it.ID(), got); fault.CodeOf(err) != "assignment-malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestALegacyProcessElsewhereIsNotRead: its definition is found, its log is not, and nothing is said of it that is not so.
func TestALegacyProcessElsewhereIsNotRead(t *testing.T) {
	t.Parallel()
	one := startNetwork(t, nil)
	two := startNetwork(t, func(c *Config) { c.Peers = []string{one.Addresses().Node}; c.Key = seeded(t, "2") })
	for _, path := range []string{"/slot", "/slot/current", "/now", "/now/results", "/compute", "/compute=0", "/schedule"} {
		code, header, body := two.atNode(t, "GET", "/"+one.process.String()+"~process@1.0"+path, nil, nil)
		if code != 404 || header.Get("code") != "process-not-followed" || !strings.Contains(header.Get("details"), "ago sync") {
			t.Errorf("%s: %d %v %.300s", path, code, header, body)
		}
	}
}

// TestRecordsOfSchedulers are kept if they are newer and signed by the scheduler.
func TestRecordsOfSchedulers(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	key := seeded(t, "9")
	own := key.Address().String()
	record := func(nonce int64, fs ...message.Field) message.Message {
		m, err := httpsig.Commit(message.New(append(fs, textField("type", "scheduler-location"), textField("url", fmt.Sprint("http://localhost:", nonce)),
			field("nonce", message.Int(nonce)))...), key, httpsig.Terms{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	post := func(m message.Message) int {
		w, err := httpsig.Encode(m, message.Nested)
		if err != nil {
			t.Fatal(err)
		}
		headers := map[string]string{}
		for _, h := range w.Headers {
			headers[h.Name] = h.Value
		}
		code, _, _ := n.atNode(t, "POST", "/~scheduler@1.0/location", headers, w.Body)
		return code
	}
	where := func(want string) {
		t.Helper()
		if _, _, got := n.atNode(t, "GET", "/~scheduler@1.0/location/body/url?address="+own, nil, nil); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for i, c := range []struct {
		nonce int64
		code  int
		now   int64
	}{{5, 200, 5}, {4, 400, 5}, {7, 200, 7}, {7, 200, 7}} {
		if code := post(record(c.nonce)); code != c.code {
			t.Errorf("%d: %d", i, code)
		}
		where(fmt.Sprint("http://localhost:", c.now))
	}
	forged := record(9)
	if code := post(forged.With("url", message.Bytes("http://evil")).With(message.KeyCommitments, forged.Commitments())); code == 200 {
		t.Error("a forged record is taken")
	}
	where("http://localhost:7")
	// Only the operator has the node say where it answers.
	for _, c := range []struct {
		key  *commitment.Key
		code int
	}{{key, 403}, {n.c.Key, 200}} {
		m, err := httpsig.Commit(message.New(textField("path", "/~scheduler@1.0/location"), textField("url", "http://own.example")), c.key, httpsig.Terms{})
		if err != nil {
			t.Fatal(err)
		}
		if code := post(m); code != c.code {
			t.Errorf("%d, want %d", code, c.code)
		}
	}
	if _, _, got := n.atNode(t, "GET", "/~scheduler@1.0/location/body/url", nil, nil); got != "http://own.example" {
		t.Errorf("the node's own: %s", got)
	}
}
