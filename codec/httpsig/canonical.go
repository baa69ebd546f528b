package httpsig

import (
	"slices"
	"strings"

	"ago/message"
)

// canonical lays out what a commitment covers of a message: the keys given, all if nil, with nested messages linked or in
// place.
func canonical(m message.Message, keys []string, n message.Nesting) message.Laid {
	if keys == nil {
		m = m.Without(message.KeyCommitments)
	} else {
		m = onlyKeys(m, keys)
	}
	return annotate(m, n).Lay(nil)
}

// oneOf tells whether a key is among these, which mostly are in order.
func oneOf(keys []string) func(string) bool {
	if slices.IsSorted(keys) {
		return func(key string) bool {
			_, ok := slices.BinarySearch(keys, key)
			return ok
		}
	}
	set := setOf(keys)
	return func(key string) bool { return set[key] }
}

func setOf(keys []string) map[string]bool {
	set := make(map[string]bool, len(keys))
	for _, k := range keys {
		set[k] = true
	}
	return set
}

// annotate is the annotated form. In place, every nested message that nobody committed to gets its unsigned commitment, so that
// who reads it need not compute its id.
func annotate(m message.Message, n message.Nesting) message.Message {
	if n == message.Linked {
		return m.Annotate(message.Linked)
	}
	m, _ = eachNested(m, withUnsigned)
	return m.Annotate(message.Nested)
}

// eachNested gives the message with every message in it, in lists too but not in those messages, replaced by what change makes
// of it. Commitments are left alone, those of the message as well: what is replaced says the same as before.
func eachNested(m message.Message, change func(message.Message) (message.Message, bool)) (message.Message, bool) {
	var fs []message.Field // from the first that changes
	n := 0
	for key, v := range m.All() {
		if key != message.KeyCommitments {
			out, changed := changeValue(v, change)
			if changed && fs == nil {
				fs = make([]message.Field, 0, m.Len())
				for key, v := range m.All() {
					if len(fs) == n {
						break
					}
					fs = append(fs, message.Field{Key: key, Value: v})
				}
			}
			v = out
		}
		if fs != nil {
			fs = append(fs, message.Field{Key: key, Value: v})
		}
		n++
	}
	if fs == nil {
		return m, false
	}
	return message.Of(fs), true
}

func changeValue(v message.Value, change func(message.Message) (message.Message, bool)) (message.Value, bool) {
	switch v := v.(type) {
	case message.Message:
		return change(v)
	case message.List:
		var out message.List
		for i, e := range v {
			inner, changed := changeValue(e, change)
			if changed && out == nil {
				out = slices.Clone(v)
			}
			if changed {
				out[i] = inner
			}
		}
		if out != nil {
			return out, true
		}
	}
	return v, false
}

func withUnsigned(m message.Message) (message.Message, bool) {
	if m.Len() == 0 {
		return m, false
	}
	if out, ok := folded(m); ok {
		return out, true
	}
	out, changed := eachNested(m, withUnsigned)
	if m.Commitments().Len() > 0 {
		return out, changed
	}
	id := m.UnsignedID()
	return committedAs(out, message.New(message.Field{Key: id.String(), Value: unsignedEntry(id, linkedKeys(m), message.Linked)})), true
}

// committedAs gives the message with these commitments and no others.
func committedAs(m, commitments message.Message) message.Message {
	if commitments.Len() == 0 {
		return m.Without(message.KeyCommitments)
	}
	return m.With(message.KeyCommitments, commitments)
}

// linkedKeys lists the keys of the linked form: what an unsigned commitment covers.
func linkedKeys(m message.Message) []string {
	var keys []string
	for key := range m.Without(message.KeyCommitments).Annotate(message.Linked).All() {
		if name, ok := message.LinkKey(key); ok {
			key = name
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func unsignedEntry(id message.ID, keys []string, n message.Nesting) message.Message {
	return entryOf(AlgorithmHMAC, message.KeyIDConstant, "", id.String(), keys, n)
}

func entryOf(kind, keyID, committer, signature string, keys []string, n message.Nesting) message.Message {
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	list := make(message.List, len(keys))
	for i, k := range keys {
		list[i] = message.Bytes(k)
	}
	const most = 8
	fs := append(make([]message.Field, 0, most), text(keyDevice, Codec), text(keyType, kind), text(keyKeyID, keyID), text(keySignature, signature), message.Field{Key: keyCommitted, Value: list})
	if committer != "" {
		fs = append(fs, text(keyCommitter, committer))
	}
	if n == message.Nested {
		fs = append(fs, text(keyBundle, "true"))
	}
	return message.Of(fs)
}

// committedKeys reads the list of an entry.
func committedKeys(entry message.Message) []string {
	v, _ := entry.Get(keyCommitted)
	l, _ := v.(message.List)
	keys := make([]string, 0, len(l))
	for _, k := range l {
		if text, ok := k.(message.Bytes); ok {
			keys = append(keys, string(text))
		}
	}
	return keys
}

// nestingOf tells how nested messages were committed.
func nestingOf(entry message.Message) message.Nesting {
	if entry.Text(keyBundle) == "true" {
		return message.Nested
	}
	return message.Linked
}

// sortedMax is the number of components up to which their order is that of their names: beyond it, nodes that we work with list
// them in an order of their own, which the list of committed keys tells.
const sortedMax = 32

// componentsOf lists the components of an entry, without @: those of the layout, in its order, or in that of the entry if there
// are many or asOfEntry says so, which matters to what puts a data item together again.
func componentsOf(laid message.Laid, committed []string, asOfEntry bool) []string {
	names := make([]string, len(laid.Headers))
	for i, h := range laid.Headers {
		names[i] = h.Name
	}
	if len(names) <= sortedMax && !asOfEntry {
		return names
	}
	at := make(map[string]int, len(committed))
	for i, key := range committed {
		at[key] = i
	}
	body := setOf(laid.BodyKeys)
	bodyAt := slices.IndexFunc(committed, func(k string) bool { return body[k] })
	place := make(map[string]int, len(names))
	for _, name := range names {
		key := unescapeID(name)
		if link, ok := message.LinkKey(key); ok {
			key = link
		}
		i, listed := at[key]
		if !listed {
			i = bodyAt
		}
		place[name] = i
	}
	slices.SortStableFunc(names, func(a, b string) int { return place[a] - place[b] })
	return names
}

// baseParams are the parameters that a signature base of the second generation has, in order.
var baseParams = []string{"alg", keyBundle, "created", "expires", keyKeyID, "nonce", "tag"}

// baseOf writes the base of the second generation over components without @.
func baseOf(entry message.Message, components []string, value func(string) (string, bool)) (string, bool) {
	var params []message.Param
	for _, name := range baseParams {
		if name == "alg" {
			params = append(params, message.Param{Name: name, Value: message.Bytes(entry.Text(keyType))})
		} else if v, ok := entry.Get(name); ok {
			params = append(params, message.Param{Name: name, Value: v})
		}
	}
	listed := make([]string, len(components))
	for i, c := range components {
		listed[i] = message.Component(strings.TrimPrefix(c, "@"))
	}
	return message.SignatureBase(listed, params, value)
}
