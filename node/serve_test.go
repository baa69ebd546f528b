package node

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// hold opens a connection, sends the bytes, and tells what comes back until the node ends the connection or 30 s pass.
func hold(t *testing.T, address, sent string) (answer string, cut bool) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, sent); err != nil {
		return "", true
	}
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	timeout, ok := err.(net.Error)
	return string(b), !ok || !timeout.Timeout()
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, func(c *Config) {
		c.limits = usualLimits
		c.limits.header, c.limits.body = time.Second, time.Second // the test's own requests have to hold these on a busy machine, too
	})
	a := n.Addresses()
	for i, c := range []struct{ address, sent, want string }{
		{a.MU, "POST / HTTP/1.1\r\nHost: x\r\nContent-Le", ""},
		{a.MU, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly this", "body-unreadable"},
		{a.SU, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", headerBytes+8192) + "\r\n\r\n", "431 Request Header Fields Too Large"},
		{a.SU, "GET / HTTP/1.1\r\nHost x\r\n\r\n", "request-malformed"},
		{a.SU, "CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "route-unknown"},
	} {
		answer, cut := hold(t, c.address, c.sent)
		if !cut || !strings.Contains(answer, c.want) {
			t.Errorf("%s: cut off %t, answer %q, want %q in it", badClients[i], cut, answer, c.want)
		}
		if _, body, found := strings.Cut(answer, "\r\n\r\n"); answer != "" {
			var e struct{ Error, Code, Hint string }
			if err := json.Unmarshal([]byte(body), &e); !found || err != nil || e.Error == "" || e.Code == "" {
				t.Errorf("%s: %q is no JSON error", badClients[i], answer)
			}
		}
	}
	// A body nobody reads does not hold the connection either.
	if answer, cut := hold(t, a.CU, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly this"); !cut || !strings.Contains(answer, "200 OK") {
		t.Errorf("an unread body: cut off %t, answer %q", cut, answer)
	}
}

// TestARefusedBodyIsAnswered writes all of a request before it reads, as simple clients do.
func TestARefusedBodyIsAnswered(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	a := n.Addresses()
	for _, c := range []struct{ address, target, head string }{
		{a.MU, "/", "Content-Length: 12000000\r\n\r\n"},
		{a.SU, "/", "Content-Length: 12000000\r\n\r\n"},
		{a.CU, "/dry-run?process-id=" + n.process.String(), "Content-Length: 12000000\r\n\r\n"},
		{a.Node, "/cu/dry-run?process-id=" + n.process.String(), "Content-Length: 12000000\r\n\r\n"},
		{a.MU, "/", "Transfer-Encoding: chunked\r\n\r\nb71b00\r\n"}, // the same length
	} {
		body := make([]byte, 12_000_000)
		request := "POST " + c.target + " HTTP/1.1\r\nHost: x\r\n" + c.head + string(body)
		if strings.Contains(c.head, "chunked") {
			request += "\r\n0\r\n\r\n"
		}
		answer, cut := hold(t, c.address, request)
		if !strings.HasPrefix(answer, "HTTP/1.1 413 ") || !strings.Contains(answer, "body-too-large") || cut != strings.Contains(answer, "Connection: close") {
			t.Errorf("%s%s: %q, cut off %t", c.address, c.target, answer, cut)
		}
	}
	// Whoever asks before sending is answered without the body.
	answer, cut := hold(t, a.MU, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 12000000\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 413 ") || !cut {
		t.Errorf("after Expect: %q, cut off %t", answer, cut)
	}
}

func TestAnAnswerMayTakeLongerThanItsRequest(t *testing.T) {
	t.Parallel()
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Errorf("body: %v", err)
		}
		select {
		case <-time.After(300 * time.Millisecond):
			io.WriteString(w, "late")
		case <-r.Context().Done():
			t.Error("the wait was cut off")
		}
	})
	lim := usualLimits
	lim.header, lim.body, lim.write, lim.idle = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	s, err := listen("cu", "127.0.0.1", 0, guard("cu", slow, lim, newMetrics(), slog.New(slog.DiscardHandler)), lim, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.serve() }()
	for _, method := range []string{"GET", "POST"} {
		status, body := request(t, method, fmt.Sprintf("http://127.0.0.1:%d/", s.port()), []byte("x"))
		if status != 200 || string(body) != "late" {
			t.Errorf("%s: %d %q", method, status, body)
		}
	}
	s.stop(context.Background())
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNoMoreConnectionsThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	lim := usualLimits
	lim.conns = 4
	s, err := listen("cu", "127.0.0.1", 0, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }), lim, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.serve() }()
	address := fmt.Sprintf("127.0.0.1:%d", s.port())
	answered := func(c net.Conn, wait time.Duration) string {
		c.SetReadDeadline(time.Now().Add(wait))
		line, _ := bufio.NewReader(c).ReadString('\n')
		return line
	}
	ask := func(c net.Conn, wait time.Duration) string {
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		return answered(c, wait)
	}
	open := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	var conns []net.Conn
	for i := range 2 {
		conns = append(conns, open("127.0.0.2"))
		if got := ask(conns[i], 5*time.Second); !strings.Contains(got, "200") {
			t.Errorf("one of the first two: %q", got)
		}
	}
	c := open("127.0.0.2") // which says nothing yet
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if text, _ := io.ReadAll(c); !strings.Contains(string(text), "429") || !strings.Contains(string(text), "connections-too-many") || !strings.Contains(string(text), "Retry-After") {
		t.Errorf("one more than half of them: %q", text)
	}
	for range 2 {
		if got := ask(open("127.0.0.3"), 5*time.Second); !strings.Contains(got, "200") {
			t.Errorf("another client's: %q", got)
		}
	}
	last := open("127.0.0.4")
	if got := ask(last, 100*time.Millisecond); got != "" {
		t.Errorf("one was answered although there is no room: %q", got)
	}
	conns[0].Close()
	if got := answered(last, 5*time.Second); !strings.Contains(got, "200") {
		t.Errorf("when a place came free: %q", got)
	}
	if got := ask(open("127.0.0.5"), 100*time.Millisecond); got != "" {
		t.Errorf("a place was free twice: %q", got)
	}
	s.stop(context.Background())
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBrowsersMayAskEverything(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	a := n.Addresses()
	for _, address := range []string{a.Gateway + "/graphql", a.Bundler + "/tx", a.MU, a.SU, a.CU + "/dry-run", a.Node + "/mu/", a.Node + "/clock"} {
		r, err := http.NewRequest("OPTIONS", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://example.org")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "content-type,x-anything")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		h := answer.Header
		if answer.StatusCode/100 != 2 || len(h.Values("Access-Control-Allow-Origin")) != 1 || h.Get("Access-Control-Allow-Origin") != "*" ||
			h.Get("Access-Control-Allow-Headers") != "content-type,x-anything" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") {
			t.Errorf("OPTIONS %s: %d %v", address, answer.StatusCode, h)
		}
		plain, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		plain.Body.Close()
		if v := plain.Header.Values("Access-Control-Allow-Origin"); len(v) != 1 || v[0] != "*" {
			t.Errorf("GET %s: %v", address, v)
		}
	}
}

func TestAPanicIsOneAnswer(t *testing.T) {
	t.Parallel()
	h := guard("mu", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") }), usualLimits, newMetrics(), slog.New(slog.DiscardHandler))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestBasesMayEndInASlash(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	a := n.Addresses()
	p := n.process.String()
	for _, target := range []string{a.CU + "//result/" + p, a.Node + "/cu//result/" + p, a.Node + "//cu/result/" + p, a.CU + "/result/" + p} {
		if status, body := request(t, "GET", target+"?process-id="+p, nil); status != 200 {
			t.Errorf("GET %s: %d %s", target, status, body)
		}
	}
	for _, target := range []string{a.Node + "/mu", a.Node + "/mu/", a.MU, a.MU + "//"} {
		if status, body := request(t, "GET", target, nil); status != 200 || string(body) != "ao messenger unit" {
			t.Errorf("GET %s: %d %s", target, status, body)
		}
	}
}
