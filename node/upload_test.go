package node

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/store"
	"ago/store/memory"
)

// TestUploadsWaitForWhatIsNotThereYet: an item that shows late is uploaded all the same, one that the bundler does not want keeps no
// other waiting, and one that the bundler cannot take now is sent again.
func TestUploadsWaitForWhatIsNotThereYet(t *testing.T) {
	t.Parallel()
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat("u", 32)))
	if err != nil {
		t.Fatal(err)
	}
	made := map[message.ID][]byte{}
	var ids []message.ID
	for range 4 {
		it, err := ans104.Sign(ans104.Draft{Anchor: anchor(), Data: []byte("x")}, key)
		if err != nil {
			t.Fatal(err)
		}
		made[it.ID()], ids = it.Raw, append(ids, it.ID())
	}
	var mu sync.Mutex
	asked, got := map[message.ID]int{}, map[message.ID]int{}
	bundler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		it, err := ans104.DecodeItem(raw)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got[it.ID()]++
		switch {
		case it.ID() == ids[1]:
			w.WriteHeader(http.StatusBadRequest)
		case it.ID() == ids[2] && got[it.ID()] == 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer bundler.Close()
	item := func(_ context.Context, id message.ID) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		if asked[id]++; id == ids[0] && asked[id] < 4 {
			return nil, store.ErrNotFound
		}
		return made[id], nil
	}
	s := memory.New()
	defer s.Close()
	u := newUploads(s, nil, item, bundler.URL, clock.System{}, slog.New(slog.DiscardHandler))
	var b store.Batch
	for _, id := range ids {
		u.plan(&b, id)
	}
	if err := s.Apply(&b, true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { u.run(ctx); close(done) }()
	for deadline := time.Now().Add(20 * time.Second); u.waiting() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d items wait", u.waiting())
		}
	}
	cancel()
	<-done
	mu.Lock()
	defer mu.Unlock()
	for i, want := range []int{1, 1, 2, 1} {
		if got[ids[i]] != want {
			t.Errorf("item %d was sent %d times, want %d", i, got[ids[i]], want)
		}
	}
}
