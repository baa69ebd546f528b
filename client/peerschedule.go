package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// Schedule gives assignments of a process, from <= slot <= to, as the node has them, and whether there are more: at most a page.
// Nothing of it is checked. It fails with NotFound ("peer-lacks") if the node does not know the process.
func (p Peer) Schedule(ctx context.Context, process message.ID, from, to slotlog.Slot) (assignments []message.Message, more bool, err error) {
	q := url.Values{"from": {strconv.FormatUint(uint64(from), 10)}, "to": {strconv.FormatUint(uint64(to), 10)}}
	status, _, m, err := p.ask(ctx, http.MethodGet, "/"+process.String()+"~process@1.0/schedule?"+q.Encode(), []message.Header{{Name: "accept-bundle", Value: "true"}}, nil)
	if err != nil {
		return nil, false, err
	}
	switch status {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, false, fault.New(fault.NotFound, "peer-lacks", "the node at %s does not have the schedule of %s", p.URL, process)
	default:
		return nil, false, fault.New(fault.Unavailable, "peer-refused", "the node at %s answered %d", p.URL, status)
	}
	v, _ := m.Get("assignments")
	all, _ := v.(message.Message)
	for slot := from; slot <= to; slot++ {
		v, ok := all.Get(strconv.FormatUint(uint64(slot), 10))
		if !ok {
			break
		}
		a, ok := v.(message.Message)
		if !ok {
			return nil, false, fault.New(fault.Unavailable, "answer-malformed", "the node at %s shows slot %d as something else than an assignment", p.URL, slot)
		}
		assignments = append(assignments, a)
	}
	v, _ = m.Get("continues")
	return assignments, v == message.Atom("true") && len(assignments) > 0, nil
}

// redirectsMax is how often one message is sent on to another scheduler.
const redirectsMax = 3

// Submit has a signed message scheduled on a process, or spawns it if the message is its definition, and gives the assignment that
// the node answers, unchecked. Redirects to the scheduler of the process are followed. It fails with Unsupported
// ("legacy-scheduler") if only a data item will do; an answer that may be lost is Unavailable: the same message again gets the same
// slot.
func (p Peer) Submit(ctx context.Context, process message.ID, m message.Message) (message.Message, error) {
	var headers []message.Header
	var body []byte
	if it, ok := ans104.ItemOf(m); ok {
		headers = append(headers, message.Header{Name: "content-type", Value: "application/ans104"}, message.Header{Name: "codec-device", Value: ans104.Codec})
		body = it.Raw
	} else {
		w, ok := httpsig.WireOf(m)
		if !ok {
			var err error
			if w, err = httpsig.Encode(m, message.Nested); err != nil {
				return message.Message{}, err
			}
		}
		headers = append(headers, w.Headers...)
		body = w.Body
	}
	path := "/" + process.String() + "~process@1.0/schedule"
	if m.Text("type") == "Process" || m.Text("Type") == "Process" {
		path = "/~process@1.0/schedule"
	}
	// The message may say in which form its sender wants an answer; this one is for the node.
	path += "?accept-bundle=true&require-codec=" + httpsig.Codec
	for range redirectsMax + 1 {
		status, header, got, err := p.ask(ctx, http.MethodPost, path, headers, body)
		switch {
		case err != nil:
			return got, err
		case status < http.StatusMultipleChoices:
			return got, nil
		case status == http.StatusTemporaryRedirect:
			to, err := url.Parse(header.Get("Location"))
			if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
				return got, fault.New(fault.Unavailable, "redirect-malformed", "the node at %s redirects to %.100q", p.URL, header.Get("Location"))
			}
			p.URL = to.Scheme + "://" + to.Host
		default:
			return got, p.declined(status, header)
		}
	}
	return message.Message{}, fault.New(fault.Looped, "redirects-too-many", "the schedulers of process %s redirect to each other", process)
}

// declined reads why a node does not take a message.
func (p Peer) declined(status int, header http.Header) error {
	kind := fault.Unavailable
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized:
		kind = fault.Malformed
	case http.StatusForbidden:
		kind = fault.Denied
	case http.StatusNotFound:
		kind = fault.NotFound
	case http.StatusConflict:
		kind = fault.Conflict
	case http.StatusRequestEntityTooLarge:
		kind = fault.TooLarge
	case http.StatusUnprocessableEntity:
		return fault.New(fault.Unsupported, "legacy-scheduler", "Process resides on legacy scheduler. Message must be signed with ANS-104.").WithHint("send it as a data item")
	case http.StatusTooManyRequests:
		kind = fault.TooMany
	}
	reason := header.Get("Reason")
	if reason == "" {
		reason = http.StatusText(status)
	}
	return fault.New(kind, "peer-refused", "the node at %s answered %d: %.300s", p.URL, status, reason)
}

// Location gives the record of where a scheduler answers, as the node has it, unchecked. It fails with NotFound ("peer-lacks").
func (p Peer) Location(ctx context.Context, address string) (message.Message, error) {
	q := url.Values{"address": {address}}
	status, _, m, err := p.ask(ctx, http.MethodGet, "/~scheduler@1.0/location?"+q.Encode(), []message.Header{{Name: "accept-bundle", Value: "true"}}, nil)
	if err != nil {
		return m, err
	}
	v, _ := m.Get(message.KeyBody)
	record, ok := v.(message.Message)
	if status != http.StatusOK || !ok {
		return m, fault.Wrap(errors.New(http.StatusText(status)), fault.NotFound, "peer-lacks", "the node at %s does not know where the scheduler %.50s is", p.URL, address)
	}
	return record, nil
}
