// Package structured turns typed values into texts with a note of their types, the form that every other encoding of AO-Core
// starts from, and back.
//
// There are two generations of the form. Both are read; what is written is the second unless a client spoke the first.
package structured

import (
	"slices"
	"strconv"
	"strings"

	"ago/codec/structured/sfv"
	"ago/fault"
	"ago/message"
)

// Codec is the name of the encoding.
const Codec = "structured@1.0"

// Generation is a version of the wire formats of AO-Core.
type Generation uint8

const (
	GenB Generation = iota // from the middle of 2025
	GenA                   // before that, and published JavaScript clients
)

// DepthMax bounds how deep messages may be nested: what comes from outside is walked recursively.
const DepthMax = 128

// Types that stand for something that has no text, in the first generation.
const (
	emptyBytes = "empty-binary"
	emptyList  = "empty-list"
	typeMap    = "map"
	markOpen   = "(ao-type-" // begins a text in a list that stands for another type
	markClose  = ") "
	selfKey    = "."
)

func malformed(format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, "types-malformed", format, args...)
}

// Encode gives the annotated form: see message.Annotate for the second generation. The first writes lists of plain values as
// one text and notes what is empty instead of writing it; links in it stay links.
func Encode(m message.Message, g Generation, n message.Nesting) message.Message {
	if g == GenB || n == message.Linked {
		return m.Annotate(n)
	}
	return encodeA(m)
}

// Decode turns an annotated message into one of typed values; values that are typed already stay. It fails with Malformed ("types-malformed") if a text is not of
// its type or a type is not known, except that in the first generation an unknown type leaves the text as it is, and with
// TooLarge ("message-too-deep").
func Decode(m message.Message, g Generation) (message.Message, error) {
	v, err := decoder{g}.message(m, 0)
	if err != nil {
		return message.Message{}, err
	}
	out, ok := v.(message.Message)
	if !ok {
		return message.Message{}, malformed("a message cannot be a list at the top")
	}
	return out, nil
}

type decoder struct{ generation Generation }

// ParseTypes reads ao-types: the type of each key, by key. Types may be texts or bare words.
func ParseTypes(s string) (map[string]string, error) {
	members, err := sfv.ParseDictionary(s)
	if err != nil {
		return nil, malformed("ao-types is not a dictionary: %v", err)
	}
	types := make(map[string]string, len(members))
	for _, m := range members {
		key, ok := message.UnescapeKey(m.Name)
		if !ok || m.Value.Kind != sfv.String && m.Value.Kind != sfv.Token {
			return nil, malformed("ao-types gives %.60q no type", m.Name)
		}
		types[key] = m.Value.Text
	}
	return types, nil
}

// message gives the typed message, or the list that its own types say it is.
func (d decoder) message(m message.Message, depth int) (message.Value, error) {
	if depth > DepthMax {
		return nil, fault.New(fault.TooLarge, "message-too-deep", "messages are nested at most %d deep", DepthMax)
	}
	types, err := ParseTypes(m.Text(message.KeyTypes))
	if err != nil {
		return nil, err
	}
	fs := make([]message.Field, 0, m.Len())
	for key, v := range m.All() {
		if key == message.KeyTypes || message.IsPrivate(key) {
			continue
		}
		f, err := d.field(key, v, types, depth)
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	}
	if d.generation == GenA {
		fs = append(fs, emptyFields(m, types)...)
	}
	out := message.New(fs...)
	if types[selfKey] == message.TypeList {
		return listOf(out)
	}
	return out, nil
}

func (d decoder) field(key string, v message.Value, types map[string]string, depth int) (message.Field, error) {
	if name, ok := message.LinkKey(key); ok {
		if text, ok := v.(message.Bytes); ok {
			if id, err := message.ParseID(string(text)); err == nil {
				return message.Field{Key: name, Value: message.Link{To: id}}, nil
			}
		}
	}
	kind, annotated := types[key]
	var err error
	switch inner := v.(type) {
	case message.Message:
		if inner.Codec() != "" { // it was decoded for itself
			break
		}
		if v, err = d.message(inner, depth+1); err != nil {
			return message.Field{}, err
		}
		if inner, ok := v.(message.Message); ok && kind == message.TypeList {
			v, err = listOf(inner)
		}
	case message.Bytes:
		if annotated {
			v, err = d.value(kind, string(inner), depth)
		}
	case message.List: // of encodings that have lists themselves
		v, err = d.list(inner, depth+1)
	}
	if err != nil {
		return message.Field{}, err
	}
	return message.Field{Key: key, Value: v}, nil
}

func (d decoder) list(l message.List, depth int) (message.List, error) {
	if depth > DepthMax {
		return nil, fault.New(fault.TooLarge, "message-too-deep", "lists are nested at most %d deep", DepthMax)
	}
	out := make(message.List, len(l))
	for i, v := range l {
		var err error
		switch inner := v.(type) {
		case message.Message:
			v, err = d.message(inner, depth+1)
		case message.List:
			v, err = d.list(inner, depth+1)
		}
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// emptyFields gives the values that only the types tell of.
func emptyFields(m message.Message, types map[string]string) []message.Field {
	var fs []message.Field
	for key, kind := range types { // the message sorts them
		if _, ok := m.Get(key); ok {
			continue
		}
		switch kind {
		case emptyBytes:
			fs = append(fs, message.Field{Key: key, Value: message.Bytes("")})
		case emptyList:
			fs = append(fs, message.Field{Key: key, Value: message.List{}})
		case message.EmptyMessage:
			fs = append(fs, message.Field{Key: key, Value: message.New()})
		}
	}
	return fs
}

// value reads a text of a type.
func (d decoder) value(kind, text string, depth int) (message.Value, error) {
	if depth > DepthMax {
		return nil, fault.New(fault.TooLarge, "message-too-deep", "lists are nested at most %d deep", DepthMax)
	}
	switch kind {
	case message.TypeInteger, message.TypeFloat, message.TypeAtom:
		if kind == message.TypeAtom && d.generation == GenA {
			return message.Atom(quotedAtom(text)), nil
		}
		if v, ok := Scalar(kind, text); ok {
			return v, nil
		}
		return nil, malformed("%.60q is no %s", text, kind)
	case message.TypeList:
		return d.inlineList(text, depth)
	case typeMap:
		return d.inlineMap(text, depth)
	case emptyBytes, emptyList, message.EmptyMessage:
		if text == "" && d.generation == GenA {
			return map[string]message.Value{emptyBytes: message.Bytes(""), emptyList: message.List{}, message.EmptyMessage: message.New()}[kind], nil
		}
		return message.Bytes(text), nil
	}
	if d.generation == GenA {
		return message.Bytes(text), nil
	}
	return nil, malformed("no type is named %.60q", kind)
}

// Scalar reads the text of a value of the types integer, float and atom; it is not ok for a text that is none of its type, and
// for other types.
func Scalar(kind, text string) (message.Value, bool) {
	switch kind {
	case message.TypeInteger:
		return message.Whole(text)
	case message.TypeFloat:
		f, err := strconv.ParseFloat(text, 64)
		return message.Float(f), err == nil && strings.Trim(text, "0123456789+-.eE") == ""
	case message.TypeAtom:
		for n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"'; n = len(text) {
			text = text[1 : n-1]
		}
		return message.Atom(text), true
	}
	return nil, false
}

// quotedAtom reads an atom of the first generation, which quotes them.
func quotedAtom(text string) string {
	if strings.HasPrefix(text, `"`) {
		if items, err := sfv.ParseList(text); err == nil && len(items) == 1 && items[0].Kind == sfv.String && len(items[0].Params) == 0 {
			return items[0].Text
		}
	}
	return text
}

// inlineList reads a list written as one text.
func (d decoder) inlineList(text string, depth int) (message.Value, error) {
	items, err := sfv.ParseList(text)
	if err != nil {
		return nil, malformed("a list is not written as one: %v", err)
	}
	l := make(message.List, len(items))
	for i, item := range items {
		if l[i], err = d.item(item, depth); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (d decoder) inlineMap(text string, depth int) (message.Value, error) {
	members, err := sfv.ParseDictionary(text)
	if err != nil {
		return nil, malformed("a map is not written as one: %v", err)
	}
	fs := make([]message.Field, len(members))
	for i, m := range members {
		v, err := d.item(m.Value, depth)
		if err != nil {
			return nil, err
		}
		fs[i] = message.Field{Key: m.Name, Value: v}
	}
	return message.New(fs...), nil
}

func (d decoder) item(item sfv.Item, depth int) (message.Value, error) {
	switch item.Kind {
	case sfv.Number:
		if n, ok := message.Whole(item.Text); ok {
			return n, nil
		}
		return d.value(message.TypeFloat, item.Text, depth)
	case sfv.Bool:
		return message.Atom(strconv.FormatBool(item.Text == "1")), nil
	case sfv.Inner:
		return nil, malformed("a list holds no inner list")
	}
	if rest, ok := strings.CutPrefix(item.Text, markOpen); ok {
		if kind, text, ok := strings.Cut(rest, markClose); ok {
			return d.value(kind, text, depth+1)
		}
	}
	return message.Bytes(item.Text), nil
}

// listOf turns a map with numbers for keys into a list; where the numbers start does not matter.
func listOf(m message.Message) (message.Value, error) {
	type numbered struct {
		n int64
		v message.Value
	}
	members := make([]numbered, 0, m.Len())
	for key, v := range m.All() {
		if key == message.KeyCommitments { // which a bundle adds to what is nested
			continue
		}
		n, err := strconv.ParseUint(key, 10, 31)
		if err != nil {
			return nil, malformed("a list has the key %.60q, which is no number", key)
		}
		members = append(members, numbered{int64(n), v})
	}
	slices.SortStableFunc(members, func(a, b numbered) int { return int(a.n - b.n) })
	l := make(message.List, len(members))
	for i, e := range members {
		l[i] = e.v
	}
	return l, nil
}
