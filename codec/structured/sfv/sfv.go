// Package sfv reads structured fields, the lists and dictionaries that headers are written in (RFC 8941).
//
// It reads more than the standard allows, since published clients write more: keys of any letters, texts of any bytes, and
// byte sequences in either alphabet of base64. Everything else that is not standard is refused.
package sfv

import (
	"encoding/base64"
	"strings"

	"ago/fault"
)

// Kind is what an item is.
type Kind uint8

const (
	String Kind = iota
	Token
	Number // text as written
	Binary // decoded
	Bool   // "1" or "0"
	Inner  // an inner list
)

// Item is one value; Items are the members of an inner list.
type Item struct {
	Kind   Kind
	Text   string
	Items  []Item
	Params []Param
}

// Param is a parameter of an item.
type Param struct {
	Name  string
	Value Item
}

// Member is an entry of a dictionary; Raw is its value with its parameters as they were written.
type Member struct {
	Name  string
	Value Item
	Raw   string
}

// Param finds a parameter by name.
func (i Item) Param(name string) (Item, bool) {
	for _, p := range i.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return Item{}, false
}

// MembersMax bounds what one field may hold.
const MembersMax = 1 << 14

func malformed(format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, "field-malformed", format, args...)
}

// ParseDictionary reads name=value members. Of members with one name the last counts, in the place of the first.
func ParseDictionary(s string) ([]Member, error) {
	r := reader{s: strings.Trim(s, " \t")}
	var out []Member
	var at map[string]int // only looked up, and only if there are many
	for r.more() {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		value := Item{Kind: Bool, Text: "1"}
		start := r.i + 1
		if r.take('=') {
			if value, err = r.itemOrList(); err != nil {
				return nil, err
			}
		}
		params, err := r.params()
		if err != nil {
			return nil, err
		}
		value.Params = params
		raw := r.s[min(start, r.i):r.i]
		if i := place(out, at, name); i >= 0 {
			out[i].Value, out[i].Raw = value, raw
		} else if len(out) == MembersMax {
			return nil, fault.New(fault.TooLarge, "field-too-large", "a field has at most %d members", MembersMax)
		} else {
			out = append(out, Member{name, value, raw})
			if at != nil {
				at[name] = len(out) - 1
			} else if len(out) == fewMembers {
				at = make(map[string]int, 2*fewMembers)
				for i, m := range out {
					at[m.Name] = i
				}
			}
		}
		if err := r.comma(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

const fewMembers = 16

// place finds a member, by the map if there is one; it is -1 if there is none of the name.
func place(members []Member, at map[string]int, name string) int {
	if at != nil {
		if i, ok := at[name]; ok {
			return i
		}
		return -1
	}
	for i := range members {
		if members[i].Name == name {
			return i
		}
	}
	return -1
}

// ParseList reads items apart from each other by commas.
func ParseList(s string) ([]Item, error) {
	r := reader{s: strings.Trim(s, " \t")}
	var out []Item
	for r.more() {
		v, err := r.itemOrList()
		if err != nil {
			return nil, err
		}
		if v.Params, err = r.params(); err != nil {
			return nil, err
		}
		if len(out) == MembersMax {
			return nil, fault.New(fault.TooLarge, "field-too-large", "a field has at most %d members", MembersMax)
		}
		out = append(out, v)
		if err := r.comma(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Quote writes a text as a string of a structured field. Bytes that the standard does not allow in one stay as they are.
func Quote(s string) string { return string(AppendQuoted(make([]byte, 0, len(s)+2), s)) }

// AppendQuoted appends what Quote writes.
func AppendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(append(b, s[from:i]...), '\\')
			from = i
		}
	}
	return append(append(b, s[from:]...), '"')
}

type reader struct {
	s string
	i int
}

func (r *reader) more() bool { return r.i < len(r.s) }

func (r *reader) take(c byte) bool {
	if r.more() && r.s[r.i] == c {
		r.i++
		return true
	}
	return false
}

func (r *reader) spaces() {
	for r.more() && (r.s[r.i] == ' ' || r.s[r.i] == '\t') {
		r.i++
	}
}

// until takes what stands before any of the stops.
func (r *reader) until(stops string) string {
	n := strings.IndexAny(r.s[r.i:], stops)
	if n < 0 {
		n = len(r.s) - r.i
	}
	r.i += n
	return r.s[r.i-n : r.i]
}

// comma goes past a separator; one at the end is refused.
func (r *reader) comma() error {
	r.spaces()
	if !r.more() {
		return nil
	}
	if !r.take(',') {
		return malformed("a comma is missing in a field at byte %d", r.i)
	}
	r.spaces()
	if !r.more() {
		return malformed("a field ends with a comma")
	}
	return nil
}

func (r *reader) name() (string, error) {
	name := r.until("=,; \t\"()")
	if name == "" {
		return "", malformed("a field lacks a name at byte %d", r.i)
	}
	return name, nil
}

func (r *reader) itemOrList() (Item, error) {
	if !r.take('(') {
		return r.item()
	}
	const usual = 8
	list := Item{Kind: Inner, Items: make([]Item, 0, usual)}
	for {
		r.spaces()
		if r.take(')') {
			return list, nil
		}
		v, err := r.item()
		if err != nil {
			return Item{}, err
		}
		if v.Params, err = r.params(); err != nil {
			return Item{}, err
		}
		if len(list.Items) == MembersMax {
			return Item{}, fault.New(fault.TooLarge, "field-too-large", "a field has at most %d members", MembersMax)
		}
		list.Items = append(list.Items, v)
		if !r.more() || strings.IndexByte(" \t)", r.s[r.i]) < 0 {
			return Item{}, malformed("an inner list is not closed or has no space at byte %d", r.i)
		}
	}
}

func (r *reader) item() (Item, error) {
	if !r.more() {
		return Item{}, malformed("a field ends before a value")
	}
	switch c := r.s[r.i]; {
	case c == '"':
		return r.text()
	case c == ':':
		return r.binary()
	case c == '?':
		if bit := r.s[r.i+1:]; bit != "" && (bit[0] == '0' || bit[0] == '1') {
			r.i += 2
			return Item{Kind: Bool, Text: bit[:1]}, nil
		}
		return Item{}, malformed("a truth value is ?0 or ?1")
	case c == '-' || c >= '0' && c <= '9':
		n := r.until(",; \t)")
		if strings.Trim(strings.TrimPrefix(n, "-"), "0123456789.") != "" || n == "-" || strings.Count(n, ".") > 1 {
			return Item{}, malformed("%.40q is not a number", n)
		}
		return Item{Kind: Number, Text: n}, nil
	}
	word := r.until(",; \t)(\"")
	if word == "" {
		return Item{}, malformed("a value is missing in a field at byte %d", r.i)
	}
	return Item{Kind: Token, Text: word}, nil
}

func (r *reader) text() (Item, error) {
	r.i++
	if n := strings.IndexByte(r.s[r.i:], '"'); n >= 0 && strings.IndexByte(r.s[r.i:r.i+n], '\\') < 0 {
		r.i += n + 1
		return Item{Text: r.s[r.i-n-1 : r.i-1]}, nil
	}
	var b strings.Builder
	for r.more() {
		c := r.s[r.i]
		r.i++
		switch {
		case c == '"':
			return Item{Text: b.String()}, nil
		case c == '\\' && r.more() && (r.s[r.i] == '"' || r.s[r.i] == '\\'):
			b.WriteByte(r.s[r.i])
			r.i++
		case c == '\\':
			return Item{}, malformed("a text has a backslash before neither a quote nor a backslash")
		default:
			b.WriteByte(c)
		}
	}
	return Item{}, malformed("a text is not closed")
}

func (r *reader) binary() (Item, error) {
	r.i++
	n := strings.IndexByte(r.s[r.i:], ':')
	if n < 0 {
		return Item{}, malformed("bytes are not closed")
	}
	text := r.s[r.i : r.i+n]
	r.i += n + 1
	b, err := DecodeBase64(text)
	return Item{Kind: Binary, Text: string(b)}, err
}

// DecodeBase64 reads either alphabet, padded or not.
func DecodeBase64(text string) ([]byte, error) {
	text = strings.TrimRight(text, "=")
	enc := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	b, err := enc.DecodeString(text)
	if err != nil {
		return nil, malformed("bytes are written in base64")
	}
	return b, nil
}

func (r *reader) params() ([]Param, error) {
	var out []Param
	for r.take(';') {
		r.spaces()
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		value := Item{Kind: Bool, Text: "1"}
		if r.take('=') {
			if value, err = r.item(); err != nil {
				return nil, err
			}
		}
		if len(out) == MembersMax {
			return nil, fault.New(fault.TooLarge, "field-too-large", "a field has at most %d parameters", MembersMax)
		}
		if out == nil {
			const usual = 4
			out = make([]Param, 0, usual)
		}
		out = append(out, Param{name, value})
	}
	return out, nil
}
