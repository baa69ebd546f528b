package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ago/client"
	"ago/clock"
	"ago/commitment"
	"ago/compute"
	"ago/drive"
	"ago/fault"
	"ago/node/legacy"
	"ago/store"
	"ago/vm"
)

// EvaluatorConfig says what a compute unit alone stands on: another network's gateway and schedulers.
type EvaluatorConfig struct {
	Addresses Rate            // of requests from one address of the network
	Bodies    int64           // bytes of the bodies of requests that are in memory at a time; 0 is 1 GiB
	Dir       string          // folder of results and checkpoints; "" keeps them in memory
	Database  Database        // instead of the folder
	CacheDir  string          // folder of compiled modules
	Host      string          // to listen on; "" is loopback
	Port      int             // 0 is a free one
	Gateway   string          // data by id and GraphQL
	SU        string          // the scheduler of all processes; "" finds each by the tags of the process
	Address   string          // wallet address the unit names as its own
	Key       *commitment.Key // signs published checkpoints; may be nil without any

	Checkpoints Checkpoints // in forms that other units can use

	Limits      ComputeLimits
	GraphQL     []string      // whole addresses, asked in order; none: that of Gateway
	ReadOnly    bool          // answer dry runs only
	Busy        time.Duration // after which a result under evaluation answers 202; 0: never
	Patience    time.Duration // how long a process may take to be known by the gateway; 0: it has to be
	PageSize    int           // messages asked from a scheduler at once; 0: the default of client
	HeadAge     time.Duration // how long the known end of a log counts; 0: 100 ms, negative: not at all
	ModuleCache int           // modules whose bytes are kept in memory; 0: 8
	NoMetrics   bool          // do not serve /metrics

	VerifySignatures bool // of every message and assignment, besides the hash chain
	LiveMax          int64
	Profiling        bool // see Config
	Log              *slog.Logger
}

// Evaluator is a running compute unit in front of another network.
type Evaluator struct {
	store    store.Store
	engine   vm.Engine
	computer *compute.Computer
	server   *server
	url      string
	failed   chan error
	stop     context.CancelFunc
	wg       sync.WaitGroup
	closed   sync.Once
	closeErr error
}

// StartEvaluator makes and starts a compute unit.
func StartEvaluator(c EvaluatorConfig) (*Evaluator, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Gateway == "" {
		return nil, fault.New(fault.Malformed, "gateway-missing", "a compute unit needs a gateway to read processes and modules from").
			WithHint("name it with --gateway-url")
	}
	e := &Evaluator{failed: make(chan error, 1)}
	if err := e.start(c); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Evaluator) start(c EvaluatorConfig) error {
	d, err := openData(context.Background(), c.Dir, c.Database, c.Log)
	e.store = d.store
	if err != nil {
		return err
	}
	if e.engine, err = OpenEngine(c.CacheDir); err != nil {
		return err
	}
	network := &client.Network{Gateway: c.Gateway, SU: c.SU, GraphQL: c.GraphQL, Page: c.PageSize, Anchors: c.VerifySignatures}
	f := newFollower(network, e.store, c.VerifySignatures)
	f.patience = c.Patience
	f.headAge, f.programs = cmp.Or(c.HeadAge, f.headAge), cmp.Or(c.ModuleCache, f.programs)
	chain, err := newFarWeave(network, d.store, d.blobs)
	if err != nil {
		return err
	}
	cc := compute.Config{
		Store: e.store, Blobs: d.blobs, Engine: e.engine, Schedule: delegated{f}, Timeline: f, Modules: f, Drives: drive.Drives{Archive: chain}, Clock: clock.System{}, LiveMax: c.LiveMax,
		Foreign: true, Logger: c.Log,
	}
	if c.Checkpoints.Gateway == "" {
		c.Checkpoints.Gateway = c.Gateway
	}
	c.Checkpoints.apply(&cc, c.Key)
	if err := c.Limits.apply(&cc); err != nil {
		return err
	}
	if e.computer, err = compute.Open(cc); err != nil {
		return err
	}
	var background context.Context
	background, e.stop = context.WithCancel(context.Background())
	e.wg.Go(func() { c.Checkpoints.keep(background, e.computer, c.Log) })
	metrics := newMetrics()
	computed(metrics, e.computer)
	face := &legacy.CU{Computer: e.computer, Places: f, Clock: clock.System{}, Address: c.Address, Busy: c.Busy}
	mux := http.NewServeMux()
	if !c.NoMetrics {
		mux.Handle("GET /metrics", metrics.handler())
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]bool{"alive": true})
	})
	ready := func(w http.ResponseWriter, _ *http.Request) {
		reasons := storeReasons(e.store)
		if background.Err() != nil {
			reasons = append(reasons, "the unit is stopping")
		}
		answerReady(w, reasons, e.computer, nil)
	}
	mux.HandleFunc("GET /ready", ready)
	mux.HandleFunc("GET /readyz", ready)
	if c.Profiling {
		profiles(mux)
	}
	answers := c.Limits.face(face.Handler(), clock.System{})
	if c.ReadOnly {
		answers = readOnly(answers)
	}
	mux.Handle("/", answers)
	host := c.Host
	if host == "" {
		host = "127.0.0.1"
	}
	limits := unitLimits(c.Bodies, metrics)
	if e.server, err = listen("cu", host, c.Port, guard("cu", limitAddresses(askers(mux, newAskers(clock.System{}, newPace(clock.System{}, cores(), cpuTime))), newMeter(c.Addresses, clock.System{})), limits, metrics, c.Log), limits, c.Log); err != nil {
		var f *fault.Error
		if errors.As(err, &f) && f.Code == "port-taken" {
			f.Hint = "stop the other program, or choose another port with --port"
		}
		return err
	}
	e.url = "http://" + net.JoinHostPort(host, strconv.Itoa(e.server.port()))
	e.wg.Go(func() {
		if err := e.server.serve(); err != nil {
			e.failed <- err
		}
	})
	return nil
}

// URL is where the unit answers.
func (e *Evaluator) URL() string { return e.url }

// Failed delivers when the unit stops answering by itself.
func (e *Evaluator) Failed() <-chan error { return e.failed }

// Checkpoint writes snapshots of all live processes.
func (e *Evaluator) Checkpoint(ctx context.Context) error { return e.computer.Checkpoint(ctx) }

// Close stops answering, writes checkpoints and closes the store.
func (e *Evaluator) Close() error {
	e.closed.Do(func() {
		if e.stop != nil {
			e.stop()
		}
		if e.server != nil {
			drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
			defer cancel()
			e.server.stop(drain)
			e.wg.Wait()
		}
		var errs []error
		if e.computer != nil {
			errs = append(errs, e.computer.Close())
		}
		if e.engine != nil {
			errs = append(errs, e.engine.Close())
		}
		if e.store != nil {
			errs = append(errs, e.store.Close())
		}
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}
