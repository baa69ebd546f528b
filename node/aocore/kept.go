package aocore

import (
	"container/list"
	"net/http"
	"strings"
	"sync"

	"ago/message"
)

// kept are the answers asked for last, up to a number of bytes.
type kept struct {
	mu    sync.Mutex
	max   int
	bytes int
	by    map[string]*list.Element
	order *list.List // newest first
}

type keptAnswer struct {
	name  string
	a     *answer
	bytes int
}

func newKept(max int) *kept {
	return &kept{max: max, by: map[string]*list.Element{}, order: list.New()}
}

func (k *kept) get(name string) (*answer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.by[name]
	if !ok {
		return nil, false
	}
	k.order.MoveToFront(e)
	return e.Value.(*keptAnswer).a, true
}

// put keeps an answer; one that would push out most others is not kept.
func (k *kept) put(name string, a *answer) {
	size := len(name) + len(a.body) + 256
	for _, l := range a.header {
		size += len(l.name) + len(l.values[0]) + 64
	}
	if size > k.max/16 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.by[name]; ok {
		k.drop(e)
	}
	k.by[name] = k.order.PushFront(&keptAnswer{name, a, size})
	k.bytes += size
	for k.bytes > k.max {
		k.drop(k.order.Back())
	}
}

func (k *kept) drop(e *list.Element) {
	a := k.order.Remove(e).(*keptAnswer)
	delete(k.by, a.name)
	k.bytes -= a.bytes
}

// keptName is the name under which the answer to a request is kept, if it turns out to be the same whenever it is asked for; "" for
// a request that brings a message, which is read anew each time.
func (q *request) keptName() string {
	r, w := q.r, q.wants
	if q.hooks["request"] || q.hooks["response"] || !reads(r) || r.ContentLength != 0 || w.stream || w.explain || w.other != "" {
		return ""
	}
	for name := range r.Header {
		if !plainHeader(name) {
			return ""
		}
	}
	flags := [3]byte{'0', '0', '0'}
	for i, on := range []bool{w.html, w.old, w.required} {
		if on {
			flags[i] = '1'
		}
	}
	return w.codec + " " + w.bundle + " " + string(flags[:]) + " " + r.RequestURI
}

// plainHeader tells headers that are no keys of a message.
func plainHeader(name string) bool {
	lower, ok := lowered[name]
	if !ok {
		lower = strings.ToLower(name)
	}
	return lower != keyCacheControl && lower != hdrPeerPort && (isTransport(lower) || lower == message.KeyContentType)
}

// lowered are the usual headers as net/http names them, in lower case.
var lowered = func() map[string]string {
	out := make(map[string]string, len(transport))
	for name := range transport {
		out[http.CanonicalHeaderKey(name)] = name
	}
	return out
}()
