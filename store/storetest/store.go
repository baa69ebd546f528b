// Package storetest says what a store and a collection of blobs have to do, as tests that every implementation runs.
package storetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ago/fault"
	"ago/store"
)

// Stores makes the stores under test.
type Stores struct {
	Open func(t testing.TB) store.Store // an empty one, closed by the test or by t.Cleanup
	// Reopen closes a store and opens what is left of it; nil if nothing is meant to be left.
	Reopen func(t testing.TB, s store.Store) store.Store
}

// RunStore runs the suite.
func RunStore(t *testing.T, stores Stores) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Stores)
	}{
		{"an absent key is not found", testAbsent},
		{"values belong to the receiver", testCopies},
		{"later changes of a batch win", testOrder},
		{"a scan keeps to its bounds", testBounds},
		{"a scan sees one state", testSnapshot},
		{"a batch is seen whole or not at all", testAtomic},
		{"a refused batch changes nothing", testRefused},
		{"many writers lose nothing", testParallel},
		{"a closed store says so", testClosed},
		{"what is applied is there after opening again", testReopen},
		{"a store behaves as a sorted map", testModel},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, stores) })
	}
}

func apply(t testing.TB, s store.Store, change func(*store.Batch)) {
	t.Helper()
	b := &store.Batch{}
	change(b)
	if err := s.Apply(b, true); err != nil {
		t.Fatal(err)
	}
}

func set(t testing.TB, s store.Store, pairs ...string) {
	t.Helper()
	apply(t, s, func(b *store.Batch) {
		for i := 0; i < len(pairs); i += 2 {
			b.Set([]byte(pairs[i]), []byte(pairs[i+1]))
		}
	})
}

// bound reads "" as no bound.
func bound(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func scan(t fataler, s store.Store, lower, upper string, reverse bool) []string {
	t.Helper()
	got := []string{}
	for p, err := range s.Scan(bound(lower), bound(upper), reverse) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(p.Key)+"="+string(p.Value))
	}
	return got
}

func testAbsent(t *testing.T, stores Stores) {
	s := stores.Open(t)
	set(t, s, "a", "1", "ab", "2")
	for _, key := range []string{"", "\x00", "\x00format", "aa", "b", "\xff"} {
		if v, err := s.Get([]byte(key)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get(%q) = %q, %v", key, v, err)
		}
	}
	apply(t, s, func(b *store.Batch) { b.Delete([]byte("never there")) })
}

func testCopies(t *testing.T, stores Stores) {
	s := stores.Open(t)
	key, value := []byte("key"), []byte("value")
	apply(t, s, func(b *store.Batch) { b.Set(key, value); b.Set([]byte("none"), nil) })
	key[0], value[0] = 'X', 'X'
	for range 2 {
		got, err := s.Get([]byte("key"))
		if err != nil || string(got) != "value" {
			t.Fatalf("Get = %q, %v", got, err)
		}
		got[0] = 'Y'
		for p, err := range s.Scan(nil, nil, false) {
			if err != nil {
				t.Fatal(err)
			}
			p.Key[0] = 'Z'
			clear(p.Value)
		}
	}
	if got, err := s.Get([]byte("none")); err != nil || len(got) != 0 {
		t.Fatalf("an empty value came back as %q, %v", got, err)
	}
}

func testOrder(t *testing.T, stores Stores) {
	s := stores.Open(t)
	set(t, s, "a", "0", "b", "0", "c", "0", "d", "0")
	apply(t, s, func(b *store.Batch) {
		b.Set([]byte("a"), []byte("1"))
		b.Set([]byte("a"), []byte("2"))
		b.Delete([]byte("b"))
		b.Set([]byte("b"), []byte("3"))
		b.DeleteRange([]byte("c"), []byte("d"))
		b.Set([]byte("c"), []byte("4"))
		b.Set([]byte("dd"), []byte("5"))
		b.DeleteRange([]byte("d"), []byte("e"))
		more := &store.Batch{}
		more.Set([]byte("a"), []byte("6"))
		b.Add(more)
		if b.Len() != 9 {
			t.Errorf("the batch has %d changes, want 9", b.Len())
		}
	})
	if diff := cmp.Diff([]string{"a=6", "b=3", "c=4"}, scan(t, s, "", "", false)); diff != "" {
		t.Fatal(diff)
	}
}

func testBounds(t *testing.T, stores Stores) {
	s := stores.Open(t)
	set(t, s, "\x01", "lowest", "a", "1", "ab", "2", "b", "3", "b\x00", "4", "\xff\xff", "5")
	for _, test := range []struct {
		lower, upper string
		want         []string
	}{
		{"", "", []string{"\x01=lowest", "a=1", "ab=2", "b=3", "b\x00=4", "\xff\xff=5"}},
		{"a", "b", []string{"a=1", "ab=2"}},
		{"aa", "b\x00", []string{"ab=2", "b=3"}},
		{"b\x00", "", []string{"b\x00=4", "\xff\xff=5"}},
		{"", "a", []string{"\x01=lowest"}},
		{"a", "a", []string{}},
		{"b", "a", []string{}},
		{"c", "d", []string{}},
		{"\x00", "a", []string{"\x01=lowest"}},
	} {
		if diff := cmp.Diff(test.want, scan(t, s, test.lower, test.upper, false)); diff != "" {
			t.Errorf("%q to %q: %s", test.lower, test.upper, diff)
		}
		slices.Reverse(test.want)
		if diff := cmp.Diff(test.want, scan(t, s, test.lower, test.upper, true)); diff != "" {
			t.Errorf("%q to %q, downwards: %s", test.lower, test.upper, diff)
		}
	}
	for p, err := range s.Scan(nil, nil, true) {
		if err != nil || string(p.Key) != "\xff\xff" {
			t.Fatalf("the first from the end is %q, %v", p.Key, err)
		}
		break
	}
	apply(t, s, func(b *store.Batch) {
		b.DeleteRange([]byte("a"), []byte("b"))
		b.DeleteRange([]byte("z"), []byte("c"))
		b.DeleteRange([]byte("b"), []byte("b"))
	})
	if diff := cmp.Diff([]string{"b=3", "b\x00=4"}, scan(t, s, "a", "c", false)); diff != "" {
		t.Error(diff)
	}
}

func testSnapshot(t *testing.T, stores Stores) {
	s := stores.Open(t)
	set(t, s, "a", "1", "b", "1", "c", "1")
	var got []string
	for p, err := range s.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(p.Key)+"="+string(p.Value))
		apply(t, s, func(b *store.Batch) {
			b.Delete([]byte("b"))
			b.Set([]byte("c"), []byte("2"))
			b.Set([]byte("d"), []byte("2"))
		})
		if v, err := s.Get([]byte("d")); err != nil || string(v) != "2" {
			t.Fatalf("a change during a scan is not there: %q, %v", v, err)
		}
	}
	if diff := cmp.Diff([]string{"a=1", "b=1", "c=1"}, got); diff != "" {
		t.Fatal(diff)
	}
}

func testAtomic(t *testing.T, stores Stores) {
	s := stores.Open(t)
	set(t, s, "a", "0", "z", "0")
	written := make(chan error, 1)
	go func() {
		for i := range 300 {
			b := &store.Batch{}
			v := fmt.Append(nil, i)
			b.Set([]byte("a"), v)
			b.DeleteRange([]byte("m"), []byte("n"))
			b.Set([]byte("z"), v)
			if err := s.Apply(b, i%10 == 0); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	for {
		var values [][]byte
		for p, err := range s.Scan(nil, nil, false) {
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, p.Value)
		}
		if len(values) != 2 || !bytes.Equal(values[0], values[1]) {
			t.Fatalf("half a batch: %q", values)
		}
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}

func testRefused(t *testing.T, stores Stores) {
	s := stores.Open(t)
	set(t, s, "a", "1")
	for name, change := range map[string]func(*store.Batch){
		"an empty key":          func(b *store.Batch) { b.Set(nil, []byte("2")) },
		"the store's own table": func(b *store.Batch) { b.Set([]byte("\x00format"), []byte("2")) },
		"its deletion":          func(b *store.Batch) { b.Delete([]byte{0}) },
		"a range from it":       func(b *store.Batch) { b.DeleteRange([]byte{0}, []byte("z")) },
		"a range from nowhere":  func(b *store.Batch) { b.DeleteRange(nil, []byte("z")) },
		"a range to nowhere":    func(b *store.Batch) { b.DeleteRange([]byte("a"), nil) },
	} {
		b := &store.Batch{}
		b.Set([]byte("a"), []byte("2"))
		change(b)
		if err := s.Apply(b, true); fault.CodeOf(err) != "store-key-invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff([]string{"a=1"}, scan(t, s, "", "", false)); diff != "" {
		t.Fatal(diff)
	}
}

func testParallel(t *testing.T, stores Stores) {
	s := stores.Open(t)
	const writers, each = 16, 20
	var wg sync.WaitGroup
	errs := make(chan error, writers)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				b := &store.Batch{}
				b.Set(binary.BigEndian.AppendUint16([]byte{'w', byte(w)}, uint16(i)), []byte("x"))
				if err := s.Apply(b, true); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if got := len(scan(t, s, "w", "x", false)); got != writers*each {
		t.Fatalf("%d keys, want %d", got, writers*each)
	}
}

func testClosed(t *testing.T, stores Stores) {
	s := stores.Open(t)
	set(t, s, "a", "1", "b", "1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get([]byte("a")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	b := &store.Batch{}
	b.Set([]byte("a"), nil)
	if err := s.Apply(b, true); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Apply: %v", err)
	}
	n := 0
	for _, err := range s.Scan(nil, nil, false) {
		n++
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("Scan: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("the scan gave %d answers, want one error", n)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func testReopen(t *testing.T, stores Stores) {
	if stores.Reopen == nil {
		t.Skip("this store ends with its process")
	}
	s := stores.Open(t)
	set(t, s, "a", "1", "b", "2", "c", "3")
	apply(t, s, func(b *store.Batch) { b.DeleteRange([]byte("a"), []byte("b")); b.Delete([]byte("c")) })
	for range 2 {
		s = stores.Reopen(t, s)
		if diff := cmp.Diff([]string{"b=2"}, scan(t, s, "", "", false)); diff != "" {
			t.Fatal(diff)
		}
	}
}

// testModel compares random changes and scans with a map.
func testModel(t *testing.T, stores Stores) {
	s := stores.Open(t)
	key := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x01\x7f")), 1, 3, -1)
	rapid.Check(t, func(r *rapid.T) {
		empty := &store.Batch{}
		empty.DeleteRange([]byte{1}, []byte{0xff})
		if err := s.Apply(empty, false); err != nil {
			r.Fatal(err)
		}
		model := map[string]string{}
		for range rapid.IntRange(1, 12).Draw(r, "batches") {
			b := &store.Batch{}
			for range rapid.IntRange(0, 5).Draw(r, "changes") {
				k := key.Draw(r, "key")
				switch rapid.IntRange(0, 3).Draw(r, "kind") {
				case 0:
					b.Delete([]byte(k))
					delete(model, k)
				case 1:
					upper := key.Draw(r, "upper")
					b.DeleteRange([]byte(k), []byte(upper))
					maps.DeleteFunc(model, func(m, _ string) bool { return m >= k && m < upper })
				default:
					v := rapid.StringN(0, 4, -1).Draw(r, "value")
					b.Set([]byte(k), []byte(v))
					model[k] = v
				}
			}
			if err := s.Apply(b, rapid.Bool().Draw(r, "sync")); err != nil {
				r.Fatal(err)
			}
			if stores.Reopen != nil && rapid.IntRange(0, 300).Draw(r, "reopen") == 1 {
				s = stores.Reopen(t, s)
			}
		}
		lower, upper, reverse := key.Draw(r, "lower"), key.Draw(r, "upper"), rapid.Bool().Draw(r, "reverse")
		want := []string{}
		for _, k := range slices.Sorted(maps.Keys(model)) {
			if k >= lower && k < upper {
				want = append(want, k+"="+model[k])
			}
			if v, err := s.Get([]byte(k)); err != nil || string(v) != model[k] {
				r.Fatalf("Get(%q) = %q, %v, want %q", k, v, err, model[k])
			}
		}
		if reverse {
			slices.Reverse(want)
		}
		if diff := cmp.Diff(want, scan(r, s, lower, upper, reverse)); diff != "" {
			r.Fatal(diff)
		}
		if got := len(scan(r, s, "", "", false)); got != len(model) {
			r.Fatalf("%d keys, want %d", got, len(model))
		}
	})
}
