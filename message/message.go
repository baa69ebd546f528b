// Package message is the noun everything is made of: an immutable map of typed values with an id and the bytes it arrived in.
//
// A codec turns bytes into a Message and keeps both the bytes and its own decoded form with it, so that what was signed
// can be verified and sent on unchanged. Nothing behind the codecs depends on the encoding a message came in.
package message

import (
	"iter"
	"math"
	"slices"
	"strings"
	"sync/atomic"
)

// Value is one of Bytes, Int, BigInt, Float, Atom, List, Message, Link.
type Value interface{ value() }

type (
	Bytes string // binary or text; immutable
	Int   int64  // whole number
	// BigInt is a whole number that an Int cannot hold, in decimal as Whole writes it: amounts of tokens reach such sizes.
	BigInt string
	Float  float64 // any other number
	Atom   string  // a symbol: true, false, null, ok
	List   []Value // must not be changed once it is in a message
	Link   struct {
		To   ID     // the message or bytes meant
		Type string // type of the target when it is not a message, "" otherwise
	}
)

func (Bytes) value()   {}
func (Int) value()     {}
func (BigInt) value()  {}
func (Float) value()   {}
func (Atom) value()    {}
func (List) value()    {}
func (Link) value()    {}
func (Message) value() {}

// Field is one key with its value.
type Field struct {
	Key   string
	Value Value
}

// Message is immutable; the zero Message is empty and without id. Copies share everything, and a message made from another by
// With or Without shares what did not change: setting a key costs the logarithm of the number of keys. The unsigned id covers
// all keys, so that of a changed message reads each of them once more; messages nested in it keep the ids they have, so a
// state that is nested costs only what lies on the path of the change.
type Message struct {
	fields []Field // sorted by key, no duplicates; nil if there is a root
	root   *node   // of the fields, if they are more than nodeMax
	origin *origin
	memo   *memo // of the fields; nil in the zero message
}

// memo keeps what is expensive to derive from the fields.
type memo struct{ unsigned atomic.Pointer[ID] }

// origin is what a codec leaves with the messages it decodes.
type origin struct {
	id      ID
	codec   string
	raw     []byte
	decoded any
}

// New makes a message of the fields; of fields with one key the last counts.
func New(fields ...Field) Message { return ordered(sorted(slices.Clone(fields))) }

// Of is New of fields that are the message's own from then on.
func Of(fields []Field) Message { return ordered(sorted(fields)) }

// sorted puts fields in order, in place; of those with one key the last stays.
func sorted(fs []Field) []Field {
	if slices.IsSortedFunc(fs, notAfter) {
		return fs
	}
	slices.SortStableFunc(fs, func(a, b Field) int { return strings.Compare(a.Key, b.Key) })
	out := fs[:0]
	for i, f := range fs {
		if i+1 < len(fs) && fs[i+1].Key == f.Key {
			continue
		}
		out = append(out, f)
	}
	return slices.Clip(out)
}

// notAfter compares so that fields count as sorted only if no key comes twice.
func notAfter(a, b Field) int {
	if a.Key > b.Key {
		return 1
	}
	return -1
}

// ordered makes a message of fields in order, which it keeps.
func ordered(fs []Field) Message {
	if len(fs) > nodeMax {
		return Message{root: grow(fs), memo: &memo{}}
	}
	return Message{fields: fs, memo: &memo{}}
}

// Decoded gives the message as a codec hands it out: with its id, the codec's name, the bytes it came in and the codec's
// own form of it. The bytes and the form must not change afterwards.
func (m Message) Decoded(id ID, codec string, raw []byte, form any) Message {
	m.origin = &origin{id: id, codec: codec, raw: raw, decoded: form}
	return m
}

// Same tells whether two are one message of one origin, without looking at what they say. Two that say the same need not be.
func (m Message) Same(other Message) bool {
	return m.origin == other.origin && m.root == other.root && len(m.fields) == len(other.fields) &&
		(len(m.fields) == 0 || &m.fields[0] == &other.fields[0])
}

// ID is the id the message was committed under; zero for one that nobody has committed to.
func (m Message) ID() ID {
	if m.origin == nil {
		return ID{}
	}
	return m.origin.id
}

// Codec names the codec the message was decoded by; "" if it was made here.
func (m Message) Codec() string {
	if m.origin == nil {
		return ""
	}
	return m.origin.codec
}

// Raw is the bytes the message arrived in; nil if it was made here. They must not be changed.
func (m Message) Raw() []byte {
	if m.origin == nil {
		return nil
	}
	return m.origin.raw
}

// Form is the codec's own form of the message; nil if it was made here. Only that codec reads it.
func (m Message) Form() any {
	if m.origin == nil {
		return nil
	}
	return m.origin.decoded
}

// Len is the number of fields.
func (m Message) Len() int {
	if m.root != nil {
		return m.root.size
	}
	return len(m.fields)
}

// Get finds the value of a key.
func (m Message) Get(key string) (Value, bool) {
	if m.root != nil {
		return m.root.get(key)
	}
	if len(m.fields) <= fewFields {
		for i := range m.fields {
			if m.fields[i].Key == key {
				return m.fields[i].Value, true
			}
		}
		return nil, false
	}
	i, ok := search(m.fields, key)
	if !ok {
		return nil, false
	}
	return m.fields[i].Value, true
}

// fewFields are gone through from the first: their lengths mostly tell keys apart, sooner than their order does.
const fewFields = 16

// Text gives the value of a key that holds bytes or an atom, "" otherwise.
func (m Message) Text(key string) string {
	v, _ := m.Get(key)
	switch v := v.(type) {
	case Bytes:
		return string(v)
	case Atom:
		return string(v)
	}
	return ""
}

// With gives the message with one value set. What was committed no longer vouches for it, so id and bytes are left behind,
// and so are the commitments that cover the key.
func (m Message) With(key string, v Value) Message { return m.set(key, v).disowned(key) }

// WithAll is With for several values, one after the other.
func (m Message) WithAll(fields ...Field) Message {
	_, committed := m.Get(KeyCommitments)
	if m.root != nil || committed || slices.ContainsFunc(fields, func(f Field) bool { return f.Key == KeyCommitments }) {
		for _, f := range fields {
			m = m.With(f.Key, f.Value)
		}
		return m
	}
	fs := append(make([]Field, 0, len(m.fields)+len(fields)), m.fields...)
	for _, f := range fields {
		if i, ok := search(fs, f.Key); ok {
			fs[i] = f
		} else {
			fs = slices.Insert(fs, i, f)
		}
	}
	return ordered(fs)
}

// Without gives the message with one key removed, and what vouched for it left behind as by With.
func (m Message) Without(key string) Message {
	if _, ok := m.Get(key); !ok {
		return m
	}
	return m.drop(key).disowned(key)
}

// set gives the message with one value set, without id and bytes, and with all commitments.
func (m Message) set(key string, v Value) Message {
	if m.root == nil {
		fs := setIn(m.fields, key, v)
		if len(fs) <= nodeMax {
			return Message{fields: fs, memo: &memo{}}
		}
		return Message{root: grow(fs), memo: &memo{}}
	}
	l, r := m.root.set(key, v)
	if r != nil {
		l = branch([]*node{l, r})
	}
	return Message{root: l, memo: &memo{}}
}

// drop gives the message without a key, without id and bytes, and with all other keys.
func (m Message) drop(key string) Message {
	if m.root == nil {
		i, ok := search(m.fields, key)
		if !ok {
			return m
		}
		return Message{fields: withoutAt(m.fields, i), memo: &memo{}}
	}
	if _, ok := m.root.get(key); !ok {
		return m
	}
	n := m.root.without(key)
	for n.height > 0 && len(n.kids) == 1 {
		n = n.kids[0]
	}
	if n.size > nodeMax {
		return Message{root: n, memo: &memo{}}
	}
	return Message{fields: n.all(), memo: &memo{}}
}

// All goes through the fields in the order of their keys.
func (m Message) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		fs := m.fields
		var w *walk
		if m.root != nil {
			w = m.root.walk()
			fs = w.next()
		}
		for { // with one call of yield, so that the compiler makes a plain loop of it
			for _, f := range fs {
				if !yield(f.Key, f.Value) {
					return
				}
			}
			if w == nil {
				return
			}
			if fs = w.next(); fs == nil {
				return
			}
		}
	}
}

// Equal tells whether two values say the same, however they came and whoever committed to them. Floats are compared by their
// bits, so that a value equals itself. What two messages share is not looked at.
func Equal(a, b Value) bool {
	switch a := a.(type) {
	case Message:
		b, ok := b.(Message)
		return ok && a.equal(b)
	case List:
		b, ok := b.(List)
		return ok && slices.EqualFunc(a, b, Equal)
	case Float:
		b, ok := b.(Float)
		return ok && math.Float64bits(float64(a)) == math.Float64bits(float64(b))
	}
	return a == b
}

func (m Message) equal(o Message) bool {
	if m.shares(o) {
		return true
	}
	if m.root != nil || o.root != nil {
		return m.Len() == o.Len() && compare(m, o, func(f, g *Field) bool { return f != nil && g != nil && Equal(f.Value, g.Value) })
	}
	if len(m.fields) != len(o.fields) {
		return false
	}
	for i := range m.fields {
		x, y := &m.fields[i], &o.fields[i]
		if x.Key != y.Key || !Equal(x.Value, y.Value) {
			return false
		}
	}
	return true
}

// shares tells that two messages are made of the same memory, and therefore have the same fields.
func (m Message) shares(o Message) bool {
	return m.root == o.root && len(m.fields) == len(o.fields) && (len(m.fields) == 0 || &m.fields[0] == &o.fields[0])
}
