package content

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
)

// Remote is a place elsewhere: a node, a gateway. Nothing it says is believed: what it gives is
// checked against the id.
type Remote interface {
	// Name says which one it is, for people.
	Name() string
	// Keeps tells that what it gives is kept on this node by it, so that it need not be kept once more.
	Keeps() bool
	Place
}

// absentMax bounds the ids that are remembered as absent.
const absentMax = 1 << 14

// imports gets messages from remotes: each id once at a time, and one that nobody has not again for a while.
type imports struct {
	remotes  []Remote
	patience time.Duration
	absence  time.Duration
	clock    clock.Clock
	log      *slog.Logger

	mu      sync.Mutex
	flights map[message.ID]*flight
	absent  map[message.ID]time.Time // until when
}

type flight struct {
	done  chan struct{}
	value message.Value
	err   error
}

func newImports(o Options) *imports {
	i := &imports{remotes: o.Remotes, patience: o.Patience, absence: o.Absence, clock: o.Clock, log: o.Log, flights: map[message.ID]*flight{}, absent: map[message.ID]time.Time{}}
	if i.patience == 0 {
		i.patience = 10 * time.Second
	}
	if i.absence == 0 {
		i.absence = 10 * time.Second
	}
	if i.clock == nil {
		i.clock = clock.System{}
	}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	return i
}

// get asks the remotes for an id and keeps what it gets. Who asks for the same at the same time waits for the same answer; it
// does not end because the first of them gave up.
func (i *imports) get(ctx context.Context, c *Contents, id message.ID) (message.Value, error) {
	i.mu.Lock()
	if until, ok := i.absent[id]; ok {
		if i.clock.Now().Before(until) {
			i.mu.Unlock()
			return nil, absent(id.String())
		}
		delete(i.absent, id)
	}
	f, ok := i.flights[id]
	if !ok {
		f = &flight{done: make(chan struct{})}
		i.flights[id] = f
		go i.fly(context.WithoutCancel(ctx), c, id, f)
	}
	i.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "content-unavailable", "%s was not found in time", id)
	}
}

// fly ends in a bounded time: what is checked may need what it links to, and those may, by a lie, lead back.
func (i *imports) fly(ctx context.Context, c *Contents, id message.ID, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, i.patience*time.Duration(len(i.remotes)+1))
	defer cancel()
	f.value, f.err = i.ask(ctx, c, id)
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.flights, id)
	if f.err != nil && fault.KindOf(f.err) == fault.NotFound {
		if len(i.absent) >= absentMax {
			clear(i.absent) // they are asked for once more
		}
		i.absent[id] = i.clock.Now().Add(i.absence)
	}
	close(f.done)
}

func (i *imports) ask(ctx context.Context, c *Contents, id message.ID) (message.Value, error) {
	var failures []error
	for _, r := range i.remotes {
		v, err := i.fetch(ctx, r, id)
		if err != nil {
			if fault.KindOf(err) != fault.NotFound {
				failures = append(failures, err)
				i.log.Debug("a message could not be asked for", "id", id, "from", r.Name(), "error", err)
			}
			continue
		}
		if err := c.admit(ctx, id, v, !r.Keeps()); err != nil {
			failures = append(failures, err)
			i.log.Warn("an answer is not what its id says", "id", id, "from", r.Name(), "error", err)
			continue
		}
		if r.Keeps() {
			return v, nil
		}
		return c.load(ctx, id)
	}
	if len(failures) > 0 {
		return nil, fault.Wrap(errors.Join(failures...), fault.Unavailable, "content-unavailable", "%s is not here, and could not be had from others", id)
	}
	return nil, absent(id.String())
}

func (i *imports) fetch(ctx context.Context, r Remote, id message.ID) (message.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, i.patience)
	defer cancel()
	return r.Fetch(ctx, id)
}

// admit checks what somebody else gave for an id, and keeps it.
func (c *Contents) admit(ctx context.Context, id message.ID, v message.Value, keep bool) error {
	switch v := v.(type) {
	case message.Bytes:
		if message.HashOf([]byte(v)) != id {
			return wrong(id)
		}
	case message.List:
		if v.ID() != id {
			return wrong(id)
		}
	case message.Message:
		if err := c.check(ctx, v); err != nil {
			return err
		}
		if !has(v, id) {
			return wrong(id)
		}
	default:
		return wrong(id)
	}
	if !keep {
		return nil
	}
	_, err := c.Write(ctx, v)
	return err
}

// has tells whether an id is one under which a message is found.
func has(m message.Message, id message.ID) bool {
	if m.Commitments().Len() > commitmentsMax {
		return false
	}
	for _, v := range versions(m) {
		if v.id == id {
			return true
		}
		for _, other := range v.others {
			if other == id {
				return true
			}
		}
	}
	return false
}

func wrong(id message.ID) error {
	return fault.New(fault.Forged, "content-mismatch", "the answer for %s has another id", id)
}
