package postgres_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ago/slotlog"
	"ago/slotlog/postgres"
	"ago/slotlog/slotlogtest"
	"ago/store"
	database "ago/store/postgres"
	"ago/store/postgres/pgtest"
)

// node is a log with the store it stands on, as a node has them.
type node struct {
	*postgres.Log
	store *database.Store
	url   string
}

func (n *node) Close() error {
	if err := n.Log.Close(); err != nil {
		return err
	}
	return n.store.Close()
}

func open(t testing.TB, o database.Options) *node {
	t.Helper()
	o.Shared = []byte{store.TableItems, store.TablePlaces}
	s, err := database.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := postgres.Open(context.Background(), s, s.SharedBlobs())
	if err != nil {
		s.Close()
		t.Fatal(err)
	}
	n := &node{l, s, o.URL}
	t.Cleanup(func() { n.Close() })
	return n
}

func TestLog(t *testing.T) {
	server := pgtest.Shared(t)
	var mu sync.Mutex
	peers := 0
	slotlogtest.Run(t, slotlogtest.Logs{
		Open: func(t testing.TB) slotlog.Log {
			return open(t, database.Options{URL: server.Database(t), Name: "first"})
		},
		Reopen: func(t testing.TB, l slotlog.Log) slotlog.Log {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, database.Options{URL: l.(*node).url, Name: "first"})
		},
		Peer: func(t testing.TB, l slotlog.Log) slotlog.Log {
			mu.Lock()
			defer mu.Unlock()
			peers++
			return open(t, database.Options{URL: l.(*node).url, Name: "peer" + string(rune('a'+peers))})
		},
	})
}

// A log that reads from a replica gives all slots, whether the replica has all of them, some, or does not answer.
func TestARangeFromAReplicaIsComplete(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.Database(t)
	first := open(t, database.Options{URL: url, Name: "a"})
	p := slotlogtest.ID("process")
	half := slotlogtest.Block(p, 0, 0, 40, 0)
	if err := first.Append(t.Context(), half); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil { // a database that somebody uses cannot be copied
		t.Fatal(err)
	}
	replicas := map[string]string{"behind": server.Copy(t, url), "without tables": server.Database(t), "all": url, "gone": "postgres://nobody@127.0.0.1:1/none?sslmode=disable"}
	rest := slotlogtest.Block(p, 0, 40, 50, 0)
	if err := open(t, database.Options{URL: url, Name: "a"}).Append(t.Context(), rest); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(half.Entries), rest.Entries...)
	for name, replica := range replicas {
		l := open(t, database.Options{URL: url, Name: name, ReadURL: replica})
		for _, test := range []struct{ from, to, low, high slotlog.Slot }{{0, 1000, 0, 90}, {39, 41, 39, 41}, {89, 10, 11, 90}, {200, 0, 0, 0}, {90, 95, 0, 0}, {5, 6, 5, 6}} {
			var got []slotlog.Entry
			for e, err := range l.Range(t.Context(), p, test.from, test.to) {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got = append(got, e)
			}
			if test.from > test.to {
				slices.Reverse(got)
			}
			if diff := cmp.Diff(want[test.low:test.high], got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, slots %d to %d: %s", name, test.from, test.to, diff)
			}
		}
	}
}
