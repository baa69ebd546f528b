package postgres_test

import (
	"context"
	"sync"
	"testing"

	"ago/store"
	"ago/store/postgres"
	"ago/store/postgres/pgtest"
	"ago/store/storetest"
)

// opened are the addresses of the stores under test, to open them again.
type opened struct {
	server *pgtest.Server
	mu     sync.Mutex
	urls   map[any]string
}

func open(t testing.TB, o postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (o *opened) open(t testing.TB, url string, shared ...byte) *postgres.Store {
	s := open(t, postgres.Options{URL: url, Shared: shared})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.urls[s] = url
	return s
}

func TestStore(t *testing.T) {
	for name, shared := range map[string][]byte{"alone": nil, "with shared tables": {'a', 'c', 'w'}} {
		t.Run(name, func(t *testing.T) {
			o := &opened{server: pgtest.Shared(t), urls: map[any]string{}}
			storetest.RunStore(t, storetest.Stores{
				Open: func(t testing.TB) store.Store { return o.open(t, o.server.Database(t), shared...) },
				Reopen: func(t testing.TB, s store.Store) store.Store {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					return o.open(t, o.urls[s], shared...)
				},
			})
		})
	}
}

func TestBlobs(t *testing.T) {
	server := pgtest.Shared(t)
	urls := map[store.Blobs]string{}
	at := func(t testing.TB, url string) store.Blobs {
		b := open(t, postgres.Options{URL: url}).Blobs()
		urls[b] = url
		return b
	}
	storetest.RunBlobs(t, storetest.BlobFolders{
		Open:   func(t testing.TB) store.Blobs { return at(t, server.Database(t)) },
		Reopen: func(t testing.TB, b store.Blobs) store.Blobs { return at(t, urls[b]) },
	})
}
