package messagetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noted is a test whose failures are looked at.
type noted struct {
	testing.TB
	ends   []func()
	errors []string
}

func (n *noted) Cleanup(f func()) { n.ends = append(n.ends, f) }
func (n *noted) Errorf(format string, args ...any) {
	n.errors = append(n.errors, fmt.Sprintf(format, args...))
}
func (n *noted) Failed() bool { return false }

func TestACaseThatIsNeitherRunNorLeftFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vectors.json")
	if err := os.WriteFile(path, []byte(`{"cases":[1,2,3],"other":{"list":[4]}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		use  func(r *Run)
		left string
	}{
		"all":      {func(r *Run) { r.Case(0); r.Case(1); r.Case(2); r.Of("other.list", 0) }, ""},
		"a reason": {func(r *Run) { r.Case(0); r.Leave(1, "why"); r.Case(2); r.LeaveOf("other.list", 0, "why") }, ""},
		"no words": {func(r *Run) { r.Case(0); r.Leave(1, ""); r.Case(2); r.Of("other.list", 0) }, "cases 1"},
		"a case":   {func(r *Run) { r.Case(0); r.Case(1); r.Of("other.list", 0) }, "cases 2"},
		"a list":   {func(r *Run) { r.Case(0); r.Case(1); r.Case(2) }, "other.list 0"},
	} {
		n := &noted{TB: t}
		var into any
		c.use(Vectors(n, path, "reads", &into, "cases", "other.list"))
		for _, end := range n.ends {
			end()
		}
		if got := strings.Join(n.errors, "\n"); (got == "") != (c.left == "") || !strings.Contains(got, c.left) {
			t.Errorf("%s: %q, want %q", name, got, c.left)
		}
	}
}
