package compute

import (
	"testing"
	"time"

	"ago/slotlog"
)

// TestWhoIsBehindIsNamed: the processes with slots that wait for their evaluation, the furthest first, and nobody else.
func TestWhoIsBehindIsNamed(t *testing.T) {
	r := newRig(t)
	u := r.open()
	gate := make(chan struct{})
	r.eng.block("stay", gate)
	near, far, done := r.sched.spawn(t, "near", "counting"), r.sched.spawn(t, "far", "counting"), r.sched.spawn(t, "done", "counting")
	r.result(u, done, r.sched.add(done, "1"))
	r.result(u, near, near)
	r.result(u, far, far)
	stay := r.sched.add(near, "stay")
	u.Advance(near, 2)
	wait := r.sched.add(far, "stay")
	for range 4 {
		wait = r.sched.add(far, "1")
	}
	u.Advance(far, 6)
	for deadline := time.Now().Add(10 * time.Second); u.Stats().Behind != 6; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", u.Stats())
		}
	}
	got, n := u.Behind(10)
	if n != 2 || len(got) != 2 || got[0].Process != far || got[0].Slots != 5 || got[1].Process != near || got[1].Slots != 1 || got[1].Next != slotlog.Slot(1) {
		t.Fatalf("%d are behind: %+v", n, got)
	}
	if got, n := u.Behind(1); n != 2 || len(got) != 1 || got[0].Process != far {
		t.Fatalf("of %d the first is %+v", n, got)
	}
	close(gate)
	r.result(u, near, stay)
	r.result(u, far, wait)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, n := u.Behind(10); n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("they stay behind")
		}
	}
}
