package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"ago/message"
)

// upstream asks other gateways.
type upstream struct {
	hosts  []string
	client *http.Client
}

func (u *upstream) open(hosts []string, client *http.Client) { u.hosts, u.client = hosts, client }

// remote gives a record that another gateway knows.
func (g *Gateway) remote(ctx context.Context, id message.ID) (*Record, error) {
	return nil, unknown(id)
}

// remoteAmong gives the records that a query names by id, that are not known here, and that another gateway told.
func (g *Gateway) remoteAmong(ctx context.Context, q *Query) ([]*Record, error) {
	return nil, nil
}

// edge is a record on a page.
type edge struct {
	cursor string
	rec    *Record
}

// pageWith gives a page of local records and of those another gateway told. The latter stand where the oldest records do,
// by their own heights, so that no cursor moves when one of them is fetched.
func (g *Gateway) pageWith(ctx context.Context, q Query, remote []*Record, after *message.ID) (page []edge, more bool, err error) {
	slices.SortFunc(remote, func(a, b *Record) int {
		c := int(int64(height(a) - height(b)))
		if c == 0 {
			c = strings.Compare(string(a.ID[:]), string(b.ID[:]))
		}
		if !q.Ascending {
			c = -c
		}
		return c
	})
	if after != nil {
		at := slices.IndexFunc(remote, func(r *Record) bool { return r.ID == *after })
		remote = remote[at+1:]
	}
	size := q.First
	addRemote := func() {
		for _, r := range remote {
			if len(page) == size {
				more = true
				return
			}
			page = append(page, edge{remoteCursor(r.ID), r})
		}
	}
	if q.Ascending && q.After == nil {
		addRemote()
	}
	if !more && (q.Ascending || after == nil) {
		q.First = size - len(page)
		found, rest, err := g.Search(ctx, q)
		if err != nil {
			return nil, false, err
		}
		for _, f := range found {
			page = append(page, edge{cursor(f.Cursor), f.Record})
		}
		more = rest
	}
	if !q.Ascending && !more {
		addRemote()
	}
	return page, more, nil
}

func height(r *Record) uint64 {
	if r.Block == nil {
		return 1<<63 - 1
	}
	return r.Block.Height
}
