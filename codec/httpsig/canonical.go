package httpsig

import (
	"slices"
	"strings"

	"ago/message"
)

// canonical lays out what a commitment covers of a message: the keys given, all if nil, with nested messages linked or in
// place.
func canonical(m message.Message, keys []string, n message.Nesting) message.Laid {
	var fs []message.Field
	for key, v := range m.All() {
		if key != message.KeyCommitments && (keys == nil || slices.Contains(keys, key)) {
			fs = append(fs, message.Field{Key: key, Value: v})
		}
	}
	return annotate(message.New(fs...), n).Lay(nil)
}

// annotate is the annotated form. In place, every nested message that nobody committed to gets its unsigned commitment, so that
// who reads it need not compute its id.
func annotate(m message.Message, n message.Nesting) message.Message {
	if n == message.Linked {
		return m.Annotate(message.Linked)
	}
	for key, v := range m.All() {
		if key != message.KeyCommitments {
			if filled, changed := withUnsigned(v); changed {
				m = replaced(m, key, filled)
			}
		}
	}
	return m.Annotate(message.Nested)
}

// replaced sets a value that says the same as before, so that commitments stay.
func replaced(m message.Message, key string, v message.Value) message.Message {
	var fs []message.Field
	for k, old := range m.All() {
		if k == key {
			old = v
		}
		fs = append(fs, message.Field{Key: k, Value: old})
	}
	return message.New(fs...)
}

func withUnsigned(v message.Value) (message.Value, bool) {
	switch v := v.(type) {
	case message.List:
		var out message.List
		for i, e := range v {
			if filled, changed := withUnsigned(e); changed {
				if out == nil {
					out = slices.Clone(v)
				}
				out[i] = filled
			}
		}
		return out, out != nil
	case message.Message:
		if v.Len() == 0 {
			return v, false
		}
		out, changed := v, false
		for key, e := range v.All() {
			if key == message.KeyCommitments {
				continue
			}
			if filled, inner := withUnsigned(e); inner {
				out, changed = replaced(out, key, filled), true
			}
		}
		if v.Commitments().Len() > 0 {
			return out, changed
		}
		id := v.UnsignedID()
		return replacedOrAdded(out, message.New(message.Field{Key: id.String(), Value: unsignedEntry(id, linkedKeys(v), message.Linked)})), true
	}
	return v, false
}

func replacedOrAdded(m, commitments message.Message) message.Message {
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
	fs := []message.Field{text(keyDevice, Codec), text(keyType, kind), text(keyKeyID, keyID), text(keySignature, signature), {Key: keyCommitted, Value: list}}
	if committer != "" {
		fs = append(fs, text(keyCommitter, committer))
	}
	if n == message.Nested {
		fs = append(fs, text(keyBundle, "true"))
	}
	return message.New(fs...)
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
	place := func(name string) int {
		key := unescapeID(name)
		if i := slices.Index(committed, key); i >= 0 {
			return i
		}
		if link, ok := message.LinkKey(key); ok {
			return slices.Index(committed, link)
		}
		return slices.IndexFunc(committed, func(k string) bool { return slices.Contains(laid.BodyKeys, k) })
	}
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
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
