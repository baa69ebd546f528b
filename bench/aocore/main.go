// Command aocore measures processes of AO-Core over HTTP: messages scheduled by path, slots computed behind them, and reads of
// what was computed. Everything is signed before the clock runs. It prints one line of JSON.
package main

import (
	"bytes"
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
	kind := flag.String("kind", "lua", "process: lua, a counter; or wasm, the module of -module in a stack")
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
	if b.key, err = commitment.NewAgent().Generate(commitment.Ed25519, nil); err != nil {
		return err
	}
	p, err := b.spawn(*kind, *module, *scheduler)
	if err != nil {
		return err
	}
	requests := make([]request, *n)
	for i := range requests {
		if requests[i], err = b.message(p, *codec, i); err != nil {
			return err
		}
	}
	lat := make([]time.Duration, *n)
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
	if _, body, err := b.do(request{"GET", "/" + p + fmt.Sprintf("/compute&slot=%d/at-slot", *n), nil, nil}); err != nil || strings.TrimSpace(string(body)) != fmt.Sprint(*n) {
		return fmt.Errorf("the last slot is %q, not %d: %w", body, *n, err)
	}
	computed := time.Since(start)
	ms := func(q float64) float64 { return float64(lat[int(q*float64(len(lat)-1))].Microseconds()) / 1000 }
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"process": p, "n": *n, "c": *c, "scheduled_per_s": float64(*n) / scheduled.Seconds(),
		"computed_per_s": float64(*n) / computed.Seconds(), "p50_ms": ms(0.5), "p99_ms": ms(0.99)})
}

// spawn begins a process and computes its first slot.
func (b *bench) spawn(kind, module, scheduler string) (string, error) {
	tags := []string{"device", "process@1.0", "Data-Protocol", "ao", "Type", "Process", "Variant", "ao.N.1", "Authority", scheduler, "Scheduler", scheduler}
	switch kind {
	case "lua":
		it, err := b.sign(ans104.Draft{Data: []byte(counter)}, "Content-Type", "application/lua")
		if err != nil {
			return "", err
		}
		if _, err := b.post(b.bundler+"/tx", it.Raw, http.Header{"Content-Type": {"application/octet-stream"}}); err != nil {
			return "", err
		}
		tags = append(tags, "execution-device", "lua@5.3a", "module", it.ID().String())
	case "wasm":
		tags = append(tags, "execution-device", "genesis-wasm@1.0", "module", module)
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
	_, _, err = b.do(request{"GET", "/" + p + "/compute&slot=0/at-slot", nil, nil})
	return p, err
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
	m, err := httpsig.Commit(message.New(fs...), b.key, httpsig.Terms{})
	if err != nil {
		return request{}, err
	}
	wire, err := httpsig.Encode(m, message.Linked)
	if err != nil {
		return request{}, err
	}
	h := http.Header{}
	for _, l := range wire.Headers {
		h.Set(l.Name, l.Value)
	}
	return request{"POST", path, h, wire.Body}, nil
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
