package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// Slots reads the slots of a process from a number on, page after page; at is the time of the slot before, in milliseconds,
// for schedulers that know pages by time only (negative: none). Pages may be of any size, may say that more follow when
// nothing does, and may begin with slots from before: those are left out. The next page is on its way while one is used, so
// that at most two are in memory.
func (n *Network) Slots(ctx context.Context, process message.ID, from slotlog.Slot, at int64) iter.Seq2[Edge, error] {
	return func(yield func(Edge, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		byTime := false
		query := func() url.Values {
			q := n.logQuery(process)
			q.Set("limit", strconv.Itoa(PageSize))
			if byTime {
				if at >= 0 {
					q.Set("from", strconv.FormatInt(at, 10))
				}
			} else {
				q.Set("from-nonce", strconv.FormatInt(int64(from)-1, 10))
			}
			return q
		}
		next := n.page(ctx, process, query())
		for {
			p := <-next
			if p.err != nil {
				yield(Edge{}, p.err)
				return
			}
			fresh, last, err := since(p.edges, from)
			if err != nil {
				yield(Edge{}, err)
				return
			}
			if len(p.edges) > 0 && len(fresh) == 0 && p.more && !byTime {
				// It answered from the beginning as if no number was given: older schedulers know no numbers.
				byTime = true
				next = n.page(ctx, process, query())
				continue
			}
			if len(fresh) > 0 {
				from, at = last.Slot+1, last.Timestamp
			}
			if p.more && len(fresh) > 0 {
				next = n.page(ctx, process, query())
			}
			for _, e := range fresh {
				if !yield(e, nil) {
					return
				}
			}
			if !p.more || len(fresh) == 0 {
				return
			}
		}
	}
}

// since leaves out the slots at the front of a page that are before a number, and reads the last one.
func since(edges []Edge, from slotlog.Slot) ([]Edge, Slot, error) {
	for i, e := range edges {
		s, err := e.Read()
		if err != nil {
			return nil, s, err
		}
		if s.Slot >= from {
			last, err := edges[len(edges)-1].Read()
			if err == nil && last.Slot < from {
				err = fault.New(fault.Conflict, "slot-missing", "the scheduler sent slot %d behind slot %d", last.Slot, s.Slot)
			}
			return edges[i:], last, err
		}
	}
	return nil, Slot{}, nil
}

func (n *Network) page(ctx context.Context, process message.ID, query url.Values) <-chan page {
	c := make(chan page, 1)
	go func() {
		p, err := n.readPage(ctx, process, query)
		p.err = err
		c <- p
	}()
	return c
}

func (n *Network) readPage(ctx context.Context, process message.ID, query url.Values) (page, error) {
	var answer struct {
		PageInfo struct {
			HasNextPage bool `json:"has_next_page"`
		} `json:"page_info"`
		Edges []struct{ Node Edge }
	}
	if err := n.get(ctx, "scheduler", n.SU, "/"+process.String(), query, &answer); err != nil {
		return page{}, err
	}
	p := page{more: answer.PageInfo.HasNextPage, edges: make([]Edge, len(answer.Edges))}
	for i, e := range answer.Edges {
		p.edges[i] = e.Node
	}
	return p, nil
}
