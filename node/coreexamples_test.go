package node

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestExamplesOfTheProtocol asks a node the example requests of AO-Core. Those that other tests ask say which; those that wait for
// something say for what.
func TestExamplesOfTheProtocol(t *testing.T) {
	text, err := os.ReadFile("testdata/core-examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct {
		N                      int
		Method, Path           string
		Send                   map[string]string
		Status                 int
		Body                   *string // "*" is any that is not empty
		Headers                map[string]string
		What, Elsewhere, Waits string
	}
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	n := startNetwork(t, nil)
	fill := strings.NewReplacer("{address}", n.Addresses().Scheduler, "{id}", n.process.String())
	asked := 0
	for i, e := range examples {
		if e.N != i+1 {
			t.Fatalf("example %d stands in place %d", e.N, i+1)
		}
		if e.Elsewhere != "" || e.Waits != "" {
			continue
		}
		asked++
		r, err := http.NewRequestWithContext(t.Context(), e.Method, n.Addresses().Node+fill.Replace(e.Path), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range e.Send {
			r.Header.Set(name, v)
		}
		answer, body := do(t, r)
		if answer.StatusCode != e.Status {
			t.Errorf("%d: %s %s: %d %.300s", e.N, e.Method, e.Path, answer.StatusCode, body)
			continue
		}
		if e.Body != nil && body != fill.Replace(*e.Body) && (*e.Body != "*" || body == "") {
			t.Errorf("%d: %s %s: %.300q, want %q", e.N, e.Method, e.Path, body, *e.Body)
		}
		for name, want := range e.Headers {
			if got := answer.Header.Get(name); got != fill.Replace(want) {
				t.Errorf("%d: %s %s: %s is %q, want %q", e.N, e.Method, e.Path, name, got, want)
			}
		}
	}
	t.Logf("%d of %d asked here", asked, len(examples))
	if asked < 19 {
		t.Error("few examples are asked")
	}
}
