// Command hostile has many clients at one address ask a node for what costs the most memory for the bytes it takes, one kind of
// request at a time, and tells what the node held meanwhile, what it answered, and how long somebody at another address waited for
// his. It prints one line of JSON for each kind.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

func run() error {
	node := flag.String("node", "http://127.0.0.1:8734", "node address")
	pid := flag.Int("pid", 0, "process whose memory and processor time are told")
	clients := flag.Int("c", 60, "clients at a time, at 127.0.0.2")
	each := flag.Int("each", 2, "requests of each")
	only := flag.String("only", "", "kinds, separated by commas; all if empty")
	flag.Parse()
	for _, k := range kinds() {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), k.name) {
			continue
		}
		if k.prepare != nil {
			var err error
			if k.path, err = k.prepare(*node); err != nil {
				return err
			}
		}
		text, err := json.Marshal(k.measure(*node, *pid, *clients, *each))
		if err != nil {
			return err
		}
		fmt.Println(string(text))
	}
	return nil
}

// kind is a request that costs much.
type kind struct {
	name, path string
	header     map[string]string
	body       []byte
	prepare    func(node string) (path string, err error) // makes what is asked for; nil for nothing
}

// outcome is what a kind did to a node.
type outcome struct {
	Kind      string         `json:"kind"`
	Bytes     int            `json:"bytes"` // of a request's body
	Statuses  map[string]int `json:"statuses"`
	PeakMiB   int64          `json:"peakMiB"` // resident, while they asked
	CPU       float64        `json:"cpuSeconds"`
	Wall      float64        `json:"wallSeconds"`
	AnswerMiB int64          `json:"answersMiB"`
	OtherMax  float64        `json:"otherMaxSeconds"` // the longest that a client at 127.0.0.3 waited
	OtherBad  int            `json:"otherRefused"`
	Others    int            `json:"others"`
}

// from gives a client that comes from an address of the loopback.
func from(address string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 256, DisableCompression: true}}
}

func (k kind) measure(node string, pid, clients, each int) outcome {
	o := outcome{Kind: k.name, Bytes: len(k.body), Statuses: map[string]int{}}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			o.PeakMiB = max(o.PeakMiB, resident(pid))
			time.Sleep(20 * time.Millisecond)
		}
	})
	watching.Go(func() { // somebody else, with a small request of the same kind and with one that every client makes
		other := from("127.0.0.3")
		for ctx.Err() == nil {
			began := time.Now()
			status, _, _ := send(other, node+"/~flat@1.0/deserialize", map[string]string{"Content-Type": "text/plain"}, []byte("a/b: 1\na/c: 2"))
			if status != "200" {
				o.OtherBad++
			}
			o.Others++
			o.OtherMax = max(o.OtherMax, time.Since(began).Seconds())
			time.Sleep(50 * time.Millisecond)
		}
	})
	hostile := from("127.0.0.2")
	before, began := processor(pid), time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				status, code, n := send(hostile, node+k.path, k.header, k.body)
				mu.Lock()
				o.Statuses[strings.TrimSpace(status+" "+code)]++
				o.AnswerMiB += n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	o.Wall, o.CPU = time.Since(began).Seconds(), processor(pid)-before
	o.AnswerMiB >>= 20
	stop()
	watching.Wait()
	return o
}

// send makes one request and reads its answer slowly enough to be there for a while.
func send(c *http.Client, url string, header map[string]string, body []byte) (status, code string, size int64) {
	method := http.MethodPost
	if body == nil {
		method = http.MethodGet
	}
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return "request", "", 0
	}
	for name, v := range header {
		r.Header.Set(name, v)
	}
	answer, err := c.Do(r)
	if err != nil {
		return "failed", "", 0
	}
	defer answer.Body.Close()
	time.Sleep(200 * time.Millisecond)
	size, _ = io.Copy(io.Discard, answer.Body)
	return strconv.Itoa(answer.StatusCode), answer.Header.Get("Code"), size
}

// resident gives the memory of a process in MiB.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()) >> 20
}

// processor gives the seconds of processor time of a process.
func processor(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

func kinds() []kind {
	plain := map[string]string{"Content-Type": "text/plain"}
	asJSON := map[string]string{"Content-Type": "application/json", "Codec-Device": "json@1.0"}
	asFlat := map[string]string{"Codec-Device": "flat@1.0"}
	return []kind{
		{name: "flat-lines", path: "/~flat@1.0/deserialize", header: plain, body: flatLines(6000, 20)},
		{name: "flat-long-lines", path: "/~flat@1.0/deserialize", header: plain, body: flatLines(1000, 127)},
		{name: "flat-wide", path: "/~flat@1.0/deserialize", header: plain, body: flatLines(60_000, 1)},
		{name: "flat-body", path: "/~message@1.0/keys", header: asFlat, body: flatLines(6000, 20)},
		{name: "flat-big-values", path: "/~flat@1.0/deserialize", header: plain, body: bigLines(1000, 8<<10)},
		{name: "json-body", path: "/~message@1.0/keys", header: asJSON, body: jsonObjects(30_000)},
		{name: "json-lists", path: "/~json@1.0/deserialize", header: plain, body: jsonList(250_000)},
		{name: "json-deep", path: "/~json@1.0/deserialize", header: plain, body: jsonDeep(2000, 100)},
		{name: "json-deep-objects", path: "/~message@1.0/keys", header: asJSON, body: jsonDeepObjects(500, 120)},
		{name: "json-atoms", path: "/~json@1.0/serialize", header: asJSON, body: jsonAtoms(30_000)},
		{name: "types", path: "/~structured@1.0/to", header: asJSON, body: jsonTypes(30_000)},
		{name: "inline-list", path: "/~structured@1.0/to", header: asJSON, body: []byte(`{"ao-types":"l=\"list\"","l":"` + strings.Repeat("1, ", 1_000_000) + `1"}`)},
		{name: "multipart-deep", path: "/~message@1.0/keys", header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}, body: parts(16_000, 127)},
		{name: "boundaries", path: "/~message@1.0/keys", header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}, body: bytes.Repeat([]byte("--b\r\n"), 2_000_000)},
		{name: "folded-data", path: "/~message@1.0/keys", header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}, body: foldedParts(16_000)},
		{name: "set", path: "/~message@1.0" + strings.Repeat("/set&a=b", 240) + "/keys", header: asJSON, body: jsonObjects(30_000)},
		{name: "stack-map", path: "/~stack@1.0&mode=map" + strings.Repeat("/keys", 100), header: asJSON, body: jsonStack(100)},
		{name: "json-big", path: "/~json@1.0/deserialize", header: plain, body: jsonBig(8 << 20)},
		{name: "json-out", path: "/~json@1.0/serialize", header: asJSON, body: jsonObjects(30_000)},
		{name: "json-to-flat", path: "/~flat@1.0/serialize", header: asJSON, body: jsonDeepKeys(120, 16_000)},
		{name: "json-to-httpsig", path: "/~httpsig@1.0/to&bundle=true", header: asJSON, body: jsonObjects(20_000)},
		{name: "structured-from", path: "/~structured@1.0/from", header: asJSON, body: jsonList(60_000)},
		{name: "multipart", path: "/~message@1.0/keys", header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}, body: parts(8000, 10)},
		{name: "bytes", path: "/~message@1.0/keys", header: plain, body: bytes.Repeat([]byte("a"), 30<<20)},
		{name: "bytes-back", path: "/~message@1.0/body", header: plain, body: bytes.Repeat([]byte("a"), 30<<20)},
		{name: "id", path: "/~message@1.0/id", header: asJSON, body: jsonObjects(30_000)},
		{name: "commit", path: "/~message@1.0/commit", header: asJSON, body: jsonObjects(30_000)},
		{name: "gzip-bomb", path: "/~gzip@1.0/unzip", header: plain, body: bomb(64 << 20)},
		{name: "links", header: map[string]string{"Accept-Bundle": "true"}, prepare: links(14, 1<<20)},
		{name: "links-json", header: map[string]string{"Accept-Bundle": "true", "Require-Codec": "json@1.0"}, prepare: links(14, 1<<20)},
	}
}
