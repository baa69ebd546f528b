package push

import (
	"testing"

	"ago/message"
	"ago/process"
	"ago/slotlog"
)

func TestMessagesOfAResultReachTheirTargetInOrder(t *testing.T) {
	w := newWorld(t)
	p := w.open(t, Config{})
	defer p.Close()
	a, b := w.spawn(t, "a"), w.spawn(t, "b")
	const n = 200 // more than a lane holds
	w.evaluate = func(id message.ID, slot slotlog.Slot, s slotted) process.Result {
		if id != a || slot == 0 {
			return result(nil, nil, nil)
		}
		var out []object
		for i := range n {
			out = append(out, object{"Target": b.String(), "Anchor": anchor(slot, i), "Tags": tagList("Action", "Count"), "Data": "x"})
		}
		return result(out, nil, nil)
	}
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
		if for_, _ := s.item.Tag("Pushed-For"); for_ != first.String() {
			t.Fatalf("pushed for %s, want %s", for_, first)
		}
	}
	if s := p.Stats(); s.Delivered != n || s.Lanes != 0 || s.Parked != 0 {
		t.Fatalf("%+v", s)
	}
}
