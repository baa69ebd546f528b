package legacy

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/schedule"
	"ago/slotlog"
)

// SU is the scheduler's address: it takes items and tells the order of a process's messages.
type SU struct {
	Scheduler Scheduler
	Verifier  *commitment.Verifier
	Turn      Turn // nil: everything is checked at once
	Clock     clock.Clock
	Height    func() uint64 // of the newest block
	Address   string        // of the scheduler's wallet
	Admit     Admit         // nil: everything
	Elsewhere Elsewhere     // nil: nobody is sent elsewhere
	// HandedOver tells the address of the scheduler that a process of this one was handed over to, "" if it was not. Every
	// request about the process is answered with a 307 to it. nil: none was.
	HandedOver func(process message.ID) (url string)
	PageBytes  int // a page of a log ends early here; 0: 64 MB
}

const (
	pageDefault      = 100      // edges of a page nobody gave a limit for
	pageBytesDefault = 64 << 20 // a page ends early here; the client reads on from its last cursor
)

// Handler serves the routes.
func (s *SU) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.root)
	mux.HandleFunc("POST /{$}", s.post)
	mux.HandleFunc("GET /timestamp", s.timestamp)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /{id}", s.read)
	mux.HandleFunc("GET /{first}/{second}", s.two)
	mux.HandleFunc("/", noRoute)
	return mux
}

func (s *SU) root(w http.ResponseWriter, r *http.Request) {
	if s.asked(w, r) {
		return
	}
	answer(w, http.StatusOK, fmt.Appendf(nil, `{"timestamp":"%d","address":%q}`, s.Clock.Now().UnixMilli(), s.Address))
}

func (s *SU) timestamp(w http.ResponseWriter, r *http.Request) {
	if s.asked(w, r) {
		return
	}
	answer(w, http.StatusOK, fmt.Appendf(nil, `{"timestamp":"%d","block_height":"%012d"}`, s.Clock.Now().UnixMilli(), s.Height()))
}

func (s *SU) post(w http.ResponseWriter, r *http.Request) {
	var receipt schedule.Receipt
	var err error
	var p message.ID
	if hasQuery(r, "process-id") || hasQuery(r, "assign") {
		p, _ = queryID(r, "process-id")
		if s.gone(w, r, p) {
			return
		}
		receipt, err = assign(r, s.Scheduler, s.Admit, "If sending assign or process-id, you must send both.")
	} else {
		err = takeItem(w, r, s.Verifier, s.Turn, func(v commitment.Verified, it *ans104.Item) error {
			p = processOf(it)
			if url := s.handedOver(p); url != "" {
				return Moved{url}
			}
			if err := s.Admit.item(r, it); err != nil {
				return err
			}
			receipt, err = s.Scheduler.Submit(r.Context(), v)
			return err
		})
	}
	if err != nil {
		s.fail(w, r, p, err)
		return
	}
	answer(w, http.StatusOK, fmt.Appendf(nil, `{"timestamp":%d,"id":%q}`, receipt.Timestamp, receipt.ID))
}

// assign gives an item that exists already a slot of a process. SU and MU take the same query.
func assign(r *http.Request, s Receiver, admit Admit, both string) (schedule.Receipt, error) {
	if !hasQuery(r, "process-id") || !hasQuery(r, "assign") {
		return schedule.Receipt{}, fault.New(fault.Malformed, "query-missing", "%s", both).
			WithHint("POST /?process-id=<process>&assign=<message>, without a body")
	}
	p, err := queryID(r, "process-id")
	if err != nil {
		return schedule.Receipt{}, err
	}
	id, err := queryID(r, "assign")
	if err != nil {
		return schedule.Receipt{}, err
	}
	if admit != nil {
		if err := admit(r, p, nil); err != nil {
			return schedule.Receipt{}, err
		}
	}
	o := schedule.AssignOptions{BaseLayer: hasQuery(r, "base-layer")}
	for name := range strings.SplitSeq(r.URL.Query().Get("exclude"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			o.Exclude = append(o.Exclude, name)
		}
	}
	return s.Assign(r.Context(), p, id, o)
}

// two tells /processes/<id> from /<id>/latest: neither pattern is the narrower one.
func (s *SU) two(w http.ResponseWriter, r *http.Request) {
	switch first, second := r.PathValue("first"), r.PathValue("second"); {
	case first == "processes":
		s.process(w, r, second)
	case second == "latest":
		s.latest(w, r, first)
	default:
		noRoute(w, r)
	}
}

// process answers what a process was made of.
func (s *SU) process(w http.ResponseWriter, r *http.Request, text string) {
	id, err := parseID("process", text)
	if err != nil {
		Fail(w, err)
		return
	}
	if s.gone(w, r, id) {
		return
	}
	if _, err := s.Scheduler.Process(r.Context(), id); err != nil {
		s.fail(w, r, id, err)
		return
	}
	first, err := s.slot(r.Context(), id, 0)
	if err != nil {
		Fail(w, err)
		return
	}
	c := first.Content
	b := fmt.Appendf(nil, `{"process_id":%q,"block":"%012d",`, id, first.BlockHeight)
	b = appendOwner(b, c.OwnerKey)
	b = appendTags(append(b, `,"tags":`...), c.Tags)
	b = strconv.AppendInt(append(b, `,"timestamp":`...), first.Timestamp, 10)
	b = appendText(append(b, `,"data":`...), string(c.Data))
	b = appendAnchor(append(b, `,"anchor":`...), c.Anchor)
	b = appendBase64(append(b, `,"signature":`...), c.Signature)
	b = appendText(append(b, `,"target":`...), c.Target)
	answer(w, http.StatusOK, append(b, '}'))
}

// latest answers the last slot of a process.
func (s *SU) latest(w http.ResponseWriter, r *http.Request, text string) {
	id, err := parseID("process", text)
	if err != nil {
		Fail(w, err)
		return
	}
	if s.gone(w, r, id) {
		return
	}
	head, err := s.head(r.Context(), id)
	if err != nil {
		s.fail(w, r, id, err)
		return
	}
	s.answerSlot(w, r, id, head.Next-1)
}

// read answers a page of a process's log, or the one slot that a message or assignment id has.
func (s *SU) read(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r, "id")
	if err != nil {
		Fail(w, err)
		return
	}
	ctx := r.Context()
	in := id
	if hasQuery(r, "process-id") {
		if in, err = queryID(r, "process-id"); err != nil {
			Fail(w, err)
			return
		}
	}
	if s.gone(w, r, in) {
		return
	}
	if in != id { // a process may be a message of another one: the one that is named decides
		if slot, err := s.Scheduler.Find(ctx, in, id); err == nil {
			s.answerSlot(w, r, in, slot)
			return
		}
	}
	head, err := s.Scheduler.Head(ctx, id)
	if err == nil && head.Next > 0 {
		s.page(w, r, id, head)
		return
	}
	slot, err := s.Scheduler.Find(ctx, in, id)
	if err != nil { // the message may have been asked for with another process than the one that has it
		places, elsewhere := s.Scheduler.Where(ctx, id)
		if elsewhere != nil {
			Fail(w, elsewhere)
			return
		}
		if len(places) == 0 {
			s.fail(w, r, in, fault.New(fault.NotFound, "message-unknown", "Message or Process not found: %s", id).
				WithHint("this scheduler has no process, message or assignment of that id"))
			return
		}
		if in, slot = places[0].Process, places[0].Slot; s.gone(w, r, in) {
			return
		}
	}
	s.answerSlot(w, r, in, slot)
}

func (s *SU) answerSlot(w http.ResponseWriter, r *http.Request, p message.ID, n slotlog.Slot) {
	a, err := s.slot(r.Context(), p, n)
	if err != nil {
		Fail(w, err)
		return
	}
	b, err := s.appendAssigned(r.Context(), nil, a, hasQuery(r, "show-anchor"))
	if err != nil {
		Fail(w, err)
		return
	}
	answer(w, http.StatusOK, b)
}

func (s *SU) slot(ctx context.Context, p message.ID, n slotlog.Slot) (process.Assigned, error) {
	for a, err := range s.Scheduler.Range(ctx, p, n, n+1) {
		return a, err
	}
	return process.Assigned{}, fault.New(fault.NotFound, "slot-unknown", "process %s has no slot %d", p, n)
}

func (s *SU) head(ctx context.Context, p message.ID) (slotlog.Head, error) {
	head, err := s.Scheduler.Head(ctx, p)
	if err == nil && head.Next == 0 {
		err = fault.New(fault.NotFound, "process-unknown", "Message or Process not found: %s", p)
	}
	return head, err
}

// page streams the slots that lie in the range asked for, each with the cursor to read on from.
func (s *SU) page(w http.ResponseWriter, r *http.Request, p message.ID, head slotlog.Head) {
	ctx := r.Context()
	from, to, limit, byNonce, err := s.bounds(r, p, head)
	if err != nil {
		Fail(w, err)
		return
	}
	showAnchor, most := hasQuery(r, "show-anchor"), s.PageBytes
	if most <= 0 {
		most = pageBytesDefault
	}
	w.Header()["Content-Type"] = contentJSON
	out := bufio.NewWriterSize(w, 64<<10)
	out.WriteString(`{"edges":[`)
	written, buf := 0, []byte(nil)
	next := from
	for a, err := range s.Scheduler.Range(ctx, p, from, min(to, from+limit)) {
		if err == nil {
			buf, err = s.appendEdge(ctx, buf[:0], a, byNonce, showAnchor)
		}
		if err != nil {
			if written == 0 { // nothing has left yet, so the answer may still be an error
				Fail(w, err)
				return
			}
			panic(http.ErrAbortHandler) // a page that ends in the middle must not look whole
		}
		if next > from {
			out.WriteByte(',')
		}
		out.Write(buf)
		next = a.Slot + 1
		if written += len(buf); written >= most {
			break
		}
	}
	fmt.Fprintf(out, `],"page_info":{"has_next_page":%t}}`, next < to)
	out.Flush()
}

// bounds turns the query of a page into slots: from <= slot < to.
func (s *SU) bounds(r *http.Request, p message.ID, head slotlog.Head) (from, to, limit slotlog.Slot, byNonce bool, err error) {
	fail := func(err error) (slotlog.Slot, slotlog.Slot, slotlog.Slot, bool, error) { return 0, 0, 0, false, err }
	to, limit = head.Next, pageDefault
	if n, given, err := queryInt(r, "limit"); err != nil {
		return fail(err)
	} else if given {
		if n < 1 {
			return fail(fault.New(fault.Malformed, "query-malformed", "limit is at least 1, not %d", n).WithHint(hintLimit))
		}
		limit = slotlog.Slot(n)
	}
	fromNonce, hasFrom, err := queryInt(r, "from-nonce")
	if err != nil {
		return fail(err)
	}
	toNonce, hasTo, err := queryInt(r, "to-nonce")
	if err != nil {
		return fail(err)
	}
	if byNonce = hasFrom || hasTo; byNonce {
		if hasFrom && fromNonce >= 0 {
			from = slotlog.Slot(fromNonce) + 1
		}
		if hasTo {
			to = min(to, slotlog.Slot(max(toNonce, -1)+1))
		}
	} else {
		if ms, given, err := queryInt(r, "from"); err != nil {
			return fail(err)
		} else if given {
			if from, err = s.after(r.Context(), p, head, ms); err != nil {
				return fail(err)
			}
		}
		if ms, given, err := queryInt(r, "to"); err != nil {
			return fail(err)
		} else if given && ms < head.Timestamp {
			if to, err = s.after(r.Context(), p, head, ms); err != nil {
				return fail(err)
			}
		}
	}
	from = min(from, to)
	return from, to, min(limit, to-from), byNonce, nil
}

// after finds the first slot with a later timestamp. Timestamps grow strictly from slot to slot.
func (s *SU) after(ctx context.Context, p message.ID, head slotlog.Head, ms int64) (slotlog.Slot, error) {
	if ms >= head.Timestamp {
		return head.Next, nil
	}
	low, high := slotlog.Slot(0), head.Next-1 // high is later than ms
	for low < high {
		mid := low + (high-low)/2
		a, err := s.slot(ctx, p, mid)
		if err != nil {
			return 0, err
		}
		if a.Timestamp > ms {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low, nil
}

func (s *SU) appendEdge(ctx context.Context, dst []byte, a process.Assigned, byNonce, showAnchor bool) ([]byte, error) {
	dst, err := s.appendAssigned(ctx, append(dst, `{"node":`...), a, showAnchor)
	if err != nil {
		return dst, err
	}
	cursor := a.Timestamp
	if byNonce {
		cursor = int64(a.Slot)
	}
	dst = strconv.AppendInt(append(dst, `,"cursor":"`...), cursor, 10)
	return append(dst, `"}`...), nil
}

// appendAssigned writes a message with its assignment, as the compute units and aoconnect read it.
func (s *SU) appendAssigned(ctx context.Context, dst []byte, a process.Assigned, showAnchor bool) ([]byte, error) {
	it, err := s.Scheduler.Item(ctx, a)
	if err != nil {
		return dst, err
	}
	dst = append(dst, `{"message":`...)
	if a.ByID {
		dst = append(dst, `null`...)
	} else {
		c := a.Content
		dst = fmt.Appendf(dst, `{"id":%q,`, c.ID)
		dst = appendOwner(dst, c.OwnerKey)
		dst = appendText(append(dst, `,"data":`...), string(c.Data))
		dst = appendTags(append(dst, `,"tags":`...), c.Tags)
		dst = appendBase64(append(dst, `,"signature":`...), c.Signature)
		dst = appendAnchor(append(dst, `,"anchor":`...), c.Anchor)
		dst = appendText(append(dst, `,"target":`...), c.Target)
		dst = append(dst, '}')
	}
	dst = fmt.Appendf(dst, `,"assignment":{"id":%q,`, it.ID())
	dst = appendOwner(dst, it.Owner)
	dst = appendTags(append(dst, `,"tags":`...), it.Tags)
	dst = appendBase64(append(dst, `,"signature":`...), it.Signature)
	dst = append(dst, `,"anchor":`...)
	if showAnchor {
		dst = appendBase64(dst, it.Anchor)
	} else {
		dst = append(dst, `null`...) // its anchor is random bytes, hence no text
	}
	return append(dst, `,"target":""}}`...), nil
}

func appendOwner(dst, key []byte) []byte {
	dst = fmt.Appendf(dst, `"owner":{"address":%q,"key":`, commitment.AddressOf(key))
	return append(appendBase64(dst, key), '}')
}

func appendAnchor(dst []byte, anchor *string) []byte {
	if anchor == nil {
		return append(dst, `null`...)
	}
	return appendText(dst, *anchor)
}

func appendBase64(dst, b []byte) []byte {
	dst = base64.RawURLEncoding.AppendEncode(append(dst, '"'), b)
	return append(dst, '"')
}
