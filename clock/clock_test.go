package clock

import (
	"testing"
	"time"
)

func TestAPausedClockMovesOnlyByHand(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	c := NewPaused(start)
	due, stop := c.After(time.Minute)
	defer stop()
	c.Advance(59 * time.Second)
	select {
	case <-due:
		t.Fatal("fired before its time")
	case <-time.After(5 * time.Millisecond):
	}
	c.Advance(time.Second)
	select {
	case at := <-due:
		if !at.Equal(start.Add(time.Minute)) {
			t.Fatalf("fired at %v", at)
		}
	case <-time.After(time.Second):
		t.Fatal("did not fire")
	}
	c.Advance(-time.Hour)
	if !c.Now().Equal(start.Add(time.Minute)) {
		t.Fatal("the clock went back")
	}
}

func TestARunningClockJumps(t *testing.T) {
	c := NewAdjustable()
	due, stop := c.After(time.Hour)
	defer stop()
	c.Advance(2 * time.Hour)
	select {
	case <-due:
	case <-time.After(time.Second):
		t.Fatal("a waiter missed the jump")
	}
	soon, stop2 := c.After(2 * time.Millisecond)
	defer stop2()
	<-soon
}
