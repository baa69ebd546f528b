package slotlogtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ago/message"
	"ago/slotlog"
)

func audit(t *testing.T, l slotlog.Log, acked *Acknowledged) Findings {
	t.Helper()
	f, err := Audit(t.Context(), l, acked)
	if err == nil {
		err = f.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// testContention lets writers race for the next slot of one process: each message gets one in the end.
func testContention(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	const writers, each = 8, 15
	acked := &Acknowledged{}
	var wg sync.WaitGroup
	for w := range uint64(writers) {
		wg.Go(func() {
			for i := range uint64(each) {
				for {
					head, err := l.Head(t.Context(), p)
					if err != nil {
						t.Error(err)
						return
					}
					b := Block(p, 0, head.Next, 1, 0)
					b.Entries[0].Message = ID("message of", w, i)
					err = l.Append(t.Context(), b)
					if err == nil {
						acked.AddBlock(b)
						break
					}
					if !errors.Is(err, slotlog.ErrSlotUsed) {
						t.Errorf("Append: %v", err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if f := audit(t, l, acked); f.Stored != writers*each {
		t.Fatalf("%d stored, want %d", f.Stored, writers*each)
	}
}

// testCircle appends to pairs of processes in both orders at once.
func testCircle(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p, q := ID("process", 1), ID("process", 2)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := slotlog.Slot(0); i < 40; i++ {
				blocks := []slotlog.Block{Block(p, 0, i, 1, 0), Block(q, 0, i, 1, 0)}
				if w%2 == 0 {
					blocks[0], blocks[1] = blocks[1], blocks[0]
				}
				// All writers append the same blocks, so each call finds them stored, stores them, or is ahead of others.
				for err := l.Append(ctx, blocks...); err != nil; err = l.Append(ctx, blocks...) {
					if !errors.Is(err, slotlog.ErrGap) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if f := audit(t, l, &Acknowledged{}); f.Stored != 80 {
		t.Fatalf("%d stored, want 80", f.Stored)
	}
}

// owner is a node as it should behave: it appends while it believes to own the partition, and after a refusal or an error
// it reads the head before it goes on.
type owner struct {
	log    slotlog.Log
	epoch  slotlog.Epoch
	latest *atomic.Uint64 // the last epoch that anybody acquired
	next   map[message.ID]slotlog.Slot
	made   uint64 // messages so far
	name   uint64

	stolen, fenced, used int
}

func (o *owner) steal(ctx context.Context, part slotlog.Partition) error {
	epoch, err := o.log.Acquire(ctx, part)
	if err == nil {
		o.latest.Store(uint64(epoch))
		o.epoch, o.next = epoch, map[message.ID]slotlog.Slot{}
		o.stolen++
	}
	return err
}

func (o *owner) append(ctx context.Context, p message.ID, n int, acked *Acknowledged) error {
	next, ok := o.next[p]
	if !ok {
		head, err := o.log.Head(ctx, p)
		if err != nil {
			return err
		}
		next = head.Next
	}
	b := Block(p, o.epoch, next, n, 0)
	for i := range b.Entries {
		o.made++
		b.Entries[i].Message, b.Entries[i].DedupKey = ID("message by", o.name, o.made), message.ID{}
	}
	err := o.log.Append(ctx, b)
	switch {
	case err == nil:
		acked.AddBlock(b)
		o.next[p] = b.Head.Next
		return nil
	case errors.Is(err, slotlog.ErrFenced):
		// It does not stop: an owner that missed the news is the danger. So is one that takes over another's epoch.
		if o.fenced++; o.fenced%4 == 0 {
			o.epoch = slotlog.Epoch(o.latest.Load())
		}
	case errors.Is(err, slotlog.ErrSlotUsed):
		o.used++
	default:
		return err
	}
	delete(o.next, p)
	return nil
}

// testRivals lets owners take the same processes from each other and write on after they lost them.
func testRivals(t *testing.T, logs Logs) {
	l := logs.Open(t)
	processes := make([]message.ID, 6)
	for i := range processes {
		processes[i] = ID("process", uint64(i))
		processes[i][0], processes[i][1] = 0xab, 0xc0|byte(i) // one partition
	}
	part := slotlog.PartitionOf(processes[0])
	acked, latest := &Acknowledged{}, &atomic.Uint64{}
	owners := make([]*owner, 4)
	stop := time.Now().Add(600 * time.Millisecond)
	var wg sync.WaitGroup
	for i := range owners {
		o := &owner{log: l, name: uint64(i), latest: latest, next: map[message.ID]slotlog.Slot{}}
		if logs.Peer != nil && i%2 == 1 {
			o.log = logs.Peer(t, l)
		}
		owners[i] = o
		random := rand.New(rand.NewPCG(uint64(i), 1))
		wg.Go(func() {
			for time.Now().Before(stop) && acked.Count() < 4000 {
				var err error
				if random.IntN(25) == 0 {
					err = o.steal(t.Context(), part)
				} else {
					err = o.append(t.Context(), processes[random.IntN(len(processes))], 1+random.IntN(3), acked)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	stolen, fenced, used := 0, 0, 0
	for _, o := range owners {
		stolen, fenced, used = stolen+o.stolen, fenced+o.fenced, used+o.used
	}
	f := audit(t, l, acked)
	t.Logf("%d acknowledged, %d stored, %d takeovers, %d fenced, %d slots refused", acked.Count(), f.Stored, stolen, fenced, used)
	if f.Stored != acked.Count() {
		t.Errorf("%d stored, %d acknowledged", f.Stored, acked.Count())
	}
	if stolen < 3 || fenced < 3 || used == 0 || acked.Count() < 10 {
		t.Error("too little happened to show anything")
	}
}
