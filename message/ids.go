package message

import (
	"fmt"
	"slices"
	"strings"
)

// Keys of a commitment.
const (
	keyCommitter = "committer"
	keyDevice    = "commitment-device"
	keyCommitted = "committed"
	deviceHTTP   = "httpsig@1.0"
)

// UnsignedID names the content whoever committed to it: what commitments without a committer say, and otherwise the MAC of the
// canonical form of all keys. It is computed once.
func (m Message) UnsignedID() ID {
	if ids := m.anonymous(); len(ids) > 0 {
		return SumIDs(ids)
	}
	if m.memo == nil {
		return m.contentID()
	}
	if id := m.memo.unsigned.Load(); id != nil {
		return *id
	}
	id := m.contentID()
	m.memo.unsigned.Store(&id)
	return id
}

// SignedID names the message with all who committed to it; for a message without committers it is the unsigned id. Links
// carry it.
func (m Message) SignedID() ID {
	if ids := m.committedBy(nil); len(ids) > 0 {
		return SumIDs(ids)
	}
	if id := m.ID(); !id.IsZero() {
		return id
	}
	return m.UnsignedID()
}

// IDBy names the message with the commitments of these committers, by address. It fails if one of them did not commit.
func (m Message) IDBy(committers ...string) (ID, error) {
	for _, c := range committers {
		if len(m.committedBy([]string{c})) == 0 {
			return ID{}, fmt.Errorf("%s has not committed to the message", c)
		}
	}
	if len(committers) == 0 {
		return m.UnsignedID(), nil
	}
	return SumIDs(m.committedBy(committers)), nil
}

// Commitments are the commitments that came with the message, by id.
func (m Message) Commitments() Message {
	v, _ := m.Get(KeyCommitments)
	c, _ := v.(Message)
	return c
}

// Committers lists who committed, each once, in order of the ids of their commitments.
func (m Message) Committers() []string {
	var out []string
	for _, v := range m.Commitments().All() {
		c, _ := v.(Message)
		if who := c.Text(keyCommitter); who != "" && !slices.Contains(out, who) {
			out = append(out, who)
		}
	}
	return out
}

// Committed lists the keys that every commitment of the message covers, in order; none without commitments. The types that a
// commitment covers are a key too, ao-types.
func (m Message) Committed() []string {
	var keys []string
	first := true
	for _, v := range m.Commitments().All() {
		c, _ := v.(Message)
		list, _ := c.Get(keyCommitted)
		l, _ := list.(List)
		covered := make(map[string]bool, len(l))
		for _, k := range l {
			if text, ok := k.(Bytes); ok {
				covered[string(text)] = true
			}
		}
		if first {
			for key := range covered { // sorted below
				keys = append(keys, key)
			}
			first = false
		}
		keys = slices.DeleteFunc(keys, func(k string) bool { return !covered[k] })
	}
	slices.Sort(keys)
	return keys
}

// OnlyCommitted gives the message with only the keys that every commitment covers, and the commitments: what was added on the
// way is gone. A message without commitments stays as it is. Whether the commitments hold is for others to say.
func (m Message) OnlyCommitted() Message {
	if m.Commitments().Len() == 0 {
		return m
	}
	keys := m.Committed()
	fs := make([]Field, 0, len(keys)+1)
	for key, v := range m.All() {
		if _, ok := slices.BinarySearch(keys, key); ok || key == KeyCommitments {
			fs = append(fs, Field{key, v})
		}
	}
	if len(fs) == m.Len() {
		return m
	}
	return New(fs...)
}

// content is the message without what others say of it.
func (m Message) content() Message { return m.drop(KeyCommitments) }

func (m Message) contentID() ID { return lay(m.content().annotated(Linked), nil).unsignedID() }

// committedBy gives the ids of the commitments of these committers, of all that have one if none are given.
func (m Message) committedBy(committers []string) []ID {
	return m.commitmentIDs(func(c Message) bool {
		who := c.Text(keyCommitter)
		return who != "" && (len(committers) == 0 || slices.Contains(committers, who))
	})
}

// anonymous gives the ids of HTTP commitments that have no committer.
func (m Message) anonymous() []ID {
	return m.commitmentIDs(func(c Message) bool { return c.Text(keyDevice) == deviceHTTP && c.Text(keyCommitter) == "" })
}

func (m Message) commitmentIDs(wanted func(Message) bool) []ID {
	var ids []ID
	for key, v := range m.Commitments().All() {
		c, ok := v.(Message)
		if !ok || !wanted(c) {
			continue
		}
		if id, err := ParseID(key); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// disowned drops the commitments that cover a key which changed, and those that do not say what they cover.
func (m Message) disowned(key string) Message {
	if key == KeyCommitments || IsPrivate(key) {
		return m
	}
	v, ok := m.Get(KeyCommitments)
	if !ok {
		return m
	}
	all, _ := v.(Message)
	kept := all
	for id, v := range all.All() {
		if c, _ := v.(Message); covers(c, key) {
			kept = kept.drop(id)
		}
	}
	switch kept.Len() {
	case 0:
		return m.drop(KeyCommitments)
	case all.Len():
		return m
	}
	return m.set(KeyCommitments, kept)
}

// covers tells whether a commitment vouches for a key: it lists the key, or does not say what it covers.
func covers(commitment Message, key string) bool {
	list, _ := commitment.Get(keyCommitted)
	keys, _ := list.(List)
	return len(keys) == 0 || slices.Contains(keys, Value(Bytes(key)))
}

// SumIDs combines several ids so that their order does not matter: their sum as 256-bit numbers.
func SumIDs(ids []ID) ID {
	var sum ID
	for _, id := range ids {
		carry := 0
		for i := len(sum) - 1; i >= 0; i-- {
			carry += int(sum[i]) + int(id[i])
			sum[i] = byte(carry)
			carry >>= 8
		}
	}
	return sum
}

// JoinIDs combines several ids as nodes of the first generation do: the hash of their sorted texts. One id stays itself.
func JoinIDs(ids []ID) ID {
	if len(ids) == 1 {
		return ids[0]
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	slices.Sort(texts)
	return HashOf([]byte(strings.Join(texts, ", ")))
}
