package schedule

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/slotlog/local"
)

// foreignOf reads the slots of a process as another scheduler takes them.
func foreignOf(t *testing.T, s *Scheduler, p message.ID) []Foreign {
	t.Helper()
	var out []Foreign
	for e, err := range s.c.Log.Range(t.Context(), p, 0, 1<<30) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Foreign{Assignment: itemOf(t, bytes.Clone(e.Assignment)), Message: itemOf(t, bytes.Clone(e.Item))})
	}
	return out
}

func itemOf(t *testing.T, raw []byte) *ans104.Item {
	t.Helper()
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// again starts the scheduler again on what is stored.
func again(t *testing.T, b *bench) {
	t.Helper()
	c := b.s.c
	b.s.Close()
	c.Log = local.New(b.st, b.blobs)
	var err error
	if b.s, err = Open(c); err != nil {
		t.Fatal(err)
	}
}

// TestAProcessIsHandedOverAndBack: at any time at most one scheduler gives slots, whatever is repeated and restarted, and the
// numbers, times and hash chain go on.
func TestAProcessIsHandedOverAndBack(t *testing.T) {
	ctx := context.Background()
	beds := []*bench{open(t), open(t)}
	l := newForeignLog(t, 5)
	if _, err := beds[0].s.Take(ctx, l.process, nil, l.slots); err != nil {
		t.Fatal(err)
	}
	if _, err := beds[0].s.HandOver(ctx, l.process, "http://two"); fault.CodeOf(err) != "process-followed" {
		t.Fatalf("a process of another scheduler is handed over: %v", err)
	}
	if _, err := beds[0].s.Adopt(ctx, l.process); err != nil {
		t.Fatal(err)
	}
	if _, err := beds[0].s.HandOver(ctx, message.ID{9}, "http://two"); fault.CodeOf(err) != "process-unknown" {
		t.Fatalf("a process that is not here is handed over: %v", err)
	}
	if _, err := beds[0].s.HandOver(ctx, l.process, ""); fault.CodeOf(err) != "scheduler-missing" {
		t.Fatalf("a process is handed over to nobody: %v", err)
	}
	var old []Handover
	next := slotlog.Slot(5)
	for move := range 4 {
		from, to := beds[move%2], beds[(move+1)%2]
		first := next
		for range []int{3, 1, 0, 2}[move] { // also one that has nothing to do
			r, err := from.s.Submit(ctx, verifiedItem(t, l.message(1000+int(next))))
			if err != nil || r.Slot != next {
				t.Fatalf("slot %d: %+v, %v", next, r, err)
			}
			next++
		}
		h, err := from.s.HandOver(ctx, l.process, "http://first")
		if err != nil || h.Term != uint64(move+1) || h.Slots != next {
			t.Fatalf("%+v, %v", h, err)
		}
		again(t, from)
		if h, err = from.s.HandOver(ctx, l.process, "http://next"); err != nil || h.Term != uint64(move+1) || from.s.HandedOver(l.process) != h {
			t.Fatalf("repeated: %+v, %v", h, err)
		}
		if _, err := from.s.Submit(ctx, verifiedItem(t, l.message(100))); fault.CodeOf(err) != "process-handed-over" || !strings.Contains(err.Error(), "http://next") {
			t.Fatalf("a message after it was handed over: %v", err)
		}
		if _, err := from.s.Assign(ctx, l.process, l.slots[1].Message.ID(), AssignOptions{}); fault.CodeOf(err) != "process-handed-over" {
			t.Fatalf("an assignment after it was handed over: %v", err)
		}
		if _, err := from.s.AdoptTerm(ctx, l.process, h); fault.CodeOf(err) != "term-over" {
			t.Fatalf("it takes the process back: %v", err)
		}
		if _, err := from.s.Adopt(ctx, l.process); fault.CodeOf(err) != "term-over" {
			t.Fatalf("it adopts the process again: %v", err)
		}
		slots := foreignOf(t, from.s, l.process)
		if _, err := to.s.Take(ctx, l.process, []string{from.s.Address().String()}, slots[:len(slots)-1]); err != nil {
			t.Fatal(err)
		}
		if next > first {
			if _, err := to.s.AdoptTerm(ctx, l.process, h); fault.CodeOf(err) != "slot-missing" {
				t.Fatalf("it goes on before all is there: %v", err)
			}
		}
		if _, err := to.s.Take(ctx, l.process, []string{from.s.Address().String()}, slots); err != nil {
			t.Fatal(err)
		}
		for _, h := range old {
			if _, err := to.s.AdoptTerm(ctx, l.process, h); fault.CodeOf(err) != "term-over" {
				t.Fatalf("an earlier move: %v", err)
			}
		}
		for range 2 {
			if at, err := to.s.AdoptTerm(ctx, l.process, h); err != nil || at != next {
				t.Fatalf("slot %d, %v", at, err)
			}
			again(t, to)
		}
		if to.s.HandedOver(l.process).To != "" {
			t.Fatal("the new scheduler says that it handed it over")
		}
		old = append(old, h)
	}
	head := slotlog.Head{}
	for a, err := range beds[0].s.Range(ctx, l.process, 0, 100) {
		if err != nil || a.HashChain != chain(l.process, head) || a.Timestamp < head.Timestamp {
			t.Fatalf("slot %d does not follow: %v", a.Slot, err)
		}
		head = slotlog.Head{Next: a.Slot + 1, HashChain: a.HashChain, Assignment: a.AssignmentID, Timestamp: a.Timestamp}
	}
	if head.Next != next {
		t.Errorf("%d slots, want %d", head.Next, next)
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add(origin{first: 3}.encode())
	f.Add(origin{first: notAdopted, term: 2, slots: 9, to: "http://two"}.encode())
	f.Fuzz(func(t *testing.T, v []byte) {
		o, err := decodeOrigin(v)
		if err != nil || o.term == 0 {
			return
		}
		if got := o.encode(); string(got) != string(v) {
			t.Errorf("%x became %x", v, got)
		}
	})
}
