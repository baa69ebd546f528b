package messagetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Run is the use of a file of vectors by one test, which has to run every case, or to leave it with a reason.
type Run struct {
	t    testing.TB
	ran  map[string]bool
	left map[string]string
}

// Vectors reads a file of vectors for a test that says which way it uses them: "reads", from bytes to messages, "writes", from messages
// to bytes, or "reads and writes". Cases stand in the list "cases", or in those that are named; "" is a file that is a list. When the test
// ends, a case that it has neither run nor left fails it.
func Vectors(t testing.TB, path, way string, into any, lists ...string) *Run {
	t.Helper()
	Load(t, path, into)
	if way != "reads" && way != "writes" && way != "reads and writes" {
		t.Fatalf("vectors are read or written, not %q", way)
	}
	if len(lists) == 0 {
		lists = []string{"cases"}
	}
	r := &Run{t: t, ran: map[string]bool{}, left: map[string]string{}}
	all := casesOf(t, path, lists)
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		for _, name := range all {
			if !r.ran[name] && r.left[name] == "" {
				t.Errorf("%s: the case %s was neither run nor left with a reason", path, name)
			}
		}
		reasons := map[string]int{}
		for name, why := range r.left {
			if !r.ran[name] {
				reasons[why]++
			}
		}
		t.Logf("%s %s: %d cases run of %d", path, way, len(r.ran), len(all))
		for _, why := range slices.Sorted(maps.Keys(reasons)) {
			t.Logf("  %d left: %s", reasons[why], why)
		}
	})
	return r
}

func casesOf(t testing.TB, path string, lists []string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, list := range lists {
		at := json.RawMessage(text)
		for _, key := range strings.FieldsFunc(list, func(r rune) bool { return r == '.' }) {
			var m map[string]json.RawMessage
			if err := json.Unmarshal(at, &m); err != nil {
				t.Fatalf("%s has no %s: %v", path, list, err)
			}
			at = m[key]
		}
		var cases []json.RawMessage
		if err := json.Unmarshal(at, &cases); err != nil || len(cases) == 0 {
			t.Fatalf("%s has no list %q: %v", path, list, err)
		}
		for i := range cases {
			out = append(out, nameOf(list, i))
		}
	}
	return out
}

func nameOf(list string, i int) string { return fmt.Sprintf("%s %d", list, i) }

// Case notes that a case of the list "cases" is run.
func (r *Run) Case(i int) { r.Of("cases", i) }

// Of notes that a case of a list is run.
func (r *Run) Of(list string, i int) { r.ran[nameOf(list, i)] = true }

// Leave notes why a case of the list "cases" is not run.
func (r *Run) Leave(i int, reason string) { r.LeaveOf("cases", i, reason) }

// LeaveOf notes why a case of a list is not run.
func (r *Run) LeaveOf(list string, i int, reason string) { r.left[nameOf(list, i)] = reason }
