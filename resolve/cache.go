package resolve

import (
	"container/list"
	"context"
	"strings"
	"sync"

	"ago/device"
	"ago/message"
)

// policy is what becomes of an answer.
type policy struct {
	lookup, store bool
	only          bool // nothing is computed
}

// directives of one cache-control.
type directives struct {
	lookup, store         bool
	saysLookup, saysStore bool
	only                  bool
}

func readDirectives(v message.Value) (d directives) {
	if text, ok := v.(message.Bytes); ok {
		return parseDirectives(string(text))
	}
	for _, word := range device.Texts(v) {
		d.add(word)
	}
	return d
}

func parseDirectives(text string) (d directives) {
	for more := true; more; {
		var word string
		word, text, more = strings.Cut(text, ",")
		d.add(word)
	}
	return d
}

func (d *directives) add(word string) {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "always":
		d.lookup, d.store, d.saysLookup, d.saysStore = true, true, true, true
	case "store":
		d.store, d.saysStore = true, true
	case noStore:
		d.store, d.saysStore = false, true
	case "cache":
		d.lookup, d.saysLookup = true, true
	case "no-cache":
		d.lookup, d.saysLookup = false, true
	case onlyIfCached:
		d.only, d.lookup, d.saysLookup = true, true, true
	}
}

// over takes what d says where it says something, and what other says elsewhere.
func (d directives) over(other directives) directives {
	if !d.saysLookup {
		d.lookup, d.saysLookup = other.lookup, other.saysLookup
	}
	if !d.saysStore {
		d.store, d.saysStore = other.store, other.saysStore
	}
	d.only = d.only || other.only
	return d
}

const (
	keyCacheControl = "cache-control"
	noStore         = "no-store"
	onlyIfCached    = "only-if-cached"
)

// decide works out the policy of a question. Only answers whose device says that they follow from base and request alone are
// ever kept; within that the call's own word counts most, then the request's, then the base's.
func (q *question) decide(ctx context.Context) {
	declared := q.doc.CacheControl
	if declared == "" {
		declared = q.device.CacheControl
	}
	kept := declared != "" && q.path != nil && !inSession(ctx)
	q.promised = kept
	q.sound = kept && (q.now.path == nil || q.now.sound)
	if !kept && !strings.Contains(q.how.CacheControl, onlyIfCached) && !asksControl(q.req) {
		return // nobody asks for what could be missed
	}
	d := parseDirectives(q.how.CacheControl)
	if v, ok := q.req.Get(keyCacheControl); ok {
		asked := readDirectives(v)
		d.only = d.only || asked.only
		d = d.over(asked)
	}
	if q.policy.only = d.only; !kept {
		return
	}
	if v, ok := q.base.Get(keyCacheControl); ok {
		d = d.over(readDirectives(v))
	}
	own := parseDirectives(declared)
	d = d.over(own)
	q.policy.lookup = own.lookup && d.lookup
	q.policy.store = own.store && d.store
	if q.policy.lookup || q.policy.store {
		q.giveName()
	}
}

// inSession tells whether something is held beside the messages: answers may depend on it, and so are of that resolution alone.
func inSession(ctx context.Context) bool {
	c := device.Call{Context: ctx}
	return c.Session() != nil
}

func asksControl(req message.Message) bool {
	_, ok := req.Get(keyCacheControl)
	return ok
}

// giveName finds the hashpath that the answer is kept under. The path that led here names what the base is only if each answer
// on it followed from what it was asked of; otherwise the base counts by its content.
func (q *question) giveName() {
	path := q.path
	if q.now.path != nil && !q.now.sound {
		path = (*device.Hashpath)(nil).Extend(q.now.value, q.req)
	}
	_, plain := q.now.value.(message.Message)
	plain = plain && (q.now.path == nil || !q.now.sound)
	var print uint64
	if plain {
		if q.name, print = q.names.find(q.base, q.req); q.name != "" {
			if q.now.path == nil {
				q.path = device.GivenHashpath(q.name)
			}
			return
		}
	}
	if claims(q.base, claimsDepth) || claims(q.req, claimsDepth) {
		return
	}
	if q.name, _ = path.Text(); q.name != "" {
		q.names.remember(print, q.base, q.req, q.name)
	}
}

// claimsDepth is how deep messages are searched for commitments before they are taken to have some.
const claimsDepth = 16

// claims tells whether a message, or one in it, brings commitments. An unsigned id stands for what the content is only where it
// was computed from it: what a commitment claims may be another's, and an answer kept under it would be given to others.
func claims(v message.Value, depth int) bool {
	switch v := v.(type) {
	case message.Message:
		if depth == 0 {
			return true
		}
		for key, member := range v.All() {
			if key == message.KeyCommitments || claims(member, depth-1) {
				return true
			}
		}
	case message.List:
		if depth == 0 {
			return true
		}
		for _, member := range v {
			if claims(member, depth-1) {
				return true
			}
		}
	}
	return false
}

// lookup finds the answer in memory, then among the contents.
func (q *question) lookup(ctx context.Context) (at, bool) {
	if q.name == "" || !q.policy.lookup {
		return at{}, false
	}
	v, onDisk, ok := q.memory.get(q.name)
	if ok && !onDisk && q.policy.store && q.lasts(ctx) { // it was worked out for somebody who had no right to that
		q.toDisk(ctx, v)
	}
	if !ok && q.node.Contents != nil {
		// What stands under the name by its keys is no answer: a device may say something else.
		local := q.node.Contents.Local()
		id, err := local.Linked(ctx, q.name)
		if err == nil {
			v, err = local.Read(ctx, id.String())
		}
		if ok = err == nil; ok {
			q.memory.put(q.name, v, true)
		}
	}
	if !ok {
		q.misses.Add(1)
		return at{}, false
	}
	q.hits.Add(1)
	q.stage.Cached = true
	return at{value: v, path: q.path, sound: q.sound, fixed: true, status: device.OK}, true
}

// keep puts an answer where it is looked up. That an answer could not be kept does not spoil it.
func (q *question) keep(ctx context.Context, a at) {
	if q.name == "" || !q.policy.store {
		return
	}
	if m, ok := a.value.(message.Message); ok {
		if v, ok := m.Get(keyCacheControl); ok {
			if d := readDirectives(v); d.saysStore && !d.store {
				return
			}
		}
	}
	if q.node.Contents != nil && q.lasts(ctx) {
		q.toDisk(ctx, a.value)
		return
	}
	q.memory.put(q.name, a.value, false)
}

// toDisk keeps an answer in memory and where it outlasts the node.
func (q *question) toDisk(ctx context.Context, v message.Value) {
	id, err := q.node.Contents.Write(ctx, v)
	if err == nil {
		err = q.node.Contents.Link(ctx, q.name, id)
	}
	q.memory.put(q.name, v, err == nil)
	if err != nil && q.node.Observe != nil {
		q.node.Observe(device.Event{Device: q.device.Name, Key: q.key, Name: "answer-not-kept", Err: err})
	}
}

// memory keeps the answers asked for last, up to a number of bytes.
type memory struct {
	mu    sync.Mutex
	max   int64
	bytes int64
	by    map[string]*list.Element
	order *list.List // newest first
}

type remembered struct {
	name   string
	value  message.Value
	bytes  int64
	onDisk bool
}

func newMemory(max int64) *memory {
	return &memory{max: max, by: map[string]*list.Element{}, order: list.New()}
}

func (m *memory) get(name string) (v message.Value, onDisk, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.by[name]
	if !ok {
		return nil, false, false
	}
	m.order.MoveToFront(e)
	r := e.Value.(*remembered)
	return r.value, r.onDisk, true
}

// put remembers an answer; one that would push out most others is not remembered.
func (m *memory) put(name string, v message.Value, onDisk bool) {
	limit := m.max / 8
	size := message.Footprint(v, limit)
	if size > limit {
		return
	}
	size += int64(2*len(name)) + 128
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.by[name]; ok {
		m.drop(e)
	}
	m.by[name] = m.order.PushFront(&remembered{name, v, size, onDisk})
	m.bytes += size
	for m.bytes > m.max {
		m.drop(m.order.Back())
	}
}

func (m *memory) size() (entries int, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.by), m.bytes
}

func (m *memory) drop(e *list.Element) {
	r := m.order.Remove(e).(*remembered)
	delete(m.by, r.name)
	m.bytes -= r.bytes
}
