package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"ago/fault"
	"ago/message"
)

// Ticked is the result of a timer, as a compute unit lists it.
type Ticked struct {
	Cursor    string // to read on from
	Timestamp int64  // ms
	Slot      uint64 // after which it comes
	Timer     string // name of the timer, "" for the result of a message
	Node      json.RawMessage
}

// Newest gives the cursor of the newest result of a process, "" if there is none.
func (n *Network) Newest(ctx context.Context, process message.ID) (string, error) {
	var page struct{ Edges []struct{ Cursor string } }
	err := n.get(ctx, "compute unit", n.CU, "/results/"+process.String(), url.Values{"sort": {"DESC"}, "limit": {"1"}}, &page)
	if err != nil || len(page.Edges) == 0 {
		return "", err
	}
	return page.Edges[0].Cursor, nil
}

// Ticks gives the results of timers after a cursor ("" is the beginning), oldest first. The compute unit evaluates what is due.
func (n *Network) Ticks(ctx context.Context, process message.ID, from string, limit int) (ticks []Ticked, more bool, err error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if from != "" {
		q.Set("from", from)
	}
	var page struct {
		PageInfo struct{ HasNextPage bool }
		Edges    []struct {
			Node   json.RawMessage
			Cursor string
		}
	}
	if err := n.get(ctx, "compute unit", n.CU, "/cron/"+process.String(), q, &page); err != nil {
		return nil, false, err
	}
	for _, e := range page.Edges {
		t := Ticked{Cursor: e.Cursor, Node: e.Node}
		if err := t.place(); err != nil {
			return nil, false, err
		}
		ticks = append(ticks, t)
	}
	return ticks, page.PageInfo.HasNextPage, nil
}

// place reads where a cursor is.
func (t *Ticked) place() error {
	bad := func() error {
		return fault.New(fault.Unavailable, "cursor-malformed", "the compute unit gave the cursor %.80q", t.Cursor)
	}
	raw, err := base64.StdEncoding.DecodeString(t.Cursor)
	if err != nil {
		return bad()
	}
	var at struct {
		Timestamp json.Number
		Ordinate  any
		Cron      *string
	}
	if json.Unmarshal(raw, &at) != nil {
		return bad()
	}
	if t.Timestamp, err = at.Timestamp.Int64(); err != nil {
		return bad()
	}
	switch o := at.Ordinate.(type) {
	case string:
		t.Slot, err = strconv.ParseUint(strings.TrimSpace(o), 10, 63)
	case float64:
		t.Slot = uint64(max(o, 0))
	}
	if err != nil {
		return bad()
	}
	if at.Cron != nil {
		t.Timer = *at.Cron
	}
	return nil
}
