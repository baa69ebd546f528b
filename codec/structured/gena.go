package structured

import (
	"slices"
	"strconv"
	"strings"

	"ago/codec/structured/sfv"
	"ago/message"
)

// encodeA writes the first generation: atoms are quoted, empty values are only noted in the types, lists of plain values are
// one text, and lists that hold messages, or lists alone, become numbered maps.
func encodeA(m message.Message) message.Message {
	var fs []message.Field
	var types []string
	for key, v := range m.All() {
		if message.IsPrivate(key) || key == message.KeyContentDigest || key == "unsigned_id" {
			continue
		}
		f, kind := fieldA(key, v)
		if kind != "" {
			types = append(types, message.EscapeKey(key)+"="+sfv.Quote(kind))
		}
		if f.Value != nil {
			fs = append(fs, f)
		}
	}
	if len(types) > 0 {
		slices.SortFunc(types, func(a, b string) int { return strings.Compare(nameOf(a), nameOf(b)) })
		fs = append(fs, message.Field{Key: message.KeyTypes, Value: message.Bytes(strings.Join(types, ", "))})
	}
	return message.New(fs...)
}

func nameOf(member string) string { return member[:strings.IndexByte(member, '=')] }

// fieldA gives the field and its type; a field without value is only noted.
func fieldA(key string, v message.Value) (message.Field, string) {
	switch v := v.(type) {
	case message.Bytes:
		if v == "" {
			return message.Field{}, emptyBytes
		}
		return message.Field{Key: key, Value: v}, ""
	case message.Link:
		return message.Field{Key: key + "+link", Value: message.Bytes(v.To.String())}, ""
	case message.Message:
		if v.Len() == 0 {
			return message.Field{}, message.EmptyMessage
		}
		return message.Field{Key: key, Value: encodeA(v)}, ""
	case message.List:
		if len(v) == 0 {
			return message.Field{}, emptyList
		}
		if inline(v) {
			return message.Field{Key: key, Value: message.Bytes(listTextA(v))}, message.TypeList
		}
		fs := make([]message.Field, len(v))
		for i, e := range v {
			fs[i] = message.Field{Key: strconv.Itoa(i + 1), Value: e}
		}
		return message.Field{Key: key, Value: encodeA(message.New(fs...))}, message.TypeList
	}
	kind, text := scalarA(v)
	return message.Field{Key: key, Value: message.Bytes(text)}, kind
}

// inline tells lists that can be one text: nothing in them is a message or a link, and not everything is a list.
func inline(l message.List) bool {
	lists := 0
	for _, v := range l {
		switch v := v.(type) {
		case message.Message, message.Link:
			return false
		case message.List:
			if len(v) > 0 && !plain(v) {
				return false
			}
			lists++
		}
	}
	return lists < len(l)
}

// plain tells lists that hold no message however deep.
func plain(l message.List) bool {
	return !slices.ContainsFunc(l, func(v message.Value) bool {
		switch v := v.(type) {
		case message.Message, message.Link:
			return true
		case message.List:
			return !plain(v)
		}
		return false
	})
}

func listTextA(l message.List) string {
	items := make([]string, len(l))
	for i, v := range l {
		switch v := v.(type) {
		case message.Bytes:
			items[i] = sfv.Quote(string(v))
		case message.List:
			items[i] = sfv.Quote(markOpen + message.TypeList + markClose + listTextA(v))
		default:
			kind, text := scalarA(v)
			items[i] = sfv.Quote(markOpen + kind + markClose + text)
		}
	}
	return strings.Join(items, ", ")
}

func scalarA(v message.Value) (kind, text string) {
	switch v := v.(type) {
	case message.Int:
		return message.TypeInteger, strconv.FormatInt(int64(v), 10)
	case message.BigInt:
		return message.TypeInteger, string(v)
	case message.Float:
		return message.TypeFloat, message.FloatText(float64(v))
	}
	return message.TypeAtom, sfv.Quote(string(v.(message.Atom)))
}
