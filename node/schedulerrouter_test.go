package node

import (
	"encoding/json"
	"net/http"
	"testing"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// TestARouterFollowsAProcessThatMoved: what the list says of a process counts more than where the router knows it to have been.
func TestARouterFollowsAProcessThatMoved(t *testing.T) {
	t.Parallel()
	moved, stayed := message.ID{1}, message.ID{2}
	var list []RoutedScheduler
	text := `[{"url":"http://one"},{"url":"http://two/","processes":["` + moved.String() + `"]}]`
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	r, err := StartSchedulerRouter(t.Context(), SchedulerRouterConfig{Schedulers: list})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, r.Close)
	var b store.Batch
	b.Set(routedKey(moved), []byte("http://one"))
	b.Set(routedKey(stayed), []byte("http://one"))
	if err := r.store.Apply(&b, true); err != nil {
		t.Fatal(err)
	}
	hc := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for p, want := range map[message.ID]string{moved: "http://two", stayed: "http://one"} {
		for _, path := range []string{"/" + p.String() + "?from-nonce=3", "/processes/" + p.String(), "/" + p.String() + "/latest", "/timestamp?process-id=" + p.String()} {
			answer, err := hc.Get(r.URL() + path)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if got := answer.Header.Get("Location"); answer.StatusCode != http.StatusTemporaryRedirect || got != want+path {
				t.Errorf("%s: %s to %s, want %s", path, answer.Status, got, want+path)
			}
		}
	}
	list[0].Processes = []message.ID{moved}
	if _, err := StartSchedulerRouter(t.Context(), SchedulerRouterConfig{Schedulers: list}); fault.CodeOf(err) != "settings-malformed" {
		t.Errorf("a process at two schedulers: %v", err)
	}
}
