package compute

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/vm"
)

// RestoreMemory reads what counter.Memory wrote.
func (e *counting) RestoreMemory(_ context.Context, _ vm.Module, _ vm.Limits, r io.Reader) (vm.Instance, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return nil, err
	}
	e.restores.Add(1)
	e.open.Add(1)
	return &counter{e: e, sum: n, next: n, saved: n}, nil
}

// shelf keeps memories in order.
type shelf struct {
	mu   sync.Mutex
	have []Memory
	find error
	kept []Position
}

func (s *shelf) add(at Position, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have = append([]Memory{{Position: at, Source: fmt.Sprint("shelf ", at.Slot), Open: func(context.Context) (io.ReadCloser, error) {
		if text == "" {
			return nil, errors.New("gone")
		}
		return io.NopCloser(bytes.NewReader([]byte(text))), nil
	}}}, s.have...)
}

func (s *shelf) Find(context.Context, process.Definition, slotlog.Slot) ([]Memory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Memory(nil), s.have...), s.find
}

func (s *shelf) Keep(_ context.Context, at Position, memory io.Reader) error {
	b, err := io.ReadAll(memory)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.kept = append(s.kept, at)
	s.mu.Unlock()
	s.add(at, string(b))
	return nil
}

func (r *rig) position(p message.ID, slot slotlog.Slot) Position {
	return Position{Process: p, Module: message.HashOf([]byte("counting")), Slot: slot, Timestamp: int64(1000 + 10*slot), BlockHeight: 5}
}

// long makes a process with n messages of 1, and gives the last.
func (r *rig) long(name string, n int) (p, last message.ID) {
	p = r.sched.spawn(r.t, name, "counting")
	for range n {
		last = r.sched.add(p, "1")
	}
	return p, last
}

func TestAColdProcessOfAForeignLogGoesOnFromTheNewestMemory(t *testing.T) {
	for _, c := range []struct {
		name  string
		fill  func(r *rig, s *shelf, p message.ID)
		evals int64 // of 301 slots
	}{
		{"none", func(*rig, *shelf, message.ID) {}, 301},
		{"two", func(r *rig, s *shelf, p message.ID) {
			s.add(r.position(p, 100), "100")
			s.add(r.position(p, 250), "250")
		}, 50},
		{"of the last slot: it has to be evaluated, since its result is asked for", func(r *rig, s *shelf, p message.ID) {
			s.add(r.position(p, 299), "299")
			s.add(r.position(p, 300), "300")
		}, 1},
		{"the newest is damaged", func(r *rig, s *shelf, p message.ID) {
			s.add(r.position(p, 100), "100")
			s.add(r.position(p, 250), "two hundred")
			s.add(r.position(p, 260), "")
		}, 200},
		{"with a place that did not answer", func(r *rig, s *shelf, p message.ID) {
			s.add(r.position(p, 100), "100")
			s.find = errors.New("no answer")
		}, 200},
		{"the log has another time", func(r *rig, s *shelf, p message.ID) {
			at := r.position(p, 250)
			at.Timestamp++
			s.add(at, "7")
		}, 301},
		{"the log has another assignment", func(r *rig, s *shelf, p message.ID) {
			at := r.position(p, 250)
			at.Assignment = p
			s.add(at, "7")
		}, 301},
		{"another module", func(r *rig, s *shelf, p message.ID) {
			at := r.position(p, 250)
			at.Module = p
			s.add(at, "7")
		}, 301},
		{"another process", func(r *rig, s *shelf, p message.ID) { s.add(r.position(message.ID{1}, 250), "7") }, 301},
		{"beyond the log", func(r *rig, s *shelf, p message.ID) { s.add(r.position(p, 1000), "7") }, 301},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, s := newRig(t), &shelf{}
			p, last := r.long("a", 300)
			c.fill(r, s, p)
			u := r.open(func(c *Config) { c.Foreign, c.Memories, c.Outbox = true, s, nil })
			if got := r.result(u, p, last); got != `"300"` {
				t.Fatalf("the sum is %s, want 300", got)
			}
			if n := r.eng.evals.Load(); n != c.evals {
				t.Fatalf("%d evaluations, want %d", n, c.evals)
			}
		})
	}
}

func TestResultsBeforeAMemoryAreToldToBeMissing(t *testing.T) {
	r, s := newRig(t), &shelf{}
	p, last := r.long("a", 300)
	s.add(r.position(p, 250), "250")
	u := r.open(func(c *Config) { c.Foreign, c.Memories, c.Outbox = true, s, nil })
	r.result(u, p, last)
	ctx := context.Background()
	if _, err := u.At(ctx, p, 7); fault.CodeOf(err) != "result-before-checkpoint" {
		t.Errorf("slot 7: %v", err)
	}
	// Pages begin where the results do, whatever time is asked from.
	for _, from := range []int64{0, 1000 + 10*100, 1000 + 10*251} {
		page, err := u.Results(ctx, p, Query{From: &Cursor{Timestamp: from}, Limit: 1})
		if err != nil || len(page.Evaluations) != 1 || page.Evaluations[0].Slot != 251 {
			t.Errorf("results since %d: %v, %v", from, page.Evaluations, err)
		}
	}
	u.Close()
	u = r.open(func(c *Config) { c.Foreign, c.Outbox = true, nil })
	if got := r.result(u, p, r.sched.add(p, "1")); got != `"301"` {
		t.Errorf("after a restart: %s", got)
	}
}

// TestAMessengersProcessNeverLeavesSlotsOut: what they send would be lost.
func TestAMessengersProcessNeverLeavesSlotsOut(t *testing.T) {
	r, s := newRig(t), &shelf{}
	p, last := r.long("a", 300)
	s.add(r.position(p, 250), "250")
	u := r.open(func(c *Config) { c.Memories = s })
	r.result(u, p, last)
	for slot := range slotlog.Slot(301) {
		if n, _ := r.out.seen(p, slot); n != 1 {
			t.Fatalf("slot %d was planned %d times", slot, n)
		}
	}
	if u.Close(); r.eng.open.Load() != 0 {
		t.Errorf("%d instances are left", r.eng.open.Load())
	}
	// Of a log that was taken over, only the slots of the other scheduler may be left out.
	r, s = newRig(t), &shelf{}
	p, last = r.long("a", 300)
	s.add(r.position(p, 150), "150")
	s.add(r.position(p, 250), "250")
	u = r.open(func(c *Config) {
		c.Memories, c.ForeignUntil = s, func(message.ID) slotlog.Slot { return 200 }
	})
	r.result(u, p, last)
	for slot := range slotlog.Slot(301) {
		if n, _ := r.out.seen(p, slot); slot >= 200 && n != 1 {
			t.Fatalf("slot %d was planned %d times", slot, n)
		}
	}
}

func TestMemoriesAreKept(t *testing.T) {
	r, s := newRig(t), &shelf{}
	p, last := r.long("a", 300)
	u := r.open(func(c *Config) { c.Memories = s })
	r.result(u, p, last)
	for range 2 { // the second time there is nothing new
		if err := u.Checkpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []Position{r.position(p, 300)}; fmt.Sprint(s.kept) != fmt.Sprint(want) {
		t.Fatalf("kept %v, want %v", s.kept, want)
	}
	r.result(u, p, r.sched.add(p, "1")) // changed, but just kept
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	if len(s.kept) != 1 {
		t.Errorf("kept %v although KeepEvery has not passed", s.kept)
	}
	// Another unit begins with it.
	other := newRig(t)
	other.sched = r.sched
	u = other.open(func(c *Config) { c.Foreign, c.Memories, c.Outbox = true, s, nil })
	if got := other.result(u, p, r.sched.add(p, "1")); got != `"302"` || other.eng.evals.Load() != 2 {
		t.Errorf("%s after %d evaluations, want 302 after 2", got, other.eng.evals.Load())
	}
}

// TestMemoriesAreKeptAtMostSoOften: what is asked for again and again is left out until the time is over; what somebody asks for is not.
func TestMemoriesAreKeptAtMostSoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t), &shelf{}
		p, last := r.long("a", 3)
		u := r.open(func(c *Config) { c.Memories, c.KeepEvery = s, time.Hour })
		start := time.Now()
		due := func(now bool, want int) {
			t.Helper()
			r.result(u, p, last)
			err := u.CheckpointDue(context.Background())
			if now {
				err = u.Checkpoint(context.Background())
			}
			if err != nil || len(s.kept) != want {
				t.Errorf("%v after the start: kept %v, %v; want %d", time.Since(start), s.kept, err, want)
			}
			last = r.sched.add(p, "1")
		}
		due(false, 1)
		for range 5 {
			time.Sleep(11 * time.Minute)
			due(false, 1)
		}
		time.Sleep(11 * time.Minute)
		due(false, 2)
		due(true, 3)
		time.Sleep(59 * time.Minute)
		due(false, 3)
		time.Sleep(time.Minute)
		due(false, 4)
		if err := u.Close(); err != nil || len(s.kept) != 4 {
			t.Errorf("at the end: kept %v, %v", s.kept, err)
		}
	})
}

// slowly is an engine whose snapshots and memories take until the channel is closed, after the state is held.
type slowly struct {
	*counting
	until chan struct{}
}

type slowInstance struct {
	*counter
	until chan struct{}
}

func (e slowly) New(ctx context.Context, m vm.Module, l vm.Limits) (vm.Instance, error) {
	i, err := e.counting.New(ctx, m, l)
	return slowInstance{i.(*counter), e.until}, err
}

func (i slowInstance) Pin(full bool) (func(io.Writer) error, error) {
	var b bytes.Buffer
	err := i.counter.Snapshot(&b, full)
	return func(w io.Writer) error { return i.drip(w, b.Bytes()) }, err
}

func (i slowInstance) PinMemory() (func(io.Writer) (int64, error), error) {
	b := fmt.Appendf(nil, "%d", i.sum)
	return func(w io.Writer) (int64, error) { return int64(len(b)), i.drip(w, b) }, nil
}

func (i slowInstance) drip(w io.Writer, b []byte) error {
	if _, err := w.Write(b[:1]); err != nil {
		return err
	}
	<-i.until
	_, err := w.Write(b[1:])
	return err
}

func TestEvaluationGoesOnBesideACheckpoint(t *testing.T) {
	r, s := newRig(t), &shelf{}
	until := make(chan struct{})
	u := r.open(func(c *Config) { c.Engine, c.Memories = slowly{r.eng, until}, s })
	p, last := r.long("a", 20)
	r.result(u, p, last)
	done := make(chan error)
	go func() { done <- u.Checkpoint(context.Background()) }()
	for deadline := time.Now().Add(10 * time.Second); ; {
		a := u.actor(p)
		a.work.Lock()
		begun := a.snap.giving != nil
		a.work.Unlock()
		if begun {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the checkpoint was not begun")
		}
	}
	if got := r.result(u, p, r.sched.add(p, "10")); got != `"30"` {
		t.Fatalf("beside the checkpoint: %s", got)
	}
	select {
	case err := <-done:
		t.Fatalf("the checkpoint was told to be there before it was written: %v", err)
	default:
	}
	close(until)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// Both are of the state of before.
	if want := []Position{r.position(p, 20)}; fmt.Sprint(s.kept) != fmt.Sprint(want) {
		t.Errorf("kept %v, want %v", s.kept, want)
	}
	rows, err := u.checkpoints(p, 100)
	if err != nil || len(rows) != 1 || rows[0].slot != 21 {
		t.Fatalf("rows %v, %v", rows, err)
	}
	b, err := r.blobs.Open(rows[0].blob)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	text, err := io.ReadAll(b)
	if err != nil || binary.BigEndian.Uint64(text[len(text)-8:]) != 20 {
		t.Errorf("the snapshot is %x, %v", text, err)
	}
}

func TestAProcessThatStandsStillIsSaved(t *testing.T) {
	r := newRig(t)
	p, last := r.long("a", 20)
	u := r.open()
	r.result(u, p, last)
	a := u.actor(p)
	a.work.Lock()
	a.spent = worthSaving // as if it had taken that long
	a.work.Unlock()
	r.result(u, p, r.sched.add(p, "1"))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		rows, err := u.checkpoints(p, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 1 && rows[0].slot == 22 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no checkpoint was written: %v", rows)
		}
	}
}
