package legacy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"ago/clock"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/schedule"
	"ago/slotlog"
)

// Places tells where messages are scheduled, for results asked for with another process, or before their message has a slot.
type Places interface {
	Process(ctx context.Context, id message.ID) (process.Definition, error)
	Where(ctx context.Context, id message.ID) ([]schedule.Place, error)
}

// CU is the compute unit's address: results, dry runs, states.
type CU struct {
	Computer Computer
	Places   Places
	Clock    clock.Clock
	Address  string        // of the node's wallet
	Patience time.Duration // how long a result waits for a message that has no slot yet
	Busy     time.Duration // how long a result waits for its evaluation before it answers 202; 0: as long as it takes
}

const (
	resultsDefault = 25     // edges of /results nobody gave a limit for
	resultsMax     = 10_000 // edges of one answer, so that a page fits in memory; clients ask for 1000
	cronDefault    = 500
	cronMax        = 1000
	assignedPoll   = 20 * time.Millisecond
)

// Handler serves the routes.
func (c *CU) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.root)
	mux.HandleFunc("GET /result/{id}", c.result)
	mux.HandleFunc("POST /result/{slot}", c.resultAt)
	mux.HandleFunc("GET /results/{id}", c.results)
	mux.HandleFunc("GET /cron/{id}", c.cron)
	mux.HandleFunc("GET /state/{id}", c.state)
	mux.HandleFunc("POST /dry-run", c.dryRun)
	mux.HandleFunc("/", noRoute)
	return mux
}

func (c *CU) root(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, fmt.Appendf(nil, `{"address":%q,"timestamp":%d}`, c.Address, c.Clock.Now().UnixMilli()))
}

// result answers the stored bytes of a result, waiting for the evaluation if it is still to come.
func (c *CU) result(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r, "id")
	if err != nil {
		Fail(w, err)
		return
	}
	p, err := queryID(r, "process-id")
	if err != nil {
		Fail(w, err)
		return
	}
	ctx := r.Context()
	if c.Busy > 0 && !hasQuery(r, "no-busy") {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Busy)
		defer cancel()
	}
	e, err := c.Computer.Result(ctx, p, id)
	if fault.CodeOf(err) == "message-unknown" && err != nil {
		e, err = c.resultLater(ctx, p, id, err)
	}
	switch {
	case err == nil:
		answer(w, http.StatusOK, e.JSON)
	case c.Busy > 0 && r.Context().Err() == nil && (fault.KindOf(err) == fault.Unfinished || errors.Is(err, context.DeadlineExceeded)):
		busy(w, p.String(), id.String())
	default:
		Fail(w, err)
	}
}

// resultAt answers nodes that have this unit evaluate: they ask by slot, and send its assignment along. What is evaluated is what
// the schedule of the process has there.
func (c *CU) resultAt(w http.ResponseWriter, r *http.Request) {
	slot, err := strconv.ParseUint(r.PathValue("slot"), 10, 63)
	if err != nil {
		Fail(w, fault.New(fault.Malformed, "slot-malformed", "a slot is a whole number from 0 on").WithHint("results of messages are asked for with GET"))
		return
	}
	p, err := queryID(r, "process-id")
	if err != nil {
		Fail(w, err)
		return
	}
	e, err := c.Computer.At(r.Context(), p, slotlog.Slot(slot))
	if err != nil {
		Fail(w, err)
		return
	}
	answer(w, http.StatusOK, e.JSON)
}

// resultLater looks for a message that its process does not have: it may have been sent to another, or be on its way.
func (c *CU) resultLater(ctx context.Context, p, id message.ID, unknown error) (compute.Evaluation, error) {
	for deadline := time.Now().Add(c.Patience); ; {
		places, err := c.Places.Where(ctx, id)
		if err != nil {
			return compute.Evaluation{}, err
		}
		if len(places) > 0 {
			in := places[0].Process
			for _, place := range places {
				if place.Process == p {
					in = p
				}
			}
			return c.Computer.Result(ctx, in, id)
		}
		if time.Now().After(deadline) {
			return compute.Evaluation{}, unknown
		}
		select {
		case <-ctx.Done():
			return compute.Evaluation{}, ctx.Err()
		case <-time.After(assignedPoll):
		}
	}
}

func busy(w http.ResponseWriter, process, to string) {
	text := fmt.Sprintf("Evaluation of process %q to %q is in progress.", process, to)
	answer(w, http.StatusAccepted, fmt.Appendf(nil, `{"message":%s}`, quote(text)))
}

// results answers what has been evaluated, page by page. Failed evaluations are left out before anything is counted.
//
// The order of a page does not turn the range round: from is always the older end and exclusive, so that a client that
// keeps the cursor of its newest edge gets what is newer than that, newest first.
func (c *CU) results(w http.ResponseWriter, r *http.Request) {
	p, err := pathID(r, "id")
	if err != nil {
		Fail(w, err)
		return
	}
	q, err := resultsQuery(r)
	if err != nil {
		Fail(w, err)
		return
	}
	c.page(w, r, p, q)
}

// cron answers the results of ticks, oldest first, having evaluated those that are due.
func (c *CU) cron(w http.ResponseWriter, r *http.Request) {
	p, err := pathID(r, "id")
	if err != nil {
		Fail(w, err)
		return
	}
	q, err := resultsQuery(r)
	if err == nil {
		q.Descending, q.Ticks = false, true
		if !hasQuery(r, "limit") {
			q.Limit = cronDefault
		}
		q.Limit = min(q.Limit, cronMax)
		var before int64
		if q.To != nil {
			before = q.To.Timestamp + 1 // to is inclusive
		}
		_, err = c.Computer.Tick(r.Context(), p, before)
	}
	if err != nil {
		Fail(w, err)
		return
	}
	c.page(w, r, p, q)
}

// page answers the results that a query selects.
func (c *CU) page(w http.ResponseWriter, r *http.Request, p message.ID, q compute.Query) {
	page, err := c.Computer.Results(r.Context(), p, q)
	if err == nil && len(page.Evaluations) == 0 {
		_, err = c.Places.Process(r.Context(), p)
	}
	if err != nil {
		Fail(w, err)
		return
	}
	order := ascending
	if q.Descending {
		order = descending
	}
	b := fmt.Appendf(nil, `{"pageInfo":{"hasNextPage":%t},"edges":[`, page.More)
	for i, e := range page.Evaluations {
		if i > 0 {
			b = append(b, ',')
		}
		result, err := e.Result()
		if err != nil {
			Fail(w, err)
			return
		}
		b = appendNode(append(b, `{"node":`...), result)
		at := cursor{Timestamp: e.Timestamp, Slot: &e.Slot, Cron: e.Cron, Sort: order}
		b = fmt.Appendf(b, `,"cursor":%q}`, at)
	}
	answer(w, http.StatusOK, append(b, `]}`...))
}

func resultsQuery(r *http.Request) (compute.Query, error) {
	var q compute.Query
	query := r.URL.Query()
	sort := query.Get("sort")
	limit, given, err := queryInt(r, "limit")
	if err != nil {
		return q, err
	}
	if !given {
		limit = resultsDefault
	}
	if limit < 1 {
		return q, fault.New(fault.Malformed, "query-malformed", "limit is at least 1, not %d", limit).WithHint(hintLimit)
	}
	q.Limit = int(min(limit, resultsMax))
	if sort == "" {
		sort = ascending
	}
	if sort != ascending && sort != descending {
		return q, fault.New(fault.Malformed, "query-malformed", "sort is ASC or DESC, not %q", sort).
			WithHint("leave sort out for ASC, oldest first")
	}
	for _, bound := range []struct {
		name string
		to   **compute.Cursor
	}{{"to", &q.To}, {"from", &q.From}} { // the sort inside from wins over that inside to
		text := query.Get(bound.name)
		if text == "" {
			continue
		}
		at, err := parseCursor(bound.name, text)
		if err != nil {
			return q, err
		}
		if at.Sort != "" {
			sort = at.Sort
		}
		*bound.to = &compute.Cursor{Timestamp: at.Timestamp, Slot: at.Slot, Cron: at.Cron}
	}
	q.Descending = sort == descending
	return q, nil
}

// appendNode writes a result as pages show it: without the gas.
func appendNode(dst []byte, e process.Result) []byte {
	dst = append(append(dst, `{"Messages":`...), e.Messages...)
	dst = append(append(dst, `,"Assignments":`...), e.Assignments...)
	dst = append(append(dst, `,"Spawns":`...), e.Spawns...)
	dst = append(append(dst, `,"Output":`...), e.Output...)
	if len(e.Error) > 0 {
		dst = append(append(dst, `,"Error":`...), e.Error...)
	}
	return append(dst, '}')
}

// state answers the linear memory of a process, as legacy checkpoints hold it.
func (c *CU) state(w http.ResponseWriter, r *http.Request) {
	p, err := pathID(r, "id")
	if err != nil {
		Fail(w, err)
		return
	}
	to, err := queryTo(r)
	if err != nil {
		Fail(w, err)
		return
	}
	state, err := c.Computer.Memory(r.Context(), p, to)
	if err != nil {
		Fail(w, err)
		return
	}
	defer state.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Last-Timestamp", strconv.FormatInt(state.Timestamp, 10))
	h.Set("Last-Ordinate", strconv.FormatUint(uint64(state.Slot), 10))
	h.Set("Last-Block-Height", strconv.FormatUint(state.BlockHeight, 10))
	if _, err := state.Memory(w); err != nil {
		panic(http.ErrAbortHandler) // a memory that ends in the middle must not look whole
	}
}

// dryRun evaluates a message nobody signed on a copy of the state and forgets what it changed.
func (c *CU) dryRun(w http.ResponseWriter, r *http.Request) {
	p, err := queryID(r, "process-id")
	if err != nil {
		Fail(w, err)
		return
	}
	to, err := queryTo(r)
	if err != nil {
		Fail(w, err)
		return
	}
	raw, err := readBody(w, r, BodyMax)
	if err != nil {
		Fail(w, err)
		return
	}
	body, err := compute.ParseDryMessage(raw)
	if err != nil {
		Fail(w, err)
		return
	}
	result, err := c.Computer.DryRun(r.Context(), p, to, body)
	if err != nil {
		Fail(w, err)
		return
	}
	answer(w, http.StatusOK, result.JSON())
}

func queryTo(r *http.Request) (*message.ID, error) {
	if queryValue(r, "to") == "" {
		return nil, nil
	}
	id, err := queryID(r, "to")
	return &id, err
}
