package node

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ago/builtin"
	"ago/client"
	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

// beating is a node with a process that has timers and another that collects what they send.
type beating struct {
	*network
	sink, beat message.ID
}

func startBeating(t testing.TB, c Config) *beating {
	t.Helper()
	c.Patience, c.CacheDir = -1, modulesCache
	n, err := Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat("u", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return &beating{network: &network{Node: n, client: client.At(n.Addresses().Node), key: key}}
}

func (b *beating) spawnAll(t testing.TB, intervals ...string) {
	t.Helper()
	ctx := context.Background()
	var err error
	if b.sink, err = b.client.Spawn(ctx, b.key, client.Spawn{Module: builtin.ID()}); err != nil {
		t.Fatal(err)
	}
	var tags []Tag
	for _, i := range intervals {
		tags = append(tags, Tag{Name: "Cron-Interval", Value: i}, Tag{Name: "Cron-Tag-Action", Value: "Beat"}, Tag{Name: "Cron-Tag-Every", Value: i})
	}
	if b.beat, err = b.client.Spawn(ctx, b.key, client.Spawn{Module: builtin.ID(), Tags: tags}); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.beat, fmt.Sprintf(`Beats = 0 Handlers.add("beat", "Beat", function(m)
		assert(m.Cron and m.From == Owner and not m.Id)
		Beats = Beats + 1
		ao.send({Target = %q, Action = "Tick", Data = Beats .. " " .. m.Timestamp .. " " .. m.Tags.Every})
	end)`, b.sink))
	b.run(t, b.sink, `Got = {} Handlers.add("tick", "Tick", function(m) table.insert(Got, m.Data) end)`)
}

// run evaluates Lua in a process and gives what it prints.
func (b *beating) run(t testing.TB, p message.ID, code string) string {
	t.Helper()
	ctx := context.Background()
	id, err := b.client.Send(ctx, b.key, client.Message{Process: p, Tags: []Tag{{Name: "Action", Value: "Eval"}}, Data: []byte(code), Anchor: anchor()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.client.Result(ctx, p, id)
	if err != nil || r.Failed() {
		t.Fatalf("%s: %s, %v", code, r.Text(), err)
	}
	return r.Text()
}

// look evaluates Lua in a dry run, which no timer notices.
func (b *beating) look(t testing.TB, p message.ID, code string) string {
	t.Helper()
	r, err := b.client.DryRun(context.Background(), client.Message{Process: p, Tags: []Tag{{Name: "Action", Value: "Eval"}}, Data: []byte(code)}, b.key.ProcessAddress())
	if err != nil || r.Failed() {
		t.Fatalf("%s: %s, %v", code, r.Text(), err)
	}
	return r.Text()
}

func (b *beating) until(t testing.TB, what string, p message.ID, code, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := b.look(t, p, code)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %s, want %s", what, got, want)
		}
	}
}

func (b *beating) monitor(t testing.TB, method string) {
	t.Helper()
	it, err := ans104.Sign(ans104.Draft{Target: b.beat, HasTarget: true, Data: []byte(" ")}, b.key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(method, b.Addresses().MU+"/monitor/"+b.beat.String(), bytes.NewReader(it.Raw))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Fatalf("%s monitor: %d", method, answer.StatusCode)
	}
}

type edges struct {
	PageInfo struct{ HasNextPage bool }
	Edges    []struct {
		Node   struct{ Output, Messages json.RawMessage }
		Cursor string
	}
}

func cronPage(t testing.TB, cu string, p message.ID, query string) edges {
	t.Helper()
	status, body := request(t, "GET", cu+"/cron/"+p.String()+query, nil)
	var e edges
	if err := json.Unmarshal(body, &e); status != 200 || err != nil {
		t.Fatalf("cron%s: %d %s", query, status, body)
	}
	return e
}

// TestTimersOfAWatchedProcess lets a process tick over a restart; another unit that reads the log sees the same.
func TestTimersOfAWatchedProcess(t *testing.T) {
	t.Parallel()
	c := clock.NewPaused(time.Date(2030, 1, 1, 0, 0, 0, 500_000_000, time.UTC))
	config := Config{Dir: t.TempDir(), Clock: c}
	b := startBeating(t, config)
	b.spawnAll(t, "10-minutes", "5-blocks")
	b.monitor(t, "POST")
	b.monitor(t, "POST")
	if _, body := request(t, "GET", b.Addresses().Node+"/monitors", nil); strings.TrimSpace(string(body)) != fmt.Sprintf(`{"monitors":[%q]}`, b.beat) {
		t.Errorf("monitors: %s", body)
	}
	c.Advance(time.Hour + 2*time.Second)
	b.until(t, "an hour of ticks at the sink", b.sink, "return #Got", "12")
	sink, beat := b.sink, b.beat
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Hour)
	b = startBeating(t, config)
	b.sink, b.beat = sink, beat
	b.until(t, "another hour after a restart", b.sink, "return #Got", "24")

	// Each tick once and in order, whichever way it is looked at.
	got := strings.Fields(b.look(t, b.sink, `return table.concat(Got, " ")`))
	last := int64(0)
	for i := 0; i < 24; i++ {
		var at int64
		fmt.Sscan(got[3*i+1], &at)
		if got[3*i] != fmt.Sprint(i+1) || at < last {
			t.Fatalf("tick %d is %v after %d", i+1, got[3*i:3*i+3], last)
		}
		last = at
	}
	all := cronPage(t, b.Addresses().CU, b.beat, "")
	if len(all.Edges) != 24 || all.PageInfo.HasNextPage {
		t.Fatalf("%d ticks", len(all.Edges))
	}
	var paged []string
	for query := "?limit=7"; ; {
		page := cronPage(t, b.Addresses().CU, b.beat, query)
		for _, e := range page.Edges {
			paged = append(paged, e.Cursor)
		}
		if !page.PageInfo.HasNextPage {
			break
		}
		query = "?limit=7&from=" + url.QueryEscape(paged[len(paged)-1])
	}
	for i, e := range all.Edges {
		if i >= len(paged) || paged[i] != e.Cursor {
			t.Fatalf("page by page the ticks are %v", paged)
		}
	}
	text, err := base64.StdEncoding.DecodeString(all.Edges[0].Cursor)
	if err != nil || !strings.Contains(string(text), `"cron":"0-`) || !strings.Contains(string(text), `"sort":"ASC"`) {
		t.Errorf("the cursor of a tick is %s", text)
	}
	// A tick begins a chain of its own: no message is the first of it.
	status, tasks := request(t, "GET", b.Addresses().Node+"/tasks?process="+b.beat.String(), nil)
	if status != 200 || !strings.Contains(string(tasks), "@") || strings.Contains(string(tasks), `"root"`) {
		t.Errorf("tasks: %d %.500s", status, tasks)
	}

	b.monitor(t, "DELETE")
	if _, body := request(t, "GET", b.Addresses().Node+"/monitors", nil); strings.TrimSpace(string(body)) != `{"monitors":[]}` {
		t.Errorf("monitors: %s", body)
	}
	c.Advance(time.Hour)
	b.run(t, b.beat, "return Beats") // has the ticks before it evaluated, but nobody wants what they send
	if s := b.look(t, b.beat, "return Beats"); s != "36" {
		t.Errorf("%s ticks before a message after the monitor ended", s)
	}
	b.run(t, b.sink, "return 1")
	if s := b.look(t, b.sink, "return #Got"); s != "24" {
		t.Errorf("%s ticks were sent", s)
	}

	// Another unit, from the log alone.
	c.Advance(time.Minute)
	want := cronPage(t, b.Addresses().CU, b.beat, "")
	e, err := StartEvaluator(EvaluatorConfig{CacheDir: modulesCache, Gateway: b.Addresses().Gateway, SU: b.Addresses().SU, VerifySignatures: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	same, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	other, err := json.Marshal(cronPage(t, e.URL(), b.beat, ""))
	if err != nil || !bytes.Equal(same, other) || len(want.Edges) != 36 {
		t.Errorf("another unit has the ticks\n%s\nwant %d:\n%s", other, len(want.Edges), same)
	}
	_, mine := request(t, "GET", b.Addresses().CU+"/results/"+b.beat.String()+"?limit=1000", nil)
	_, theirs := request(t, "GET", e.URL()+"/results/"+b.beat.String()+"?limit=1000", nil)
	if !bytes.Equal(mine, theirs) {
		t.Errorf("another unit has the results\n%s\nwant\n%s", theirs, mine)
	}
}

// TestMinedBlocksTick: a timer by blocks follows the chain, not the clock.
func TestMinedBlocksTick(t *testing.T) {
	t.Parallel()
	c := clock.NewPaused(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	b := startBeating(t, Config{Clock: c})
	b.spawnAll(t, "2-blocks")
	b.monitor(t, "POST")
	for range 3 {
		if status, body := request(t, "POST", b.Addresses().Gateway+"/mine", nil); status != 200 {
			t.Fatalf("mine: %d %s", status, body)
		}
		c.Advance(2 * time.Second)
	}
	b.until(t, "three blocks", b.beat, "return Beats", "1")
	if _, body := request(t, "POST", b.Addresses().Gateway+"/mine", nil); len(body) == 0 {
		t.Fatal("nothing was mined")
	}
	c.Advance(2 * time.Second)
	b.until(t, "four blocks", b.sink, "return #Got", "2")
}

// TestAFollowedProcessHasTheSameTicks: a node that reads the log of another one's process runs its timers up to the newest slot.
func TestAFollowedProcessHasTheSameTicks(t *testing.T) {
	t.Parallel()
	c := clock.NewPaused(time.Date(2030, 1, 1, 0, 0, 0, 250_000_000, time.UTC))
	a := startBeating(t, Config{Clock: c})
	a.spawnAll(t, "10-minutes", "3-blocks")
	for range 3 {
		c.Advance(31 * time.Minute)
		a.run(t, a.beat, "return Beats")
	}
	far := clock.NewPaused(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)) // another chain, another time
	b := startBeating(t, Config{Clock: far, Follow: []Follow{{Process: a.beat, SU: a.Addresses().SU, Gateway: a.Addresses().Gateway}}})
	path := "/results/" + a.beat.String() + "?limit=1000"
	_, want := request(t, "GET", a.Addresses().CU+path, nil)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, got := request(t, "GET", b.Addresses().CU+path, nil)
		if bytes.Equal(got, want) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the node that follows has\n%s\nwant\n%s", got, want)
		}
	}
	if n := len(cronPage(t, b.Addresses().CU, a.beat, "").Edges); n != 24 {
		t.Errorf("%d ticks in 93 minutes, want 9 by time and 15 by blocks", n)
	}
}
