package node

import (
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/schedule"
	"ago/slotlog"
	"ago/store"
)

// Follow names a process of another scheduler whose log is read into this node, checked, and evaluated.
type Follow struct {
	Process message.ID
	SU      string   // address of the scheduler; "" finds it by the tags of the process at Gateway
	Gateway string   // where bytes that the scheduler cannot show are, and the log itself if the scheduler is gone
	Signers []string // addresses whose assignments count besides those of the scheduler that the process names
	// TrustGateway takes the module on the gateway's word if it does not show the signature, as many do not.
	TrustGateway bool
	// Interval is how often it is asked for new slots; 0: each second.
	Interval time.Duration
}

// Following is how far a followed process is.
type Following struct {
	Process   message.ID   `json:"process"`
	From      string       `json:"from"`      // where the log is read: an address, "" before the first slot
	Read      slotlog.Slot `json:"read"`      // slots that are here
	Known     slotlog.Slot `json:"known"`     // slots that the scheduler has, as far as it said
	Evaluated slotlog.Slot `json:"evaluated"` // slots with a result
	Current   bool         `json:"current"`   // all that the scheduler has is here
	// Refused is why the log is not read on; what came before is here. It is tried again later.
	Refused string `json:"refused,omitempty"`
	Code    string `json:"code,omitempty"`
	Hint    string `json:"hint,omitempty"`    // what to do about what was refused
	Failing string `json:"failing,omitempty"` // why nothing was read last time, or evaluation does not go on for now
}

const (
	takeAtOnce     = 128 // slots of one durable batch
	refusedAgain   = 30 * time.Second
	followInterval = time.Second
)

// mirror follows one process.
type mirror struct {
	n       *Node
	f       Follow
	network *client.Network
	log     *slog.Logger
	// waiting says that nothing is evaluated before the log is here for the first time: only then is it known how far a
	// checkpoint may reach.
	waiting atomic.Bool
	program bool // the module is here, or its gateway gives it with its signature

	mu    sync.Mutex
	state Following
}

func (n *Node) newMirror(f Follow) *mirror {
	if f.Interval <= 0 {
		f.Interval = followInterval
	}
	m := &mirror{n: n, f: f, log: n.c.Log.With("unit", "sync", "process", f.Process),
		network: &client.Network{SU: strings.TrimRight(f.SU, "/"), Gateway: strings.TrimRight(f.Gateway, "/"), Anchors: true},
		state:   Following{Process: f.Process}}
	m.waiting.Store(n.c.Checkpoints.memories(n.c.Key) != nil)
	return m
}

// advance has new slots evaluated.
func (n *Node) advance(p message.ID, next slotlog.Slot) {
	if n.askedFor(p) {
		return
	}
	for _, m := range n.mirrors {
		if m.f.Process == p && m.waiting.Load() {
			return
		}
	}
	n.computer.Advance(p, next)
}

// askedFor tells of a process that another node schedules and that is evaluated as far as somebody asks: its log came by AO-Core.
func (n *Node) askedFor(p message.ID) bool {
	if !n.scheduler.Followed(p) {
		return false
	}
	def, err := n.scheduler.Process(n.background, p)
	return err == nil && !def.Legacy()
}

// Following tells how far the followed processes are.
func (n *Node) Following() []Following {
	var out []Following
	for _, m := range n.mirrors {
		m.mu.Lock()
		s := m.state
		m.mu.Unlock()
		s.Evaluated = n.computer.Evaluated(s.Process)
		if err := n.computer.Failing(s.Process); err != nil && s.Failing == "" {
			s.Failing = err.Error()
			if hint := fault.HintOf(err); hint != "" {
				s.Failing += " (" + hint + ")"
			}
		}
		s.Known = max(s.Known, s.Read)
		out = append(out, s)
	}
	return out
}

// Adopt makes this node the scheduler of a process that it followed. It tells the first slot that it will give.
func (n *Node) Adopt(ctx context.Context, p message.ID) (slotlog.Slot, error) {
	return n.scheduler.Adopt(ctx, p)
}

// run follows until ctx ends.
func (m *mirror) run(ctx context.Context) {
	if head, err := m.n.scheduler.Head(ctx, m.f.Process); err == nil {
		m.note(func(s *Following) { s.Read = head.Next })
	}
	for ctx.Err() == nil {
		wait := m.f.Interval
		err := m.once(ctx)
		if ctx.Err() != nil {
			return
		}
		refused := fault.CodeOf(err) == "slot-refused"
		if (err == nil || refused) && m.waiting.Swap(false) {
			if head, err := m.n.scheduler.Head(ctx, m.f.Process); err == nil {
				m.n.computer.Advance(m.f.Process, head.Next)
			}
		}
		if refused {
			wait = refusedAgain
			m.log.Error("the log is not read on", "err", err)
		} else if err != nil {
			m.log.Warn("the log could not be read", "err", err)
		}
		m.note(func(s *Following) {
			s.Refused, s.Code, s.Hint, s.Failing, s.Current = "", "", "", "", err == nil
			if refused {
				s.Refused, s.Code, s.Hint = err.Error(), innermost(err), fault.HintOf(err)
			} else if err != nil {
				s.Failing = err.Error()
			}
		})
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// innermost is the code of the fault closest to the cause.
func innermost(err error) string {
	code := ""
	for e := (*fault.Error)(nil); errors.As(err, &e); err = e.Cause {
		code = e.Code
	}
	return code
}

func (m *mirror) note(change func(*Following)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.state)
}

// once reads all that is there now: from the scheduler, or if that does not answer from the gateway.
func (m *mirror) once(ctx context.Context) error {
	if err := m.module(ctx); err != nil {
		m.log.Warn("the module could not be taken from the gateway", "err", err)
	}
	err := m.fromScheduler(ctx)
	if err == nil || m.network.Gateway == "" || fault.KindOf(err) != fault.Unavailable && fault.CodeOf(err) != "scheduler-unknown" || ctx.Err() != nil {
		return err
	}
	gone := err
	taken, err := m.fromGateway(ctx)
	if err == nil && taken == 0 {
		return gone // neither has anything new
	}
	if err != nil && fault.CodeOf(err) != "slot-refused" {
		return fault.Wrap(err, fault.KindOf(err), fault.CodeOf(err), "the scheduler: %v; the gateway", gone)
	}
	return err
}

// module brings the module here on the gateway's word, if that was allowed and there is no other way.
func (m *mirror) module(ctx context.Context) error {
	if !m.f.TrustGateway || m.network.Gateway == "" || m.program {
		return nil
	}
	t, err := m.network.Transaction(ctx, m.f.Process)
	if err != nil {
		return err
	}
	id, err := message.ParseID(t.Tag("Module"))
	if err != nil {
		return err
	}
	if _, err := m.n.gateway.Record(ctx, id); err == nil {
		m.program = true
		return nil
	}
	of, err := m.network.Transaction(ctx, id)
	if err != nil {
		return err
	}
	data, err := m.network.Data(ctx, id)
	if err != nil {
		return err
	}
	tags := make([]Tag, len(of.Tags))
	for i, tag := range of.Tags {
		tags[i] = Tag(tag)
	}
	owner, _ := message.ParseID(of.Owner.Address) // one of another kind is left out
	if err := m.n.gateway.Import(ctx, id, tags, data, owner); err != nil {
		return err
	}
	m.program = true
	m.log.Warn("the module is taken on the gateway's word, which shows no signature of it", "module", id)
	return nil
}

func (m *mirror) fromScheduler(ctx context.Context) error {
	su := *m.network
	if su.SU == "" {
		_, base, err := m.network.Locate(ctx, m.f.Process)
		if err != nil {
			return err
		}
		su.SU = base
	}
	head, err := m.n.scheduler.Head(ctx, m.f.Process)
	if err != nil {
		return err
	}
	edge, err := su.Latest(ctx, m.f.Process) // asked again after the interval anyway
	if err == nil {
		if s, err := edge.Read(); err == nil {
			m.note(func(f *Following) { f.Known, f.From = s.Slot+1, su.SU })
			if s.Slot+1 == head.Next && s.Assignment == head.Assignment {
				return nil
			}
		}
	} else if fault.KindOf(err) == fault.Unavailable {
		return err
	} // schedulers of older make do not know the question
	at := int64(-1)
	if head.Next > 0 {
		at = head.Timestamp
	}
	_, err = m.take(ctx, func(yield func(schedule.Foreign, error) bool) {
		for edge, err := range su.Slots(ctx, m.f.Process, head.Next, at) {
			var f schedule.Foreign
			if err == nil {
				f, err = m.items(ctx, edge)
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	})
	return err
}

// take brings slots into the log, batch after batch.
func (m *mirror) take(ctx context.Context, slots iter.Seq2[schedule.Foreign, error]) (taken slotlog.Slot, err error) {
	var batch []schedule.Foreign
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		before, err := m.n.scheduler.Head(ctx, m.f.Process)
		if err != nil {
			return err
		}
		head, err := m.n.scheduler.Take(ctx, m.f.Process, m.f.Signers, batch)
		batch = batch[:0]
		taken += head.Next - before.Next
		m.note(func(s *Following) { s.Read = max(s.Read, head.Next) })
		return err
	}
	for f, err := range slots {
		if err != nil {
			return taken, errors.Join(flush(), err)
		}
		if batch = append(batch, f); len(batch) == takeAtOnce {
			if err := flush(); err != nil {
				return taken, err
			}
		}
	}
	return taken, flush()
}

// items puts together what was signed.
func (m *mirror) items(ctx context.Context, e client.Edge) (schedule.Foreign, error) {
	var f schedule.Foreign
	var err error
	if f.Assignment, err = m.item(ctx, e.Assignment); err != nil || e.Message == nil {
		return f, err
	}
	f.Message, err = m.item(ctx, *e.Message)
	return f, err
}

// item puts a part together. Where it is shown as text that need not be what was signed, the gateway has the bytes.
func (m *mirror) item(ctx context.Context, p client.Part) (*ans104.Item, error) {
	it, err := p.Item(nil)
	if !p.Lossy() {
		return it, err
	}
	if err == nil && it.Verify() == nil {
		return it, nil
	}
	id, err := message.ParseID(p.ID)
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "id-malformed", "message")
	}
	if m.network.Gateway == "" {
		return nil, fault.New(fault.Unsupported, "bytes-missing", "the scheduler shows %s as text that is not what was signed", p.ID).
			WithHint("name a gateway that has its bytes")
	}
	exact, err := again(ctx, func() (client.Exact, error) { return m.network.Exact(ctx, id) })
	if err != nil {
		return nil, err
	}
	if !shows(p, exact) {
		return it, nil // which does not verify, and is refused at its slot
	}
	return p.Item(&exact)
}

// fromGateway reads the log from the assignments on Arweave.
func (m *mirror) fromGateway(ctx context.Context) (slotlog.Slot, error) {
	head, err := m.n.scheduler.Head(ctx, m.f.Process)
	if err != nil {
		return 0, err
	}
	t, err := again(ctx, func() (client.Transaction, error) { return m.network.Transaction(ctx, m.f.Process) })
	if err != nil {
		return 0, err
	}
	owners := append([]string{t.Tag("Scheduler")}, m.f.Signers...)
	return m.take(ctx, func(yield func(schedule.Foreign, error) bool) {
		next, assignment, chain := head.Next, head.Assignment, head.HashChain
		for {
			found, err := again(ctx, func() ([]client.Transaction, error) {
				return m.network.Assignments(ctx, m.f.Process, owners, next, next+client.AssignmentsMax)
			})
			var slots []published
			if err == nil {
				slots = inOrder(m.f.Process, found, next, assignment, chain)
				err = m.messages(ctx, slots)
			}
			if err != nil {
				yield(schedule.Foreign{}, err)
				return
			}
			for _, s := range slots {
				f, err := m.published(ctx, s)
				if !yield(f, err) || err != nil {
					return
				}
				next, assignment, chain = s.Slot.Slot+1, s.Slot.Assignment, s.Slot.HashChain
			}
			m.note(func(f *Following) { f.From = m.network.Gateway })
			if len(slots) < client.AssignmentsMax {
				return
			}
		}
	})
}

// published is a slot as gateways tell of it.
type published struct {
	client.Slot
	assignment client.Transaction
	message    *client.Transaction
}

// inOrder picks of assignments in any order those that follow a slot one after the other. Where there are several for a slot,
// the hash chain decides.
func inOrder(p message.ID, found []client.Transaction, next slotlog.Slot, assignment, chain message.ID) []published {
	bySlot := map[slotlog.Slot][]published{}
	for _, t := range found {
		if s, err := (client.Edge{Assignment: t.Part()}).Read(); err == nil && s.Process == p {
			bySlot[s.Slot] = append(bySlot[s.Slot], published{Slot: s, assignment: t})
		}
	}
	var out []published
	for ; len(bySlot[next]) > 0; next++ {
		want := client.ChainSeed(p)
		if next > 0 {
			want = client.Chain(assignment, chain)
		}
		all := bySlot[next]
		s := all[max(0, slices.IndexFunc(all, func(s published) bool { return s.HashChain == want }))]
		out = append(out, s)
		assignment, chain = s.Assignment, s.HashChain
	}
	return out
}

// messages asks for the messages of slots at once. What is not found was assigned by its id and is no item.
func (m *mirror) messages(ctx context.Context, slots []published) error {
	var ids []message.ID
	for _, s := range slots {
		ids = append(ids, s.Message)
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := again(ctx, func() ([]client.Transaction, error) { return m.network.Transactions(ctx, ids) })
	if err != nil {
		return err
	}
	byID := map[string]*client.Transaction{}
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	for i := range slots {
		slots[i].message = byID[slots[i].Message.String()]
	}
	return nil
}

func (m *mirror) published(ctx context.Context, s published) (schedule.Foreign, error) {
	var f schedule.Foreign
	var err error
	if f.Assignment, err = m.fetched(ctx, s.assignment); err != nil {
		return f, err
	}
	if s.message == nil {
		return f, fault.New(fault.Unavailable, "message-missing", "the gateway has the assignment of slot %d and not its message %s", s.Slot.Slot, s.Message)
	}
	to, _ := message.ParseID(s.message.Recipient)
	if s.Slot.Slot > 0 && to != s.Process {
		return f, nil // one to somebody else was assigned by its id
	}
	f.Message, err = m.fetched(ctx, *s.message)
	return f, err
}

// fetched puts an item together from what a gateway tells of it.
func (m *mirror) fetched(ctx context.Context, t client.Transaction) (*ans104.Item, error) {
	var exact client.Exact
	for _, tag := range t.Tags {
		exact.Tags = append(exact.Tags, Tag(tag))
	}
	if raw, err := base64.RawURLEncoding.DecodeString(t.Anchor); err == nil && len(raw) == ans104.AnchorSize {
		exact.Anchor = raw
	}
	part := t.Part()
	if t.Tag("Type") == "Assignment" { // which has no data, and gateways know nothing of empty data
		if it, err := part.Item(&exact); err == nil && it.Verify() == nil {
			return it, nil
		}
	}
	id, err := message.ParseID(t.ID)
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "id-malformed", "message")
	}
	if exact.Data, err = again(ctx, func() ([]byte, error) { return m.network.Data(ctx, id) }); err != nil {
		return nil, err
	}
	it, err := part.Item(&exact)
	if err == nil && it.Verify() != nil { // GraphQL may show tags and anchors as text, too
		if whole, err := again(ctx, func() (client.Exact, error) { return m.network.Exact(ctx, id) }); err == nil {
			return part.Item(&whole)
		}
	}
	return it, err
}

// ownOutbox leaves out what slots of other schedulers have sent: their messengers push that.
type ownOutbox struct {
	*push.Pusher
	s *schedule.Scheduler
}

func (o ownOutbox) Plan(b *store.Batch, def process.Definition, a process.Assigned, r process.Result) error {
	if a.Slot < o.s.ForeignUntil(a.Process) {
		return nil
	}
	return o.Pusher.Plan(b, def, a, r)
}

func (o ownOutbox) Committed(p message.ID, slot slotlog.Slot) {
	if slot >= o.s.ForeignUntil(p) {
		o.Pusher.Committed(p, slot)
	}
}

var _ compute.Outbox = ownOutbox{}
