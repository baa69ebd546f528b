package push

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"ago/clock"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// emit answers what the function gives for each slot but the first.
func emit(f func(p message.ID, slot slotlog.Slot, action string) process.Result) func(message.ID, slotlog.Slot, slotted) process.Result {
	return func(p message.ID, slot slotlog.Slot, s slotted) process.Result {
		if slot == 0 || s.item == nil {
			return result(nil, nil, nil)
		}
		action, _ := s.item.Tag("Action")
		return f(p, slot, action)
	}
}

func to(target string, slot slotlog.Slot, index int, tags ...string) object {
	return object{"Target": target, "Anchor": anchor(slot, index), "Tags": tagList(tags...), "Data": "x"}
}

func tasks(t testing.TB, p *Pusher, f Filter) []Task {
	t.Helper()
	page, err := p.Tasks(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return page.Tasks
}

func TestMessagesOfAResultReachTheirTargetInOrder(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a, b := w.spawn(t, "a"), w.spawn(t, "b")
	const n = 200 // more than a lane holds
	w.evaluate = emit(func(id message.ID, slot slotlog.Slot, _ string) process.Result {
		if id != a {
			return result(nil, nil, nil)
		}
		var out []object
		for i := range n {
			out = append(out, to(b.String(), slot, i, "Action", "Count"))
		}
		return result(out, nil, nil)
	})
	first := w.send(t, a)
	idle(t, p)
	got := w.log(b)
	if len(got) != n+1 {
		t.Fatalf("%d slots, want %d", len(got), n+1)
	}
	for i, s := range got[1:] {
		if string(s.item.Anchor) != anchor(1, i) {
			t.Fatalf("slot %d holds %s", i+1, s.item.Anchor)
		}
		if root, _ := s.item.Tag("Pushed-For"); root != first.String() {
			t.Fatalf("pushed for %s, want %s", root, first)
		}
	}
	if s := p.Stats(); s.Delivered != n || s.Lanes != 0 || s.Parked != 0 {
		t.Fatalf("%+v", s)
	}
	if got := tasks(t, p, Filter{State: Delivered, Process: a}); len(got) != n || *got[7].Slot != 8 {
		t.Fatalf("%d tasks are listed", len(got))
	}
}

func TestManySendersAndTargetsWithFewLanesInMemory(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{Limits: Limits{Lanes: 2, Workers: 2}})
	defer p.Close()
	var all []message.ID
	for i := range 12 {
		all = append(all, w.spawn(t, fmt.Sprint(i)))
	}
	w.evaluate = emit(func(_ message.ID, slot slotlog.Slot, action string) process.Result {
		if action != "Go" {
			return result(nil, nil, nil)
		}
		var out []object
		for i, target := range all {
			out = append(out, to(target.String(), slot, i))
		}
		return result(out, nil, nil)
	})
	for range 3 {
		for _, id := range all {
			w.send(t, id, process.Tag{Name: "Action", Value: "Go"})
		}
	}
	idle(t, p)
	for _, id := range all {
		last := map[string]string{} // by sender: the anchors grow in the order of sending
		for _, s := range w.log(id)[1:] {
			from, ok := s.item.Tag("From-Process")
			if ok && string(s.item.Anchor) <= last[from] {
				t.Fatalf("%s came after %s", s.item.Anchor, last[from])
			}
			last[from] = string(s.item.Anchor)
		}
		if n := len(w.log(id)); n != 1+3+3*len(all) {
			t.Errorf("%d slots, want %d", n, 1+3+3*len(all))
		}
	}
}

func TestASpawnTellsItsParentAndMayBeSpokenTo(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a := w.spawn(t, "a")
	var spawned string
	w.evaluate = func(id message.ID, slot slotlog.Slot, s slotted) process.Result {
		action, _ := s.item.Tag("Action")
		switch {
		case id == a && action == "Make":
			return result(nil, []object{{"Anchor": anchor(slot, 0), "Tags": tagList("Module", w.module.String(), "From-Process", a.String(),
				"Reference", "9", "Authority", w.key.ProcessAddress()), "Data": "code"}}, nil)
		case id == a && action == "Spawned":
			spawned, _ = s.item.Tag("Process")
			return result([]object{to(spawned, slot, 0, "Action", "Hello")}, nil, nil)
		case id != a && slot == 0:
			return result([]object{to(a.String(), slot, 0, "Action", "Booted")}, nil, nil)
		}
		return result(nil, nil, nil)
	}
	root := w.send(t, a, process.Tag{Name: "Action", Value: "Make"})
	idle(t, p)
	child, err := message.ParseID(spawned)
	if err != nil {
		t.Fatalf("no Spawned: %v", err)
	}
	got := w.log(child)
	if len(got) != 2 || got[0].id != child || string(got[0].item.Data) != "code" {
		t.Fatalf("the child has %d slots", len(got))
	}
	if from, _ := got[0].item.Tag("From-Process"); from != a.String() {
		t.Errorf("the child comes from %s", from)
	}
	// Make, Spawned and Booted, the latter two in any order.
	if n := len(w.log(a)); n != 4 {
		t.Errorf("the parent has %d slots", n)
	}
	tr, err := p.Trace(t.Context(), got[1].id)
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Hops) != 5 || !tr.Whole || tr.Hops[0].Message != root {
		t.Fatalf("%d hops", len(tr.Hops))
	}
	var kinds []string
	for _, h := range tr.Hops[1:] {
		kinds = append(kinds, tr.Hops[h.From].Kind.String()+">"+h.Kind.String()+"/"+h.Action)
		if h.Asked != (h.Action == "Hello") || h.State != Delivered {
			t.Errorf("%s: asked %v, %s", h.Action, h.Asked, h.State)
		}
	}
	slices.Sort(kinds)
	want := []string{"spawn>message/Booted", "spawn>spawned/Spawned", "spawned>message/Hello", "unknown>spawn/"}
	if !slices.Equal(kinds, want) {
		t.Fatalf("%v", kinds)
	}
}

func TestAssignmentsGoToEachProcess(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a, b, c := w.spawn(t, "a"), w.spawn(t, "b"), w.spawn(t, "c")
	var first message.ID
	w.evaluate = emit(func(id message.ID, slot slotlog.Slot, action string) process.Result {
		switch {
		case id == a && action == "Assign":
			return result(nil, nil, []object{{"Processes": []string{b.String(), c.String()}, "Message": first.String()}})
		case id == a && action == "Tag":
			return result([]object{to(b.String(), slot, 0, "Assignments", c.String())}, nil, nil)
		}
		return result(nil, nil, nil)
	})
	first = w.send(t, a, process.Tag{Name: "Action", Value: "Plain"})
	asked := w.send(t, a, process.Tag{Name: "Action", Value: "Assign"})
	idle(t, p)
	for _, id := range []message.ID{b, c} {
		if got := w.log(id); len(got) != 2 || got[1].id != first || !got[1].byID {
			t.Fatalf("%d slots", len(got))
		}
	}
	tr, err := p.Trace(t.Context(), asked)
	if err != nil || len(tr.Hops) != 3 || tr.Hops[2].From != 0 || tr.Hops[2].Kind != KindAssign {
		t.Fatalf("%+v, %v", tr, err)
	}
	asked = w.send(t, a, process.Tag{Name: "Action", Value: "Tag"})
	idle(t, p)
	sent, assigned := w.log(b), w.log(c)
	if len(sent) != 3 || len(assigned) != 3 || assigned[2].id != sent[2].id || !assigned[2].byID {
		t.Fatalf("%d and %d slots", len(sent), len(assigned))
	}
	if tr, err = p.Trace(t.Context(), asked); err != nil || len(tr.Hops) != 3 || tr.Hops[2].From != 1 {
		t.Fatalf("%+v, %v", tr, err)
	}
}

func TestAMessageToAWalletIsKeptAsAnItem(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a := w.spawn(t, "a")
	w.evaluate = emit(func(_ message.ID, slot slotlog.Slot, _ string) process.Result {
		return result([]object{to(w.key.Address().String(), slot, 0)}, nil, nil)
	})
	w.send(t, a)
	idle(t, p)
	got := tasks(t, p, Filter{})
	if len(w.uploads) != 1 || len(got) != 1 || got[0].State != Uploaded || got[0].Message != w.uploads[0] || got[0].Slot != nil {
		t.Fatalf("%d uploads, %+v", len(w.uploads), got)
	}
}

func TestAChainEndsAtTheDepthLimit(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{Limits: Limits{DepthMax: 10}})
	defer p.Close()
	a, b := w.spawn(t, "a"), w.spawn(t, "b")
	w.evaluate = emit(func(id message.ID, slot slotlog.Slot, _ string) process.Result {
		other := a
		if id == a {
			other = b
		}
		return result([]object{to(other.String(), slot, 0)}, nil, nil)
	})
	first := w.send(t, a)
	idle(t, p)
	parked := tasks(t, p, Filter{State: Parked})
	if len(parked) != 1 || parked[0].Code != "depth-limit" || parked[0].Depth != 11 || parked[0].Root != first {
		t.Fatalf("%+v", parked)
	}
	if n := len(w.log(a)) + len(w.log(b)); n != 2+1+10 {
		t.Fatalf("%d slots", n)
	}
	if err := p.Retry(t.Context(), parked[0].Key); err != nil {
		t.Fatal(err)
	}
	idle(t, p)
	again := tasks(t, p, Filter{State: Parked})
	if len(again) != 1 || again[0].Depth != 12 || p.Stats().Parked != 1 {
		t.Fatalf("%+v", again)
	}
	last, err := p.Trace(t.Context(), w.log(a)[3].id)
	if err != nil || len(last.Hops) != 13 || last.Hops[0].Message != first || !last.Hops[4].Asked {
		t.Fatalf("%d hops, %v", len(last.Hops), err)
	}
}

func TestWhatIsOverTheFanOutLimitIsParked(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{Limits: Limits{FanOutMax: 3}})
	defer p.Close()
	a, b := w.spawn(t, "a"), w.spawn(t, "b")
	w.evaluate = emit(func(id message.ID, slot slotlog.Slot, _ string) process.Result {
		if id != a {
			return result(nil, nil, nil)
		}
		var out []object
		for i := range 5 {
			out = append(out, to(b.String(), slot, i))
		}
		return result(out, nil, nil)
	})
	w.send(t, a)
	idle(t, p)
	parked := tasks(t, p, Filter{State: Parked, Process: a})
	if len(parked) != 2 || parked[0].Key.Index != 3 || parked[1].Code != "fan-out-limit" || len(w.log(b)) != 4 {
		t.Fatalf("%+v, %d slots", parked, len(w.log(b)))
	}
	if n := len(tasks(t, p, Filter{State: Parked, Process: b})); n != 0 {
		t.Fatalf("%d tasks of another sender", n)
	}
}

func TestATimersMessagesBelongToNoChain(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a, b := w.spawn(t, "a"), w.spawn(t, "b")
	at := Position{Process: a, Slot: 0, Tick: 1_700_000_000_000, Cron: 2}
	var batch store.Batch
	if err := p.PlanCron(&batch, w.defs[a], at, result([]object{to(b.String(), 0, 0)}, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Apply(&batch, true); err != nil {
		t.Fatal(err)
	}
	p.CommittedCron(at)
	idle(t, p)
	got := w.log(b)
	if len(got) != 2 {
		t.Fatalf("%d slots", len(got))
	}
	if _, ok := got[1].item.Tag("Pushed-For"); ok {
		t.Error("it was pushed for somebody")
	}
	tr, err := p.Trace(t.Context(), got[1].id)
	if err != nil || len(tr.Hops) != 2 || !tr.Hops[0].Message.IsZero() || tr.Hops[0].Key.Cron != 2 || !tr.Hops[1].Asked {
		t.Fatalf("%+v, %v", tr, err)
	}
}

func TestTheChainOfATrustedMessengerGoesOn(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a := w.spawn(t, "a")
	root := message.HashOf([]byte("root elsewhere"))
	for _, c := range []struct {
		owner string
		want  bool
	}{{w.key.ProcessAddress(), true}, {"somebody", false}} {
		as := process.Assigned{Entry: slotlog.Entry{Message: message.HashOf([]byte(c.owner))}}
		as.Content = process.Content{Owner: c.owner, Tags: pairs("From-Process", a.String(), "Pushed-For", root.String())}
		got, err := p.chainOf(w.defs[a], as)
		if err != nil || (got.root == root) != c.want || !c.want && got.root != as.Message {
			t.Errorf("%s: %+v, %v", c.owner, got, err)
		}
	}
}

func TestAResultStoredAgainIsNotDeliveredAgain(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a, b := w.spawn(t, "a"), w.spawn(t, "b")
	as := process.Assigned{Entry: slotlog.Entry{Process: a, Slot: 3, Message: message.HashOf([]byte("m"))}}
	for range 2 {
		var batch store.Batch
		if err := p.Plan(&batch, w.defs[a], as, result([]object{to(b.String(), 0, 0)}, nil, nil)); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Apply(&batch, true); err != nil {
			t.Fatal(err)
		}
		p.Committed(a, 3)
		idle(t, p)
	}
	if s := p.Stats(); s.Delivered != 1 || len(w.log(b)) != 2 {
		t.Fatalf("%+v, %d slots", s, len(w.log(b)))
	}
}

func TestATraceOfWhatCausedNothing(t *testing.T) {
	w := newWorld(t)
	known := message.HashOf([]byte("known"))
	p := w.open(t, Config{Where: func(_ context.Context, id message.ID) ([]Place, error) {
		if id != known {
			return nil, fault.New(fault.NotFound, "message-unknown", "no")
		}
		return []Place{{message.HashOf(nil), 4}}, nil
	}})
	defer p.Close()
	tr, err := p.Trace(t.Context(), known)
	if err != nil || len(tr.Hops) != 1 || *tr.Hops[0].Slot != 4 || !tr.Hops[0].First || !tr.Whole {
		t.Fatalf("%+v, %v", tr, err)
	}
	if _, err := p.Trace(t.Context(), message.HashOf(nil)); fault.CodeOf(err) != "trace-unknown" {
		t.Fatal(err)
	}
}

// Two processes that send equal messages over and over are answered with the first slots: the tree has a ring in it.
func TestATraceEndsWhereItHasBeen(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a, b := w.spawn(t, "a"), w.spawn(t, "b")
	w.evaluate = emit(func(id message.ID, _ slotlog.Slot, _ string) process.Result {
		other := a
		if id == a {
			other = b
		}
		return result([]object{to(other.String(), 0, 0)}, nil, nil)
	})
	first := w.send(t, a)
	idle(t, p)
	tr, err := p.Trace(t.Context(), first)
	if err != nil || len(tr.Hops) != 4 || !tr.Hops[3].Seen || !tr.Hops[3].Repeated || !tr.Whole {
		js, _ := json.MarshalIndent(tr, "", " ")
		t.Fatalf("%s, %v", js, err)
	}
	ring, err := p.Trace(t.Context(), tr.Hops[1].Message)
	if err != nil || ring.Hops[0].Message != first {
		t.Fatalf("%+v, %v", ring, err)
	}
}

func TestTasksAreListedInPages(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a, b := w.spawn(t, "a"), w.spawn(t, "b")
	w.evaluate = emit(func(id message.ID, slot slotlog.Slot, _ string) process.Result {
		if id != a {
			return result(nil, nil, nil)
		}
		return result([]object{to(b.String(), slot, 0), to("nobody", slot, 1), to(b.String(), slot, 2)}, nil, nil)
	})
	for range 3 {
		w.send(t, a)
	}
	idle(t, p)
	for _, c := range []struct {
		filter Filter
		want   int
	}{{Filter{}, 9}, {Filter{State: Delivered}, 6}, {Filter{State: Dropped, Process: a}, 3}, {Filter{State: Parked}, 0}, {Filter{Process: b}, 0}} {
		for limit := 1; limit < 10; limit++ {
			f, seen := c.filter, map[Key]bool{}
			f.Limit = limit
			for {
				page, err := p.Tasks(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				if len(page.Tasks) > limit {
					t.Fatalf("%d tasks in a page of %d", len(page.Tasks), limit)
				}
				for _, task := range page.Tasks {
					if seen[task.Key] {
						t.Fatalf("%s is listed twice", task.Key)
					}
					seen[task.Key] = true
				}
				if page.Next == nil {
					break
				}
				f.After = page.Next
			}
			if len(seen) != c.want {
				t.Errorf("%+v: %d tasks, want %d", f, len(seen), c.want)
			}
		}
	}
	for _, task := range tasks(t, p, Filter{}) {
		err := p.Retry(t.Context(), task.Key)
		if task.State == Dropped && fault.CodeOf(err) != "task-dropped" || task.State == Delivered && fault.CodeOf(err) != "task-done" {
			t.Errorf("%s: %v", task.State, err)
		}
	}
	if err := p.Retry(t.Context(), Key{}); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}

func TestAPusherNeedsItsParts(t *testing.T) {
	if _, err := Open(Config{Clock: clock.System{}}); err == nil {
		t.Fatal("a pusher was made of a clock")
	}
}
