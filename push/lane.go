package push

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"slices"
	"time"

	"ago/fault"
	"ago/store"
)

// lane is what is in memory of the tasks from one process to one target: the keys of the next few. The table holds them all;
// the lane only has to name them in order. What it names is read again before it is delivered, so a key too many does no harm.
type lane struct {
	key      laneKey
	next     []entry  // in order
	more     bool     // the table may hold further ones, from 'from' on
	from     keyBytes // counts if more
	loading  bool
	state    laneState
	due      int64 // ms, while it sleeps
	heap     int   // place among the sleepers
	failures uint32
	hurry    bool // the first task is not to wait for its due time
}

type entry struct {
	key     keyBytes
	planned int64
}

type laneState uint8

const (
	laneIdle laneState = iota
	laneReady
	laneRunning
	laneSleeping
)

const (
	// laneKeys is how many keys a lane holds, 66 bytes each; a longer lane is read on from the table.
	laneKeys = 32
	// sleepersPerLane bounds the lanes that sleep: they hold one key, 250 bytes in all, so four times as many take no more room.
	sleepersPerLane = 4
	// laneTurn is how many tasks of a lane are delivered before the next ready lane has its turn.
	laneTurn = 16
)

func plannedValue(ms int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(ms)) }

func plannedTime(v []byte) int64 {
	if len(v) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v))
}

func compareEntries(a, b entry) int { return bytes.Compare(a.key[:], b.key[:]) }

// insert takes a key that the table holds as pending. The caller holds the mutex.
func (p *Pusher) insert(k laneKey, e entry) {
	l := p.lanes[k]
	if l == nil {
		if p.full() {
			p.overflow = true
			return
		}
		// Earlier tasks of this lane may be among those that had no room.
		l = &lane{key: k, more: p.overflow || p.filling}
		p.lanes[k] = l
	}
	l.insert(e)
	if l.state == laneIdle {
		p.enqueue(l)
	}
}

// full tells that no further lane is taken into memory. Lanes that sleep count apart, so that targets that do not answer keep
// nobody else from being served.
func (p *Pusher) full() bool {
	return p.awake() >= p.c.Limits.Lanes || len(p.sleeping) >= sleepersPerLane*p.c.Limits.Lanes
}

func (p *Pusher) awake() int { return len(p.lanes) - len(p.sleeping) }

func (l *lane) insert(e entry) {
	if l.more && !l.loading && bytes.Compare(e.key[:], l.from[:]) >= 0 {
		return // it will be read from the table
	}
	i, found := slices.BinarySearchFunc(l.next, e, compareEntries)
	if found {
		return
	}
	l.next = slices.Insert(l.next, i, e)
	if len(l.next) > laneKeys && !l.loading {
		l.more, l.from = true, l.next[laneKeys].key
		l.next = l.next[:laneKeys]
	}
}

func (l *lane) remove(k keyBytes) {
	if i, found := slices.BinarySearchFunc(l.next, entry{key: k}, compareEntries); found {
		l.next = slices.Delete(l.next, i, i+1)
	}
}

func (p *Pusher) enqueue(l *lane) {
	l.state = laneReady
	p.ready = append(p.ready, l)
}

// employ lets as many workers run as there are ready lanes, within the limit. The caller holds the mutex.
func (p *Pusher) employ() {
	if !p.started || p.closed {
		return
	}
	for n := len(p.ready); n > 0 && p.workers < p.c.Limits.Workers; n-- {
		p.workers++
		p.wg.Add(1)
		go p.work()
	}
}

func (p *Pusher) work() {
	defer p.wg.Done()
	for {
		p.mu.Lock()
		if len(p.ready) == 0 || p.closed {
			p.workers--
			p.mu.Unlock()
			return
		}
		l := p.ready[0]
		p.ready[0] = nil
		p.ready = p.ready[1:]
		if len(p.ready) == 0 {
			p.ready = nil
		}
		l.state = laneRunning
		p.mu.Unlock()
		p.serve(l)
	}
}

// serve gives a lane its turn.
func (p *Pusher) serve(l *lane) {
	for range laneTurn {
		e, ok, err := p.head(l)
		if err != nil {
			p.c.Log.Error("tasks cannot be read", "process", l.key.from, "err", err)
			p.sleep(l, p.now()+p.delay(1).Milliseconds())
			return
		}
		if !ok {
			return
		}
		o := p.deliver(l, e.key)
		switch {
		case o.stopped:
			return
		case o.due != 0:
			p.sleep(l, o.due)
			return
		}
		p.mu.Lock()
		l.remove(e.key)
		l.failures = o.failures
		p.mu.Unlock()
	}
	p.mu.Lock()
	p.enqueue(l)
	p.mu.Unlock()
}

// head gives the first key of a lane, and retires a lane that has none.
func (p *Pusher) head(l *lane) (entry, bool, error) {
	p.mu.Lock()
	if len(l.next) == 0 && l.more {
		l.loading = true
		from := l.from
		p.mu.Unlock()
		found, err := p.page(l.key, from)
		p.mu.Lock()
		l.loading = false
		if err != nil {
			p.mu.Unlock()
			return entry{}, false, err
		}
		l.take(found)
	}
	defer p.mu.Unlock()
	if len(l.next) > 0 {
		return l.next[0], true, nil
	}
	delete(p.lanes, l.key)
	l.state = laneIdle
	p.fill()
	return entry{}, false, nil
}

// take merges a page of the table with what was inserted while it was read.
func (l *lane) take(page []entry) {
	late := l.next
	l.next, l.more = page, false
	if len(page) > laneKeys {
		l.more, l.from = true, page[laneKeys].key
		l.next = page[:laneKeys]
	}
	for _, e := range late {
		l.insert(e)
	}
}

// page reads the next keys of a lane: one more than it holds, if there are so many.
func (p *Pusher) page(k laneKey, from keyBytes) ([]entry, error) {
	var page []entry
	for kv, err := range p.c.Store.Scan(pendingKey(k, from), store.PrefixEnd(k.prefix()), false) {
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the pending tasks of %s", k.from)
		}
		if _, key, ok := splitPending(kv.Key); ok {
			page = append(page, entry{key, plannedTime(kv.Value)})
		}
		if len(page) > laneKeys {
			break
		}
	}
	return page, nil
}

// delay is the time until the next attempt after so many failures in a row.
func (p *Pusher) delay(failures uint32) time.Duration {
	d := p.c.Limits.DelayFirst
	for i := uint32(1); i < failures && d < p.c.Limits.DelayMax; i++ {
		d *= 2
	}
	return min(d, p.c.Limits.DelayMax)
}

// sleepers are lanes by due time.
type sleepers []*lane

func (s sleepers) Len() int           { return len(s) }
func (s sleepers) Less(i, j int) bool { return s[i].due < s[j].due }
func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].heap, s[j].heap = i, j
}
func (s *sleepers) Push(v any) {
	l := v.(*lane)
	l.heap = len(*s)
	*s = append(*s, l)
}
func (s *sleepers) Pop() any {
	old := *s
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return l
}

func (p *Pusher) sleep(l *lane, due int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(l.next) > 1 {
		l.more, l.from = true, l.next[1].key
		l.next = []entry{l.next[0]}
	}
	l.state, l.due = laneSleeping, due
	heap.Push(&p.sleeping, l)
	if l.heap == 0 {
		p.ring()
	}
	p.fill()
}

// rouse makes a sleeping lane ready before its time. The caller holds the mutex.
func (p *Pusher) rouse(l *lane) {
	if l.state == laneSleeping {
		heap.Remove(&p.sleeping, l.heap)
		p.enqueue(l)
		p.employ()
	}
}

func (p *Pusher) ring() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// alarm wakes lanes at their due times.
func (p *Pusher) alarm() {
	defer p.wg.Done()
	for {
		p.mu.Lock()
		now := p.now()
		for len(p.sleeping) > 0 && p.sleeping[0].due <= now {
			p.enqueue(heap.Pop(&p.sleeping).(*lane))
		}
		p.employ()
		var due <-chan time.Time
		stop := func() {}
		if len(p.sleeping) > 0 {
			due, stop = p.c.Clock.After(time.Duration(p.sleeping[0].due-now) * time.Millisecond)
		}
		p.mu.Unlock()
		select {
		case <-due:
		case <-p.kick:
		case <-p.ctx.Done():
			stop()
			return
		}
		stop()
	}
}

// resume goes through the pending index once: it counts, and takes up the lanes.
func (p *Pusher) resume() error {
	var pending, parked int64
	low := []byte{store.TablePushIndex, indexPending}
	for kv, err := range p.c.Store.Scan(low, store.PrefixEnd(low), false) {
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "store-unreadable", "the pending tasks cannot be read")
		}
		k, key, ok := splitPending(kv.Key)
		if !ok {
			continue
		}
		pending++
		p.mu.Lock()
		p.insert(k, entry{key, plannedTime(kv.Value)})
		p.mu.Unlock()
	}
	low = []byte{store.TablePushIndex, indexParked}
	for _, err := range p.c.Store.Scan(low, store.PrefixEnd(low), false) {
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "store-unreadable", "the parked tasks cannot be read")
		}
		parked++
	}
	p.count.pending.Store(pending)
	p.count.parked.Store(parked)
	return nil
}

// fill looks for lanes in the table once there is room again, after some had none. The caller holds the mutex.
func (p *Pusher) fill() {
	if !p.overflow || p.filling || p.closed || p.full() || p.awake() > p.c.Limits.Lanes/2 {
		return
	}
	p.filling, p.overflow = true, false
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		err := p.search()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.filling = false
		if err != nil {
			p.overflow = true
			p.c.Log.Error("pending tasks cannot be read", "err", err)
			return
		}
		p.fill()
	}()
}

// search steps from lane to lane through the table, on from where the last search ended, until the memory is full again.
func (p *Pusher) search() error {
	head := []byte{store.TablePushIndex, indexPending}
	p.mu.Lock()
	from := p.next
	p.mu.Unlock()
	if from == nil {
		from = head
	}
	for p.ctx.Err() == nil {
		var k laneKey
		var e entry
		found := false
		for kv, err := range p.c.Store.Scan(from, store.PrefixEnd(head), false) {
			if err != nil {
				return err
			}
			if k, e.key, found = splitPending(kv.Key); found {
				e.planned = plannedTime(kv.Value)
				break
			}
		}
		p.mu.Lock()
		if !found {
			begun := p.next == nil
			p.next, from = nil, head
			p.mu.Unlock()
			if begun {
				return nil // all of the table was seen
			}
			continue
		}
		full := p.full()
		if full {
			p.overflow, p.next = true, from
		} else if p.lanes[k] == nil {
			l := &lane{key: k, more: true}
			p.lanes[k] = l
			p.enqueue(l)
			p.employ()
		}
		p.mu.Unlock()
		if full {
			return nil
		}
		from = store.PrefixEnd(k.prefix())
	}
	return nil
}
