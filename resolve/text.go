package resolve

import "strings"

// text is a piece of a path whose percent signs are decoded. A separator that came from a percent sign is only a letter: its
// place in plain is set. plain is nil where there is none.
type text struct {
	s     string
	plain []bool
}

// separators are the letters that lose their meaning when they are written with a percent sign. Quotes, parentheses and spaces
// keep theirs: browsers write them so by themselves.
const separators = "/&?="

func (t text) isPlain(i int) bool { return t.plain != nil && t.plain[i] }

func (t text) cut(from, to int) text {
	out := text{s: t.s[from:to]}
	if t.plain != nil {
		out.plain = t.plain[from:to]
	}
	return out
}

// decodePath undoes percent signs; one without two hexadecimal digits stands for itself.
func decodePath(raw string) text {
	if strings.IndexByte(raw, '%') < 0 {
		return text{s: raw}
	}
	b, plain := make([]byte, 0, len(raw)), make([]bool, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c, escaped := unescape(raw, i)
		if escaped {
			i += 2
		}
		b, plain = append(b, c), append(plain, escaped && strings.IndexByte(separators, c) >= 0)
	}
	return text{string(b), plain}
}

// unescape reads the letter at a place.
func unescape(s string, i int) (c byte, escaped bool) {
	if s[i] == '%' && i+2 < len(s) {
		high, ok1 := hexDigit(s[i+1])
		low, ok2 := hexDigit(s[i+2])
		if ok1 && ok2 {
			return high<<4 | low, true
		}
	}
	return s[i], false
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// decodeQuery undoes percent signs and plus signs of one key or value of a query.
func decodeQuery(raw string) string {
	if strings.IndexByte(raw, '%') < 0 && strings.IndexByte(raw, '+') < 0 {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c, escaped := unescape(raw, i)
		switch {
		case escaped:
			i += 2
		case c == '+':
			c = ' '
		}
		b = append(b, c)
	}
	return string(b)
}

// cutQuery splits a path as it came at the first question mark that stands outside quotes and parentheses.
func cutQuery(raw string) (path, query string) {
	var n nesting
	for i := 0; i < len(raw); i++ {
		c, escaped := unescape(raw, i)
		if c == '?' && !escaped && !n.inside() {
			return raw[:i], raw[i+1:]
		}
		if escaped {
			i += 2
		}
		n.step(c)
	}
	return raw, ""
}

// nesting follows quotes and parentheses.
type nesting struct {
	depth  int
	quoted bool
}

func (n *nesting) inside() bool { return n.quoted || n.depth > 0 }

func (n *nesting) step(c byte) {
	switch {
	case c == '"':
		n.quoted = !n.quoted
	case n.quoted:
	case c == '(':
		n.depth++
	case c == ')' && n.depth > 0:
		n.depth--
	}
}

// split cuts at a separator outside quotes and parentheses; empty pieces are left out.
func (t text) split(sep byte) ([]text, error) {
	var out []text
	var n nesting
	start := 0
	for i := 0; i < len(t.s); i++ {
		c := t.s[i]
		if c == sep && !n.inside() && !t.isPlain(i) {
			if i > start {
				out = append(out, t.cut(start, i))
			}
			start = i + 1
			continue
		}
		n.step(c)
	}
	switch {
	case n.quoted:
		return nil, malformed("a quotation mark is not closed in %.100q", t.s)
	case n.depth > 0:
		return nil, malformed("a parenthesis is not closed in %.100q", t.s)
	}
	if start < len(t.s) {
		out = append(out, t.cut(start, len(t.s)))
	}
	return out, nil
}

// index finds the first of some letters outside quotes and parentheses, -1 if there is none.
func (t text) index(letters string) int {
	var n nesting
	for i := 0; i < len(t.s); i++ {
		if c := t.s[i]; !n.inside() && strings.IndexByte(letters, c) >= 0 && !t.isPlain(i) {
			return i
		} else {
			n.step(c)
		}
	}
	return -1
}

// inParentheses gives what stands in the parentheses that the whole text is.
func (t text) inParentheses() (text, bool) {
	if len(t.s) < 2 || t.s[0] != '(' || t.s[len(t.s)-1] != ')' {
		return text{}, false
	}
	var n nesting
	for i := 0; i < len(t.s)-1; i++ {
		if n.step(t.s[i]); !n.inside() {
			return text{}, false
		}
	}
	return t.cut(1, len(t.s)-1), true
}

// unquoted takes the quotation marks off a text that stands in them.
func unquoted(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
