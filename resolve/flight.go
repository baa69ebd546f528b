package resolve

import (
	"context"
	"sync"

	"ago/budget"
	"ago/fault"
)

// flights are the answers that are being worked out and that others may wait for.
type flights struct {
	mu sync.Mutex
	by map[string]*flight
}

// flight is one of them. What it gives is set before done is closed.
type flight struct {
	leader   *trail
	done     chan struct{}
	next     at
	consumed int
	err      error
}

// unfinished is what those who wait get if working it out breaks off.
var unfinished = fault.New(fault.Internal, "answer-unfinished", "working out the answer broke off")

func newFlights() *flights { return &flights{by: map[string]*flight{}} }

// flightName says what the answer may be shared under: the name that the device gives, or the hashpath of an answer that is kept.
func (q *question) flightName(ctx context.Context) string {
	if group := q.device.Group; group != nil && !inSession(ctx) {
		c := q.prepare(ctx, &frame{trail: q.trail, parent: q.frame, depth: q.depth + 1, how: q.how, device: q.device, key: q.key})
		if name := group(c, q.base, q.req); name != "" {
			return "g/" + q.device.Name + "/" + q.key + "/" + name
		}
	}
	if q.name != "" && q.policy.store {
		return "p/" + q.name
	}
	return ""
}

// share waits for an answer that is under way, or works it out for all who wait. A request never waits for itself, be it through
// others: it works the answer out alone then.
func (fs *flights) share(ctx context.Context, q *question, name string) (at, int, error) {
	for {
		fs.mu.Lock()
		fl, ok := fs.by[name]
		if !ok {
			fl = &flight{leader: q.trail, done: make(chan struct{}), err: unfinished}
			fs.by[name] = fl
			fs.mu.Unlock()
			return fs.lead(ctx, q, name, fl)
		}
		if q.waits != nil || fl.waitsFor(q.trail) {
			fs.mu.Unlock()
			return q.run(ctx)
		}
		q.waits = fl
		fs.mu.Unlock()
		select {
		case <-fl.done:
		case <-ctx.Done():
		}
		fs.mu.Lock()
		q.waits = nil
		fs.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return at{}, 0, overtime(err)
		}
		if fault.CodeOf(fl.err) == "resolve-given-up" || budget.Crowded(fl.err) {
			continue // whoever worked it out went away, or had no memory left; that is not our end
		}
		q.stage.Shared = true
		q.shared.Add(1)
		return fl.next, fl.consumed, fl.err
	}
}

// waitsFor tells whether a flight can only land after the request has: its own leader, or one that its leader waits for.
func (fl *flight) waitsFor(t *trail) bool {
	for ; fl != nil; fl = fl.leader.waits {
		if fl.leader == t {
			return true
		}
	}
	return false
}

func (fs *flights) lead(ctx context.Context, q *question, name string, fl *flight) (at, int, error) {
	defer func() {
		fs.mu.Lock()
		delete(fs.by, name)
		fs.mu.Unlock()
		close(fl.done)
	}()
	fl.next, fl.consumed, fl.err = q.run(ctx)
	if ctx.Err() != nil && fl.err != nil {
		fl.err = overtime(ctx.Err())
	}
	return fl.next, fl.consumed, fl.err
}
