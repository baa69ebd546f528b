package content

import (
	"context"
	"sync"

	"ago/fault"
	"ago/message"
	"ago/store/memory"
)

// LentMax are the bytes of values that are lent at a time.
const LentMax = 32 << 20

// lent keeps values in memory for a while: those that somebody is told the ids of who has no right to fill the disk. It is two
// generations of contents; the older one is forgotten when the younger is full.
type lent struct {
	c   *Contents // that they are lent by
	max int64     // bytes of a generation

	mu         sync.Mutex
	young, old *Contents
	bytes      int64 // of young
}

func newLent(c *Contents, limit int64) *lent { return &lent{c: c, max: limit / 2} }

// Lend keeps a value as Write does, but in memory only and for a while: what is lent later pushes out what was lent before. It
// fails as Write does, and with TooLarge ("content-too-large-to-lend") for a value of more than half of LentMax.
func (c *Contents) Lend(ctx context.Context, v message.Value) (message.ID, error) {
	size := message.Footprint(v, c.lent.max) + rowsOf
	if size > c.lent.max {
		return message.ID{}, fault.New(fault.TooLarge, "content-too-large-to-lend", "up to %d bytes are kept in memory for somebody who may not fill the disk", c.lent.max).
			WithHint("sign the request, with cache-control: store in it")
	}
	return c.lent.place(size).Write(ctx, v)
}

// rowsOf are about the bytes of the rows of a small message, beside its fields.
const rowsOf = 1 << 10

// place gives the generation that a value of a size goes to.
func (l *lent) place(size int64) *Contents {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.young == nil || l.bytes+size > l.max {
		l.old, l.bytes = l.young, 0
		l.young = New(Options{Tables: memory.New(), Blobs: memory.NewBlobs(), Verify: l.c.verify, Memory: -1})
		l.young.beside = []Place{written{l.c}, l}
	}
	l.bytes += size
	return l.young
}

// Fetch serves Place.
func (l *lent) Fetch(ctx context.Context, id message.ID) (message.Value, error) {
	l.mu.Lock()
	young, old := l.young, l.old
	l.mu.Unlock()
	for _, c := range []*Contents{young, old} {
		if c == nil {
			continue
		}
		if v, err := c.load(ctx, id); err == nil || fault.KindOf(err) != fault.NotFound {
			return v, err
		}
	}
	return nil, absent(id.String())
}

// written are contents without what is beside them.
type written struct{ c *Contents }

func (w written) Fetch(ctx context.Context, id message.ID) (message.Value, error) {
	return w.c.load(ctx, id)
}
