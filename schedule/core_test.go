package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/slotlog/local"
)

func field(key, value string) message.Field {
	return message.Field{Key: key, Value: message.Bytes(value)}
}

// http signs a message and has it come over HTTP.
func (b *bench) http(k *commitment.Key, fs ...message.Field) commitment.Verified {
	b.t.Helper()
	m, err := httpsig.Commit(message.New(fs...), k, httpsig.Terms{})
	if err != nil {
		b.t.Fatal(err)
	}
	w, err := httpsig.Encode(m, message.Nested)
	if err != nil {
		b.t.Fatal(err)
	}
	w = httpsig.NewWire(append(w.Headers, message.Header{Name: "host", Value: "localhost"}), w.Body)
	if m, err = httpsig.Decode(w); err != nil {
		b.t.Fatal(err)
	}
	return b.verified(m)
}

func (b *bench) verified(m message.Message) commitment.Verified {
	b.t.Helper()
	v, err := commitment.Verify(m)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// coreProcess is the definition of an AO-Core process, by HTTP or as an item.
func (b *bench) coreProcess(asItem bool, name string) commitment.Verified {
	if asItem {
		return b.sign(b.user, message.ID{}, "", "device", "process@1.0", "Type", "Process", "scheduler", b.s.Address().String(),
			"execution-device", "test-device@1.0", "Name", name)
	}
	return b.http(b.user, field("device", "process@1.0"), field("type", "Process"), field("scheduler", b.s.Address().String()),
		field("execution-device", "test-device@1.0"), field("name", name))
}

// again is a scheduler over the same store, as after a restart.
func (b *bench) again() *Scheduler {
	b.t.Helper()
	s, err := Open(Config{Log: local.New(b.st, b.blobs), Store: b.st, Key: b.s.c.Key, Clock: b.clock, Blocks: blocks{}, Archive: b.arch})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(s.Close)
	return s
}

func slots(t testing.TB, s *Scheduler, p message.ID) []process.Assigned {
	t.Helper()
	var all []process.Assigned
	for a, err := range s.Range(context.Background(), p, 0, 1<<40) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func TestOneLogServesBothKindsOfMessages(t *testing.T) {
	for _, asItem := range []bool{false, true} {
		t.Run(fmt.Sprintf("defined by an item: %t", asItem), func(t *testing.T) {
			b := open(t)
			def := b.coreProcess(asItem, "p")
			p := b.submit(def).Process
			if p != def.ID() {
				t.Fatalf("the process is %s, its definition %s", p, def.ID())
			}
			sent := []commitment.Verified{def,
				b.http(b.user, field("target", p.String()), field("type", "Message"), field("data", "one")),
				b.sign(b.other, p, "two", "Action", "Eval"), // an item without Data-Protocol
				b.http(b.other, field("target", p.String()+"?hint=http://elsewhere"), message.Field{Key: "n", Value: message.Int(3)}),
			}
			for i, v := range sent[1:] {
				if r := b.submit(v); r.Slot != slotlog.Slot(i+1) || r.ID != v.ID() || r.Process != p {
					t.Fatalf("%+v, want slot %d", r, i+1)
				}
			}
			toPath := b.http(b.user, field("data", "four"))
			if r, err := b.s.SubmitTo(context.Background(), p, toPath); err != nil || r.Slot != 4 {
				t.Fatalf("%+v, %v", r, err)
			}
			sent = append(sent, toPath)
			first := slots(t, b.s, p)
			after := b.again()
			if len(first) != len(sent) {
				t.Fatalf("%d slots of %d", len(first), len(sent))
			}
			var chain *message.ID
			hashpath := p.String()
			for i, a := range slots(t, after, p) {
				v := sent[i]
				next := process.Chain(chain, v.ID().String())
				chain = &next
				if a.HashChain != next || a.Hashpath != hashpath || a.Assignment != nil {
					t.Errorf("slot %d: chain %s, hashpath %s", i, a.HashChain, a.Hashpath)
				}
				core := a.Core()
				if hashpath, _ = message.ExtendHashpath("", hashpath, core.UnsignedID().String()); a.AssignmentID != core.UnsignedID() {
					t.Errorf("slot %d: assignment %s, want %s", i, a.AssignmentID, core.UnsignedID())
				}
				if !message.Equal(core, first[i].Core()) {
					t.Errorf("slot %d reads as another assignment after a restart", i)
				}
				whole := a.Content.Message()
				if !message.Equal(whole.Without(message.KeyCommitments), v.Message().OnlyCommitted().Without(message.KeyCommitments)) || whole.SignedID() != v.ID() {
					t.Errorf("slot %d holds %v, want %v", i, whole, v.Message())
				}
				if _, err := commitment.VerifyEntries(whole); err != nil {
					t.Errorf("slot %d: %v", i, err)
				}
				for _, id := range process.IDs(whole) {
					if m, err := after.Message(context.Background(), id); err != nil || !message.Equal(m, whole) {
						t.Errorf("Message(%s) = %v, %v", id, m, err)
					}
				}
				if m, err := after.Message(context.Background(), a.AssignmentID); err != nil || !message.Equal(m.Without(message.KeyCommitments), core) {
					t.Errorf("the assignment of slot %d is %v, %v", i, m, err)
				}
				for _, id := range append(process.IDs(whole), a.AssignmentID) {
					if s, err := after.Find(context.Background(), p, id); err != nil || s != slotlog.Slot(i) {
						t.Errorf("Find(%s) = %d, %v, want %d", id, s, err, i)
					}
				}
				again, err := after.SubmitTo(context.Background(), p, v)
				if i == 0 && err == nil {
					again, err = after.Submit(context.Background(), v)
				}
				if err != nil || !again.Repeated || again.Slot != slotlog.Slot(i) || again.Assignment != a.AssignmentID {
					t.Errorf("slot %d again: %+v, %v", i, again, err)
				}
			}
			head, err := after.Head(context.Background(), p)
			if err != nil || head.Next != slotlog.Slot(len(sent)) || head.Hashpath != hashpath {
				t.Errorf("head %+v, %v", head, err)
			}
			d, err := after.Process(context.Background(), p)
			if err != nil || d.Legacy() || d.ExecutionDevice != "test-device@1.0" || d.Message().SignedID() != p {
				t.Errorf("definition %+v, %v", d, err)
			}
		})
	}
}

func TestAssignmentsKeepTheirOrderUnderManyWriters(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(false, "p")).Process
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 6 {
				b.submit(b.http(b.user, field("target", p.String()), field("data", fmt.Sprint(w, i))))
			}
		})
	}
	wg.Wait()
	hashpath := p.String()
	all := slots(t, b.again(), p)
	for i, a := range all {
		if a.Slot != slotlog.Slot(i) || a.Hashpath != hashpath {
			t.Fatalf("slot %d at %d on %s", a.Slot, i, a.Hashpath)
		}
		hashpath, _ = message.ExtendHashpath("", hashpath, a.AssignmentID.String())
	}
	if len(all) != 49 {
		t.Errorf("%d slots", len(all))
	}
}

// TestAMessageWithinARequest schedules what clients of the first generation nest in the body of a signed request.
func TestAMessageWithinARequest(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(false, "p")).Process
	inner, err := httpsig.Commit(message.New(field("target", p.String()), field("type", "Message"), field("colour", "blue")), b.user, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	outer := b.http(b.other, message.Field{Key: "body", Value: inner}, field("path", "/schedule"))
	body, _ := outer.Message().Get("body")
	got := b.submit(b.verified(body.(message.Message)))
	if got.ID != inner.SignedID() {
		t.Fatalf("scheduled %s, want %s", got.ID, inner.SignedID())
	}
	a := slots(t, b.s, p)[1]
	if a.Content.Owner != b.user.ProcessAddress() || a.Content.Message().Text("colour") != "blue" {
		t.Errorf("%+v", a.Content)
	}
	if core := a.Core(); core.Text("path") != "compute" || core.Text("variant") != process.VariantCore {
		t.Errorf("%v", core)
	}
}

// TestWhatWaoSchedules: definitions and messages in the bodies of requests, as a published client of the first generation signs
// them. Messages in a message it commits to as the text of their parts, without what tells them apart, so that nobody can verify
// that.
func TestWhatWaoSchedules(t *testing.T) {
	text, err := os.ReadFile("testdata/hbsig-nested.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Requests []struct {
			Name    string
			Headers map[string]string
			Body    []byte
		}
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Requests) != 7 {
		t.Fatal(len(file.Requests), err)
	}
	b := open(t)
	p := b.submit(b.coreProcess(false, "p")).Process
	for _, q := range file.Requests {
		var hs []message.Header
		for name, value := range q.Headers {
			hs = append(hs, message.Header{Name: name, Value: value})
		}
		request, err := httpsig.Decode(httpsig.NewWire(hs, q.Body))
		if err != nil {
			t.Fatalf("%s: %v", q.Name, err)
		}
		b.verified(request)
		v, _ := request.Get("body")
		inner, err := commitment.Verify(v.(message.Message))
		if err != nil {
			t.Fatalf("%s: %v", q.Name, err)
		}
		got := b.submit(inner)
		if strings.HasPrefix(q.Name, "spawn") != (got.Process == inner.ID()) || got.Process != p && got.Slot != 0 {
			t.Errorf("%s: %+v", q.Name, got)
		}
		for a, err := range b.again().Range(context.Background(), got.Process, got.Slot, got.Slot+1) {
			if whole := a.Content.Message(); err != nil || !message.Equal(whole, inner.Message()) {
				t.Errorf("%s: %v, %v, want %v", q.Name, whole, err, inner.Message())
			}
			if _, err := commitment.Verify(a.Content.Message()); err != nil {
				t.Errorf("%s: %v", q.Name, err)
			}
			if data, ok := map[string]string{"data": "print('hello')", "data with lines": "a\nb\nc = 1"}[q.Name]; ok && string(a.Content.Data) != data {
				t.Errorf("%s: %q", q.Name, a.Content.Data)
			}
		}
	}
	all := slots(t, b.s, p)
	if len(all) != 5 {
		t.Errorf("%d slots", len(all))
	}
}

// TestRequestsOfTheFirstGeneration are scheduled whole, under the id of their signature, and found by the name that generation
// has for their content.
func TestRequestsOfTheFirstGeneration(t *testing.T) {
	b := open(t)
	k, err := commitment.NewAgent().Open("../commitment/testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	send := func(p message.ID, fs ...message.Field) (Receipt, message.Message) {
		t.Helper()
		w, err := httpsig.EncodeA(message.New(fs...))
		if err != nil {
			t.Fatal(err)
		}
		if w, err = httpsig.SignA(w, k, ""); err != nil {
			t.Fatal(err)
		}
		m, err := httpsig.Decode(httpsig.NewWire(append(w.Headers, message.Header{Name: "user-agent", Value: "node"}), w.Body))
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.s.SubmitTo(context.Background(), p, b.verified(m))
		if err != nil {
			t.Fatal(err)
		}
		return r, m
	}
	def, _ := send(message.ID{}, field("device", "process@1.0"), field("type", "Process"), field("scheduler", b.s.Address().String()),
		field("path", "/~process@1.0/schedule"), field("execution-device", "test-device@1.0"))
	list := message.List{message.Int(1), message.Bytes("two")}
	got, m := send(def.Process, field("path", "/schedule"), message.Field{Key: "n", Value: message.Int(5)}, message.Field{Key: "list", Value: list},
		message.Field{Key: "deep", Value: message.New(field("a", "b"))}, field("data", "line\nline"))
	a := slots(t, b.again(), def.Process)[1]
	whole := a.Content.Message()
	if v, _ := whole.Get("list"); !message.Equal(v, list) || a.Form != slotlog.FormWire || a.Content.Owner != k.ProcessAddress() || string(a.Content.Data) != "line\nline" {
		t.Errorf("%v in form %d", whole, a.Form)
	}
	if _, there := whole.Get("user-agent"); there || a.Core().Text("path") != "compute" {
		t.Errorf("%v", whole)
	}
	for _, id := range []message.ID{got.ID, m.SignedID(), httpsig.UnsignedIDA(m)} {
		if slot, err := b.s.Find(context.Background(), def.Process, id); err != nil || slot != 1 {
			t.Errorf("Find(%s) = %d, %v", id, slot, err)
		}
	}
	if _, err := commitment.Verify(whole); err != nil {
		t.Error(err)
	}
}

// TestAnItemWithinAnHTTPMessage schedules a data item that another encoding carries, on a process of legacy units.
func TestAnItemWithinAnHTTPMessage(t *testing.T) {
	b := open(t)
	p := b.submit(b.process()).Process
	v := b.message(b.user, p, "carried")
	carried := process.ContentOfMessage(v.Message()).Message()
	if _, ok := ans104.ItemOf(carried); ok {
		t.Fatal("the message is still the item")
	}
	if r := b.submit(b.verified(carried)); r.ID != v.ID() || r.Slot != 1 {
		t.Errorf("%+v, want %s", r, v.ID())
	}
	if r := b.submit(v); !r.Repeated || r.Slot != 1 {
		t.Errorf("%+v", r)
	}
}

func TestWhatHTTPMessagesAreRefused(t *testing.T) {
	b := open(t)
	legacy := b.submit(b.process()).Process
	p := b.submit(b.coreProcess(false, "p")).Process
	other := b.submit(b.coreProcess(false, "q")).Process
	for _, c := range []struct {
		name string
		to   message.ID
		v    commitment.Verified
		kind fault.Kind
		code string
		text string
	}{
		{"to legacy units", legacy, b.http(b.user, field("data", "x")), fault.Unsupported, "legacy-scheduler",
			"Process resides on legacy scheduler. Message must be signed with ANS-104."},
		{"nobody's", p, commitment.Verified{}, fault.Malformed, "message-unsigned", "Message is not valid."},
		{"an item without a target", message.ID{}, b.sign(b.user, message.ID{}, "x", "Data-Protocol", "ao", "Type", "Message"), fault.Malformed, "target-missing", ""},
		{"a target in a tag of a legacy item", message.ID{}, b.sign(b.user, message.ID{}, "x", "Data-Protocol", "ao", "Type", "Message", "Target", legacy.String()),
			fault.Malformed, "target-missing", ""},
		{"without a target", message.ID{}, b.http(b.user, field("data", "x")), fault.Malformed, "target-missing", ""},
		{"to another process", p, b.http(b.user, field("target", other.String())), fault.Malformed, "target-is-another", ""},
		{"an item to another process", p, b.sign(b.user, other, "x"), fault.Malformed, "target-is-another", ""},
		{"to no process", message.ID{}, b.http(b.user, field("target", "nobody")), fault.NotFound, "process-unknown", ""},
		{"to an unknown process", message.ID{7}, b.http(b.user, field("data", "x")), fault.NotFound, "process-unknown", ""},
		{"a definition for another scheduler", message.ID{}, b.http(b.user, field("type", "Process"), field("scheduler", message.ID{8}.String()),
			field("execution-device", "test-device@1.0")), fault.Denied, "scheduler-is-another", ""},
		{"a definition on a process", p, b.coreProcess(false, "r"), fault.Malformed, "target-is-another", ""},
		{"an unknown hashpath function", message.ID{}, b.http(b.user, field("type", "Process"), field("scheduler", b.s.Address().String()),
			field("execution-device", "test-device@1.0"), field("hashpath-alg", "md5")), fault.Unsupported, "hashpath-alg-unknown", ""},
	} {
		_, err := b.s.SubmitTo(context.Background(), c.to, c.v)
		if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code || c.text != "" && err.Error() != c.text {
			t.Errorf("%s: %v (%s)", c.name, err, fault.CodeOf(err))
		}
	}
	for _, id := range []message.ID{legacy, p, other} {
		if h, _ := b.s.Head(context.Background(), id); h.Next != 1 {
			t.Errorf("%s has %d slots", id, h.Next)
		}
	}
}

// TestContentThatSeveralSigned: the id of the content finds the first, those of the commitments find each.
func TestContentThatSeveralSigned(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(false, "p")).Process
	fs := []message.Field{field("target", p.String()), field("data", "same")}
	one, two := b.http(b.user, fs...), b.http(b.other, fs...)
	b.submit(one)
	b.submit(two)
	if slot, err := b.s.Find(context.Background(), p, one.Message().UnsignedID()); err != nil || slot != 1 {
		t.Errorf("the content is at %d, %v", slot, err)
	}
	for i, v := range []commitment.Verified{one, two} {
		if slot, err := b.s.Find(context.Background(), p, v.ID()); err != nil || slot != slotlog.Slot(i+1) {
			t.Errorf("%s is at %d, %v", v.ID(), slot, err)
		}
	}
}

// TestAnHTTPMessageAssignedByItsID to another process is read from its slot.
func TestAnHTTPMessageAssignedByItsID(t *testing.T) {
	b := open(t)
	p, q := b.submit(b.coreProcess(false, "p")).Process, b.submit(b.coreProcess(true, "q")).Process
	v := b.http(b.user, field("target", p.String()), field("data", "here"))
	b.submit(v)
	got, err := b.s.Assign(context.Background(), q, v.ID(), AssignOptions{})
	if err != nil || got.Slot != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	a := slots(t, b.again(), q)[1]
	if !a.ByID || string(a.Content.Data) != "here" || a.AssignmentID != got.Assignment || a.Core().UnsignedID() != got.Assignment {
		t.Errorf("%+v", a)
	}
	again, err := b.s.Assign(context.Background(), q, v.Message().OnlyCommitted().UnsignedID(), AssignOptions{})
	if err != nil || !again.Repeated || again.Slot != 1 {
		t.Errorf("by another of its ids: %+v, %v", again, err)
	}
	legacy := b.submit(b.process()).Process
	if _, err := b.s.Assign(context.Background(), legacy, v.ID(), AssignOptions{}); fault.CodeOf(err) != "message-unknown" {
		t.Errorf("to legacy units: %v", err)
	}
}

// TestATransactionAssignedToAnAOCoreProcess has no commitments here, so its assignment names it.
func TestATransactionAssignedToAnAOCoreProcess(t *testing.T) {
	b := open(t)
	p := b.submit(b.coreProcess(false, "p")).Process
	tx := message.ID{77}
	b.arch[tx] = 50
	got, err := b.s.Assign(context.Background(), p, tx, AssignOptions{BaseLayer: true})
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.s.Assignment(context.Background(), p, got.Slot)
	if err != nil || m.UnsignedID() != got.ID {
		t.Fatalf("%s, %v, want %s", m.UnsignedID(), err, got.ID)
	}
	if body, _ := m.Get("body"); body != (message.Link{To: tx}) {
		t.Errorf("the body is %v", body)
	}
	if _, err := commitment.VerifyEntries(m); err != nil {
		t.Error(err)
	}
}

// TestAProcessBegunWithItemsGoesOnWithThem: earlier releases assigned every process by items.
func TestAProcessBegunWithItemsGoesOnWithThem(t *testing.T) {
	b := open(t)
	v := b.sign(b.user, message.ID{}, "", "Data-Protocol", "ao", "Variant", "ao.N.1", "Type", "Process", "Module", message.ID{9}.String(),
		"Scheduler", b.s.Address().String())
	it, _ := ans104.ItemOf(v.Message())
	e := slotlog.Entry{Process: it.ID(), Message: it.ID(), Timestamp: 1, HashChain: chain(it.ID(), slotlog.Head{}), Item: it.Raw}
	as, err := ans104.Sign(assignment(e), b.s.c.Key)
	if err != nil {
		t.Fatal(err)
	}
	e.Assignment = as.Raw
	err = b.s.c.Log.Append(context.Background(), slotlog.Block{Process: e.Process, Entries: []slotlog.Entry{e},
		Head: slotlog.Head{Next: 1, Timestamp: 1, HashChain: e.HashChain, Assignment: as.ID()}})
	if err != nil {
		t.Fatal(err)
	}
	if r := b.submit(b.sign(b.user, e.Process, "more")); r.Slot != 1 {
		t.Fatalf("%+v", r)
	}
	all := slots(t, b.s, e.Process)
	if all[1].Assignment == nil || all[1].Hashpath != "" || all[1].HashChain != chain(e.Process, slotlog.Head{Next: 1, HashChain: e.HashChain, Assignment: as.ID()}) {
		t.Errorf("%+v", all[1].Entry)
	}
	if !slices.Equal(all[0].Item, it.Raw) {
		t.Error("the definition has other bytes")
	}
}
