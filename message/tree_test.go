package message

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// holds fails unless a message has the fields of a plain map, by every way to read it, and its tree is well formed.
func holds(t interface{ Fatalf(string, ...any) }, m Message, model map[string]Value) {
	if m.Len() != len(model) {
		t.Fatalf("%d fields, want %d", m.Len(), len(model))
	}
	keys := slices.Sorted(maps.Keys(model))
	i := 0
	for k, v := range m.All() {
		if k != keys[i] || v != model[k] {
			t.Fatalf("field %d is %q = %v, want %q = %v", i, k, v, keys[i], model[keys[i]])
		}
		i++
	}
	for _, k := range keys {
		if v, ok := m.Get(k); !ok || v != model[k] {
			t.Fatalf("%q = %v, %v", k, v, ok)
		}
		if _, ok := m.Get(k + "?"); ok {
			t.Fatalf("a key that was never set is there")
		}
	}
	if (m.root != nil) != (len(model) > nodeMax) {
		t.Fatalf("%d fields are kept in the form of other sizes", len(model))
	}
	if m.root != nil {
		formed(t, m.root, true)
	}
}

func formed(t interface{ Fatalf(string, ...any) }, n *node, top bool) int {
	least := 1
	if top {
		least = 2
	}
	if n.entries() < least && n.height > 0 || n.entries() < 1 || n.entries() > nodeMax {
		t.Fatalf("a node of height %d has %d entries", n.height, n.entries())
	}
	size := len(n.fields)
	for i, k := range n.kids {
		if k.height != n.height-1 || k.first() != n.keys[i] {
			t.Fatalf("a kid of height %d that begins with %q stands under %q in height %d", k.height, k.first(), n.keys[i], n.height)
		}
		size += formed(t, k, false)
	}
	if size != n.size {
		t.Fatalf("a node counts %d fields, it has %d", n.size, size)
	}
	return size
}

// numberedKeys draws keys of which many come again.
func numberedKeys(n int) *rapid.Generator[string] {
	return rapid.Map(rapid.IntRange(0, n), func(i int) string { return fmt.Sprintf("k%05d", i) })
}

func TestALargeMessageBehavesAsAMapAndOldVersionsNeverChange(t *testing.T) {
	type version struct {
		m     Message
		model map[string]Value
	}
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.SampledFrom([]int{0, 1, 31, 32, 33, 100, 800}).Draw(t, "start")
		model := map[string]Value{}
		fs := make([]Field, start)
		for i := range fs {
			fs[i] = Field{fmt.Sprintf("k%05d", i*7919%1000), Int(i)}
			model[fs[i].Key] = Int(i)
		}
		m := New(fs...)
		versions := []version{{m, maps.Clone(model)}}
		key := numberedKeys(1000)
		grow := rapid.IntRange(1, 9).Draw(t, "of ten steps add")
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			k := key.Draw(t, "key")
			if rapid.IntRange(0, 9).Draw(t, "step") < grow {
				v := Int(rapid.Int64().Draw(t, "value"))
				model[k], m = v, m.With(k, v)
			} else if present := slices.Sorted(maps.Keys(model)); len(present) > 0 {
				at, _ := slices.BinarySearch(present, k)
				for _, k := range present[at:min(at+20, len(present))] { // rows, so that nodes empty
					delete(model, k)
					m = m.Without(k)
				}
			}
			versions = append(versions, version{m, maps.Clone(model)})
		}
		for _, v := range versions {
			holds(t, v.m, v.model)
		}
		if !Equal(m, New(fields(m)...)) || start > 0 && Equal(m, m.With("other", Int(0))) {
			t.Fatal("equality depends on how a message came about")
		}
	})
}

func fields(m Message) []Field {
	fs := []Field{}
	for k, v := range m.All() {
		fs = append(fs, Field{k, v})
	}
	return fs
}

func TestEveryKeyOfALargeMessageCanBeRemovedInAnyOrder(t *testing.T) {
	const n = 3000
	for _, step := range []int{1, 7, 1999} {
		m, model := New(sized(n)...), map[string]Value{}
		for _, f := range sized(n) {
			model[f.Key] = f.Value
		}
		for i := range n {
			key := fmt.Sprintf("balance-%05d", i*step%n)
			m = m.Without(key)
			delete(model, key)
			if i%97 == 0 || i > n-40 {
				holds(t, m, model)
			}
		}
	}
}

// What a change costs is what it copies: a bound on that is a bound on the time.
func TestAChangeOfALargeMessageCopiesOnePath(t *testing.T) {
	m := New(sized(10_000)...)
	for _, changed := range []Message{m.With("balance-05000", Int(-1)), m.With("balance-new", Int(1)), m.Without("balance-00001")} {
		before, shared, copied := map[*node]bool{}, 0, 0
		each(m.root, func(n *node) { before[n] = true })
		each(changed.root, func(n *node) {
			if before[n] {
				shared++
			} else {
				copied++
			}
		})
		if copied > 6 || shared < 400 {
			t.Errorf("%d nodes are new, %d are shared", copied, shared)
		}
		looks := 0
		compare(m, changed, func(f, g *Field) bool { looks++; return true })
		if looks > 4*nodeMax {
			t.Errorf("comparing looks at %d fields", looks)
		}
	}
}

func each(n *node, visit func(*node)) {
	visit(n)
	for _, k := range n.kids {
		each(k, visit)
	}
}

func TestOneMessageIsReadAndChangedByManyAtATime(t *testing.T) {
	m := New(sized(500)...).With("nested", New(sized(100)...))
	want := m.UnsignedID()
	m = New(fields(m)...) // whose id nobody has asked for
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			mine := m
			for i := range 200 {
				mine = mine.With(fmt.Sprintf("balance-%05d", i), Int(w))
			}
			if m.UnsignedID() != want {
				t.Error("another id")
			}
			if v, _ := mine.Get("balance-00100"); v != Int(w) {
				t.Errorf("%v, want %d", v, w)
			}
		})
	}
	wg.Wait()
}

func TestIterationMayStopAnywhere(t *testing.T) {
	m := New(sized(2000)...)
	for stop := range 2000 {
		n := 0
		for range m.All() {
			if n++; n > stop {
				break
			}
		}
		if n != stop+1 {
			t.Fatalf("%d fields were given, want %d", n, stop+1)
		}
	}
}
