package push

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

func drawID(t *rapid.T, label string) message.ID {
	if rapid.Bool().Draw(t, label+" set") {
		return message.HashOf([]byte(rapid.String().Draw(t, label)))
	}
	return message.ID{}
}

func drawKey(t *rapid.T) Key {
	k := Key{
		Position: Position{Process: message.HashOf([]byte(rapid.String().Draw(t, "process"))), Slot: slotlog.Slot(rapid.Uint64().Draw(t, "slot"))},
		Index:    rapid.Uint32().Draw(t, "index"), Part: rapid.Uint32().Draw(t, "part"),
	}
	if rapid.Bool().Draw(t, "timer") {
		k.Tick, k.Cron = rapid.Int64Min(0).Draw(t, "tick"), rapid.Uint16Min(1).Draw(t, "cron")
	}
	return k
}

func TestAKeyHasOneText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawKey(t)
		got, err := ParseKey(k.String())
		if err != nil || got != k {
			t.Fatalf("%s: %+v, %v", k, got, err)
		}
		if k.bytes().key() != k {
			t.Fatalf("%s: the bytes give %+v", k, k.bytes().key())
		}
	})
	id := message.HashOf(nil).String()
	for _, bad := range []string{
		"", id, id + ".1", id + ".01.0", id + ".1.-1", id + ".+1.0", id + ".1.0.0", id + ".1.0.1.1", id + ".1@5.0", id + ".1@5-0.0",
		id + ".1@5-70000.0", id + ".1@-5-1.0", id + ".1.4294967296", id + ".18446744073709551616.0", "x" + id[1:42] + ".1.0", id + ".1.", id + "..1",
	} {
		if k, err := ParseKey(bad); err == nil {
			t.Errorf("ParseKey(%q) gave %s", bad, k)
		} else if fault.KindOf(err) != fault.Malformed {
			t.Errorf("ParseKey(%q): %v", bad, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	id := message.HashOf(nil).String()
	for _, s := range []string{id + ".1.2", id + ".1.2.3", id + ".1@1000-2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseKey(s); err == nil && k.String() != s {
			t.Fatalf("%q was read as %s", s, k)
		}
	})
}

func TestKeysSortAsTasksAreDelivered(t *testing.T) {
	p := message.HashOf([]byte("p"))
	at := func(slot slotlog.Slot, tick int64, cron uint16, index, part uint32) Key {
		return Key{Position{p, slot, tick, cron}, index, part}
	}
	keys := []Key{
		at(1, 0, 0, 0, 0), at(1, 0, 0, 0, 1), at(1, 0, 0, 1, 0), at(1, 0, 0, 256, 0), at(1, 1000, 1, 0, 0), at(1, 1000, 2, 0, 0),
		at(1, 2000, 1, 0, 0), at(2, 0, 0, 0, 0), at(256, 0, 0, 0, 0),
	}
	for i := 1; i < len(keys); i++ {
		a, b := keys[i-1].bytes(), keys[i].bytes()
		if bytes.Compare(a[:], b[:]) >= 0 {
			t.Errorf("%s does not come before %s", keys[i-1], keys[i])
		}
	}
}

func drawRow(t *rapid.T) *row {
	text := rapid.StringN(0, 20, 60)
	r := &row{
		Task: Task{
			Key: drawKey(t), Kind: Kind(rapid.IntRange(1, 4).Draw(t, "kind")), State: State(rapid.IntRange(1, 5).Draw(t, "state")),
			Parent: drawID(t, "parent"), Root: drawID(t, "root"), Depth: rapid.Uint32().Draw(t, "depth"), Target: text.Draw(t, "target"),
			Action: text.Draw(t, "action"), Cast: rapid.Bool().Draw(t, "cast"), Message: drawID(t, "message"), Assignment: drawID(t, "assignment"),
			Repeated: rapid.Bool().Draw(t, "repeated"), Planned: rapid.Int64().Draw(t, "planned"), Changed: rapid.Int64().Draw(t, "changed"),
			Due: rapid.Int64().Draw(t, "due"), Attempts: rapid.Uint32().Draw(t, "attempts"), Code: text.Draw(t, "code"), Reason: text.Draw(t, "reason"),
		},
		module: drawID(t, "module"), scheduler: text.Draw(t, "scheduler"), anchor: text.Draw(t, "anchor"), subject: drawID(t, "subject"),
		baseLayer: rapid.Bool().Draw(t, "base layer"),
	}
	if rapid.Bool().Draw(t, "has slot") {
		s := slotlog.Slot(rapid.Uint64().Draw(t, "given"))
		r.Slot = &s
	}
	if rapid.Bool().Draw(t, "has data") {
		s := text.Draw(t, "data")
		r.data = &s
	}
	for range rapid.IntRange(0, 5).Draw(t, "tags") {
		r.tags = append(r.tags, process.Tag{Name: text.Draw(t, "name"), Value: text.Draw(t, "value")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "excludes") {
		r.exclude = append(r.exclude, text.Draw(t, "exclude"))
	}
	return r
}

func TestARowReadsAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRow(t)
		b := r.encode()
		got, err := decodeRow(r.Key, b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, got, cmp.AllowUnexported(row{})); d != "" {
			t.Fatal(d)
		}
		n := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := decodeRow(r.Key, b[:n]); fault.CodeOf(err) != "task-unreadable" {
			t.Fatalf("%d of %d bytes were read: %v", n, len(b), err)
		}
		if _, err := decodeRow(r.Key, append(b, 0)); err == nil {
			t.Fatal("a byte too many was read")
		}
	})
}

func FuzzDecodeRow(f *testing.F) {
	for _, r := range goldenRows() {
		f.Add(r.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRow(Key{}, b)
		if err != nil {
			return
		}
		again, err := decodeRow(Key{}, r.encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, again, cmp.AllowUnexported(row{})); d != "" {
			t.Fatal(d)
		}
	})
}

func goldenRows() []*row {
	id := func(s string) message.ID { return message.HashOf([]byte(s)) }
	data, slot := "Tick", slotlog.Slot(7)
	key := Key{Position{Process: id("sender"), Slot: 300}, 2, 0}
	timer := Key{Position{id("sender"), 300, 1_700_000_000_000, 1}, 0, 1}
	return []*row{
		{
			Task: Task{
				Key: key, Kind: KindMessage, State: Pending, Parent: id("parent"), Root: id("root"), Depth: 3, Target: id("target").String(),
				Action: "Eval", Cast: true, Planned: 1_700_000_000_000, Changed: 1_700_000_060_000, Due: 1_700_000_061_000, Attempts: 2,
				Code: "unavailable", Reason: "no answer", Message: id("item"),
			},
			module: id("module"), scheduler: id("scheduler").String(), anchor: anchor(300, 2), data: &data,
			tags: []process.Tag{{Name: "Action", Value: "Eval"}, {Name: "Cast", Value: ""}},
		},
		{Task: Task{
			Key: key, Kind: KindSpawn, State: Delivered, Target: id("new").String(), Message: id("new"), Assignment: id("assignment"),
			Slot: &slot, Repeated: true, Depth: 1, Planned: 1, Changed: 2,
		}},
		{
			Task:    Task{Key: timer, Kind: KindAssign, State: Parked, Target: id("target").String(), Depth: 1, Planned: 1, Changed: 1, Code: "depth-limit"},
			subject: id("message"), baseLayer: true, exclude: []string{"Data", "Tags"},
		},
		{Task: Task{Key: key, Kind: KindSpawned, State: Dropped, Reason: "ü"}, subject: id("new")},
	}
}

func TestRowsOfOlderNodesCanBeRead(t *testing.T) {
	const name = "testdata/rows.golden"
	var b strings.Builder
	for _, r := range goldenRows() {
		js, err := json.Marshal(r.Task)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n%s\n%s\n", r.Key, hex.EncodeToString(r.encode()), js)
	}
	k := goldenRows()[0].Key.bytes()
	fmt.Fprintf(&b, "%s\n", hex.EncodeToString(arrival{k, message.HashOf([]byte("root")), 5}.encode()))
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Fatalf("the bytes of rows have changed: raise rowVersion and read both\n%s", d)
	}
	lines := strings.Split(string(want), "\n")
	for i, r := range goldenRows() {
		raw, err := hex.DecodeString(lines[3*i+1])
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRow(r.Key, raw)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, got, cmp.AllowUnexported(row{})); d != "" {
			t.Fatal(d)
		}
	}
}

func TestStatesAndKindsHaveNames(t *testing.T) {
	for s := Pending; s <= Dropped; s++ {
		if got, err := ParseState(s.String()); err != nil || got != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	if _, err := ParseState("unknown"); err == nil {
		t.Error("an unknown state was read")
	}
	if Kind(0).String() != "unknown" || Kind(9).String() != "unknown" || State(9).String() != "unknown" {
		t.Error("an unknown value has a name")
	}
}
