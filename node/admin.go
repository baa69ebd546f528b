package node

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"ago/clock"
	"ago/compute"
	"ago/fault"
	"ago/gateway"
	"ago/message"
	"ago/node/legacy"
	"ago/process"
	"ago/push"
	"ago/vm"
)

// admin serves what is the node's own: who it is, how it does, where messages are, and its clock.
// Everything else is for AO-Core.
func (n *Node) admin(core http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", n.serveRoot)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]bool{"alive": true})
	})
	mux.HandleFunc("GET /readyz", n.serveReady)
	mux.HandleFunc("GET /ready", n.serveReady)
	mux.Handle("GET /metrics", n.metrics.handler())
	tasks := taskRoutes{n.pusher, n.traced}
	if !n.c.NoTraces {
		mux.HandleFunc("GET /trace/{id}", tasks.serveTrace)
	}
	mux.HandleFunc("GET /tasks", tasks.serveTasks)
	mux.HandleFunc("POST /tasks/{key}/retry", tasks.serveRetry)
	mux.HandleFunc("GET /following", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string][]Following{"following": n.Following()})
	})
	mux.HandleFunc("GET /monitors", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string][]message.ID{"monitors": n.monitors.All()})
	})
	mux.HandleFunc("GET /clock", n.serveClock)
	mux.HandleFunc("POST /clock", n.moveClock)
	if n.c.Profiling {
		profiles(mux)
	}
	mux.Handle("/", core)
	return mux
}

// profiles serves the profiles of the Go runtime. They tell about the machine, so they are off unless asked for.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		legacy.Fail(w, fault.Wrap(err, fault.Internal, "answer-unwritable", "the answer cannot be written as JSON"))
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}

func (n *Node) serveRoot(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, struct {
		Name string `json:"name"`
		Addresses
		KeyType string `json:"keyType"`
	}{"ago", n.addresses, n.c.Key.Type().String()})
}

// serveReady tells whether the node does all it should, and if not why.
func (n *Node) serveReady(w http.ResponseWriter, _ *http.Request) {
	reasons := []string{}
	if n.stopping.Load() {
		reasons = append(reasons, "the node is stopping")
	} else if !n.ready.Load() {
		reasons = append(reasons, "the node is starting")
	}
	answerReady(w, append(reasons, storeReasons(n.store)...), n.computer, n.uploads)
}

// behindMax is how many processes an answer about readiness names.
const behindMax = 20

// answerReady tells what is behind. A process that is behind does not make a unit unready: the others are served. up may be nil.
func answerReady(w http.ResponseWriter, reasons []string, u *compute.Computer, up *uploads) {
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	furthest, processes := u.Behind(behindMax)
	a := struct {
		Ready     bool             `json:"ready"`
		Reasons   []string         `json:"reasons"`
		Behind    uint64           `json:"slotsBehind"`
		Processes int              `json:"processesBehind"`
		Furthest  []compute.Behind `json:"behind"`
		// evaluations that take long; the others go on beside them
		Slow    []compute.Slow `json:"slowEvaluations"`
		Uploads *int           `json:"uploadsWaiting,omitempty"`
	}{len(reasons) == 0, reasons, u.Stats().Behind, processes, furthest, u.Slow(), nil}
	if up != nil {
		n := up.waiting()
		a.Uploads = &n
	}
	answerJSON(w, status, a)
}

// taskRoutes tell of deliveries.
type taskRoutes struct {
	pusher *push.Pusher
	traced func(push.Trace) any // adds what else is known
}

func (n taskRoutes) serveTrace(w http.ResponseWriter, r *http.Request) {
	id, err := message.ParseID(r.PathValue("id"))
	if err != nil {
		legacy.Fail(w, fault.Wrap(err, fault.Malformed, "id-malformed", "message"))
		return
	}
	trace, err := n.pusher.Trace(r.Context(), id)
	if err != nil {
		legacy.Fail(w, err)
		return
	}
	answerJSON(w, http.StatusOK, n.traced(trace))
}

// hop is a hop of a trace with what the compute unit knows of it. Times are in ms of the node's clock.
type hop struct {
	push.Hop
	Scheduled int64 `json:"scheduled,omitempty"` // time of its slot, once that is evaluated
	Evaluated int64 `json:"evaluated,omitempty"` // when its result was there
	Failed    bool  `json:"failed,omitempty"`    // the result is an error
}

func (n *Node) traced(t push.Trace) any {
	// The results that are there are wanted, none is waited for.
	now, cancel := context.WithCancel(context.Background())
	cancel()
	hops := make([]hop, len(t.Hops))
	for i, h := range t.Hops {
		hops[i].Hop = h
		if h.Slot == nil || h.Process.IsZero() {
			continue
		}
		if e, err := n.computer.At(now, h.Process, *h.Slot); err == nil {
			hops[i].Scheduled, hops[i].Evaluated, hops[i].Failed = e.Timestamp, e.EvaluatedAt, e.Failed
		}
	}
	return struct {
		Hops  []hop `json:"hops"`
		Whole bool  `json:"whole"`
	}{hops, t.Whole}
}

func (n taskRoutes) serveTasks(w http.ResponseWriter, r *http.Request) {
	filter, err := tasksFilter(r)
	if err != nil {
		legacy.Fail(w, err)
		return
	}
	page, err := n.pusher.Tasks(r.Context(), filter)
	if err != nil {
		legacy.Fail(w, err)
		return
	}
	if page.Tasks == nil {
		page.Tasks = []push.Task{}
	}
	answerJSON(w, http.StatusOK, struct {
		Tasks []push.Task `json:"tasks"`
		Next  *push.Key   `json:"next,omitempty"`
	}{page.Tasks, page.Next})
}

func tasksFilter(r *http.Request) (push.Filter, error) {
	var f push.Filter
	var err error
	q := r.URL.Query()
	if s := q.Get("state"); s != "" {
		if f.State, err = push.ParseState(s); err != nil {
			return f, err
		}
	}
	if s := q.Get("process"); s != "" {
		if f.Process, err = message.ParseID(s); err != nil {
			return f, fault.Wrap(err, fault.Malformed, "id-malformed", "process")
		}
	}
	if s := q.Get("after"); s != "" {
		k, err := push.ParseKey(s)
		if err != nil {
			return f, err
		}
		f.After = &k
	}
	if s := q.Get("limit"); s != "" {
		if f.Limit, err = strconv.Atoi(s); err != nil || f.Limit < 1 {
			return f, fault.New(fault.Malformed, "query-malformed", "limit is a whole number from 1, not %q", s)
		}
	}
	return f, nil
}

func (n taskRoutes) serveRetry(w http.ResponseWriter, r *http.Request) {
	key, err := push.ParseKey(r.PathValue("key"))
	if err == nil {
		err = n.pusher.Retry(r.Context(), key)
	}
	if err != nil {
		legacy.Fail(w, err)
		return
	}
	answerJSON(w, http.StatusAccepted, map[string]push.Key{"retried": key})
}

// clockState is the node's clock as it is told and moved over HTTP.
type clockState struct {
	Now    int64  `json:"now"` // ms
	Height uint64 `json:"height"`
	Paused bool   `json:"paused"`
}

func (n *Node) clockState() clockState {
	s := clockState{Now: n.c.Clock.Now().UnixMilli(), Height: n.gateway.Blocks().Height()}
	if c, ok := n.c.Clock.(*clock.Adjustable); ok {
		s.Paused = c.Paused()
	}
	return s
}

func (n *Node) serveClock(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, n.clockState())
}

func (n *Node) moveClock(w http.ResponseWriter, r *http.Request) {
	if err := gateway.ForeignPage(r); err != nil {
		legacy.Fail(w, err)
		return
	}
	c, ok := n.c.Clock.(*clock.Adjustable)
	if !ok {
		legacy.Fail(w, fault.New(fault.Denied, "clock-fixed", "the clock of this node cannot be moved").WithHint("`ago dev` has one that can"))
		return
	}
	if err := move(c, n.Mine, r.Body); err != nil {
		legacy.Fail(w, err)
		return
	}
	answerJSON(w, http.StatusOK, n.clockState())
}

const (
	clockBytes = 4096                      // of a command to the clock
	advanceMax = 10 * 365 * 24 * time.Hour // at once: further is a slip, and there is no way back
)

// move reads {"pause":true}, {"resume":true}, {"advance":"1h"} or {"mine":1}; what is in one command is done in the order
// pause, advance, mine, resume.
func move(c *clock.Adjustable, mine func(blocks uint64) error, body io.Reader) error {
	bad := func(format string, args ...any) error {
		return fault.New(fault.Malformed, "clock-malformed", format, args...).
			WithHint(`send {"pause":true}, {"resume":true}, {"advance":"1h30m"} or {"mine":1}`)
	}
	var want struct {
		Pause   bool   `json:"pause"`
		Resume  bool   `json:"resume"`
		Advance string `json:"advance"`
		Mine    uint64 `json:"mine"`
	}
	raw, err := io.ReadAll(io.LimitReader(body, clockBytes+1))
	switch {
	case err != nil:
		return bad("the body ended before it was complete: %v", err)
	case len(raw) == 0:
		return bad("the body is empty")
	case len(raw) > clockBytes:
		return bad("the body is longer than any command")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		return bad("the body is not one of the known commands: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return bad("the body goes on after the command")
	}
	if want.Pause && want.Resume || !want.Pause && !want.Resume && want.Advance == "" && want.Mine == 0 {
		return bad("the body says nothing that can be done")
	}
	var by time.Duration
	if want.Advance != "" {
		if by, err = time.ParseDuration(want.Advance); err != nil || by <= 0 {
			return bad("%q is no time to advance by: time only goes forward", want.Advance)
		}
		if by > advanceMax {
			return bad("%q is more than 10 years at once", want.Advance)
		}
	}
	if want.Pause {
		c.Pause()
	}
	if by > 0 {
		c.Advance(by)
	}
	if want.Mine > 0 {
		if err := mine(want.Mine); err != nil {
			return err
		}
	}
	if want.Resume {
		c.Resume()
	}
	return nil
}

// observe registers the numbers of the units.
func (n *Node) observe() {
	m := n.metrics
	m.registry.MustRegister(n.pusher)
	computed(m, n.computer)
	m.counter("ao_su_appends_total", "Durable appends to the log, each of one or more slots of a process.", func() float64 { return float64(n.appended.Load()) })
	m.gauge("ao_mu_monitors", "Processes whose timers are watched.", func() float64 { return float64(n.monitors.Count()) })
	m.gauge("ao_gateway_height_blocks", "Height of the newest block.", func() float64 { return float64(n.gateway.Blocks().Height()) })
}

// computed registers the numbers of a compute unit.
func computed(m *Metrics, u *compute.Computer) {
	stats := func(pick func(s compute.Stats) float64) func() float64 {
		return func() float64 { return pick(u.Stats()) }
	}
	m.counter("ao_cu_evaluations_total", "Messages evaluated.", stats(func(s compute.Stats) float64 { return float64(s.Evaluated) }))
	m.counter("ao_cu_failed_evaluations_total", "Messages whose evaluation ended in an error.", stats(func(s compute.Stats) float64 { return float64(s.Failed) }))
	m.counter("ao_cu_dry_runs_total", "Dry runs answered.", stats(func(s compute.Stats) float64 { return float64(s.DryRuns) }))
	m.counter("ao_cu_restored_processes_total", "Cold starts: processes brought back from a checkpoint or from the beginning.", stats(func(s compute.Stats) float64 { return float64(s.Restored) }))
	m.counter("ao_cu_evicted_processes_total", "Live processes dropped from memory.", stats(func(s compute.Stats) float64 { return float64(s.Evicted) }))
	m.gauge("ao_cu_workers", "Evaluations that may be under way at a time, slow ones apart.", stats(func(s compute.Stats) float64 { return float64(s.Workers) }))
	m.gauge("ao_cu_evaluating", "Evaluations under way, slow ones among them.", stats(func(s compute.Stats) float64 { return float64(s.Evaluating) }))
	m.gauge("ao_cu_dry_run_places", "Dry runs that may be under way at a time.", stats(func(s compute.Stats) float64 { return float64(s.DryRunPlaces) }))
	m.gauge("ao_cu_dry_runs_running", "Dry runs under way.", stats(func(s compute.Stats) float64 { return float64(s.DryRunning) }))
	m.gauge("ao_cu_dry_runs_waiting", "Dry runs that wait for a place.", stats(func(s compute.Stats) float64 { return float64(s.DryRunsWaiting) }))
	m.gauge("ao_cu_live_processes", "Processes with an instance in memory.", stats(func(s compute.Stats) float64 { return float64(s.Live) }))
	m.gauge("ao_cu_live_bytes", "Memory held by live processes.", stats(func(s compute.Stats) float64 { return float64(s.Resident) }))
	m.gauge("ao_cu_behind_slots", "Slots scheduled and not yet evaluated.", stats(func(s compute.Stats) float64 { return float64(s.Behind) }))
	m.counter("ao_cu_checkpoints_total", "Checkpoints that were begun.", stats(func(s compute.Stats) float64 { return float64(s.Holds) }))
	m.counter("ao_cu_checkpoint_hold_seconds_total", "Time that beginning checkpoints held up the evaluation of their processes.", stats(func(s compute.Stats) float64 { return s.HeldTotal.Seconds() }))
	m.gauge("ao_cu_checkpoint_hold_max_seconds", "Longest time that writing a checkpoint held up the evaluation of its process.", stats(func(s compute.Stats) float64 { return s.HeldMax.Seconds() }))
}

func moduleOf(m process.Module, data []byte) vm.Module {
	return vm.Module{ID: m.ID.String(), Format: m.Format, Bytes: data}
}
