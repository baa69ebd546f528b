package node

import (
	"net"
	"net/http"
	"sync"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/node/legacy"
)

// Rate is how fast something may come: PerSecond in the long run, Burst at once. Without PerSecond it is not limited.
type Rate struct {
	PerSecond float64
	Burst     int // 0: what comes in ten seconds
}

// burstSeconds is how much may come at once unless it is said.
const burstSeconds = 10

func (r Rate) burst() float64 {
	if r.Burst > 0 {
		return float64(r.Burst)
	}
	return max(r.PerSecond*burstSeconds, 1)
}

// meter holds each key to a rate. Its memory is bounded: a key that was not seen for as long as its burst takes to come back
// is as good as a new one and is forgotten; while there are too many keys, those that are new share one allowance.
type meter struct {
	rate  Rate
	clock clock.Clock
	most  int // keys

	mu       sync.Mutex
	turned   time.Time
	now, old map[string]time.Time // key -> when all that was taken will have come back
}

// newMeter gives nil for a rate that is no limit; nil takes everything.
func newMeter(r Rate, c clock.Clock) *meter {
	if r.PerSecond <= 0 {
		return nil
	}
	return &meter{rate: r, clock: c, most: keysMax, turned: c.Now(), now: map[string]time.Time{}}
}

// each is the time that one costs, whole that of a burst.
func (m *meter) each() time.Duration  { return time.Duration(float64(time.Second) / m.rate.PerSecond) }
func (m *meter) whole() time.Duration { return time.Duration(m.rate.burst() * float64(m.each())) }

// take counts one of a key, unless that is too fast: then it tells after which time it is not.
func (m *meter) take(key string) (wait time.Duration) {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	if now.Sub(m.turned) >= m.whole() {
		m.old, m.now, m.turned = m.now, map[string]time.Time{}, now
	}
	full, known := m.now[key]
	if !known {
		if full, known = m.old[key]; !known && len(m.now) >= m.most {
			key = ""
			full = m.now[key]
		}
	}
	if full.Before(now) {
		full = now
	}
	full = full.Add(m.each())
	if over := full.Sub(now) - m.whole(); over > 0 {
		return over
	}
	m.now[key] = full
	return 0
}

// refusal tells that something comes too fast.
func (m *meter) refusal(code, whose string, wait time.Duration) error {
	return fault.New(fault.TooMany, code, "%g a second are taken %s, and %g at once", m.rate.PerSecond, whose, m.rate.burst()).
		WithHint("send it again in %v; others are served meanwhile", wait.Round(time.Millisecond)).WithRetry(wait)
}

// handedIn counts a message for a process by a wallet, "" if it is nobody's.
func (o *door) handedIn(p message.ID, wallet string) error {
	if wallet != "" {
		if wait := o.byWallet.take(wallet); wait > 0 {
			return o.byWallet.refusal("wallet-rate-limited", "from wallet "+wallet, wait)
		}
	}
	if wait := o.byProcess.take(p.String()); wait > 0 {
		return o.byProcess.refusal("process-rate-limited", "for process "+p.String(), wait)
	}
	return nil
}

// limitAddresses holds the clients of a face to a rate by the address of the network they come from. Who asks whether the unit
// is alive is not counted.
func limitAddresses(h http.Handler, m *meter) http.Handler {
	if m == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/ready", "/metrics":
			h.ServeHTTP(w, r)
			return
		}
		from := networkOf(clientIP(r))
		if wait := m.take(from); wait > 0 {
			legacy.Fail(w, m.refusal("address-rate-limited", "from "+from, wait))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// networkOf is what one client is known by: its address, or the first half of it if that is of version 6, since who has one of
// these has all that begin alike.
func networkOf(ip string) string {
	a := net.ParseIP(ip)
	if a == nil || a.To4() != nil {
		return ip
	}
	return a.Mask(net.CIDRMask(64, 128)).String() + "/64"
}
