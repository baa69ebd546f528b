package node

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"ago/fault"
	"ago/store"
)

// readyProbe is a key nothing is stored under.
const readyProbe = 0xff

// storeReasons are why a unit with this store is not ready. It is never nil.
func storeReasons(s store.Store) []string {
	reasons := []string{}
	if _, err := s.Get([]byte{readyProbe}); err != nil && fault.KindOf(err) == fault.Unavailable {
		reasons = append(reasons, "the store does not answer: "+err.Error())
	}
	if s, ok := s.(interface{ Fault() error }); ok {
		if err := s.Fault(); err != nil {
			reasons = append(reasons, "the store takes no more changes: "+err.Error())
		}
	}
	return reasons
}

// serveReady tells whether the unit does what it is for, and if not why. What is only behind stands in the notes: the unit is
// ready, since it would do no better without its clients.
func (u *unit) serveReady(w http.ResponseWriter, _ *http.Request) {
	reasons, notes := storeReasons(u.store), []string{}
	if u.stopping.Load() {
		reasons = append(reasons, "the unit is stopping")
	}
	if u.condition != nil {
		more, behind := u.condition()
		reasons, notes = append(reasons, more...), append(notes, behind...)
	}
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	answerJSON(w, status, struct {
		Ready   bool     `json:"ready"`
		Reasons []string `json:"reasons"`
		Notes   []string `json:"notes"`
	}{len(reasons) == 0, reasons, notes})
}

// lateAfter is the age from which on something that waits is told.
const lateAfter = time.Minute

// reasons tell what keeps the door shut.
func (o *door) reasons() (reasons []string) {
	if left := o.d.Warmup - o.clock.Now().Sub(o.opened); left > 0 {
		reasons = append(reasons, fmt.Sprintf("warming up: messages are taken in %v", left.Round(time.Second)))
	}
	for _, list := range []interface{ unread() error }{o.ips, o.allow, o.limits} {
		if err := list.unread(); err != nil {
			reasons = append(reasons, err.Error())
		}
	}
	return reasons
}

// unread tells why a list that was never read could not be.
func (l *list[T]) unread() error {
	if l == nil {
		return nil
	}
	_, err := l.get()
	return err
}

// notes tell that no gateway has answered for a while.
func (t *chainTip) notes() []string {
	if since := t.silent.Load(); since != nil {
		if age := time.Since(*since); age > lateAfter {
			return []string{fmt.Sprintf("no gateway has told the newest block for %v: slots are stamped with block %d", age.Round(time.Second), t.height())}
		}
	}
	return nil
}

// notes tell what waits for the bundler. u may be nil.
func (u *uploads) notes() []string {
	if u == nil {
		return nil
	}
	if age := time.Duration(u.oldest() * float64(time.Second)); age > lateAfter {
		return []string{fmt.Sprintf("%d items wait for the bundler at %s, the oldest for %v", u.waiting(), u.to.Bundler, age.Round(time.Second))}
	}
	return nil
}

// late tells what a messenger has not delivered.
func (m *MessengerUnit) late() (notes []string) {
	s := m.pusher.Stats()
	if s.Oldest > lateAfter {
		notes = append(notes, fmt.Sprintf("%d deliveries wait, the oldest for %v: see /tasks?state=pending", s.Pending, s.Oldest.Round(time.Second)))
	}
	if s.Parked > 0 {
		notes = append(notes, fmt.Sprintf("%d deliveries were given up: see /tasks?state=parked", s.Parked))
	}
	if n := m.puller.failing.Load(); n > 0 {
		notes = append(notes, fmt.Sprintf("the results of %d processes could not be had when they were asked for last: scheduler or compute unit fail", n))
	}
	return notes
}

// reach finds out which units behind a router answer, not more often than anybody would notice.
type reach struct {
	urls []string
	path string

	mu   sync.Mutex
	at   time.Time
	down map[string]string // address -> what came instead of an answer
}

const (
	reachEvery = 2 * time.Second
	reachMax   = 2 * time.Second // for an answer
)

// condition has a router ready as long as one unit answers.
func (r *reach) condition() (reasons, notes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down == nil || time.Since(r.at) > reachEvery {
		r.ask()
	}
	for _, u := range r.urls {
		if why, ok := r.down[u]; ok {
			notes = append(notes, u+" does not answer: "+why)
		}
	}
	if len(r.down) == len(r.urls) {
		reasons = []string{"none of the units behind this router answers"}
	}
	return reasons, notes
}

// silent counts those that do not answer.
func (r *reach) silent() float64 {
	r.condition()
	r.mu.Lock()
	defer r.mu.Unlock()
	return float64(len(r.down))
}

// ask asks all at once. Any answer will do: what it says is for those whose request it is. r.mu is held.
func (r *reach) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), reachMax)
	defer cancel()
	r.at, r.down = time.Now(), map[string]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, u := range r.urls {
		wg.Go(func() {
			q, err := http.NewRequestWithContext(ctx, http.MethodGet, u+r.path, nil)
			if err == nil {
				var got *http.Response
				if got, err = unfollowing.Do(q); err == nil {
					got.Body.Close()
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			r.down[u] = err.Error()
		})
	}
	wg.Wait()
}

// unfollowing asks one unit, and no other that it may name.
var unfollowing = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
