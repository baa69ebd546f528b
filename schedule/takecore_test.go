package schedule

import (
	"context"
	"strconv"
	"testing"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// corePage gives the assignments of a process as they come over HTTP.
func corePage(t testing.TB, s *Scheduler, p message.ID, from, to slotlog.Slot) []message.Message {
	t.Helper()
	page, err := s.Page(context.Background(), p, from, to)
	if err != nil {
		t.Fatal(err)
	}
	w, err := httpsig.Encode(page.Message(), message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	m, err := httpsig.Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := m.Get("assignments")
	all, _ := v.(message.Message)
	out := make([]message.Message, 0, all.Len())
	for slot := from; ; slot++ {
		v, ok := all.Get(strconv.FormatUint(uint64(slot), 10))
		if !ok {
			return out
		}
		a, _ := v.(message.Message)
		out = append(out, a)
	}
}

// coreLog is a scheduler with a process that has items and HTTP messages.
func coreLog(t *testing.T, asItem bool) (*bench, message.ID) {
	a := open(t)
	spawned, err := a.s.Submit(context.Background(), a.coreProcess(asItem, "p"))
	if err != nil {
		t.Fatal(err)
	}
	p := spawned.Process
	for i := range 5 {
		n := strconv.Itoa(i)
		for _, v := range []commitment.Verified{
			a.http(a.user, field("target", p.String()), field("data", n), field("path", "custom")),
			a.sign(a.user, p, n, "Data-Protocol", "ao", "Type", "Message", "n", n),
		} {
			if _, err := a.s.SubmitTo(context.Background(), p, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	return a, p
}

func TestALogOfAnAOCoreProcessIsTaken(t *testing.T) {
	ctx := context.Background()
	for _, asItem := range []bool{false, true} {
		a, p := coreLog(t, asItem)
		b := open(t)
		b.s.c.Key = keyFrom(t, "b")
		for _, at := range []slotlog.Slot{0, 4, 3, 8} { // some slots are read twice
			if _, err := b.s.TakeCore(ctx, p, nil, corePage(t, a.s, p, at, at+3)); err != nil {
				t.Fatal(err)
			}
		}
		if !b.s.Followed(p) {
			t.Error("it is not known as another scheduler's")
		}
		one, err := a.s.Page(ctx, p, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		other, err := b.s.Page(ctx, p, 0, 100)
		if err != nil || len(other.Signed) != 11 {
			t.Fatalf("%d slots, %v", len(other.Signed), err)
		}
		for i := range one.Signed {
			if !message.Equal(one.Signed[i], other.Signed[i]) || one.Slots[i].AssignmentID != other.Slots[i].AssignmentID {
				t.Errorf("slot %d reads as another assignment", i)
			}
			if m, err := b.s.Message(ctx, one.Signed[i].SignedID()); err != nil || !message.Equal(m, one.Signed[i]) {
				t.Errorf("slot %d by its id: %v", i, err)
			}
		}
		if _, err := b.s.Submit(ctx, b.sign(b.user, p, "x")); fault.CodeOf(err) != "process-followed" {
			t.Errorf("a message to it: %v", err)
		}
		// Who takes it over goes on where the log ended.
		if at, err := b.s.Adopt(ctx, p); err != nil || at != 11 {
			t.Errorf("%d, %v", at, err)
		}
		got, err := b.s.Submit(ctx, b.sign(b.user, p, "x"))
		if err != nil || got.Slot != 11 {
			t.Fatalf("%+v, %v", got, err)
		}
		next := corePage(t, b.s, p, 11, 11)
		if next[0].Text("base-hashpath") == "" {
			t.Errorf("%v", next[0])
		}
		// A third believes the new scheduler only if it is told to.
		c := open(t)
		if head, err := c.s.TakeCore(ctx, p, nil, corePage(t, b.s, p, 0, 11)); innermostCode(err) != "scheduler-is-another" || head.Next != 11 {
			t.Errorf("%+v, %v", head, err)
		}
		if head, err := c.s.TakeCore(ctx, p, []string{b.s.Address().String()}, next); err != nil || head.Next != 12 {
			t.Errorf("%+v, %v", head, err)
		}
	}
}

func TestWhatIsWrongWithAnAOCoreLogIsRefused(t *testing.T) {
	ctx := context.Background()
	a, p := coreLog(t, false)
	body := func(m message.Message, change func(message.Message) message.Message) message.Message {
		v, _ := m.Get(message.KeyBody)
		return m.With(message.KeyBody, change(v.(message.Message))).With(message.KeyCommitments, m.Commitments())
	}
	with := func(key string, v message.Value) func(m message.Message) message.Message {
		return func(m message.Message) message.Message {
			return m.With(key, v).With(message.KeyCommitments, m.Commitments())
		}
	}
	for name, c := range map[string]struct {
		change func(m message.Message) message.Message
		code   string
	}{
		"another time":     {with("timestamp", message.Int(1<<50)), "signature-invalid"},
		"time goes back":   {with("timestamp", message.Int(5)), "time-goes-back"},
		"another height":   {with("block-height", message.Int(7)), "signature-invalid"},
		"a slot is left":   {with("slot", message.Int(4)), "slot-missing"},
		"a slot again":     {with("slot", message.Int(2)), "slot-differs"},
		"no slot":          {with("slot", message.Bytes("x")), "assignment-malformed"},
		"another process":  {with("process", message.Bytes(message.HashOf(nil).String())), "process-is-another"},
		"another chain":    {with("hash-chain", message.Bytes(message.HashOf(nil).String())), "hash-chain-invalid"},
		"another hashpath": {with("base-hashpath", message.Bytes("x/y")), "hashpath-invalid"},
		"no signature":     {func(m message.Message) message.Message { return m.Without(message.KeyCommitments) }, "scheduler-is-another"},
		"another data":     {func(m message.Message) message.Message { return body(m, with("data", message.Bytes("evil"))) }, "signature-invalid"},
		"an unsigned body": {func(m message.Message) message.Message {
			return body(m, func(m message.Message) message.Message { return m.Without(message.KeyCommitments) })
		}, "message-unsigned"},
		"no body": {func(m message.Message) message.Message { return m.Without(message.KeyBody) }, "assignment-malformed"},
		"another message": {func(m message.Message) message.Message {
			return with(message.KeyBody, bodyOf(t, corePage(t, a.s, p, 5, 5)[0]))(m)
		}, "hash-chain-invalid"},
		"another's signing": {func(m message.Message) message.Message { return resigned(t, m) }, "scheduler-is-another"},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			page := corePage(t, a.s, p, 0, 10)
			page[3] = c.change(page[3])
			head, err := b.s.TakeCore(ctx, p, nil, page)
			if fault.CodeOf(err) != "slot-refused" || innermostCode(err) != c.code {
				t.Errorf("%v (%s), want %s", err, innermostCode(err), c.code)
			}
			if head.Next != 3 {
				t.Errorf("%d slots were taken", head.Next)
			}
			if head, err := b.s.TakeCore(ctx, p, nil, corePage(t, a.s, p, 3, 10)); err != nil || head.Next != 11 {
				t.Errorf("the right log afterwards: %+v, %v", head, err)
			}
		})
	}
	// What nobody signed is not taken over.
	b := open(t)
	page := corePage(t, a.s, p, 0, 10)
	page[1] = page[1].With("extra", message.Bytes("unsigned"))
	if _, err := b.s.TakeCore(ctx, p, nil, page); err != nil {
		t.Fatal(err)
	}
	if got := corePage(t, b.s, p, 1, 1)[0]; got.Text("extra") != "" {
		t.Errorf("%v", got)
	}
	if _, err := a.s.TakeCore(ctx, p, nil, page); fault.CodeOf(err) != "process-own" {
		t.Errorf("its own log: %v", err)
	}
}

func bodyOf(t testing.TB, m message.Message) message.Message {
	t.Helper()
	v, ok := m.Get(message.KeyBody)
	if !ok {
		t.Fatal("no body")
	}
	return v.(message.Message)
}

func resigned(t testing.TB, m message.Message) message.Message {
	t.Helper()
	linked := m.Without(message.KeyCommitments).With(message.KeyBody, message.Link{To: process.ContentOfMessage(bodyOf(t, m)).ID})
	signed, err := httpsig.Commit(linked, keyFrom(t, "e"), httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	return m.With(message.KeyCommitments, signed.Commitments())
}

func innermostCode(err error) string {
	code := ""
	for err != nil {
		if e, ok := err.(*fault.Error); ok {
			code = e.Code
			err = e.Cause
			continue
		}
		break
	}
	return code
}
