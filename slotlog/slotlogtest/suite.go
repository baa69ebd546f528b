// Package slotlogtest says what an order of messages has to do, as tests that every implementation runs.
package slotlogtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// Logs makes the logs under test.
type Logs struct {
	Open func(t testing.TB) slotlog.Log // an empty one, closed by the test or by t.Cleanup
	// Reopen closes a log and opens what is left of it; nil if nothing is meant to be left.
	Reopen func(t testing.TB, l slotlog.Log) slotlog.Log
	// Peer opens the same log a second time, as another node does; nil if a log is open only once.
	Peer func(t testing.TB, l slotlog.Log) slotlog.Log
}

// Run runs the suite.
func Run(t *testing.T, logs Logs) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Logs)
	}{
		{"an unknown process has no slots", testUnknown},
		{"an entry comes back as it was given", testRoundTrip},
		{"a range ends where slots are missing", testRange},
		{"a taken slot is refused", testTaken},
		{"a gap is refused", testGap},
		{"the same block again is no error", testRepeatBlock},
		{"a message has one slot in a process", testRepeatMessage},
		{"a dedup key has one slot in a process", testDedupKey},
		{"one refused block refuses all", testAllOrNothing},
		{"a block that contradicts itself is refused", testMalformed},
		{"an earlier owner is fenced", testFence},
		{"processes come in order", testProcesses},
		{"a cancelled append does nothing", testCancelled},
		{"a closed log says so", testClosed},
		{"everything is there after opening again", testReopen},
		{"a log behaves as lists of entries", testModel},
		{"many writers of one process share its slots", testContention},
		{"blocks of many processes do not wait in a circle", testCircle},
		{"rival owners never make two truths", testRivals},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, logs) })
	}
}

// ID makes an id of a few numbers.
func ID(kind string, n ...uint64) message.ID {
	b := []byte(kind)
	for _, v := range n {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return message.HashOf(b)
}

// Entry makes an entry with all facts, which follow from process, slot and seed.
func Entry(p message.ID, s slotlog.Slot, seed uint64) slotlog.Entry {
	id := ID("message", uint64(p[0]), uint64(s), seed)
	e := slotlog.Entry{
		Process:     p,
		Slot:        s,
		Message:     id,
		Timestamp:   1_700_000_000_000 + int64(s),
		BlockHeight: 1_500_000 + uint64(s)/10,
		BlockHash:   ID("block", uint64(s)/10),
		BlockTime:   1_700_000_000_000 + int64(s)/10,
		HashChain:   ID("chain", uint64(s), seed),
		Assignment:  fmt.Appendf(nil, "assignment of %s", id),
		Item:        fmt.Appendf(nil, "message %s", id),
	}
	if s%3 == 1 {
		e.DedupKey = ID("key", uint64(s), seed)
	}
	if s%4 >= 2 { // as in an AO-Core process
		e.Form, e.Hashpath, e.Assignment = slotlog.Form(s%4-1), fmt.Sprintf("%s/%s", p, id), nil
	}
	if s%5 == 4 {
		e.ByID, e.Item, e.Exclude = true, nil, []string{"Data", "", "Über"}
	}
	return e
}

// Block makes a block of n entries.
func Block(p message.ID, epoch slotlog.Epoch, first slotlog.Slot, n int, seed uint64) slotlog.Block {
	b := slotlog.Block{Process: p, Epoch: epoch, First: first}
	for i := range n {
		b.Entries = append(b.Entries, Entry(p, first+slotlog.Slot(i), seed))
	}
	return finish(b)
}

// finish sets the head to what the entries make of it.
func finish(b slotlog.Block) slotlog.Block {
	last := b.Entries[len(b.Entries)-1]
	b.Head = slotlog.Head{
		Next:       b.First + slotlog.Slot(len(b.Entries)),
		Timestamp:  last.Timestamp,
		HashChain:  last.HashChain,
		Assignment: message.HashOf(last.Assignment),
		Hashpath:   last.Hashpath,
	}
	return b
}

// differ is cmp.Diff, which takes long to find large values equal.
func differ(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

func mustAppend(t testing.TB, l slotlog.Log, blocks ...slotlog.Block) {
	t.Helper()
	if err := l.Append(t.Context(), blocks...); err != nil {
		t.Fatal(err)
	}
}

func wantRefusal(t testing.TB, l slotlog.Log, want error, blocks ...slotlog.Block) {
	t.Helper()
	if err := l.Append(t.Context(), blocks...); !errors.Is(err, want) {
		t.Fatalf("Append: %v, want %v", err, want)
	}
}

type fataler interface {
	Helper()
	Context() context.Context
	Fatalf(string, ...any)
}

func read(t fataler, l slotlog.Log, p message.ID, from, to slotlog.Slot) []slotlog.Entry {
	t.Helper()
	var got []slotlog.Entry
	for e, err := range l.Range(t.Context(), p, from, to) {
		if err != nil {
			t.Fatalf("slots %d to %d: %v", from, to, err)
		}
		got = append(got, e)
	}
	return got
}

func wantEntries(t fataler, l slotlog.Log, p message.ID, want []slotlog.Entry) {
	t.Helper()
	if diff := differ(want, read(t, l, p, 0, slotlog.Slot(len(want))+10)); diff != "" {
		t.Fatalf("process %s: %s", p, diff)
	}
	head, err := l.Head(t.Context(), p)
	if err != nil || head.Next != slotlog.Slot(len(want)) {
		t.Fatalf("head %+v, %v, want %d slots", head, err, len(want))
	}
}

func testUnknown(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	wantEntries(t, l, p, nil)
	if head, err := l.Head(t.Context(), p); err != nil || head != (slotlog.Head{}) {
		t.Errorf("Head = %+v, %v", head, err)
	}
	if _, err := l.Find(t.Context(), p, ID("message", 1)); !errors.Is(err, slotlog.ErrNotFound) {
		t.Errorf("Find: %v", err)
	}
	for p, err := range l.Processes(t.Context(), message.ID{}) {
		t.Errorf("process %s, %v", p, err)
	}
	if err := l.Append(t.Context()); err != nil {
		t.Errorf("an append of nothing: %v", err)
	}
}

func testRoundTrip(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	bare := slotlog.Entry{Process: p, Slot: 0, Message: p}
	large := Entry(p, 1, 0)
	large.Item = slices.Repeat([]byte("0123456789abcdef"), 40_000)
	empty := Entry(p, 2, 0)
	empty.Item, empty.Assignment, empty.Timestamp = []byte{}, []byte{}, -1
	first := finish(slotlog.Block{Process: p, Entries: []slotlog.Entry{bare, large, empty}})
	mustAppend(t, l, first)
	second := Block(p, 0, 3, 20, 0)
	mustAppend(t, l, second)
	want := append(slices.Clone(first.Entries), second.Entries...)
	wantEntries(t, l, p, want)
	if head, err := l.Head(t.Context(), p); err != nil || head != second.Head {
		t.Fatalf("Head = %+v, %v, want %+v", head, err, second.Head)
	}
	for _, e := range want {
		for _, key := range e.Keys() {
			if s, err := l.Find(t.Context(), p, key); err != nil || s != e.Slot {
				t.Errorf("Find(%s) = %d, %v, want %d", key, s, err, e.Slot)
			}
		}
	}
	// What is given out belongs to the receiver.
	for range 2 {
		got := read(t, l, p, 1, 2)[0]
		if diff := differ(large, got); diff != "" {
			t.Fatal("an entry changed with its copy")
		}
		clear(got.Item)
		clear(got.Assignment)
	}
}

func testRange(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p, neighbour := ID("process", 1), ID("process", 1)
	neighbour[31]++
	mustAppend(t, l, Block(p, 0, 0, 5, 0), Block(neighbour, 0, 0, 3, 0))
	for _, test := range []struct {
		from, to slotlog.Slot
		want     []slotlog.Slot
	}{
		{0, 5, []slotlog.Slot{0, 1, 2, 3, 4}},
		{1, 3, []slotlog.Slot{1, 2}},
		{3, 100, []slotlog.Slot{3, 4}},
		{0, ^slotlog.Slot(0), []slotlog.Slot{0, 1, 2, 3, 4}},
		{2, 2, nil},
		{5, 9, nil},
		{4, 0, []slotlog.Slot{4, 3, 2, 1}},
		{3, 2, []slotlog.Slot{3}},
		{5, 0, nil},
		{^slotlog.Slot(0), 0, nil},
	} {
		var got []slotlog.Slot
		for _, e := range read(t, l, p, test.from, test.to) {
			got = append(got, e.Slot)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("slots %d to %d: %d, want %d", test.from, test.to, got, test.want)
		}
	}
	for e, err := range l.Range(t.Context(), p, 0, 5) {
		if err != nil || e.Slot != 0 {
			t.Errorf("the first is %d, %v", e.Slot, err)
		}
		break
	}
}

func testTaken(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	b := Block(p, 0, 0, 3, 0)
	mustAppend(t, l, b)
	wantRefusal(t, l, slotlog.ErrSlotUsed, Block(p, 0, 0, 1, 1))
	wantRefusal(t, l, slotlog.ErrSlotUsed, Block(p, 0, 2, 2, 1))
	wantRefusal(t, l, slotlog.ErrSlotUsed, Block(p, 0, 1, 3, 0)) // two as stored, one new
	for name, change := range map[string]func(*slotlog.Entry){
		"assignment": func(e *slotlog.Entry) { e.Assignment = []byte("signed again") },
		"timestamp":  func(e *slotlog.Entry) { e.Timestamp++ },
		"chain":      func(e *slotlog.Entry) { e.HashChain = ID("another") },
		"hashpath":   func(e *slotlog.Entry) { e.Hashpath = p.String() },
	} {
		again := Block(p, 0, 0, 3, 0)
		change(&again.Entries[1])
		if err := l.Append(t.Context(), again); !errors.Is(err, slotlog.ErrSlotUsed) {
			t.Errorf("the same message with another %s: %v", name, err)
		}
	}
	wantEntries(t, l, p, b.Entries)
}

func testGap(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	wantRefusal(t, l, slotlog.ErrGap, Block(p, 0, 1, 1, 0))
	b := Block(p, 0, 0, 2, 0)
	mustAppend(t, l, b)
	wantRefusal(t, l, slotlog.ErrGap, Block(p, 0, 3, 1, 0))
	wantEntries(t, l, p, b.Entries)
}

func testRepeatBlock(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	first, second := Block(p, 0, 0, 2, 0), Block(p, 0, 2, 2, 0)
	mustAppend(t, l, first)
	mustAppend(t, l, first)
	mustAppend(t, l, second)
	mustAppend(t, l, first)
	mustAppend(t, l, second)
	unsigned := Block(p, 0, 0, 2, 0)
	unsigned.Entries[0].Assignment = nil
	mustAppend(t, l, unsigned)
	wantEntries(t, l, p, append(slices.Clone(first.Entries), second.Entries...))
	if head, err := l.Head(t.Context(), p); err != nil || head != second.Head {
		t.Fatalf("Head = %+v, %v", head, err)
	}
	other := Block(ID("process", 2), 0, 0, 1, 0)
	mustAppend(t, l, second, other) // one is there, one is new
	wantEntries(t, l, other.Process, other.Entries)
}

func testRepeatMessage(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p, q := ID("process", 1), ID("process", 2)
	b := Block(p, 0, 0, 3, 0)
	mustAppend(t, l, b)
	again := Block(p, 0, 3, 2, 1)
	again.Entries[1].Message = b.Entries[1].Message
	wantRefusal(t, l, slotlog.ErrRepeated, again)
	if s, err := l.Find(t.Context(), p, again.Entries[1].Message); err != nil || s != 1 {
		t.Errorf("Find = %d, %v, want 1", s, err)
	}
	if _, err := l.Find(t.Context(), p, again.Entries[0].Message); !errors.Is(err, slotlog.ErrNotFound) {
		t.Errorf("a message of a refused block has a slot: %v", err)
	}
	twice := Block(p, 0, 3, 2, 1)
	twice.Entries[1].Message = twice.Entries[0].Message
	wantRefusal(t, l, slotlog.ErrRepeated, twice)
	wantEntries(t, l, p, b.Entries)
	other := Block(q, 0, 0, 3, 0) // another process may have the same messages
	for i := range other.Entries {
		other.Entries[i].Message, other.Entries[i].Item = b.Entries[i].Message, b.Entries[i].Item
	}
	mustAppend(t, l, other)
	wantEntries(t, l, q, other.Entries)
}

func testDedupKey(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	b := Block(p, 0, 0, 3, 0)
	key := b.Entries[1].DedupKey
	mustAppend(t, l, b)
	for name, change := range map[string]func(*slotlog.Entry){
		"the same key":             func(e *slotlog.Entry) { e.DedupKey = key },
		"a message's id as key":    func(e *slotlog.Entry) { e.DedupKey = b.Entries[0].Message },
		"a key as a message's id":  func(e *slotlog.Entry) { e.Message = key },
		"its own id and a key too": func(e *slotlog.Entry) { e.Message, e.DedupKey = b.Entries[2].Message, ID("new") },
	} {
		next := Block(p, 0, 3, 1, 1)
		change(&next.Entries[0])
		if err := l.Append(t.Context(), next); !errors.Is(err, slotlog.ErrRepeated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	own := Block(p, 0, 3, 1, 1)
	own.Entries[0].DedupKey = own.Entries[0].Message
	mustAppend(t, l, own)
	wantEntries(t, l, p, append(slices.Clone(b.Entries), own.Entries...))
}

func testAllOrNothing(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p, q := ID("process", 1), ID("process", 2)
	b := Block(p, 0, 0, 2, 0)
	mustAppend(t, l, b)
	wantRefusal(t, l, slotlog.ErrSlotUsed, Block(q, 0, 0, 2, 0), Block(p, 0, 1, 2, 1))
	wantRefusal(t, l, slotlog.ErrGap, Block(p, 0, 2, 1, 0), Block(q, 0, 1, 1, 0))
	wantRefusal(t, l, slotlog.ErrFenced, Block(p, 0, 2, 1, 0), Block(q, 7, 0, 1, 0))
	wantEntries(t, l, p, b.Entries)
	wantEntries(t, l, q, nil)
	if _, err := l.Find(t.Context(), q, Entry(q, 0, 0).Message); !errors.Is(err, slotlog.ErrNotFound) {
		t.Errorf("Find: %v", err)
	}
	mustAppend(t, l, Block(p, 0, 2, 1, 0), Block(q, 0, 0, 2, 0))
}

func testMalformed(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	for name, change := range map[string]func(*slotlog.Block){
		"no entries":        func(b *slotlog.Block) { b.Entries, b.Head.Next = nil, 0 },
		"a foreign process": func(b *slotlog.Block) { b.Entries[1].Process = ID("process", 2) },
		"slots apart":       func(b *slotlog.Block) { b.Entries[1].Slot++ },
		"no message":        func(b *slotlog.Block) { b.Entries[0].Message = message.ID{} },
		"a head behind":     func(b *slotlog.Block) { b.Head.Next-- },
		"a head ahead":      func(b *slotlog.Block) { b.Head.Next++ },
	} {
		b := Block(p, 0, 0, 2, 0)
		change(&b)
		if err := l.Append(t.Context(), Block(ID("process", 3), 0, 0, 1, 0), b); fault.CodeOf(err) != "block-malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.Append(t.Context(), Block(p, 0, 0, 1, 0), Block(p, 0, 1, 1, 0)); fault.CodeOf(err) != "block-malformed" {
		t.Errorf("two blocks of one process: %v", err)
	}
	for p, err := range l.Processes(t.Context(), message.ID{}) {
		t.Errorf("process %s, %v", p, err)
	}
}

func testFence(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p, elsewhere := ID("process", 1), ID("process", 1)
	elsewhere[1] ^= 0x10 // the next partition
	first := Block(p, 0, 0, 1, 0)
	mustAppend(t, l, first)
	for want := slotlog.Epoch(1); want <= 3; want++ {
		if epoch, err := l.Acquire(t.Context(), slotlog.PartitionOf(p)); err != nil || epoch != want {
			t.Fatalf("Acquire = %d, %v, want %d", epoch, err, want)
		}
	}
	for _, epoch := range []slotlog.Epoch{0, 1, 2, 4} {
		wantRefusal(t, l, slotlog.ErrFenced, Block(p, epoch, 1, 1, 0))
	}
	wantRefusal(t, l, slotlog.ErrFenced, first) // a repeat, too: its owner has to read the log
	wantEntries(t, l, p, first.Entries)
	second := Block(p, 3, 1, 1, 0)
	mustAppend(t, l, second)
	wantEntries(t, l, p, append(slices.Clone(first.Entries), second.Entries...))
	mustAppend(t, l, Block(elsewhere, 0, 0, 1, 0))
	if _, err := l.Acquire(t.Context(), 1<<12); err == nil {
		t.Error("a partition beyond the last can be acquired")
	}
}

func testProcesses(t *testing.T, logs Logs) {
	l := logs.Open(t)
	var ids []message.ID
	for i := range uint64(20) {
		p := ID("process", i)
		ids = append(ids, p)
		mustAppend(t, l, Block(p, 0, 0, 1, 0))
	}
	slices.SortFunc(ids, func(a, b message.ID) int { return slices.Compare(a[:], b[:]) })
	list := func(after message.ID, most int) (got []message.ID) {
		for p, err := range l.Processes(t.Context(), after) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, p); len(got) == most {
				break
			}
		}
		return got
	}
	if diff := differ(ids, list(message.ID{}, 0)); diff != "" {
		t.Error(diff)
	}
	if diff := differ(ids[8:11], list(ids[7], 3)); diff != "" {
		t.Error(diff)
	}
	if got := list(ids[19], 0); got != nil {
		t.Errorf("after the last: %v", got)
	}
}

func testCancelled(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ctx, Block(p, 0, 0, 1, 0)); !errors.Is(err, context.Canceled) || !errors.Is(err, slotlog.ErrNotStored) {
		t.Errorf("Append: %v", err)
	}
	if _, err := l.Acquire(ctx, slotlog.PartitionOf(p)); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire: %v", err)
	}
	wantEntries(t, l, p, nil)
	mustAppend(t, l, Block(p, 0, 0, 2, 0))
	for _, err := range l.Range(ctx, p, 0, 2) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Range: %v", err)
		}
	}
}

func testClosed(t *testing.T, logs Logs) {
	l := logs.Open(t)
	p := ID("process", 1)
	mustAppend(t, l, Block(p, 0, 0, 1, 0))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{"Append": l.Append(t.Context(), Block(p, 0, 1, 1, 0))}
	_, errs["Head"] = l.Head(t.Context(), p)
	_, errs["Find"] = l.Find(t.Context(), p, p)
	_, errs["Acquire"] = l.Acquire(t.Context(), 0)
	for _, err := range l.Range(t.Context(), p, 0, 1) {
		errs["Range"] = err
	}
	for _, err := range l.Processes(t.Context(), message.ID{}) {
		errs["Processes"] = err
	}
	if len(errs) != 6 {
		t.Errorf("only %d calls answered", len(errs))
	}
	if err := errs["Append"]; !errors.Is(err, slotlog.ErrNotStored) {
		t.Errorf("Append does not say that nothing was stored: %v", err)
	}
	for name, err := range errs {
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func testReopen(t *testing.T, logs Logs) {
	if logs.Reopen == nil {
		t.Skip("this log ends with its process")
	}
	l := logs.Open(t)
	p := ID("process", 1)
	if _, err := l.Acquire(t.Context(), slotlog.PartitionOf(p)); err != nil {
		t.Fatal(err)
	}
	b := Block(p, 1, 0, 12, 0)
	b.Entries[7].Item = make([]byte, 300_000)
	mustAppend(t, l, b)
	l = logs.Reopen(t, l)
	wantEntries(t, l, p, b.Entries)
	if head, err := l.Head(t.Context(), p); err != nil || head != b.Head {
		t.Fatalf("Head = %+v, %v", head, err)
	}
	mustAppend(t, l, b)
	wantRefusal(t, l, slotlog.ErrFenced, Block(p, 0, 12, 1, 0))
	wantRefusal(t, l, slotlog.ErrSlotUsed, Block(p, 1, 11, 2, 1))
	wantRefusal(t, l, slotlog.ErrGap, Block(p, 1, 13, 2, 1))
	again := Block(p, 1, 12, 1, 1)
	again.Entries[0].Message = b.Entries[0].Message
	wantRefusal(t, l, slotlog.ErrRepeated, again)
	if epoch, err := l.Acquire(t.Context(), slotlog.PartitionOf(p)); err != nil || epoch != 2 {
		t.Fatalf("Acquire = %d, %v, want 2", epoch, err)
	}
}
