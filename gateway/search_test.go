package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/store"
)

// model is the naive index: all records in order of arrival.
type model struct {
	seq    []uint64
	record []*Record
}

func (m *model) search(q Query, top uint64) (ids []message.ID, more bool) {
	n := len(m.record)
	for i := range n {
		j := i
		if !q.Ascending {
			j = n - 1 - i
		}
		if q.After != nil && (q.Ascending && m.seq[j] <= *q.After || !q.Ascending && m.seq[j] >= *q.After) {
			continue
		}
		if !q.matches(m.record[j], top) {
			continue
		}
		if len(ids) == q.First {
			return ids, true
		}
		ids = append(ids, m.record[j].ID)
	}
	return ids, false
}

// TestSearchAgreesWithAListOfAllRecords fills an index at random and asks it random queries, page by page.
func TestSearchAgreesWithAListOfAllRecords(t *testing.T) {
	keys := []*commitment.Key{testKey(t, "a"), testKey(t, "b"), testKey(t, "c")}
	targets := []message.ID{message.HashOf([]byte("x")), message.HashOf([]byte("y"))}
	names, values := []string{"Type", "Name", "Data-Protocol"}, []string{"ao", "Message", "Process", "bob", ""}
	rapid.Check(t, func(t *rapid.T) {
		n := newNetwork(t)
		var m model
		count := rapid.IntRange(0, 60).Draw(t, "records")
		var parents []message.ID
		for i := range count {
			if rapid.IntRange(0, 4).Draw(t, "block") == 0 {
				n.clock.Advance(time.Duration(rapid.IntRange(0, 200).Draw(t, "s")) * time.Second)
			}
			d := ans104.Draft{Data: fmt.Append(nil, i)}
			if rapid.Bool().Draw(t, "to") {
				d.Target, d.HasTarget = rapid.SampledFrom(targets).Draw(t, "target"), true
			}
			for range rapid.IntRange(0, 4).Draw(t, "tags") {
				d.Tags = append(d.Tags, Tag{Name: rapid.SampledFrom(names).Draw(t, "name"), Value: rapid.SampledFrom(values).Draw(t, "value")})
			}
			it := sign(t, rapid.SampledFrom(keys).Draw(t, "key"), d)
			parent := message.ID{}
			if len(parents) > 0 && rapid.IntRange(0, 3).Draw(t, "bundled") == 0 {
				parent = rapid.SampledFrom(parents).Draw(t, "parent")
			}
			parents = append(parents, it.ID())
			var b store.Batch
			if err := n.put(context.Background(), &b, it, parent); err != nil {
				t.Fatal(err)
			}
			if err := n.store.Apply(&b, false); err != nil {
				t.Fatal(err)
			}
		}
		if rapid.Bool().Draw(t, "restart") {
			n.reopen(t)
		}
		for seq := range n.order.end() {
			rec, err := n.load(context.Background(), seq)
			if err != nil {
				t.Fatal(err)
			}
			m.seq, m.record = append(m.seq, seq), append(m.record, rec)
		}
		if len(m.record) != count {
			t.Fatalf("%d records, want %d", len(m.record), count)
		}
		some := func(from []message.ID, label string) []message.ID {
			if len(from) == 0 || rapid.IntRange(0, 2).Draw(t, label) > 0 {
				return nil
			}
			return rapid.SliceOfN(rapid.SampledFrom(from), 0, 3).Draw(t, label)
		}
		for range 8 {
			q := Query{First: rapid.IntRange(0, 7).Draw(t, "first"), Ascending: rapid.Bool().Draw(t, "up")}
			q.Owners = some([]message.ID{keys[0].Address(), keys[1].Address(), targets[0]}, "owners")
			q.Recipients = some(targets, "recipients")
			q.Parents = some(parents, "parents")
			q.IDs = some(parents, "ids")
			for range rapid.IntRange(0, 2).Draw(t, "filters") {
				q.Tags = append(q.Tags, TagQuery{
					Name:     rapid.SampledFrom(names).Draw(t, "name"),
					Values:   rapid.SliceOfN(rapid.SampledFrom(append(values, "M*", "*o*")), 0, 3).Draw(t, "values"),
					Not:      rapid.IntRange(0, 3).Draw(t, "not") == 0,
					Wildcard: rapid.IntRange(0, 3).Draw(t, "wild") == 0,
				})
			}
			if rapid.IntRange(0, 2).Draw(t, "heights") == 0 {
				lo := 1_500_000 + rapid.Uint64Range(0, 40).Draw(t, "min")
				q.Heights = &Span{lo, lo + rapid.Uint64Range(0, 20).Draw(t, "span")}
			}
			if rapid.IntRange(0, 2).Draw(t, "arrivals") == 0 {
				lo := uint64(start.UnixMilli()) + rapid.Uint64Range(0, 3_000_000).Draw(t, "from")
				q.Arrivals = &Span{lo, lo + rapid.Uint64Range(0, 2_000_000).Draw(t, "span")}
			}
			for range 20 { // pages
				want, wantMore := m.search(q, n.blocks.Height())
				page, more, err := n.Search(context.Background(), q)
				if err != nil {
					t.Fatal(err)
				}
				var got []message.ID
				for _, f := range page {
					got = append(got, f.Record.ID)
				}
				if !slices.Equal(got, want) || more != wantMore {
					t.Fatalf("query %+v: got %v, more %v; want %v, more %v", q, got, more, want, wantMore)
				}
				if len(page) == 0 {
					break
				}
				q.After = &page[len(page)-1].Cursor
			}
		}
	})
}

func TestAReaderWhoGoesUpMissesNothingThatIsWrittenLate(t *testing.T) {
	n := newNetwork(t)
	late := sign(t, n.key, ans104.Draft{Data: []byte("late")})
	var waiting store.Batch
	if err := n.put(context.Background(), &waiting, late, message.ID{}); err != nil {
		t.Fatal(err)
	}
	early := n.add(t, sign(t, n.key, ans104.Draft{Data: []byte("early")}))
	all := func(up bool) (ids []message.ID) {
		page, _, err := n.Search(context.Background(), Query{First: 10, Ascending: up})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page {
			ids = append(ids, f.Record.ID)
		}
		return ids
	}
	if got := all(true); len(got) != 0 {
		t.Fatalf("going up showed %v before what comes earlier was written", got)
	}
	if got := all(false); !slices.Equal(got, []message.ID{early.ID()}) {
		t.Fatalf("going down showed %v, want the new record at once", got)
	}
	if err := n.store.Apply(&waiting, true); err != nil {
		t.Fatal(err)
	}
	if got := all(true); !slices.Equal(got, []message.ID{late.ID(), early.ID()}) {
		t.Fatalf("going up showed %v", got)
	}
}

func TestAReaderWhoGoesUpDoesNotWaitForWhatNeverCame(t *testing.T) {
	n := newNetwork(t)
	var failed store.Batch
	if err := n.put(context.Background(), &failed, sign(t, n.key, ans104.Draft{Data: []byte("failed")}), message.ID{}); err != nil {
		t.Fatal(err)
	}
	n.add(t, sign(t, n.key, ans104.Draft{Data: []byte("written")}))
	count := func() int {
		page, _, err := n.Search(context.Background(), Query{First: 10, Ascending: true})
		if err != nil {
			t.Fatal(err)
		}
		return len(page)
	}
	if count() != 0 {
		t.Fatal("a gap was stepped over at once")
	}
	long := time.Now().Add(-abandonAfter - time.Second)
	n.order.samples = []sample{{long, 0}, {long, 1}}
	if count() != 1 {
		t.Fatal("a gap is waited for although its batch failed long ago")
	}
}

func TestTheSameItemIndexedManyTimesIsOneRecord(t *testing.T) {
	n := newNetwork(t)
	it := sign(t, n.key, ans104.Draft{Tags: tags("A", "1"), Data: []byte("x")})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				var b store.Batch
				if err := n.put(context.Background(), &b, it, message.ID{}); err != nil {
					t.Error(err)
				}
				if err := n.store.Apply(&b, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	page, more, err := n.Search(context.Background(), Query{First: 10, Tags: []TagQuery{{Name: "A", Values: []string{"1"}}}})
	if err != nil || len(page) != 1 || more {
		t.Fatalf("%d records, %v, %v", len(page), more, err)
	}
}

// TestAnItemThatIsIndexedMuchLaterStaysAtItsFirstPlace: it was uploaded, forgotten by the memory of recent places, and
// scheduled after other items and blocks.
func TestAnItemThatIsIndexedMuchLaterStaysAtItsFirstPlace(t *testing.T) {
	n := newNetwork(t)
	it := n.add(t, sign(t, n.key, ans104.Draft{Tags: tags("A", "1"), Data: []byte("x")}))
	other := n.add(t, sign(t, n.key, ans104.Draft{Tags: tags("A", "1"), Data: []byte("y")}))
	if _, err := n.blocks.Mine(3); err != nil {
		t.Fatal(err)
	}
	n.reopen(t)
	n.add(t, it)
	if n.order.end() != 3 {
		t.Fatalf("%d places, want 3", n.order.end())
	}
	for _, q := range []Query{{First: 10}, {First: 10, Ascending: true}, {First: 10, Tags: []TagQuery{{Name: "A", Values: []string{"1"}}}}, {First: 10, IDs: []message.ID{it.ID(), other.ID()}}} {
		page, more, err := n.Search(context.Background(), q)
		if err != nil || more || len(page) != 2 {
			t.Fatalf("%+v: %d records, %v, %v", q, len(page), more, err)
		}
		if q.Ascending {
			slices.Reverse(page)
		}
		if page[0].Record.ID != other.ID() || page[1].Record.ID != it.ID() || page[1].Record.Block.Height != 1_500_001 {
			t.Fatalf("%+v: %+v", q, page)
		}
	}
}

func TestWildcardsMatchLikeAnExpression(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"a*", "bac", false},
		{"*c", "abc", true}, {"*b*", "abc", true}, {"a*c", "abbc", true}, {"a*c", "abcd", false}, {"a*b*c", "aXbYc", true},
		{"a*b*c", "acb", false}, {"**", "x", true}, {"a", "a", true}, {"?", "a", false},
	} {
		if got := wildcard(c.pattern, c.text); got != c.want {
			t.Errorf("wildcard(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}
