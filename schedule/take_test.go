package schedule

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

func keyFrom(t testing.TB, seed string) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat(seed, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// foreignLog is the log of a scheduler with a key of its own.
type foreignLog struct {
	t       testing.TB
	key     *commitment.Key
	process message.ID
	head    slotlog.Head
	slots   []Foreign
}

func newForeignLog(t testing.TB, n int) *foreignLog {
	l := &foreignLog{t: t, key: keyFrom(t, "f")}
	p := l.sign(ans104.Draft{Data: []byte("boot"), Tags: []process.Tag{
		{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Process"},
		{Name: "Module", Value: message.HashOf([]byte("module")).String()}, {Name: "Scheduler", Value: l.key.Address().String()}}})
	l.process = p.ID()
	l.add(p, nil)
	for i := 1; i < n; i++ {
		l.add(l.message(i), nil)
	}
	return l
}

func (l *foreignLog) sign(d ans104.Draft) *ans104.Item {
	l.t.Helper()
	it, err := ans104.SignDeterministic(d, l.key, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return it
}

func (l *foreignLog) message(i int) *ans104.Item {
	return l.sign(ans104.Draft{Target: l.process, HasTarget: true, Anchor: fmt.Appendf(nil, "%032d", i), Data: []byte(strconv.Itoa(i)),
		Tags: []process.Tag{{Name: "Data-Protocol", Value: "ao"}, {Name: "Type", Value: "Message"}}})
}

// add assigns a message; change may spoil the assignment before it is signed.
func (l *foreignLog) add(m *ans104.Item, change func(*ans104.Draft)) {
	e := slotlog.Entry{Process: l.process, Slot: l.head.Next, Message: m.ID(), Timestamp: 1000 + 7*int64(l.head.Next), BlockHeight: 1_500_000, HashChain: chain(l.process, l.head)}
	d := assignment(e)
	if change != nil {
		change(&d)
	}
	as := l.sign(d)
	l.head = slotlog.Head{Next: e.Slot + 1, Timestamp: e.Timestamp, HashChain: e.HashChain, Assignment: as.ID()}
	l.slots = append(l.slots, Foreign{Assignment: as, Message: m})
}

func verifiedItem(t testing.TB, it *ans104.Item) commitment.Verified {
	t.Helper()
	v, err := commitment.Verify(it.Message())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func setTag(name, value string) func(*ans104.Draft) {
	return func(d *ans104.Draft) {
		for i := range d.Tags {
			if d.Tags[i].Name == name {
				d.Tags[i].Value = value
			}
		}
	}
}

func TestAForeignLogIsTaken(t *testing.T) {
	ctx := context.Background()
	s := open(t).s
	l := newForeignLog(t, 300)
	heard := slotlog.Slot(0)
	s.OnAppend(func(_ message.ID, next slotlog.Slot) { heard = next })
	for at := 0; at < len(l.slots); at += 100 {
		from := max(0, at-20) // some slots are read twice
		head, err := s.Take(ctx, l.process, nil, l.slots[from:at+100])
		if err != nil || head.Next != slotlog.Slot(at+100) || heard != head.Next {
			t.Fatalf("%+v, %v, heard of %d", head, err, heard)
		}
	}
	n := 0
	for a, err := range s.Range(ctx, l.process, 0, 1000) {
		if err != nil {
			t.Fatal(err)
		}
		if f := l.slots[n]; a.AssignmentID != f.Assignment.ID() || a.Message != f.Message.ID() || string(a.Content.Data) != string(f.Message.Data) {
			t.Fatalf("slot %d is another one", n)
		}
		for _, id := range []message.ID{a.Message, a.AssignmentID} {
			if slot, err := s.Find(ctx, l.process, id); err != nil || slot != a.Slot {
				t.Fatalf("slot %d is found at %d, %v", n, slot, err)
			}
		}
		n++
	}
	if n != 300 {
		t.Fatalf("%d slots", n)
	}
	// Nothing can be sent to it here until it is adopted; then the chain goes on.
	more := l.message(1000)
	if _, err := s.Submit(ctx, verifiedItem(t, more)); fault.CodeOf(err) != "process-followed" {
		t.Fatalf("a message to a followed process: %v", err)
	}
	if at, err := s.Adopt(ctx, l.process); err != nil || at != 300 {
		t.Fatal(at, err)
	}
	if at, err := s.Adopt(ctx, l.process); err != nil || at != 300 {
		t.Fatalf("adopted twice: %d, %v", at, err)
	}
	r, err := s.Submit(ctx, verifiedItem(t, more))
	if err != nil || r.Slot != 300 {
		t.Fatal(r, err)
	}
	if again, err := s.Submit(ctx, verifiedItem(t, l.slots[17].Message)); err != nil || !again.Repeated || again.Slot != 17 {
		t.Fatalf("a message from before: %+v, %v", again, err)
	}
	for a, err := range s.Range(ctx, l.process, 300, 301) {
		if err != nil || a.HashChain != chain(l.process, l.head) || a.Timestamp <= l.head.Timestamp {
			t.Fatalf("the chain does not go on: %v, %v", a.HashChain, err)
		}
	}
	if s.ForeignUntil(l.process) != 300 || s.Followed(l.process) {
		t.Errorf("own from slot %d", s.ForeignUntil(l.process))
	}
	if _, err := s.Take(ctx, l.process, nil, l.slots[:1]); fault.CodeOf(err) != "process-own" {
		t.Errorf("after it was adopted: %v", err)
	}
	if _, err := s.Adopt(ctx, message.ID{1}); fault.CodeOf(err) != "process-unknown" {
		t.Errorf("adopting what is not here: %v", err)
	}
}

func TestWhatDoesNotHoldIsRefusedAtItsSlot(t *testing.T) {
	ctx := context.Background()
	stranger := keyFrom(t, "s")
	// spoiled gives a log of 20 whose slot 10 was made by the change.
	spoiled := func(message func(*foreignLog) *ans104.Item, change func(*ans104.Draft)) func(*foreignLog) {
		return func(l *foreignLog) {
			m := l.message(10)
			if message != nil {
				m = message(l)
			}
			l.add(m, change)
		}
	}
	for _, c := range []struct {
		name string
		add  func(*foreignLog) // slot 10 of 20
		then func([]Foreign) []Foreign
		code string // "": all is taken
	}{
		{"nothing", nil, nil, ""},
		{"left out", nil, func(s []Foreign) []Foreign { return slices.Delete(s, 10, 11) }, "slot-missing"},
		{"exchanged", nil, func(s []Foreign) []Foreign { s[10], s[11] = s[11], s[10]; return s }, "slot-missing"},
		{"repeated", nil, func(s []Foreign) []Foreign { return slices.Insert(s, 11, s[10], s[9]) }, ""},
		{"number of the slot before", spoiled(nil, setTag("Nonce", "9")), nil, "slot-differs"},
		{"chain", spoiled(nil, setTag("Hash-Chain", message.ID{3}.String())), nil, "hash-chain-invalid"},
		{"no chain", spoiled(nil, setTag("Hash-Chain", "")), nil, "hash-chain-invalid"},
		{"chain that is none", spoiled(nil, setTag("Hash-Chain", "x")), nil, "assignment-malformed"},
		{"number", spoiled(nil, setTag("Nonce", "-10")), nil, "assignment-malformed"},
		{"time", spoiled(nil, setTag("Timestamp", "soon")), nil, "assignment-malformed"},
		{"time goes back", spoiled(nil, setTag("Timestamp", "5")), nil, "time-goes-back"},
		{"height", spoiled(nil, setTag("Block-Height", "")), nil, "assignment-malformed"},
		{"process", spoiled(nil, setTag("Process", message.ID{1}.String())), nil, "assignment-malformed"},
		{"type", spoiled(nil, setTag("Type", "Message")), nil, "assignment-malformed"},
		{"of another message", spoiled(nil, setTag("Message", message.ID{1}.String())), nil, "assignment-malformed"},
		{"of no message", spoiled(nil, setTag("Message", "")), nil, "assignment-malformed"},
		{"message to another process", spoiled(func(l *foreignLog) *ans104.Item {
			return l.sign(ans104.Draft{Target: message.ID{9}, HasTarget: true, Data: []byte("x")})
		}, nil), nil, "assignment-malformed"},
		{"message without a target", spoiled(func(l *foreignLog) *ans104.Item { return l.sign(ans104.Draft{Data: []byte("x")}) }, nil), nil, "assignment-malformed"},
		{"message changed", nil, func(s []Foreign) []Foreign {
			raw := slices.Clone(s[10].Message.Raw)
			raw[len(raw)-1] ^= 1
			s[10].Message, _ = ans104.DecodeItem(raw)
			return s
		}, "signature-invalid"},
		{"assignment changed", nil, func(s []Foreign) []Foreign {
			raw := slices.Clone(s[10].Assignment.Raw)
			at := strings.Index(string(raw), "001500000")
			raw[at] ^= 1
			s[10].Assignment, _ = ans104.DecodeItem(raw)
			return s
		}, "signature-invalid"},
		{"another scheduler", func(l *foreignLog) {
			own := l.key
			l.key = stranger
			l.add(l.message(10), nil)
			l.key = own
		}, nil, "scheduler-is-another"},
		{"a message twice: schedulers of other makes do that", func(l *foreignLog) { l.add(l.slots[4].Message, nil) }, nil, ""},
		{"the same time twice", spoiled(nil, setTag("Timestamp", strconv.Itoa(1000+7*9))), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t).s
			l := newForeignLog(t, 10)
			if c.add == nil {
				l.add(l.message(10), nil)
			} else {
				c.add(l)
			}
			for i := 11; i < 20; i++ {
				l.add(l.message(i), nil)
			}
			slots := slices.Clone(l.slots)
			if c.then != nil {
				slots = c.then(slots)
			}
			for _, at := range [][2]int{{0, 6}, {6, len(slots)}} {
				head, err := s.Take(ctx, l.process, nil, slots[at[0]:at[1]])
				switch {
				case at[0] == 0 || c.code == "":
					if err != nil || head.Next != slotlog.Slot(min(at[1], len(l.slots))) {
						t.Fatalf("%d, %v", head.Next, err)
					}
				case fault.CodeOf(err) != "slot-refused" || !strings.HasPrefix(err.Error(), "slot 10 of"):
					t.Fatalf("%v is not told of slot 10", err)
				default:
					if cause := err.(*fault.Error).Cause; fault.CodeOf(cause) != c.code {
						t.Errorf("refused for %v, want %s", cause, c.code)
					}
					if now, err := s.Head(ctx, l.process); err != nil || now.Next != 10 || head.Next != 10 {
						t.Errorf("%d slots were taken, %v", now.Next, err)
					}
				}
			}
		})
	}
	// The first slot is the process.
	s := open(t).s
	l := newForeignLog(t, 3)
	if _, err := s.Take(ctx, l.process, nil, l.slots[1:]); fault.CodeOf(err) != "slot-refused" {
		t.Errorf("a log without its beginning: %v", err)
	}
	if _, err := s.Take(ctx, message.ID{1}, nil, l.slots); fault.CodeOf(err) != "slot-refused" {
		t.Errorf("the log of another process: %v", err)
	}
	// A scheduler that took over is named.
	own := l.key
	l.key = stranger
	l.add(l.message(3), nil)
	l.key = own
	if head, err := s.Take(ctx, l.process, []string{stranger.Address().String()}, l.slots); err != nil || head.Next != 4 {
		t.Errorf("with a named signer: %d, %v", head.Next, err)
	}
}
