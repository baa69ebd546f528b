// Package legacy is the scheduler, messenger and compute addresses that aoconnect and aos speak: HTTP shapes, no rules and no state.
package legacy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"ago/codec/ans104"
	"ago/codec/js"
	"ago/commitment"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/schedule"
	"ago/slotlog"
)

// BodyMax is the largest body the legacy scheduler and messenger take; clients size their messages by it.
const BodyMax = 10 << 20

// Scheduler gives slots and tells which message has which.
type Scheduler interface {
	Receiver
	Find(ctx context.Context, process, id message.ID) (slotlog.Slot, error)
	Where(ctx context.Context, id message.ID) ([]schedule.Place, error)
	Range(ctx context.Context, process message.ID, from, to slotlog.Slot) iter.Seq2[process.Assigned, error]
	Head(ctx context.Context, process message.ID) (slotlog.Head, error)
	// Item gives the assignment of a slot in the form of these units.
	Item(ctx context.Context, a process.Assigned) (*ans104.Item, error)
}

// Receiver takes what is to get a slot. It is all of a scheduler that a messenger needs.
type Receiver interface {
	Submit(ctx context.Context, v commitment.Verified) (schedule.Receipt, error)
	Assign(ctx context.Context, process, msg message.ID, o schedule.AssignOptions) (schedule.Receipt, error)
	Process(ctx context.Context, id message.ID) (process.Definition, error)
}

// Admit refuses what is handed in before anything is done with it: an item for a process, which a new process is itself, or an
// assignment if the item is nil.
type Admit func(r *http.Request, process message.ID, it *ans104.Item) error

// Turn waits until something for a process may be taken, and fails if too much waits for it. The function tells that it was.
type Turn func(ctx context.Context, process message.ID) (done func(), err error)

func (a Admit) item(r *http.Request, it *ans104.Item) error {
	if a == nil {
		return nil
	}
	return a(r, processOf(it), it)
}

// processOf is the process that an item is for, which a new one is itself.
func processOf(it *ans104.Item) message.ID {
	if kind, _ := process.FirstTag(it.Tags, "Type"); kind == "Process" || !it.HasTarget {
		return it.ID()
	}
	return it.Target
}

// Computer evaluates.
type Computer interface {
	Result(ctx context.Context, process, id message.ID) (compute.Evaluation, error)
	At(ctx context.Context, process message.ID, slot slotlog.Slot) (compute.Evaluation, error)
	Results(ctx context.Context, process message.ID, q compute.Query) (compute.Page, error)
	Tick(ctx context.Context, process message.ID, before int64) (compute.Due, error)
	DryRun(ctx context.Context, process message.ID, to *message.ID, body process.DryMessage) (process.Result, error)
	Memory(ctx context.Context, process message.ID, to *message.ID) (compute.State, error)
}

// Monitors keeps the processes whose timers are watched.
type Monitors interface {
	Add(process message.ID) error
	Remove(process message.ID) error
}

// Archive keeps items that are for nobody who evaluates: messages to wallets.
type Archive interface {
	Upload(ctx context.Context, v commitment.Verified) error
}

// Noter is a ResponseWriter that wants to know why a request failed: whoever serves the face logs what is the node's fault.
type Noter interface{ Note(err error) }

// Fail writes the one JSON form of every error: {"error": what went wrong, "code": stable name, "hint": what to do next}.
func Fail(w http.ResponseWriter, err error) {
	status := fault.KindOf(err).Status()
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		status = http.StatusServiceUnavailable
	}
	if n, ok := w.(Noter); ok {
		n.Note(err)
	}
	body := append(appendText([]byte(`{"error":`), err.Error()), `,"code":`...)
	body = appendText(body, fault.CodeOf(err))
	if hint := fault.HintOf(err); hint != "" {
		body = appendText(append(body, `,"hint":`...), hint)
	}
	if after := fault.RetryAfter(err); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	}
	answer(w, status, append(body, '}'))
}

func answer(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	w.Write(body)
}

var contentJSON = []string{"application/json; charset=utf-8"}

// answerText writes a plain sentence, which some clients read as such.
func answerText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, text)
}

// appendText appends a JSON string of bytes that need not be UTF-8; what is not becomes U+FFFD, as in every legacy unit.
func appendText(dst []byte, s string) []byte {
	return js.AppendJSON(dst, s)
}

func appendTags(dst []byte, tags []ans104.Tag) []byte {
	dst = append(dst, '[')
	for i, t := range tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(append(dst, `{"name":`...), t.Name)
		dst = appendText(append(dst, `,"value":`...), t.Value)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// readBody reads a body of at most max bytes.
func readBody(w http.ResponseWriter, r *http.Request, max int64) ([]byte, error) {
	if r.ContentLength > max {
		return nil, tooLarge(max)
	}
	var b bytes.Buffer
	b.Grow(int(min(max, r.ContentLength, 64<<10)) + bytes.MinRead) // a promised length is not yet a sent one
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, max)); err != nil {
		var over *http.MaxBytesError
		if errors.As(err, &over) {
			return nil, tooLarge(max)
		}
		if refused := (*fault.Error)(nil); errors.As(err, &refused) {
			return nil, refused
		}
		return nil, fault.Wrap(err, fault.Malformed, "body-unreadable", "the body ended before it was complete")
	}
	return b.Bytes(), nil
}

func tooLarge(max int64) error {
	return fault.New(fault.TooLarge, "body-too-large", "the body is larger than %d bytes", max).
		WithHint("send large data to the bundler and the id of it in the message")
}

// takeItem reads a body that is a signed data item, waits for its process's turn, checks the signature, and has it taken.
func takeItem(w http.ResponseWriter, r *http.Request, v *commitment.Verifier, turn Turn, take func(commitment.Verified, *ans104.Item) error) error {
	m, it, err := decodeItem(w, r)
	if err != nil {
		return err
	}
	if turn != nil {
		done, err := turn(r.Context(), processOf(it))
		if err != nil {
			return err
		}
		defer done()
	}
	verified, err := v.Verify(m)
	if err != nil {
		return err
	}
	return take(verified, it)
}

// readItem reads a body that is a signed data item and checks the signature.
func readItem(w http.ResponseWriter, r *http.Request, v *commitment.Verifier) (commitment.Verified, *ans104.Item, error) {
	m, it, err := decodeItem(w, r)
	if err != nil {
		return commitment.Verified{}, nil, err
	}
	verified, err := v.Verify(m)
	return verified, it, err
}

func decodeItem(w http.ResponseWriter, r *http.Request) (message.Message, *ans104.Item, error) {
	raw, err := readBody(w, r, BodyMax)
	if err != nil {
		return message.Message{}, nil, err
	}
	m, err := ans104.Decode(raw)
	if err != nil {
		return message.Message{}, nil, err
	}
	it, ok := ans104.ItemOf(m)
	if !ok {
		return message.Message{}, nil, fault.New(fault.Malformed, "item-malformed", "the body is not a signed data item")
	}
	return m, it, nil
}

// pathID reads an id of the path, queryID one of the query.
func pathID(r *http.Request, name string) (message.ID, error) {
	return parseID(name, r.PathValue(name))
}

func queryID(r *http.Request, name string) (message.ID, error) {
	s := queryValue(r, name)
	if s == "" {
		return message.ID{}, fault.New(fault.Malformed, "query-missing", "'%s': Required.", name).
			WithHint("add ?%s=<43 characters> to the address", name)
	}
	return parseID(name, s)
}

func parseID(name, s string) (message.ID, error) {
	id, err := message.ParseID(s)
	if err != nil {
		return id, fault.New(fault.Malformed, "id-malformed", "%s: %v", name, err).
			WithHint("copy the whole id: 43 characters, as spawns and messages answer it")
	}
	return id, nil
}

// queryValue gives the first value of a query parameter without parsing the others, since this is on the path of every read.
func queryValue(r *http.Request, name string) string {
	rest := r.URL.RawQuery
	for rest != "" {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key == name && !strings.ContainsAny(value, "%+") {
			return value
		}
		if strings.ContainsAny(key, "%+") || key == name {
			return r.URL.Query().Get(name)
		}
	}
	return ""
}

// hasQuery tells a parameter that counts by being there, with or without a value.
func hasQuery(r *http.Request, name string) bool { return r.URL.Query().Has(name) }

const hintLimit = "leave limit out, or ask for as many entries as you want"

func queryInt(r *http.Request, name string) (n int64, given bool, err error) {
	s := queryValue(r, name)
	if s == "" {
		return 0, false, nil
	}
	n, err = strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, true, fault.New(fault.Malformed, "query-malformed", "%s is a whole number, not %q", name, s).
			WithHint("write digits only, or leave %s out", name)
	}
	return n, true, nil
}

func noRoute(w http.ResponseWriter, r *http.Request) {
	Fail(w, fault.New(fault.NotFound, "route-unknown", "nothing answers %s %s here", r.Method, r.URL.Path).
		WithHint("is it the right unit? messengers take messages, schedulers tell their order, compute units their results"))
}

// quote gives a Go value as JSON; only for values that always can be.
func quote(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
