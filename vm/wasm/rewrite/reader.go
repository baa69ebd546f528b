package rewrite

import (
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error about bytes that are no module, or not one this package can rewrite.
var ErrMalformed = errors.New("malformed module")

// A reader takes the binary format apart. The first error stays: every later read returns zero at once and
// moves to the end, so a decoder may read a whole structure and ask for the error afterwards. Loops over a
// count read from the input must ask inside the loop.
type reader struct {
	b   []byte
	pos int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %s", ErrMalformed, r.pos, fmt.Sprintf(format, args...))
	}
	r.pos = len(r.b)
}

func (r *reader) more() bool { return r.err == nil && r.pos < len(r.b) }

func (r *reader) u8() byte {
	if r.pos >= len(r.b) {
		r.fail("unexpected end")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	// Nearly all numbers in code are below 128.
	if r.pos < len(r.b) && r.b[r.pos] < 0x80 {
		c := r.b[r.pos]
		r.pos++
		return uint32(c)
	}
	return uint32(r.unsigned(32))
}

func (r *reader) u64() uint64 { return r.unsigned(64) }

func (r *reader) unsigned(bits uint) uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		c := r.u8()
		if r.err != nil {
			return 0
		}
		if left := bits - shift; left < 7 && c>>left != 0 {
			r.fail("number needs more than %d bits", bits)
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

// signed reads a signed LEB128 number of at most the given bits (33 for block types, 32 and 64 for constants).
func (r *reader) signed(bits uint) int64 {
	var v int64
	for shift := uint(0); ; {
		c := r.u8()
		if r.err != nil {
			return 0
		}
		if left := bits - shift; left < 7 {
			// The last byte: the unused bits repeat the sign bit and nothing follows.
			if top := int8(c<<1) >> left; c >= 0x80 || top != 0 && top != -1 {
				r.fail("number needs more than %d bits", bits)
				return 0
			}
		}
		v |= int64(c&0x7f) << shift
		shift += 7
		if c < 0x80 {
			if shift < 64 && c&0x40 != 0 {
				v |= -1 << shift
			}
			return v
		}
	}
}

// take returns the next n bytes without copying them.
func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(len(r.b)-r.pos) {
		r.fail("%d bytes announced, %d left", n, len(r.b)-r.pos)
		return nil
	}
	b := r.b[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// listMax is the number of entries accepted in any list: what the JavaScript embedding allows for types,
// functions, imports, exports and globals.
const listMax = 1_000_000

// count reads the length of a list whose entries take at least entryMin bytes each, so that a wrong count
// is found before anything is allocated for it.
func (r *reader) count(entryMin int) int {
	n := r.u32()
	if n > listMax {
		r.fail("list of %d entries, at most %d are accepted", n, listMax)
		return 0
	}
	if uint64(n)*uint64(entryMin) > uint64(len(r.b)-r.pos) {
		r.fail("list of %d entries is longer than its section", n)
		return 0
	}
	return int(n)
}

func (r *reader) name() string { return string(r.take(r.u32())) }

// valueType skips one value type and returns its bytes. Types written with an explicit heap type have two
// parts.
func (r *reader) valueType() []byte {
	start := r.pos
	switch t := r.u8(); {
	case t == 0x63 || t == 0x64: // (ref null? heaptype)
		r.signed(33)
	case t >= 0x7b && t <= 0x7f: // v128, f64, f32, i64, i32
	case t >= 0x69 && t <= 0x74: // the one-byte reference types
	default:
		r.fail("unknown value type 0x%02x", t)
	}
	if r.err != nil {
		return nil
	}
	return r.b[start:r.pos:r.pos]
}

func appendU32(dst []byte, v uint32) []byte { return appendU64(dst, uint64(v)) }

func appendU64(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func appendS64(dst []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(dst, c)
		}
		dst = append(dst, c|0x80)
	}
}

func appendBytes(dst, b []byte) []byte {
	dst = appendU32(dst, uint32(len(b)))
	return append(dst, b...)
}

func appendName(dst []byte, s string) []byte {
	dst = appendU32(dst, uint32(len(s)))
	return append(dst, s...)
}
