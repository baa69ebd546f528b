//go:build linux && amd64 && cgo

package wasm

import (
	"unicode/utf8"
)

// decodeText copies text out of a module's memory as the reference's decoder does: each maximal part of a sequence
// that is no UTF-8 becomes one U+FFFD, and a byte order mark in front is dropped.
func decodeText(b []byte) []byte {
	if len(b) >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF {
		b = b[3:]
	}
	out := make([]byte, 0, len(b))
	if utf8.Valid(b) {
		return append(out, b...)
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			out = append(out, "\uFFFD"...)
			b = b[badLength(b):]
			continue
		}
		out = append(out, b[:n]...)
		b = b[n:]
	}
	return out
}

// badLength is the number of bytes that one replacement stands for: the longest part that begins a valid sequence.
func badLength(b []byte) int {
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
	for ; n <= need && n < len(b); n++ {
		if b[n] < lo || b[n] > hi {
			return n
		}
		lo, hi = 0x80, 0xBF
	}
	return n
}
