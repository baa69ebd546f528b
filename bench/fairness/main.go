// Command fairness measures what a process notices of another one that is flooded: the time from posting a message to having
// its result, for a calm process alone and beside one that gets messages as fast as clients can post them. It prints one line
// of JSON. The flood comes from a program of its own, and is signed before the clock runs.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fairness:", err)
		os.Exit(1)
	}
}

func run() error {
	node := flag.String("node", "http://127.0.0.1:8734", "node address of a network")
	module := flag.String("module", "", "module of both processes; that of the node if empty")
	n := flag.Int("n", 300, "messages to the calm process in each part")
	pause := flag.Duration("pause", 10*time.Millisecond, "between two of them")
	c := flag.Int("c", 32, "connections of the flood")
	m := flag.Int("m", 20_000, "signed messages of the flood; they are repeated when all were sent")
	kind := flag.String("kind", "messages", "what floods: messages, dry-runs, results, paths or uploads")
	nice := flag.Int("nice", 0, "niceness of the flood: 19 leaves the cores to the node, as clients on other machines do")
	flooding := flag.Bool("flood", false, "send the requests on standard input until it is interrupted")
	flag.Parse()
	if *flooding {
		return flood(*c)
	}
	net := client.At(*node)
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		return err
	}
	ctx := context.Background()
	id := *module
	if id == "" {
		if id, err = defaultModule(*node); err != nil {
			return err
		}
	}
	mod, err := message.ParseID(id)
	if err != nil {
		return err
	}
	var ps [2]message.ID
	for i := range ps {
		if ps[i], err = net.Spawn(ctx, key, client.Spawn{Module: mod, Tags: []ans104.Tag{{Name: "Name", Value: fmt.Sprint("f", i)}}}); err != nil {
			return err
		}
	}
	requests, err := floodOf(net, key, *kind, ps[1], *m)
	if err != nil {
		return err
	}
	calm, err := sign(key, ps[0], "calm", 3**n)
	if err != nil {
		return err
	}
	if _, err := measure(net, ps[0], calm[:*n], *pause); err != nil { // warms caches
		return err
	}
	idle, err := measure(net, ps[0], calm[*n:2**n], *pause)
	if err != nil {
		return err
	}
	stop, err := startFlood(*c, *nice, requests)
	if err != nil {
		return err
	}
	time.Sleep(time.Second) // the flood is under way
	beside, err := measure(net, ps[0], calm[2**n:], *pause)
	sent, refused, rate, floodErr := stop()
	if err != nil || floodErr != nil {
		return fmt.Errorf("%w %w", err, floodErr)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"idle_p50_ms": at(idle.whole, 0.5), "idle_p99_ms": at(idle.whole, 0.99), "flooded_p50_ms": at(beside.whole, 0.5), "flooded_p99_ms": at(beside.whole, 0.99),
		"idle_p90_ms": at(idle.whole, 0.9), "flooded_p90_ms": at(beside.whole, 0.9),
		"idle_post_p50_ms": at(idle.post, 0.5), "flooded_post_p50_ms": at(beside.post, 0.5), "p99_ratio": at(beside.whole, 0.99) / at(idle.whole, 0.99),
		"flood_sent": sent, "flood_refused": refused, "flood_per_s": rate, "n": *n, "c": *c, "kind": *kind,
	})
}

func at(sorted []time.Duration, q float64) float64 {
	return float64(sorted[int(q*float64(len(sorted)-1))].Microseconds()) / 1000
}

func defaultModule(node string) (string, error) {
	r, err := http.Get(node + "/")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	var a struct{ DefaultModule string }
	return a.DefaultModule, json.NewDecoder(r.Body).Decode(&a)
}

func sign(key *commitment.Key, p message.ID, text string, n int) ([]*ans104.Item, error) {
	out := make([]*ans104.Item, n)
	var next atomic.Int64
	return out, each(runtime.NumCPU(), func() error {
		for {
			i := int(next.Add(1) - 1)
			if i >= n {
				return nil
			}
			it, err := ans104.Sign(ans104.Draft{Target: p, HasTarget: true, Data: fmt.Appendf(nil, "return '%s' .. %d", text, i), Tags: []ans104.Tag{
				{Name: "Action", Value: "Eval"}, {Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Message"}}}, key)
			if err != nil {
				return err
			}
			out[i] = it
		}
	})
}

// measure posts one message after the other, each when the result of the one before is there, and gives the sorted times.
func measure(net *client.Network, p message.ID, items []*ans104.Item, pause time.Duration) (times, error) {
	hc := &http.Client{Timeout: time.Minute}
	var out times
	for _, it := range items {
		start := time.Now()
		posted := start
		for i, ask := range []func() (*http.Response, error){
			func() (*http.Response, error) {
				return hc.Post(net.MU, "application/octet-stream", bytes.NewReader(it.Raw))
			},
			func() (*http.Response, error) {
				return hc.Get(net.CU + "/result/" + it.ID().String() + "?process-id=" + p.String())
			},
		} {
			r, err := ask()
			if err != nil {
				return out, err
			}
			b, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil || r.StatusCode/100 != 2 {
				return out, fmt.Errorf("%s: %.300s %w", r.Status, b, err)
			}
			if i == 0 {
				posted = time.Now()
			}
		}
		out.whole, out.post = append(out.whole, time.Since(start)), append(out.post, posted.Sub(start))
		time.Sleep(pause)
	}
	slices.Sort(out.whole)
	slices.Sort(out.post)
	return out, nil
}

// times are sorted: from posting to the result, and from posting to the slot.
type times struct{ whole, post []time.Duration }

// startFlood starts this program again as the one that floods. stop ends it and gives what it counted.
func startFlood(c, nice int, requests []request) (stop func() (sent, refused int, perSecond float64, err error), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var in bytes.Buffer
	to := json.NewEncoder(&in)
	for _, r := range requests {
		if err := to.Encode(r); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("nice", "-n", fmt.Sprint(nice), self, "-flood", "-c", fmt.Sprint(c))
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() (sent, refused int, rate float64, err error) {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return 0, 0, 0, err
		}
		if err := cmd.Wait(); err != nil && !strings.Contains(err.Error(), "interrupt") {
			return 0, 0, 0, err
		}
		_, err = fmt.Sscan(out.String(), &sent, &refused, &rate)
		return sent, refused, rate, err
	}, nil
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
