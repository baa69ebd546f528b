package schedule

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// Processes of other schedulers. Their logs can be taken over, slot after slot, into this node's log. Until such a process is
// adopted this scheduler gives it no slots. The table of origins has process -> first slot of this scheduler.

// Foreign is a slot that another scheduler gave.
type Foreign struct {
	Assignment *ans104.Item
	Message    *ans104.Item // nil if the message was assigned by its id
}

// notAdopted is the first own slot of a process whose scheduler is another one.
const notAdopted = slotlog.Slot(math.MaxUint64)

const originsMax = 4096 // processes remembered

// origins remembers which processes are of other schedulers.
type origins struct {
	mu    sync.Mutex
	known map[message.ID]origin
	turns map[message.ID]*sync.Mutex
}

func originKey(p message.ID) []byte { return append([]byte{store.TableOrigins}, p[:]...) }

// ForeignUntil is the first slot of a process that this scheduler gave or will give: 0 unless another one began it, and the
// largest number before it is adopted and after it was handed over. A store that cannot be read counts as not adopted.
func (s *Scheduler) ForeignUntil(p message.ID) slotlog.Slot {
	o, err := s.origin(p)
	if err != nil {
		return notAdopted
	}
	return o.first
}

func (o *origins) remember(p message.ID, of origin) {
	if o.known == nil || len(o.known) >= originsMax {
		o.known = map[message.ID]origin{}
	}
	o.known[p] = of
}

// turn lets one caller at a time change a foreign process.
func (o *origins) turn(p message.ID) *sync.Mutex {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.turns == nil {
		o.turns = map[message.ID]*sync.Mutex{}
	}
	if o.turns[p] == nil {
		o.turns[p] = &sync.Mutex{}
	}
	return o.turns[p]
}

// Followed tells whether a process is another scheduler's.
func (s *Scheduler) Followed(p message.ID) bool { return s.ForeignUntil(p) == notAdopted }

// Take checks slots of another scheduler and appends them: signatures, that one of signers assigned (the scheduler that the
// process names is always one of them), slot numbers and hash chain. The first one that does not hold is refused with
// "slot-refused", which names it; those before it are taken, and nothing behind it. Slots that are there already have to be
// the same ones.
func (s *Scheduler) Take(ctx context.Context, p message.ID, signers []string, slots []Foreign) (slotlog.Head, error) {
	turn := s.origins.turn(p)
	turn.Lock()
	defer turn.Unlock()
	head, def, err := s.taken(ctx, p)
	if err != nil {
		return head, err
	}
	broken := verifyAll(slots)
	t := &taking{s: s, def: def, head: head, signers: signers, c: &composed{block: slotlog.Block{Process: p, First: head.Next}, extra: &store.Batch{}}, keys: map[message.ID]bool{}}
	var refused error
	for i, f := range slots {
		if refused = broken[i]; refused == nil {
			refused = t.add(ctx, p, f)
		}
		if refused != nil {
			refused = slotRefused(p, t.head.Next, refused)
			break
		}
	}
	return s.takeIn(ctx, t.c, head, t.head, refused)
}

// taken gives how far the log of another scheduler's process was taken, and its definition if that is here. p has its turn.
func (s *Scheduler) taken(ctx context.Context, p message.ID) (slotlog.Head, *process.Definition, error) {
	head, err := s.c.Log.Head(ctx, p)
	if err != nil {
		return head, nil, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", p)
	}
	if head.Next == 0 {
		return head, nil, nil
	}
	if !s.Followed(p) {
		return head, nil, fault.New(fault.Conflict, "process-own", "process %s is scheduled by this node: its log is not another scheduler's", p)
	}
	d, err := s.Process(ctx, p)
	return head, &d, err
}

// slotRefused says which slot of another scheduler does not hold.
func slotRefused(p message.ID, slot slotlog.Slot, cause error) error {
	return &fault.Error{Kind: fault.KindOf(cause), Code: "slot-refused", Cause: cause,
		Text: "slot " + strconv.FormatUint(uint64(slot), 10) + " of process " + p.String() + " is refused",
		Hint: "nothing from there on is used; the log may be right where it is read from next time"}
}

// takeIn appends slots that were checked, with what they are found by, and gives the head after them and why there are no more.
func (s *Scheduler) takeIn(ctx context.Context, c *composed, before, after slotlog.Head, refused error) (slotlog.Head, error) {
	if len(c.block.Entries) == 0 {
		return before, refused
	}
	p := c.block.Process
	var err error
	if c.block.Epoch, err = s.epoch(ctx, p); err != nil {
		return before, fault.Wrap(err, fault.Unavailable, "log-unowned", "process %s cannot be taken over", p)
	}
	if before.Next == 0 {
		c.extra.Set(originKey(p), origin{first: notAdopted}.encode())
	}
	c.block.Head = after
	if err := s.append(ctx, &lane{process: p}, c); err != nil {
		return before, err
	}
	if before.Next == 0 {
		s.origins.mu.Lock()
		s.origins.remember(p, origin{first: notAdopted})
		s.origins.mu.Unlock()
	}
	return after, refused
}

// verifyAll checks the signatures on all cores.
func verifyAll(slots []Foreign) []error {
	errs := make([]error, len(slots))
	var wg sync.WaitGroup
	const at = 16
	for from := 0; from < len(slots); from += at {
		wg.Go(func() {
			for i := from; i < min(from+at, len(slots)); i++ {
				if errs[i] = slots[i].Assignment.Verify(); errs[i] == nil && slots[i].Message != nil {
					errs[i] = slots[i].Message.Verify()
				}
			}
		})
	}
	wg.Wait()
	return errs
}

// taking is a block of foreign slots.
type taking struct {
	s       *Scheduler
	def     *process.Definition
	head    slotlog.Head
	signers []string
	c       *composed
	keys    map[message.ID]bool // ids and further keys of messages in this block
}

// chainedSince is the block from which on the network's assignments carry a hash chain.
const chainedSince = 1_440_000

func (t *taking) add(ctx context.Context, p message.ID, f Foreign) error {
	e, err := t.read(p, f)
	if err != nil {
		return err
	}
	if e.Slot < t.head.Next { // read again
		return t.same(ctx, e)
	}
	if e.Slot != t.head.Next {
		return fault.New(fault.Conflict, "slot-missing", "slot %d comes where slot %d should", e.Slot, t.head.Next)
	}
	if want := chain(p, t.head); e.HashChain.IsZero() && e.BlockHeight < chainedSince {
		e.HashChain = want
	} else if e.HashChain != want {
		return fault.New(fault.Forged, "hash-chain-invalid", "its Hash-Chain is %s, and %s follows from the slots before", e.HashChain, want)
	}
	if e.Timestamp < t.head.Timestamp {
		return fault.New(fault.Conflict, "time-goes-back", "it is of %d ms, and the slot before of %d ms", e.Timestamp, t.head.Timestamp)
	}
	if err := t.keyed(ctx, &e, f); err != nil {
		return err
	}
	as := f.Assignment.ID()
	where := encodePlace(e.Slot, e.Timestamp)
	if !e.Again {
		t.c.extra.Set(placeKey(e.Message, p), where)
	}
	t.c.extra.Set(placeKey(as, p), where)
	for _, it := range []*ans104.Item{f.Message, f.Assignment} {
		if it == nil || t.s.c.Index == nil {
			continue
		}
		var index store.Batch
		if err := t.s.c.Index.Index(&index, it, message.ID{}); err != nil {
			return err
		}
		t.c.extra.Add(&index)
	}
	t.c.block.Entries = append(t.c.block.Entries, e)
	t.head = slotlog.Head{Next: e.Slot + 1, Timestamp: e.Timestamp, HashChain: e.HashChain, Assignment: as}
	return nil
}

// read reads what the items say, and checks that they belong together.
func (t *taking) read(p message.ID, f Foreign) (slotlog.Entry, error) {
	bad := func(kind fault.Kind, format string, args ...any) (slotlog.Entry, error) {
		return slotlog.Entry{}, fault.New(kind, "assignment-malformed", format, args...)
	}
	as := f.Assignment
	tag := func(name string) string {
		v, _ := as.Tag(name)
		return v
	}
	e := slotlog.Entry{Process: p, Assignment: as.Raw, Exclude: as.TagValues("Exclude"), ByID: f.Message == nil}
	if tag("Type") != "Assignment" || tag("Process") != p.String() {
		return bad(fault.Malformed, "its assignment %s is of Type %q and process %q", as.ID(), tag("Type"), tag("Process"))
	}
	nonce, err := strconv.ParseUint(tag("Nonce"), 10, 62)
	if err == nil {
		e.Timestamp, err = strconv.ParseInt(tag("Timestamp"), 10, 64)
	}
	if err == nil {
		e.BlockHeight, err = strconv.ParseUint(strings.TrimSpace(tag("Block-Height")), 10, 64)
	}
	if text := tag("Hash-Chain"); err == nil && text != "" {
		e.HashChain, err = message.ParseID(text)
	}
	if err != nil {
		return bad(fault.Malformed, "its assignment %s: %v", as.ID(), err)
	}
	e.Slot = slotlog.Slot(nonce)
	named := tag("Message")
	switch {
	case f.Message != nil:
		e.Message, e.Item = f.Message.ID(), f.Message.Raw
		if named != "" && named != e.Message.String() || named == "" && e.Slot != 0 {
			return bad(fault.Forged, "its assignment is of the message %q, and it comes with %s", named, e.Message)
		}
	default:
		if e.Message, err = message.ParseID(named); err != nil {
			return bad(fault.Malformed, "its assignment names no message")
		}
	}
	if e.Slot == 0 && t.head.Next == 0 {
		if err := t.begin(p, f); err != nil {
			return e, err
		}
	} else if f.Message != nil && (e.Slot != 0 || e.Message != p) && (!f.Message.HasTarget || f.Message.Target != p) {
		return bad(fault.Forged, "its message %s is one to another process", e.Message)
	}
	if t.def == nil {
		return bad(fault.Unsupported, "the log does not begin with the Process")
	}
	if owner := as.Address().String(); owner != t.def.Scheduler && !slices.Contains(t.signers, owner) {
		return e, fault.New(fault.Forged, "scheduler-is-another", "it was assigned by %s, and the process names %s", owner, t.def.Scheduler).
			WithHint("if that one took the process over, name it with --signer")
	}
	return e, nil
}

// begin reads the definition, which is the message of slot 0.
func (t *taking) begin(p message.ID, f Foreign) error {
	if f.Message == nil || f.Message.ID() != p {
		return fault.New(fault.Unsupported, "log-without-process", "the log does not begin with the Process itself").
			WithHint("logs of this older form can be evaluated with `ago cu`")
	}
	d, err := process.Define(f.Message.Message())
	if err != nil {
		return err
	}
	if !d.Legacy() {
		return fault.New(fault.Unsupported, "variant-unsupported", "logs of processes of Variant %s cannot be taken over", d.Variant)
	}
	t.def = &d
	return nil
}

// same compares a slot that is read again, be it one of this block.
func (t *taking) same(ctx context.Context, e slotlog.Entry) error {
	if first := t.c.block.First; e.Slot >= first {
		have := &t.c.block.Entries[e.Slot-first]
		if e.HashChain.IsZero() {
			e.HashChain = have.HashChain
		}
		if e.Repeats(have) {
			return nil
		}
		return slotDiffers(e.Slot)
	}
	for have, err := range t.s.c.Log.Range(ctx, e.Process, e.Slot, e.Slot+1) {
		if err != nil {
			return err
		}
		if e.HashChain.IsZero() {
			e.HashChain = have.HashChain
		}
		if e.Repeats(&have) {
			return nil
		}
	}
	return slotDiffers(e.Slot)
}

func slotDiffers(slot slotlog.Slot) error {
	return fault.New(fault.Conflict, "slot-differs", "slot %d was another one before", slot)
}

// keyed decides by which keys a repeat of the message is found. Logs of other schedulers may have a message twice: the first
// slot keeps its key.
func (t *taking) keyed(ctx context.Context, e *slotlog.Entry, f Foreign) error {
	used := func(key message.ID) (bool, error) {
		if t.keys[key] {
			return true, nil
		}
		_, err := t.s.c.Log.Find(ctx, e.Process, key)
		if errors.Is(err, slotlog.ErrNotFound) {
			t.keys[key] = true
			return false, nil
		}
		return err == nil, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", e.Process)
	}
	var err error
	if e.Again, err = used(e.Message); err != nil || e.Again || f.Message == nil {
		return err
	}
	if _, pushed := f.Message.Tag("From-Process"); pushed && t.def.Trusts(f.Message.ProcessAddress()) {
		h := ans104.DedupHash(f.Message)
		key := message.HashOf(h[:])
		there, err := used(key)
		if err != nil {
			return err
		}
		if !there {
			e.DedupKey = key
		}
	}
	return nil
}

// Adopt makes this scheduler the one that gives a followed process its next slots. The hash chain goes on. It tells the first
// slot that it will give.
func (s *Scheduler) Adopt(ctx context.Context, p message.ID) (slotlog.Slot, error) {
	turn := s.origins.turn(p)
	turn.Lock()
	defer turn.Unlock()
	head, err := s.c.Log.Head(ctx, p)
	if err != nil {
		return 0, fault.Wrap(err, fault.Unavailable, "log-unreadable", "the log of process %s cannot be read", p)
	}
	if head.Next == 0 {
		return 0, fault.New(fault.NotFound, "process-unknown", "the log of process %s is not here", p).WithHint("bring it here with `ago sync` or `ago import`")
	}
	o, err := s.origin(p)
	if err != nil {
		return 0, err
	}
	if o.first != notAdopted {
		return o.first, nil
	}
	if o.to != "" && head.Next <= o.slots {
		return 0, fault.New(fault.Conflict, "term-over", "process %s was handed over from here to %s", p, o.to).
			WithHint("to get it back, let that scheduler hand it over to this one")
	}
	return head.Next, s.setOrigin(p, origin{first: head.Next, term: o.term})
}

// elsewhere refuses a message for a process that another scheduler orders.
func (s *Scheduler) elsewhere(p message.ID) error {
	o, err := s.origin(p)
	if err != nil {
		return err
	}
	if o.first != notAdopted {
		return nil
	}
	if o.to != "" {
		// Not for good: a messenger that comes again may have been told by then.
		return fault.New(fault.Unavailable, "process-handed-over", "process %s was handed over to the scheduler at %s", p, o.to).
			WithHint("send the message there")
	}
	return fault.New(fault.Denied, "process-followed", "process %s is only followed here: another scheduler gives its slots", p).
		WithHint("send the message there; if that scheduler is gone, `ago adopt %s` makes this node the scheduler", p)
}
