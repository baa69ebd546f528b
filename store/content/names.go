package content

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// listedMax bounds the names that List gives.
const listedMax = 1 << 16

// matchMax is up to how many keys a message is found by them; a larger one is a table, and found by its ids and names.
const matchMax = 256

// matchedMax bounds the ids that Match gives.
const matchedMax = 1 << 16

// target gives the id that a path is linked to, or store.ErrNotFound.
func (c *Contents) target(path string) (message.ID, error) {
	b, err := c.tables.Get(nameRow(path))
	if err != nil {
		return message.ID{}, err
	}
	if len(b) != len(message.ID{}) {
		return message.ID{}, damaged(errors.New("it leads to no id"), "name %.100s", path)
	}
	return message.ID(b), nil
}

// Linked gives the id that a path, as it stands, was linked to. It fails with NotFound ("content-absent") for one that nobody
// linked, though something may be found under it by its keys.
func (c *Contents) Linked(_ context.Context, path string) (message.ID, error) {
	parts, err := split(path)
	if err != nil {
		return message.ID{}, err
	}
	id, err := c.target(strings.Join(parts, "/"))
	if errors.Is(err, store.ErrNotFound) {
		return id, absent(path)
	}
	return id, err
}

// Link makes a path another name of what is under an id, in place of what it named before. What is under the id need not be here
// yet. Ids name what they are the ids of: linking one to anything else fails with Conflict ("id-taken").
func (c *Contents) Link(ctx context.Context, path string, to message.ID) error {
	parts, err := split(path)
	if err != nil {
		return err
	}
	if id, is := idOf(parts); is && (len(parts) == 1 || parts[0] == dataPrefix) {
		if len(parts) == 1 && c.same(id, to) {
			return nil
		}
		return fault.New(fault.Conflict, "id-taken", "%.60s is an id and cannot be made one of something else", path).
			WithHint("link a name that is no id, or an id and a key")
	}
	b := &store.Batch{}
	b.Set(nameRow(strings.Join(parts, "/")), append([]byte(nil), to[:]...))
	return c.tables.Apply(b, true)
}

// same tells whether two ids are of one message.
func (c *Contents) same(a, b message.ID) bool { return c.canonical(a) == c.canonical(b) }

func (c *Contents) canonical(id message.ID) message.ID {
	if _, err := c.tables.Get(row(rowRecord, id)); err == nil {
		return id
	}
	b, err := c.tables.Get(row(rowAlias, id))
	if err != nil {
		return id
	}
	if to, _, err := readAlias(b); err == nil {
		return to
	}
	return id
}

// List gives the names one level below a path, in order: those that were linked, and the keys or places of the message or list
// that is there. It fails with TooLarge ("names-too-many").
func (c *Contents) List(ctx context.Context, path string) ([]string, error) {
	parts, err := split(path)
	if err != nil {
		return nil, err
	}
	names, err := c.linkedBelow(ctx, strings.Join(parts, "/")+"/")
	if err != nil {
		return nil, err
	}
	if s := c.sources[parts[0]]; s != nil {
		more, err := s.List(ctx, parts[1:])
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
		names = append(names, more...)
	}
	v, err := c.Read(ctx, path)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	switch v := v.(type) {
	case message.Message:
		for key := range v.All() {
			names = append(names, key)
		}
	case message.List:
		for i := range v {
			names = append(names, number(i+1))
		}
	}
	if len(names) > listedMax {
		return nil, fault.New(fault.TooLarge, "names-too-many", "there are more than %d names below %.100s", listedMax, path).
			WithHint("read one of them by its name")
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// linkedBelow gives the next parts of the names that begin with a prefix.
func (c *Contents) linkedBelow(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	lower := nameRow(prefix)
	upper := store.PrefixEnd(lower)
	for len(names) <= listedMax {
		next := ""
		for p, err := range c.tables.Scan(lower, upper, false) {
			if err != nil {
				return nil, err
			}
			next = string(p.Key[2+len(prefix):])
			break
		}
		if next == "" {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		part, _, deeper := strings.Cut(next, "/")
		names = append(names, part)
		if deeper { // over all that has this part
			lower = store.PrefixEnd(nameRow(prefix + part + "/"))
		} else {
			lower = append(nameRow(prefix+part), 0)
		}
	}
	return names, nil
}

// matchPrefix begins the rows of messages that have a text under a key.
func matchPrefix(key, text string) string {
	h := sha256.New()
	h.Write(binary.AppendUvarint(nil, uint64(len(key))))
	h.Write([]byte(key))
	h.Write([]byte(text))
	return string([]byte{store.TableContents, rowMatch}) + string(h.Sum(nil)[:16])
}

// Match gives the ids of messages here that have all these keys with these values, in order; none for no keys. Numbers and atoms
// match their texts, messages and lists by their ids. Messages of more than 256 keys are not looked through. It fails with
// TooLarge ("matches-too-many").
func (c *Contents) Match(ctx context.Context, want message.Message) ([]message.ID, error) {
	var prefixes []string
	for key, v := range want.All() {
		said := ""
		switch v := v.(type) {
		case nil:
			continue
		case message.Bytes:
			said = string(v)
		case message.Message:
			said = v.SignedID().String()
		case message.List:
			said = v.ID().String()
		case message.Link:
			said = v.To.String()
		default:
			said, _, _ = message.TextOf(v)
		}
		prefixes = append(prefixes, matchPrefix(key, said))
	}
	if len(prefixes) == 0 {
		return nil, nil
	}
	var ids []message.ID
	// Each candidate is looked for under the other keys; one that is missing there tells the next that can be.
	id, at, agree := message.ID{}, 0, 0
	for {
		next, ok, err := c.matchFrom(prefixes[at], id)
		if err != nil || !ok {
			return ids, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if next == id && agree > 0 {
			agree++
		} else {
			id, agree = next, 1
		}
		if agree == len(prefixes) {
			if len(ids) == matchedMax {
				return nil, fault.New(fault.TooLarge, "matches-too-many", "more than %d messages match", matchedMax).WithHint("ask for more keys")
			}
			ids = append(ids, id)
			if id, ok = after(id); !ok {
				return ids, nil
			}
			agree = 0
		}
		at = (at + 1) % len(prefixes)
	}
}

// matchFrom gives the first id under a prefix that is not smaller.
func (c *Contents) matchFrom(prefix string, id message.ID) (message.ID, bool, error) {
	for p, err := range c.tables.Scan(append([]byte(prefix), id[:]...), store.PrefixEnd([]byte(prefix)), false) {
		if err != nil {
			return id, false, err
		}
		if len(p.Key) != len(prefix)+len(id) {
			return id, false, damaged(errors.New("it leads to no id"), "a key by which messages are found")
		}
		return message.ID(p.Key[len(prefix):]), true, nil
	}
	return id, false, nil
}

// after gives the id that follows; there is none after the last.
func after(id message.ID) (message.ID, bool) {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			return id, true
		}
	}
	return id, false
}
