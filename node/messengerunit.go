package node

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"ago/client"
	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/node/legacy"
	"ago/push"
	"ago/store"
)

// MessengerConfig says what a messenger alone stands on: schedulers, a compute unit and a gateway on other machines.
type MessengerConfig struct {
	UnitConfig
	Gateway string   // processes, and where schedulers answer
	GraphQL []string // whole addresses, asked in order; none: that of Gateway
	SU      string   // the scheduler of all processes; "" finds each by the tags of the process
	Router  string   // scheduler router that is asked before the gateway; "" is none
	CU      string   // results
	Bundler string   // messages for wallets; "" refuses them
	Limits  push.Limits
	Door    Door

	ResultDelay time.Duration // before a result is asked for again, doubled each time; 0: a second
	ResultMax   int           // failures after which a result waits for the next start; 0: never
	TimerEvery  time.Duration // how often the compute unit is asked for ticks of watched processes; 0: 10 s

	Traces      bool              // answer GET /trace and /tasks
	PushRoute   bool              // take POST /push
	CustomCU    map[string]string // process -> compute unit, for POST /push with custom-cu; nil refuses it
	PushesAfter uint64            // height from which on messages may be pushed
}

// MessengerUnit is a running messenger without the other units.
type MessengerUnit struct {
	unit
	follower *follower
	pusher   *push.Pusher
	remote   *remote
	puller   *puller
}

// StartMessenger makes and starts a messenger. It brings messages to schedulers, takes their results from a compute unit, and
// pushes what these send, each exactly once, whatever is killed in between.
func StartMessenger(ctx context.Context, c MessengerConfig) (*MessengerUnit, error) {
	if c.CU == "" || c.Gateway == "" && c.SU == "" {
		return nil, fault.New(fault.Malformed, "units-missing", "a messenger needs a compute unit, and a gateway or a scheduler").
			WithHint("name them with --cu-url, and --gateway-url or --su-url")
	}
	m := &MessengerUnit{}
	if err := m.start(ctx, c); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *MessengerUnit) start(ctx context.Context, c MessengerConfig) error {
	if err := m.open(ctx, c.UnitConfig); err != nil {
		return err
	}
	m.follower = newFollower(&client.Network{Gateway: c.Gateway, SU: c.SU, GraphQL: c.GraphQL}, m.store, false)
	m.remote = &remote{
		f: m.follower, store: m.store, items: m.log, router: c.Router, verify: m.verifier.Verify, flight: map[string]bool{}, log: m.c.Log,
	}
	m.follower.place = m.remote.place
	archive := bundlerArchive{&client.Network{Bundler: c.Bundler}}
	var err error
	m.pusher, err = push.Open(push.Config{
		Store: m.store, Scheduler: remoteTarget{m.remote}, Archive: archive, Key: m.c.Key, Clock: clock.System{}, Verifier: m.verifier,
		Log: m.c.Log, Limits: c.Limits,
	})
	if err != nil {
		return err
	}
	m.puller = &puller{
		store: m.store, f: m.follower, cu: &client.Network{CU: c.CU}, pusher: m.pusher, first: c.ResultDelay, max: c.ResultMax, log: m.c.Log,
		ctx: m.background, wg: &m.wg, places: make(chan struct{}, pullsAtOnce), busy: map[message.ID]bool{},
	}
	if m.puller.first <= 0 {
		m.puller.first = time.Second
	}
	m.remote.pulled = m.puller.wake
	m.parts = append(m.parts, func() error { m.pusher.Close(); return nil })
	door := newDoor(m.background, &m.wg, c.Door, clock.System{}, m.c.Log, m.owner)
	monitors := &polled{
		store: m.store, f: m.follower, cu: m.puller.cu, pusher: m.pusher, every: cmp.Or(c.TimerEvery, polledEvery), log: m.c.Log, wake: make(chan struct{}, 1),
	}
	crowd := newCrowd(clock.System{}, crowdShare, m.pace) // whether there is such a process only a scheduler could tell
	face := &legacy.MU{Turn: crowd.pass, Scheduler: posted{m.remote}, Archive: archive, Monitors: monitors, Verifier: m.verifier, Admit: door.admit}
	m.metrics.registry.MustRegister(m.pusher)
	m.metrics.counter("ao_mu_results_total", "Results that were taken from the compute unit.", func() float64 { return float64(m.puller.taken.Load()) })
	m.metrics.counter("ao_mu_result_failures_total", "Times that a result could not be had.", func() float64 { return float64(m.puller.failed.Load()) })
	m.metrics.gauge("ao_mu_results_waiting", "Results that are being waited for.", func() float64 { return float64(m.puller.waiting.Load()) })
	m.condition = func() (reasons, notes []string) { return door.reasons(), m.late() }
	if m.url, err = m.listen("mu", m.c.Port, m.routes(c, face.Handler())); err != nil {
		return err
	}
	if err := m.pusher.Start(); err != nil {
		return err
	}
	if err := m.puller.start(); err != nil {
		return err
	}
	m.wg.Go(func() { m.remote.resend(m.background) })
	m.wg.Go(func() { monitors.run(m.background) })
	m.serve()
	return nil
}

func (m *MessengerUnit) owner(ctx context.Context, id message.ID) (string, error) {
	d, err := m.remote.Process(ctx, id)
	return d.Owner, err
}

// routes adds what a messenger tells of its deliveries.
func (m *MessengerUnit) routes(c MessengerConfig, face http.Handler) http.Handler {
	mux := http.NewServeMux()
	if c.Traces {
		t := taskRoutes{m.pusher, func(t push.Trace) any { return t }}
		mux.HandleFunc("GET /trace/{id}", t.serveTrace)
		mux.HandleFunc("GET /tasks", t.serveTasks)
		mux.HandleFunc("POST /tasks/{key}/retry", t.serveRetry)
	}
	if c.PushRoute {
		mux.HandleFunc("POST /push/{id}/{number}", func(w http.ResponseWriter, r *http.Request) { m.servePush(w, r, c) })
	}
	mux.Handle("/", face)
	return mux
}

// servePush has the result of a message pushed that was not posted here.
func (m *MessengerUnit) servePush(w http.ResponseWriter, r *http.Request, c MessengerConfig) {
	id, err := m.push(r, c)
	if err != nil {
		legacy.Fail(w, err)
		return
	}
	answerJSON(w, http.StatusAccepted, map[string]string{"message": "Processing Message Result", "id": id.String()})
}

func (m *MessengerUnit) push(r *http.Request, c MessengerConfig) (message.ID, error) {
	id, err := message.ParseID(r.PathValue("id"))
	if err != nil {
		return id, fault.Wrap(err, fault.Malformed, "id-malformed", "message")
	}
	if _, err := strconv.ParseUint(r.PathValue("number"), 10, 32); err != nil {
		return id, fault.New(fault.Malformed, "number-malformed", "'number': %q is no whole number", r.PathValue("number")).
			WithHint("POST /push/MESSAGE/0?process-id=PROCESS")
	}
	q := r.URL.Query()
	p, err := message.ParseID(q.Get("process-id"))
	if err != nil {
		return id, fault.Wrap(err, fault.Malformed, "query-missing", "process-id")
	}
	value := append([]byte(nil), id[:]...)
	if q.Has("custom-cu") {
		url := c.CustomCU[p.String()]
		if url == "" {
			return id, fault.New(fault.Denied, "custom-cu-refused", "no compute unit of its own is named for process %s here", p).
				WithHint("leave custom-cu out; the operator names such units in --custom-cu-file")
		}
		value = append(value, url...)
	}
	f, err := m.follower.process(r.Context(), p)
	if err != nil {
		return id, unknownProcess(err)
	}
	edge, err := edgeOf(r.Context(), f.su, p, id)
	if err != nil {
		return id, err
	}
	s, err := edge.Read()
	if err != nil {
		return id, err
	}
	if s.BlockHeight < c.PushesAfter {
		return id, fault.New(fault.Denied, "message-too-old", "the message is of block %d; from block %d on they are pushed", s.BlockHeight, c.PushesAfter)
	}
	var b store.Batch
	b.Set(pullKey(p, s.Slot), value)
	if err := m.store.Apply(&b, true); err != nil {
		return id, err
	}
	m.puller.wake(p)
	return id, nil
}

// Authority is the address that processes have to trust for what this messenger pushes.
func (m *MessengerUnit) Authority() string { return m.c.Key.ProcessAddress() }
