// Package budget shares out what a node has a bounded amount of, such as memory, so that no one client holds all of it.
package budget

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"ago/fault"
)

// Budget is an amount that is held together, of which one holder's requests have a share at most. It is safe for concurrent use.
type Budget struct {
	most, share int64

	patience time.Duration // of who grows an account

	mu      sync.Mutex
	used    int64
	by      map[string]int64 // that hold something
	waiting []*waiter        // in the order in which they came
}

// waiter is a request that waits for others to end.
type waiter struct {
	who   string
	n     int64
	given chan struct{} // closed when it has what it waits for
	done  bool
}

// waitersMax bounds how many wait: each holds something meanwhile.
const waitersMax = 1024

// New gives a budget of so many units. One holder gets half of it at most, and one unit at least.
func New(most int64) *Budget {
	return &Budget{most: most, share: max(most/2, 1), by: map[string]int64{}}
}

// Patient has accounts wait for so long when there is no room, and gives the budget back.
func (b *Budget) Patient(d time.Duration) *Budget {
	b.patience = d
	return b
}

// Verdict tells whether something was given, and if not, what was in the way.
type Verdict uint8

// Verdicts.
const (
	Given Verdict = iota
	ShareTaken
	AllTaken
)

// Take gives so many units to a holder, or none.
func (b *Budget) Take(who string, n int64) Verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take(who, n)
}

// take is Take; the lock is held.
func (b *Budget) take(who string, n int64) Verdict {
	switch held := b.by[who]; {
	case held+n > b.share:
		return ShareTaken
	case b.used+n > b.most:
		return AllTaken
	default:
		b.by[who] = held + n
		b.used += n
		return Given
	}
}

// Give takes units back.
func (b *Budget) Give(who string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.by[who] -= n; b.by[who] <= 0 {
		delete(b.by, who)
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool {
		if b.take(w.who, w.n) != Given {
			return false
		}
		w.done = true
		close(w.given)
		return true
	})
}

// wait is Take for who can wait a while, and tells for how long he did. Requests that hold something and wait for each other are refused when that is over, and
// make room for those behind them.
func (b *Budget) wait(who string, n int64, patience time.Duration) (v Verdict, waited time.Duration) {
	b.mu.Lock()
	v = b.take(who, n)
	if v == Given || n > b.share || patience <= 0 || len(b.waiting) >= waitersMax {
		b.mu.Unlock()
		return v, 0
	}
	w := &waiter{who: who, n: n, given: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	began, over := time.Now(), time.NewTimer(patience)
	defer over.Stop()
	select {
	case <-w.given:
		return Given, time.Since(began)
	case <-over.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.done { // at the same time
		return Given, patience
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(o *waiter) bool { return o == w })
	return b.take(who, n), patience
}

// Most is the whole, Share what one holder gets of it.
func (b *Budget) Most() int64  { return b.most }
func (b *Budget) Share() int64 { return b.share }

// Used is what is held at the moment.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Account is the memory that one request holds, in bytes. What it makes is charged before it is made, by what it will take at
// most, and comes back when the request has ended. A nil Account pays for nothing and is never refused. It is safe for concurrent
// use.
type Account struct {
	of  *Budget
	who string

	mu     sync.Mutex
	held   int64
	waited time.Duration // in all: who gets a little each time would wait for ever
	closed bool
}

// small is what a request may hold without being counted: most need no more, and there are as many as there are connections.
const small = 16 << 10

// Open gives the account of a request of a holder.
func (b *Budget) Open(who string) *Account { return &Account{of: b, who: who} }

// Who is the holder; "" is the node itself.
func (a *Account) Who() string {
	if a == nil {
		return ""
	}
	return a.who
}

// Limit is what no request can have: whoever counts what something costs may stop there.
func (a *Account) Limit() int64 {
	if a == nil {
		return math.MaxInt64
	}
	return a.of.share + 1
}

// Grow charges so many bytes more, and waits a while for others to end if there is no room. It fails with TooMany
// ("address-crowded") if the holder's other requests have the rest of its share, with TooLarge ("request-too-costly") if the request
// would have more than that alone, and with Unavailable ("requests-crowded") if all requests together have the whole.
func (a *Account) Grow(n int64) error { return a.grow(n, true) }

// Try is Grow for who can do without, and does not wait.
func (a *Account) Try(n int64) error { return a.grow(n, false) }

func (a *Account) grow(n int64, waits bool) error {
	if a == nil || n <= 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.held+n <= small {
		a.held += n
		return nil
	}
	more := n
	if a.held <= small {
		more += a.held
	}
	if a.held+n > a.of.share {
		return fault.New(fault.TooLarge, "request-too-costly", "the request takes more than the %d bytes of memory that those of one address have here", a.of.share).
			WithHint("ask for less at a time")
	}
	var patience time.Duration
	if waits {
		patience = a.of.patience - a.waited
	}
	verdict, waited := a.of.wait(a.who, more, patience)
	a.waited += waited
	switch verdict {
	case ShareTaken:
		return fault.New(fault.TooMany, "address-crowded", "the requests of your address take %d bytes of memory, which is its share", a.of.share).
			WithHint("send it again when others of yours have been answered").WithRetry(time.Second)
	case AllTaken:
		return fault.New(fault.Unavailable, "requests-crowded", "all requests together take %d bytes of memory, which is what there is for them", a.of.most).
			WithHint("send it again in a moment").WithRetry(time.Second)
	}
	a.held += n
	return nil
}

// Close gives everything back. What is charged afterwards is not counted.
func (a *Account) Close() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed && a.held > small {
		a.of.Give(a.who, a.held)
	}
	a.closed = true
}

// Crowded tells whether an error is about memory that others hold: the same request may succeed a moment later, or from elsewhere.
func Crowded(err error) bool {
	switch fault.CodeOf(err) {
	case "address-crowded", "requests-crowded", "request-too-costly":
		return true
	}
	return false
}

type key struct{}

// With gives a context whose work is charged to an account.
func With(ctx context.Context, a *Account) context.Context { return context.WithValue(ctx, key{}, a) }

// Of gives the account of a context, nil if there is none.
func Of(ctx context.Context) *Account {
	a, _ := ctx.Value(key{}).(*Account)
	return a
}

// Grow is Account.Grow for the account of a context.
func Grow(ctx context.Context, n int64) error { return Of(ctx).Grow(n) }
