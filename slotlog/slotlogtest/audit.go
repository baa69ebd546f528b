package slotlogtest

import (
	"context"
	"fmt"
	"sync"

	"ago/message"
	"ago/slotlog"
)

// Acknowledged is what owners were told to be stored. It is safe for concurrent use.
type Acknowledged struct {
	mu    sync.Mutex
	slots map[message.ID]map[slotlog.Slot]message.ID
	twice []string
	count int
}

// Add notes that a message was acknowledged to have the slot.
func (a *Acknowledged) Add(p message.ID, s slotlog.Slot, id message.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.slots == nil {
		a.slots = map[message.ID]map[slotlog.Slot]message.ID{}
	}
	if a.slots[p] == nil {
		a.slots[p] = map[slotlog.Slot]message.ID{}
	}
	if other, ok := a.slots[p][s]; ok && other != id {
		a.twice = append(a.twice, fmt.Sprintf("slot %d of %s: %s and %s", s, p, other, id))
	}
	a.slots[p][s] = id
	a.count++
}

// AddBlock notes all entries of a block.
func (a *Acknowledged) AddBlock(b slotlog.Block) {
	for _, e := range b.Entries {
		a.Add(b.Process, e.Slot, e.Message)
	}
}

// Count is the number of notes.
func (a *Acknowledged) Count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count
}

// Findings are the answers to the four questions; a good log has none.
type Findings struct {
	Stored      int      // entries in the log
	Duplicates  []string // slots that were acknowledged for two messages
	Gaps        []string // slots below a head that are not there, entries that disagree with head or keys
	Lost        []string // acknowledged messages that are not in their slot
	StoredTwice []string // messages or keys with two slots in a process
}

// Err gives the findings as an error, or nil.
func (f Findings) Err() error {
	if len(f.Duplicates)+len(f.Gaps)+len(f.Lost)+len(f.StoredTwice) == 0 {
		return nil
	}
	return fmt.Errorf("duplicate slots %q, gaps %q, acknowledged but lost %q, stored twice %q",
		f.Duplicates, f.Gaps, f.Lost, f.StoredTwice)
}

// Audit asks the four questions: a slot given twice, a gap, a message acknowledged but lost, a message stored twice.
func Audit(ctx context.Context, l slotlog.Log, acked *Acknowledged) (f Findings, err error) {
	acked.mu.Lock()
	defer acked.mu.Unlock()
	f.Duplicates = acked.twice
	seen := map[message.ID]bool{}
	for p, err := range l.Processes(ctx, message.ID{}) {
		if err != nil {
			return f, err
		}
		seen[p] = true
		if err := f.audit(ctx, l, p, acked.slots[p]); err != nil {
			return f, err
		}
	}
	for p := range acked.slots {
		if !seen[p] {
			f.Lost = append(f.Lost, fmt.Sprintf("all of process %s", p))
		}
	}
	return f, nil
}

func (f *Findings) audit(ctx context.Context, l slotlog.Log, p message.ID, acked map[slotlog.Slot]message.ID) error {
	keys := map[message.ID]slotlog.Slot{}
	next := slotlog.Slot(0)
	for e, err := range l.Range(ctx, p, 0, ^slotlog.Slot(0)) {
		if err != nil {
			return err
		}
		if e.Slot != next || e.Process != p {
			f.Gaps = append(f.Gaps, fmt.Sprintf("slot %d of %s instead of %d", e.Slot, p, next))
		}
		next++
		f.Stored++
		for _, key := range e.Keys() {
			if s, ok := keys[key]; ok {
				f.StoredTwice = append(f.StoredTwice, fmt.Sprintf("%s in slots %d and %d of %s", key, s, e.Slot, p))
			}
			keys[key] = e.Slot
			if s, err := l.Find(ctx, p, key); err != nil || s != e.Slot {
				f.Gaps = append(f.Gaps, fmt.Sprintf("%s is found in slot %d of %s, not %d (%v)", key, s, p, e.Slot, err))
			}
		}
		if id, ok := acked[e.Slot]; ok && id != e.Message {
			f.Lost = append(f.Lost, fmt.Sprintf("slot %d of %s has %s, acknowledged was %s", e.Slot, p, e.Message, id))
		}
	}
	for s := range acked {
		if s >= next {
			f.Lost = append(f.Lost, fmt.Sprintf("slot %d of %s", s, p))
		}
	}
	head, err := l.Head(ctx, p)
	if err == nil && head.Next != next {
		f.Gaps = append(f.Gaps, fmt.Sprintf("%s has %d slots, its head says %d", p, next, head.Next))
	}
	return err
}
