package content

import (
	"slices"
	"strings"

	"ago/message"
)

// version is what some of the commitments of a message say: the keys that they cover, and the commitments to no others.
type version struct {
	m      message.Message
	id     message.ID   // that links carry
	others []message.ID // under which it is found too
}

// versions gives what of a message is kept. If its commitments cover the same keys, that is one version. Otherwise each set of
// keys is one, so that nothing is found under the id of a commitment but what it vouches for; and if none of them has the id of
// the message, what is covered by any commitment is one more.
func versions(m message.Message) []version {
	all := m.Commitments()
	if all.Len() == 0 {
		return []version{single(m)}
	}
	type covering struct {
		id      string
		keys    []string
		entry   message.Value
		without bool // a committer
	}
	var entries []covering
	var sets [][]string
	var union []string
	for id, v := range all.All() {
		e, _ := v.(message.Message)
		keys := covered(e)
		entries = append(entries, covering{id, keys, v, e.Text("committer") == ""})
		if !slices.ContainsFunc(sets, func(s []string) bool { return slices.Equal(s, keys) }) {
			sets = append(sets, keys)
		}
		union = append(union, keys...)
	}
	slices.Sort(union)
	union = slices.Compact(union)
	slices.SortFunc(sets, slices.Compare)
	saying := func(keys []string) (v version) {
		commitments := message.New()
		clean := true
		for _, e := range entries {
			if !within(e.keys, keys) {
				continue
			}
			commitments = commitments.With(e.id, e.entry)
			exact := slices.Equal(e.keys, keys)
			if id, err := message.ParseID(e.id); err == nil && exact {
				v.others = append(v.others, id)
			}
			clean = clean && (exact || !e.without)
		}
		v.m = restricted(m, keys, commitments)
		if v.id = v.m.SignedID(); clean {
			v.others = append(v.others, v.m.UnsignedID())
		}
		v.others = slices.DeleteFunc(v.others, func(id message.ID) bool { return id == v.id })
		return v
	}
	var out []version
	named := false
	for _, keys := range sets {
		v := saying(keys)
		named = named || v.id == m.SignedID()
		out = append(out, v)
	}
	if !named {
		v := saying(union)
		v.others = nil
		out = append(out, v)
	}
	return out
}

// single is the version of a message without commitments; it may have an id from the bytes that it came in.
func single(m message.Message) version {
	v := version{m: m, id: m.SignedID()}
	if u := m.UnsignedID(); u != v.id {
		v.others = []message.ID{u}
	}
	return v
}

// covered lists the keys that a commitment covers, in order.
func covered(entry message.Message) []string {
	v, _ := entry.Get("committed")
	list, _ := v.(message.List)
	keys := make([]string, 0, len(list))
	for _, k := range list {
		if text, ok := k.(message.Bytes); ok && !strings.EqualFold(string(text), message.KeyTypes) {
			keys = append(keys, string(text))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// within tells whether all keys are in a list, both being in order.
func within(keys, in []string) bool {
	for _, k := range keys {
		if _, ok := slices.BinarySearch(in, k); !ok {
			return false
		}
	}
	return true
}

// restricted gives a message with these keys and commitments alone.
func restricted(m message.Message, keys []string, commitments message.Message) message.Message {
	fs := make([]message.Field, 0, len(keys)+1)
	for key, v := range m.All() {
		if _, ok := slices.BinarySearch(keys, key); ok && key != message.KeyCommitments {
			fs = append(fs, message.Field{Key: key, Value: v})
		}
	}
	return message.New(append(fs, message.Field{Key: message.KeyCommitments, Value: commitments})...)
}
