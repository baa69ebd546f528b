package push

import (
	"testing"
	"testing/synctest"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"

	"github.com/prometheus/client_golang/prometheus"
)

// oneSender makes a network in which each message to a makes one to b.
func oneSender(t *testing.T, c Config) (w *world, p *Pusher, a, b message.ID) {
	w = newWorld(t)
	p = w.open(t, c)
	a, b = w.spawn(t, "a"), w.spawn(t, "b")
	w.evaluate = emit(func(id message.ID, slot slotlog.Slot, _ string) process.Result {
		if id != a {
			return result(nil, nil, nil)
		}
		return result([]object{to(b.String(), slot, 0)}, nil, nil)
	})
	return w, p, a, b
}

func only(t *testing.T, p *Pusher) Task {
	t.Helper()
	got := tasks(t, p, Filter{})
	if len(got) != 1 {
		t.Fatalf("%d tasks", len(got))
	}
	return got[0]
}

func TestFailuresThatPassAreTriedAgainEverMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, a, b := oneSender(t, Config{})
		defer p.Close()
		var at []time.Duration
		start := time.Now()
		w.refuse = func(string, message.ID) error {
			at = append(at, time.Since(start))
			return fault.New(fault.Unavailable, "no-answer", "the scheduler does not answer")
		}
		w.send(t, a)
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		if len(at) != 12 || at[0] != 0 || at[1] != time.Second || at[2] != 3*time.Second || at[11] != 2047*time.Second {
			t.Fatalf("attempts at %v", at)
		}
		got := only(t, p)
		if got.State != Pending || got.Attempts != 12 || got.Code != "no-answer" || got.Reason == "" || got.Due-got.Changed != 2048*1000 || got.Message.IsZero() {
			t.Fatalf("%+v", got)
		}
		if s := p.Stats(); s.Oldest != time.Hour+time.Minute || s.Asleep != 1 || s.Failures != 12 {
			t.Fatalf("%+v", s)
		}
		w.refusing(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := only(t, p); got.State != Delivered || len(w.log(b)) != 2 || got.Reason != "" || got.Due != 0 {
			t.Fatalf("%+v", got)
		}
	})
}

func TestATaskIsParkedAfterADayAndTheNextAreTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, a, b := oneSender(t, Config{})
		defer p.Close()
		attempts := 0
		w.refuse = func(string, message.ID) error {
			attempts++
			return fault.New(fault.TooMany, "too-many", "slow down")
		}
		w.send(t, a)
		w.send(t, a)
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if n := len(tasks(t, p, Filter{State: Parked})); n != 0 || p.Stats().Pending != 2 {
			t.Fatalf("%d parked before a day", n)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		parked := tasks(t, p, Filter{State: Parked})
		if len(parked) != 2 || attempts != attemptsDefault+1 || parked[1].Attempts != 1 || parked[0].Reason != "slow down" {
			t.Fatalf("%d attempts, %+v", attempts, parked)
		}
		if s := p.Stats(); s.Parked != 2 || s.Pending != 0 || s.GaveUp != 2 {
			t.Fatalf("%+v", s)
		}
		w.refusing(nil)
		for _, task := range parked {
			if err := p.Retry(t.Context(), task.Key); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if s := p.Stats(); s.Parked != 0 || s.Pending != 0 || s.Delivered != 2 || s.Requeued != 2 || len(w.log(b)) != 3 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestARefusalParksAtOnceAndTheNextGoesOn(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Denied, fault.Malformed, fault.Forged, fault.TooLarge, fault.Unsupported, fault.NotFound, fault.Conflict} {
		synctest.Test(t, func(t *testing.T) {
			w, p, a, b := oneSender(t, Config{})
			defer p.Close()
			first := true
			w.refuse = func(string, message.ID) error {
				if !first {
					return nil
				}
				first = false
				return fault.New(kind, "refused", "not you")
			}
			w.send(t, a)
			w.send(t, a)
			synctest.Wait()
			got := tasks(t, p, Filter{})
			if got[0].State != Parked || got[0].Code != "refused" || got[1].State != Delivered || len(w.log(b)) != 2 {
				t.Fatalf("%s: %+v", kind, got)
			}
		})
	}
}

func TestATransactionThatIsNotSettledIsTriedAgain(t *testing.T) {
	if !passes(fault.New(fault.Conflict, "not-settled", "wait")) || passes(fault.New(fault.Conflict, "other", "no")) {
		t.Fatal("a conflict passes if blocks are missing, and only then")
	}
}

func TestALostAnswerIsNoSecondMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, a, b := oneSender(t, Config{})
		defer p.Close()
		lost := false
		w.lose = func(string, message.ID) error {
			if lost {
				return nil
			}
			lost = true
			return fault.New(fault.Unavailable, "timeout", "the answer was lost")
		}
		w.send(t, a)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := only(t, p); got.State != Delivered || !got.Repeated || *got.Slot != 1 || len(w.log(b)) != 2 {
			t.Fatalf("%+v, %d slots", got, len(w.log(b)))
		}
	})
}

func TestATargetThatSleepsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.open(t, Config{Limits: Limits{Workers: 1}})
		defer p.Close()
		a, b, c := w.spawn(t, "a"), w.spawn(t, "b"), w.spawn(t, "c")
		w.evaluate = emit(func(id message.ID, slot slotlog.Slot, _ string) process.Result {
			if id != a {
				return result(nil, nil, nil)
			}
			return result([]object{to(b.String(), slot, 0), to(c.String(), slot, 1)}, nil, nil)
		})
		w.refuse = func(_ string, target message.ID) error {
			if target == b {
				return fault.New(fault.Unavailable, "down", "down")
			}
			return nil
		}
		for range 40 {
			w.send(t, a)
		}
		synctest.Wait()
		if n := len(w.log(c)); n != 41 {
			t.Fatalf("%d slots", n)
		}
		if s := p.Stats(); s.Pending != 40 || s.Lanes != 1 || s.Asleep != 1 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestSleepersLeaveRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.open(t, Config{Limits: Limits{Lanes: 2}})
		defer p.Close()
		var all []message.ID
		for i := range 9 {
			all = append(all, w.spawn(t, string(rune('a'+i))))
		}
		last := all[8]
		w.evaluate = emit(func(id message.ID, slot slotlog.Slot, _ string) process.Result {
			if id != all[0] {
				return result(nil, nil, nil)
			}
			var out []object
			for i, target := range all[1:] {
				out = append(out, to(target.String(), slot, 2*i), to(target.String(), slot, 2*i+1))
			}
			return result(out, nil, nil)
		})
		w.refuse = func(_ string, target message.ID) error {
			if target != last {
				return fault.New(fault.Unavailable, "down", "down")
			}
			return nil
		}
		w.send(t, all[0])
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := p.Stats(); len(w.log(last)) != 3 || s.Pending != 14 || s.Asleep != 7 {
			t.Fatalf("%d slots, %+v", len(w.log(last)), s)
		}
		w.refusing(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := p.Stats(); s.Pending != 0 || s.Delivered != 16 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestClosingIsNoFailureOfTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, a, b := oneSender(t, Config{})
		entered := make(chan struct{})
		w.refuse = func(string, message.ID) error {
			close(entered)
			<-p.ctx.Done()
			return fault.Wrap(p.ctx.Err(), fault.Unavailable, "cut-off", "nobody waits")
		}
		w.send(t, a)
		<-entered
		p.Close()
		w.refusing(nil)
		if got := only(t, p); got.Attempts != 0 || got.State != Pending {
			t.Fatalf("%+v", got)
		}
		p = w.open(t, Config{})
		defer p.Close()
		synctest.Wait()
		if got := only(t, p); got.State != Delivered || len(w.log(b)) != 2 {
			t.Fatalf("%+v", got)
		}
	})
}

func TestRetryWakesATaskThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, a, b := oneSender(t, Config{})
		defer p.Close()
		w.refuse = func(string, message.ID) error { return fault.New(fault.Unavailable, "down", "down") }
		w.send(t, a)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.refusing(nil)
		if err := p.Retry(t.Context(), only(t, p).Key); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := only(t, p); got.State != Delivered || len(w.log(b)) != 2 {
			t.Fatalf("%+v", got)
		}
	})
}

func TestWhatIsPendingGoesOnAfterARestartWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, a, b := oneSender(t, Config{})
		w.refuse = func(string, message.ID) error { return fault.New(fault.Unavailable, "down", "down") }
		for range 50 { // more than a lane holds
			w.send(t, a)
		}
		time.Sleep(4 * time.Second) // the fourth attempt is due at 7 s
		synctest.Wait()
		p.Close()
		w.refusing(nil)
		p = w.open(t, Config{})
		defer p.Close()
		synctest.Wait()
		if s := p.Stats(); s.Pending != 50 || s.Asleep != 1 || len(w.log(b)) != 1 {
			t.Fatalf("%+v", s)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if s := p.Stats(); s.Delivered != 50 || s.Pending != 0 || len(w.log(b)) != 51 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestDelaysFollowTheNodesClock(t *testing.T) {
	clk := clock.NewPaused(time.UnixMilli(1_700_000_000_000))
	w, p, a, b := oneSender(t, Config{Clock: clk})
	defer p.Close()
	w.refuse = func(string, message.ID) error { return fault.New(fault.Unavailable, "down", "down") }
	w.send(t, a)
	until(t, func() bool { return p.Stats().Asleep == 1 })
	w.refusing(nil)
	if got := only(t, p); got.Due != 1_700_000_001_000 || got.Planned != 1_700_000_000_000 {
		t.Fatalf("%+v", got)
	}
	clk.Advance(time.Second)
	idle(t, p)
	if n := len(w.log(b)); n != 2 {
		t.Fatalf("%d slots", n)
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for range 50_000 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
	t.Fatal("it did not come to that")
}

func TestMetricsTellTheQueue(t *testing.T) {
	_, p, _, _ := oneSender(t, Config{})
	defer p.Close()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(p); err != nil {
		t.Fatal(err)
	}
	got, err := r.Gather()
	if err != nil || len(got) != len(metrics) {
		t.Fatalf("%d metrics, %v", len(got), err)
	}
}
