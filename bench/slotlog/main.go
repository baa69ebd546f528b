// Command slotlog measures durable appends of 2 KiB messages to the order of messages, in a local folder and in PostgreSQL in
// turn, and prints a line of JSON for each shape. Half of each message is noise. Both wait for the disk.
//
//	go run ./bench/slotlog -for 3s
//	go run ./bench/slotlog -url postgres://user@host/database     a server that runs; without it the installed one is started
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"ago/slotlog"
	"ago/slotlog/local"
	shared "ago/slotlog/postgres"
	"ago/slotlog/slotlogtest"
	"ago/store"
	"ago/store/file"
	"ago/store/pebble"
	"ago/store/postgres"
	"ago/store/postgres/pgtest"
)

const messageBytes = 2 << 10

type result struct {
	slots   int
	Engine  string  `json:"engine"`
	Writers int     `json:"writers"`
	Block   int     `json:"block"`
	Slots   float64 `json:"slots_per_s"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	CPU     float64 `json:"cpu_us_per_slot"` // of this process, and of the server if it was started here
}

func main() {
	span := flag.Duration("for", 3*time.Second, "time of each shape")
	url := flag.String("url", "", "database to use")
	flag.Parse()
	if err := run(*span, *url); err != nil {
		fmt.Fprintln(os.Stderr, "slotlog:", err)
		os.Exit(1)
	}
}

func run(span time.Duration, url string) error {
	dir, err := os.MkdirTemp("", "ago-bench-slotlog-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cpu := ownCPU
	if url == "" {
		server, err := pgtest.Launch()
		if err != nil {
			return err
		}
		defer server.Close()
		url = server.URL()
		cpu = func() time.Duration { return ownCPU() + server.CPU() }
	}
	tables, err := pebble.Open(pebble.Options{Dir: filepath.Join(dir, "tables")})
	if err != nil {
		return err
	}
	defer tables.Close()
	blobs, err := file.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		return err
	}
	db, err := postgres.Open(context.Background(), postgres.Options{URL: url, Name: "bench", Shared: []byte{store.TableItems}})
	if err != nil {
		return err
	}
	defer db.Close()
	remote, err := shared.Open(context.Background(), db, db.SharedBlobs())
	if err != nil {
		return err
	}
	logs := []struct {
		name string
		log  slotlog.Log
	}{{"local", local.New(tables, blobs)}, {"postgres", remote}}
	out := json.NewEncoder(os.Stdout)
	for i, shape := range []struct{ writers, block int }{{1, 1}, {1, 16}, {1, 256}, {16, 1}, {16, 16}, {16, 256}, {64, 1}} {
		for _, l := range logs {
			before := cpu()
			r, err := measure(l.log, span, uint64(i), shape.writers, shape.block)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			r.Engine = l.name
			r.CPU = float64((cpu() - before).Microseconds() / int64(r.slots))
			if err := out.Encode(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownCPU is what this process has used so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure lets writers with a process each append until the time is over.
func measure(l slotlog.Log, span time.Duration, run uint64, writers, entries int) (result, error) {
	noise := make([]byte, messageBytes/2)
	rand.NewChaCha8([32]byte{}).Read(noise)
	latencies, errs := make([][]time.Duration, writers), make([]error, writers)
	began := time.Now()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			p := slotlogtest.ID("bench", run, uint64(w), uint64(began.UnixNano()))
			p[0], p[1] = byte(w>>4), byte(w<<4) // a partition of its own
			epoch, err := l.Acquire(context.Background(), slotlog.PartitionOf(p))
			for first := slotlog.Slot(0); err == nil && time.Since(began) < span; first += slotlog.Slot(entries) {
				block := slotlogtest.Block(p, epoch, first, entries, uint64(w))
				for i := range block.Entries {
					// An id of its own, as signed messages have: the same bytes would be stored once.
					block.Entries[i].Message = slotlogtest.ID("message", run, uint64(w), uint64(first)+uint64(i), uint64(began.UnixNano()))
					block.Entries[i].Item = append(make([]byte, messageBytes/2), noise...)
				}
				start := time.Now()
				if err = l.Append(context.Background(), block); err == nil {
					latencies[w] = append(latencies[w], time.Since(start))
				}
			}
			errs[w] = err
		})
	}
	wg.Wait()
	took := time.Since(began)
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	if len(all) == 0 {
		return result{}, errors.Join(append(errs, errors.New("nothing was appended"))...)
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return result{
		slots: len(all) * entries, Writers: writers, Block: entries, Slots: float64(int(float64(len(all)*entries) / took.Seconds())),
		P50: ms(all[len(all)/2]), P99: ms(all[len(all)*99/100]),
	}, errors.Join(errs...)
}
