package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/slotlog/local"
	"ago/store"
	"ago/store/memory"
)

var start = time.UnixMilli(1_700_000_000_000)

// tester is what tests, benchmarks and properties share.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// network is a gateway on a store in memory, with a clock that stands until a test moves it.
type network struct {
	*Gateway
	clock *clock.Adjustable
	store *memory.Store
	blobs *memory.Blobs
	key   *commitment.Key
	c     Config
}

func newNetwork(t tester, change ...func(*Config)) *network {
	t.Helper()
	n := &network{clock: clock.NewPaused(start), store: memory.New(), blobs: memory.NewBlobs(), key: testKey(t, "node")}
	n.c = Config{Store: n.store, Blobs: n.blobs, Items: local.New(n.store, n.blobs), Clock: n.clock, Key: n.key}
	for _, f := range change {
		f(&n.c)
	}
	n.reopen(t)
	return n
}

// reopen is a restart of the node.
func (n *network) reopen(t tester) {
	t.Helper()
	g, err := Open(n.c)
	if err != nil {
		t.Fatal(err)
	}
	n.Gateway = g
}

func testKey(t tester, name string) *commitment.Key {
	t.Helper()
	seed := message.HashOf([]byte(name))
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t tester, k *commitment.Key, d ans104.Draft) *ans104.Item {
	t.Helper()
	it, err := ans104.SignDeterministic(d, k, []byte("test"))
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// add indexes an item as the scheduler does: bytes and rows in one batch.
func (n *network) add(t tester, it *ans104.Item) *ans104.Item {
	t.Helper()
	var b store.Batch
	if err := n.put(context.Background(), &b, it, message.ID{}); err != nil {
		t.Fatal(err)
	}
	if err := n.store.Apply(&b, true); err != nil {
		t.Fatal(err)
	}
	return it
}

func tags(pairs ...string) (out []Tag) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Tag{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

// call sends a request to a handler and gives the answer.
func call(t tester, h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (n *network) query(t tester, query string, variables map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	w := call(t, n.GatewayHandler(), "POST", "/graphql", string(body))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestAnIndexedItemIsFoundAtOnceByEverythingItHas(t *testing.T) {
	n := newNetwork(t)
	target := message.HashOf([]byte("target"))
	it := n.add(t, sign(t, n.key, ans104.Draft{Target: target, HasTarget: true, Anchor: bytes.Repeat([]byte("7"), 32),
		Tags: tags("Data-Protocol", "ao", "Type", "Process", "Name", "bob"), Data: []byte("hello")}))
	for name, arguments := range map[string]string{
		"id":        `ids: ["` + it.ID().String() + `"]`,
		"owner":     `owners: ["` + it.Address().String() + `", ""]`,
		"recipient": `recipients: ["` + target.String() + `"]`,
		"tags":      `tags: [{name: "Name", values: ["al" "bob"]}, {name: "Type", values: ["Process"]}]`,
		"not":       `tags: [{name: "Type", values: ["Message"], op: NEQ}]`,
		"wildcard":  `tags: [{name: "Name", values: ["b*"], match: WILDCARD}]`,
		"arrival":   `ingested_at: {min: 1700000000, max: 1700000000}`,
	} {
		got := n.query(t, `{transactions(`+arguments+`){edges{node{id recipient block{id}}}}}`, nil)
		want := `{"data":{"transactions":{"edges":[{"node":{"id":"` + it.ID().String() + `","recipient":"` + target.String() + `","block":null}}]}}}`
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for name, arguments := range map[string]string{
		"no owner":    `owners: [""]`,
		"no ids":      `ids: []`,
		"other value": `tags: [{name: "Name", values: ["alice"]}]`,
		"same value":  `tags: [{name: "Name", values: ["bob"], op: NEQ}]`,
		"no name":     `tags: [{name: "Nothing", values: ["x"], op: NEQ}]`,
		"pending":     `block: {min: 0}`,
	} {
		got := n.query(t, `{transactions(`+arguments+`){edges{node{id}}}}`, nil)
		if got != `{"data":{"transactions":{"edges":[]}}}` {
			t.Errorf("%s: got %s, want nothing", name, got)
		}
	}
	if _, err := n.Blocks().Mine(1); err != nil {
		t.Fatal(err)
	}
	got := n.query(t, `{transactions(block: {min: 1500001, max: 1500001}){edges{node{block{height}}}}}`, nil)
	if got != `{"data":{"transactions":{"edges":[{"node":{"block":{"height":1500001}}}]}}}` {
		t.Errorf("after mining: %s", got)
	}
}
