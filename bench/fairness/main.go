// Command fairness measures what a process notices of another one that is flooded: the time from posting a message to having
// its result, for a calm process alone and beside one that gets messages as fast as clients can post them, in turns. It prints one
// line of JSON: medians of what the rounds gave. The flood comes from a program of its own, and is signed before the clock runs.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	n := flag.Int("n", 100, "messages to the calm process in each part of a round")
	rounds := flag.Int("rounds", 3, "rounds: alone, then beside the flood")
	pause := flag.Duration("pause", 10*time.Millisecond, "between two of them")
	c := flag.Int("c", 32, "connections of the flood")
	m := flag.Int("m", 20_000, "signed messages of the flood in a round; they are repeated when all were sent")
	kind := flag.String("kind", "messages", "what floods: messages, dry-runs, results, paths or uploads")
	apart := flag.Bool("apart", false, "the flood gets only the cores that the node leaves, and the calm client one at once, as on other machines")
	flooding := flag.Bool("flood", false, "send the requests on standard input until it is interrupted")
	flag.Parse()
	if *apart {
		if err := standApart(*flooding); err != nil {
			return err
		}
	}
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
	warm, err := sign(key, ps[0], "warm", *n)
	if err != nil {
		return err
	}
	if _, err := measure(net, ps[0], warm, *pause); err != nil {
		return err
	}
	figures := map[string][]float64{}
	for round := range *rounds {
		text := fmt.Sprintf("round %d, ", round)
		requests, err := floodOf(net, key, *kind, ps[1], text, *m)
		if err != nil {
			return err
		}
		calm, err := sign(key, ps[0], text, 2**n)
		if err != nil {
			return err
		}
		idle, err := measure(net, ps[0], calm[:*n], *pause)
		if err != nil {
			return err
		}
		stop, err := startFlood(*c, *apart, requests)
		if err != nil {
			return err
		}
		time.Sleep(time.Second) // the flood is under way
		beside, err := measure(net, ps[0], calm[*n:], *pause)
		sent, refused, rate, floodErr := stop()
		if err := errors.Join(err, floodErr); err != nil {
			return err
		}
		for name, v := range map[string]float64{
			"idle_p50_ms": at(idle.whole, 0.5), "idle_p90_ms": at(idle.whole, 0.9), "idle_p99_ms": at(idle.whole, 0.99), "idle_post_p50_ms": at(idle.post, 0.5),
			"flooded_p50_ms": at(beside.whole, 0.5), "flooded_p90_ms": at(beside.whole, 0.9), "flooded_p99_ms": at(beside.whole, 0.99), "flooded_post_p50_ms": at(beside.post, 0.5),
			"flood_sent": float64(sent), "flood_refused": float64(refused), "flood_per_s": rate,
		} {
			figures[name] = append(figures[name], v)
		}
	}
	out := map[string]any{"n": *n, "rounds": *rounds, "c": *c, "kind": *kind}
	for name, v := range figures {
		slices.Sort(v)
		out[name] = v[len(v)/2]
	}
	out["p99_ratio"] = out["flooded_p99_ms"].(float64) / out["idle_p99_ms"].(float64)
	return json.NewEncoder(os.Stdout).Encode(out)
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
func startFlood(c int, apart bool, requests []request) (stop func() (sent, refused int, perSecond float64, err error), err error) {
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
	cmd := exec.Command(self, "-flood", "-c", fmt.Sprint(c), fmt.Sprintf("-apart=%v", apart))
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
