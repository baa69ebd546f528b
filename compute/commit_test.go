package compute

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"ago/message"
	"ago/store"
	"ago/store/memory"
)

// gated is a store whose writes wait for a sign.
type gated struct {
	store.Store
	mu     sync.Mutex
	open   map[string]chan error // first value of a batch -> its end
	writes [][]string
}

func (g *gated) Apply(b *store.Batch, sync bool) error {
	if !sync {
		return errors.New("what is told of afterwards may be gone after a crash: it was written without a sync")
	}
	var values []string
	for _, op := range b.Ops {
		values = append(values, string(op.Value))
	}
	end := make(chan error)
	g.mu.Lock()
	g.writes = append(g.writes, values)
	g.open[values[0]] = end
	g.mu.Unlock()
	return <-end
}

func (g *gated) end(t *testing.T, first string, err error) {
	t.Helper()
	g.mu.Lock()
	end := g.open[first]
	delete(g.open, first)
	g.mu.Unlock()
	if end == nil {
		t.Fatalf("no write begins with %s; there were %v", first, g.writes)
	}
	end <- err
	synctest.Wait()
}

// TestResultsOfOneProcessAreWrittenInOrder: while one process's results are being written, its next ones wait and then share a
// write; another process's are written at once. What follows a result that could not be written is not written.
func TestResultsOfOneProcessAreWrittenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gated{Store: memory.New(), open: map[string]chan error{}}
		w := newWriter(g)
		var done []string
		var failed error
		add := func(p byte, name string) {
			b := &store.Batch{}
			b.Set([]byte(name), []byte(name))
			w.write(message.ID{p}, b, func() error {
				if p == 1 {
					return failed
				}
				return nil
			}, func(err error) {
				if p == 1 && err != nil {
					failed = err
				}
				done = append(done, fmt.Sprint(name, " ", err == nil))
			})
			synctest.Wait()
		}
		add(1, "a1")
		add(1, "a2")
		add(1, "a3")
		add(2, "b1")
		if want := [][]string{{"a1"}, {"b1"}}; !slices.EqualFunc(g.writes, want, slices.Equal) {
			t.Fatalf("written are %v", g.writes)
		}
		g.end(t, "b1", nil)
		g.end(t, "a1", nil)
		if want := [][]string{{"a1"}, {"b1"}, {"a2", "a3"}}; !slices.EqualFunc(g.writes, want, slices.Equal) {
			t.Fatalf("written are %v", g.writes)
		}
		add(1, "a4")
		g.end(t, "a2", errors.New("disk full"))
		add(2, "b2")
		g.end(t, "b2", nil)
		if want := []string{"b1 true", "a1 true", "a2 false", "a3 false", "a4 false", "b2 true"}; !slices.Equal(done, want) {
			t.Fatalf("told was %v", done)
		}
		w.close()
		if w.groups != 0 || len(w.underway) != 0 || len(w.queue) != 0 {
			t.Fatalf("left behind: %+v", w)
		}
	})
}
