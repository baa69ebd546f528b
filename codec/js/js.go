// Package js reads bytes as UTF-8 and writes JSON texts exactly as JavaScript does, whose units and clients must see the same
// characters.
package js

import "unicode/utf8"

// Text reads bytes as UTF-8 the way a TextDecoder does, byte order marks kept: each longest run of bytes that begins a
// character but does not complete it becomes one U+FFFD. Valid text is unchanged.
func Text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return string(AppendText(make([]byte, 0, len(b)+8), b))
}

// TextOf is Text of a string, which is not copied if it is valid.
func TextOf(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return Text([]byte(s))
}

// AppendText appends what Text gives.
func AppendText(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for len(b) > 0 {
		if r, n := utf8.DecodeRune(b); r != utf8.RuneError || n > 1 {
			dst = append(dst, b[:n]...)
			b = b[n:]
			continue
		}
		dst = append(dst, "\uFFFD"...)
		b = b[badRun(b):]
	}
	return dst
}

// badRun is the length of the longest start of a character at the front of b, at least 1.
func badRun(b []byte) int {
	need, lo, hi := 0, byte(0x80), byte(0xBF)
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c == 0xE0:
		need, lo = 2, 0xA0
	case c == 0xED:
		need, hi = 2, 0x9F
	case c >= 0xE1 && c <= 0xEF:
		need = 2
	case c == 0xF0:
		need, lo = 3, 0x90
	case c >= 0xF1 && c <= 0xF3:
		need = 3
	case c == 0xF4:
		need, hi = 3, 0x8F
	}
	n := 1
	for n <= need && n < len(b) && b[n] >= lo && b[n] <= hi {
		n++
		lo, hi = 0x80, 0xBF
	}
	return n
}

const hexDigits = "0123456789abcdef"

// AppendJSON writes a string as JSON.stringify does, which is not what encoding/json writes: no HTML escapes, U+2028 and
// U+2029 as they are. Bytes that are no UTF-8 are decoded first.
func AppendJSON(dst []byte, s string) []byte {
	s = TextOf(s)
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
