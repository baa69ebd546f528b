package legacy

import (
	"fmt"
	"net/http"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// MU is the messenger's address: it takes what clients send and sees that it gets its slot. What evaluations emit is
// pushed without anybody asking here.
type MU struct {
	Scheduler Receiver
	Archive   Archive
	Monitors  Monitors
	Verifier  *commitment.Verifier
	Turn      Turn  // nil: everything is checked at once
	Admit     Admit // nil: everything
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
		receipt, err := assign(r, m.Scheduler, m.Admit, "You must set both process-id and assign to send an assignment, not just one")
		if err != nil {
			Fail(w, err)
			return
		}
		accepted(w, "Processing Assignment", receipt.ID)
		return
	}
	var id message.ID
	stored := false
	err := takeItem(w, r, m.Verifier, m.Turn, func(v commitment.Verified, it *ans104.Item) error {
		if err := m.Admit.item(r, it); err != nil {
			return err
		}
		id = it.ID()
		_, err := m.Scheduler.Submit(r.Context(), v)
		if fault.CodeOf(err) == "process-unknown" && err != nil {
			// What is for a wallet is kept as a plain item; nobody can tell a wallet from a process that is not here.
			stored = true
			err = m.Archive.Upload(r.Context(), v)
		}
		return err
	})
	switch {
	case err != nil:
		Fail(w, err)
	case stored:
		answer(w, http.StatusAccepted, fmt.Appendf(nil, `{"message":"Stored DataItem: its target is no process of this network","id":%q,"code":"process-unknown"}`, id))
	default:
		accepted(w, "Processing DataItem", id)
	}
}

func accepted(w http.ResponseWriter, text string, id message.ID) {
	answer(w, http.StatusAccepted, fmt.Appendf(nil, `{"message":%s,"id":%q}`, quote(text), id))
}

// monitor watches a process: its timers run from now on, and what they send is delivered.
func (m *MU) monitor(w http.ResponseWriter, r *http.Request) {
	m.watch(w, r, m.Monitors.Add, "Monitoring process")
}

// unmonitor ends that. Both may be repeated.
func (m *MU) unmonitor(w http.ResponseWriter, r *http.Request) {
	m.watch(w, r, m.Monitors.Remove, "Process deleted")
}

func (m *MU) watch(w http.ResponseWriter, r *http.Request, change func(message.ID) error, done string) {
	it, err := m.monitored(w, r)
	if err == nil {
		err = change(it.Target)
	}
	if err != nil {
		Fail(w, err)
		return
	}
	answerText(w, done)
}

// monitored reads which process is meant: the path and the signed item have to name the same one.
func (m *MU) monitored(w http.ResponseWriter, r *http.Request) (*ans104.Item, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return nil, err
	}
	_, it, err := readItem(w, r, m.Verifier)
	if err != nil {
		return nil, err
	}
	if it.Target != id {
		return nil, fault.New(fault.Malformed, "target-mismatch", "the signed item is for %s, the address says %s", it.Target, id).
			WithHint("name the same process in both")
	}
	_, err = m.Scheduler.Process(r.Context(), id)
	return it, err
}
