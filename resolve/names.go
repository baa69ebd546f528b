package resolve

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"sync"

	"ago/message"
)

// names remembers the hashpaths of small messages with small requests, so that what is asked again and again is not hashed
// again. The fingerprint only finds an entry: whether it is meant is seen by comparing. It is safe for concurrent use.
type names struct {
	seed maphash.Seed
	mu   sync.Mutex
	// Two generations are a least-recently-used order that costs nothing to keep.
	young, old map[uint64]namedQuestion
}

type namedQuestion struct {
	base, req message.Message
	name      string
}

const (
	namesHalf   = 2048 // entries of a generation
	nameBudget  = 2048 // bytes of a question that is remembered
	valueWeight = 16   // of a value beside its text
)

func newNames() *names {
	return &names{seed: maphash.MakeSeed(), young: map[uint64]namedQuestion{}}
}

// find gives the name of a question, and the fingerprint to remember it by: 0 for one that is too large.
func (n *names) find(base, req message.Message) (name string, print uint64) {
	var h maphash.Hash
	h.SetSeed(n.seed)
	if left := fingerprint(&h, base, fingerprint(&h, req, nameBudget)); left < 0 {
		return "", 0
	}
	print = h.Sum64() | 1
	n.mu.Lock()
	e, ok := n.young[print]
	if !ok {
		if e, ok = n.old[print]; ok {
			n.put(print, e)
		}
	}
	n.mu.Unlock()
	if ok && message.Equal(e.req, req) && message.Equal(e.base, base) {
		return e.name, print
	}
	return "", print
}

func (n *names) remember(print uint64, base, req message.Message, name string) {
	if print == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.put(print, namedQuestion{base, req, name})
}

func (n *names) put(print uint64, e namedQuestion) {
	if len(n.young) >= namesHalf {
		n.old, n.young = n.young, make(map[uint64]namedQuestion, namesHalf)
	}
	n.young[print] = e
}

// fingerprint writes a value into the hash and gives what is left of the budget; less than 0 is a value that is too large.
func fingerprint(h *maphash.Hash, v message.Value, left int) int {
	left -= valueWeight
	if left < 0 {
		return left
	}
	text := func(kind byte, s string) int {
		_ = h.WriteByte(kind)
		_, _ = h.WriteString(s)
		return left - len(s)
	}
	number := func(kind byte, n uint64) int {
		var b [9]byte
		b[0] = kind
		binary.LittleEndian.PutUint64(b[1:], n)
		_, _ = h.Write(b[:])
		return left
	}
	switch v := v.(type) {
	case message.Bytes:
		return text('b', string(v))
	case message.Atom:
		return text('a', string(v))
	case message.BigInt:
		return text('n', string(v))
	case message.Int:
		return number('i', uint64(v))
	case message.Float:
		return number('f', math.Float64bits(float64(v)))
	case message.Link:
		return text('l', string(v.To[:])+v.Type)
	case message.List:
		left = number('L', uint64(len(v)))
		for _, member := range v {
			if left = fingerprint(h, member, left); left < 0 {
				return left
			}
		}
	case message.Message:
		left = number('M', uint64(v.Len()))
		for key, member := range v.All() {
			text('k', key)
			if left = fingerprint(h, member, left-len(key)); left < 0 {
				return left
			}
		}
	}
	return left
}
