package processtest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ago/client"
	"ago/commitment"
	"ago/console"
	"ago/message"
)

// sentMessage is an entry of an outbox as tests see it.
type sentMessage struct {
	From   string       `json:"From,omitempty"`
	Target string       `json:"Target"`
	Data   string       `json:"Data"`
	Anchor string       `json:"Anchor"`
	Tags   []client.Tag `json:"Tags"`
}

// result is what tests see of an evaluation.
type result struct {
	ID          string            `json:"id"`
	Output      string            `json:"Output"`
	Messages    []sentMessage     `json:"Messages"`
	Spawns      []sentMessage     `json:"Spawns"`
	Assignments []json.RawMessage `json:"Assignments"`
	Gas         json.Number       `json:"Gas"`
	Caused      []cause           `json:"Caused"`
}

// cause is an evaluation that a message led to.
type cause struct {
	ID       string        `json:"id"`
	Process  string        `json:"Process"`
	Action   string        `json:"Action"`
	Output   string        `json:"Output"`
	Error    string        `json:"Error,omitempty"`
	Messages []sentMessage `json:"Messages"`
}

// delivered is the result of a message with its id.
type delivered struct {
	client.Result
	id message.ID
}

func resultOf(id string, r client.Result) (result, error) {
	out := result{ID: id, Output: console.Plain(r.Text()), Gas: "0", Caused: []cause{}, Assignments: r.Assignments}
	if r.GasUsed != nil {
		out.Gas = *r.GasUsed
	}
	if out.Assignments == nil {
		out.Assignments = []json.RawMessage{}
	}
	var err error
	if out.Messages, err = readMessages(r.Messages); err != nil {
		return out, err
	}
	out.Spawns, err = readMessages(r.Spawns)
	return out, err
}

func readMessages(raw []json.RawMessage) ([]sentMessage, error) {
	out := make([]sentMessage, len(raw))
	for i, b := range raw {
		var m struct {
			Target, Data, Anchor json.RawMessage
			Tags                 []struct {
				Name  string
				Value json.RawMessage
			}
		}
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, fmt.Errorf("an entry of the outbox is no message: %s", b)
		}
		out[i] = sentMessage{Target: textOf(m.Target), Data: textOf(m.Data), Anchor: textOf(m.Anchor), Tags: []client.Tag{}}
		for _, t := range m.Tags {
			out[i].Tags = append(out[i].Tags, client.Tag{Name: t.Name, Value: textOf(t.Value)})
		}
	}
	return out, nil
}

// textOf is a JSON value as text: processes may put anything where a text belongs.
func textOf(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// deliver sends a message and waits until everything it causes was evaluated.
func (w *world) deliver(ctx context.Context, key *commitment.Key, m client.Message) (delivered, []cause, error) {
	id, err := w.net.Client.Send(ctx, key, m)
	if err != nil {
		return delivered{}, nil, err
	}
	r, err := w.net.Client.Result(ctx, m.Process, id)
	d := delivered{r, id}
	if err != nil {
		return d, nil, err
	}
	w.post(m.Process.String(), r)
	caused := []cause{}
	if len(r.Messages)+len(r.Spawns)+len(r.Assignments) == 0 {
		return d, caused, nil
	}
	hops, err := w.settle(ctx, id)
	if err != nil {
		return d, nil, err
	}
	for _, h := range hops {
		if h.Slot == nil || h.Process.IsZero() || h.Message.IsZero() || h.Seen {
			continue
		}
		r, err := w.net.Client.Result(ctx, h.Process, h.Message)
		if err != nil {
			return d, nil, err
		}
		c := cause{ID: h.Message.String(), Process: h.Process.String(), Action: h.Action}
		if r.Failed() {
			c.Error = console.ErrorText(r.Text(), nil)
			w.hit(h.Process, r)
		} else {
			c.Output = console.Plain(r.Text())
		}
		if c.Messages, err = readMessages(r.Messages); err != nil {
			return d, nil, err
		}
		w.post(c.Process, r)
		caused = append(caused, c)
	}
	return d, caused, nil
}

// post puts what is for wallets into their inboxes.
func (w *world) post(from string, r client.Result) {
	all, err := readMessages(r.Messages)
	if err != nil {
		return // the test that looks at the result is told
	}
	for _, m := range all {
		for _, k := range w.wallets {
			if a := k.ProcessAddress(); a == m.Target {
				m.From = from
				w.inboxes[a] = append(w.inboxes[a], m)
			}
		}
	}
}

// tick evaluates the ticks that are due of all processes with timers, and waits for all that they cause.
func (w *world) tick(ctx context.Context) error {
	timed := false
	for _, p := range w.spawned {
		for more := p.timed; more; {
			ticks, rest, err := w.net.Client.Ticks(ctx, p.id, p.ticks, ticksAtOnce)
			if err != nil {
				return err
			}
			timed, more = true, rest
			for _, t := range ticks {
				var r client.Result
				if err := json.Unmarshal(t.Node, &r); err != nil {
					return fmt.Errorf("the result of a tick of %s: %w", p.id, err)
				}
				p.ticks = t.Cursor
				w.post(p.id.String(), r)
			}
		}
	}
	if !timed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.o.Settle)
	defer cancel()
	for wait := pollFirst; !w.net.Idle(); wait = min(2*wait, pollMax) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("what the timers caused has not come to an end in %s", w.o.Settle)
		case <-time.After(wait):
		}
	}
	return nil
}

const ticksAtOnce = 500

type hop struct {
	State     string
	From      int
	Process   message.ID
	Message   message.ID
	Slot      *uint64
	Action    string
	Evaluated int64
	Seen      bool
}

// Waiting for what a message causes.
const (
	pollFirst = time.Millisecond
	pollMax   = 20 * time.Millisecond
)

// settle waits until nothing of a chain is on its way, and gives the hops that the message caused, in order.
func (w *world) settle(ctx context.Context, id message.ID) ([]hop, error) {
	ctx, cancel := context.WithTimeout(ctx, w.o.Settle)
	defer cancel()
	for wait := pollFirst; ; wait = min(2*wait, pollMax) {
		raw, err := w.net.Client.Trace(ctx, id)
		if err != nil {
			return nil, err
		}
		var t struct{ Hops []hop }
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, err
		}
		under, open := map[int]bool{}, 0
		var hops []hop
		for i, h := range t.Hops { // a hop stands behind the one that caused it
			if h.From < 0 || !under[h.From] && t.Hops[h.From].Message != id {
				continue
			}
			under[i] = true
			hops = append(hops, h)
			if h.State == "pending" || h.Slot != nil && h.Evaluated == 0 {
				open++
			}
		}
		if len(hops) > 0 && open == 0 {
			return hops, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("what the message caused has not come to an end in %s: %d on their way", w.o.Settle, open)
		case <-time.After(wait):
		}
	}
}

// hit counts a handler that failed: the process forgets that it ran.
func (w *world) hit(process message.ID, r client.Result) {
	name := console.FailedHandler(r.Text())
	if name == "" {
		return
	}
	for _, p := range w.spawned {
		if p.id == process {
			p.hits[name]++
		}
	}
}
