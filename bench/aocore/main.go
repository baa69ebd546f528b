// Command aocore measures processes of AO-Core over HTTP: messages scheduled by path, slots computed behind them, and reads of
// what was computed. Everything is signed before the clock runs. It prints one line of JSON.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/message"
)

// counter is a Lua process that counts its messages.
const counter = `
local total = 0
function compute(base, req, opts)
  total = total + 1
  base.results = { output = { data = tostring(total) } }
  base.total = total
  return base
end
`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "aocore:", err)
		os.Exit(1)
	}
}

type bench struct {
	node, bundler string
	key           *commitment.Key
	http          *http.Client
}

func run() error {
	var b bench
	flag.StringVar(&b.node, "node", "http://127.0.0.1:8734", "node address of a network")
	flag.StringVar(&b.bundler, "bundler", "http://127.0.0.1:4001", "bundler address of it")
	scheduler := flag.String("scheduler", "", "address of the node's key")
	kind := flag.String("kind", "lua", "process: lua, a counter; hyper, the Lua of -file; wasm, the module of -module by genesis-wasm@1.0; stack, the same by a stack; none, whose evaluation does nothing")
	file := flag.String("file", "", "Lua of a process that takes Eval, as an ECMAScript module that exports it in base64")
	warm := flag.Int("warm", 0, "messages that are scheduled and computed before the clock runs")
	pid := flag.Int("pid", 0, "process id of the node, whose processor time is then told")
	module := flag.String("module", "", "id of a WebAssembly module of aos")
	codec := flag.String("codec", "ans104", "form of the messages: ans104 or httpsig")
	n := flag.Int("n", 2000, "messages")
	c := flag.Int("c", 32, "connections")
	flag.Parse()
	at, err := url.Parse(b.node)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(at.Hostname()); ip == nil || !ip.IsLoopback() {
		return errors.New("only addresses of this machine are asked")
	}
	b.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *c}, Timeout: 5 * time.Minute}
	signs := commitment.Ed25519
	if *kind == "hyper" {
		signs = commitment.RSA // it takes no other owners
	}
	if b.key, err = commitment.NewAgent().Generate(signs, nil); err != nil {
		return err
	}
	p, err := b.spawn(*kind, *module, *scheduler, *file)
	if err != nil {
		return err
	}
	first, err := b.prepare(p, *kind)
	if err != nil {
		return err
	}
	requests := make([]request, *warm+*n)
	for i := range requests {
		if requests[i], err = b.message(p, *codec, i); err != nil {
			return err
		}
	}
	for _, q := range requests[:*warm] {
		if _, _, err := b.do(q); err != nil {
			return err
		}
	}
	if err := b.computed(p, first+*warm); err != nil {
		return err
	}
	requests = requests[*warm:]
	lat := make([]time.Duration, *n)
	cpu, rss, err := usage(*pid)
	if err != nil {
		return err
	}
	var next atomic.Int64
	start := time.Now()
	err = each(*c, func() error {
		for i := int(next.Add(1) - 1); i < len(requests); i = int(next.Add(1) - 1) {
			t := time.Now()
			if _, _, err := b.do(requests[i]); err != nil {
				return err
			}
			lat[i] = time.Since(t)
		}
		return nil
	})
	if err != nil {
		return err
	}
	scheduled := time.Since(start)
	slices.Sort(lat)
	if err := b.computed(p, first+*warm+*n); err != nil {
		return err
	}
	computed := time.Since(start)
	cpuAfter, rssAfter, err := usage(*pid)
	if err != nil {
		return err
	}
	ms := func(q float64) float64 { return float64(lat[int(q*float64(len(lat)-1))].Microseconds()) / 1000 }
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"process": p, "n": *n, "c": *c, "scheduled_per_s": float64(*n) / scheduled.Seconds(),
		"computed_per_s": float64(*n) / computed.Seconds(), "p50_ms": ms(0.5), "p99_ms": ms(0.99), "cpu_ms": float64((cpuAfter - cpu).Microseconds()) / 1000 / float64(*n), "rss_mib": rssAfter >> 20, "rss_before_mib": rss >> 20})
}

// usage is the processor time of a process and the memory it has, in bytes; nothing of process 0.
func usage(pid int) (cpu time.Duration, rss int64, err error) {
	if pid == 0 {
		return 0, 0, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	const userTime, systemTime, pages = 11, 12, 21 // behind the name, which is in brackets
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, f := range fields[userTime : systemTime+1] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	rss, err = strconv.ParseInt(fields[pages], 10, 64)
	return cpu, rss * int64(os.Getpagesize()), err
}

// computed waits until a slot is.
func (b *bench) computed(p string, slot int) error {
	_, body, err := b.do(request{"GET", "/" + p + fmt.Sprintf("/compute&slot=%d/at-slot", slot), nil, nil})
	if err == nil && strings.TrimSpace(string(body)) != strconv.Itoa(slot) {
		err = fmt.Errorf("the last slot is %q, not %d", body, slot)
	}
	return err
}

// prepare has a process of aos count what is sent to it, and gives its newest slot.
func (b *bench) prepare(p, kind string) (int, error) {
	if kind == "lua" || kind == "none" {
		return 0, nil
	}
	target, err := message.ParseID(p)
	if err != nil {
		return 0, err
	}
	it, err := b.sign(ans104.Draft{Target: target, HasTarget: true, Data: []byte(`total = 0; Handlers.add("Count", "Count", function(m) total = total + 1 end)`)},
		"Action", "Eval", "Data-Protocol", "ao", "Type", "Message", "Variant", "ao.N.1")
	if err != nil {
		return 0, err
	}
	_, _, err = b.do(request{"POST", "/" + p + "/schedule", itemHeader, it.Raw})
	return 1, err
}

// spawn begins a process and computes its first slot.
func (b *bench) spawn(kind, module, scheduler, file string) (string, error) {
	tags := []string{"device", "process@1.0", "Data-Protocol", "ao", "Type", "Process", "Variant", "ao.N.1", "Authority", scheduler, "Scheduler", scheduler}
	switch kind {
	case "none":
		tags = append(tags, "execution-device", "multipass@1.0")
	case "lua", "hyper":
		code := []byte(counter)
		if kind == "hyper" {
			text, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			quoted := bytes.Split(text, []byte{'"'})
			if len(quoted) != 3 {
				return "", fmt.Errorf("%s exports no text", file)
			}
			if code, err = base64.StdEncoding.DecodeString(string(quoted[1])); err != nil {
				return "", err
			}
		}
		it, err := b.sign(ans104.Draft{Data: code}, "Content-Type", "application/lua")
		if err != nil {
			return "", err
		}
		if _, err := b.post(b.bundler+"/tx", it.Raw, http.Header{"Content-Type": {"application/octet-stream"}}); err != nil {
			return "", err
		}
		tags = append(tags, "execution-device", "lua@5.3a", "module", it.ID().String())
	case "wasm":
		tags = append(tags, "execution-device", "genesis-wasm@1.0", "module", module)
	case "stack":
		return b.spawnStack(module, scheduler)
	default:
		return "", fmt.Errorf("there is no kind %q", kind)
	}
	it, err := b.sign(ans104.Draft{Data: []byte("x")}, tags...)
	if err != nil {
		return "", err
	}
	h, _, err := b.do(request{"POST", "/push", itemHeader, it.Raw})
	if err != nil {
		return "", err
	}
	p := h.Get("process")
	return p, b.computed(p, 0)
}

// spawnStack begins a process whose module a stack runs. Its definition has lists, and comes as a signed HTTP message.
func (b *bench) spawnStack(module, scheduler string) (string, error) {
	list := func(texts ...string) message.List {
		var l message.List
		for _, text := range texts {
			l = append(l, message.Bytes(text))
		}
		return l
	}
	fs := []message.Field{
		{Key: "device-stack", Value: list("wasi@1.0", "json-iface@1.0", "wasm-64@1.0", "patch@1.0", "multipass@1.0")},
		{Key: "stack-keys", Value: list("init", "compute", "snapshot", "normalize")},
		{Key: "passes", Value: message.Int(2)},
	}
	for _, f := range [][2]string{{"device", "process@1.0"}, {"data-protocol", "ao"}, {"type", "Process"}, {"variant", "ao.N.1"}, {"authority", scheduler}, {"scheduler", scheduler},
		{"execution-device", "stack@1.0"}, {"output-prefix", "wasm"}, {"patch-from", "/results/outbox"}, {"module", module}} {
		fs = append(fs, message.Field{Key: f[0], Value: message.Bytes(f[1])})
	}
	q, err := b.signed("/push", message.New(fs...), message.Nested)
	if err != nil {
		return "", err
	}
	h, _, err := b.do(q)
	if err != nil {
		return "", err
	}
	p := h.Get("process")
	return p, b.computed(p, 0)
}

// signed makes the request that posts a message, signed.
func (b *bench) signed(path string, m message.Message, n message.Nesting) (request, error) {
	m, err := httpsig.Commit(m, b.key, httpsig.Terms{Nesting: n})
	if err != nil {
		return request{}, err
	}
	wire, err := httpsig.Encode(m, n)
	if err != nil {
		return request{}, err
	}
	h := http.Header{}
	for _, l := range wire.Headers {
		h.Set(l.Name, l.Value)
	}
	return request{"POST", path, h, wire.Body}, nil
}

var itemHeader = http.Header{"Content-Type": {"application/ans104"}, "Codec-Device": {"ans104@1.0"}}

func (b *bench) sign(d ans104.Draft, tags ...string) (*ans104.Item, error) {
	for i := 0; i < len(tags); i += 2 {
		d.Tags = append(d.Tags, ans104.Tag{Name: tags[i], Value: tags[i+1]})
	}
	return ans104.Sign(d, b.key)
}

// request is one to the node.
type request struct {
	method, path string
	header       http.Header
	body         []byte
}

// message makes the request that schedules message i.
func (b *bench) message(p, codec string, i int) (request, error) {
	target, err := message.ParseID(p)
	if err != nil {
		return request{}, err
	}
	path := "/" + p + "/schedule"
	if codec == "ans104" {
		it, err := b.sign(ans104.Draft{Target: target, HasTarget: true, Data: fmt.Append(nil, i)}, "Action", "Count", "Data-Protocol", "ao", "Type", "Message", "Variant", "ao.N.1")
		if err != nil {
			return request{}, err
		}
		return request{"POST", path, itemHeader, it.Raw}, nil
	}
	var fs []message.Field
	for _, f := range [][2]string{{"action", "Count"}, {"data-protocol", "ao"}, {"type", "Message"}, {"variant", "ao.N.1"}, {"target", p}, {"nth", fmt.Sprint(i)}} {
		fs = append(fs, message.Field{Key: f[0], Value: message.Bytes(f[1])})
	}
	return b.signed(path, message.New(fs...), message.Linked)
}

func (b *bench) do(q request) (http.Header, []byte, error) {
	r, err := http.NewRequest(q.method, b.node+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, nil, err
	}
	if q.header != nil {
		r.Header = q.header.Clone()
	}
	return b.send(r)
}

func (b *bench) post(target string, body []byte, h http.Header) ([]byte, error) {
	r, err := http.NewRequest("POST", target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = h
	_, answer, err := b.send(r)
	return answer, err
}

func (b *bench) send(r *http.Request) (http.Header, []byte, error) {
	answer, err := b.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %.300s", r.Method, r.URL.Path, answer.StatusCode, body)
	}
	return answer.Header, body, err
}

// each runs f in several goroutines and gives the first error.
func each(n int, f func() error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for range n {
		wg.Go(func() {
			if err := f(); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}
