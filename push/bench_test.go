package push

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
	"ago/store/pebble"
)

func benchRow() row {
	r := row{
		Task: Task{
			Key: Key{Position{message.HashOf([]byte("sender")), 300, 0, 0}, 2, 0}, Kind: KindMessage, State: Pending,
			Parent: message.HashOf([]byte("p")), Root: message.HashOf([]byte("r")), Target: message.HashOf([]byte("t")).String(), Depth: 1,
			Planned: 1_700_000_000_000, Changed: 1_700_000_000_000,
		},
		module: message.HashOf([]byte("m")), scheduler: message.HashOf([]byte("s")).String(), anchor: anchor(300, 2),
		tags: pairs("Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message", "Reference", "12", "Action", "Credit-Notice",
			"Quantity", "1000000000000", "Sender", message.HashOf([]byte("x")).String()),
	}
	return r
}

func BenchmarkEncodeRow(b *testing.B) {
	r := benchRow()
	b.ReportAllocs()
	for b.Loop() {
		r.encode()
	}
}

func BenchmarkDecodeRow(b *testing.B) {
	r := benchRow()
	raw := r.encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeRow(r.Key, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkItem(b *testing.B) {
	r, w := benchRow(), newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.item(w.key); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlan is the cost that a result with one message adds to its batch, and what the commit costs the pusher.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n, "-messages"), func(b *testing.B) {
			w, s := newWorld(b), disk(b)
			p, err := Open(Config{Store: s, Scheduler: w, Archive: w, Key: w.key, Clock: system})
			if err != nil {
				b.Fatal(err)
			}
			def := process.Definition{ID: message.HashOf([]byte("a")), Module: w.module}
			target := message.HashOf([]byte("b")).String()
			var out []object
			for i := range n {
				out = append(out, to(target, 1, i, "Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message", "Reference", "12", "Action", "Go"))
			}
			res := result(out, nil, nil)
			b.ReportAllocs()
			slot := slotlog.Slot(0)
			for b.Loop() {
				slot++
				var batch store.Batch
				a := process.Assigned{Entry: slotlog.Entry{Slot: slot, Message: message.HashOf([]byte(fmt.Sprint(slot)))}}
				if err := p.Plan(&batch, def, a, res); err != nil {
					b.Fatal(err)
				}
				p.Committed(def.ID, slot)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/task")
		})
	}
}

// BenchmarkPingPong is a hop between two processes but for scheduling and evaluation, which are in memory here; the store is on
// disk, without waiting for it.
func BenchmarkPingPong(b *testing.B) {
	w := newWorld(b)
	net := &instant{w: w, store: disk(b), total: b.N, done: make(chan struct{})}
	p, err := Open(Config{Store: net.store, Scheduler: net, Archive: w, Key: w.key, Clock: system, Verifier: commitment.NewVerifier(1000)})
	if err != nil {
		b.Fatal(err)
	}
	net.p = p
	if err := p.Start(); err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	b.ResetTimer()
	net.arrive(message.HashOf([]byte("a")), message.HashOf([]byte("first")))
	<-net.done
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/hop")
}

// BenchmarkFan is the cost of one of many messages to many targets that one result emits.
func BenchmarkFan(b *testing.B) {
	w := newWorld(b)
	net := &instant{w: w, store: disk(b), total: b.N, done: make(chan struct{}), fan: b.N}
	p, err := Open(Config{Store: net.store, Scheduler: net, Archive: w, Key: w.key, Clock: system, Limits: Limits{FanOutMax: 1 << 30}})
	if err != nil {
		b.Fatal(err)
	}
	net.p = p
	if err := p.Start(); err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	b.ResetTimer()
	net.arrive(message.HashOf([]byte("a")), message.HashOf([]byte("first")))
	<-net.done
}

func disk(b *testing.B) store.Store {
	s, err := pebble.Open(pebble.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

var system = clock.System{}

// instant schedules and evaluates at once: a message to a process makes one to the next process, until there were enough.
type instant struct {
	w     *world
	p     *Pusher
	store store.Store
	total int
	fan   int // messages of the first evaluation; 0 for one each
	done  chan struct{}

	mu    sync.Mutex
	count int
	slots map[message.ID]slotlog.Slot
}

func (n *instant) Process(context.Context, message.ID) (process.Definition, error) {
	return process.Definition{}, nil
}

func (n *instant) Assign(context.Context, message.ID, message.ID, AssignOptions) (Receipt, error) {
	return Receipt{}, nil
}

func (n *instant) Submit(_ context.Context, v commitment.Verified) (Receipt, error) {
	it, _ := ans104.ItemOf(v.Message())
	slot := n.arrive(it.Target, it.ID())
	return Receipt{ID: it.ID(), Process: it.Target, Slot: slot}, nil
}

func (n *instant) arrive(at, id message.ID) slotlog.Slot {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.slots == nil {
		n.slots = map[message.ID]slotlog.Slot{}
	}
	slot := n.slots[at]
	n.slots[at]++
	n.count++
	var out []object
	switch {
	case n.fan > 0 && n.count == 1:
		for i := range n.fan {
			target := message.HashOf([]byte{byte(i), byte(i >> 8)})
			out = append(out, to(target.String(), slot, i, "Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message", "Reference", "12", "Action", "Go"))
		}
	case n.fan == 0 && n.count <= n.total:
		target := message.HashOf([]byte{byte(n.count & 1)})
		out = append(out, to(target.String(), slot, 0, "Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message", "Reference", "12", "Action", "Go"))
	}
	var b store.Batch
	def := process.Definition{ID: at, Module: n.w.module}
	a := process.Assigned{Entry: slotlog.Entry{Process: at, Slot: slot, Message: id}}
	if err := n.p.Plan(&b, def, a, result(out, nil, nil)); err != nil {
		panic(err)
	}
	if err := n.store.Apply(&b, false); err != nil {
		panic(err)
	}
	n.p.Committed(at, slot)
	if n.count == n.total+1 {
		close(n.done)
	}
	return slot
}
