package schedule

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// request is one message that waits for its slot.
type request struct {
	content process.Content // empty if assigned by id
	item    *ans104.Item    // nil if the message is none
	raw     []byte          // as it is stored
	form    slotlog.Form
	def     process.Definition // of the process
	spawn   bool               // the message is the definition
	id      message.ID         // of the message
	further []message.ID       // other ids of it
	dedup   message.ID         // further key of repeats, zero if none
	byID    bool
	remove  []string // fields left out, for a message assigned by id
	// horizon asks for no slot, but for the time before which none will be given any more.
	horizon bool
	signed  bool // whoever asks will read the assignment, signed
	done    chan outcome
}

type outcome struct {
	receipt Receipt
	err     error
}

// Submit gives a verified Process or Message the next slot of the process it is or names. A repeat of a message answers the
// first receipt and changes nothing. Errors are those of SubmitTo.
func (s *Scheduler) Submit(ctx context.Context, v commitment.Verified) (Receipt, error) {
	return s.submit(ctx, message.ID{}, v, false)
}

// SubmitTo is Submit for a message that need not name its process; one that does is taken by no other. Data items go to every
// process, other messages to all but those of legacy units, which could not verify them: that fails with Unsupported
// ("legacy-scheduler"). What not every signer of a message vouches for is left out. It is for callers who go on to read the
// Assignment, which is signed and kept together with the slot where that takes no time to speak of.
func (s *Scheduler) SubmitTo(ctx context.Context, p message.ID, v commitment.Verified) (Receipt, error) {
	return s.submit(ctx, p, v, s.c.Key.Type() == commitment.Ed25519)
}

func (s *Scheduler) submit(ctx context.Context, p message.ID, v commitment.Verified, signed bool) (Receipt, error) {
	m := v.Message()
	if it, ok := ItemIn(m); ok {
		return s.submitItem(ctx, p, it, signed)
	}
	if len(m.Committers()) == 0 {
		return Receipt{}, fault.New(fault.Malformed, "message-unsigned", "Message is not valid.").
			WithHint("send a data item or a signed HTTP message: a message that nobody signed gets no slot")
	}
	if err := s.unanswered(m); err != nil {
		return Receipt{}, err
	}
	if err := process.Vouched(m); err != nil {
		return Receipt{}, err
	}
	form, raw, kept, err := process.Keep(m) // what is scheduled is what will be read back
	if err != nil {
		return Receipt{}, err
	}
	ids := process.IDs(kept)
	r := &request{content: process.ContentOfMessage(kept), raw: raw, form: form, id: ids[0], further: ids[1:], signed: signed, done: make(chan outcome, 1)}
	if process.IsDefinition(kept) {
		d, err := process.Define(kept)
		if err != nil {
			return Receipt{}, err
		}
		return s.spawn(ctx, p, d, r)
	}
	if p, err = target(p, r.content); err != nil {
		return Receipt{}, err
	}
	d, err := s.Process(ctx, p)
	if err != nil {
		return Receipt{}, err
	}
	if d.Legacy() {
		return Receipt{}, fault.New(fault.Unsupported, "legacy-scheduler",
			"Process resides on legacy scheduler. Message must be signed with ANS-104.").WithHint("send it as a data item")
	}
	r.def = d
	return s.enqueue(ctx, p, r)
}

// unanswered refuses a message that somebody signed as an answer: it says what anybody asked a node to say, and not what the node
// says to a process, which may trust it to tell who a message is from.
func (s *Scheduler) unanswered(m message.Message) error {
	for _, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		who := entry.Text("committer")
		if who == "" {
			continue
		}
		list, _ := entry.Get("committed")
		keys, _ := list.(message.List)
		tagged, own := httpsig.Tagged(entry), who == s.c.Key.Address().String()
		status := slices.Contains(keys, message.Value(message.Bytes("status"))) // which every answer has
		if own && (tagged || status) || tagged && (status || slices.Contains([]string{"answer", "commit"}, entry.Text("tag"))) {
			return fault.New(fault.Denied, "message-is-an-answer", "the message is an answer of %s to somebody, which gets no slot", who).
				WithHint("sign a message of your own, with the answer in its body")
		}
	}
	return nil
}

// ItemIn finds the data item that a message is: it came as one, or a data item is all that was signed of it.
func ItemIn(m message.Message) (*ans104.Item, bool) {
	if it, ok := ans104.ItemOf(m); ok {
		return it, true
	}
	var found *ans104.Item
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		if entry.Text("committer") == "" {
			continue
		}
		if found != nil || entry.Text("commitment-device") != ans104.Codec {
			return nil, false
		}
		it, err := ans104.FromCommitment(m, entry)
		if err != nil || it.ID().String() != id {
			return nil, false
		}
		found = it
	}
	return found, found != nil
}

func (s *Scheduler) submitItem(ctx context.Context, p message.ID, it *ans104.Item, signed bool) (Receipt, error) {
	r := &request{content: process.ContentOf(it), item: it, raw: it.Raw, id: it.ID(), signed: signed, done: make(chan outcome, 1)}
	if isProcess(it) {
		d, err := process.Define(it.Message())
		if d.Legacy() {
			if err := check(it); err != nil {
				return Receipt{}, err
			}
		}
		if err != nil {
			return Receipt{}, err
		}
		return s.spawn(ctx, p, d, r)
	}
	to, err := target(p, r.content)
	if err != nil {
		if missing := check(it); p.IsZero() && missing != nil {
			return Receipt{}, missing
		}
		return Receipt{}, err
	}
	d, err := s.Process(ctx, to)
	if err != nil || d.Legacy() {
		if err := check(it); err != nil {
			return Receipt{}, err
		}
	}
	if err != nil {
		return Receipt{}, err
	}
	r.def = d
	if !d.Legacy() {
		r.further = process.IDs(it.Message())[1:]
	}
	// The further key leaves out the signer, so only a signer that the process trusts may claim it: anybody else
	// could take the place of a message that is still to be pushed.
	if _, pushed := it.Tag("From-Process"); pushed && d.Trusts(it.ProcessAddress()) {
		h := ans104.DedupHash(it)
		r.dedup = message.HashOf(h[:])
	}
	return s.enqueue(ctx, to, r)
}

// spawn gives a definition the first slot of the process that it is.
func (s *Scheduler) spawn(ctx context.Context, p message.ID, d process.Definition, r *request) (Receipt, error) {
	if !p.IsZero() && p != d.ID {
		return Receipt{}, fault.New(fault.Malformed, "target-is-another", "the definition of process %s cannot be scheduled on %s", d.ID, p).
			WithHint("send it without a process in the path")
	}
	if own := s.c.Key.Address().String(); !slices.Contains(d.Schedulers, own) {
		return Receipt{}, fault.New(fault.Denied, "scheduler-is-another", "the Process names the scheduler %s", d.Scheduler).
			WithHint("this scheduler's address is %s", own)
	}
	if s.c.Admit != nil {
		if err := s.c.Admit(ctx, d); err != nil {
			return Receipt{}, err
		}
	}
	r.def, r.spawn = d, true
	if !d.Legacy() {
		r.further = process.IDs(d.Message())[1:]
	}
	return s.enqueue(ctx, d.ID, r)
}

// target gives the process of a message: the one it names, which may come with a hint where that is, or the one it was sent to.
func target(p message.ID, c process.Content) (message.ID, error) {
	text := c.Target
	if text == "" {
		text = c.Key("target")
	}
	if i := strings.IndexAny(text, "?&"); i >= 0 {
		text = text[:i]
	}
	if text == "" {
		if p.IsZero() {
			return p, fault.New(fault.Malformed, "target-missing", "a Message needs a target").
				WithHint("set the target to the id of the process")
		}
		return p, nil
	}
	named, err := message.ParseID(text)
	if err != nil {
		return p, fault.New(fault.NotFound, "process-unknown", "process %.60q is not scheduled here", text).
			WithHint("the target is the id of a process, 43 characters")
	}
	if !p.IsZero() && p != named {
		return p, fault.New(fault.Malformed, "target-is-another", "the message is signed for process %s, not for %s", named, p).
			WithHint("sign it with the target it is sent to, or without one")
	}
	return named, nil
}

// isProcess tells whether an item defines a process.
func isProcess(it *ans104.Item) bool {
	for _, t := range it.Tags {
		if strings.EqualFold(t.Name, "Type") && (t.Value == "Process" || t.Value == "Message") {
			return t.Value == "Process"
		}
	}
	return false
}

// check applies the rules that every item for a process of legacy units must keep.
func check(it *ans104.Item) error {
	protocol, kind := false, ""
	for _, t := range it.Tags {
		if strings.HasSuffix(t.Name, "+link") || strings.HasSuffix(t.Value, "+link") {
			return fault.New(fault.Malformed, "tag-link", "the tag %q holds a link", t.Name).
				WithHint("a data item carries its values itself")
		}
		switch {
		case t.Name == "Data-Protocol" && t.Value == "ao":
			protocol = true
		case t.Name == "Type" && kind == "" && (t.Value == "Process" || t.Value == "Message"):
			kind = t.Value
		}
	}
	if !protocol {
		return fault.New(fault.Malformed, "data-protocol-missing", "the tag Data-Protocol must be ao").
			WithHint("add the tag Data-Protocol: ao and sign the item again")
	}
	if kind == "" {
		return fault.New(fault.Malformed, "type-unsupported", "the tag Type must be Process or Message").
			WithHint("add the tag Type: Message and sign the item again")
	}
	if kind == "Message" && !it.HasTarget {
		return fault.New(fault.Malformed, "target-missing", "a Message needs a target").
			WithHint("set the target to the id of the process")
	}
	return nil
}

// AssignOptions says how a message is assigned by its id.
type AssignOptions struct {
	BaseLayer bool     // it is a transaction of the base layer and must be settled there
	Exclude   []string // fields the process is not to see
}

// settlementDefault is the depth a base-layer transaction needs if the process names none.
const settlementDefault = 20

// Assign gives a message that exists already a slot in a process. A repeat answers the first receipt.
func (s *Scheduler) Assign(ctx context.Context, p, id message.ID, o AssignOptions) (Receipt, error) {
	d, err := s.Process(ctx, p)
	if err != nil {
		return Receipt{}, err
	}
	r := &request{def: d, id: id, byID: true, remove: o.Exclude, done: make(chan outcome, 1)}
	if o.BaseLayer {
		depth := settlementDefault
		if v, ok := d.Tag("Settlement-Depth"); ok {
			if n, err := strconv.Atoi(v); err == nil && n >= 0 {
				depth = n
			}
		}
		n, err := s.c.Archive.Confirmations(ctx, id)
		if err != nil {
			return Receipt{}, err
		}
		if n < depth {
			return Receipt{}, fault.New(fault.Conflict, "not-settled", "transaction %s has %d confirmations, process %s asks for %d", id, n, p, depth).
				WithHint("assign it again when more blocks have passed")
		}
	}
	switch _, err := s.Find(ctx, p, id); {
	case o.BaseLayer:
	case !d.Legacy():
		if r.content, err = s.content(ctx, id); err != nil {
			return Receipt{}, err
		}
		r.id = r.content.ID // it may be known by several
	case err != nil:
		if _, err := s.c.Archive.Content(ctx, id); err != nil {
			return Receipt{}, err
		}
	}
	got, err := s.enqueue(ctx, p, r)
	got.ID = got.Assignment
	return got, err
}

func (s *Scheduler) enqueue(ctx context.Context, p message.ID, r *request) (Receipt, error) {
	if err := s.elsewhere(p); err != nil {
		return Receipt{}, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return Receipt{}, fault.New(fault.Unavailable, "stopping", "the scheduler is stopping").WithHint("send the message again in a moment")
	}
	l := s.open[p]
	if l == nil {
		l = &lane{process: p}
		s.open[p] = l
	}
	if len(l.waiting) >= waitingMax {
		s.mu.Unlock()
		return Receipt{}, fault.New(fault.TooMany, "process-queue-full", "%d messages wait for process %s", waitingMax, p).
			WithHint("send the message again in a second")
	}
	l.waiting = append(l.waiting, r)
	if !l.busy {
		l.busy = true
		s.wg.Add(1)
		go s.drain(l)
	}
	s.mu.Unlock()
	select {
	case o := <-r.done:
		return o.receipt, o.err
	case <-ctx.Done():
		return Receipt{}, fault.Wrap(ctx.Err(), fault.Unavailable, "scheduling-cut-off", "nobody waits for the slot any more").(*fault.Error).
			WithHint("send the same item again: it gets its slot once")
	}
}

func (s *Scheduler) epoch(ctx context.Context, p message.ID) (slotlog.Epoch, error) {
	s.epochMu.Lock()
	defer s.epochMu.Unlock()
	part := slotlog.PartitionOf(p)
	if e, ok := s.epochs[part]; ok {
		return e, nil
	}
	e, err := s.c.Log.Acquire(ctx, part)
	if err == nil {
		s.epochs[part] = e
	}
	return e, err
}
