package compute

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// times is a timeline whose present a test sets, with a block every two minutes from the first slot's second on.
type times struct {
	s   *schedule
	mu  sync.Mutex
	now int64
}

const (
	blockEvery  = 120_000
	firstBlock  = 1000
	firstHeight = 5
)

func (t *times) set(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = now
}

func (t *times) Horizon(ctx context.Context, p message.ID) (int64, slotlog.Slot, error) {
	t.mu.Lock()
	now := t.now
	t.mu.Unlock()
	next, err := t.s.Next(ctx, p)
	return now, next, err
}

func (t *times) Blocks(_ context.Context, _ message.ID, _ uint64, from, to int64) ([]process.Moment, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if to > t.now {
		return nil, fmt.Errorf("blocks before %d are asked for at %d", to, t.now)
	}
	var out []process.Moment
	for n := max((from-firstBlock+blockEvery-1)/blockEvery, 1); firstBlock+n*blockEvery < to; n++ {
		out = append(out, process.Moment{Timestamp: firstBlock + n*blockEvery, Height: firstHeight + uint64(n)})
	}
	return out, nil
}

func heightAt(now int64) uint64 { return firstHeight + uint64((now-firstBlock)/blockEvery) }

// planned notes what ticks cause: a row in the batch that stores the result, and the word that it is durable.
type planned struct {
	mu        sync.Mutex
	committed map[tickAt]int
}

func planKey(k process.Tick) []byte {
	return fmt.Appendf([]byte{store.TableTasks}, "%s %d %d %d", k.Process, k.Slot, k.Timestamp, k.Place)
}

func (o *planned) PlanTick(b *store.Batch, _ process.Definition, k process.Tick, _ process.Result) error {
	b.Set(planKey(k), []byte("task"))
	return nil
}

func (o *planned) TickCommitted(k process.Tick) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.committed[positionOf(k)]++
}

func crons(intervals ...string) []process.Tag {
	var tags []process.Tag
	for _, i := range intervals {
		tags = append(tags, process.Tag{Name: "Cron-Interval", Value: i}, process.Tag{Name: "Cron-Tag-Action", Value: "Cron " + i})
	}
	return tags
}

// everything gives all results of a process as text: slot, timer, time, height, output.
func everything(t testing.TB, u *Computer, p message.ID) []string {
	t.Helper()
	page, err := u.Results(context.Background(), p, Query{Limit: 1 << 20, Failed: true})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range page.Evaluations {
		r, err := e.Result()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s %d %d %s%s", e.Slot, e.Cron, e.Timestamp, e.BlockHeight, r.Output, r.Error))
	}
	return out
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			g, w := "nothing", "nothing"
			if i < len(got) {
				g = got[i]
			}
			if i < len(want) {
				w = want[i]
			}
			t.Fatalf("%s: result %d of %d is %s, want %s (of %d)", what, i, len(got), g, w, len(want))
		}
	}
}

const day = 24 * 3_600_000

// TestAMonthOfTicks evaluates a month in several ways: at its end, bit by bit with restarts, lost checkpoints and a disk that
// fails, and on a second unit. All give the results that the definition says, each once.
func TestAMonthOfTicks(t *testing.T) {
	intervals := []string{"1-hour", "25-minutes", "1-day", "7-blocks", "100-blocks"}
	const month = 30 * day
	random := rand.New(rand.NewPCG(1, 2))
	var sent []int64 // times of the messages
	for at := int64(1000); ; {
		at += 1 + random.Int64N(2*day)
		if at >= 1000+month {
			break
		}
		sent = append(sent, at)
	}
	end := int64(1000 + month)

	// What the definition says, second by second.
	var want []string
	sum := 0
	record := func(slot int, name string, at int64, height uint64, add int) {
		sum += add
		want = append(want, fmt.Sprintf("%d %s %d %d \"%d\"", slot, name, at, height, sum))
	}
	record(0, "", 1000, firstHeight, 0)
	left := int64(1000)
	ticks := 0
	for slot := range len(sent) + 1 {
		right := end
		if slot < len(sent) {
			right = sent[slot]
		}
		next := int64(firstBlock) + (left-firstBlock)/blockEvery*blockEvery + blockEvery
		height := heightAt(left)
		blocks := func(to int64) {
			for ; next <= to && next < right; next += blockEvery {
				height = heightAt(next)
				for i, every := range []uint64{7, 100} {
					if (height-firstHeight)%every == 0 {
						ticks++
						record(slot, fmt.Sprintf("%d-%d-blocks", i, every), next, height, 1)
					}
				}
			}
		}
		for at := left; at < right; at += 1000 {
			blocks(at)
			since := at/1000 - 1
			for i, c := range []struct {
				every int64
				name  string
			}{{1500, "25-minutes"}, {3600, "1-hour"}, {86400, "1-day"}} {
				if since != 0 && since%c.every == 0 {
					ticks++
					record(slot, fmt.Sprintf("%d-%s", i, c.name), at, height, 1)
				}
			}
		}
		blocks(right)
		if slot < len(sent) {
			record(slot+1, "", right, heightAt(right), slot)
			left = right
		}
	}
	if ticks < 30*24+30*57 {
		t.Fatalf("the month has %d ticks", ticks)
	}

	begin := func() (*rig, *times, *planned, message.ID) {
		r := newRig(t)
		tm := &times{s: r.sched, now: 1000}
		p := r.sched.spawn(t, "month", "counting", crons(intervals...)...)
		return r, tm, &planned{committed: map[tickAt]int{}}, p
	}
	open := func(r *rig, tm *times, o *planned) *Computer {
		return r.open(func(c *Config) { c.Timeline, c.Ticks = tm, o })
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := func(u *Computer, p message.ID, before int64) Due {
		t.Helper()
		d, err := u.Tick(ctx, p, before)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	check := func(what string, r *rig, o *planned, u *Computer, p message.ID) {
		t.Helper()
		same(t, what, everything(t, u, p), want)
		tasks := 0
		for _, err := range r.st.Scan([]byte{store.TableTasks}, []byte{store.TableTasks + 1}, false) {
			if err != nil {
				t.Fatal(err)
			}
			tasks++
		}
		if tasks != ticks+len(sent)+1 {
			t.Fatalf("%s: %d results have consequences, want %d", what, tasks, ticks+len(sent)+1)
		}
		for k, n := range o.committed {
			if n != 1 {
				t.Fatalf("%s: tick %v was committed %d times", what, k, n)
			}
		}
		if len(o.committed) != ticks {
			t.Fatalf("%s: %d ticks were committed, want %d", what, len(o.committed), ticks)
		}
	}

	r, tm, o, p := begin()
	for i, at := range sent {
		r.sched.addAt(p, fmt.Sprint(i), process.Moment{Timestamp: at, Height: heightAt(at)})
	}
	tm.set(end)
	u := open(r, tm, o)
	if d := tick(u, p, 0); !d.Timed || !d.Blocks || d.Next < end {
		t.Fatalf("%+v", d)
	}
	check("at its end", r, o, u, p)

	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(3, seed))
		r, tm, o, p := begin()
		u := open(r, tm, o)
		next := 0
		for now := int64(1000); now < end; {
			now = min(now+1+random.Int64N(3*day), end)
			for next < len(sent) && sent[next] < now {
				r.sched.addAt(p, fmt.Sprint(next), process.Moment{Timestamp: sent[next], Height: heightAt(sent[next])})
				next++
				if random.IntN(2) == 0 {
					u.Advance(p, slotlog.Slot(next+1))
				}
			}
			tm.set(now)
			if random.IntN(6) == 0 {
				r.st.mu.Lock()
				r.st.fail = 1
				r.st.mu.Unlock()
			}
			if random.IntN(8) == 0 {
				r.eng.fail.Store(1)
			}
			switch random.IntN(4) {
			case 0:
				tick(u, p, now-random.Int64N(1000))
			case 1:
				if next > 0 {
					if _, err := u.At(ctx, p, slotlog.Slot(next)); err != nil {
						t.Fatal(err)
					}
				}
			default:
				tick(u, p, 0)
			}
			if random.IntN(3) == 0 {
				// A stop may save, or die without: then the newest checkpoint is gone.
				r.st.mu.Lock()
				r.st.fail = 0
				r.st.mu.Unlock()
				r.eng.fail.Store(0)
				if err := u.Close(); err != nil {
					t.Fatal(err)
				}
				rows, err := u.checkpoints(p, 1<<40)
				if err != nil {
					t.Fatal(err)
				}
				if len(rows) > 0 && random.IntN(2) == 0 {
					if err := r.blobs.Delete(rows[0].blob); err != nil {
						t.Fatal(err)
					}
				}
				u = open(r, tm, o)
			}
		}
		tick(u, p, 0)
		check(fmt.Sprintf("bit by bit, %d", seed), r, o, u, p)
	}
}

func TestStatesBetweenTicks(t *testing.T) {
	r := newRig(t)
	tm := &times{s: r.sched, now: 1000}
	o := &planned{committed: map[tickAt]int{}}
	open := func() *Computer { return r.open(func(c *Config) { c.Timeline, c.Ticks = tm, o }) }
	u := open()
	p := r.sched.spawn(t, "a", "counting", crons("10-seconds")...)
	first := r.sched.addAt(p, "100", process.Moment{Timestamp: 5000, Height: 5})
	ctx := context.Background()
	tm.set(35_000) // ticks at 11, 21, 31 s
	if d, err := u.Tick(ctx, p, 0); err != nil || d.Next != 41_000 || d.Blocks {
		t.Fatalf("%+v, %v", d, err)
	}
	memory := func(u *Computer, to *message.ID) string {
		t.Helper()
		st, err := u.Memory(ctx, p, to)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		var b bytes.Buffer
		if _, err := st.Memory(&b); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(b.String(), " at ", st.Timestamp)
	}
	dry := func(u *Computer, to *message.ID) string {
		t.Helper()
		res, err := u.DryRun(ctx, p, to, process.DryMessage{Data: []byte(`"0"`)})
		if err != nil {
			t.Fatal(err)
		}
		return string(res.Output)
	}
	look := func(when string, u *Computer) {
		t.Helper()
		if got := memory(u, nil); got != "103 at 31000" {
			t.Errorf("%s: the state is %s", when, got)
		}
		if got := memory(u, &first); got != "100 at 5000" {
			t.Errorf("%s: the state after the message is %s", when, got)
		}
		if got := dry(u, nil); got != `"103"` {
			t.Errorf("%s: a dry run gives %s", when, got)
		}
		if got := dry(u, &first); got != `"100"` {
			t.Errorf("%s: a dry run after the message gives %s", when, got)
		}
	}
	look("live", u)
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	before := r.eng.evals.Load()
	u = open()
	if got := dry(u, nil); got != `"103"` {
		t.Errorf("after a restart a dry run gives %s", got)
	}
	if n := r.eng.evals.Load() - before; n != 0 {
		t.Errorf("%d messages were evaluated again although there is a checkpoint after the last tick", n)
	}
	look("after a restart", u)
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	rows, err := u.checkpoints(p, 100)
	if err != nil || len(rows) == 0 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		if err := r.blobs.Delete(row.blob); err != nil {
			t.Fatal(err)
		}
	}
	u = open()
	look("without checkpoints", u)
	if got := len(everything(t, u, p)); got != 5 {
		t.Errorf("%d results, want 5", got)
	}
	second := r.sched.addAt(p, "1000", process.Moment{Timestamp: 52_000, Height: 5})
	tm.set(52_001)
	if got := r.result(u, p, second); got != `"1105"` {
		t.Errorf("the message after five ticks gives %s", got)
	}
}

func TestPagesOfTicks(t *testing.T) {
	r := newRig(t)
	tm := &times{s: r.sched, now: 1000}
	u := r.open(func(c *Config) { c.Timeline = tm })
	p := r.sched.spawn(t, "a", "counting", crons("1-minute", "10-seconds")...)
	r.sched.addAt(p, "5", process.Moment{Timestamp: 25_000, Height: 5})
	tm.set(70_000)
	ctx := context.Background()
	if _, err := u.Tick(ctx, p, 62_000); err != nil {
		t.Fatal(err)
	}
	at := func(ts int64, slot slotlog.Slot, name string) *Cursor {
		return &Cursor{Timestamp: ts, Slot: &slot, Cron: name}
	}
	for _, c := range []struct {
		name string
		q    Query
		want string
		more bool
	}{
		{"all", Query{Limit: 25}, "1 11s 21s 25 31s 41s 51s 61s 61m", false},
		{"ticks", Query{Limit: 25, Ticks: true}, "11s 21s 31s 41s 51s 61s 61m", false},
		{"a page of ticks", Query{Limit: 3, Ticks: true}, "11s 21s 31s", true},
		{"after a slot", Query{Limit: 25, From: at(1000, 0, "")}, "11s 21s 25 31s 41s 51s 61s 61m", false},
		{"after a tick", Query{Limit: 25, From: at(21_000, 0, "0-10-seconds")}, "25 31s 41s 51s 61s 61m", false},
		{"after the first of two ticks", Query{Limit: 25, From: at(61_000, 1, "0-10-seconds")}, "61m", false},
		{"since the time of a tick, inclusive", Query{Limit: 25, From: &Cursor{Timestamp: 21_000}}, "21s 25 31s 41s 51s 61s 61m", false},
		{"since the time of a slot, inclusive", Query{Limit: 25, From: &Cursor{Timestamp: 25_000}}, "25 31s 41s 51s 61s 61m", false},
		{"to a slot, without the ticks behind it", Query{Limit: 25, To: at(25_000, 1, "")}, "1 11s 21s 25", false},
		{"to a tick, inclusive", Query{Limit: 25, To: at(31_000, 1, "0-10-seconds")}, "1 11s 21s 25 31s", false},
		{"to a time, inclusive", Query{Limit: 25, To: &Cursor{Timestamp: 31_000}}, "1 11s 21s 25 31s", false},
		{"to a time between", Query{Limit: 25, To: &Cursor{Timestamp: 24_999}}, "1 11s 21s", false},
		{"newest first", Query{Limit: 3, Descending: true}, "61m 61s 51s", true},
		{"newer than a tick, newest first", Query{Limit: 9, Descending: true, From: at(41_000, 1, "0-10-seconds")}, "61m 61s 51s", false},
	} {
		page, err := u.Results(ctx, p, c.q)
		var got []string
		for _, e := range page.Evaluations {
			kind := map[string]string{"0-10-seconds": "s", "1-1-minute": "m", "": ""}[e.Cron]
			got = append(got, fmt.Sprint(e.Timestamp/1000, kind))
		}
		if s := strings.Join(got, " "); err != nil || s != c.want || page.More != c.more {
			t.Errorf("%s: %s more=%v, %v; want %s more=%v", c.name, s, page.More, err, c.want, c.more)
		}
	}
	if _, err := u.Results(ctx, p, Query{Limit: 1, From: at(1, 1, "0-1-week")}); fault.CodeOf(err) != "cursor-malformed" {
		t.Errorf("after a timer that is not there: %v", err)
	}
}

func TestALateSlotHasTheTicksBehindItEvaluatedAgain(t *testing.T) {
	r := newRig(t)
	tm := &times{s: r.sched, now: 1000}
	open := func() *Computer { return r.open(func(c *Config) { c.Timeline, c.Foreign = tm, true }) }
	u := open()
	p := r.sched.spawn(t, "a", "counting", crons("10-seconds")...)
	ctx := context.Background()
	tick := func(now int64) {
		t.Helper()
		tm.set(now)
		if _, err := u.Tick(ctx, p, 0); err != nil {
			t.Fatal(err)
		}
	}
	tick(25_000)
	if err := u.Close(); err != nil { // a checkpoint after the second tick
		t.Fatal(err)
	}
	u = open()
	tick(45_000)
	if err := u.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	late := r.sched.addAt(p, "100", process.Moment{Timestamp: 25_500, Height: 5})
	if got := r.result(u, p, late); got != `"102"` {
		t.Fatalf("the late slot gives %s", got)
	}
	tick(50_000)
	want := []string{`0  1000 5 "0"`, `0 0-10-seconds 11000 5 "1"`, `0 0-10-seconds 21000 5 "2"`, `1  25500 5 "102"`, `1 0-10-seconds 31500 5 "103"`, `1 0-10-seconds 41500 5 "104"`}
	same(t, "live", everything(t, u, p), want)
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	u = open()
	tick(51_600)
	same(t, "after a restart", everything(t, u, p), append(want, `1 0-10-seconds 51500 5 "105"`))
}

func TestTimersThatCannotRun(t *testing.T) {
	r := newRig(t)
	u := r.open()
	ctx := context.Background()
	p := r.sched.spawn(t, "a", "counting", crons("10-seconds")...)
	if _, err := u.Tick(ctx, p, 0); fault.CodeOf(err) != "cron-unsupported" {
		t.Errorf("without a timeline: %v", err)
	}
	if _, err := u.Result(ctx, p, p); fault.CodeOf(err) != "cron-unsupported" {
		t.Errorf("a result without a timeline: %v", err)
	}
	plain := r.sched.spawn(t, "b", "counting")
	if d, err := u.Tick(ctx, plain, 0); err != nil || d != (Due{}) {
		t.Errorf("a process without timers: %+v, %v", d, err)
	}
	def := process.Definition{Module: message.HashOf([]byte("counting")), MemoryLimit: 1 << 30, ComputeLimit: 1, Tags: crons("1-month")}
	if err := u.Admit(ctx, def); fault.CodeOf(err) != "cron-interval-malformed" {
		t.Errorf("an interval that is none: %v", err)
	}
}
