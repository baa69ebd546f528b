package slotlogtest

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ago/message"
	"ago/slotlog"
)

// model is what a log should hold.
type model struct {
	entries map[message.ID][]slotlog.Entry
	heads   map[message.ID]slotlog.Head
	epochs  map[slotlog.Partition]slotlog.Epoch
}

// verdict tells what an append of the block should answer, and whether it is there already.
func (m *model) verdict(b slotlog.Block) (err error, stored bool) {
	have := m.entries[b.Process]
	next := slotlog.Slot(len(have))
	switch {
	case b.Epoch != m.epochs[slotlog.PartitionOf(b.Process)]:
		return slotlog.ErrFenced, false
	case b.First > next:
		return slotlog.ErrGap, false
	case b.First < next:
		if b.First+slotlog.Slot(len(b.Entries)) <= next && reflect.DeepEqual(b.Entries, have[b.First:b.Head.Next]) {
			return nil, true
		}
		return slotlog.ErrSlotUsed, false
	}
	var keys []message.ID
	for _, e := range have {
		keys = append(keys, e.Message, e.DedupKey)
	}
	for _, e := range b.Entries {
		if slices.Contains(keys, e.Message) || !e.DedupKey.IsZero() && slices.Contains(keys, e.DedupKey) {
			return slotlog.ErrRepeated, false
		}
		keys = append(keys, e.Message, e.DedupKey)
	}
	return nil, false
}

func (m *model) append(blocks []slotlog.Block) error {
	fresh := []slotlog.Block{}
	for _, b := range blocks {
		err, stored := m.verdict(b)
		if err != nil {
			return err
		}
		if !stored {
			fresh = append(fresh, b)
		}
	}
	for _, b := range fresh {
		m.entries[b.Process] = append(m.entries[b.Process], b.Entries...)
		m.heads[b.Process] = b.Head
	}
	return nil
}

// testModel appends blocks that are often a little wrong, and compares every answer and everything that can be read.
func testModel(t *testing.T, logs Logs) {
	run := uint64(0)
	l := logs.Open(t)
	rapid.Check(t, func(r *rapid.T) {
		run++ // the log is not emptied between the runs: each has processes of its own
		m := &model{map[message.ID][]slotlog.Entry{}, map[message.ID]slotlog.Head{}, map[slotlog.Partition]slotlog.Epoch{}}
		processes := []message.ID{ID("model", run, 0), ID("model", run, 1), ID("model", run, 2)}
		for _, p := range processes {
			part := slotlog.PartitionOf(p)
			epoch, err := l.Acquire(t.Context(), part)
			if err != nil {
				r.Fatal(err)
			}
			m.epochs[part] = epoch
		}
		r.Repeat(map[string]func(*rapid.T){
			"append": func(r *rapid.T) {
				var blocks []slotlog.Block
				for _, p := range rapid.Permutation(processes).Draw(r, "processes")[:rapid.IntRange(1, 2).Draw(r, "blocks")] {
					blocks = append(blocks, m.draw(r, p))
				}
				want := m.append(blocks)
				if got := l.Append(t.Context(), blocks...); !errors.Is(got, want) {
					r.Fatalf("Append: %v, want %v", got, want)
				}
			},
			"acquire": func(r *rapid.T) {
				part := slotlog.PartitionOf(rapid.SampledFrom(processes).Draw(r, "process"))
				epoch, err := l.Acquire(t.Context(), part)
				if m.epochs[part]++; err != nil || epoch != m.epochs[part] {
					r.Fatalf("Acquire = %d, %v, want %d", epoch, err, m.epochs[part])
				}
			},
			"reopen": func(r *rapid.T) {
				if logs.Reopen == nil || rapid.IntRange(0, 150).Draw(r, "chance") != 1 {
					r.Skip()
				}
				l = logs.Reopen(t, l)
			},
			"": func(r *rapid.T) {
				m.compare(r, l, rapid.SampledFrom(processes).Draw(r, "read"))
			},
		})
	})
}

// draw makes a block that is right about every second time.
func (m *model) draw(r *rapid.T, p message.ID) slotlog.Block {
	have := m.entries[p]
	next := slotlog.Slot(len(have))
	epoch := m.epochs[slotlog.PartitionOf(p)]
	n := rapid.IntRange(1, 4).Draw(r, "entries")
	b := Block(p, epoch, next, n, rapid.Uint64Range(0, 3).Draw(r, "seed"))
	switch rapid.SampledFrom([]string{"", "", "", "", "gap", "epoch", "used", "again", "message", "key"}).Draw(r, "defect") {
	case "gap":
		b = Block(p, epoch, next+slotlog.Slot(rapid.IntRange(1, 3).Draw(r, "gap")), n, 0)
	case "epoch":
		b.Epoch = rapid.SampledFrom([]slotlog.Epoch{0, epoch - 1, epoch + 1}).Draw(r, "epoch")
	case "used":
		if next > 0 {
			b = Block(p, epoch, slotlog.Slot(rapid.IntRange(0, int(next)-1).Draw(r, "first")), n, 9)
		}
	case "again":
		if next > 0 {
			first := rapid.IntRange(0, int(next)-1).Draw(r, "first")
			last := rapid.IntRange(first, int(next)-1).Draw(r, "last")
			b = finish(slotlog.Block{Process: p, Epoch: epoch, First: slotlog.Slot(first), Entries: have[first : last+1]})
		}
	case "message":
		if next > 0 {
			b.Entries[n-1].Message = rapid.SampledFrom(have).Draw(r, "old").Message
		}
	case "key":
		if next > 0 {
			b.Entries[n-1].DedupKey = rapid.SampledFrom(have).Draw(r, "old").DedupKey
		}
	}
	return b
}

func (m *model) compare(r *rapid.T, l slotlog.Log, p message.ID) {
	have := m.entries[p]
	next := slotlog.Slot(len(have))
	if diff := differ(have, read(r, l, p, 0, next+3)); diff != "" {
		r.Fatal(diff)
	}
	if head, err := l.Head(r.Context(), p); err != nil || head != m.heads[p] {
		r.Fatalf("Head = %+v, %v, want %+v", head, err, m.heads[p])
	}
	if next == 0 {
		return
	}
	from := rapid.IntRange(0, int(next)-1).Draw(r, "from")
	to := rapid.IntRange(0, int(next)).Draw(r, "to")
	var want []slotlog.Entry
	if from < to {
		want = append(want, have[from:to]...)
	} else {
		want = append(want, have[to+min(1, from-to):from+min(1, from-to)]...)
		slices.Reverse(want)
	}
	if diff := differ(want, read(r, l, p, slotlog.Slot(from), slotlog.Slot(to))); diff != "" {
		r.Fatalf("slots %d to %d: %s", from, to, diff)
	}
	e := have[from]
	for _, key := range e.Keys() {
		if s, err := l.Find(r.Context(), p, key); err != nil || s != e.Slot {
			r.Fatalf("Find(%s) = %d, %v, want %d", key, s, err, e.Slot)
		}
	}
}
