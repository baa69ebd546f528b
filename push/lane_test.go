package push

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"ago/store"

	"pgregory.net/rapid"
)

// A lane against the table it stands for: whatever is inserted, and whenever it is read, the head is the first key of the table,
// and nothing of the table is missed.
func TestALaneNamesTheTasksOfItsTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table []entry
		l := &lane{more: rapid.Bool().Draw(t, "from the table")}
		number := rapid.Uint32Range(0, 200)
		add := func(n uint32) {
			var e entry
			binary.BigEndian.PutUint32(e.key[:], n)
			i, found := slices.BinarySearchFunc(table, e, compareEntries)
			if !found {
				table = slices.Insert(table, i, e)
				l.insert(e)
			}
		}
		read := func() {
			from, _ := slices.BinarySearchFunc(table, entry{key: l.from}, compareEntries)
			page := slices.Clone(table[from:min(from+laneKeys+1, len(table))])
			l.loading = true
			for range rapid.IntRange(0, 5).Draw(t, "late") {
				add(number.Draw(t, "late key"))
			}
			l.loading = false
			l.take(page)
		}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			for range rapid.IntRange(0, 60).Draw(t, "inserts") {
				add(number.Draw(t, "key"))
			}
			for range rapid.IntRange(0, 60).Draw(t, "deliveries") {
				if len(l.next) == 0 && l.more {
					read()
				}
				if len(l.next) == 0 {
					if len(table) > 0 {
						t.Fatalf("the lane is done, the table has %d", len(table))
					}
					break
				}
				if l.next[0] != table[0] {
					t.Fatalf("%x is next, want %x", l.next[0].key[:4], table[0].key[:4])
				}
				if len(l.next) > laneKeys+5 {
					t.Fatalf("the lane holds %d", len(l.next))
				}
				l.remove(table[0].key)
				table = table[1:]
			}
		}
	})
}

func TestDelaysDoubleUpToTheirLimit(t *testing.T) {
	p := &Pusher{}
	p.c.Limits = Limits{}.orDefaults()
	var total time.Duration
	for n := uint32(1); n < attemptsDefault; n++ {
		d := p.delay(n)
		if want := min(time.Second<<min(n-1, 20), time.Hour); d != want {
			t.Errorf("%d: %v, want %v", n, d, want)
		}
		total += d
	}
	if total < 24*time.Hour || total > 25*time.Hour {
		t.Errorf("a task is parked after %v", total)
	}
}

func TestPendingKeysComeApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, k := laneKey{drawID(t, "from"), drawID(t, "to")}, drawKey(t).bytes()
		b := pendingKey(l, k)
		gotLane, gotKey, ok := splitPending(b)
		if !ok || gotLane != l || gotKey != k || b[0] != store.TablePushIndex {
			t.Fatalf("%v %v %v", gotLane, gotKey, ok)
		}
		if _, _, ok := splitPending(b[:len(b)-1]); ok {
			t.Fatal("a short key was read")
		}
	})
}
