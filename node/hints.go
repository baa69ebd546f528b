package node

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"ago/client"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/schedule"
	"ago/store"
)

// hints are addresses of nodes that were named beside the ids of processes: <id>?hint=<url>. What such a node says is checked as what
// any other says; it is reached as relays reach others, so that no hint leads into the operator's networks. A hint that led to a log
// is kept with it, others are forgotten with time.
type hints struct {
	n  *Node
	to *outbound

	settings atomic.Pointer[coreSettings] // of the face, if the node has one
	mu       sync.Mutex
	known    map[message.ID]string
}

const rowHint byte = 'y' // second byte in the node's table: process -> url

const (
	hintsMax  = 4096
	hintBytes = 2048
)

// besides gives the networks that nodes of others may be reached in beside the public one.
func (n *Node) besides() []netip.Prefix {
	if n.c.Closed {
		return n.c.RelayNetworks
	}
	return append(slices.Clone(n.c.RelayNetworks), loopback...)
}

func newHints(n *Node) *hints {
	return &hints{n: n, to: newOutbound(n.besides()), known: map[message.ID]string{}}
}

// hintIn reads what stands behind the id of a process; "" if it is no address of a node.
func hintIn(text string) string {
	cut := strings.IndexAny(text, "?&")
	if cut < 0 || len(text) > hintBytes {
		return ""
	}
	rest := text[cut+1:]
	at, ok := strings.CutPrefix(rest, "hint=") // it may bring a query of its own, unescaped
	if !ok {
		q, err := url.ParseQuery(strings.ReplaceAll(rest, "?", "&"))
		if err != nil {
			return ""
		}
		at = q.Get("hint")
	} else if plain, err := url.QueryUnescape(at); err == nil && strings.Contains(at, "%3A") {
		at = plain
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/")
}

// Hint notes where a process may be found; text is its id and what stands behind it.
func (h *hints) Hint(p message.ID, text string) {
	at := hintIn(text)
	if set := h.settings.Load(); at == "" || set != nil && !set.flag("scheduler_follow_hints", true) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.known) >= hintsMax {
		clear(h.known)
	}
	h.known[p] = at
}

// peers gives the nodes that were named for a process: the one that led to its log, and the last one that somebody named. The first
// stays the first, or anybody could lead a node away from a process that it has found.
func (h *hints) peers(p message.ID) []client.Peer {
	var out []client.Peer
	raw, err := h.n.store.Get(hintKey(p))
	if err == nil {
		out = append(out, client.Peer{URL: string(raw), HTTP: &h.to.client})
	}
	h.mu.Lock()
	at := h.known[p]
	h.mu.Unlock()
	if at != "" && at != string(raw) {
		out = append(out, client.Peer{URL: at, HTTP: &h.to.client})
	}
	return out
}

func hintKey(p message.ID) []byte { return append([]byte{store.TableNode, rowHint}, p[:]...) }

// proved keeps the hint that led to the log of a process. If it is lost, somebody has to give it again.
func (h *hints) proved(p message.ID, at string) error {
	if raw, err := h.n.store.Get(hintKey(p)); err == nil && string(raw) == at {
		return nil
	}
	var b store.Batch
	b.Set(hintKey(p), []byte(at))
	return h.n.store.Apply(&b, false)
}

// definition asks the nodes that were named for a process for it: by its id, or as the message of its first slot.
func (h *hints) definition(ctx context.Context, p message.ID) (process.Definition, error) {
	failed := error(fault.New(fault.NotFound, "process-unknown", "nobody told where process %s is", p))
	for _, at := range h.peers(p) {
		def, err := definitionAt(ctx, at, p)
		if err == nil {
			return def, nil
		}
		failed = err
	}
	return process.Definition{}, failed
}

func definitionAt(ctx context.Context, at client.Peer, p message.ID) (process.Definition, error) {
	v, err := at.Fetch(ctx, p)
	m, isMessage := v.(message.Message)
	if err != nil || !isMessage {
		slots, _, err := at.Schedule(ctx, p, 0, 0)
		if err != nil {
			return process.Definition{}, err
		}
		if len(slots) == 0 {
			return process.Definition{}, fault.New(fault.NotFound, "process-unknown", "the node at %s does not know process %s", at.URL, p)
		}
		body, _ := slots[0].Get(message.KeyBody)
		m, _ = body.(message.Message)
	}
	if it, ok := schedule.ItemIn(m); ok {
		m = it.Message()
	}
	checked, err := commitment.Verify(m)
	if err != nil {
		return process.Definition{}, err
	}
	def, err := process.Define(checked.Message())
	if err == nil && def.ID != p {
		err = fault.New(fault.Forged, "process-is-another", "the node at %s shows process %s as %s", at.URL, def.ID, p)
	}
	return def, err
}
