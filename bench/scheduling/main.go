// Command scheduling measures how many RSA-signed messages a second the scheduler of a running network takes over HTTP,
// each durable before it is answered. It signs them before the clock runs.
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
	"runtime"
	"slices"
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
		fmt.Fprintln(os.Stderr, "scheduling:", err)
		os.Exit(1)
	}
}

func run() error {
	node := flag.String("node", "http://127.0.0.1:8734", "node address of a network")
	su := flag.String("su", "", "scheduler address; that of the node if empty")
	module := flag.String("module", "", "module of the processes that the messages go to")
	n := flag.Int("n", 4000, "messages")
	c := flag.Int("c", 32, "connections")
	processes := flag.Int("processes", 8, "processes")
	wallet := flag.String("wallet", "", "RSA wallet; one is made if empty")
	flag.Parse()
	net := client.At(*node)
	if *su == "" {
		*su = net.SU
	}
	agent := commitment.NewAgent()
	var key *commitment.Key
	var err error
	if *wallet != "" {
		key, err = agent.Open(*wallet)
	} else {
		key, err = agent.Generate(commitment.RSA, nil)
	}
	if err != nil {
		return err
	}
	mod, err := message.ParseID(*module)
	if err != nil {
		return err
	}
	ctx := context.Background()
	ps := make([]message.ID, *processes)
	for i := range ps {
		if ps[i], err = net.Spawn(ctx, key, client.Spawn{Module: mod, Tags: []ans104.Tag{{Name: "Name", Value: fmt.Sprint("s", i)}}}); err != nil {
			return err
		}
	}
	items := make([][]byte, *n)
	var signing atomic.Int64
	each(runtime.NumCPU(), func() error {
		for {
			i := int(signing.Add(1) - 1)
			if i >= len(items) {
				return nil
			}
			it, err := ans104.Sign(ans104.Draft{Target: ps[i%len(ps)], HasTarget: true, Data: fmt.Appendf(nil, "return %d", i), Tags: []ans104.Tag{
				{Name: "Action", Value: "Count"}, {Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Message"}}}, key)
			if err != nil {
				return err
			}
			items[i] = it.Raw
		}
	})
	transport := &http.Transport{MaxIdleConnsPerHost: *c}
	hc := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	lat := make([]time.Duration, *n)
	var next atomic.Int64
	start := time.Now()
	err = each(*c, func() error {
		for {
			i := int(next.Add(1) - 1)
			if i >= len(items) {
				return nil
			}
			t := time.Now()
			r, err := hc.Post(*su, "application/octet-stream", bytes.NewReader(items[i]))
			if err != nil {
				return err
			}
			b, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil || r.StatusCode != http.StatusOK {
				return fmt.Errorf("%d: %s %w", r.StatusCode, b, err)
			}
			lat[i] = time.Since(t)
		}
	})
	if err != nil {
		return err
	}
	secs := time.Since(start).Seconds()
	slices.Sort(lat)
	ms := func(q float64) float64 { return float64(lat[int(q*float64(len(lat)-1))].Microseconds()) / 1000 }
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"msg_per_s": float64(*n) / secs, "p50_ms": ms(0.5), "p99_ms": ms(0.99), "n": *n, "c": *c, "processes": *processes})
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
