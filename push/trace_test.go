package push

import (
	"context"
	"fmt"
	"testing"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// storeChain stores a chain of deliveries as it stands when all are done, each from one process to the next, and gives its messages.
func storeChain(t testing.TB, s store.Store, hops int) []message.ID {
	t.Helper()
	at := func(kind string, i int) message.ID { return message.HashOf(fmt.Appendf(nil, "%s %d", kind, i)) }
	ids := []message.ID{at("message", 0)}
	var b store.Batch
	b.Set(placeKey(ids[0], at("process", 0)), Position{Process: at("process", 0)}.append(nil))
	var slot slotlog.Slot
	for i := range hops {
		from, to, next := at("process", i), at("process", i+1), at("message", i+1)
		r := row{Task: Task{
			Key: Key{Position: Position{Process: from}}, Kind: KindMessage, State: Delivered, Parent: ids[i], Root: ids[0], Depth: uint32(i + 1),
			Target: to.String(), Message: next, Slot: &slot,
		}}
		k := r.Key.bytes()
		b.Set(taskKey(k), r.encode())
		b.Set(arrivalKey(next, to), arrival{k, ids[0], r.Depth}.encode())
		ids = append(ids, next)
	}
	if err := s.Apply(&b, false); err != nil {
		t.Fatal(err)
	}
	return ids
}

func tracer(t testing.TB, s store.Store) *Pusher {
	t.Helper()
	w := newWorld(t)
	p, err := Open(Config{Store: s, Scheduler: w, Archive: w, Key: w.key, Clock: system})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestALongChainIsCutOffAndSaysSo(t *testing.T) {
	w := newWorld(t)
	p := tracer(t, w.store)
	ids := storeChain(t, w.store, TraceMax+5)
	for _, asked := range []int{0, TraceMax + 5} {
		tr, err := p.Trace(t.Context(), ids[asked])
		if err != nil || tr.Whole || len(tr.Hops) != TraceMax || tr.Hops[0].Message != ids[0] {
			t.Fatalf("%d hops, whole %v, %v", len(tr.Hops), tr.Whole, err)
		}
		for i, h := range tr.Hops {
			if h.Message != ids[i] || h.From != i-1 {
				t.Fatalf("hop %d is %s from %d", i, h.Message, h.From)
			}
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := p.Trace(stopped, ids[5]); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("a trace nobody waits for: %v", err)
	}
}

func BenchmarkTrace(b *testing.B) {
	for _, hops := range []int{10, 1000} {
		b.Run(fmt.Sprint(hops, "-hops"), func(b *testing.B) {
			s := disk(b)
			p := tracer(b, s)
			ids := storeChain(b, s, hops)
			for b.Loop() {
				if tr, err := p.Trace(b.Context(), ids[hops/2]); err != nil || len(tr.Hops) != hops+1 {
					b.Fatal(err)
				}
			}
		})
	}
}
