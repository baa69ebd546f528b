package schedule

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"
)

// TestRecentSlotsAreThoseOfTheLog: a slot says the same from memory as from disk.
func TestRecentSlotsAreThoseOfTheLog(t *testing.T) {
	ctx := context.Background()
	for name, begin := range map[string]func(*bench) message.ID{
		"legacy":       func(b *bench) message.ID { return b.submit(b.process()).Process },
		"core as item": func(b *bench) message.ID { return b.submit(b.coreProcess(true, "p")).Process },
		"core":         func(b *bench) message.ID { return b.submit(b.coreProcess(false, "p")).Process },
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			p := begin(b)
			legacy := name == "legacy"
			for i := range 4 {
				v := b.message(b.user, p, fmt.Sprint(i), "Action", "Count")
				if !legacy && i%2 == 0 {
					v = b.http(b.user, field("target", p.String()), field("data", fmt.Sprint(i)), message.Field{Key: "number", Value: message.Int(i)}, field("path", "other"))
				}
				if i < 2 {
					b.submit(v)
				} else if _, err := b.s.SubmitTo(ctx, p, v); err != nil {
					t.Fatal(err)
				}
			}
			var assigned slotlog.Slot
			other := b.message(b.other, p, "of another", "Type", "Message")
			b.arch[other.Message().ID()] = 100
			if r, err := b.s.Assign(ctx, p, other.Message().ID(), AssignOptions{Exclude: []string{"Data"}}); err != nil {
				t.Fatal(err)
			} else {
				assigned = r.Slot
			}
			fresh := b.again()
			here, there := slots(t, b.s, p), slots(t, fresh, p)
			if len(here) != 6 || len(there) != 6 {
				t.Fatalf("%d slots in memory, %d on disk, want 6", len(here), len(there))
			}
			for i, a := range here {
				if _, ok := b.s.recents.get(p, slotlog.Slot(i)); ok == (a.Slot == assigned) {
					t.Errorf("slot %d is in memory: %v", i, ok)
				}
				if diff := cmp.Diff(there[i].Entry, a.Entry); diff != "" || a.AssignmentID != there[i].AssignmentID {
					t.Errorf("slot %d, %s and %s: %s", i, there[i].AssignmentID, a.AssignmentID, diff)
				}
				if !message.Equal(a.Core(), there[i].Core()) || a.CoreID() != there[i].CoreID() {
					t.Errorf("slot %d is %v in memory and %v on disk", i, a.Core(), there[i].Core())
				}
				for _, what := range []func(process.Content) any{
					func(c process.Content) any {
						return []any{c.ID, c.Signature, c.OwnerKey, c.Owner, c.Target, c.Anchor, c.Data}
					},
					func(c process.Content) any { return c.Tags },
					func(c process.Content) any { return string(process.AppendContentJSON(nil, c)) },
				} {
					if diff := cmp.Diff(what(there[i].Content), what(a.Content)); diff != "" {
						t.Errorf("slot %d: %s", i, diff)
					}
				}
				m, err := b.s.Assignment(ctx, p, slotlog.Slot(i))
				if err != nil {
					t.Fatal(err)
				}
				if again, err := fresh.Assignment(ctx, p, slotlog.Slot(i)); err != nil || !message.Equal(again, m) {
					t.Errorf("slot %d is signed as %v in memory and %v on disk, %v", i, m, again, err)
				}
			}
		})
	}
}

// TestASlotThatIsReadAtOnceIsSignedWithIt: the assignment is on disk with the slot, and found by its id.
func TestASlotThatIsReadAtOnceIsSignedWithIt(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(false, "p")).Process
	v := b.http(b.user, field("target", p.String()), field("data", "one"))
	r, err := b.s.SubmitTo(context.Background(), p, v)
	if err != nil {
		t.Fatal(err)
	}
	for slot, want := range map[slotlog.Slot]error{0: store.ErrNotFound, r.Slot: nil} {
		if _, err := b.st.Get(assignmentKey(p, slot, keptMessage)); !errors.Is(err, want) {
			t.Errorf("the signature of slot %d: %v, want %v", slot, err, want)
		}
	}
	b.st.before = 1000 // nothing is written any more
	m, err := b.s.Assignment(context.Background(), p, r.Slot)
	if err != nil || len(m.Committers()) != 1 {
		t.Fatalf("%v, %v", m, err)
	}
	for _, s := range []*Scheduler{b.s, b.again()} {
		if at, err := s.Find(context.Background(), p, m.SignedID()); err != nil || at != r.Slot {
			t.Errorf("Find = %d, %v", at, err)
		}
	}
}

// TestWhatIsKeptOfASignatureHasToFit: damaged or foreign bytes are no signature.
func TestWhatIsKeptOfASignatureHasToFit(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(false, "p")).Process
	want, err := b.s.Assignment(context.Background(), p, 0)
	if err != nil {
		t.Fatal(err)
	}
	key := assignmentKey(p, 0, keptMessage)
	raw, err := b.st.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	other := append([]byte{}, raw...)
	other[1] ^= 1
	form, old, _, err := process.Keep(slots(t, b.s, p)[0].CoreLinked().With(message.KeyCommitments, want.Commitments()))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][]byte{"nothing": {}, "one byte": raw[:1], "an id": raw[:33], "half": raw[:len(raw)/2], "of another": other,
		"of an earlier release": append([]byte{byte(form)}, old...), "of a later release": {200, 1, 2}} {
		var batch store.Batch
		batch.Set(key, v)
		if err := b.st.Apply(&batch, true); err != nil {
			t.Fatal(err)
		}
		if got, err := b.again().Assignment(context.Background(), p, 0); err != nil || !message.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestRecentsAreBounded(t *testing.T) {
	var r recents
	slot := func(i int, size int) recent {
		return recent{assigned: process.Assigned{Entry: slotlog.Entry{Slot: slotlog.Slot(i), Item: make([]byte, size)}}}
	}
	for i := range 3 * recentMax {
		r.put([]recent{slot(i, 10), slot(i, 10)})
	}
	if len(r.by) != recentMax || len(r.order) != recentMax || r.bytes != 10*recentMax {
		t.Errorf("%d slots in %d places of %d bytes", len(r.by), len(r.order), r.bytes)
	}
	for i := range 100 {
		r.put([]recent{slot(-i-1, recentBytes/16)})
	}
	if r.bytes > recentBytes || len(r.by) != len(r.order) {
		t.Errorf("%d slots of %d bytes", len(r.by), r.bytes)
	}
	r.put([]recent{slot(-1000, recentBytes)})
	if _, ok := r.get(message.ID{}, ^slotlog.Slot(999)); ok {
		t.Error("a message that pushes out most others is kept")
	}
}
