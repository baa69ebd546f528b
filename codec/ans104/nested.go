package ans104

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"ago/codec/structured"
	"ago/message"
)

// nestingMax bounds messages within messages, and nestedMax the members of one: messages are read when they arrive, before
// anybody vouched for them. A bundle beyond both is data, which costs nothing.
const (
	nestingMax = 8
	nestedMax  = 1024
)

// open gives what a bundle in the data stands for: with a map item, its keys, of which "data" is one; without, a list of the
// items under "data".
func (c Content) open(steering map[string]string, depth int) ([]message.Field, bool) {
	if depth == 0 || !IsBundle(c.Tags) {
		return nil, false
	}
	items, err := DecodeBundle(c.Data, Limits{Items: nestedMax, Depth: 1})
	if err != nil {
		return nil, false
	}
	mapID, mapped := steering[keyBundleMap]
	if !mapped {
		list := make(message.List, len(items))
		for i, item := range items {
			list[i] = item.value(depth - 1)
		}
		return []message.Field{{Key: keyData, Value: list}}, true
	}
	byID := make(map[string]*Item, len(items))
	for _, item := range items {
		byID[item.ID().String()] = item
	}
	var names map[string]string
	directory, ok := byID[mapID]
	if !ok || json.Unmarshal(directory.Data, &names) != nil {
		return nil, false
	}
	fs := make([]message.Field, 0, len(names))
	for key, id := range names {
		item, ok := byID[id]
		if !ok {
			return nil, false
		}
		fs = append(fs, message.Field{Key: key, Value: item.value(depth - 1)})
	}
	slices.SortFunc(fs, func(a, b message.Field) int { return strings.Compare(a.Key, b.Key) })
	return fs, true
}

// value gives what an item within a bundle stands for: its data, a list, or a message, which keeps its id if it is signed.
func (it *Item) value(depth int) message.Value {
	if kind, ok := it.Tag(keyKind); ok && kind == "binary" {
		return dataText(it.Data)
	}
	m := message.New(it.content().fields(depth)...)
	if types, ok := it.Tag(keyTypes); ok && !it.Signed() {
		if l, ok := asList(m, types); ok {
			return l
		}
	}
	if it.Signed() {
		return m.Decoded(it.id, Codec, it.Raw, it)
	}
	return m
}

// asList reads a message with the keys "1", "2" and so on as the list that ao-types says it is, by the member "." of the type list.
func asList(m message.Message, types string) (message.List, bool) {
	want, err := structured.ParseTypes(types)
	if err != nil || want["."] != message.TypeList {
		return nil, false
	}
	l := make(message.List, m.Len())
	for i := range l {
		v, ok := m.Get(strconv.Itoa(i + 1))
		if !ok {
			return nil, false
		}
		l[i] = v
	}
	return l, true
}
