package legacy

import (
	"context"
	"errors"
	"net/http"

	"ago/fault"
	"ago/message"
)

// Elsewhere tells the address of the scheduler that has a process which is not scheduled here; "" if nobody knows.
type Elsewhere func(ctx context.Context, process message.ID) (url string)

// Moved is what a request fails with that another unit has to be asked. It is answered with a 307 to the same path there.
type Moved struct{ URL string }

// Error names the place.
func (m Moved) Error() string { return "it is at " + m.URL }

// redirect sends the client elsewhere with the same method, path, query and body.
func redirect(w http.ResponseWriter, r *http.Request, base string) {
	w.Header().Set("Location", base+r.URL.RequestURI())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// fail answers an error about a process. One that is not here is looked for elsewhere first.
func (s *SU) fail(w http.ResponseWriter, r *http.Request, p message.ID, err error) {
	if url := s.elsewhere(r, p, err); url != "" {
		redirect(w, r, url)
		return
	}
	Fail(w, err)
}

func (s *SU) elsewhere(r *http.Request, p message.ID, err error) string {
	if m, ok := errors.AsType[Moved](err); ok {
		return m.URL
	}
	if s.Elsewhere == nil || fault.KindOf(err) != fault.NotFound || p.IsZero() {
		return ""
	}
	if _, here := s.Scheduler.Process(r.Context(), p); here == nil { // it is the message that is not known
		return ""
	}
	return s.Elsewhere(r.Context(), p)
}

func (s *SU) handedOver(p message.ID) string {
	if s.HandedOver == nil || p.IsZero() {
		return ""
	}
	return s.HandedOver(p)
}

// gone sends a client that asks about a process that was handed over there, and tells whether it did.
func (s *SU) gone(w http.ResponseWriter, r *http.Request, p message.ID) bool {
	url := s.handedOver(p)
	if url != "" {
		redirect(w, r, url)
	}
	return url != ""
}

// asked sends a client that asks for the time of a process's scheduler there, and tells whether it did.
func (s *SU) asked(w http.ResponseWriter, r *http.Request) bool {
	p, err := message.ParseID(r.URL.Query().Get("process-id"))
	if err != nil {
		return false
	}
	if s.gone(w, r, p) {
		return true
	}
	if s.Elsewhere == nil {
		return false
	}
	if _, err = s.Scheduler.Process(r.Context(), p); err == nil {
		return false
	}
	url := s.elsewhere(r, p, err)
	if url != "" {
		redirect(w, r, url)
	}
	return url != ""
}
