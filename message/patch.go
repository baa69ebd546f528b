package message

import (
	"bytes"
	"fmt"
)

// Change is one difference between two messages: under the path the value is put, or removed if it is nil. The empty path is
// the message itself. With Part set, only Cut members of a list, from the place At on (the first is 0), give way to those of
// Value, which is a List.
type Change struct {
	Path    []string
	Value   Value
	Part    bool
	At, Cut int
}

// Patch leads from one message to another: changes in the order of their paths.
type Patch []Change

// Diff gives what makes a to b. Nested messages are compared in turn; whatever a and b share is passed over, so that for a
// message made from another by With and Without the cost follows the change. The result is exact: applied to a, it gives a
// message with b's values, ids, commitments and original bytes.
func Diff(a, b Message) Patch {
	var p Patch
	p.diff(nil, a, b)
	return p
}

func (p *Patch) put(path []string, c Change) {
	c.Path = append(make([]string, 0, len(path)), path...)
	*p = append(*p, c)
}

func (p *Patch) diff(path []string, a, b Message) {
	if b.origin != nil { // what was decoded stays whole: a part of it would lose the bytes it came in
		if !identical(a, b) {
			p.put(path, Change{Value: b})
		}
		return
	}
	before := len(*p)
	if !a.shares(b) {
		compare(a, b, func(f, g *Field) bool {
			was, is := f != nil && f.Value != nil, g != nil && g.Value != nil
			switch {
			case was && is:
				p.value(append(path, g.Key), f.Value, g.Value)
			case was:
				p.put(append(path, f.Key), Change{})
			case is:
				p.put(append(path, g.Key), Change{Value: g.Value})
			}
			return true
		})
	}
	if a.origin != nil && len(*p) == before {
		p.put(path, Change{Value: b})
	}
}

func (p *Patch) value(path []string, v, w Value) {
	switch w := w.(type) {
	case Message:
		if v, ok := v.(Message); ok {
			p.diff(path, v, w)
			return
		}
	case List:
		if v, ok := v.(List); ok {
			p.list(path, v, w)
			return
		}
	}
	if !identical(v, w) {
		p.put(path, Change{Value: w})
	}
}

// list replaces what lies between the members that two lists begin and end with.
func (p *Patch) list(path []string, v, w List) {
	if len(v) == len(w) && (len(v) == 0 || &v[0] == &w[0]) {
		return
	}
	short := min(len(v), len(w))
	at := 0
	for at < short && identical(v[at], w[at]) {
		at++
	}
	if at == len(v) && at == len(w) {
		return
	}
	end := 0
	for end < short-at && identical(v[len(v)-1-end], w[len(w)-1-end]) {
		end++
	}
	if at+end == 0 {
		p.put(path, Change{Value: w})
		return
	}
	p.put(path, Change{Value: w[at : len(w)-end : len(w)-end], Part: true, At: at, Cut: len(v) - end - at})
}

// identical is Equal that also asks how messages came.
func identical(v, w Value) bool {
	switch v := v.(type) {
	case Message:
		w, ok := w.(Message)
		return ok && v.origin.same(w.origin) && (v.shares(w) || v.Len() == w.Len() && compare(v, w, func(f, g *Field) bool {
			return f != nil && g != nil && identical(f.Value, g.Value)
		}))
	case List:
		w, ok := w.(List)
		if !ok || len(v) != len(w) {
			return false
		}
		for i := range v {
			if !identical(v[i], w[i]) {
				return false
			}
		}
		return true
	}
	return Equal(v, w)
}

func (o *origin) same(p *origin) bool {
	return o == p || o != nil && p != nil && o.id == p.id && o.codec == p.codec && bytes.Equal(o.raw, p.raw)
}

// Apply gives the message that the patch leads to. It fails if the patch was made for another message, as far as that shows:
// something to change or to remove is not there.
func (m Message) Apply(p Patch) (Message, error) {
	for len(p) > 0 && len(p[0].Path) == 0 {
		whole, ok := p[0].Value.(Message)
		if !ok || p[0].Part {
			return Message{}, fmt.Errorf("a patch puts a %T in the place of a message", p[0].Value)
		}
		m, p = whole, p[1:]
	}
	return m.apply(p, 0)
}

// apply makes the changes of one message, whose path has that many keys.
func (m Message) apply(p Patch, depth int) (Message, error) {
	for len(p) > 0 {
		c := p[0]
		if len(c.Path) <= depth {
			return Message{}, fmt.Errorf("the changes of a patch are not in the order of their paths at %q", c.Path)
		}
		key := c.Path[depth]
		n := 1
		if len(c.Path) == depth+1 {
			old, ok := m.Get(key)
			v, err := c.after(old, ok)
			if err != nil {
				return Message{}, err
			}
			if v == nil {
				m = m.drop(key)
			} else {
				m = m.set(key, v)
			}
			p = p[n:]
			continue
		}
		for n < len(p) && len(p[n].Path) > depth+1 && p[n].Path[depth] == key {
			n++
		}
		v, _ := m.Get(key)
		inner, ok := v.(Message)
		if !ok {
			return Message{}, fmt.Errorf("a patch changes %q, where no message is", c.Path[:depth+1])
		}
		inner, err := inner.apply(p[:n], depth+1)
		if err != nil {
			return Message{}, err
		}
		m, p = m.set(key, inner), p[n:]
	}
	return m, nil
}

// after gives the value that a change leaves, nil for none.
func (c Change) after(old Value, ok bool) (Value, error) {
	if c.Part {
		was, isList := old.(List)
		put, fits := c.Value.(List)
		if !isList || !fits || c.At < 0 || c.Cut < 0 || c.At > len(was) || c.Cut > len(was)-c.At {
			return nil, fmt.Errorf("a patch changes a list at %q that is not there", c.Path)
		}
		out := make(List, 0, len(was)-c.Cut+len(put))
		return append(append(append(out, was[:c.At]...), put...), was[c.At+c.Cut:]...), nil
	}
	if c.Value == nil && !ok {
		return nil, fmt.Errorf("a patch removes %q, which is not there", c.Path)
	}
	return c.Value, nil
}
