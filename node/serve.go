package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"ago/budget"
	"ago/fault"
	"ago/node/legacy"
)

// limits bound a connection. A client that is slower than these is cut off, so that no number of them can hold the node.
type limits struct {
	header time.Duration // for the request line and all headers
	body   time.Duration // for the whole body
	write  time.Duration // for each writeWindow of an answer
	idle   time.Duration // between two requests
	conns  int           // of one address that is listened on; further ones wait in the system's queue

	bodies *budget.Budget // bytes of bodies in memory; nil counts none
	memory *budget.Budget // bytes that requests take beside; nil counts none
}

var usualLimits = limits{
	header: 10 * time.Second,
	body:   2 * time.Minute, // the largest body of a message at a slow 1 Mbit/s
	write:  time.Minute,
	idle:   2 * time.Minute,
	conns:  4096,
}

const (
	headerBytes = 64 << 10
	writeWindow = 1 << 20

	streamsOfConnection = 64 // requests of HTTP/2 at a time

	drainBytes   = 64 << 20        // of a refused body are read
	drainTimeout = 3 * time.Second // for the answers under way when the node stops
)

// server is one address with its face.
type server struct {
	name     string
	listener net.Listener
	http     *http.Server
	conns    int
}

// listen opens an address. Port 0 takes a free one.
func listen(name, host string, port int, h http.Handler, lim limits, log *slog.Logger) (*server, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		return nil, unlistened(err, name, host, port)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &server{name: name, listener: l, conns: lim.conns, http: &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: lim.header,
		IdleTimeout:       lim.idle,
		MaxHeaderBytes:    headerBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: streamsOfConnection},
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}, nil
}

// unlistened tells a port that is taken from an address that is none.
func unlistened(err error, name, host string, port int) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.New(fault.Unavailable, "port-taken", "the %s cannot listen on port %d of %s: another program does", name, port, host).
			WithHint("stop the other program, or choose other ports with --port-base")
	case errors.Is(err, syscall.EACCES):
		return fault.New(fault.Denied, "port-denied", "the %s may not listen on port %d of %s", name, port, host).
			WithHint("ports below 1024 are for the administrator: choose higher ones")
	}
	return fault.New(fault.Malformed, "settings-malformed", "nothing can listen on the address %q: %v", host, err).
		WithHint("--listen takes an address of this machine: 127.0.0.1 for this machine only, 0.0.0.0 for every network it is on")
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *server) serve() error {
	err := s.http.Serve(&limited{Listener: s.listener, taken: make(chan struct{}, s.conns), shares: budget.New(int64(s.conns)), closed: make(chan struct{})})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stop lets the answers under way end, for a while.
func (s *server) stop(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
}

// limited accepts no more connections than it has room for, and of one client no more than half of them.
type limited struct {
	net.Listener
	taken  chan struct{}
	shares *budget.Budget
	closed chan struct{} // so that a stop need not wait for a place
	once   sync.Once
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		select {
		case l.taken <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.taken
			return nil, err
		}
		who := hostOf(c.RemoteAddr().String())
		if l.shares.Take(networkOf(who), 1) == budget.Given {
			return &limitedConn{Conn: c, release: sync.OnceFunc(func() { l.shares.Give(networkOf(who), 1); <-l.taken })}, nil
		}
		refuseConn(c, l.shares.Share())
		<-l.taken
	}
}

// refuseConn tells a client that it has too many connections, as far as that can be told at once.
func refuseConn(c net.Conn, most int64) {
	defer c.Close()
	body := fmt.Appendf(nil, `{"error":"your address has %d connections, which is its share of those that there are here","code":"connections-too-many","hint":"close some, or use them for further requests"}`, most)
	if c.SetDeadline(time.Now().Add(refusalTime)) == nil {
		// Who does not read this learns it from the closed connection.
		fmt.Fprintf(c, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	}
}

const refusalTime = 100 * time.Millisecond // a new connection has room for as much at once

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

// serverError ends the head of what the HTTP server itself says about a request that it could not read.
const serverError = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// Write gives what the HTTP server says by itself the form of all errors.
func (c *limitedConn) Write(p []byte) (int, error) {
	const protocol = "HTTP/1.1 "
	if !bytes.HasPrefix(p, []byte(protocol)) {
		return c.Conn.Write(p)
	}
	end := bytes.IndexByte(p, '\r')
	if end < 0 || !bytes.HasPrefix(p[end:], []byte(serverError)) {
		return c.Conn.Write(p)
	}
	line := string(p[:end])
	status, _, _ := strings.Cut(line[len(protocol):], " ")
	code, text, hint := "request-malformed", string(p[end+len(serverError):]), "send a request of HTTP/1.1"
	if status == "431" {
		code, text = "headers-too-large", fmt.Sprintf("the headers of the request are larger than %d bytes", headerBytes)
		hint = "send what is long in the body"
	}
	body, err := json.Marshal(map[string]string{"error": text, "code": code, "hint": hint})
	if err != nil {
		return 0, err
	}
	_, err = fmt.Fprintf(c.Conn, "%s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", line, len(body), body)
	return len(p), err
}

// CloseWrite lets the server end its side first, so that a client that still sends gets its answer.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *limitedConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// guard is what every request goes through before its face: time limits, panics, counting, and the rules of browsers.
func guard(face string, h http.Handler, lim limits, m *Metrics, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rc := http.NewResponseController(w)
		var held *heldBody
		if lim.memory != nil {
			account := lim.memory.Open(networkOf(clientIP(r)))
			defer account.Close()
			r = r.WithContext(budget.With(r.Context(), account))
		}
		if r.ContentLength != 0 {
			rc.SetReadDeadline(start.Add(lim.body))
			rc.SetWriteDeadline(start.Add(lim.body + lim.write))
			// A copy, since the server looks at its own request's body when the answer leaves.
			if lim.memory == nil {
				r = r.WithContext(r.Context())
			}
			r.Body = &timedBody{ReadCloser: r.Body, rc: rc}
			if lim.bodies != nil {
				held = &heldBody{ReadCloser: r.Body, of: lim.bodies, who: networkOf(clientIP(r))}
				defer held.release()
				r.Body = held
			}
		}
		out := &timedWriter{ResponseWriter: w, rc: rc, limit: lim.write}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				log.Error("a request caused a panic", "face", face, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if out.status == 0 {
					legacy.Fail(out, fault.New(fault.Internal, "internal", "the node failed on this request; its log tells more"))
				}
			}
			if out.status >= http.StatusInternalServerError && out.cause != nil {
				log.Warn("a request failed", "face", face, "method", r.Method, "path", r.URL.Path, "status", out.status, "err", out.cause)
			}
			m.request(face, out.status, time.Since(start))
		}()
		browsers(out.Header(), r)
		if r.Method == http.MethodOptions {
			out.WriteHeader(http.StatusNoContent)
			return
		}
		if strings.Contains(r.URL.Path, "//") { // bases that end in a slash are joined with paths that begin with one
			r.URL.Path, r.URL.RawPath = oneSlash(r.URL.Path), ""
		}
		if err := plainPath(r); err != nil {
			legacy.Fail(out, err)
			return
		}
		h.ServeHTTP(out, r)
		held.release() // what is read from here on is thrown away
		if out.status >= http.StatusBadRequest {
			drain(rc, r)
		}
	})
}

// drain reads what is left of a refused body: a client that writes all of it before it reads would otherwise see a reset
// connection instead of the answer. A client that asked first, with Expect, sends nothing more.
func drain(rc *http.ResponseController, r *http.Request) {
	if r.ContentLength == 0 || r.ContentLength > drainBytes || r.Header.Get("Expect") != "" {
		return
	}
	if rc.Flush() == nil {
		io.CopyN(io.Discard, r.Body, drainBytes) // until the time limit of the body
	}
}

// plainPath refuses what routing would answer with a redirection and a page for people.
func plainPath(r *http.Request) error {
	if r.Method == http.MethodConnect || !strings.HasPrefix(r.URL.Path, "/") {
		return fault.New(fault.NotFound, "route-unknown", "nothing answers %s %.100q here", r.Method, r.RequestURI).
			WithHint("this is no proxy: ask for a path that begins with /")
	}
	if !strings.Contains(r.URL.Path, "/.") {
		return nil
	}
	for part := range strings.SplitSeq(r.URL.Path, "/") {
		if part == "." || part == ".." {
			return fault.New(fault.Malformed, "path-malformed", "the path %.200q has a part that is %q", r.URL.Path, part).
				WithHint("write the path out: nothing here is above or beside anything else")
		}
	}
	return nil
}

func oneSlash(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// browsers allows pages of any origin: everything here is public or signed.
func browsers(h http.Header, r *http.Request) {
	h["Access-Control-Allow-Origin"] = anyOrigin
	if r.Method != http.MethodOptions {
		h["Access-Control-Expose-Headers"] = anyOrigin
		return
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	if wanted := r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		h.Set("Access-Control-Allow-Headers", wanted)
	} else {
		h.Set("Access-Control-Allow-Headers", "*")
	}
	h.Set("Access-Control-Max-Age", "86400")
}

var anyOrigin = []string{"*"}

// timedBody takes the time limit off the connection when the body has been read, so that it does not cut off a handler
// that waits for an evaluation.
type timedBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

// timedWriter gives the client its time limit for each writeWindow of the answer, however long the answer took to make.
type timedWriter struct {
	http.ResponseWriter
	rc     *http.ResponseController
	limit  time.Duration
	status int
	window int
	cause  error // of a failure
}

// Note serves legacy.Noter.
func (w *timedWriter) Note(err error) { w.cause = err }

func (w *timedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.rc.SetWriteDeadline(time.Now().Add(w.limit))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *timedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.window += len(p); w.window >= writeWindow {
		w.window = 0
		w.rc.SetWriteDeadline(time.Now().Add(w.limit))
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// prefixed serves several faces under one address: /mu/… is / of the messenger.
func prefixed(faces map[string]http.Handler, rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	for name, h := range faces {
		mux.Handle("/"+name+"/", http.StripPrefix("/"+name, h))
		mux.Handle("/"+name, http.StripPrefix("/"+name, rooted(h)))
	}
	mux.Handle("/", rest)
	return mux
}

// rooted gives a request for the bare prefix the path "/".
func rooted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" {
			r.URL.Path = "/"
		}
		h.ServeHTTP(w, r)
	})
}
