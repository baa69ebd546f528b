package legacy

import (
	"fmt"
	"net/http"
	"strings"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
)

// MU is the messenger's address: it takes what clients send and sees that it gets its slot. What evaluations emit is
// pushed without anybody asking here.
type MU struct {
	Scheduler Scheduler
	Archive   Archive
	Verifier  *commitment.Verifier
}

// Handler serves the routes.
func (m *MU) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { answerText(w, "ao messenger unit") })
	mux.HandleFunc("POST /{$}", m.post)
	mux.HandleFunc("POST /monitor/{id}", m.monitor)
	mux.HandleFunc("DELETE /monitor/{id}", m.unmonitor)
	mux.HandleFunc("/", noRoute)
	return mux
}

func (m *MU) post(w http.ResponseWriter, r *http.Request) {
	if hasQuery(r, "process-id") || hasQuery(r, "assign") {
		receipt, err := assign(r, m.Scheduler, "You must set both process-id and assign to send an assignment, not just one")
		if err != nil {
			Fail(w, err)
			return
		}
		accepted(w, "Processing Assignment", receipt.ID)
		return
	}
	v, it, err := readItem(w, r, m.Verifier)
	if err != nil {
		Fail(w, err)
		return
	}
	warnCron(w, it)
	_, err = m.Scheduler.Submit(r.Context(), v)
	if fault.CodeOf(err) == "process-unknown" && err != nil {
		// What is for a wallet is kept as a plain item; nobody can tell a wallet from a process that is not here.
		if err := m.Archive.Upload(r.Context(), v); err != nil {
			Fail(w, err)
			return
		}
		answer(w, http.StatusAccepted, fmt.Appendf(nil, `{"message":"Stored DataItem: its target is no process of this network","id":%q,"code":"process-unknown"}`, it.ID()))
		return
	}
	if err != nil {
		Fail(w, err)
		return
	}
	accepted(w, "Processing DataItem", it.ID())
}

// warnCron says what a process with a timer gets here: it is a process like any other, and nothing ticks.
func warnCron(w http.ResponseWriter, it *ans104.Item) {
	if kind, _ := process.FirstTag(it.Tags, "Type"); kind != "Process" {
		return
	}
	for _, t := range it.Tags {
		if strings.HasPrefix(t.Name, "Cron-") {
			w.Header().Set("Warning", `299 - "cron-unsupported: this node does not run Cron-Interval processes yet"`)
			return
		}
	}
}

func accepted(w http.ResponseWriter, text string, id message.ID) {
	answer(w, http.StatusAccepted, fmt.Appendf(nil, `{"message":%s,"id":%q}`, quote(text), id))
}

// monitor refuses: a client that was told "monitoring" would wait for ticks that never come.
func (m *MU) monitor(w http.ResponseWriter, r *http.Request) {
	if _, _, err := m.monitored(w, r); err != nil {
		Fail(w, err)
		return
	}
	Fail(w, fault.New(fault.Unsupported, "cron-unsupported", "this node does not run Cron-Interval processes yet").
		WithHint("send the process a message whenever it should act"))
}

// unmonitor agrees, since nothing is monitored.
func (m *MU) unmonitor(w http.ResponseWriter, r *http.Request) {
	if _, _, err := m.monitored(w, r); err != nil {
		Fail(w, err)
		return
	}
	answerText(w, "Process deleted")
}

func (m *MU) monitored(w http.ResponseWriter, r *http.Request) (commitment.Verified, *ans104.Item, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return commitment.Verified{}, nil, err
	}
	v, it, err := readItem(w, r, m.Verifier)
	if err != nil {
		return v, nil, err
	}
	if it.Target != id {
		return v, nil, fault.New(fault.Malformed, "target-mismatch", "the signed item is for %s, the address says %s", it.Target, id)
	}
	_, err = m.Scheduler.Process(r.Context(), id)
	return v, it, err
}
