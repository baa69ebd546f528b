package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Door says who may hand in what. The zero value lets everybody hand in everything.
type Door struct {
	// MessageMax is the largest item in bytes, 0 any; not for items of these owners, from these processes, or from processes
	// of these owners.
	MessageMax                                     int64
	LargeOwners, LargeFrom, LargeFromProcessOwners []string

	RefusedSenders []string // From-Process values that are refused

	IPsURL       string // JSON list of the addresses that may post; empty lists allow all
	ProcessesURL string // JSON {"processes":{ID:…}}: only these get messages, and no others are made

	Warmup time.Duration // after the start in which nothing is taken

	// WalletLimit is how many items one wallet at one address may post in WalletWindow; 0 any. LimitsURL tells others.
	WalletLimit  int
	WalletWindow time.Duration
	LimitsURL    string

	// PerProcess and PerWallet are how fast messages for one process and from one wallet are taken.
	PerProcess, PerWallet Rate
}

// How often lists are read again, and how large they may be.
const (
	listEvery   = 10 * time.Second
	limitsEvery = 5 * time.Minute
	listBytes   = 32 << 20
	listTimeMax = 20 * time.Second
)

// door is a Door at work.
type door struct {
	d      Door
	clock  clock.Clock
	opened time.Time
	ips    *list[[]string]
	allow  *list[allowedProcesses]
	limits *list[walletLimits]
	counts counts

	byProcess, byWallet *meter
	// owner gives the owner of a process; nil if nobody here knows.
	owner func(ctx context.Context, id message.ID) (string, error)
}

type allowedProcesses struct {
	Processes map[string]json.RawMessage `json:"processes"`
}

// walletLimits are the published form: what addresses get besides the default, which addresses of the network are not limited,
// and by what messages to single processes are divided and lessened.
type walletLimits struct {
	Addresses map[string]float64 `json:"addresses"`
	IPs       map[string]float64 `json:"ips"`
	Processes map[string]struct {
		Divide   float64 `json:"divide"`
		Subtract float64 `json:"subtract"`
	} `json:"processes"`
	Default float64 `json:"default"`
}

// newDoor reads the lists and keeps them fresh until ctx ends.
func newDoor(ctx context.Context, wg *sync.WaitGroup, d Door, c clock.Clock, log *slog.Logger, owner func(context.Context, message.ID) (string, error)) *door {
	o := &door{d: d, clock: c, opened: c.Now(), owner: owner, counts: counts{clock: c, window: d.WalletWindow}}
	o.byProcess, o.byWallet = newMeter(d.PerProcess, c), newMeter(d.PerWallet, c)
	o.ips = newList[[]string](ctx, wg, d.IPsURL, listEvery, log)
	o.allow = newList[allowedProcesses](ctx, wg, d.ProcessesURL, listEvery, log)
	o.limits = newList[walletLimits](ctx, wg, d.LimitsURL, limitsEvery, log)
	return o
}

// admit decides about an item for a process, or an assignment if there is no item.
func (o *door) admit(r *http.Request, p message.ID, it *ans104.Item) error {
	if left := o.d.Warmup - o.clock.Now().Sub(o.opened); left > 0 {
		return fault.New(fault.Unavailable, "warming-up", "Server is warming up. Please try again later.").
			WithHint("send it again in %v", left.Round(time.Second)).WithRetry(left)
	}
	ip := clientIP(r)
	if err := o.admitIP(ip); err != nil {
		return err
	}
	if err := o.admitProcess(p); err != nil {
		return err
	}
	if it == nil {
		return o.handedIn(p, "")
	}
	if from, ok := it.Tag("From-Process"); ok && slices.Contains(o.d.RefusedSenders, from) {
		return fault.New(fault.Denied, "sender-refused", "Invalid From-Process value.").WithHint("this unit takes no messages that say they are from %s", from)
	}
	if err := o.admitSize(r.Context(), it); err != nil {
		return err
	}
	wallet := commitment.AddressOf(it.Owner).String()
	if err := o.admitWallet(ip, p, wallet); err != nil {
		return err
	}
	return o.handedIn(p, wallet)
}

func (o *door) admitIP(ip string) error {
	if o.ips == nil {
		return nil
	}
	ips, err := o.ips.get()
	if err != nil || len(ips) == 0 || slices.Contains(ips, ip) {
		return err
	}
	return fault.New(fault.Denied, "address-refused", "Access denied").WithHint("%s is not among the addresses that may post here", ip)
}

func (o *door) admitProcess(p message.ID) error {
	if o.allow == nil {
		return nil
	}
	a, err := o.allow.get()
	if err != nil {
		return err
	}
	if _, ok := a.Processes[p.String()]; ok {
		return nil
	}
	return fault.New(fault.Denied, "process-refused", "Process %s is not allowed on this SU", p).WithHint("this unit serves chosen processes only")
}

func (o *door) admitSize(ctx context.Context, it *ans104.Item) error {
	if o.d.MessageMax <= 0 || int64(len(it.Raw)) <= o.d.MessageMax {
		return nil
	}
	if slices.Contains(o.d.LargeOwners, commitment.AddressOf(it.Owner).String()) || slices.Contains(o.d.LargeOwners, it.ProcessAddress()) {
		return nil
	}
	if from, ok := it.Tag("From-Process"); ok {
		if slices.Contains(o.d.LargeFrom, from) {
			return nil
		}
		if id, err := message.ParseID(from); err == nil && o.owner != nil && len(o.d.LargeFromProcessOwners) > 0 {
			if owner, err := o.owner(ctx, id); err == nil && slices.Contains(o.d.LargeFromProcessOwners, owner) {
				return nil
			}
		}
	}
	return fault.New(fault.TooLarge, "message-too-large", "the message has %d bytes, %d are allowed", len(it.Raw), o.d.MessageMax).
		WithHint("send large data to a bundler and the id of it in the message")
}

// admitWallet counts what a wallet posts.
func (o *door) admitWallet(ip string, p message.ID, wallet string) error {
	limit := float64(o.d.WalletLimit)
	if o.limits != nil {
		l, err := o.limits.get()
		if err != nil {
			return err
		}
		if l.IPs[ip] > 1 {
			return nil
		}
		if l.Default > 0 || l.Addresses[wallet] > 0 {
			limit = l.Addresses[wallet] + l.Default
		}
		if rule, ok := l.Processes[p.String()]; ok {
			if rule.Divide > 0 {
				limit /= rule.Divide
			}
			limit -= rule.Subtract
		}
	} else if limit <= 0 {
		return nil
	}
	return o.counts.take(ip+" "+wallet, int(limit), "messages of wallet "+wallet)
}

// clientIP is the address of who asks. What a proxy on this machine says about it is believed.
func clientIP(r *http.Request) string {
	host := hostOf(r.RemoteAddr)
	if real := net.ParseIP(r.Header.Get("X-Real-IP")); real != nil {
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
			return real.String()
		}
	}
	return host
}

// counts counts by key in windows of one length.
type counts struct {
	clock  clock.Clock
	window time.Duration

	mu    sync.Mutex
	begun time.Time
	seen  map[string]int
}

// keysMax bounds a window: about 20 MB of keys.
const keysMax = 200_000

// take counts one, and refuses it above the limit.
func (c *counts) take(key string, limit int, what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if c.seen == nil || now.Sub(c.begun) >= c.window {
		c.begun, c.seen = now, map[string]int{}
	}
	n, known := c.seen[key]
	if n >= limit || !known && len(c.seen) >= keysMax {
		left := max(c.window-now.Sub(c.begun), time.Second).Round(time.Second)
		return fault.New(fault.TooMany, "rate-limited", "%d %s are allowed in %v", max(limit, 0), what, c.window).WithHint("try again in %v", left).WithRetry(left)
	}
	c.seen[key] = n + 1
	return nil
}

// limitDryRuns counts dry runs by the address that asks.
func limitDryRuns(h http.Handler, limit int, window time.Duration, c clock.Clock, fail func(http.ResponseWriter, error)) http.Handler {
	if limit <= 0 {
		return h
	}
	n := &counts{clock: c, window: window}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/dry-run" {
			ip := clientIP(r)
			if err := n.take(ip, limit, "dry runs of "+ip); err != nil {
				fail(w, err)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// list is JSON at an address, read again and again. What was read last counts while the address does not answer.
type list[T any] struct {
	url  string
	now  atomic.Pointer[T]
	last atomic.Pointer[error]
}

// newList gives nil for an empty address.
func newList[T any](ctx context.Context, wg *sync.WaitGroup, url string, every time.Duration, log *slog.Logger) *list[T] {
	if url == "" {
		return nil
	}
	l := &list[T]{url: url}
	read := func() {
		v, err := readList[T](ctx, url)
		if err != nil {
			if ctx.Err() == nil {
				log.Warn("a list cannot be read; the last one counts", "url", url, "err", err)
			}
			l.last.Store(&err)
			return
		}
		l.now.Store(&v)
	}
	read()
	wg.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				read()
			}
		}
	})
	return l
}

func (l *list[T]) get() (T, error) {
	if v := l.now.Load(); v != nil {
		return *v, nil
	}
	var none T
	err := fmt.Errorf("it was never read")
	if last := l.last.Load(); last != nil {
		err = *last
	}
	return none, fault.Wrap(err, fault.Unavailable, "list-unreadable", "who may post is not known").(*fault.Error).
		WithHint("the operator of this unit has to make %s answer", l.url)
}

func readList[T any](ctx context.Context, url string) (v T, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeMax)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return v, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return v, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return v, fmt.Errorf("%s answered %s", url, answer.Status)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, listBytes))
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(b, &v)
}
