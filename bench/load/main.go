// Command load asks one address for GET paths in turn over kept-alive connections, for a given time, and prints requests per
// second and latencies as one line of JSON. It reads only what it must of each answer, so that little of the machine goes
// to the asking.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	addr := flag.String("addr", "", "host:port, on this machine")
	file := flag.String("paths", "", "file with one path a line")
	conns := flag.Int("c", 8, "connections")
	length := flag.Duration("d", 4*time.Second, "how long")
	once := flag.Bool("once", false, "ask each path once, however long that takes")
	flag.Parse()
	if err := run(*addr, *file, *conns, *length, *once); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(addr, file string, conns int, length time.Duration, once bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errors.New("only addresses of this machine are asked")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var requests [][]byte
	for line := range strings.Lines(string(text)) {
		requests = append(requests, []byte("GET "+strings.TrimSpace(line)+" HTTP/1.1\r\nHost: "+addr+"\r\n\r\n"))
	}
	var next, bad atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	start := time.Now()
	most := int64(math.MaxInt64)
	if once {
		length, most = onceMax, int64(len(requests))
	}
	for range conns {
		wg.Go(func() {
			lat, err := one(addr, requests, &next, &bad, most, start.Add(length))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, lat...)
			failed = errors.Join(failed, err)
		})
	}
	wg.Wait()
	secs := time.Since(start).Seconds()
	if failed != nil || len(all) == 0 {
		return errors.Join(failed, errors.New("no answers"))
	}
	slices.Sort(all)
	ms := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000 }
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"rps": float64(len(all)) / secs, "p50_ms": ms(0.5), "p99_ms": ms(0.99),
		"bad": bad.Load(), "n": len(all)})
}

// onceMax bounds the time in which each path is asked once.
const onceMax = 10 * time.Minute

func one(addr string, requests [][]byte, next, bad *atomic.Int64, most int64, until time.Time) ([]time.Duration, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 64<<10)
	var lat []time.Duration
	for t := time.Now(); t.Before(until); {
		i := next.Add(1) - 1
		if i >= most {
			break
		}
		if _, err := c.Write(requests[int(i%int64(len(requests)))]); err != nil {
			return lat, err
		}
		ok, err := skip(r)
		if err != nil {
			return lat, err
		}
		if !ok {
			bad.Add(1)
		}
		now := time.Now()
		lat = append(lat, now.Sub(t))
		t = now
	}
	return lat, nil
}

// skip reads one answer: the status, the length, the body.
func skip(r *bufio.Reader) (ok bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	ok = len(line) > 12 && line[9] == '2'
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return false, err
		}
		if len(line) <= 2 {
			break
		}
		if v, found := strings.CutPrefix(strings.ToLower(string(line)), "content-length:"); found {
			if length, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
				return false, err
			}
		}
	}
	if length < 0 {
		return false, errors.New("an answer without Content-Length")
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return ok, err
}
