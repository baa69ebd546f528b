package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
	"ago/store/memory"
)

// mortal is the store of a process that is killed after so many writes: later ones never happen.
type mortal struct {
	store.Store
	mu   sync.Mutex
	left int
	kill context.CancelFunc
}

func (m *mortal) Apply(b *store.Batch, sync bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left--; m.left < 0 {
		m.kill()
		return errors.New("killed")
	}
	return m.Store.Apply(b, sync)
}

// fakeBundler takes what is posted, or does not, or takes it and loses the answer, or forgets it.
type fakeBundler struct {
	mu      sync.Mutex
	next    func() int // what happens to the next request
	refuses map[message.ID]bool
	bundles map[message.ID][]message.ID // what was taken
	posts   int
}

func (f *fakeBundler) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text)), Header: http.Header{}}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	what := f.next()
	if r.Method == http.MethodGet {
		id, err := message.ParseID(strings.Split(r.URL.Path, "/")[2])
		if err != nil {
			return nil, err
		}
		switch {
		case what == 1:
			return answer(http.StatusServiceUnavailable, "busy")
		case what == 2:
			return answer(http.StatusOK, `{"status":"PENDING"}`)
		case what == 3:
			delete(f.bundles, id)
		}
		if f.bundles[id] == nil {
			return answer(http.StatusNotFound, `{"status":"NOT_FOUND"}`)
		}
		return answer(http.StatusOK, `{"status":"CONFIRMED"}`)
	}
	f.posts++
	if what == 1 {
		return nil, errors.New("connection refused")
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		return answer(http.StatusBadRequest, err.Error())
	}
	if err := it.Verify(); err != nil {
		return answer(http.StatusBadRequest, err.Error())
	}
	ids := []message.ID{it.ID()}
	if ans104.IsBundle(it.Tags) {
		ids = nil
		for inner, err := range ans104.Items(it.Data, ans104.DefaultLimits) {
			if err != nil {
				return answer(http.StatusBadRequest, err.Error())
			}
			ids = append(ids, inner.ID())
		}
	}
	for _, id := range ids {
		if f.refuses[id] {
			return answer(http.StatusBadRequest, "no")
		}
	}
	f.bundles[it.ID()] = ids
	if what == 2 {
		return answer(http.StatusBadGateway, "the answer is lost")
	}
	return answer(http.StatusOK, `{}`)
}

// TestUploadsAreNeitherLostNorDoubled: whatever the bundler does, and whenever the unit is killed, in the end each item is in
// what the bundler has, in one bundle; items that it refuses are the only ones that it does not have.
func TestUploadsAreNeitherLostNorDoubled(t *testing.T) {
	t.Parallel()
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte("u"), 32))
	if err != nil {
		t.Fatal(err)
	}
	items := map[message.ID][]byte{}
	var ids []message.ID
	for i := range 40 {
		it := signed(t, key, ans104.Draft{Data: fmt.Appendf(nil, "item %d %s", i, strings.Repeat("x", 50*i))})
		items[it.ID()] = it.Raw
		ids = append(ids, it.ID())
	}
	rapid.Check(t, func(rt *rapid.T) {
		o := UploadOptions{Batch: rapid.IntRange(1, 9).Draw(rt, "batch"), Bytes: int64(rapid.SampledFrom([]int{1000, 5000, 1 << 20}).Draw(rt, "bytes")), Confirm: time.Minute}
		troubles := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 40).Draw(rt, "troubles")
		lives := rapid.SliceOfN(rapid.IntRange(0, 6), 0, 6).Draw(rt, "writes until each kill")
		refused := rapid.SliceOfNDistinct(rapid.IntRange(0, len(ids)-1), 0, 2, rapid.ID[int]).Draw(rt, "refused")
		n := rapid.IntRange(1, len(ids)).Draw(rt, "items")
		wrong := "" // a property fails in its own goroutine only
		synctest.Test(t, func(t *testing.T) {
			f := &fakeBundler{bundles: map[message.ID][]message.ID{}, refuses: map[message.ID]bool{}, next: func() int {
				if len(troubles) == 0 {
					return 0
				}
				what := troubles[0]
				troubles = troubles[1:]
				return what
			}}
			for _, i := range refused {
				f.refuses[ids[i]] = true
			}
			disk := memory.New()
			var b store.Batch
			for i, life := range append(lives, 1<<30) {
				ctx, kill := context.WithCancel(t.Context())
				m := &mortal{Store: disk, left: life, kill: kill}
				u := newUploads(m, nil, func(_ context.Context, id message.ID) ([]byte, error) {
					if raw := items[id]; raw != nil {
						return raw, nil
					}
					return nil, store.ErrNotFound
				}, "http://bundler", clock.System{}, slog.New(slog.DiscardHandler)).options(o, key)
				u.to.HTTP = &http.Client{Transport: f}
				if i == 0 {
					for _, id := range ids[:n] {
						u.plan(&b, id)
					}
					if err := disk.Apply(&b, true); err != nil {
						wrong = err.Error()
					}
				}
				ended := make(chan struct{})
				go func() {
					u.run(ctx)
					close(ended)
				}()
				select {
				case <-ended: // killed
				case <-time.After(24 * time.Hour):
					if i < len(lives) {
						kill()
						<-ended
						continue
					}
					if w, c := u.waiting(), u.unconfirmed(); w != 0 || c != 0 || u.oldest() != 0 {
						wrong = fmt.Sprintf("%d items wait, %d are not confirmed", w, c)
					}
				}
				kill()
				<-ended
			}
			has := map[message.ID]int{}
			for _, in := range f.bundles {
				for _, id := range in {
					has[id]++
				}
			}
			for _, id := range ids[:n] {
				want := 1
				if f.refuses[id] {
					want = 0
				}
				if has[id] != want {
					wrong = fmt.Sprintf("item %s is in %d bundles, want %d", id, has[id], want)
				}
			}
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// TestUploadsBecomeBundles: many items go out in few bundles, each full but the last.
func TestUploadsBecomeBundles(t *testing.T) {
	t.Parallel()
	n := startNode(t, Config{})
	a := startApart(t, func(s *SchedulerConfig, m *MessengerConfig) {
		s.Bundler, s.Uploads = n.Addresses().Bundler, UploadOptions{Batch: 10, Confirm: 100 * time.Millisecond}
		m.SU = "http://127.0.0.1:1"
	})
	a.client.MU, a.client.Gateway = a.su.URL(), n.Addresses().Gateway
	p := a.spawn(t)
	var last message.ID
	for i := range 12 {
		it := signed(t, a.key, ans104.Draft{Target: p, HasTarget: true, Anchor: anchor(), Data: fmt.Appendf(nil, "%d", i), Tags: []Tag{
			{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Message"}}})
		r, err := http.Post(a.su.URL(), "application/octet-stream", bytes.NewReader(it.Raw))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		last = it.ID()
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := a.client.Transaction(t.Context(), last); err == nil && a.su.uploads.waiting() == 0 && a.su.uploads.unconfirmed() == 0 {
			break
		} else if err != nil && fault.KindOf(err) != fault.NotFound {
			t.Fatal(err)
		} else if time.Now().After(deadline) {
			t.Fatalf("%d wait, %d are not confirmed; %v", a.su.uploads.waiting(), a.su.uploads.unconfirmed(), err)
		}
	}
	if got := a.su.uploads.sent.Load(); got != 27 { // its place; the process and the messages, each with its assignment
		t.Errorf("%d items were taken", got)
	}
}
