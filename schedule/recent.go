package schedule

import (
	"sync"

	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// Slots that were given last are read within moments: to answer who asked for them, and to evaluate them.
const (
	recentMax   = 1024
	recentBytes = 8 << 20 // of messages
)

// recents are the slots given last as the log would give them, with the scheduler's commitments where they are kept already.
//
// Only slots that are on disk get in. A slot never changes, so none has to be taken out but for room.
type recents struct {
	mu    sync.Mutex
	by    map[place]recent
	order []place // oldest first
	bytes int
}

type place struct {
	process message.ID
	slot    slotlog.Slot
}

type recent struct {
	assigned    process.Assigned
	commitments message.Message
}

func (r *recents) put(slots []recent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[place]recent{}
	}
	for _, s := range slots {
		at := place{s.assigned.Process, s.assigned.Slot}
		if _, ok := r.by[at]; ok || len(s.assigned.Item) > recentBytes/16 {
			continue
		}
		r.by[at] = s
		r.order = append(r.order, at)
		r.bytes += len(s.assigned.Item)
	}
	drop := 0
	for ; len(r.order)-drop > recentMax || r.bytes > recentBytes; drop++ {
		at := r.order[drop]
		r.bytes -= len(r.by[at].assigned.Item)
		delete(r.by, at)
	}
	r.order = append(r.order[:0], r.order[drop:]...)
}

func (r *recents) get(p message.ID, slot slotlog.Slot) (recent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.by[place{p, slot}]
	return s, ok
}
