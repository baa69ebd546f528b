package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"ago/budget"
	"ago/clock"
	"ago/commitment"
	"ago/fault"
	"ago/store"
)

// UnitConfig is what every unit that runs alone has.
type UnitConfig struct {
	Dir       string          // folder of the data; "" keeps everything in memory
	Database  Database        // instead of the folder
	Host      string          // to listen on; "" is loopback
	Name      string          // host in the address told to others; "" is Host if that is one address, else loopback
	Port      int             // 0 is a free one
	Addresses Rate            // of requests from one address of the network
	Bodies    int64           // bytes of the bodies of requests that are in memory at a time; 0 is 1 GiB
	Key       *commitment.Key // the unit signs with; nil: the one in Dir, made on first use

	Metrics   bool // serve /metrics
	Profiling bool // serve profiles of the Go runtime under /debug/pprof/
	Log       *slog.Logger
}

// unit is what units that run alone have in common: a store, a key, and an address.
type unit struct {
	c        UnitConfig
	store    store.Store
	blobs    store.Blobs
	log      itemLog
	verifier *commitment.Verifier
	metrics  *Metrics
	pace     *pace

	// condition tells why the unit is not ready, and what else is not as it should be though it is; nil: nothing.
	condition func() (reasons, notes []string)
	stopping  atomic.Bool

	limits     limits
	servers    []*server
	url        string
	failed     chan error
	background context.Context
	stop       context.CancelFunc
	wg         sync.WaitGroup
	parts      []func() error // closed in the opposite order
	closed     sync.Once
	closeErr   error
}

// open makes the store and the key.
func (u *unit) open(ctx context.Context, c UnitConfig) error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	u.c, u.metrics, u.verifier, u.failed = c, newMetrics(), commitment.NewVerifier(verifiedMax), make(chan error, 2)
	u.pace = newPace(clock.System{}, cores(), cpuTime)
	u.background, u.stop = context.WithCancel(context.Background())
	d, err := openData(ctx, c.Dir, c.Database, c.Log)
	u.store, u.blobs, u.log = d.store, d.blobs, d.log
	if err != nil {
		return err
	}
	if u.c.Key == nil {
		u.c.Key, err = OpenKey(c.Dir)
	}
	return err
}

// unitLimits are those of a unit that runs alone.
func unitLimits(bodies int64, m *Metrics) limits {
	out := usualLimits
	r := Requests{Bodies: bodies}.orDefault()
	out.bodies, out.memory = budget.New(r.Bodies), budget.New(r.Memory).Patient(r.patience)
	m.gauge("ao_bodies_bytes", "Bodies of requests in memory, in bytes.", func() float64 { return float64(out.bodies.Used()) })
	return out
}

func (u *unit) host() string {
	if u.c.Host != "" {
		return u.c.Host
	}
	return "127.0.0.1"
}

// listen opens an address of the unit, which answers once serve is called.
func (u *unit) listen(face string, port int, h http.Handler) (string, error) {
	mux := http.NewServeMux()
	if u.c.Metrics {
		mux.Handle("GET /metrics", u.metrics.handler())
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]bool{"alive": true})
	})
	mux.HandleFunc("GET /ready", u.serveReady)
	mux.HandleFunc("GET /readyz", u.serveReady)
	if u.c.Profiling {
		profiles(mux)
	}
	mux.Handle("/", h)
	host := u.host()
	if u.limits.bodies == nil { // of both addresses, if the unit has two
		u.limits = unitLimits(u.c.Bodies, u.metrics)
	}
	s, err := listen(face, host, port, guard(face, limitAddresses(askers(mux, newAskers(clock.System{}, u.pace)), newMeter(u.c.Addresses, clock.System{})), u.limits, u.metrics, u.c.Log), u.limits, u.c.Log)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) && f.Code == "port-taken" {
			f.Hint = "stop the other program, or choose another port with --port"
		}
		return "", err
	}
	u.servers = append(u.servers, s)
	name := u.c.Name
	if name == "" {
		name = host
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			name = "127.0.0.1"
		}
	}
	return "http://" + net.JoinHostPort(name, strconv.Itoa(s.port())), nil
}

// serve answers at the addresses that listen opened.
func (u *unit) serve() {
	for _, s := range u.servers {
		u.wg.Go(func() {
			if err := s.serve(); err != nil {
				u.failed <- err
			}
		})
	}
}

// URL is where the unit answers.
func (u *unit) URL() string { return u.url }

// Address is that of the key the unit signs with.
func (u *unit) Address() string { return u.c.Key.Address().String() }

// Failed delivers when the unit stops answering by itself.
func (u *unit) Failed() <-chan error { return u.failed }

// Close stops taking requests, finishes what is under way and closes the store. What is not done then is done after the next
// start.
func (u *unit) Close() error {
	u.closed.Do(func() {
		u.stopping.Store(true)
		drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		for _, s := range u.servers {
			s.stop(drain)
		}
		if u.stop != nil {
			u.stop()
		}
		var errs []error
		for i := len(u.parts) - 1; i >= 0; i-- {
			errs = append(errs, u.parts[i]())
		}
		u.wg.Wait()
		if u.log != nil {
			errs = append(errs, u.log.Close())
		}
		if u.store != nil {
			errs = append(errs, u.store.Close())
		}
		u.closeErr = errors.Join(errs...)
	})
	return u.closeErr
}
