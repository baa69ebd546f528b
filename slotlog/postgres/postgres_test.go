package postgres_test

import (
	"context"
	"sync"
	"testing"

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
