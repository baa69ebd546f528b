package compute

import (
	"context"
	"strconv"
	"testing"
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
		if cap(u.turns.quick) != c.workers || cap(u.dry) != c.dry {
			t.Errorf("%+v gives %d workers and %d places for dry runs", c.limits, cap(u.turns.quick), cap(u.dry))
		}
	}
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
