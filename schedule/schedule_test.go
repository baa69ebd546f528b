package schedule

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/slotlog/local"
	"ago/store"
	"ago/store/memory"
)

type blocks struct{}

func (blocks) Tip() (uint64, message.ID, int64) { return 1500007, message.ID{7}, 1_700_000_000_000 }

type archive map[message.ID]int

func (a archive) Content(_ context.Context, id message.ID) (process.Content, error) {
	if _, ok := a[id]; !ok {
		return process.Content{}, fault.New(fault.NotFound, "message-unknown", "no %s", id)
	}
	return process.Content{ID: id, Data: []byte("known")}, nil
}

func (a archive) Confirmations(_ context.Context, id message.ID) (int, error) {
	n, ok := a[id]
	if !ok {
		return 0, fault.New(fault.NotFound, "transaction-unknown", "no %s", id)
	}
	return n, nil
}

// flaky is a store whose next writes fail, before or after they are done.
type flaky struct {
	store.Store
	mu     sync.Mutex
	before int
	after  int
}

func (f *flaky) Apply(b *store.Batch, sync bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.before > 0 {
		f.before--
		return errors.New("disk gone")
	}
	err := f.Store.Apply(b, sync)
	if f.after > 0 {
		f.after--
		return errors.New("disk gone after the write")
	}
	return err
}

// fullBlobs is a folder of blobs whose disk is full for the next writes.
type fullBlobs struct {
	store.Blobs
	full atomic.Int32
}

func (b *fullBlobs) Put(ctx context.Context, r io.Reader) (message.ID, int64, error) {
	if b.full.Add(-1) >= 0 {
		return message.ID{}, 0, errors.New("no space left")
	}
	return b.Blobs.Put(ctx, r)
}

type bench struct {
	blobs *fullBlobs
	t     testing.TB
	s     *Scheduler
	st    *flaky
	agent *commitment.Agent
	user  *commitment.Key
	other *commitment.Key
	arch  archive
	clock *clock.Adjustable
}

func open(t testing.TB) *bench {
	t.Helper()
	agent := commitment.NewAgent()
	key := func(seed byte) *commitment.Key {
		k, err := agent.FromSeed(commitment.Ed25519, sha256Of(seed))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	b := &bench{blobs: &fullBlobs{Blobs: memory.NewBlobs()}, t: t, st: &flaky{Store: memory.New()}, agent: agent, user: key(1), other: key(2), arch: archive{},
		clock: clock.NewPaused(time.UnixMilli(1_700_000_000_000))}
	s, err := Open(Config{Log: local.New(b.st, b.blobs), Store: b.st, Key: key(3),
		Clock: b.clock, Blocks: blocks{}, Archive: b.arch})
	if err != nil {
		t.Fatal(err)
	}
	b.s = s
	t.Cleanup(s.Close)
	return b
}

func sha256Of(b byte) []byte {
	h := sha256.Sum256([]byte{b})
	return h[:]
}

func (b *bench) sign(k *commitment.Key, target message.ID, data string, tags ...string) commitment.Verified {
	b.t.Helper()
	d := ans104.Draft{Target: target, HasTarget: !target.IsZero(), Data: []byte(data)}
	for i := 0; i < len(tags); i += 2 {
		d.Tags = append(d.Tags, process.Tag{Name: tags[i], Value: tags[i+1]})
	}
	it, err := ans104.Sign(d, k)
	if err != nil {
		b.t.Fatal(err)
	}
	v, err := commitment.Verify(it.Message())
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *bench) process(tags ...string) commitment.Verified {
	return b.sign(b.user, message.ID{}, "", append([]string{"Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Process",
		"Module", message.ID{9}.String(), "Scheduler", b.s.Address().String()}, tags...)...)
}

func (b *bench) message(k *commitment.Key, p message.ID, data string, tags ...string) commitment.Verified {
	return b.sign(k, p, data, append([]string{"Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message"}, tags...)...)
}

func (b *bench) submit(v commitment.Verified) Receipt {
	b.t.Helper()
	r, err := b.s.Submit(context.Background(), v)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func TestSlotsFollowOneAnotherAndTheChainHolds(t *testing.T) {
	b := open(t)
	p := b.submit(b.process()).Process
	const writers, each = 16, 12
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				b.submit(b.message(b.user, p, fmt.Sprintf("%d.%d", w, i)))
			}
		})
	}
	wg.Wait()
	var prev slotlog.Head
	n := slotlog.Slot(0)
	for a, err := range b.s.Range(context.Background(), p, 0, 1<<40) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Slot != n {
			t.Fatalf("slot %d where %d is due", a.Slot, n)
		}
		if n > 0 && a.Timestamp <= prev.Timestamp {
			t.Fatalf("slot %d: the time does not grow", n)
		}
		want := message.ID(sha256.Sum256(p[:])) // written out, so that the formula is held against another
		if n > 0 {
			want = sha256.Sum256(slices.Concat(prev.Assignment[:], prev.HashChain[:]))
		}
		if a.HashChain != want {
			t.Fatalf("slot %d: hash chain %s, want %s", n, a.HashChain, want)
		}
		as, err := ans104.DecodeItem(a.Assignment)
		if err != nil || as.Verify() != nil {
			t.Fatalf("slot %d: assignment: %v, %v", n, err, as.Verify())
		}
		if v, _ := as.Tag("Nonce"); v != strconv.Itoa(int(n)) {
			t.Fatalf("slot %d: Nonce %q", n, v)
		}
		if v, _ := as.Tag("Block-Height"); v != "000001500007" {
			t.Fatalf("slot %d: Block-Height %q", n, v)
		}
		for _, id := range []message.ID{a.Message, a.AssignmentID} {
			if s, err := b.s.Find(context.Background(), p, id); err != nil || s != n {
				t.Fatalf("Find(%s) = %d, %v; want %d", id, s, err, n)
			}
		}
		prev = slotlog.Head{Timestamp: a.Timestamp, HashChain: a.HashChain, Assignment: a.AssignmentID}
		n++
	}
	if n != writers*each+1 {
		t.Fatalf("%d slots, want %d", n, writers*each+1)
	}
}

// TestRepeatsThatWaitTogetherAreOneMessage: the same item, and the same pushed message by two messengers, in one block.
func TestRepeatsThatWaitTogetherAreOneMessage(t *testing.T) {
	b := open(t)
	p := b.submit(b.process("Authority", b.user.ProcessAddress()+","+b.other.ProcessAddress())).Process
	var wg sync.WaitGroup
	post := func(v commitment.Verified, to *Receipt) {
		wg.Go(func() {
			r, err := b.s.Submit(context.Background(), v)
			if err != nil {
				t.Error(err)
			}
			*to = r
		})
	}
	const idle = -1
	waiting := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			b.s.mu.Lock()
			l := b.s.open[p]
			got := idle
			if l != nil && l.busy {
				got = len(l.waiting)
			}
			b.s.mu.Unlock()
			if got == n {
				return
			}
			if time.Now().After(deadline) {
				b.st.mu.Unlock() // or nothing could be closed
				t.Fatalf("%d requests wait, want %d", got, n)
			}
		}
	}
	b.st.mu.Lock()
	waiting(idle) // the block of the definition is stored, and nobody is at work for the process any more
	var first Receipt
	post(b.message(b.user, p, "first"), &first) // its block is held up, and those behind it become one
	waiting(0)
	m := b.message(b.user, p, "again and again")
	var same [10]Receipt
	for i := range same {
		post(m, &same[i])
	}
	var pushed [2]Receipt
	for i, k := range []*commitment.Key{b.user, b.other} {
		post(b.message(k, p, "pushed", "From-Process", message.ID{5}.String(), "Pushed-For", fmt.Sprint(i)), &pushed[i])
	}
	waiting(len(same) + len(pushed))
	b.st.mu.Unlock()
	wg.Wait()
	fresh := 0
	for _, r := range same {
		if r.Slot != same[0].Slot || r.Assignment != same[0].Assignment {
			t.Errorf("one item has the slots %d and %d", r.Slot, same[0].Slot)
		}
		if !r.Repeated {
			fresh++
		}
	}
	if fresh != 1 || pushed[0].Slot != pushed[1].Slot {
		t.Errorf("%d of equal posts are new; a pushed message has the slots %d and %d", fresh, pushed[0].Slot, pushed[1].Slot)
	}
	if h, _ := b.s.Head(context.Background(), p); h.Next != 4 {
		t.Errorf("%d slots, want 4", h.Next)
	}
}

func TestARepeatAnswersTheFirstAssignment(t *testing.T) {
	b := open(t)
	pv := b.process("Authority", "x,"+b.other.ProcessAddress())
	p := b.submit(pv).Process
	m := b.message(b.user, p, "once")
	first := b.submit(m)
	for _, again := range []Receipt{b.submit(m), b.submit(m)} {
		again.Repeated = false
		if again != first {
			t.Fatalf("%+v, want %+v", again, first)
		}
	}
	if r := b.submit(pv); !r.Repeated || r.Slot != 0 {
		t.Fatalf("a process posted again: %+v", r)
	}
	// The same pushed message, signed by another messenger that the process trusts, is the same message.
	pushed := func(k *commitment.Key, root string) Receipt {
		return b.submit(b.message(k, p, "pushed", "From-Process", message.ID{5}.String(), "Pushed-For", root))
	}
	// A stranger's forgery must not take the place of the real one.
	forged := pushed(b.user, "a")
	real1 := pushed(b.other, "b")
	real2 := pushed(b.other, "c")
	if real1.Slot == forged.Slot || real1.Repeated {
		t.Fatal("a stranger's message took the place of a pushed one")
	}
	if !real2.Repeated || real2.Slot != real1.Slot {
		t.Fatalf("the same pushed message got another slot: %+v", real2)
	}
	if h, _ := b.s.Head(context.Background(), p); h.Next != 4 {
		t.Fatalf("%d slots, want 4", h.Next)
	}
}

func TestWhatIsRefused(t *testing.T) {
	b := open(t)
	p := b.submit(b.process()).Process
	base := []string{"Data-Protocol", "ao", "Type", "Process", "Module", message.ID{9}.String(), "Scheduler", b.s.Address().String()}
	with := func(i int, v string) []string {
		c := append([]string(nil), base...)
		c[i] = v
		return c
	}
	cases := []struct {
		name, code string
		v          commitment.Verified
	}{
		{"a message to a process nobody knows", "process-unknown", b.message(b.user, message.ID{1}, "x")},
		{"no protocol", "data-protocol-missing", b.sign(b.user, p, "x", "Type", "Message")},
		{"no type", "type-unsupported", b.sign(b.user, p, "x", "Data-Protocol", "ao")},
		{"no target", "target-missing", b.sign(b.user, message.ID{}, "x", "Data-Protocol", "ao", "Type", "Message")},
		{"a link", "tag-link", b.message(b.user, p, "x", "Thing+link", "y")},
		{"no module", "tag-missing", b.sign(b.user, message.ID{}, "", append(base[:4:4], base[6:]...)...)},
		{"a module that is no id", "module-id-malformed", b.sign(b.user, message.ID{}, "", with(5, "lua")...)},
		{"another scheduler", "scheduler-is-another", b.sign(b.user, message.ID{}, "", with(7, message.ID{8}.String())...)},
		{"an unknown variant", "variant-unknown", b.sign(b.user, message.ID{}, "", append(with(0, "Data-Protocol"), "Variant", "ao.X.9")...)},
		{"a memory limit that is none", "memory-limit-malformed", b.sign(b.user, message.ID{}, "", append(with(0, "Data-Protocol"), "Memory-Limit", "lots")...)},
	}
	for _, c := range cases {
		if _, err := b.s.Submit(context.Background(), c.v); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v (%s), want %s", c.name, err, fault.CodeOf(err), c.code)
		}
	}
	if h, _ := b.s.Head(context.Background(), p); h.Next != 1 {
		t.Fatalf("refused messages left %d slots", h.Next)
	}
}

func TestAssignGivesAnExistingMessageASlotOnce(t *testing.T) {
	b := open(t)
	p1, p2 := b.submit(b.process()).Process, b.submit(b.process("Settlement-Depth", "3")).Process
	m := b.submit(b.message(b.user, p1, "both"))
	b.arch[m.ID] = 2
	b.clock.Advance(time.Second)
	ctx := context.Background()
	r, err := b.s.Assign(ctx, p2, m.ID, AssignOptions{Exclude: []string{"Data"}})
	if err != nil || r.ID != r.Assignment || r.Slot != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if again, err := b.s.Assign(ctx, p2, m.ID, AssignOptions{}); err != nil || again.ID != r.ID {
		t.Fatalf("assigned twice: %+v, %v", again, err)
	}
	if _, err := b.s.Assign(ctx, p2, message.ID{4}, AssignOptions{}); fault.CodeOf(err) != "message-unknown" {
		t.Fatalf("an unknown message: %v", err)
	}
	if _, err := b.s.Assign(ctx, p2, m.ID, AssignOptions{BaseLayer: true}); fault.CodeOf(err) != "not-settled" {
		t.Fatalf("too few confirmations: %v", err)
	}
	if where, err := b.s.Where(ctx, m.ID); err != nil || len(where) != 2 || where[0].Process != p1 {
		t.Fatalf("places %v, %v", where, err)
	}
	for a, err := range b.s.Range(ctx, p2, 1, 2) {
		if err != nil || !a.ByID || string(a.Content.Data) != "known" || a.Exclude[0] != "Data" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

func TestAnUnknownOutcomeIsSettledBeforeTheNextBlock(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after int
	}{{"lost", 1, 0}, {"stored", 0, 1}} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			p := b.submit(b.process()).Process
			b.st.mu.Lock()
			b.st.before, b.st.after = c.before, c.after
			b.st.mu.Unlock()
			m := b.message(b.user, p, "x")
			_, err := b.s.Submit(context.Background(), m)
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "may still take its slot, and sending the same item again is safe") {
				t.Fatalf("a failed write answered %v", err)
			}
			second := b.submit(b.message(b.user, p, "y"))
			first := b.submit(m)
			if first.Slot != 1 || second.Slot != 2 {
				t.Fatalf("slots %d and %d, want 1 and 2: the signed block must come first", first.Slot, second.Slot)
			}
		})
	}
}

func TestAMessageThatWasRefusedTakesNoSlotLater(t *testing.T) {
	b := open(t)
	p := b.submit(b.process()).Process
	large := b.message(b.user, p, strings.Repeat("x", 300<<10))
	b.blobs.full.Store(1)
	if _, err := b.s.Submit(context.Background(), large); fault.CodeOf(err) != "log-unwritable" || fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("a full disk answered %v", err)
	}
	if r := b.submit(b.message(b.user, p, "next")); r.Slot != 1 {
		t.Fatalf("slot %d, want 1: what was refused must not have a slot", r.Slot)
	}
	if h, err := b.s.Head(context.Background(), p); err != nil || h.Next != 2 {
		t.Fatalf("%d slots, want 2: %v", h.Next, err)
	}
	if r := b.submit(large); r.Slot != 2 || r.Repeated {
		t.Fatalf("sent again: %+v", r)
	}
}

// A block that may be stored has to stay the next one, also if a repeat of it fails before it reaches the store.
func TestABlockOfUnknownOutcomeStaysWhenItsRepeatStoresNothing(t *testing.T) {
	b := open(t)
	p := b.submit(b.process()).Process
	large := b.message(b.user, p, strings.Repeat("x", 300<<10))
	b.st.mu.Lock()
	b.st.after = 1
	b.st.mu.Unlock()
	if _, err := b.s.Submit(context.Background(), large); fault.CodeOf(err) != "log-unsettled" {
		t.Fatalf("a write of unknown outcome answered %v", err)
	}
	b.blobs.full.Store(1)
	if _, err := b.s.Submit(context.Background(), b.message(b.user, p, "a")); fault.CodeOf(err) != "process-unsettled" {
		t.Fatalf("before the block is settled: %v", err)
	}
	if r := b.submit(b.message(b.user, p, "b")); r.Slot != 2 {
		t.Fatalf("slot %d, want 2", r.Slot)
	}
	if r := b.submit(large); r.Slot != 1 || !r.Repeated {
		t.Fatalf("sent again: %+v", r)
	}
}

// Two schedulers of one key on one log: each takes a process over when it is asked, and nobody who sends notices.
func TestASchedulerTakesAProcessOver(t *testing.T) {
	b := open(t)
	p := b.submit(b.process()).Process
	other, err := Open(b.s.c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	const each = 20
	var wg sync.WaitGroup
	for i := range 2 * each { // one after the other, so that each is the owner every second time
		s := []*Scheduler{b.s, other}[i%2]
		r, err := s.Submit(context.Background(), b.message(b.user, p, strconv.Itoa(i)))
		if err != nil || r.Slot != slotlog.Slot(i+1) {
			t.Fatalf("message %d: %+v, %v", i, r, err)
		}
	}
	accepted := atomic.Int64{}
	for i, s := range []*Scheduler{b.s, other} { // at once: a message may be refused, but then it has no slot
		wg.Go(func() {
			for n := range each {
				v := b.message(b.user, p, fmt.Sprint(i, n))
				if _, err := s.Submit(context.Background(), v); err == nil {
					accepted.Add(1)
				} else if fault.KindOf(err) != fault.Unavailable {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if h, err := b.s.Head(context.Background(), p); err != nil || h.Next != slotlog.Slot(1+2*each+accepted.Load()) {
		t.Errorf("the next slot is %d, %v, with %d accepted", h.Next, err, accepted.Load())
	}
}
