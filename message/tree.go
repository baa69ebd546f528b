package message

import (
	"slices"
	"strings"
)

// A message of up to nodeMax fields is one slice in the order of its keys. One with more is a tree, so that setting a key copies
// the nodes on one path and shares the rest with the message it was made from. Invariants:
//   - fields stand in leaves only, in order; all leaves have the same depth;
//   - a leaf and a branch have 1 to nodeMax entries, a branch at the top at least 2;
//   - keys[i] is the first key under kids[i];
//   - a node never changes once it is part of a message.
//
// The shape follows from how a message came about and never shows: iteration, equality and ids see fields only.
const nodeMax = 32

// nodeFill is how many entries a node gets that is made with many others: room to grow without splitting at once.
const nodeFill = 24

// heightMax is enough for all fields that fit into memory: neighbours that fit into one node are joined, so a level has at
// least a quarter of nodeMax entries to a node.
const heightMax = 20

type node struct {
	fields []Field // of a leaf
	kids   []*node // of a branch
	keys   []string
	size   int // fields below
	height int // 0 for a leaf
}

// search finds the place of a key, or where it would go.
func search(fs []Field, key string) (int, bool) {
	lo, hi := 0, len(fs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := strings.Compare(fs[mid].Key, key); {
		case c == 0:
			return mid, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// under finds the kid that a key belongs to.
func (n *node) under(key string) int {
	i, ok := slices.BinarySearch(n.keys, key)
	if !ok && i > 0 {
		i--
	}
	return i
}

func leaf(fs []Field) *node { return &node{fields: fs, size: len(fs)} }

func branch(kids []*node) *node {
	n := &node{kids: kids, keys: make([]string, len(kids)), height: kids[0].height + 1}
	for i, k := range kids {
		n.keys[i] = k.first()
		n.size += k.size
	}
	return n
}

func (n *node) first() string {
	if n.height == 0 {
		return n.fields[0].Key
	}
	return n.keys[0]
}

// entries counts what the limit of a node is on.
func (n *node) entries() int { return len(n.fields) + len(n.kids) }

// grow makes a tree of fields in order. Each leaf has memory of its own: one that outlives the others keeps nothing else.
func grow(fs []Field) *node {
	var level []*node
	for part := range evenly(fs) {
		level = append(level, leaf(slices.Clone(part)))
	}
	for len(level) > 1 {
		var up []*node
		for part := range evenly(level) {
			up = append(up, branch(slices.Clone(part)))
		}
		level = up
	}
	return level[0]
}

// evenly cuts a slice into parts of about nodeFill.
func evenly[T any](all []T) func(func([]T) bool) {
	return func(yield func([]T) bool) {
		parts := (len(all) + nodeFill - 1) / nodeFill
		for i := range parts {
			if !yield(all[len(all)*i/parts : len(all)*(i+1)/parts]) {
				return
			}
		}
	}
}

func (n *node) get(key string) (Value, bool) {
	for n.height > 0 {
		n = n.kids[n.under(key)]
	}
	i, ok := search(n.fields, key)
	if !ok {
		return nil, false
	}
	return n.fields[i].Value, true
}

// set gives the tree with one value set, in two halves if it became too wide.
func (n *node) set(key string, v Value) (left, right *node) {
	if n.height == 0 {
		fs := setIn(n.fields, key, v)
		if len(fs) <= nodeMax {
			return leaf(fs), nil
		}
		half := len(fs) / 2
		return leaf(slices.Clone(fs[:half])), leaf(slices.Clone(fs[half:]))
	}
	i := n.under(key)
	l, r := n.kids[i].set(key, v)
	kids := make([]*node, 0, len(n.kids)+1)
	kids = append(append(kids, n.kids[:i]...), l)
	if r != nil {
		kids = append(kids, r)
	}
	kids = append(kids, n.kids[i+1:]...)
	if len(kids) <= nodeMax {
		return branch(kids), nil
	}
	half := len(kids) / 2
	return branch(slices.Clone(kids[:half])), branch(slices.Clone(kids[half:]))
}

// without gives the tree without a key that it has; nil if nothing is left.
func (n *node) without(key string) *node {
	if n.height == 0 {
		i, _ := search(n.fields, key)
		if len(n.fields) == 1 {
			return nil
		}
		return leaf(withoutAt(n.fields, i))
	}
	i := n.under(key)
	kid := n.kids[i].without(key)
	kids := slices.Clone(n.kids)
	switch {
	case kid == nil:
		kids = slices.Delete(kids, i, i+1)
	default:
		kids[i] = kid
		kids = joined(kids, i)
	}
	if len(kids) == 0 {
		return nil
	}
	return branch(kids)
}

// joined puts a kid together with a neighbour if both fit into one node, so that removing makes trees small again.
func joined(kids []*node, i int) []*node {
	for _, at := range []int{i - 1, i} {
		if at < 0 || at+1 >= len(kids) || kids[at].entries()+kids[at+1].entries() > nodeMax {
			continue
		}
		a, b := kids[at], kids[at+1]
		if a.height == 0 {
			kids[at] = leaf(slices.Concat(a.fields, b.fields))
		} else {
			kids[at] = branch(slices.Concat(a.kids, b.kids))
		}
		return slices.Delete(kids, at+1, at+2)
	}
	return kids
}

// walk goes through the leaves of a tree.
type walk struct {
	path  [heightMax]step // from the top down
	depth int
}

type step struct {
	of   *node
	next int // kid
}

func (n *node) walk() *walk {
	w := &walk{depth: 1}
	w.path[0].of = n
	return w
}

// next gives the fields of the next leaf, nil after the last.
func (w *walk) next() []Field {
	for w.depth > 0 {
		s := &w.path[w.depth-1]
		switch {
		case s.of.height == 0:
			w.depth--
			return s.of.fields
		case s.next == len(s.of.kids):
			w.depth--
		default:
			s.next++
			w.path[w.depth] = step{of: s.of.kids[s.next-1]}
			w.depth++
		}
	}
	return nil
}

// all gives the fields of a tree, in order.
func (n *node) all() []Field {
	fs := make([]Field, 0, n.size)
	for w := n.walk(); ; {
		part := w.next()
		if part == nil {
			return fs
		}
		fs = append(fs, part...)
	}
}

// setIn gives the fields with one value set.
func setIn(fields []Field, key string, v Value) []Field {
	i, ok := search(fields, key)
	if ok {
		fs := slices.Clone(fields)
		fs[i].Value = v
		return fs
	}
	fs := make([]Field, 0, len(fields)+1)
	return append(append(append(fs, fields[:i]...), Field{key, v}), fields[i:]...)
}

func withoutAt(fields []Field, i int) []Field {
	fs := make([]Field, 0, len(fields)-1)
	return append(append(fs, fields[:i]...), fields[i+1:]...)
}

// cursor goes through the fields of a message. It stands on a field or on a node that is not opened yet, which a comparison
// passes over if the other message shares it.
type cursor struct {
	stack [heightMax]frame
	depth int
}

type frame struct {
	fields []Field
	kids   []*node
	at     int
}

func (c *cursor) start(m Message) {
	if m.root != nil {
		c.stack[0] = frame{kids: []*node{m.root}}
	} else {
		c.stack[0] = frame{fields: m.fields}
	}
	c.depth = 1
	c.settle()
}

// settle leaves what was gone through.
func (c *cursor) settle() {
	for c.depth > 0 {
		f := &c.stack[c.depth-1]
		if f.at < len(f.fields)+len(f.kids) {
			return
		}
		if c.depth--; c.depth > 0 {
			c.stack[c.depth-1].at++
		}
	}
}

func (c *cursor) done() bool { return c.depth == 0 }

// closed gives the node that the cursor stands on, nil on a field.
func (c *cursor) closed() *node {
	if f := &c.stack[c.depth-1]; f.kids != nil {
		return f.kids[f.at]
	}
	return nil
}

func (c *cursor) field() *Field {
	f := &c.stack[c.depth-1]
	return &f.fields[f.at]
}

func (c *cursor) next() {
	c.stack[c.depth-1].at++
	c.settle()
}

func (c *cursor) open() {
	n := c.closed()
	c.stack[c.depth] = frame{fields: n.fields, kids: n.kids}
	c.depth++
}

// compare goes through the fields of two messages in the order of their keys, those of one key together, and gives nil where one
// has nothing. What both share is passed over without a look, so that the cost follows what differs. It ends when yield says no.
func compare(a, b Message, yield func(f, g *Field) bool) bool {
	var ca, cb cursor
	ca.start(a)
	cb.start(b)
	for !ca.done() && !cb.done() {
		na, nb := ca.closed(), cb.closed()
		if na != nil && na == nb {
			ca.next()
			cb.next()
			continue
		}
		if na != nil || nb != nil { // of two, the higher is opened first
			if na != nil && (nb == nil || na.height >= nb.height) {
				ca.open()
			}
			if nb != nil && (na == nil || nb.height >= na.height) {
				cb.open()
			}
			continue
		}
		f, g := ca.field(), cb.field()
		switch c := strings.Compare(f.Key, g.Key); {
		case c < 0:
			g = nil
			ca.next()
		case c > 0:
			f = nil
			cb.next()
		default:
			ca.next()
			cb.next()
		}
		if !yield(f, g) {
			return false
		}
	}
	return ca.rest(func(f *Field) bool { return yield(f, nil) }) && cb.rest(func(g *Field) bool { return yield(nil, g) })
}

// rest gives the fields that are left.
func (c *cursor) rest(yield func(*Field) bool) bool {
	for !c.done() {
		if c.closed() != nil {
			c.open()
			continue
		}
		f := c.field()
		c.next()
		if !yield(f) {
			return false
		}
	}
	return true
}
