package message

import (
	"fmt"
	"slices"
)

// Loader finds what a link stands for: a Message or a List, or the bytes of a link whose type says so.
type Loader func(Link) (Value, error)

// LoadsMax bounds how many links Bundle follows: what a stranger linked is not to fill the memory.
const LoadsMax = 1 << 16

// ID is what a link to the list carries: the id of the numbered map that it is written as.
func (l List) ID() ID { return lay(l.numbered(Linked), nil).unsignedID() }

// Load gives the value of a key, that of a link by way of the loader. Without the key it is not ok.
func (m Message) Load(key string, load Loader) (v Value, ok bool, err error) {
	v, ok = m.Get(key)
	if l, is := v.(Link); is {
		v, err = load(l)
	}
	return v, ok && err == nil, err
}

// Find gives the value under a path, whose keys but the last hold messages, lists (by number, the first member is 1) or links
// to such. The empty path is the message itself.
func (m Message) Find(path []string, load Loader) (v Value, ok bool, err error) {
	v = m
	for _, key := range path {
		switch in := v.(type) {
		case Message:
			v, ok = in.Get(key)
		case List:
			n, is := Whole(key)
			i, small := n.(Int)
			if ok = is && small && i >= 1 && int64(i) <= int64(len(in)); ok {
				v = in[i-1]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, false, nil
		}
		if l, is := v.(Link); is {
			if v, err = load(l); err != nil {
				return nil, false, err
			}
		}
	}
	return v, true, nil
}

// Linkify puts a link in the place of every message and list in m, except commitments and what is private, and gives each to
// offload with its id, the inner ones first and already linked. With nil they are discarded. The ids of m stay as they are, and
// so do its commitments and original bytes. An error of offload ends it and is given back.
func (m Message) Linkify(offload func(ID, Value) error) (Message, error) {
	v, err := linkified(m, offload, 0)
	out, _ := v.(Message)
	return out, err
}

// linkified links what is in a message or list.
func linkified(v Value, offload func(ID, Value) error, depth int) (Value, error) {
	if depth > DepthMax {
		return nil, errDeep
	}
	link := func(inner Value) (Value, error) {
		var l Link
		switch old := inner.(type) {
		case Message:
			l.To = old.SignedID()
		case List:
			l.Type = TypeList
		default:
			return inner, nil
		}
		now, err := linkified(inner, offload, depth+1)
		if err != nil {
			return nil, err
		}
		if list, ok := now.(List); ok {
			l.To = list.ID() // of links, so that no level is hashed twice
		}
		if offload != nil {
			err = offload(l.To, now)
		}
		return l, err
	}
	switch v := v.(type) {
	case List:
		return v.mapped(link)
	case Message:
		out, err := v.mapped(func(key string, inner Value) (Value, error) {
			if key == KeyCommitments || IsPrivate(key) {
				return inner, nil
			}
			return link(inner)
		})
		out.origin, out.memo = v.origin, v.memo // ids are those of the linked form
		return out, err
	}
	return v, nil
}

// Bundle nests what the links in m stand for, and what is linked in that, in the place of the links. Ids, commitments and
// original bytes stay, and so does what is private. What the loader gives for an id is believed: a loader that asks others
// checks the id. It fails with the loader's errors, and with ErrLimit for what is nested deeper than DepthMax and for more
// links than LoadsMax.
func (m Message) Bundle(load Loader) (Message, error) {
	b := bundler{load: load}
	v, err := b.nested(m, 0)
	out, _ := v.(Message)
	return out, err
}

type bundler struct {
	load  Loader
	loads int
}

func (b *bundler) nested(v Value, depth int) (Value, error) {
	if depth > DepthMax {
		return nil, errDeep
	}
	switch v := v.(type) {
	case Link:
		if b.loads++; b.loads > LoadsMax {
			return nil, fmt.Errorf("%w: at most %d links are followed", ErrLimit, LoadsMax)
		}
		to, err := b.load(v)
		if _, again := to.(Link); err != nil || again {
			if err == nil {
				err = fmt.Errorf("what link %s stands for is a link", v.To)
			}
			return nil, err
		}
		return b.nested(to, depth)
	case List:
		return v.mapped(func(inner Value) (Value, error) { return b.nested(inner, depth+1) })
	case Message:
		out, err := v.mapped(func(key string, inner Value) (Value, error) {
			if key == KeyCommitments || IsPrivate(key) {
				return inner, nil
			}
			return b.nested(inner, depth+1)
		})
		out.origin = v.origin
		return out, err
	}
	return v, nil
}

// mapped gives the list with every member replaced, itself if none changed.
func (l List) mapped(f func(Value) (Value, error)) (Value, error) {
	out, changed := l, false
	for i, v := range l {
		now, err := f(v)
		if err != nil {
			return nil, err
		}
		if !unchanged(v, now) {
			if !changed {
				out, changed = slices.Clone(l), true
			}
			out[i] = now
		}
	}
	return out, nil
}

// mapped gives the message with every value replaced, itself if none changed.
func (m Message) mapped(f func(string, Value) (Value, error)) (Message, error) {
	var out []Field
	i := 0
	for key, v := range m.All() {
		now, err := f(key, v)
		if err != nil {
			return Message{}, err
		}
		if out == nil && !unchanged(v, now) {
			out = make([]Field, 0, m.Len())
			for k, w := range m.All() {
				out = append(out, Field{k, w})
			}
		}
		if out != nil {
			out[i].Value = now
		}
		i++
	}
	if out == nil {
		return m, nil
	}
	return ordered(out), nil
}

// unchanged tells that a value is the one it was, without looking into it.
func unchanged(v, w Value) bool {
	switch v := v.(type) {
	case Message:
		w, ok := w.(Message)
		return ok && v.origin == w.origin && v.shares(w)
	case List:
		w, ok := w.(List)
		return ok && len(v) == len(w) && (len(v) == 0 || &v[0] == &w[0])
	case Float:
		return true // is no link and holds none
	}
	return v == w
}
