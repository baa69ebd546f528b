package compute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"testing"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
	"ago/store/memory"
)

// schedule is a log in memory.
type schedule struct {
	mu   sync.Mutex
	logs map[message.ID][]process.Assigned
	defs map[message.ID]process.Definition
}

func (s *schedule) Process(_ context.Context, p message.ID) (process.Definition, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.defs[p]
	if !ok {
		return d, fault.New(fault.NotFound, "process-unknown", "no process %s", p)
	}
	return d, nil
}

func (s *schedule) Range(_ context.Context, p message.ID, from, to slotlog.Slot) iter.Seq2[process.Assigned, error] {
	return func(yield func(process.Assigned, error) bool) {
		for n := from; n < to; n++ {
			s.mu.Lock()
			log := s.logs[p]
			s.mu.Unlock()
			if int(n) >= len(log) || !yield(log[n], nil) {
				return
			}
		}
	}
}

func (s *schedule) Find(_ context.Context, p, id message.ID) (slotlog.Slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.logs[p] {
		if a.Message == id {
			return slotlog.Slot(i), nil
		}
	}
	return 0, fault.New(fault.NotFound, "message-unknown", "no message %s", id)
}

func (s *schedule) Next(_ context.Context, p message.ID) (slotlog.Slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slotlog.Slot(len(s.logs[p])), nil
}

// spawn adds a process whose boot message is slot 0.
func (s *schedule) spawn(t testing.TB, name, format string, tags ...process.Tag) message.ID {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	it, err := ans104.Sign(ans104.Draft{Data: []byte("0"), Tags: append([]process.Tag{{Name: "Type", Value: "Process"}, {Name: "Name", Value: name},
		{Name: "Module", Value: message.HashOf([]byte(format)).String()}, {Name: "Scheduler", Value: "x"},
		{Name: "Memory-Limit", Value: "1-gb"}, {Name: "Compute-Limit", Value: "9000000000000"}}, tags...)}, k)
	if err != nil {
		t.Fatal(err)
	}
	d, err := process.Define(it.Message())
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.defs[d.ID] = d
	s.mu.Unlock()
	s.add(d.ID, "0")
	return d.ID
}

func (s *schedule) add(p message.ID, data string) message.ID {
	s.mu.Lock()
	n := len(s.logs[p])
	s.mu.Unlock()
	return s.addAt(p, data, process.Moment{Timestamp: int64(1000 + 10*n), Height: 5})
}

func (s *schedule) addAt(p message.ID, data string, at process.Moment) message.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.logs[p])
	id := p
	if n > 0 {
		id = message.HashOf(fmt.Appendf(nil, "%s %d", p, n))
	}
	s.logs[p] = append(s.logs[p], process.Assigned{
		Entry:   slotlog.Entry{Process: p, Slot: slotlog.Slot(n), Message: id, Timestamp: at.Timestamp, BlockHeight: at.Height},
		Content: process.Content{ID: id, Data: []byte(data), Owner: "o"}})
	return id
}

type modules struct{}

func (modules) Module(_ context.Context, id message.ID) (process.Module, error) {
	for _, f := range []string{"counting", "strange"} {
		if message.HashOf([]byte(f)) == id {
			return process.Module{ID: id, Format: f, Bytes: func(context.Context) ([]byte, error) { return []byte(f), nil }}, nil
		}
	}
	return process.Module{}, fault.New(fault.NotFound, "module-unknown", "no module %s", id)
}

// outbox notes the slots whose consequences were planned and committed.
type outbox struct {
	mu                 sync.Mutex
	planned, committed map[string]int
}

func (o *outbox) Plan(b *store.Batch, d process.Definition, a process.Assigned, _ process.Result) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.planned[fmt.Sprint(d.ID, a.Slot)]++
	b.Set(append([]byte{store.TableTasks}, fmt.Sprint(d.ID, a.Slot)...), []byte("task"))
	return nil
}

// seen tells how often a slot was planned and committed.
func (o *outbox) seen(p message.ID, s slotlog.Slot) (planned, committed int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.planned[fmt.Sprint(p, s)], o.committed[fmt.Sprint(p, s)]
}

func (o *outbox) Committed(p message.ID, s slotlog.Slot) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.committed[fmt.Sprint(p, s)]++
}

type faulty struct {
	store.Store
	mu   sync.Mutex
	fail int
}

func (f *faulty) Apply(b *store.Batch, sync bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail > 0 {
		f.fail--
		return errors.New("disk full")
	}
	return f.Store.Apply(b, sync)
}

type rig struct {
	t     testing.TB
	sched *schedule
	st    *faulty
	blobs store.Blobs
	eng   *counting
	out   *outbox
}

func newRig(t testing.TB) *rig {
	return &rig{t: t, sched: &schedule{logs: map[message.ID][]process.Assigned{}, defs: map[message.ID]process.Definition{}},
		st: &faulty{Store: memory.New()}, blobs: memory.NewBlobs(), eng: &counting{},
		out: &outbox{planned: map[string]int{}, committed: map[string]int{}}}
}

func (r *rig) open(change ...func(*Config)) *Computer {
	r.t.Helper()
	c := Config{Store: r.st, Blobs: r.blobs, Engine: r.eng, Schedule: r.sched, Modules: modules{}, Outbox: r.out, Clock: clock.System{}}
	for _, f := range change {
		f(&c)
	}
	u, err := Open(c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { u.Close() })
	return u
}

func (r *rig) result(u *Computer, p, id message.ID) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e, err := u.Result(ctx, p, id)
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := e.Result()
	if err != nil {
		r.t.Fatal(err)
	}
	if res.Error != nil {
		return "error " + string(res.Error)
	}
	return string(res.Output)
}

func TestASlotIsEvaluatedOnceHoweverManyAsk(t *testing.T) {
	r := newRig(t)
	u := r.open()
	p := r.sched.spawn(t, "a", "counting")
	var last message.ID
	for i := range 20 {
		last = r.sched.add(p, strconv.Itoa(i))
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := r.result(u, p, last); got != `"190"` {
				t.Errorf("result %s, want 190", got)
			}
		})
	}
	wg.Wait()
	if n := r.eng.evals.Load(); n != 21 {
		t.Fatalf("%d evaluations of 21 slots", n)
	}
	for s := range slotlog.Slot(21) {
		if n, m := r.out.seen(p, s); n != 1 || m != 1 {
			t.Fatalf("slot %d: planned %d times, committed %d times", s, n, m)
		}
	}
}

func TestAnErrorKeepsTheState(t *testing.T) {
	r := newRig(t)
	u := r.open()
	p := r.sched.spawn(t, "a", "counting")
	for _, c := range []struct{ data, want string }{{"5", `"5"`}, {"trap", `error "unreachable"`}, {"error", `error "told to"`}, {"2", `"7"`}} {
		id := r.sched.add(p, c.data)
		if got := r.result(u, p, id); got != c.want {
			t.Fatalf("%s: %s, want %s", c.data, got, c.want)
		}
	}
}

func TestAnUnfinishedEvaluationIsNoResultAndIsTriedAgain(t *testing.T) {
	r := newRig(t)
	u := r.open()
	p := r.sched.spawn(t, "a", "counting")
	id := r.sched.add(p, "5")
	r.eng.fail.Store(2)
	if got := r.result(u, p, id); got != `"5"` {
		t.Fatal(got)
	}
}

func TestAResultIsToldOnlyWhenItIsOnDisk(t *testing.T) {
	r := newRig(t)
	u := r.open()
	p := r.sched.spawn(t, "a", "counting")
	r.result(u, p, p)
	id := r.sched.add(p, "5")
	r.st.mu.Lock()
	r.st.fail = 1
	r.st.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if e, err := u.Result(ctx, p, id); fault.KindOf(err) != fault.Unfinished {
		t.Fatalf("told %s, %v although the write failed", e.JSON, err)
	}
	if _, n := r.out.seen(p, 1); n != 0 {
		t.Fatal("the push of a result that is not on disk was started")
	}
	if got := r.result(u, p, id); got != `"5"` {
		t.Fatalf("after the disk came back: %s", got)
	}
	if _, n := r.out.seen(p, 1); n != 1 {
		t.Fatalf("committed %d times", n)
	}
}

func TestARestartContinuesFromTheNewestCheckpoint(t *testing.T) {
	r := newRig(t)
	p := r.sched.spawn(t, "a", "counting")
	sum := 0
	for round := range 5 {
		u := r.open()
		var id message.ID
		for i := range 10 {
			sum += i
			id = r.sched.add(p, strconv.Itoa(i))
		}
		if got := r.result(u, p, id); got != fmt.Sprintf("%q", strconv.Itoa(sum)) {
			t.Fatalf("round %d: %s, want %d", round, got, sum)
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.eng.evals.Load(); n != 51 {
		t.Fatalf("%d evaluations of 51 slots: a restart replayed", n)
	}
	if n := r.eng.open.Load(); n != 0 {
		t.Fatalf("%d instances left open", n)
	}
	// Damaged checkpoints cost time, never correctness.
	rows, err := (&Computer{c: Config{Store: r.st}}).checkpoints(p, 1000)
	if err != nil || len(rows) == 0 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		if err := r.blobs.Delete(row.blob); err != nil {
			t.Fatal(err)
		}
	}
	u := r.open()
	id := r.sched.add(p, "1")
	if got := r.result(u, p, id); got != fmt.Sprintf("%q", strconv.Itoa(sum+1)) {
		t.Fatalf("without checkpoints: %s", got)
	}
	if n, _ := r.out.seen(p, 7); n != 1 {
		t.Fatalf("the replay planned slot 7 again (%d times)", n)
	}
}

func TestEvictedProcessesComeBack(t *testing.T) {
	r := newRig(t)
	u := r.open(func(c *Config) { c.LiveMax = 2500 })
	var ps []message.ID
	for i := range 8 {
		ps = append(ps, r.sched.spawn(t, strconv.Itoa(i), "counting"))
	}
	for round := range 5 {
		var wg sync.WaitGroup
		for _, p := range ps {
			id := r.sched.add(p, "1")
			wg.Go(func() {
				if got := r.result(u, p, id); got != fmt.Sprintf("%q", strconv.Itoa(round+1)) {
					t.Errorf("round %d: %s", round, got)
				}
			})
		}
		wg.Wait()
	}
	if s := u.Stats(); s.Evicted == 0 || s.Resident > 4*2500 {
		t.Fatalf("%+v", s)
	}
}

func TestDryRunsSeeTheLatestStateAndDoNotWait(t *testing.T) {
	r := newRig(t)
	u := r.open()
	p := r.sched.spawn(t, "a", "counting")
	id := r.sched.add(p, "40")
	r.result(u, p, id)
	gate := make(chan struct{})
	r.eng.mu.Lock()
	r.eng.gate = gate
	r.eng.mu.Unlock()
	next := r.sched.add(p, "100")
	u.Advance(p, 3)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			d, err := ParseDryMessage([]byte(`{"Data":"2","Owner":"x","Tags":[]}`))
			if err != nil {
				t.Error(err)
			}
			res, err := u.DryRun(ctx, p, nil, d)
			if err != nil || string(res.Output) != `"42"` {
				t.Errorf("dry run while an evaluation stands still: %s, %v", res.Output, err)
			}
		})
	}
	wg.Wait()
	close(gate)
	if got := r.result(u, p, next); got != `"140"` {
		t.Fatalf("after dry runs: %s", got)
	}
	res, err := u.DryRun(context.Background(), p, &id, process.DryMessage{Data: []byte(`"1"`)})
	if err != nil || string(res.Output) != `"41"` {
		t.Fatalf("dry run on an earlier state: %s, %v", res.Output, err)
	}
	var b bytes.Buffer
	st, err := u.Memory(context.Background(), p, &id)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Memory(&b); err != nil || b.String() != "40" || st.Slot != 1 {
		t.Fatalf("state of slot %d is %q, %v", st.Slot, b.String(), err)
	}
}

func TestPagesOfResults(t *testing.T) {
	r := newRig(t)
	u := r.open()
	p := r.sched.spawn(t, "a", "counting") // slot n has time 1000+10n
	var id message.ID
	for i := 1; i < 10; i++ {
		data := strconv.Itoa(i)
		if i == 5 {
			data = "error"
		}
		id = r.sched.add(p, data)
	}
	r.result(u, p, id)
	at := func(slot int) *Cursor {
		s := slotlog.Slot(slot)
		return &Cursor{Timestamp: int64(1000 + 10*slot), Slot: &s}
	}
	cases := []struct {
		name string
		q    Query
		want string
		more bool
	}{
		{"all, without the one that failed", Query{Limit: 25}, "[0 1 2 3 4 6 7 8 9]", false},
		{"with the one that failed", Query{Limit: 25, Failed: true}, "[0 1 2 3 4 5 6 7 8 9]", false},
		{"an exact page has no more", Query{Limit: 9}, "[0 1 2 3 4 6 7 8 9]", false},
		{"a page across the failed one", Query{Limit: 6}, "[0 1 2 3 4 6]", true},
		{"after a slot", Query{Limit: 3, From: at(3)}, "[4 6 7]", true},
		{"since a time, inclusive", Query{Limit: 3, From: &Cursor{Timestamp: 1030}}, "[3 4 6]", true},
		{"to a slot, inclusive", Query{Limit: 9, To: at(2)}, "[0 1 2]", false},
		{"to a time, inclusive", Query{Limit: 9, To: &Cursor{Timestamp: 1020}}, "[0 1 2]", false},
		{"newest first", Query{Limit: 1, Descending: true}, "[9]", true},
		{"newer than a slot, newest first", Query{Limit: 9, From: at(7), Descending: true}, "[9 8]", false},
		{"after the last", Query{Limit: 9, From: at(9)}, "[]", false},
		{"none at all", Query{Limit: 0}, "[]", true},
	}
	for _, c := range cases {
		got, err := u.Results(context.Background(), p, c.q)
		slots := []slotlog.Slot{}
		for _, e := range got.Evaluations {
			slots = append(slots, e.Slot)
		}
		if err != nil || fmt.Sprint(slots) != c.want || got.More != c.more {
			t.Errorf("%s: %v more=%v, %v; want %s more=%v", c.name, slots, got.More, err, c.want, c.more)
		}
	}
}

func TestProcessesThatCannotBeEvaluated(t *testing.T) {
	r := newRig(t)
	u := r.open(func(c *Config) { c.MemoryMax = 2 << 30 })
	ctx := context.Background()
	for _, c := range []struct{ format, code string }{{"missing", "module-unknown"}, {"strange", "module-format-unsupported"}} {
		p := r.sched.spawn(t, "a", c.format)
		if _, err := u.Result(ctx, p, p); fault.CodeOf(err) != c.code {
			t.Errorf("module %s: %v, want %s", c.format, err, c.code)
		}
		if _, err := u.DryRun(ctx, p, nil, process.DryMessage{}); fault.CodeOf(err) != c.code {
			t.Errorf("dry run on module %s: %v, want %s", c.format, err, c.code)
		}
	}
	if _, err := u.Result(ctx, message.ID{1}, message.ID{1}); fault.CodeOf(err) != "message-unknown" {
		t.Errorf("unknown message: %v", err)
	}
	if _, err := u.DryRun(ctx, message.ID{1}, nil, process.DryMessage{}); fault.CodeOf(err) != "process-unknown" {
		t.Errorf("dry run on an unknown process: %v", err)
	}
	d := process.Definition{Module: message.HashOf([]byte("counting")), MemoryLimit: 3 << 30, ComputeLimit: 1}
	if err := u.Admit(ctx, d); fault.CodeOf(err) != "limit-exceeded" {
		t.Errorf("too large a limit: %v", err)
	}
	d.MemoryLimit = 9
	if err := u.Admit(ctx, d); fault.CodeOf(err) != "memory-limit-too-low" {
		t.Errorf("too small a limit: %v", err)
	}
	d.MemoryLimit = 0
	if err := u.Admit(ctx, d); fault.CodeOf(err) != "limit-missing" {
		t.Errorf("no limit: %v", err)
	}
}

func TestAForeignLogMayRepeatAPushedMessage(t *testing.T) {
	r := newRig(t)
	u := r.open(func(c *Config) { c.Foreign = true })
	p := r.sched.spawn(t, "a", "counting")
	var id message.ID
	for range 3 {
		id = r.sched.add(p, "5")
		log := r.sched.logs[p]
		log[len(log)-1].Content.Tags = []process.Tag{{Name: "From-Process", Value: "x"}}
	}
	if got := r.result(u, p, id); got != `""` {
		t.Fatalf("a repeated message answered %s", got)
	}
	if got := r.result(u, p, r.sched.add(p, "1")); got != `"6"` {
		t.Fatalf("the sum is %s, want 6", got)
	}
}

func TestSlowEvaluationsLeaveRoomForOthers(t *testing.T) {
	r := newRig(t)
	u := r.open()
	n := cap(u.turns.places[0])
	gate := make(chan struct{})
	r.eng.block("wait", gate)
	var slow []message.ID
	for i := range 2*n + 1 { // more than there are slow places
		p := r.sched.spawn(t, fmt.Sprint("slow", i), "counting")
		r.result(u, p, p)
		r.sched.add(p, "wait")
		u.Advance(p, 2)
		slow = append(slow, p)
	}
	quick := r.sched.spawn(t, "quick", "counting")
	start := time.Now()
	if got := r.result(u, quick, r.sched.add(quick, "3")); got != `"3"` {
		t.Fatal(got)
	}
	if d := time.Since(start); d > 5*slowAfter {
		t.Fatalf("a quick message waited %v for slow ones", d)
	}
	for deadline := time.Now().Add(5 * time.Second); len(u.Slow()) != n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d slow evaluations are told, want %d", len(u.Slow()), n)
		}
		time.Sleep(10 * time.Millisecond)
	}
	close(gate)
	for _, p := range slow {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if _, err := u.At(ctx, p, 1); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if len(u.Slow()) != 0 {
		t.Fatalf("%v are told to be slow still", u.Slow())
	}
}
