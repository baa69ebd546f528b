package ans104

import (
	"slices"
	"strings"
	"unsafe"

	"ago/fault"
	"ago/message"
)

// Tags and keys of a message that steer how it is read.
const (
	keyData    = "data"
	keyTarget  = "target"
	keyAnchor  = "anchor"
	keyDataKey = "ao-data-key" // names the key that the data of the item is the value of
	keyTypes   = "ao-types"
	keyPrivate = "priv" // keys that begin so never leave or enter a node

	keyBundleFormat  = "bundle-format"
	keyBundleVersion = "bundle-version"
	keyBundleMap     = "bundle-map" // names the item that maps keys to the ids of the other items
	keyKind          = "ao-type"    // "binary" on an item that stands for its data
)

// Decode reads a data item as a message, without checking its signature: tags become lower-cased keys, and data, target and
// anchor keys of these names, before which a tag of the name gives way. A repeated name becomes a list of texts. Empty data is
// left out. A bundle in the data becomes the values it stands for, and stays data if it cannot be read so. The item itself
// stays with the message: see ItemOf. An unsigned item gives a message without id. Errors are those of DecodeItem.
func Decode(raw []byte) (message.Message, error) {
	it, err := DecodeItem(raw)
	if err != nil {
		return message.Message{}, err
	}
	return it.Message(), nil
}

// ItemOf gives the data item that a message was decoded from.
func ItemOf(m message.Message) (*Item, bool) {
	if m.Codec() != Codec {
		return nil, false
	}
	it, ok := m.Form().(*Item)
	return it, ok && it != nil
}

// Message gives the item as the message it stands for.
func (it *Item) Message() message.Message {
	it.once.message.Do(func() {
		id := it.id
		if !it.Signed() {
			id = message.ID{}
		}
		it.said.message = message.Of(it.content().Fields()).Decoded(id, Codec, it.Raw, it)
	})
	return it.said.message
}

// Committing gives Message with the commitment that the signature of the item makes, as messages of other encodings have it.
func (it *Item) Committing() message.Message {
	it.once.whole.Do(func() {
		it.said.whole = it.Message().With(message.KeyCommitments, message.New(message.Field{Key: it.ID().String(), Value: it.Commitment()}))
	})
	return it.said.whole
}

// Committed lists the keys of the message that the signature covers: the keys of the data, those of the tags in their order,
// then anchor and target.
func (it *Item) Committed() []string { return it.content().Committed() }

func (it *Item) content() Content {
	c := Content{Tags: it.Tags, Data: it.Data}
	if it.Anchor != nil {
		c.Header = append(c.Header, message.Field{Key: keyAnchor, Value: message.Bytes(message.ID(it.Anchor).String())})
	}
	if it.HasTarget {
		c.Header = append(c.Header, message.Field{Key: keyTarget, Value: message.Bytes(it.Target.String())})
	}
	return c
}

// Content is what is signed, be it by a data item or by a transaction: tags, data, and the fields of the header that count.
// Nothing of it may change while its fields are in use.
type Content struct {
	Tags   []Tag
	Header []message.Field
	Data   []byte
}

// Fields gives the keys that the content stands for. Of a key that comes twice the later counts: data before header before tag.
func (c Content) Fields() []message.Field { return c.fields(nestingMax) }

// Committed lists the keys of Fields: those of the data, those of the tags in their order, those of the header.
func (c Content) Committed() []string {
	tags, steering := tagFields(c.Tags)
	var keys []string
	for _, fs := range [][]message.Field{c.dataFields(steering, nestingMax), tags, c.Header} {
		for _, f := range fs {
			if !slices.Contains(keys, f.Key) {
				keys = append(keys, f.Key)
			}
		}
	}
	return keys
}

// Vouches tells whether a commitment to the content is one to what a message says: it lists the keys of the content, no more and
// no fewer, and under each the message has the same value. Otherwise whoever holds a signature could put other words beside it.
// It fails with Forged ("commitment-mismatch").
func (c Content) Vouches(m, commitment message.Message) error {
	list, _ := commitment.Get(keyCommitted)
	listed, _ := list.(message.List)
	signed := c.Committed()
	for _, v := range listed {
		if key, ok := v.(message.Bytes); !ok || !slices.Contains(signed, string(key)) {
			return mismatch("%.100q is listed as committed and was not signed", v)
		}
	}
	said := message.New(c.Fields()...)
	for _, key := range signed {
		got, there := m.Get(key)
		if key == keyTypes && !there {
			continue // its work is done in a message that has types
		}
		if !slices.Contains(listed, message.Value(message.Bytes(key))) {
			return mismatch("%.100q was signed and is not listed as committed", key)
		}
		want, ok := said.Get(key)
		if !ok && key == keyTypes {
			_, steering := tagFields(c.Tags)
			want = message.Bytes(steering[keyTypes])
		}
		if !message.Equal(got, want) {
			return mismatch("the message says something else under %.100q than what was signed", key)
		}
	}
	return nil
}

func mismatch(format string, args ...any) *fault.Error {
	return fault.New(fault.Forged, "commitment-mismatch", format, args...).WithHint("send the message as it was signed")
}

func (c Content) fields(depth int) []message.Field {
	fs, steering := tagFields(c.Tags)
	fs = applyTypes(append(fs, c.Header...), steering[keyTypes])
	return append(fs, c.dataFields(steering, depth)...)
}

// dataFields gives the keys that the data stands for, sorted; with them the tags that announce a bundle, if it stays data.
func (c Content) dataFields(steering map[string]string, depth int) []message.Field {
	values, opened := c.open(steering, depth)
	if !opened {
		if len(c.Data) > 0 {
			key := keyData
			if k, ok := steering[keyDataKey]; ok {
				key = k
			}
			values = append(values, message.Field{Key: key, Value: dataText(c.Data)})
		}
		for _, key := range []string{keyBundleFormat, keyBundleMap, keyBundleVersion} {
			if v, ok := steering[key]; ok {
				values = append(values, message.Field{Key: key, Value: message.Bytes(v)})
			}
		}
	}
	return slices.DeleteFunc(values, func(f message.Field) bool { return strings.HasPrefix(f.Key, keyPrivate) })
}

// dataText gives the data without copying it, since it does not change any more: modules and models are large.
func dataText(data []byte) message.Bytes {
	if len(data) == 0 {
		return ""
	}
	return message.Bytes(unsafe.String(&data[0], len(data)))
}

// tagFields gives the keys that tags become, and apart from them the values of tags that steer how the item is read.
func tagFields(tags []Tag) (fs []message.Field, steering map[string]string) {
	fs = make([]message.Field, 0, len(tags)+3)
	steering = map[string]string{}
	at := make(map[string]int, len(tags)) // key -> place in fs; only looked up
	repeated := map[int][]string{}
	for _, t := range tags {
		key := strings.ToLower(t.Name)
		switch key {
		case keyDataKey, keyBundleFormat, keyBundleVersion, keyBundleMap:
			steering[key] = t.Value
			continue
		case keyTypes:
			steering[key] = t.Value
		}
		if strings.HasPrefix(key, keyPrivate) {
			continue
		}
		i, again := at[key]
		if !again {
			at[key] = len(fs)
			fs = append(fs, message.Field{Key: key, Value: message.Bytes(t.Value)})
			continue
		}
		if repeated[i] == nil {
			repeated[i] = []string{string(fs[i].Value.(message.Bytes))}
		}
		repeated[i] = append(repeated[i], t.Value)
	}
	for i, values := range repeated {
		fs[i].Value = listText(values)
	}
	return fs, steering
}

// listText writes a list of texts as a structured field: "a", "b".
func listText(values []string) message.Bytes {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('"')
		for j := range len(v) {
			if v[j] == '"' || v[j] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(v[j])
		}
		b.WriteByte('"')
	}
	return message.Bytes(b.String())
}
