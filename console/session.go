// Package console is where people talk to a process: they type Lua, and see what it prints, answers and gets.
package console

import (
	"context"
	"encoding/json"
	"fmt"

	"strings"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Session is a process and who talks to it.
type Session struct {
	Network *client.Network
	Key     *commitment.Key
	Process message.ID
	Name    string // of the process, "" if it has none
	Owner   string // who may evaluate: an address or a process
	Timeout time.Duration

	last message.ID // the newest message of this session, or of those that sent something, if one did
	sent bool
}

// Answer is what an evaluation gave.
type Answer struct {
	Message message.ID // zero for a question that was not sent
	Text    string     // what it printed and returned
	Prompt  string     // "" if the process gives none
	Failed  bool       // Text is an error then
	Result  client.Result
}

// Open finds the process that a name or an id means. With a name that the key has no process of it answers NotFound and
// "process-unknown".
func Open(ctx context.Context, n *client.Network, key *commitment.Key, name string) (*Session, error) {
	s := &Session{Network: n, Key: key}
	if id, err := message.ParseID(name); err == nil {
		s.Process = id
	} else {
		found, err := n.Processes(ctx, key.Address(), name)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fault.New(fault.NotFound, "process-unknown", "you have no process named %q", name)
		}
		if s.Process, err = message.ParseID(found[0].ID); err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "answer-malformed", "the gateway's answer")
		}
	}
	return s, s.describe(ctx)
}

// describe asks the scheduler whose process it is.
func (s *Session) describe(ctx context.Context) error {
	p, err := s.Network.Process(ctx, s.Process)
	if err != nil {
		return err
	}
	s.Owner = p.Owner.Address
	for _, t := range p.Tags {
		switch t.Name {
		case "Name":
			s.Name = t.Value
		case "From-Process":
			s.Owner = t.Value
		}
	}
	return nil
}

// Create makes a process.
func Create(ctx context.Context, n *client.Network, key *commitment.Key, name string, p client.Spawn) (*Session, error) {
	p.Tags = append([]ans104.Tag{{Name: "App-Name", Value: "ago"}, {Name: "Name", Value: name}}, p.Tags...)
	id, err := n.Spawn(ctx, key, p)
	if err != nil {
		return nil, err
	}
	return &Session{Network: n, Key: key, Process: id, Name: name, Owner: key.Address().String()}, nil
}

// Own tells whether the process evaluates what the key signs. Lines to others' processes are asked, not sent.
func (s *Session) Own() bool { return s.Owner == s.Key.Address().String() }

const timeoutDefault = 2 * time.Minute

func (s *Session) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	t := s.Timeout
	if t == 0 {
		t = timeoutDefault
	}
	return context.WithTimeout(ctx, t)
}

// Eval has the process evaluate a text and waits for the result.
func (s *Session) Eval(ctx context.Context, text string) (Answer, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	if !s.Own() {
		return s.ask(ctx, text)
	}
	id, err := s.Network.Send(ctx, s.Key, client.Message{
		Process: s.Process, Data: []byte(text), Anchor: anchor(), Tags: []ans104.Tag{{Name: "Action", Value: "Eval"}},
	})
	if err != nil {
		return Answer{}, err
	}
	if !s.sent {
		s.last = id
	}
	r, err := s.Network.Result(ctx, s.Process, id)
	if err != nil {
		return Answer{Message: id}, err
	}
	if len(r.Messages)+len(r.Spawns)+len(r.Assignments) > 0 {
		s.last, s.sent = id, true
	}
	a := answerOf(r)
	a.Message = id
	return a, nil
}

// Ask has the process evaluate a text without keeping anything of it.
func (s *Session) Ask(ctx context.Context, text string) (Answer, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	return s.ask(ctx, text)
}

func (s *Session) ask(ctx context.Context, text string) (Answer, error) {
	r, err := s.Network.DryRun(ctx, client.Message{
		Process: s.Process, Data: []byte(text), Tags: []ans104.Tag{{Name: "Action", Value: "Eval"}},
	}, s.Owner)
	if err != nil {
		return Answer{}, err
	}
	return answerOf(r), nil
}

// anchor makes two equal lines two messages.
func anchor() []byte { return fmt.Appendf(nil, "%032d", time.Now().UnixNano()) }

// output is the part of a result that is for people. Older processes nest the text once more.
type output struct {
	Data   json.RawMessage `json:"data"`
	Prompt string          `json:"prompt"`
	Print  bool            `json:"print"`
}

func readOutput(raw json.RawMessage) (text string, o output) {
	if json.Unmarshal(raw, &text) == nil {
		return text, output{}
	}
	if json.Unmarshal(raw, &o) != nil { // an empty list, or what no aos gives
		return "", output{}
	}
	if json.Unmarshal(o.Data, &text) == nil {
		return text, o
	}
	var nested struct {
		Output json.RawMessage `json:"output"`
		Prompt string          `json:"prompt"`
	}
	if json.Unmarshal(o.Data, &nested) == nil && len(nested.Output) > 0 {
		if json.Unmarshal(nested.Output, &text) != nil {
			text = string(nested.Output)
		}
		if o.Prompt == "" {
			o.Prompt = nested.Prompt
		}
	}
	return text, o
}

func answerOf(r client.Result) Answer {
	text, o := readOutput(r.Output)
	a := Answer{Text: text, Prompt: o.Prompt, Failed: r.Failed(), Result: r}
	if a.Failed {
		if json.Unmarshal(r.Error, &a.Text) != nil {
			a.Text = string(r.Error)
		}
	}
	return a
}

// Event is a message that the process got from somebody else.
type Event struct {
	Message message.ID
	From    string
	Action  string
	Text    string // what the process printed on it, or the error
	Prompt  string
	Failed  bool
	Slot    uint64
}

// Follower knows what a process got that was told already.
type Follower struct {
	s           *Session
	after, seen int64 // time and slot of the newest that was told; negative for none
}

// From gives a follower that tells what the process gets from now on.
func (s *Session) From(ctx context.Context) (*Follower, error) {
	f := &Follower{s: s, after: -1, seen: -1}
	e, err := s.Network.Latest(ctx, s.Process)
	if err != nil {
		return nil, err
	}
	slot, err := e.Read()
	if err != nil {
		return nil, err
	}
	f.after, f.seen = slot.Timestamp, int64(slot.Slot)
	return f, nil
}

// Next tells what came in since the last call: messages on which the process printed something, and those it failed on. The
// session's own lines are left out.
func (f *Follower) Next(ctx context.Context, tell func(Event)) error {
	for e, err := range f.s.Network.Log(ctx, f.s.Process, f.after) {
		if err != nil {
			return err
		}
		slot, err := e.Read()
		if err != nil {
			return err
		}
		if int64(slot.Slot) <= f.seen {
			continue
		}
		r, err := f.s.Network.Result(ctx, f.s.Process, slot.Message)
		if err != nil {
			return err
		}
		f.after, f.seen = slot.Timestamp, int64(slot.Slot)
		if ev, worth := f.s.event(e, r); worth {
			ev.Slot, ev.Message = uint64(slot.Slot), slot.Message
			tell(ev)
		}
	}
	return nil
}

// behindMax is how many messages of one round are looked at: more than that nobody reads, and asking for all results would
// never end on a busy process.
const behindMax = 500

// Follow tells until ctx ends, and asks anew after every interval. Networks that do not answer are asked again.
func (s *Session) Follow(ctx context.Context, every time.Duration, tell func(Event)) {
	var f *Follower
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if f == nil {
			f, _ = s.From(ctx)
		} else if now, err := s.From(ctx); err == nil && now.seen-f.seen > behindMax {
			tell(Event{Text: fmt.Sprintf("%d messages went by unseen", now.seen-f.seen)})
			f = now
		} else {
			f.Next(ctx, tell)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Session) event(e client.Edge, r client.Result) (Event, bool) {
	var ev Event
	if e.Message != nil {
		ev.From = e.Message.Owner.Address
		for _, t := range e.Message.Tags {
			switch t.Name {
			case "From-Process":
				ev.From = t.Value
			case "Action":
				ev.Action = t.Value
			}
		}
	}
	if ev.Action == "Eval" && ev.From == s.Owner && s.Own() {
		return ev, false // a line of this session, or of another one of the same owner
	}
	text, o := readOutput(r.Output)
	ev.Text, ev.Prompt, ev.Failed = text, o.Prompt, r.Failed()
	if ev.Failed {
		ev.Text = r.Text()
		return ev, true
	}
	return ev, o.Print && strings.TrimSpace(text) != ""
}

// short is an id as people tell it from others.
func short(id string) string {
	if len(id) < 12 {
		return id
	}
	return id[:3] + "…" + id[len(id)-3:]
}
