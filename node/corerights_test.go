package node

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestWhatEverybodyMayDependsOnWhomANodeIsFor asks without a signature a node for one developer, and one for others.
func TestWhatEverybodyMayDependsOnWhomANodeIsFor(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		n, err := Start(context.Background(), Config{CacheDir: modulesCache, Closed: closed})
		if err != nil {
			t.Fatal(err)
		}
		at, cu := n.Addresses().Node, n.Addresses().CU
		for _, c := range []struct {
			method, path     string
			own, others      int
			ownHas, otherHas string
		}{
			{"POST", "/~wao@1.0/cache_module?type=application/lua&data=x", 200, 403, "", "Not authorized"},
			{"POST", "/~cache@1.0/write?body=x", 200, 403, "", "Not authorized"},
			{"GET", "/~cron@1.0/once?cron-path=" + url.QueryEscape("/~message@1.0&a=b/a"), 200, 403, "", "cron_writers"},
			{"GET", "/~relay@1.0/call?relay-path=" + url.QueryEscape(cu), 200, 403, "", "this node relays nothing to"},
			{"GET", "/~query@1.0/graphql?query=" + url.QueryEscape("{blocks(first:1){pageInfo{hasNextPage}}}"), 200, 200, `{"data":`, `{"data":`},
		} {
			r, err := http.NewRequestWithContext(t.Context(), c.method, at+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, body := do(t, r)
			want, has := c.own, c.ownHas
			if closed {
				want, has = c.others, c.otherHas
			}
			if answer.StatusCode != want || !strings.Contains(body, has) {
				t.Errorf("closed %v: %s: %d %.300s, want %d with %q", closed, c.path, answer.StatusCode, body, want, has)
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}
