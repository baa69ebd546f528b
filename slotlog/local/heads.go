package local

import (
	"container/list"
	"sync"

	"ago/message"
	"ago/slotlog"
)

// heads keeps the heads of the processes that were appended to last, so that an append reads nothing it wrote before.
// Only heads that are on disk are in it.
type heads struct {
	mu    sync.Mutex
	max   int
	byID  map[message.ID]*list.Element
	order *list.List // last used first
}

type knownHead struct {
	process message.ID
	head    slotlog.Head
}

func newHeads(size int) *heads {
	return &heads{max: size, byID: map[message.ID]*list.Element{}, order: list.New()}
}

func (h *heads) get(p message.ID) (slotlog.Head, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	el, ok := h.byID[p]
	if !ok {
		return slotlog.Head{}, false
	}
	h.order.MoveToFront(el)
	return el.Value.(*knownHead).head, true
}

func (h *heads) put(p message.ID, head slotlog.Head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if el, ok := h.byID[p]; ok {
		el.Value.(*knownHead).head = head
		h.order.MoveToFront(el)
		return
	}
	h.byID[p] = h.order.PushFront(&knownHead{p, head})
	if h.order.Len() > h.max {
		h.remove(h.order.Back())
	}
}

func (h *heads) drop(p message.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if el, ok := h.byID[p]; ok {
		h.remove(el)
	}
}

func (h *heads) remove(el *list.Element) {
	delete(h.byID, el.Value.(*knownHead).process)
	h.order.Remove(el)
}
