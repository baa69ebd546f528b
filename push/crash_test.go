package push

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/store"

	"pgregory.net/rapid"
)

// A network of a few processes whose every message carries the tag Left: how many generations it may still cause. What a slot
// emits depends on its process, slot and message only, as an evaluation does.
type generations struct {
	*world
	all []message.ID
}

func (g *generations) emits(p message.ID, slot slotlog.Slot, s slotted) process.Result {
	if slot == 0 || s.item == nil {
		return result(nil, nil, nil)
	}
	text, _ := s.item.Tag("Left")
	left, _ := strconv.Atoi(text)
	if left == 0 {
		return result(nil, nil, nil)
	}
	seed := message.HashOf(append(p[:], s.id[:]...))
	r := rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:]), uint64(slot)))
	var messages, spawns, assigns []object
	for i := range r.IntN(4) {
		target := g.all[r.IntN(len(g.all))].String()
		switch r.IntN(12) {
		case 0:
			target = "nobody"
		case 1:
			target = message.HashOf([]byte("a wallet")).String()
		}
		messages = append(messages, to(target, slot, i, "Left", strconv.Itoa(left-1)))
	}
	if r.IntN(8) == 0 {
		spawns = append(spawns, object{"Anchor": anchor(slot, 100), "Tags": tagList("Module", g.module.String(), "Left", "1", "From-Process", p.String())})
	}
	if r.IntN(8) == 0 {
		assigns = append(assigns, object{"Processes": []string{g.all[0].String(), g.all[1].String()}, "Message": s.id.String()})
	}
	return result(messages, spawns, assigns)
}

// Whatever fails, whenever the power goes, however much of what was not synced is lost: in the end each entry of each outbox
// has exactly one slot, and those of one sender for one target are in order.
func TestNothingIsLostOrDoubledOverCrashes(t *testing.T) {
	rounds := 1
	if os.Getenv("AGO_LONG") != "" {
		rounds = 30
	}
	for range rounds {
		crashes(t)
	}
}

func crashes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		g := &generations{world: w}
		w.evaluate = g.emits
		limits := Limits{
			DelayFirst: time.Millisecond, DelayMax: 2 * time.Millisecond, AttemptsMax: 1 << 30, Workers: rapid.IntRange(1, 8).Draw(rt, "workers"),
			Lanes: rapid.SampledFrom([]int{2, 1000}).Draw(rt, "lanes"),
		}
		p := w.open(t, Config{Limits: limits})
		for i := range 4 {
			g.all = append(g.all, w.spawn(t, fmt.Sprint(i)))
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "faults"), 0))
		odds := rapid.IntRange(2, 10).Draw(rt, "odds")
		unlucky := func(string, message.ID) error {
			if r.IntN(odds) != 0 {
				return nil
			}
			return fault.New(fault.Unavailable, "unlucky", "no answer")
		}
		w.mu.Lock()
		w.refuse, w.lose = unlucky, unlucky
		w.mu.Unlock()
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			switch rapid.IntRange(0, 2).Draw(rt, "step") {
			case 0, 1:
				target := rapid.SampledFrom(g.all).Draw(rt, "target")
				w.send(t, target, process.Tag{Name: "Left", Value: strconv.Itoa(rapid.IntRange(1, 3).Draw(rt, "left"))})
			case 2:
				time.Sleep(time.Duration(rapid.IntRange(0, 500).Draw(rt, "µs")) * time.Microsecond)
				share := rapid.Float64Range(0, 1).Draw(rt, "share")
				w.mu.Lock()
				w.dead = true
				crashed := w.store.crash(share)
				w.mu.Unlock()
				p.Close()
				w.mu.Lock()
				w.store = crashed
				w.mu.Unlock()
				p = w.open(t, Config{Limits: limits})
			}
		}
		idle(t, p)
		p.Close()
		g.check(rt, p)
	})
}

func (g *generations) check(t *rapid.T, p *Pusher) {
	slots := map[message.ID]map[message.ID]int{} // process -> message -> how often
	for id, log := range g.logs {
		slots[id] = map[message.ID]int{}
		last := map[string]string{}
		for slot, s := range log {
			slots[id][s.id]++
			if s.item == nil {
				continue
			}
			if from, ok := s.item.Tag("From-Process"); ok && slot > 0 && !hasTag(s.item.Tags, "Process") {
				if string(s.item.Anchor) <= last[from] {
					t.Fatalf("slot %d of %s: %s came after %s", slot, id, s.item.Anchor, last[from])
				}
				last[from] = string(s.item.Anchor)
			}
		}
	}
	pushed := 0
	for sender, log := range g.logs {
		for slot, s := range log {
			for _, want := range entries(g.emits(sender, slotlog.Slot(slot), s).Outbox()) {
				want.Key.Position = Position{Process: sender, Slot: slotlog.Slot(slot)}
				got, err := p.row(want.Key)
				if err != nil {
					t.Fatal(err)
				}
				pushed++
				switch {
				case want.State == Dropped:
					if got.State != Dropped {
						t.Fatalf("%s is %s", want.Key, got.State)
					}
				case got.State == Uploaded:
				case got.State != Delivered:
					t.Fatalf("%s is %s: %s", want.Key, got.State, got.Reason)
				default:
					target, err := message.ParseID(got.Target)
					if err != nil || slots[target][got.Message] != 1 || g.logs[target][*got.Slot].id != got.Message {
						t.Fatalf("%s has %d slots at %s", want.Key, slots[target][got.Message], got.Target)
					}
					if got.Kind == KindSpawn {
						want.Key.Part = 1
						news, err := p.row(want.Key)
						if err != nil || news.State != Delivered || slots[sender][news.Message] != 1 || news.subject != got.Message {
							t.Fatalf("the news of %s: %+v, %v", want.Key, news, err)
						}
						pushed++
					}
				}
			}
		}
	}
	total := 0
	for range p.c.Store.Scan([]byte{store.TableTasks}, []byte{store.TableTasks + 1}, false) {
		total++
	}
	if total != pushed {
		t.Fatalf("%d tasks are stored, %d were asked for", total, pushed)
	}
	for kv := range p.c.Store.Scan([]byte{store.TablePushIndex, indexPending}, []byte{store.TablePushIndex, indexPending + 1}, false) {
		t.Fatalf("%x is still pending", kv.Key)
	}
	if s := p.Stats(); s.Pending != 0 || s.Lanes != 0 {
		t.Fatalf("%+v", s)
	}
}
