package schedule

import (
	"context"
	"slices"
	"strings"
	"sync"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// TakeCore is Take for the log of an AO-Core process: assignments as its scheduler gives them, with their commitments and with
// the scheduled message in the body. Checked are all signatures, that one of signers or a scheduler that the process names
// assigned, slot numbers, times, hash chain and hashpath. What an assignment says is written down anew from what was checked, and
// the signatures have to be over just that: keys that nobody signed are gone.
func (s *Scheduler) TakeCore(ctx context.Context, p message.ID, signers []string, assignments []message.Message) (slotlog.Head, error) {
	turn := s.origins.turn(p)
	turn.Lock()
	defer turn.Unlock()
	head, def, err := s.taken(ctx, p)
	if err != nil {
		return head, err
	}
	if def != nil && def.Legacy() {
		return head, fault.New(fault.Unsupported, "variant-unsupported", "process %s is one of legacy units: its log is read from a legacy scheduler", p)
	}
	t := &takingCore{s: s, p: p, def: def, head: head, signers: signers,
		c: &composed{block: slotlog.Block{Process: p, First: head.Next}, extra: &store.Batch{}, placed: map[message.ID]bool{}}, keys: map[message.ID]bool{}}
	var refused error
	for i, slot := range readAll(assignments) {
		if refused = slot.err; refused == nil {
			refused = t.add(ctx, slot, assignments[i])
		}
		if refused != nil {
			refused = slotRefused(p, t.head.Next, refused)
			break
		}
	}
	return s.takeIn(ctx, t.c, head, t.head, refused)
}

// coreSlot is what an assignment says, with the message in it, whose signatures hold.
type coreSlot struct {
	entry slotlog.Entry
	r     *request
	err   error
}

// readAll reads assignments and checks the messages in them on all cores.
func readAll(assignments []message.Message) []coreSlot {
	out := make([]coreSlot, len(assignments))
	var wg sync.WaitGroup
	const at = 16
	for from := 0; from < len(assignments); from += at {
		wg.Go(func() {
			for i := from; i < min(from+at, len(assignments)); i++ {
				out[i].entry, out[i].r, out[i].err = readCore(assignments[i])
			}
		})
	}
	wg.Wait()
	return out
}

// readCore reads what all schedulers write. Those of HyperBEAM leave the type, and either the hash-chain or the base-hashpath, out.
func readCore(m message.Message) (slotlog.Entry, *request, error) {
	m = m.OnlyCommitted()
	e := slotlog.Entry{Hashpath: m.Text("base-hashpath")}
	bad := func(key string) (slotlog.Entry, *request, error) {
		return e, nil, fault.New(fault.Malformed, "assignment-malformed", "its assignment has no %s that can be read", key)
	}
	if kind := m.Text("type"); kind != "Assignment" && kind != "" {
		return bad("type")
	}
	ids := map[string]*message.ID{"process": &e.Process}
	if m.Text("hash-chain") != "" || e.Hashpath == "" {
		ids["hash-chain"] = &e.HashChain
	}
	for key, to := range ids {
		id, err := message.ParseID(m.Text(key))
		if err != nil {
			return bad(key)
		}
		*to = id
	}
	if id, err := message.ParseID(m.Text("block-hash")); err == nil { // those of real blocks are longer
		e.BlockHash = id
	}
	var slot, height, seconds int64
	for key, to := range map[string]*int64{"slot": &slot, "timestamp": &e.Timestamp, "block-height": &height, "block-timestamp": &seconds} {
		v, _ := m.Get(key)
		n, ok := v.(message.Int)
		if !ok || n < 0 {
			return bad(key)
		}
		*to = int64(n)
	}
	const secondsMax = 1 << 50 // whose milliseconds are a number, too
	if seconds > secondsMax {
		return bad("block-timestamp")
	}
	e.Slot, e.BlockHeight, e.BlockTime = slotlog.Slot(slot), uint64(height), seconds*1000
	v, _ := m.Get(message.KeyBody)
	body, ok := v.(message.Message)
	if !ok {
		return bad(message.KeyBody)
	}
	r, err := readMessage(body)
	if err != nil {
		return e, nil, err
	}
	e.Message, e.Item, e.Form = r.id, r.raw, r.form
	return e, r, nil
}

// readMessage checks a message as one that is submitted, and gives it as it is kept.
func readMessage(body message.Message) (*request, error) {
	if it, ok := ItemIn(body); ok {
		if err := it.Verify(); err != nil {
			return nil, err
		}
		return &request{content: process.ContentOf(it), item: it, raw: it.Raw, id: it.ID(), further: process.IDs(it.Message())[1:]}, nil
	}
	if len(body.Committers()) == 0 {
		return nil, fault.New(fault.Forged, "message-unsigned", "nobody has signed its message")
	}
	if _, err := commitment.VerifyEntries(body); err != nil {
		return nil, err
	}
	if err := process.Vouched(body); err != nil {
		return nil, err
	}
	form, raw, kept, err := process.Keep(body)
	if err != nil {
		return nil, err
	}
	ids := process.IDs(kept)
	return &request{content: process.ContentOfMessage(kept), raw: raw, form: form, id: ids[0], further: ids[1:]}, nil
}

// takingCore is a block of slots of another scheduler's AO-Core process.
type takingCore struct {
	s       *Scheduler
	p       message.ID
	def     *process.Definition
	head    slotlog.Head
	signers []string
	c       *composed
	keys    map[message.ID]bool // ids of messages in this block
}

func (t *takingCore) add(ctx context.Context, slot coreSlot, m message.Message) error {
	e, r := slot.entry, slot.r
	if e.Process != t.p {
		return fault.New(fault.Forged, "process-is-another", "its assignment is one of process %s", e.Process)
	}
	if e.Slot < t.head.Next { // read again
		return t.same(ctx, e)
	}
	if e.Slot != t.head.Next {
		return fault.New(fault.Conflict, "slot-missing", "slot %d comes where slot %d should", e.Slot, t.head.Next)
	}
	if e.Slot == 0 {
		if err := t.begin(r); err != nil {
			return err
		}
	}
	r.def = *t.def
	said, next := e, slotlog.Head{Next: e.Slot + 1, Timestamp: e.Timestamp}
	if _, err := extendCore(&e, &t.head, &next, r); err != nil {
		return err
	}
	signed, own, err := t.derived(&e, r, m)
	if err != nil {
		return err
	}
	if e.Slot > 0 && (e.Timestamp < t.head.Timestamp || e.Timestamp == t.head.Timestamp && own) {
		return fault.New(fault.Conflict, "time-goes-back", "it is of %d ms, and the slot before of %d ms", e.Timestamp, t.head.Timestamp)
	}
	if err := t.follows(&said, &e, own); err != nil {
		return err
	}
	if own {
		signed, err = t.signed(signed, m)
	} else if signed, err = t.signed(m.OnlyCommitted(), m); err == nil {
		e.Assignment, err = process.WriteAssignment(signed)
	}
	if err != nil {
		return err
	}
	if e.ByID || !own { // its id is that of what the scheduler wrote
		chain := e.HashChain
		if _, err := extendCore(&e, &t.head, &next, r); err != nil {
			return err
		}
		e.HashChain = chain
	}
	next.HashChain = e.HashChain
	if err := t.find(ctx, &e, r, signed, next.Assignment); err != nil {
		return err
	}
	t.c.block.Entries = append(t.c.block.Entries, e)
	t.head = next
	return nil
}

// begin reads the definition, which is the message of slot 0.
func (t *takingCore) begin(r *request) error {
	if r.id != t.p {
		return fault.New(fault.Forged, "log-without-process", "the log begins with %s and not with the process", r.id)
	}
	d, err := process.Define(r.content.Message())
	if r.item != nil {
		d, err = process.Define(r.item.Message())
	}
	if err != nil {
		return err
	}
	if d.Legacy() {
		return fault.New(fault.Unsupported, "variant-unsupported", "process %s is one of legacy units: its log is read from a legacy scheduler", t.p)
	}
	t.def = &d
	return nil
}

// commitmentsMax bounds the signatures of one assignment that are checked.
const commitmentsMax = 32

// derived gives the assignment that follows from an entry, and whether that is what the scheduler wrote.
func (t *takingCore) derived(e *slotlog.Entry, r *request, m message.Message) (message.Message, bool, error) {
	if n := m.Commitments().Len(); n > commitmentsMax {
		return m, false, fault.New(fault.TooLarge, "signatures-too-many", "its assignment has %d commitments, and up to %d are read", n, commitmentsMax)
	}
	linked := process.Assigned{Entry: *e, Content: r.content}.CoreLinked()
	if m.Text("path") != linked.Text("path") {
		e.ByID = true // then the message's own path does not count
		linked = process.Assigned{Entry: *e, Content: r.content}.CoreLinked()
	}
	for key, v := range linked.All() {
		switch said, ok := m.Get(key); {
		case !ok:
			e.ByID = false
			return linked, false, nil
		case key == message.KeyBody, key == "hash-chain", key == "base-hashpath": // compared elsewhere
		case !message.Equal(said, v):
			e.ByID = false
			return linked, false, nil
		}
	}
	return linked, true, nil
}

// follows checks that a slot follows from those before it: by the hash chain, the hashpath, or both.
//
// RATIONALE: nodes of HyperBEAM chain the text of the previous value, after they have read it from their store, or its bytes, while they
// remember it; and ids in lower case, where clients had written them so. Each proves the same of what came before.
func (t *takingCore) follows(said, e *slotlog.Entry, own bool) error {
	if !said.HashChain.IsZero() && said.HashChain != e.HashChain {
		before, id := t.head.HashChain, e.Message.String()
		if own || e.Slot == 0 && said.HashChain != process.Chain(nil, strings.ToLower(id)) ||
			e.Slot > 0 && said.HashChain != process.Chain(&before, strings.ToLower(id)) &&
				said.HashChain != process.Chain(nil, before.String()+id) && said.HashChain != process.Chain(nil, before.String()+strings.ToLower(id)) {
			return fault.New(fault.Forged, "hash-chain-invalid", "its hash-chain is %s, and %s follows from the slots before", said.HashChain, e.HashChain)
		}
		e.HashChain = said.HashChain
	}
	if said.Hashpath != "" && said.Hashpath != e.Hashpath {
		return fault.New(fault.Forged, "hashpath-invalid", "its base-hashpath is %.100q, and %q follows from the slots before", said.Hashpath, e.Hashpath)
	}
	return nil
}

// signed gives an assignment with the commitments that came with it, if they are over it and one is of a scheduler of the process.
func (t *takingCore) signed(as, m message.Message) (message.Message, error) {
	var entries []message.Field
	trusted := false
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		signer, err := commitment.VerifyEntry(as, id, entry)
		if err != nil {
			return as, fault.Wrap(err, fault.Forged, "assignment-forged", "its assignment is not what was signed")
		}
		entries = append(entries, message.Field{Key: id, Value: entry})
		if signer.Owner == nil {
			continue // it only names the content
		}
		owner := signer.Address().String()
		trusted = trusted || slices.Contains(t.def.Schedulers, owner) || slices.Contains(t.signers, owner)
	}
	if !trusted {
		return as, fault.New(fault.Forged, "scheduler-is-another", "its assignment is signed by %q, and the process names %s", m.Committers(), t.def.Scheduler).
			WithHint("if that one took the process over, name it as a signer")
	}
	if as.Commitments().Len() == len(entries) {
		return as, nil
	}
	signed := as.With(message.KeyCommitments, message.New(entries...))
	if signed.OnlyCommitted().Len() != signed.Len() {
		return signed, fault.New(fault.Forged, "assignment-forged", "its assignment has keys that the scheduler did not sign")
	}
	return signed, nil
}

// find makes the message and the assignment findable, and keeps the signatures.
func (t *takingCore) find(ctx context.Context, e *slotlog.Entry, r *request, signed message.Message, assignment message.ID) error {
	if _, err := t.s.c.Log.Find(ctx, e.Process, e.Message); err == nil || t.keys[e.Message] {
		e.Again = true
	} else {
		t.keys[e.Message] = true
	}
	if r.item != nil {
		if _, pushed := r.item.Tag("From-Process"); pushed && t.def.Trusts(r.item.ProcessAddress()) {
			h := ans104.DedupHash(r.item)
			key := message.HashOf(h[:])
			if _, err := t.s.c.Log.Find(ctx, e.Process, key); err != nil && !t.keys[key] {
				e.DedupKey, t.keys[key] = key, true
			}
		}
		if t.s.c.Index != nil {
			var index store.Batch
			if err := t.s.c.Index.Index(&index, r.item, message.ID{}); err != nil {
				return err
			}
			t.c.extra.Add(&index)
		}
	}
	if !e.Again {
		if err := t.s.place(t.c, *e, r, assignment); err != nil {
			return err
		}
	}
	if e.Assignment != nil { // its signatures are kept with it
		t.c.extra.Set(placeKey(signed.SignedID(), e.Process), encodePlace(e.Slot, e.Timestamp))
		return nil
	}
	return keepSignature(t.c.extra, process.Assigned{Entry: *e, AssignmentID: assignment}, signed)
}

// same compares a slot that is read again.
func (t *takingCore) same(ctx context.Context, e slotlog.Entry) error {
	for have, err := range t.s.c.Log.Range(ctx, e.Process, e.Slot, e.Slot+1) {
		if err != nil {
			return err
		}
		if e.Hashpath == "" {
			e.Hashpath = have.Hashpath
		}
		if e.HashChain.IsZero() {
			e.HashChain = have.HashChain
		}
		if e.Repeats(&have) {
			return nil
		}
	}
	return fault.New(fault.Conflict, "slot-differs", "slot %d was another one before", e.Slot)
}
