package test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ago/codec/ans104"
)

// legacyServer serves one log as the scheduler and the gateway of a network, in the published form and by time only, as the
// schedulers do that were there first.
type legacyServer struct {
	*httptest.Server
	log   *legacyLog
	edges []json.RawMessage
	slot  map[string]int // by the id of the message
	items map[string]*ans104.Item

	mu      sync.Mutex
	unknown []string // what was asked that such a network does not answer
}

func serveLog(t testing.TB, l *legacyLog) *legacyServer {
	s := &legacyServer{log: l, slot: map[string]int{}, items: map[string]*ans104.Item{l.module.ID().String(): l.module}}
	for i, slot := range l.slots {
		id := slot.message.ID().String()
		if _, ok := s.slot[id]; !ok {
			s.slot[id] = i
		}
		s.items[id] = slot.message
		s.edges = append(s.edges, slot.edge())
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *legacyServer) answer(w http.ResponseWriter, r *http.Request) {
	process := s.log.process.ID().String()
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	last := s.log.slots[len(s.log.slots)-1]
	say := func(v any) { json.NewEncoder(w).Encode(v) }
	switch slot, known := s.slot[path[0]]; {
	case r.Method == "POST" && path[0] == "graphql":
		body, _ := io.ReadAll(r.Body)
		say(s.graphql(body))
	case path[0] == "raw" && len(path) == 2 && s.items[path[1]] != nil:
		w.Write(s.items[path[1]].Data)
	case path[0] == "timestamp":
		say(map[string]string{"timestamp": fmt.Sprint(last.timestamp), "block_height": fmt.Sprintf("%012d", legacyHeight)})
	case path[0] == "processes" && len(path) == 2 && path[1] == process:
		p := part(s.log.process)
		p["process_id"], p["timestamp"], p["block"] = process, legacyStart, fmt.Sprintf("%012d", legacyHeight)
		say(p)
	case path[0] == process && len(path) == 2 && path[1] == "latest":
		say(s.edges[len(s.edges)-1])
	case path[0] == process:
		say(s.page(r))
	case known:
		say(s.edges[slot])
	default:
		s.mu.Lock()
		s.unknown = append(s.unknown, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNotFound)
		say(map[string]string{"error": "Message or Process not found"})
	}
}

// pageMost is how many slots a page has at most, whatever is asked for.
const pageMost = 100

// page gives the slots after one time up to another. A cursor is the time of its slot.
func (s *legacyServer) page(r *http.Request) any {
	number := func(name string, otherwise int64) int64 {
		if n, err := strconv.ParseInt(r.FormValue(name), 10, 64); err == nil {
			return n
		}
		return otherwise
	}
	from, to, limit := number("from", math.MinInt64), number("to", math.MaxInt64), int(min(number("limit", 100), pageMost))
	edges, more := []map[string]any{}, false
	for i, slot := range s.log.slots {
		if slot.timestamp <= from || slot.timestamp > to {
			continue
		}
		if more = len(edges) == limit; more {
			break
		}
		edges = append(edges, map[string]any{"node": s.edges[i], "cursor": fmt.Sprint(slot.timestamp)})
	}
	return map[string]any{"page_info": map[string]bool{"has_next_page": more}, "edges": edges}
}

// graphql finds items by id, and where the scheduler answers. There are no blocks and no checkpoints.
func (s *legacyServer) graphql(body []byte) any {
	var q struct {
		Query     string
		Variables map[string]any
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return map[string]any{"errors": []map[string]string{{"message": err.Error()}}}
	}
	edges := []map[string]any{}
	add := func(node map[string]any) { edges = append(edges, map[string]any{"cursor": "c", "node": node}) }
	ids, _ := q.Variables["ids"].([]any)
	switch {
	case strings.Contains(q.Query, "Scheduler-Location"):
		add(map[string]any{"tags": []map[string]string{{"name": "Url", "value": s.URL}, {"name": "Time-To-Live", "value": "3600000"}}})
	case len(ids) > 0:
		for id, it := range s.items {
			if slices.Contains(ids, any(id)) {
				node := part(it)
				node["data"] = map[string]string{"size": fmt.Sprint(len(it.Data))}
				node["recipient"], node["block"] = node["target"], map[string]any{"height": legacyHeight, "timestamp": legacyStart / 1000}
				add(node)
			}
		}
	}
	return map[string]any{"data": map[string]any{"transactions": map[string]any{"pageInfo": map[string]bool{"hasNextPage": false}, "edges": edges}}}
}
