package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestABusyHeapGrowsToTheFloorAndAnIdleOneDoesNot(t *testing.T) {
	for _, c := range []struct {
		live, floor uint64
		want        int
	}{
		{0, 192 << 20, heapPercent}, {1, 192 << 20, 10_000}, {12 << 20, 192 << 20, 1500}, {48 << 20, 192 << 20, heapPercent},
		{100 << 20, 192 << 20, heapPercent}, {300 << 20, 192 << 20, heapPercent}, {16 << 20, 32 << 20, heapPercent},
	} {
		if got := percentFor(c.live, c.floor); got != c.want {
			t.Errorf("%d live of %d: %d %%, want %d", c.live, c.floor, got, c.want)
		}
	}
	before := debug.SetGCPercent(heapPercent)
	defer debug.SetGCPercent(before)
	runtime.GC() // so that something is known to be live
	synctest.Test(t, func(t *testing.T) {
		p := &pace{floor: 1 << 40, percent: heapPercent, last: time.Now()}
		p.set()
		if p.percent <= heapPercent {
			t.Errorf("collections that follow each other at once leave it at %d %%", p.percent)
		}
		time.Sleep(heapBusy)
		p.set()
		if p.percent != heapPercent {
			t.Errorf("an idle node has %d %%, want %d", p.percent, heapPercent)
		}
	})
}

func TestTheHeapIsWatchedCollectionAfterCollection(t *testing.T) {
	before := debug.SetGCPercent(heapPercent)
	defer debug.SetGCPercent(before)
	p := &pace{floor: 1, percent: heapPercent, last: time.Now()}
	p.watch()
	for p.seen.Load() < 3 {
		runtime.GC()
		runtime.Gosched()
	}
}
