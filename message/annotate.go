package message

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Keys that the canonical form gives a meaning of their own.
const (
	KeyTypes       = "ao-types"    // says which texts are numbers, atoms and lists
	KeyCommitments = "commitments" // commitments by their ids
	keyPrivate     = "priv"        // keys that begin so never leave a node
	linkSuffix     = "+link"       // marks a key whose value is kept elsewhere, under the id given
	keyList        = "."           // the member of ao-types that says what the map itself is
)

// Names of types in ao-types.
const (
	TypeInteger = "integer"
	TypeFloat   = "float"
	TypeAtom    = "atom"
	TypeList    = "list"
)

// Nesting says what becomes of maps and lists inside a message.
type Nesting uint8

const (
	Linked Nesting = iota // each is replaced by its id: the form that ids are computed from
	Nested                // each stays where it is
)

// Annotate gives the type-annotated form of a message: its values are only Bytes and Messages, and ao-types says which texts
// are numbers, atoms and lists. Private keys are left out, and so are keys without value and keys derived from the others. A link is written
// under its key with the suffix +link. Commitments stay nested in either way.
func (m Message) Annotate(n Nesting) Message { return ordered(m.annotated(n)) }

// annotated gives the fields of the annotated form, in order.
func (m Message) annotated(n Nesting) []Field {
	fs := make([]Field, 0, m.Len()+1)
	types := Types{}
	for key, v := range m.All() {
		f := Field{key, v}
		switch {
		case f.Value == nil, IsPrivate(f.Key), f.Key == "content-digest", f.Key == "unsigned_id":
		case f.Key == KeyCommitments:
			if c, ok := f.Value.(Message); ok {
				f.Value = c.Annotate(Nested)
			}
			fs = append(fs, types.field(f, Nested))
		default:
			fs = append(fs, types.field(f, n))
		}
	}
	return types.put(fs)
}

// numbered is the form of a list: members under 1, 2, 3...
func (l List) numbered(n Nesting) []Field {
	fs := make([]Field, 0, len(l)+1)
	types := Types{{keyList, TypeList}}
	for i, v := range l {
		fs = append(fs, types.field(Field{strconv.Itoa(i + 1), v}, n))
	}
	return types.put(fs)
}

// put adds the types to the fields and gives all in order; a message that brings its own text of types keeps it if none are
// added.
func (t Types) put(fs []Field) []Field {
	fs = sorted(fs)
	if len(t) == 0 {
		return fs
	}
	at, own := search(fs, KeyTypes)
	if own {
		fs[at].Value = Bytes(t.String())
		return fs
	}
	return slices.Insert(fs, at, Field{KeyTypes, Bytes(t.String())})
}

// Types is what ao-types says: the name of the type of each key that has one, in any order.
type Types []struct{ Key, Type string }

// Note adds the type of a key; nothing for a text, whose name is "".
func (t *Types) Note(key, name string) {
	if name != "" {
		if *t == nil {
			*t = make(Types, 0, 8)
		}
		*t = append(*t, struct{ Key, Type string }{key, name})
	}
}

// TextOf gives the text of a value that has one, and the name of its type in ao-types; it is not ok for maps, lists and links.
func TextOf(v Value) (text, name string, ok bool) {
	switch v := v.(type) {
	case Bytes:
		return string(v), "", true
	case Int:
		return strconv.FormatInt(int64(v), 10), TypeInteger, true
	case BigInt:
		return string(v), TypeInteger, true
	case Float:
		return FloatText(float64(v)), TypeFloat, true
	case Atom:
		return string(v), TypeAtom, true
	}
	return "", "", false
}

// field gives a field in its annotated form and notes its type.
func (t *Types) field(f Field, n Nesting) Field {
	switch v := f.Value.(type) {
	case Bytes:
		return f
	case Link:
		return Field{f.Key + linkSuffix, Bytes(v.To.String())}
	case List:
		if inner := v.numbered(n); n == Nested {
			return Field{f.Key, ordered(inner)}
		} else {
			return Field{f.Key + linkSuffix, Bytes(lay(inner, nil).unsignedID().String())}
		}
	case Message:
		if n == Nested {
			return Field{f.Key, v.Annotate(Nested)}
		}
		return Field{f.Key + linkSuffix, Bytes(v.SignedID().String())}
	}
	text, name, ok := TextOf(f.Value)
	if !ok {
		panic(fmt.Sprintf("message: key %q has no value", f.Key))
	}
	t.Note(f.Key, name)
	return Field{f.Key, Bytes(text)}
}

// String writes the members in the order of their escaped keys.
func (t Types) String() string {
	size, plain := 0, true
	for i, m := range t {
		size += len(m.Key) + len(m.Type) + len(`="", `)
		plain = plain && EscapeKey(m.Key) == m.Key && (i == 0 || t[i-1].Key <= m.Key)
	}
	if !plain {
		t = slices.Clone(t)
		size = 0
		for i, m := range t {
			t[i].Key = EscapeKey(m.Key)
			size += len(t[i].Key) + len(m.Type) + len(`="", `)
		}
		slices.SortFunc(t, func(a, b struct{ Key, Type string }) int { return strings.Compare(a.Key, b.Key) })
	}
	b := make([]byte, 0, size)
	for i, m := range t {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(append(append(b, m.Key...), `="`...), m.Type...), '"')
	}
	return textOf(b)
}

// FloatText writes a number as C does with %.20e: the only text of it that ids are computed from.
func FloatText(f float64) string { return strconv.FormatFloat(f, 'e', 20, 64) }

// wholeDigits bounds the length of a whole number: far beyond any amount, and cheap to convert.
const wholeDigits = 1024

// Whole reads a whole number in decimal, as an Int where it fits and as a BigInt otherwise. Signs and leading zeros that are
// not needed are dropped, so that one number has one value.
func Whole(text string) (Value, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return Int(n), true
	}
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > wholeDigits || strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, false
	}
	if n.IsInt64() {
		return Int(n.Int64()), true
	}
	return BigInt(n.String()), true
}

// IsPrivate tells keys that are this node's own affair: no encoding, id or commitment shows them.
func IsPrivate(key string) bool { return strings.HasPrefix(key, keyPrivate) }

// EscapeKey writes a key so that it survives where letters have no case and signs have a meaning: all but a-z 0-9 . - _ / ? &
// become % and two hexadecimal digits.
func EscapeKey(key string) string {
	const hexDigits = "0123456789abcdef"
	plain := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(".-_/?&", c) >= 0
	}
	i := 0
	for i < len(key) && plain(key[i]) {
		i++
	}
	if i == len(key) {
		return key
	}
	b := append(make([]byte, 0, len(key)+16), key[:i]...)
	for ; i < len(key); i++ {
		if c := key[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// UnescapeKey reads what EscapeKey writes; a text that is not so escaped is not ok.
func UnescapeKey(s string) (key string, ok bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b = append(b, byte(v))
		i += 2
	}
	return string(b), true
}

// LinkKey reads the key of a link: the name before the suffix.
func LinkKey(key string) (name string, ok bool) { return strings.CutSuffix(key, linkSuffix) }
