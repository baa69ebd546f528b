package node

import (
	"net/http"
	"testing"

	"ago/message"
)

// TestTheHashOfRouters: routers of every make choose alike. The values are those of the function's published form, run in a browser's
// language.
func TestTheHashOfRouters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{
		"": 3338908027751811, "a": 7929297801672961, "process": 5922435168732473,
		"ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s": 5285913241546525, "Ää𝄞": 109618476621200,
	} {
		if got := cyrb53(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

func TestARouterKeepsAProcessAtItsUnit(t *testing.T) {
	t.Parallel()
	u := &RouterUnit{r: RouterConfig{Hosts: []string{"http://0", "http://1", "http://2"}}}
	seen := map[string]int{}
	for n := range 300 {
		p := message.HashOf([]byte{byte(n), byte(n >> 8)}).String()
		hosts, err := u.hostsOf(t.Context(), p)
		if err != nil || len(hosts) != 3 || hosts[0] != u.r.Hosts[cyrb53(p)%3] || hosts[1] != u.r.Hosts[(cyrb53(p)+1)%3] {
			t.Fatalf("%s: %v, %v", p, hosts, err)
		}
		seen[hosts[0]]++
	}
	for host, n := range seen {
		if n < 60 {
			t.Errorf("%s has %d of 300", host, n)
		}
	}
}

func TestARouterSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for unit, paths := range map[string]map[string]int{
		"cu": {"/result/x": http.StatusNotFound, "/healthcheck": http.StatusOK, "/nothing": http.StatusNotFound},
		"mu": {"/?debug=1": http.StatusNotFound, "/healthcheck": http.StatusOK},
	} {
		u, err := StartRouter(t.Context(), RouterConfig{Unit: unit, Hosts: []string{"http://127.0.0.1:1"}})
		if err != nil {
			t.Fatal(err)
		}
		closing(t, u.Close)
		for path, want := range paths {
			answer, err := http.Get(u.URL() + path)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%s %s: %s, want %d", unit, path, answer.Status, want)
			}
		}
	}
}
