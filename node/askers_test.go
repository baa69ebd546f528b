package node

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ago/clock"
)

// TestAskersWaitForTheirOwnKind: beside others, a flood of requests about one process has few inside, another one's enters at
// once, and what waits for something itself makes room.
func TestAskersWaitForTheirOwnKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var inside []string
		end := make(chan struct{})
		c := newCrowd(clock.System{}, 2, idlePace())
		h := askers(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			inside = append(inside, r.URL.Path)
			mu.Unlock()
			<-end
		}), c)
		ask := func(url string) {
			go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", url, nil))
			synctest.Wait()
		}
		see := func(want ...string) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(inside, want) {
				t.Fatalf("inside were %v, want %v", inside, want)
			}
		}
		ask("/first")
		for range 4 {
			ask("/result/x?process-id=P")
		}
		see("/first", "/result/x", "/result/x")
		ask("/result/y?a=b&process-id=Q&c")
		see("/first", "/result/x", "/result/x", "/result/y")
		time.Sleep(2 * askedLong) // those inside wait for something: others have their turn
		synctest.Wait()
		see("/first", "/result/x", "/result/x", "/result/y", "/result/x", "/result/x")
		close(end)
		synctest.Wait()
		if len(c.processes) != 0 {
			t.Errorf("%d kinds are left behind", len(c.processes))
		}
	})
}

func TestWhatIsAskedAbout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, url, about string
		turn               bool
	}{
		{"POST", "/", "", false}, {"POST", "/mu", "", false}, {"POST", "/su/", "", false},
		{"GET", "/metrics", "", false}, {"POST", "/dry-run?process-id=P", "P", true}, {"GET", "/result/x?a=b&process-id=P&c=d", "P", true}, {"POST", "/tx", "tx", true},
		{"GET", "/~message@1.0&a=1/a", "~message@1.0", true}, {"GET", "/P/now/total", "P", true}, {"GET", "/", "", true},
	} {
		about, ok := askedAbout(httptest.NewRequest(c.method, c.url, nil))
		if about != c.about || ok != c.turn {
			t.Errorf("%s %s is about %q, %v", c.method, c.url, about, ok)
		}
	}
}
