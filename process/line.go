package process

import (
	"math"

	"ago/message"
	"ago/slotlog"
)

// Line are the ticks that follow one slot of a process: a function of the process's timers, its first slot, that slot, and
// the blocks since.
//
// The seconds after the slot are counted from its own time, so a tick by time has the slot's milliseconds. It is due in each
// second that is a whole number of intervals after the second of the process's first slot, but not in that one. A tick by
// blocks is due at the time of each block whose height is a whole number of intervals above that of the first slot; if blocks
// have one time, once. Ticks at one time come in the order of Crons.
type Line struct {
	process message.ID
	slot    slotlog.Slot
	crons   []Cron
	origin  Moment
	left    Moment

	height uint64   // of the newest block passed
	blocks []Moment // those to come, oldest first
	known  int64    // all blocks before this time are in
	second int64    // the next second to look at, counted from the slot's
	ready  []Tick
}

// NewLine gives the ticks after a slot. Origin is the moment of the process's first slot, left that of the slot.
func NewLine(p message.ID, crons []Cron, origin, left Moment, slot slotlog.Slot) *Line {
	return &Line{process: p, slot: slot, crons: crons, origin: origin, left: left, height: left.Height, known: left.Timestamp + 1}
}

// Slot is the slot the ticks follow.
func (l *Line) Slot() slotlog.Slot { return l.slot }

// Height is that of the newest block learnt.
func (l *Line) Height() uint64 {
	if n := len(l.blocks); n > 0 {
		return l.blocks[n-1].Height
	}
	return l.height
}

// Known tells the time up to which, not including, all blocks are in.
func (l *Line) Known() int64 { return l.known }

// Learn takes in the blocks from Known up to, not including, a time.
func (l *Line) Learn(blocks []Moment, before int64) {
	l.blocks = append(l.blocks, blocks...)
	l.known = max(l.known, before)
}

// Next gives the next tick before a time; false if there is none, or if it is not Known yet.
func (l *Line) Next(before int64) (Tick, bool) {
	before = min(before, l.known)
	for len(l.ready) == 0 {
		at, timed := l.nextSecond()
		if len(l.blocks) > 0 && (!timed || l.blocks[0].Timestamp <= at) {
			if l.blocks[0].Timestamp >= before {
				return Tick{}, false
			}
			l.passBlocks()
			continue
		}
		if !timed || at >= before {
			return Tick{}, false
		}
		l.passSecond(at)
	}
	if l.ready[0].Timestamp >= before {
		return Tick{}, false
	}
	t := l.ready[0]
	l.ready = l.ready[1:]
	return t, true
}

// Due tells the time of the next tick by time; 0 and false if there is none.
func (l *Line) Due() (at int64, ok bool) {
	if len(l.ready) > 0 {
		return l.ready[0].Timestamp, true
	}
	return l.nextSecond()
}

func (l *Line) nextSecond() (at int64, ok bool) {
	base, origin := l.left.Timestamp/1000, l.origin.Timestamp/1000
	next := int64(math.MaxInt64)
	for _, c := range l.crons {
		if c.Blocks || c.Every == 0 {
			continue
		}
		k := l.second
		if r := (base + k - origin) % c.Every; r != 0 {
			k += c.Every - r
		}
		if base+k == origin {
			k += c.Every
		}
		next = min(next, k)
	}
	if next == math.MaxInt64 {
		return 0, false
	}
	return l.left.Timestamp + 1000*next, true
}

// passSecond makes the ticks by time of a second in which at least one is due.
func (l *Line) passSecond(at int64) {
	since := at/1000 - l.origin.Timestamp/1000
	for i, c := range l.crons {
		if !c.Blocks && c.Every != 0 && since != 0 && since%c.Every == 0 {
			l.add(i, at, l.height)
		}
	}
	l.second = (at-l.left.Timestamp)/1000 + 1
}

// passBlocks makes the ticks by blocks of the next block, and of those that have the same time.
func (l *Line) passBlocks() {
	at, n := l.blocks[0].Timestamp, 0
	for n < len(l.blocks) && l.blocks[n].Timestamp == at {
		n++
	}
	for i, c := range l.crons {
		if !c.Blocks || c.Every == 0 {
			continue
		}
		for _, b := range l.blocks[:n] {
			if since := int64(b.Height - l.origin.Height); since != 0 && since%c.Every == 0 {
				l.add(i, at, b.Height)
				break
			}
		}
	}
	l.height = l.blocks[n-1].Height
	l.blocks = l.blocks[n:]
}

func (l *Line) add(i int, at int64, height uint64) {
	c := &l.crons[i]
	l.ready = append(l.ready, Tick{Process: l.process, Slot: l.slot, Timestamp: at, Place: uint16(i + 1), Name: c.Name, Height: height, Tags: c.Tags})
}

// SkipTo passes over all ticks up to a position. The blocks up to and including its time have to be known.
func (l *Line) SkipTo(timestamp int64, place uint16) {
	for len(l.blocks) > 0 && l.blocks[0].Timestamp < timestamp {
		l.height = l.blocks[0].Height
		l.blocks = l.blocks[1:]
	}
	if behind := timestamp - l.left.Timestamp; behind > 0 {
		l.second = max(l.second, (behind+999)/1000)
	}
	for {
		t, ok := l.Next(timestamp + 1)
		if !ok {
			return
		}
		if !t.Before(timestamp, place) && (t.Timestamp != timestamp || t.Place != place) {
			l.ready = append([]Tick{t}, l.ready...)
			return
		}
	}
}
