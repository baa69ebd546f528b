package ans104

import (
	"strings"
	"unsafe"

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
)

// Decode reads a data item as a message, without checking its signature: tags become lower-cased keys, and data, target and
// anchor keys of these names, before which a tag of the name gives way. A repeated name becomes a list of texts. Empty data is
// left out. The item itself stays with the message: see ItemOf. Errors are those of DecodeItem.
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
	return message.New(it.fields()...).Decoded(it.id, Codec, it.Raw, it)
}

func (it *Item) fields() []message.Field {
	dataKey := keyData
	fs := make([]message.Field, 0, len(it.Tags)+3)
	seen := make(map[string]int, len(it.Tags)) // key -> place in fs; only looked up
	lists := map[int][]string{}
	types := ""
	for _, t := range it.Tags {
		key := strings.ToLower(t.Name)
		switch {
		case key == keyDataKey:
			dataKey = t.Value
			continue
		case key == keyTypes:
			types = t.Value
		case strings.HasPrefix(key, keyPrivate):
			continue
		}
		i, again := seen[key]
		if !again {
			seen[key] = len(fs)
			fs = append(fs, message.Field{Key: key, Value: message.Bytes(t.Value)})
			continue
		}
		if lists[i] == nil {
			lists[i] = []string{string(fs[i].Value.(message.Bytes))}
		}
		lists[i] = append(lists[i], t.Value)
		fs[i].Value = listText(lists[i])
	}
	fs = applyTypes(fs, types)
	if it.HasTarget {
		fs = append(fs, message.Field{Key: keyTarget, Value: message.Bytes(it.Target.String())})
	}
	if it.Anchor != nil {
		fs = append(fs, message.Field{Key: keyAnchor, Value: message.Bytes(message.ID(it.Anchor).String())})
	}
	if len(it.Data) > 0 && !strings.HasPrefix(dataKey, keyPrivate) {
		// Raw does not change any more, so its data can be the text as it is: modules and models are large.
		fs = append(fs, message.Field{Key: dataKey, Value: message.Bytes(unsafe.String(&it.Data[0], len(it.Data)))})
	}
	return fs
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
