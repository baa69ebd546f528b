package aocore

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ago/budget"
	"ago/clock"
	"ago/codec/json"
	"ago/fault"
	"ago/message"
)

// Streams are what goes on in processes, told as it happens.
type Streams interface {
	// Slots gives each slot of a process from the given one on to send, in order, and waits for further ones, until the context
	// ends or send fails; with its result, once that is there, if results are asked for. It fails with NotFound for a process
	// that is not here, before anything is sent.
	Slots(ctx context.Context, process message.ID, from uint64, results bool, send func(slot uint64, m message.Message) error) error
	// Next is the slot that the next message of a process will have.
	Next(ctx context.Context, process message.ID) (uint64, error)
}

const (
	streamsMax  = 256              // open at once
	streamBeat  = 15 * time.Second // between signs of life, so that proxies keep the connection
	streamWrite = time.Minute      // for one event to leave
)

// stream answers GET /<process>/slot and GET /<process>/results as a stream of events, one for each slot. It begins with the slot
// after the one in Last-Event-ID, or with that of the argument from, or with the next one. It tells whether the request is for one.
func (q *request) stream(w http.ResponseWriter) bool {
	process, results, ok := streamed(q.r)
	if !ok || q.c.Streams == nil || q.r.Method != http.MethodGet {
		return false
	}
	if err := q.run(w, process, results); err != nil {
		q.failure(w, err).write(w, q.r)
	}
	return true
}

// streamed reads which process is asked for, and what of it.
func streamed(r *http.Request) (process message.ID, results, ok bool) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	name, device, named := strings.Cut(first, "~")
	if named && device != "process@1.0" {
		return process, false, false
	}
	process, err := message.ParseID(name)
	return process, rest == "results", err == nil && (rest == "slot" || rest == "results")
}

func (q *request) run(w http.ResponseWriter, process message.ID, results bool) error {
	who := q.account.Who()
	switch q.streams.Take(who, 1) {
	case budget.ShareTaken:
		return fault.New(fault.TooMany, "streams-too-many", "your address has %d streams open, which is its share of those that this node has", q.streams.Share()).
			WithHint("close one, or ask for GET /%s/slot from time to time", process)
	case budget.AllTaken:
		return fault.New(fault.TooMany, "streams-too-many", "%d streams are open, which is all that this node has", q.streams.Most()).
			WithHint("ask again later, or ask for GET /%s/slot from time to time", process)
	}
	defer q.streams.Give(who, 1)
	from, err := q.from(process)
	if err != nil {
		return err
	}
	if _, err := q.c.Streams.Next(q.r.Context(), process); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(q.r.Context())
	defer cancel()
	events := make(chan []byte)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := q.c.Streams.Slots(ctx, process, from, results, func(slot uint64, m message.Message) error {
			text, err := event(slot, results, m)
			if err != nil {
				return err
			}
			select {
			case events <- text:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil && ctx.Err() == nil {
			select {
			case events <- []byte("event: error\ndata: " + strconv.Quote(fault.CodeOf(err)) + "\n\n"):
			case <-ctx.Done():
			}
		}
	}()
	defer func() { cancel(); <-ended }()
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	pump(ctx, w, q.beats(), events, ended)
	return nil
}

func (q *request) beats() clock.Clock {
	if q.node.Clock == nil {
		return clock.System{}
	}
	return q.node.Clock
}

// pump writes events as they come, and a sign of life when there are none.
func pump(ctx context.Context, w http.ResponseWriter, c clock.Clock, events <-chan []byte, ended <-chan struct{}) {
	out := http.NewResponseController(w)
	text := []byte(": begun\n\n")
	for {
		// A server that cannot set limits has none to reach.
		_ = out.SetWriteDeadline(time.Now().Add(streamWrite))
		if _, err := w.Write(text); err != nil {
			return
		}
		if out.Flush() != nil {
			return
		}
		beat, stop := c.After(streamBeat)
		select {
		case text = <-events:
		case <-beat:
			text = []byte(": beat\n\n")
		case <-ended:
			stop()
			return
		case <-ctx.Done():
			stop()
			return
		}
		stop()
	}
}

func event(slot uint64, results bool, m message.Message) ([]byte, error) {
	text, err := json.Encode(m)
	if err != nil {
		return nil, err
	}
	name := "slot"
	if results {
		name = "result"
	}
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", slot, name, text), nil
}

// from is the first slot that the client has not seen.
func (q *request) from(process message.ID) (uint64, error) {
	if last := q.r.Header.Get("Last-Event-ID"); last != "" {
		n, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			return 0, fault.New(fault.Malformed, "slot-malformed", "Last-Event-ID is the number of a slot, not %.40q", last)
		}
		return n + 1, nil
	}
	if text := q.r.URL.Query().Get("from"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, fault.New(fault.Malformed, "slot-malformed", "from is the number of a slot, not %.40q", text)
		}
		return n, nil
	}
	return q.c.Streams.Next(q.r.Context(), process)
}
