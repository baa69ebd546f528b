package ans104

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"ago/fault"
	"ago/message"
)

// keyBody is where the data goes when there is no data key.
const keyBody = "body"

// DraftOf lays a message out as a data item to be signed, so that Decode gives the message back. Keys become tags in their
// order, after the announcement of a bundle if there is one; target and anchor go to the header where they are ids. The data
// is the key data, or body without it. Numbers and atoms are texts that ao-types explains. Messages, lists, and values too
// long for a tag go as items into a bundle in the data. Private keys are left out. It fails with Unsupported for links, whose
// target the item would not hold, and with TooLarge.
func DraftOf(m message.Message) (Draft, error) { return draftOf(m, nestingMax) }

func draftOf(m message.Message, depth int) (Draft, error) {
	if depth < 0 {
		return Draft{}, tooLarge("message-too-deep", "messages nest at most %d deep in a data item", nestingMax)
	}
	var d Draft
	var types message.Types
	var members []member // of the bundle
	dataKey := keyData
	if _, ok := m.Get(keyData); !ok {
		dataKey = keyBody
	}
	for key, v := range m.All() {
		if strings.HasPrefix(key, keyPrivate) || key == keyTypes {
			continue
		}
		text, kind, flat := message.TextOf(v)
		switch {
		case !flat:
			it, err := nestedItem(key, v, depth-1)
			if err != nil {
				return Draft{}, err
			}
			members = append(members, member{key, it})
			continue
		case key == dataKey && kind == "":
			d.Data = []byte(text)
			continue
		case kind == "" && d.takes(key, text):
			continue
		case len(text) > PortableValueMax && kind == "":
			it, err := binaryItem(text)
			if err != nil {
				return Draft{}, err
			}
			members = append(members, member{key, it})
			continue
		}
		if lower := strings.ToLower(key); kind != "" && (lower == keyBundleFormat || lower == keyBundleVersion || lower == keyBundleMap || lower == keyDataKey) {
			return Draft{}, fault.New(fault.Unsupported, "key-unwritable", "the key %q of a data item is a text", key)
		}
		types.Note(strings.ToLower(key), kind) // names of tags are read in lower case
		d.Tags = append(d.Tags, Tag{Name: key, Value: text})
	}
	return d.finish(types, members, dataKey)
}

// takes puts an id under the key target or anchor into the header.
func (d *Draft) takes(key, text string) bool {
	if key != keyTarget && key != keyAnchor {
		return false
	}
	id, err := message.ParseID(text)
	switch {
	case err != nil:
		return false
	case key == keyTarget:
		d.Target, d.HasTarget = id, true
	default:
		d.Anchor = id[:]
	}
	return true
}

// finish adds what only the whole message tells: the types, the bundle, the key of the data.
func (d Draft) finish(types message.Types, members []member, dataKey string) (Draft, error) {
	if len(types) > 0 {
		d.Tags = append(d.Tags, Tag{Name: keyTypes, Value: types.String()})
	}
	if len(d.Data) > 0 && len(members) > 0 {
		it, err := binaryItem(string(d.Data))
		if err != nil {
			return Draft{}, err
		}
		members = append(members, member{dataKey, it})
	} else if len(d.Data) > 0 && dataKey != keyData {
		d.Tags = append(d.Tags, Tag{Name: keyDataKey, Value: dataKey})
	}
	slices.SortFunc(d.Tags, func(a, b Tag) int { return strings.Compare(a.Name, b.Name) })
	if len(members) == 0 {
		return d, nil
	}
	bundle, directory, err := bundleOf(members)
	if err != nil {
		return Draft{}, err
	}
	d.Data = bundle
	d.Tags = append([]Tag{{Name: keyBundleFormat, Value: "binary"}, {Name: keyBundleVersion, Value: "2.0.0"},
		{Name: keyBundleMap, Value: directory.String()}}, d.Tags...)
	return d, nil
}

type member struct {
	key string
	*Item
}

// bundleOf puts an item first that maps the keys to the ids of the others, which follow in the order of their keys.
func bundleOf(members []member) ([]byte, message.ID, error) {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	names, items := map[string]string{}, []*Item{nil}
	for _, m := range members {
		names[m.key] = m.ID().String()
		items = append(items, m.Item)
	}
	text, err := json.Marshal(names) // in the order of the keys
	if err != nil {
		return nil, message.ID{}, fault.Wrap(err, fault.Internal, "item-bundle", "write the map of a bundle")
	}
	items[0], err = Unsigned(Draft{Tags: []Tag{{Name: "data-protocol", Value: "bundle-map"}, {Name: "variant", Value: "0.0.1"}}, Data: text})
	if err != nil {
		return nil, message.ID{}, err
	}
	return EncodeBundle(items), items[0].ID(), nil
}

func binaryItem(text string) (*Item, error) {
	return Unsigned(Draft{Tags: []Tag{{Name: keyKind, Value: "binary"}}, Data: []byte(text)})
}

// nestedItem makes the item of a value that is more than a text. A signed item stays as it was signed.
func nestedItem(key string, v message.Value, depth int) (*Item, error) {
	switch v := v.(type) {
	case message.Message:
		if it, ok := ItemOf(v); ok {
			return it, nil
		}
		d, err := draftOf(v, depth)
		if err != nil {
			return nil, err
		}
		return Unsigned(d)
	case message.List:
		fs := make([]message.Field, len(v))
		for i, e := range v {
			fs[i] = message.Field{Key: strconv.Itoa(i + 1), Value: e}
		}
		d, err := draftOf(message.New(fs...), depth)
		if err != nil {
			return nil, err
		}
		return Unsigned(d.asList())
	}
	return nil, fault.New(fault.Unsupported, "item-link", "key %.100q holds a %T, which a data item cannot", key, v).
		WithHint("load what is linked before the message is signed")
}

// asList says in the types that the numbered keys are a list. The member sorts before all others.
func (d Draft) asList() Draft {
	const mark = `.="list"`
	for i, t := range d.Tags {
		if t.Name == keyTypes {
			d.Tags[i].Value = mark + ", " + t.Value
			return d
		}
	}
	at := 0
	for at < len(d.Tags) && (strings.HasPrefix(d.Tags[at].Name, "bundle-") || d.Tags[at].Name < keyTypes) {
		at++
	}
	d.Tags = slices.Insert(d.Tags, at, Tag{Name: keyTypes, Value: mark})
	return d
}
