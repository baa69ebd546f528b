package node

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ago/fault"
	"ago/message"
)

// TestProgramsOfStrangersTakeTurns: one runs, one waits, others are refused with a time to come back after.
func TestProgramsOfStrangersTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPrograms(Requests{Programs: 1, Waiting: 1}) // of one thing one address has all
		leave, err := p.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waited := make(chan error, 1)
		go func() {
			_, err := p.Enter(t.Context())
			waited <- err
		}()
		synctest.Wait()
		if _, err := p.Enter(t.Context()); fault.CodeOf(err) != "programs-waiting" || fault.RetryAfter(err) == 0 || fault.KindOf(err) != fault.TooMany {
			t.Errorf("one too many: %v", err)
		}
		if err := <-waited; fault.CodeOf(err) != "programs-busy" || fault.RetryAfter(err) == 0 || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("one that waited: %v", err)
		}
		go func() {
			_, err := p.Enter(t.Context())
			waited <- err
		}()
		synctest.Wait()
		leave()
		if err := <-waited; err != nil {
			t.Errorf("one whose turn came: %v", err)
		}
	})
}

// TestBodiesAreCountedTogether at all addresses; what was read for one request is free when that ends.
func TestBodiesAreCountedTogether(t *testing.T) {
	t.Parallel()
	n := startNode(t, Config{Requests: Requests{Bodies: 1 << 20}})
	a := n.Addresses()
	for range 2 {
		for _, target := range []string{a.Node + "/~message@1.0/keys", a.MU + "/", a.SU + "/"} {
			status, body := request(t, "POST", target, bytes.Repeat([]byte("x"), 2<<20))
			if status != http.StatusTooManyRequests || !strings.Contains(string(body), "524288 bytes") {
				t.Errorf("%s: %d %s", target, status, body)
			}
			if status, body := request(t, "POST", target, bytes.Repeat([]byte("x"), 1<<19)); status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
				t.Errorf("%s, a small one: %d %s", target, status, body)
			}
		}
	}
}

func TestABodyHasOneLength(t *testing.T) {
	t.Parallel()
	n := startNode(t, Config{})
	for name, lengths := range map[string]string{"two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n", "no length": "Content-Length: x\r\n", "a negative one": "Content-Length: -1\r\n",
		"a list": "Content-Length: 5, 6\r\n", "another encoding": "Transfer-Encoding: gzip, chunked\r\n"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(n.Addresses().Node, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /~message@1.0/keys HTTP/1.1\r\nHost: x\r\n%s\r\nhello", lengths)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 400 && answer.StatusCode != 501 || !strings.Contains(string(body), `"request-malformed"`) {
			t.Errorf("%s: %d %s %v", name, answer.StatusCode, body, err)
		}
		c.Close()
	}
}

// TestStreamsOfAConnectionAreBounded: a client with one more request than a connection may have needs another connection.
func TestStreamsOfAConnectionAreBounded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	inside, most, all := map[string]int{}, 0, 0
	full := make(chan struct{})
	hold := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			return
		}
		mu.Lock()
		inside[r.RemoteAddr]++
		most = max(most, inside[r.RemoteAddr])
		if all++; all == streamsOfConnection+1 {
			close(full)
		}
		mu.Unlock()
		select {
		case <-full:
		case <-r.Context().Done():
		}
		mu.Lock()
		inside[r.RemoteAddr]--
		mu.Unlock()
	}
	s, err := listen("cu", "127.0.0.1", 0, http.HandlerFunc(hold), usualLimits, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.serve() }()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	two := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: 20 * time.Second}
	ask := func(path string) {
		answer, err := two.Get(fmt.Sprintf("http://127.0.0.1:%d%s", s.port(), path))
		if err != nil {
			t.Error(err)
			return
		}
		answer.Body.Close()
	}
	ask("/first") // makes a connection, and the client knows how many requests it may have there
	var wg sync.WaitGroup
	for range streamsOfConnection + 1 {
		wg.Go(func() { ask("/") })
	}
	wg.Wait()
	two.CloseIdleConnections()
	s.stop(context.Background())
	if err := <-done; err != nil {
		t.Error(err)
	}
	if most > streamsOfConnection {
		t.Errorf("%d requests of one connection were inside", most)
	}
}

// TestRatesCountAtEveryDoor: a message that comes by AO-Core counts as one that comes to the scheduler.
func TestRatesCountAtEveryDoor(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, func(c *Config) { c.Door = Door{PerProcess: Rate{PerSecond: 0.01, Burst: 3}} })
	p := n.deviceProcess(t)
	seen := map[string]int{}
	for i := range 5 {
		code, _, body := n.overHTTP(t, p, message.Field{Key: "data", Value: message.Bytes(fmt.Sprint(i))})
		seen[fmt.Sprint(code)]++
		if code != 200 && (code != 429 || !strings.Contains(body, "are taken for process "+p)) {
			t.Errorf("%d %s", code, body)
		}
	}
	if seen["200"] == 0 || seen["429"] < 2 {
		t.Errorf("answered %v", seen)
	}
}
