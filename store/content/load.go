package content

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// load gives what is kept under an id.
func (c *Contents) load(ctx context.Context, id message.ID) (message.Value, error) {
	if v, ok := c.memory.get(id); ok {
		return v, nil
	}
	b, err := c.tables.Get(row(rowRecord, id))
	if errors.Is(err, store.ErrNotFound) {
		if b, err = c.tables.Get(row(rowAlias, id)); err == nil {
			to, _, err := readAlias(b)
			if err != nil {
				return nil, damaged(err, "id %s", id)
			}
			return c.loadRecord(ctx, to)
		}
	} else if err == nil {
		return c.read(ctx, id, b)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	b, err = c.data(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, absent(id.String())
	}
	return message.Bytes(b), err
}

// loadRecord gives a record that another row refers to.
func (c *Contents) loadRecord(ctx context.Context, id message.ID) (message.Value, error) {
	if v, ok := c.memory.get(id); ok {
		return v, nil
	}
	b, err := c.tables.Get(row(rowRecord, id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, damaged(errors.New("it is missing"), "message %s", id)
	}
	if err != nil {
		return nil, err
	}
	return c.read(ctx, id, b)
}

func (c *Contents) read(ctx context.Context, id message.ID, b []byte) (message.Value, error) {
	r, err := readRecord(b)
	if err != nil {
		return nil, damaged(err, "message %s", id)
	}
	v, err := c.value(ctx, r)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) || ctx.Err() != nil {
			return nil, err
		}
		return nil, damaged(err, "message %s", id)
	}
	c.memory.put(id, v)
	return v, nil
}

// lately holds the messages read last, up to a number of bytes.
type lately struct {
	mu    sync.Mutex
	max   int64
	bytes int64
	by    map[message.ID]*list.Element
	order *list.List // newest first
}

type held struct {
	id    message.ID
	value message.Value
	bytes int64
}

func newLately(limit int64) *lately {
	return &lately{max: limit, by: map[message.ID]*list.Element{}, order: list.New()}
}

func (m *lately) get(id message.ID) (message.Value, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.by[id]
	if !ok {
		return nil, false
	}
	m.order.MoveToFront(e)
	return e.Value.(*held).value, true
}

// put holds a value; one that would push out most others is not held.
func (m *lately) put(id message.ID, v message.Value) {
	limit := m.max / 8
	size := message.Footprint(v, limit)
	if size > limit {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.by[id]; ok {
		m.remove(e)
	}
	m.by[id] = m.order.PushFront(&held{id, v, size})
	m.bytes += size
	for m.bytes > m.max {
		m.remove(m.order.Back())
	}
}

func (m *lately) drop(id message.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.by[id]; ok {
		m.remove(e)
	}
}

func (m *lately) remove(e *list.Element) {
	h := m.order.Remove(e).(*held)
	delete(m.by, h.id)
	m.bytes -= h.bytes
}

// known remembers rows that are on disk, so that a write need not look for what it shares with others. It is two generations of
// a set: the order of a least recently used one at no cost.
type known struct {
	mu         sync.Mutex
	young, old map[string]bool
}

const knownMax = 1 << 15 // rows in a generation

func newKnown() *known { return &known{young: map[string]bool{}} }

func (k *known) has(key []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.young[string(key)] {
		return true
	}
	if k.old[string(key)] {
		k.put(string(key))
		return true
	}
	return false
}

// add remembers records, pieces and data; other rows may change.
func (k *known) add(rows map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key := range rows {
		switch key[1] {
		case rowRecord, rowPiece, rowData:
			k.put(key)
		}
	}
}

func (k *known) put(key string) {
	if len(k.young) >= knownMax {
		k.old, k.young = k.young, make(map[string]bool, knownMax)
	}
	k.young[key] = true
}
