package node

import (
	"net/http"
	"runtime"
	"strings"
	"time"

	"ago/clock"
	"ago/message"
	"ago/node/legacy"
)

// What is asked about one process, or of one device, waits for its own kind as well while something else is asked for: the
// cores are shared by what the requests are about, not by how many connections they come over.

// askedLong is after how long a request is taken to wait for something itself, so that others may go on beside it.
const askedLong = 20 * time.Millisecond

// newAskers is a crowd of requests: those of one kind leave a core to the others.
func newAskers(c clock.Clock, p *pace) *crowd { return newCrowd(c, max(1, cores()-1), p) }

func cores() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU()) }

// askers has requests wait for their turn.
func askers(h http.Handler, c *crowd) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		about, ok := askedAbout(r)
		if !ok {
			h.ServeHTTP(w, r)
			return
		}
		leave, err := c.pass(r.Context(), subject(about))
		if err != nil {
			legacy.Fail(w, err)
			return
		}
		defer leave()
		h.ServeHTTP(w, r)
	})
}

// askedAbout names what a request is about: the process, or how its path begins. Signed messages have a turn of their own.
func askedAbout(r *http.Request) (string, bool) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	switch path {
	case "metrics", "ready", "readyz", "health", "healthz", "healthcheck": // who watches the node changes nothing for others
		return "", false
	}
	if r.Method == http.MethodPost && (path == "" || path == "mu" || path == "su" || path == "mu/" || path == "su/") {
		return "", false
	}
	if _, id, ok := strings.Cut(r.URL.RawQuery, "process-id="); ok {
		id, _, _ = strings.Cut(id, "&")
		return id, true
	}
	if i := strings.IndexAny(path, "/&"); i >= 0 {
		path = path[:i]
	}
	return path, true
}

// subject is what is told apart: the process, if a request is about one.
func subject(about string) message.ID {
	id, _, _ := strings.Cut(about, "~")
	if p, err := message.ParseID(id); err == nil {
		return p
	}
	return message.HashOf([]byte(about))
}
