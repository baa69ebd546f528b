package cron

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/store"
	"ago/store/memory"
)

// ticker evaluates nothing: it goes through the ticks of processes that were made at one time and get no messages.
type ticker struct {
	clock clock.Clock
	mu    sync.Mutex
	crons map[message.ID][]process.Cron
	lines map[message.ID]*process.Line
	seen  map[message.ID][]int64 // times of the ticks
	late  time.Duration          // longest time from a tick to its evaluation
	calls int
	fail  int
}

const blockEvery = 120_000

var origin = process.Moment{Timestamp: 946684800_000, Height: 7} // when time begins in a bubble

func newTicker(c clock.Clock) *ticker {
	return &ticker{clock: c, crons: map[message.ID][]process.Cron{}, lines: map[message.ID]*process.Line{}, seen: map[message.ID][]int64{}}
}

func (k *ticker) add(t *testing.T, name string, intervals ...string) message.ID {
	t.Helper()
	var tags []process.Tag
	for _, i := range intervals {
		tags = append(tags, process.Tag{Name: "Cron-Interval", Value: i})
	}
	crons, err := process.Crons(tags)
	if err != nil {
		t.Fatal(err)
	}
	p := message.HashOf([]byte(name))
	k.crons[p] = crons
	k.lines[p] = process.NewLine(p, crons, origin, origin, 0)
	return p
}

func (k *ticker) tick(_ context.Context, p message.ID) (Due, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	if k.fail > 0 {
		k.fail--
		return Due{}, errors.New("told to")
	}
	now := k.clock.Now().UnixMilli()
	line, d := k.lines[p], Due{Timed: len(k.crons[p]) > 0}
	var blocks []process.Moment
	for n := (line.Known() - origin.Timestamp + blockEvery - 1) / blockEvery; origin.Timestamp+n*blockEvery < now; n++ {
		if n > 0 {
			blocks = append(blocks, process.Moment{Timestamp: origin.Timestamp + n*blockEvery, Height: origin.Height + uint64(n)})
		}
	}
	line.Learn(blocks, now)
	for t, ok := line.Next(now); ok; t, ok = line.Next(now) {
		k.seen[p] = append(k.seen[p], t.Timestamp)
		k.late = max(k.late, time.Duration(now-t.Timestamp)*time.Millisecond)
	}
	d.Next, _ = line.Due()
	for _, c := range k.crons[p] {
		d.Blocks = d.Blocks || c.Blocks
	}
	return d, nil
}

func (k *ticker) config(s store.Store) Config {
	return Config{Store: s, Clock: k.clock, Tick: k.tick, NextBlock: func() int64 {
		n := (k.clock.Now().UnixMilli() - origin.Timestamp) / blockEvery
		return origin.Timestamp + (n+1)*blockEvery
	}}
}

func open(t *testing.T, c Config) *Monitors {
	t.Helper()
	m, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	return m
}

func every(from, to, interval int64) []int64 {
	var out []int64
	for at := from + interval; at < to; at += interval {
		out = append(out, at)
	}
	return out
}

func TestAMonthIsWatchedWithoutPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s := newTicker(clock.System{}), memory.New()
		if now := k.clock.Now().UnixMilli(); now != origin.Timestamp {
			t.Fatalf("a bubble begins at %d", now)
		}
		hourly := k.add(t, "hourly", "1-hour")
		both := k.add(t, "both", "1-day", "90-minutes")
		blocks := k.add(t, "blocks", "10-blocks")
		plain := k.add(t, "plain")
		never := k.add(t, "never", "1-month")
		off := k.add(t, "off", "1-hour")
		m := open(t, k.config(s))
		for _, p := range []message.ID{hourly, both, blocks, plain, never, off, hourly} {
			if err := m.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		if m.Count() != 6 || !m.Watches(hourly) {
			t.Fatalf("%d are watched", m.Count())
		}
		time.Sleep(10*24*time.Hour + time.Minute)
		if err := m.Remove(off); err != nil || m.Watches(off) {
			t.Fatal(err)
		}
		// A restart, with a day in between.
		m.Close()
		time.Sleep(24 * time.Hour)
		k.mu.Lock()
		if n := len(k.seen[hourly]); n != 240 {
			t.Errorf("%d ticks in ten days", n)
		}
		if k.late > 2*time.Millisecond {
			t.Errorf("a tick was evaluated %v late", k.late)
		}
		k.mu.Unlock()
		m = open(t, k.config(s))
		defer m.Close()
		if got := m.All(); len(got) != 5 || !slices.Contains(got, never) {
			t.Errorf("after a restart %v are watched", got)
		}
		time.Sleep(19*24*time.Hour - 30*time.Second)
		synctest.Wait()
		k.mu.Lock()
		defer k.mu.Unlock()
		end := k.clock.Now().UnixMilli()
		for _, c := range []struct {
			name string
			p    message.ID
			want []int64
		}{
			{"hourly", hourly, every(origin.Timestamp, end, 3600_000)},
			{"by blocks", blocks, every(origin.Timestamp, end, 10*blockEvery)},
			{"both", both, func() []int64 {
				all := append(every(origin.Timestamp, end, 86400_000), every(origin.Timestamp, end, 5400_000)...)
				slices.Sort(all)
				return all
			}()},
			{"removed after ten days", off, every(origin.Timestamp, origin.Timestamp+10*86400_000+1, 3600_000)},
			{"never", never, nil},
		} {
			if !slices.Equal(k.seen[c.p], c.want) {
				t.Errorf("%s: %d ticks, want %d", c.name, len(k.seen[c.p]), len(c.want))
			}
		}
		// One call for each due time, one for each block of the process that counts blocks, and those of the two starts.
		if most := 3*720 + 480 + 30 + 21600 + 20; k.calls > most {
			t.Errorf("%d calls, at most %d are needed", k.calls, most)
		}
	})
}

func TestAFailureIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTicker(clock.System{})
		p := k.add(t, "p", "10-seconds")
		k.fail = 3
		m := open(t, k.config(memory.New()))
		defer m.Close()
		if err := m.Add(p); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second) // 0, 1, 3 s failed
		synctest.Wait()
		k.mu.Lock()
		calls := k.calls
		k.mu.Unlock()
		if calls != 3 {
			t.Fatalf("%d calls in six seconds", calls)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		k.mu.Lock()
		defer k.mu.Unlock()
		if len(k.seen[p]) != 1 {
			t.Fatalf("%d ticks after the failures", len(k.seen[p]))
		}
	})
}

func TestNewSlotsAndMinedBlocksAreLookedAtAtOnce(t *testing.T) {
	c := clock.NewPaused(time.UnixMilli(origin.Timestamp))
	k := newTicker(c)
	p, q := k.add(t, "p", "1-hour"), k.add(t, "q", "1-block")
	calls := make(chan message.ID)
	conf := k.config(memory.New())
	conf.Tick = func(ctx context.Context, p message.ID) (Due, error) {
		d, err := k.tick(ctx, p)
		select {
		case calls <- p:
		case <-ctx.Done():
		}
		return d, err
	}
	m := open(t, conf)
	defer m.Close()
	next := func(want message.ID) {
		t.Helper()
		select {
		case got := <-calls:
			if got != want {
				t.Fatalf("%s was looked at, not %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was looked at")
		}
	}
	if err := m.Add(p); err != nil {
		t.Fatal(err)
	}
	next(p)
	if err := m.Add(q); err != nil {
		t.Fatal(err)
	}
	next(q)
	m.Moved(p)
	next(p)
	m.Moved(message.ID{1}) // nobody watches it
	m.Mined(origin.Timestamp)
	c.Advance(2 * time.Millisecond)
	next(q)
	c.Advance(time.Hour)
	if a, b := <-calls, <-calls; a == b {
		t.Fatalf("after an hour %s and %s were looked at", a, b)
	}
}

// broken fails to write.
type broken struct{ store.Store }

func (broken) Apply(*store.Batch, bool) error { return errors.New("disk full") }

func TestWhatCannotBeStoredIsNotWatched(t *testing.T) {
	k := newTicker(clock.System{})
	p := k.add(t, "p", "1-hour")
	m, err := Open(k.config(broken{memory.New()}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Add(p); fault.CodeOf(err) != "store-unwritable" || m.Watches(p) {
		t.Fatal(err)
	}
	m.watched[p] = &watch{process: p, place: -1}
	if err := m.Remove(p); fault.CodeOf(err) != "store-unwritable" || !m.Watches(p) {
		t.Fatal(err)
	}
	for i := range monitorsMax {
		m.watched[message.HashOf(fmt.Append(nil, i))] = &watch{}
	}
	if err := m.Add(message.ID{1}); fault.CodeOf(err) != "monitors-full" {
		t.Fatal(err)
	}
	s := memory.New()
	var b store.Batch
	b.Set([]byte{store.TableMonitors, 1}, nil)
	if err := s.Apply(&b, false); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(k.config(s)); fault.CodeOf(err) != "monitor-unreadable" {
		t.Fatal(err)
	}
}
