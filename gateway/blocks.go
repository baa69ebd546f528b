package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/store"
)

// Block is one block of the local chain.
type Block struct {
	Height   uint64
	Hash     message.ID
	Previous message.ID
	Time     int64 // ms
}

// Seconds is the time of the block as gateways tell it, which is in whole seconds, counted from 1970. It is not before Time.
func (b Block) Seconds() int64 { return seconds(b.Time) }

func seconds(ms int64) int64 { return (ms + 999) / 1000 }

// Blocks is a chain that consists of nothing but time: a block comes every interval of the clock, and nothing runs in
// between. What was told of it stays true: heights never go back, not over a restart and not when the clock does, and the
// block of a height keeps its time and its hash.
//
// The chain is a list of segments. A segment says from which height on it counts, how many blocks it began with at once
// (mining), and from which time on it adds one per interval. The last one grows; the others are history.
type Blocks struct {
	store    store.Store
	clock    clock.Clock
	interval int64 // ms
	log      *slog.Logger

	now atomic.Pointer[moment]

	mu       sync.Mutex
	segments []segment
	top      uint64 // highest block told of, durable
	mined    []func(at int64)
}

// moment is the current block and the span of the clock in which it stays that.
type moment struct {
	block    Block
	from, to int64
}

// segment: the blocks First..Base have the time Start, block Base+n has the time Start+n*Interval; none is before Floor,
// the time of the last block of the segment before, should the clock have been set back.
type segment struct {
	First, Base            uint64
	Start, Interval, Floor int64
}

// mineMax bounds one call, so that a slip of the keyboard does not end the chain's numbers.
const mineMax = 1_000_000

func openBlocks(s store.Store, c clock.Clock, start uint64, interval time.Duration, log *slog.Logger) (*Blocks, error) {
	b := &Blocks{store: s, clock: c, interval: max(1, interval.Milliseconds()), log: log}
	lower := []byte{table, subSegment}
	for p, err := range s.Scan(lower, store.PrefixEnd(lower), false) {
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "blocks-read", "reading the block clock")
		}
		if len(p.Key) != 2+8 || len(p.Value) != 4*8 {
			return nil, fault.New(fault.Internal, "blocks-damaged", "the block clock has a row of %d bytes", len(p.Value))
		}
		b.segments = append(b.segments, segment{
			First:    binary.BigEndian.Uint64(p.Key[2:]),
			Base:     binary.BigEndian.Uint64(p.Value),
			Start:    int64(binary.BigEndian.Uint64(p.Value[8:])),
			Interval: int64(binary.BigEndian.Uint64(p.Value[16:])),
			Floor:    int64(binary.BigEndian.Uint64(p.Value[24:])),
		})
	}
	now := c.Now().UnixMilli()
	if len(b.segments) == 0 {
		b.top = start
		return b, b.begin(segment{First: start, Base: start, Start: now, Interval: b.interval})
	}
	v, err := s.Get([]byte{table, subTop})
	if err != nil || len(v) != 8 {
		return nil, fault.Wrap(err, fault.Internal, "blocks-read", "reading the height of the chain")
	}
	b.top = binary.BigEndian.Uint64(v)
	last := b.segments[len(b.segments)-1]
	height := last.height(now)
	switch {
	case height < b.top: // the clock stood later before the restart
		return b, b.begin(segment{First: b.top + 1, Base: b.top, Start: now, Interval: b.interval, Floor: b.time(b.top)})
	case last.Interval != b.interval:
		b.top = height
		return b, b.begin(segment{First: height + 1, Base: height, Start: now, Interval: b.interval, Floor: b.time(height)}) // the next one an interval from now: none in the past
	}
	return b, nil
}

// begin adds a segment and makes it durable together with the top.
func (b *Blocks) begin(s segment) error {
	v := binary.BigEndian.AppendUint64(nil, s.Base)
	v = binary.BigEndian.AppendUint64(v, uint64(s.Start))
	v = binary.BigEndian.AppendUint64(v, uint64(s.Interval))
	v = binary.BigEndian.AppendUint64(v, uint64(s.Floor))
	var batch store.Batch
	batch.Set(numberKey(subSegment, s.First), v)
	batch.Set([]byte{table, subTop}, binary.BigEndian.AppendUint64(nil, max(b.top, s.Base)))
	if err := b.store.Apply(&batch, true); err != nil {
		return fault.Wrap(err, fault.Unavailable, "blocks-write", "writing the block clock")
	}
	b.top = max(b.top, s.Base)
	if n := len(b.segments); n > 0 && b.segments[n-1].First == s.First {
		b.segments[n-1] = s
	} else {
		b.segments = append(b.segments, s)
	}
	return nil
}

func (s segment) height(now int64) uint64 {
	if now <= s.Start {
		return s.Base
	}
	return s.Base + uint64((now-s.Start)/s.Interval)
}

func (s segment) natural(height uint64) int64 {
	if height <= s.Base {
		return s.Start
	}
	return s.Start + int64(height-s.Base)*s.Interval
}

// time tells the time of an existing block.
func (b *Blocks) time(height uint64) int64 { return timeOf(b.segments, height) }

func timeOf(segments []segment, height uint64) int64 {
	i := sort.Search(len(segments), func(i int) bool { return segments[i].First > height })
	if i == 0 {
		return segments[0].Start
	}
	s := segments[i-1]
	return max(s.natural(height), s.Floor)
}

func (b *Blocks) block(height uint64) Block {
	blk := Block{Height: height, Time: b.time(height)}
	blk.Hash = blockHash(height, blk.Time)
	if height > b.segments[0].First {
		blk.Previous = blockHash(height-1, b.time(height-1))
	}
	return blk
}

func blockHash(height uint64, time int64) message.ID {
	buf := append(make([]byte, 0, 32), "ago block"...)
	buf = binary.BigEndian.AppendUint64(buf, height)
	buf = binary.BigEndian.AppendUint64(buf, uint64(time))
	return sha256.Sum256(buf)
}

// Current gives the newest block. It is cheap: one read of the clock while the block lasts.
func (b *Blocks) Current() Block {
	now := b.clock.Now().UnixMilli()
	if m := b.now.Load(); m != nil && now >= m.from && now < m.to {
		return m.block
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current(now)
}

func (b *Blocks) current(now int64) Block {
	last := b.segments[len(b.segments)-1]
	height := last.height(now)
	if height > b.top {
		var batch store.Batch
		batch.Set([]byte{table, subTop}, binary.BigEndian.AppendUint64(nil, height))
		if err := b.store.Apply(&batch, true); err != nil {
			// A height must not be told before it is durable, so the chain stands until the disk works again.
			b.log.Error("the block clock stands: its height cannot be written", "height", height, "err", err)
			return b.block(b.top)
		}
		b.top = height
	}
	blk := b.block(max(height, b.top))
	if height == b.top {
		from := last.natural(height)
		if height == last.Base {
			from = min(from, now)
		}
		b.now.Store(&moment{block: blk, from: from, to: last.natural(height + 1)})
	}
	return blk
}

// Height gives the height of the newest block.
func (b *Blocks) Height() uint64 { return b.Current().Height }

// First gives the height of the first block.
func (b *Blocks) First() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.segments[0].First
}

// At gives a block by its height; false if there is none yet or none any more.
func (b *Blocks) At(height uint64) (Block, bool) {
	now := b.clock.Now().UnixMilli()
	b.mu.Lock()
	defer b.mu.Unlock()
	if height < b.segments[0].First || height > b.current(now).Height {
		return Block{}, false
	}
	return b.block(height), true
}

// Find gives a block by its hash. It looks at the newest blocks only: findMax of them.
func (b *Blocks) Find(hash message.ID) (Block, bool) {
	now := b.clock.Now().UnixMilli()
	b.mu.Lock()
	top, segments := b.current(now).Height, slices.Clone(b.segments)
	b.mu.Unlock()
	// The search is not under the lock, which every new slot may need.
	for h := top; h >= segments[0].First && top-h < findMax; h-- {
		if blockHash(h, timeOf(segments, h)) == hash {
			return b.At(h)
		}
		if h == 0 {
			break
		}
	}
	return Block{}, false
}

// findMax bounds a search by hash: about two months of blocks, ten milliseconds.
const findMax = 50_000

// Mine adds n blocks now; the next one comes an interval later.
func (b *Blocks) Mine(n uint64) (Block, error) {
	if n == 0 || n > mineMax {
		return Block{}, fault.New(fault.TooLarge, "mine-count", "one call mines 1 to %d blocks, not %d", mineMax, n).
			WithHint("GET /mine/5 mines 5 blocks")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now().UnixMilli() // under the lock: no block may come before a time that Between has answered for
	top := b.current(now)
	s := segment{First: top.Height + 1, Base: top.Height + n, Start: now, Interval: b.interval, Floor: top.Time}
	b.now.Store(nil)
	if err := b.begin(s); err != nil {
		return Block{}, err
	}
	for _, f := range b.mined {
		f(1000 * seconds(now))
	}
	return b.current(now), nil
}

// OnMine registers a function that hears of blocks that came before their time, and of the time that is told of them, in ms.
// It must not block, nor ask for blocks.
func (b *Blocks) OnMine(f func(at int64)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mined = append(b.mined, f)
}

// Next tells the time of the next block that comes by itself, in ms, as gateways tell it.
func (b *Blocks) Next() int64 {
	now := b.clock.Now().UnixMilli()
	b.mu.Lock()
	defer b.mu.Unlock()
	height := b.current(now).Height
	last := b.segments[len(b.segments)-1]
	return 1000 * seconds(max(last.natural(height+1), last.Floor))
}

// Between gives the moments of the blocks with from <= time < to, oldest first, for a time to that has come. The times are those
// that gateways tell. What it answered once stays: no further block gets a time before it.
func (b *Blocks) Between(from, to int64) ([]process.Moment, error) {
	b.mu.Lock()
	now := b.clock.Now().UnixMilli()
	b.current(now)
	top, segments := b.top, slices.Clone(b.segments)
	b.mu.Unlock()
	last := segments[len(segments)-1]
	if last.height(min(now, to-1)) > top {
		return nil, fault.New(fault.Unavailable, "blocks-unwritable", "the block clock stands, since its height cannot be written")
	}
	first := segments[0].First
	n := sort.Search(int(top-first)+1, func(i int) bool { return 1000*seconds(timeOf(segments, first+uint64(i))) >= from })
	var out []process.Moment
	for h := first + uint64(n); h <= top; h++ {
		at := 1000 * seconds(timeOf(segments, h))
		if at >= to {
			break
		}
		out = append(out, process.Moment{Timestamp: at, Height: h})
	}
	return out, nil
}
