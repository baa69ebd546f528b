package compute

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
)

func TestWorkersAreAsManyAsAreAllowed(t *testing.T) {
	for _, c := range []struct {
		limits       Limits
		workers, dry int
	}{{Limits{Workers: 3}, 3, 12}, {Limits{Workers: 2, DryRuns: 1}, 2, 1}} {
		u := newRig(t).open(func(k *Config) { k.Limits = c.limits })
		if s := u.Stats(); s.Workers != c.workers || s.DryRunPlaces != c.dry {
			t.Errorf("%+v gives %d workers and %d places for dry runs", c.limits, s.Workers, s.DryRunPlaces)
		}
	}
}

// TestNoMoreEvaluationsThanWorkers: of many processes with something to do as many are evaluated at a time as there are workers.
// Those that take longer than a moment have as many places besides.
func TestNoMoreEvaluationsThanWorkers(t *testing.T) {
	for _, workers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			u := r.open(func(c *Config) { c.Limits = Limits{Workers: workers} })
			gate := make(chan struct{})
			r.eng.block("wait", gate)
			for i := range 3 * workers {
				p := r.sched.spawn(t, fmt.Sprint(i), "counting")
				r.sched.add(p, "wait")
				u.Advance(p, 2)
			}
			synctest.Wait()
			if n := u.Stats().Evaluating; n != workers {
				t.Errorf("%d workers evaluate %d processes", workers, n)
			}
			time.Sleep(2 * slowAfter)
			synctest.Wait()
			if n := u.Stats().Evaluating; n != 2*workers {
				t.Errorf("%d workers and the places of slow ones evaluate %d processes", workers, n)
			}
			close(gate)
			synctest.Wait()
			if n := u.Stats().Evaluating; n != 0 {
				t.Errorf("%d evaluations go on", n)
			}
			if err := u.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEndlessEvaluationsLeaveRoomForSlowOnes: messages without end, more than there are places for, keep no message waiting that
// only takes a while.
func TestEndlessEvaluationsLeaveRoomForSlowOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 2
		r := newRig(t)
		u := r.open(func(c *Config) { c.Limits = Limits{Workers: workers} })
		endless, slow := make(chan struct{}), make(chan struct{})
		r.eng.block("endless", endless)
		r.eng.block("7", slow)
		var ps []message.ID
		for i := range 3 * workers {
			p := r.sched.spawn(t, fmt.Sprint(i), "counting")
			r.sched.add(p, "endless")
			u.Advance(p, 2)
			ps = append(ps, p)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := u.Stats().Evaluating; n != workers {
			t.Errorf("%d evaluations without end hold places, want %d", n, workers)
		}
		p := r.sched.spawn(t, "slow", "counting")
		id := r.sched.add(p, "7")
		u.Advance(p, 2)
		time.Sleep(5 * slowAfter)
		synctest.Wait()
		if n := u.Stats().Evaluating; n != workers+1 {
			t.Errorf("a slow message beside those without end: %d are evaluated, want %d", n, workers+1)
		}
		close(slow)
		synctest.Wait()
		if got := r.result(u, p, id); got != `"7"` {
			t.Errorf("the slow message gave %s", got)
		}
		close(endless)
		for _, p := range ps {
			if _, err := u.At(t.Context(), p, 1); err != nil {
				t.Error(err)
			}
		}
		if len(u.Slow()) != 0 {
			t.Errorf("%v are told to be slow still", u.Slow())
		}
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestStatesOfThePastAreBounded: each is an instance of its own and may take a whole log, so that few are there at a time.
func TestStatesOfThePastAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		u := r.open(func(c *Config) { c.Limits = Limits{DryRuns: 2, DryRunQueue: 3} })
		p := r.sched.spawn(t, "a", "counting")
		id := r.sched.add(p, "5")
		if got := r.result(u, p, id); got != `"5"` {
			t.Fatal(got)
		}
		var states []State
		for range 2 {
			s, err := u.Memory(t.Context(), p, &id)
			if err != nil {
				t.Fatal(err)
			}
			states = append(states, s)
		}
		done := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := u.DryRun(context.Background(), p, &id, process.DryMessage{Data: []byte(`"1"`)})
				done <- err
			}()
		}
		synctest.Wait()
		if len(done) > 0 {
			t.Fatalf("with two states in use a third was given: %v", <-done)
		}
		if _, err := u.Memory(t.Context(), p, &id); fault.CodeOf(err) != "dry-runs-waiting" {
			t.Errorf("with three waiting a further one got %v", err)
		}
		if res, err := u.DryRun(t.Context(), p, nil, process.DryMessage{Data: []byte(`"1"`)}); err != nil {
			t.Errorf("a dry run on the latest state: %v, %v", res, err)
		}
		for _, s := range states {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if len(u.past) != 0 {
			t.Errorf("%d places are still held", len(u.past))
		}
		a := u.actor(p)
		a.mu.Lock()
		if a.pins != 0 {
			t.Errorf("%d pins are left: the process could never be evicted again", a.pins)
		}
		a.mu.Unlock()
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestDryRunsBeyondTheQueueAreRefused(t *testing.T) {
	r := newRig(t)
	u := r.open(func(c *Config) { c.Limits = Limits{DryRuns: 1, DryRunQueue: 2} })
	a := u.actor(r.sched.spawn(t, "a", "counting"))
	leave, err := u.enterDryRun(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			leave, err := u.enterDryRun(context.Background(), a)
			if err == nil {
				leave()
			}
			errs <- err
		}()
	}
	for deadline := time.Now().Add(10 * time.Second); u.dryWaiting.Load() != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d wait", u.dryWaiting.Load())
		}
	}
	if _, err := u.enterDryRun(t.Context(), a); fault.CodeOf(err) != "dry-runs-waiting" || fault.KindOf(err) != fault.TooMany {
		t.Errorf("a dry run that is one too many: %v", err)
	}
	leave()
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestProcessesThatNobodyUsesGo(t *testing.T) {
	r := newRig(t)
	u := r.open(func(c *Config) { c.Limits = Limits{LiveCount: 2, IdleMax: 50 * time.Millisecond} })
	var last message.ID
	for i := range 5 {
		p := r.sched.spawn(t, strconv.Itoa(i), "counting")
		r.result(u, p, r.sched.add(p, "7"))
		last = p
	}
	for deadline := time.Now().Add(10 * time.Second); u.Stats().Live != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", u.Stats())
		}
	}
	if got := r.result(u, last, r.sched.add(last, "1")); got != `"8"` {
		t.Errorf("it came back as %s", got)
	}
}

func TestSomeModulesAndProcessesAreRefused(t *testing.T) {
	r := newRig(t)
	p := r.sched.spawn(t, "a", "counting")
	for code, limits := range map[string]Limits{
		"module-format-unsupported": {Formats: []string{"other"}},
		"told":                      {Refuse: func(process.Definition) error { return fault.New(fault.Denied, "told", "no") }},
	} {
		u := r.open(func(c *Config) { c.Limits = limits })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := u.Result(ctx, p, p); fault.CodeOf(err) != code {
			t.Errorf("%s: %v", code, err)
		}
		if d, err := r.sched.Process(ctx, p); err != nil || fault.CodeOf(u.Admit(ctx, d)) != code {
			t.Errorf("%s at the spawn: %v", code, err)
		}
		cancel()
	}
}

func TestOneThatIsFarBehindSaysSo(t *testing.T) {
	r := newRig(t)
	u := r.open(func(c *Config) { c.Limits = Limits{BehindMax: 3} })
	p := r.sched.spawn(t, "a", "counting")
	gate := make(chan struct{})
	r.eng.block("stay", gate)
	near := r.sched.add(p, "stay")
	r.sched.add(p, "1")
	r.sched.add(p, "1")
	far := r.sched.add(p, "1")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := u.Result(ctx, p, far); fault.CodeOf(err) != "hydrating" {
		t.Errorf("far behind: %v", err)
	}
	close(gate)
	r.result(u, p, near)
	if got := r.result(u, p, far); got != `"3"` {
		t.Errorf("once it has come near: %s", got)
	}
}
