package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"iter"
	"net/url"
	"strconv"
	"strings"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// PageSize is how many slots are asked for at a time.
const PageSize = 1000

// Part is a message or an assignment as a scheduler shows it.
type Part struct {
	ID    string
	Owner struct {
		Address string
		Key     string
	}
	Data      string
	Tags      []Tag
	Signature string
	Anchor    *string
	Target    string
}

// Edge is one slot as a scheduler shows it. Message is nil for one that was assigned by its id.
type Edge struct {
	Message    *Part
	Assignment Part
}

// Slot is what an assignment says, read from its tags.
type Slot struct {
	Process     message.ID
	Slot        slotlog.Slot
	Message     message.ID // the process itself for slot 0 of a scheduler that names none
	Timestamp   int64
	BlockHeight uint64
	HashChain   message.ID // zero if the scheduler keeps none
	Assignment  message.ID
	Exclude     []string
}

// Read reads the assignment.
func (e Edge) Read() (Slot, error) {
	bad := func(what string) (Slot, error) {
		return Slot{}, fault.New(fault.Unavailable, "assignment-malformed", "the scheduler sent an assignment %s", what)
	}
	var s Slot
	var err error
	if s.Assignment, err = message.ParseID(e.Assignment.ID); err != nil {
		return bad("without an id")
	}
	if s.Process, err = message.ParseID(first(e.Assignment.Tags, "Process")); err != nil {
		return bad("without a Process")
	}
	nonce, err := strconv.ParseUint(first(e.Assignment.Tags, "Nonce"), 10, 63)
	if err != nil {
		return bad("without a Nonce")
	}
	s.Slot = slotlog.Slot(nonce)
	if s.Timestamp, err = strconv.ParseInt(first(e.Assignment.Tags, "Timestamp"), 10, 64); err != nil {
		return bad("without a Timestamp")
	}
	if s.BlockHeight, err = strconv.ParseUint(strings.TrimSpace(first(e.Assignment.Tags, "Block-Height")), 10, 64); err != nil {
		return bad("without a Block-Height")
	}
	if text := first(e.Assignment.Tags, "Hash-Chain"); text != "" {
		if s.HashChain, err = message.ParseID(text); err != nil {
			return bad("with a Hash-Chain that is no hash")
		}
	}
	named := first(e.Assignment.Tags, "Message")
	if e.Message != nil {
		named = e.Message.ID
	}
	if named == "" {
		named = s.Process.String()
	}
	if s.Message, err = message.ParseID(named); err != nil {
		return bad("of a message without an id")
	}
	for _, t := range e.Assignment.Tags {
		if t.Name == "Exclude" {
			s.Exclude = append(s.Exclude, t.Value)
		}
	}
	return s, nil
}

// Chain gives the hash chain's value of the slot after the one whose assignment and value are given.
func Chain(assignment, chain message.ID) message.ID {
	return message.HashOf(append(assignment[:], chain[:]...))
}

// ChainSeed is the value of a process's first slot.
func ChainSeed(process message.ID) message.ID { return message.HashOf(process[:]) }

// Process is what a scheduler says a process was made of.
type Process struct {
	ID    string `json:"process_id"`
	Block string
	Owner struct {
		Address string
		Key     string
	}
	Tags      []Tag
	Timestamp int64
	Data      *string
	Anchor    *string
	Signature *string
	Target    *string
}

// Part gives it as the message it was.
func (p Process) Part() Part {
	part := Part{ID: p.ID, Owner: p.Owner, Tags: p.Tags, Anchor: p.Anchor}
	for _, f := range []struct {
		from *string
		to   *string
	}{{p.Data, &part.Data}, {p.Signature, &part.Signature}, {p.Target, &part.Target}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return part
}

// Process asks the scheduler for a process.
func (n *Network) Process(ctx context.Context, id message.ID) (Process, error) {
	var p Process
	err := n.get(ctx, "scheduler", n.SU, "/processes/"+id.String(), nil, &p)
	return p, err
}

// Slot asks the scheduler for the slot of a message or assignment.
func (n *Network) Slot(ctx context.Context, process, id message.ID) (Edge, error) {
	var e Edge
	err := n.get(ctx, "scheduler", n.SU, "/"+id.String(), n.logQuery(process), &e)
	return e, err
}

// Latest asks the scheduler for the last slot of a process.
func (n *Network) Latest(ctx context.Context, process message.ID) (Edge, error) {
	var e Edge
	err := n.get(ctx, "scheduler", n.SU, "/"+process.String()+"/latest", nil, &e)
	return e, err
}

func (n *Network) logQuery(process message.ID) url.Values {
	q := url.Values{"process-id": {process.String()}}
	if n.Anchors {
		q.Set("show-anchor", "1")
	}
	return q
}

type page struct {
	edges []Edge
	more  bool
	err   error
}

// Log reads the slots of a process that are later than a time in milliseconds (negative: all), page after page. The page
// after the one that is being used is on its way meanwhile.
func (n *Network) Log(ctx context.Context, process message.ID, after int64) iter.Seq2[Edge, error] {
	return func(yield func(Edge, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		next := n.fetch(ctx, process, after)
		for {
			p := <-next
			if p.err != nil {
				yield(Edge{}, p.err)
				return
			}
			if len(p.edges) == 0 {
				return
			}
			if p.more {
				last, err := p.edges[len(p.edges)-1].Read()
				if err != nil {
					yield(Edge{}, err)
					return
				}
				next = n.fetch(ctx, process, last.Timestamp)
			}
			for _, e := range p.edges {
				if !yield(e, nil) {
					return
				}
			}
			if !p.more {
				return
			}
		}
	}
}

func (n *Network) fetch(ctx context.Context, process message.ID, after int64) <-chan page {
	query := n.logQuery(process)
	query.Set("limit", strconv.Itoa(cmp.Or(n.Page, PageSize)))
	if after >= 0 {
		query.Set("from", strconv.FormatInt(after, 10))
	}
	return n.page(ctx, process, query)
}

// Key gives the public key of the signer.
func (p Part) Key() ([]byte, error) { return base64.RawURLEncoding.DecodeString(p.Owner.Key) }

// Exact are the parts of a signed item byte for byte. Schedulers show them as text, in which bytes that are no UTF-8 are lost.
type Exact struct {
	Anchor []byte
	Tags   []ans104.Tag
	Data   []byte
}

// Exact asks the gateway for the parts of an item.
func (n *Network) Exact(ctx context.Context, id message.ID) (Exact, error) {
	var shown struct {
		Anchor string `json:"last_tx"`
		Tags   []Tag
	}
	if err := n.get(ctx, "gateway", n.Gateway, "/tx/"+id.String(), nil, &shown); err != nil {
		return Exact{}, err
	}
	var e Exact
	var err error
	read := func(text string) []byte {
		b, wrong := base64.RawURLEncoding.DecodeString(text)
		if wrong != nil {
			err = fault.Wrap(wrong, fault.Unavailable, "answer-malformed", "the gateway's answer on %s", id)
		}
		return b
	}
	if anchor := read(shown.Anchor); len(anchor) > 0 {
		e.Anchor = anchor
	}
	for _, t := range shown.Tags {
		e.Tags = append(e.Tags, ans104.Tag{Name: string(read(t.Name)), Value: string(read(t.Value))})
	}
	if err != nil {
		return e, err
	}
	e.Data, err = n.Data(ctx, id)
	return e, err
}

// Lossy tells whether the scheduler may show something else than what was signed: a replacement character stands where bytes
// were no UTF-8, and an anchor that is no text is not shown.
func (p Part) Lossy() bool {
	lost := p.Anchor == nil || strings.ContainsRune(p.Data, '\uFFFD')
	for _, t := range p.Tags {
		lost = lost || strings.ContainsRune(t.Name, '\uFFFD') || strings.ContainsRune(t.Value, '\uFFFD')
	}
	return lost
}

// Item puts the signed item together, from the exact parts or, with nil, from the text the scheduler shows. Signature types of
// equal sizes are told apart by which of them holds.
func (p Part) Item(exact *Exact) (*ans104.Item, error) {
	d, err := p.draft(exact)
	if err != nil {
		return nil, err
	}
	owner, err := p.Key()
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "owner-malformed", "the public key of %s", p.ID)
	}
	signature, err := base64.RawURLEncoding.DecodeString(p.Signature)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "signature-malformed", "the signature of %s", p.ID)
	}
	var unlike error
	var last *ans104.Item
	for _, kind := range commitment.KeyTypes() {
		if kind.OwnerSize() != len(owner) || kind.SignatureSize() != len(signature) {
			continue
		}
		it, err := ans104.Rebuild(kind, signature, owner, d)
		if err != nil {
			return nil, err
		}
		if last == nil {
			last = it
		}
		if kind == commitment.RSA || kind == commitment.Ethereum { // sizes that only one type has
			return it, nil
		}
		if unlike = it.Verify(); unlike == nil {
			return it, nil
		}
	}
	if last == nil {
		return nil, fault.New(fault.Unsupported, "signature-type-unknown", "%s is signed in a way this node does not know", p.ID)
	}
	return last, nil
}

func (p Part) draft(exact *Exact) (ans104.Draft, error) {
	var d ans104.Draft
	if p.Target != "" {
		id, err := message.ParseID(p.Target)
		if err != nil {
			return d, fault.Wrap(err, fault.Unavailable, "target-malformed", "the target of %s", p.ID)
		}
		d.Target, d.HasTarget = id, true
	}
	if exact != nil {
		d.Anchor, d.Tags, d.Data = exact.Anchor, exact.Tags, exact.Data
		return d, nil
	}
	d.Data = []byte(p.Data)
	if p.Anchor != nil && *p.Anchor != "" {
		d.Anchor = []byte(*p.Anchor)
		if raw, err := base64.RawURLEncoding.DecodeString(*p.Anchor); err == nil && len(raw) == ans104.AnchorSize && len(d.Anchor) != ans104.AnchorSize {
			d.Anchor = raw
		}
	}
	d.Tags = make([]ans104.Tag, len(p.Tags))
	for i, t := range p.Tags {
		d.Tags[i] = ans104.Tag{Name: t.Name, Value: t.Value}
	}
	return d, nil
}

// Verify checks that the part is signed by its owner and has the id of its signature. Exact parts are what was signed if the
// scheduler shows something else (nil otherwise).
func (p Part) Verify(exact *Exact) error {
	it, err := p.Item(exact)
	if err != nil {
		return err
	}
	if id, err := message.ParseID(p.ID); err != nil || id != it.ID() {
		return fault.New(fault.Forged, "id-mismatch", "the id of %s is not the hash of its signature", p.ID)
	}
	if bytes.Equal(it.Signature, make([]byte, len(it.Signature))) {
		return fault.New(fault.Forged, "signature-missing", "%s is not signed", p.ID)
	}
	return it.Verify()
}
