package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"ago/client"
	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/node/legacy"
)

// neighbours finds the schedulers of processes that are not scheduled here, as clients do: the process names an address, and
// the newest Scheduler-Location of that address says where it answers.
type neighbours struct {
	network *client.Network
	own     []string // addresses of this scheduler's key
	url     string   // where it answers itself
	clock   clock.Clock
	places  chan struct{} // lookups at a time; further ones are not made

	mu    sync.Mutex
	known map[message.ID]neighbour
}

type neighbour struct {
	url   string // "" : none
	until time.Time
}

const (
	neighboursMax  = 10_000
	neighbourAsks  = 8
	neighbourTime  = 5 * time.Second
	neighbourKnown = 5 * time.Minute
	neighbourNone  = 10 * time.Second // a process may be made, and a location announced, at any time
)

// newNeighbours asks gateways, of which there is one at least. graphQL is where they are asked, whole; "" is /graphql of each. public
// is where the scheduler itself answers.
func newNeighbours(gateways []string, graphQL, public string, key *commitment.Key, k clock.Clock) *neighbours {
	n := &neighbours{
		network: &client.Network{Gateway: gateways[0]}, own: []string{key.Address().String(), key.ProcessAddress()}, url: strings.TrimRight(public, "/"),
		clock: k, places: make(chan struct{}, neighbourAsks), known: map[message.ID]neighbour{},
	}
	if graphQL != "" {
		n.network.GraphQL = []string{graphQL}
	} else {
		for _, g := range gateways {
			n.network.GraphQL = append(n.network.GraphQL, g+"/graphql")
		}
	}
	return n
}

// find is a legacy.Elsewhere.
func (n *neighbours) find(ctx context.Context, p message.ID) string {
	now := n.clock.Now()
	n.mu.Lock()
	k, ok := n.known[p]
	n.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.url
	}
	select {
	case n.places <- struct{}{}:
		defer func() { <-n.places }()
	default: // strangers' ids must not become a flood of questions
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, neighbourTime)
	defer cancel()
	address, base, err := n.network.Locate(ctx, p)
	k = neighbour{until: now.Add(neighbourNone)}
	if err == nil && address != n.own[0] && address != n.own[1] && checkBase(base) && base != n.url {
		k = neighbour{base, now.Add(neighbourKnown)}
	}
	if errors.Is(err, context.Canceled) {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= neighboursMax {
		clear(n.known)
	}
	n.known[p] = k
	return k.url
}

// checkBase tells an address that clients may be sent to.
func checkBase(base string) bool {
	u, err := url.Parse(base)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// routed asks the router whether a new process is this scheduler's. Schedulers behind one router have one wallet, so that it is
// all that keeps two of them from making one process twice.
func (s *SchedulerUnit) routed(c SchedulerConfig, admit legacy.Admit) legacy.Admit {
	return func(r *http.Request, p message.ID, it *ans104.Item) error {
		if err := admit(r, p, it); err != nil || it == nil {
			return err
		}
		if kind, _ := it.Tag("Type"); kind != "Process" {
			return nil
		}
		if _, err := s.scheduler.Process(r.Context(), p); err == nil { // it comes again
			return nil
		}
		place, err := routedTo(r.Context(), c.Router, p)
		if err != nil {
			return err
		}
		base := strings.TrimSuffix(place, fmt.Sprintf("/%s?process-id=%[1]s", p))
		if c.Assignment != "" {
			number, _, found := strings.Cut(strings.TrimPrefix(base, "https://su"), ".")
			if found && number == c.Assignment && strings.HasPrefix(base, "https://su") {
				return nil
			}
		} else if base == strings.TrimRight(cmp.Or(c.PublicURL, s.url), "/") {
			return nil
		}
		if !checkBase(base) {
			return fault.New(fault.Unavailable, "router-broken", "the scheduler router sends process %s to %.200q", p, place)
		}
		return legacy.Moved{URL: base}
	}
}

// routedTo asks a scheduler router for the address of a process's scheduler.
func routedTo(ctx context.Context, router string, p message.ID) (place string, err error) {
	ctx, cancel := context.WithTimeout(ctx, neighbourTime)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/%s?process-id=%[2]s", strings.TrimRight(router, "/"), p), nil)
	if err != nil {
		return "", err
	}
	answer, err := unfollowing.Do(q)
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "router-unreachable", "the scheduler router does not tell whose process %s is", p).(*fault.Error).
			WithHint("send it again in a moment")
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 4096))
	if place = answer.Header.Get("Location"); answer.StatusCode/100 == 3 && place != "" {
		return place, nil
	}
	if answer.StatusCode >= 500 {
		return "", fault.New(fault.Unavailable, "router-unreachable", "the scheduler router answered %d", answer.StatusCode).WithHint("send it again in a moment")
	}
	return "", fault.New(fault.Denied, "process-unrouted", "the scheduler router has given process %s no scheduler", p).
		WithHint("post new processes to the router: %s", router)
}
