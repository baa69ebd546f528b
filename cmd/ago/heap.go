package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"
)

// The heap is small beside the states of processes, which lie outside it, and what a message needs is garbage at once. So it is
// collected a third as often as Go would by itself, which costs some tens of MB; and while collections follow each other within
// heapBusy, the node is busy and the heap may grow to heapFloor between them. An idle node gives that memory back.
const (
	heapPercent = 300 // of what is live, before the next collection
	heapFloor   = 192 << 20
	heapPart    = 16 // the floor is at most this part of the machine's memory
	heapBusy    = 2 * time.Second
	// heapLimit is where the heap is collected as often as need be, so that what requests take for a moment does not grow to many
	// times of that. It lies beyond what bodies and requests may take together.
	heapLimit = 2 << 30
)

// paceHeap sets how often the heap is collected, unless the operator said that by GOGC, and the limit unless GOMEMLIMIT does.
func paceHeap() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(heapPercent)
	floor := uint64(heapFloor)
	var machine syscall.Sysinfo_t
	if syscall.Sysinfo(&machine) == nil {
		floor = min(floor, machine.Totalram*uint64(machine.Unit)/heapPart)
	}
	p := &pace{floor: floor, percent: heapPercent, last: time.Now()}
	p.watch()
}

// pace follows the collections.
type pace struct {
	floor   uint64 // bytes
	percent int    // as it stands
	last    time.Time
	seen    atomic.Uint64
}

// watch has collected called after the next collection.
func (p *pace) watch() {
	type mark struct{ _ *byte } // has a pointer, so that it shares its place with nothing
	runtime.AddCleanup(&mark{new(byte)}, (*pace).collected, p)
}

// collected follows a collection. Calls follow each other, since each asks for the next.
func (p *pace) collected() {
	p.set()
	p.seen.Add(1)
	p.watch()
}

// set says what may be allocated before the next collection.
func (p *pace) set() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	now := time.Now()
	percent := heapPercent
	if now.Sub(p.last) < heapBusy && live[0].Value.Kind() == metrics.KindUint64 {
		percent = percentFor(live[0].Value.Uint64(), p.floor)
	}
	p.last = now
	// Setting it stops the world for a moment, so not for little.
	if d := percent - p.percent; d > p.percent/4 || -d > p.percent/4 {
		p.percent = percent
		debug.SetGCPercent(percent)
	}
}

// percentFor is by how much a heap may grow over what is live: to the floor, and by heapPercent at least.
func percentFor(live, floor uint64) int {
	if live == 0 || live >= floor {
		return heapPercent
	}
	return max(heapPercent, int(min((floor-live)*100/live, 10_000)))
}
