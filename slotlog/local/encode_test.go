package local

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ago/message"
	"ago/slotlog"
	"ago/store/items"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew; the bytes on disk must not change without a new version")

// seq is an id that can be recognised in the golden file.
func seq(first byte) (id message.ID) {
	for i := range id {
		id[i] = first + byte(i)
	}
	return id
}

func goldenEntries() []slotlog.Entry { return append(legacyEntries(), coreEntries()...) }

func coreEntries() []slotlog.Entry {
	return []slotlog.Entry{
		{Process: seq(0), Slot: 0, Message: seq(0), Hashpath: seq(0).String(), Item: []byte("item")},
		{
			Process: seq(0), Slot: 1, Message: seq(0x20), Timestamp: 1_700_000_000_001, BlockHeight: 1_500_000,
			BlockHash: seq(0x40), BlockTime: 1_700_000_000_000, HashChain: seq(0x60), DedupKey: seq(0x80),
			Item: []byte("item"), Form: slotlog.FormBody, Hashpath: seq(0).String() + "/" + seq(0x20).String(),
		},
		{Process: seq(0), Slot: 2, Message: seq(0x40), Item: []byte{}, Form: 255},
	}
}

func legacyEntries() []slotlog.Entry {
	return []slotlog.Entry{
		{Process: seq(0), Slot: 0, Message: seq(0)},
		{
			Process: seq(0), Slot: 1, Message: seq(0x20), Timestamp: 1_700_000_000_001, BlockHeight: 1_500_000,
			BlockHash: seq(0x40), BlockTime: 1_700_000_000_000, HashChain: seq(0x60), DedupKey: seq(0x80),
			Assignment: []byte("assignment"), Item: []byte("item"),
		},
		{
			Process: seq(0), Slot: 1 << 40, Message: seq(0x20), Timestamp: -1, BlockHeight: 1<<64 - 1, BlockTime: -1 << 63,
			Assignment: []byte{}, ByID: true, Exclude: []string{"Data", "", "Übel"},
		},
	}
}

// TestTheBytesOnDiskStayAsTheyAre compares keys and values with files that earlier releases wrote.
func TestTheBytesOnDiskStayAsTheyAre(t *testing.T) {
	head := slotlog.Head{Next: 258, Timestamp: 1_700_000_000_001, HashChain: seq(0x20), Assignment: seq(0x40)}
	compareGolden(t, "version-1.txt", legacyEntries(), head)
	head.Hashpath = seq(0).String() + "/" + seq(0x20).String()
	compareGolden(t, "version-2.txt", coreEntries(), head)
}

func compareGolden(t *testing.T, file string, entries []slotlog.Entry, head slotlog.Head) {
	t.Helper()
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "entry %x = %x\n", entryKey(e.Process, e.Slot), encodeEntry(&e))
	}
	fmt.Fprintf(&b, "head %x = %x\n", headKey(seq(0)), encodeHead(7, head))
	fmt.Fprintf(&b, "key %x\nmessage %x\npartition %x\n", dedupKey(seq(0), seq(0x20)), items.Key(seq(0)), partitionKey(0xabc))
	golden := filepath.Join("testdata", file)
	if *rewrite {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Fatal(diff)
	}
	for i, line := range strings.Split(string(want), "\n")[:len(entries)] {
		raw, err := hex.DecodeString(line[strings.LastIndex(line, " ")+1:])
		if err != nil {
			t.Fatal(err)
		}
		got, item, err := decodeEntry(raw)
		if err != nil || item != (entries[i].Item != nil) {
			t.Fatalf("line %d: item %v, %v", i+1, item, err)
		}
		got.Process, got.Slot, got.Item = entries[i].Process, entries[i].Slot, entries[i].Item
		if diff := cmp.Diff(entries[i], got); diff != "" {
			t.Errorf("line %d: %s", i+1, diff)
		}
	}
}

func drawID(t *rapid.T, name string) (id message.ID) {
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, name))
	return id
}

func TestEntriesAndHeadsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := slotlog.Entry{
			Message:     drawID(t, "message"),
			Timestamp:   rapid.Int64().Draw(t, "timestamp"),
			BlockHeight: rapid.Uint64().Draw(t, "height"),
			BlockHash:   drawID(t, "block"),
			BlockTime:   rapid.Int64().Draw(t, "time"),
			HashChain:   drawID(t, "chain"),
			DedupKey:    drawID(t, "key"),
			ByID:        rapid.Bool().Draw(t, "by id"),
			Form:        slotlog.Form(rapid.Uint8().Draw(t, "form")),
			Hashpath:    rapid.String().Draw(t, "hashpath"),
		}
		if rapid.Bool().Draw(t, "signed") {
			e.Assignment = rapid.SliceOf(rapid.Byte()).Draw(t, "assignment")
		}
		for range rapid.IntRange(0, 3).Draw(t, "excluded") {
			e.Exclude = append(e.Exclude, rapid.String().Draw(t, "name"))
		}
		got, item, err := decodeEntry(encodeEntry(&e))
		if err != nil || item {
			t.Fatalf("item %v, %v", item, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Fatal(diff)
		}
		head := slotlog.Head{
			Next:       slotlog.Slot(rapid.Uint64().Draw(t, "next")),
			Timestamp:  rapid.Int64().Draw(t, "last"),
			HashChain:  drawID(t, "head chain"),
			Assignment: drawID(t, "head assignment"),
			Hashpath:   rapid.String().Draw(t, "head hashpath"),
		}
		epoch := slotlog.Epoch(rapid.Uint64().Draw(t, "epoch"))
		raw := encodeHead(epoch, head)
		if e, h, err := decodeHead(raw); err != nil || e != epoch || h != head {
			t.Fatalf("head %d %+v, %v", e, h, err)
		}
		if _, _, err := decodeHead(raw[:headSize-1]); err == nil {
			t.Fatal("a short head was read")
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	for _, e := range goldenEntries() {
		raw := encodeEntry(&e)
		f.Add(raw)
		f.Add(raw[:len(raw)-1])
		f.Add(append(raw, 0))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		e, item, err := decodeEntry(raw)
		if err != nil {
			return
		}
		if item {
			e.Item = []byte{}
		}
		again := encodeEntry(&e)
		got, item, err := decodeEntry(again)
		if item {
			got.Item = []byte{}
		}
		if diff := cmp.Diff(e, got); err != nil || diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
		for i := range raw {
			raw[i] ^= 0xff
		}
		if !bytes.Equal(encodeEntry(&e), again) {
			t.Fatal("the entry shares bytes with what it was read from")
		}
		copy(raw, before)
	})
}
