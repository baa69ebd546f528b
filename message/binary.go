package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// The form in which values and patches are kept on disk. It begins with a letter and the version of the form. Then every value
// is a byte for its type and:
//
//	text (bytes, whole number too large for 64 bits, atom)   length, bytes
//	whole number                                             zigzag varint
//	float                                                    8 bytes of IEEE 754, big-endian
//	list                                                     count, values
//	link                                                     32 bytes of id, type as a text
//	message                                                  count; key as a text and value, in the order of the keys
//	decoded message                                          32 bytes of id, codec and bytes as texts, then as a message
//
// Lengths and counts are varints of the shortest form, so that equal values have equal bytes.
const (
	valueForm   = 'v'
	patchForm   = 'p'
	formVersion = 1
)

const (
	tagBytes = iota
	tagInt
	tagBigInt
	tagFloat
	tagAtom
	tagList
	tagLink
	tagMessage
	tagDecoded
)

// Kinds of changes in a patch.
const (
	changePut = iota
	changeRemove
	changePart
)

// DepthMax bounds how deep values nest that are kept, loaded or merged.
const DepthMax = 256

// ErrLimit is what errors about too much of something wrap: values nested too deep, too many links.
var ErrLimit = errors.New("message limit exceeded")

var errDeep = fmt.Errorf("%w: values nest at most %d deep", ErrLimit, DepthMax)

// AppendValue writes a value for keeping: ReadValue gives it back equal, with ids, commitments and original bytes, but without
// the form that a codec left with it. Private keys and keys without value are left out. It fails for values nested deeper than
// DepthMax and for lists with members that are nil.
func AppendValue(b []byte, v Value) ([]byte, error) {
	return appendValue(append(b, valueForm, formVersion), v, 0)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v Value, depth int) ([]byte, error) {
	if depth > DepthMax {
		return nil, errDeep
	}
	switch v := v.(type) {
	case Bytes:
		return appendText(append(b, tagBytes), string(v)), nil
	case Int:
		return binary.AppendVarint(append(b, tagInt), int64(v)), nil
	case BigInt:
		return appendText(append(b, tagBigInt), string(v)), nil
	case Float:
		return binary.BigEndian.AppendUint64(append(b, tagFloat), math.Float64bits(float64(v))), nil
	case Atom:
		return appendText(append(b, tagAtom), string(v)), nil
	case Link:
		return appendText(append(append(b, tagLink), v.To[:]...), v.Type), nil
	case List:
		b = binary.AppendUvarint(append(b, tagList), uint64(len(v)))
		var err error
		for _, e := range v {
			if b, err = appendValue(b, e, depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	case Message:
		return v.append(b, depth)
	}
	return nil, fmt.Errorf("a %T is no value that can be kept", v)
}

func kept(key string, v Value) bool { return v != nil && !IsPrivate(key) }

func (m Message) append(b []byte, depth int) ([]byte, error) {
	if o := m.origin; o != nil {
		b = append(append(b, tagDecoded), o.id[:]...)
		b = appendText(appendText(b, o.codec), string(o.raw))
	} else {
		b = append(b, tagMessage)
	}
	n := 0
	for key, v := range m.All() {
		if kept(key, v) {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	var err error
	for key, v := range m.All() {
		if !kept(key, v) {
			continue
		}
		if b, err = appendValue(appendText(b, key), v, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// ReadValue reads what AppendValue wrote; b may change afterwards. Any other bytes are an error.
func ReadValue(b []byte) (Value, error) {
	r, err := newReader(b, valueForm)
	if err != nil {
		return nil, err
	}
	v := r.value(0)
	return v, r.end()
}

// AppendTo writes a patch for keeping: ReadPatch gives it back. Changes of private keys are left out. It fails as AppendValue
// does.
func (p Patch) AppendTo(b []byte) ([]byte, error) {
	b = append(b, patchForm, formVersion)
	var last []string
	var err error
	for _, c := range p {
		if c.private() {
			continue
		}
		shared := 0
		for shared < len(last) && shared < len(c.Path) && last[shared] == c.Path[shared] {
			shared++
		}
		last = c.Path
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(shared)), uint64(len(c.Path)-shared))
		for _, key := range c.Path[shared:] {
			b = appendText(b, key)
		}
		switch {
		case c.Part:
			b = binary.AppendUvarint(binary.AppendUvarint(append(b, changePart), uint64(c.At)), uint64(c.Cut))
		case c.Value == nil:
			b = append(b, changeRemove)
			continue
		default:
			b = append(b, changePut)
		}
		if b, err = appendValue(b, c.Value, len(c.Path)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (c Change) private() bool {
	for _, key := range c.Path {
		if IsPrivate(key) {
			return true
		}
	}
	return false
}

// ReadPatch reads what AppendTo wrote. Any other bytes are an error.
func ReadPatch(b []byte) (Patch, error) {
	r, err := newReader(b, patchForm)
	if err != nil {
		return nil, err
	}
	var p Patch
	var last []string
	for r.err == nil && r.rest != "" {
		c := Change{Path: r.path(last)}
		last = c.Path
		switch r.byte() {
		case changePut:
			c.Value = r.value(len(c.Path))
		case changeRemove:
			if len(c.Path) == 0 {
				r.fail("a patch removes everything")
			}
		case changePart:
			c.Part, c.At, c.Cut = true, r.index(), r.index()
			if c.Value = r.value(len(c.Path)); r.err == nil {
				if _, ok := c.Value.(List); !ok {
					r.fail("a part of a list is a list")
				}
			}
		default:
			r.fail("a change of an unknown kind")
		}
		p = append(p, c)
	}
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

// reader takes values from the front of a text and keeps the first failure. Texts share memory with the whole.
type reader struct {
	rest string
	size int
	err  error
}

func newReader(b []byte, form byte) (*reader, error) {
	if len(b) < 2 || b[0] != form {
		return nil, errors.New("the bytes are not what messages are kept as")
	}
	if b[1] != formVersion {
		return nil, fmt.Errorf("the message is kept in version %d of the form, this program reads %d", b[1], formVersion)
	}
	return &reader{rest: string(b[2:]), size: len(b)}, nil
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("kept message, at byte %d: %s", r.size-len(r.rest), why)
	}
	r.rest = ""
}

func (r *reader) end() error {
	if r.err == nil && r.rest != "" {
		r.fail("something follows the value")
	}
	return r.err
}

func (r *reader) take(n int) string {
	if n > len(r.rest) {
		r.fail("it ends too early")
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0xff
}

// uvarint reads a number in its shortest form.
func (r *reader) uvarint() uint64 {
	var n uint64
	for i := 0; i < binary.MaxVarintLen64 && i < len(r.rest); i++ {
		c := r.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c >= 0x80 {
			continue
		}
		if c == 0 && i > 0 {
			break
		}
		r.rest = r.rest[i+1:]
		return n
	}
	r.fail("a number is not written as one")
	return 0
}

// count reads how many of something follow that takes at least that many bytes each.
func (r *reader) count(least int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/least) {
		r.fail("it ends too early")
		return 0
	}
	return int(n)
}

func (r *reader) index() int {
	n := r.uvarint()
	if n > math.MaxInt32 {
		r.fail("a place in a list is too large")
		return 0
	}
	return int(n)
}

func (r *reader) text() string { return r.take(r.count(1)) }

func (r *reader) id() (id ID) {
	copy(id[:], r.take(len(id)))
	return id
}

// path reads the keys of a change; those it shares with the one before are counted.
func (r *reader) path(last []string) []string {
	shared := r.uvarint()
	n := r.count(1)
	if shared > uint64(len(last)) || int(shared)+n > DepthMax {
		r.fail("a path that cannot be")
		return nil
	}
	path := append(make([]string, 0, int(shared)+n), last[:shared]...)
	for i := range n {
		key := r.text()
		if i == 0 && int(shared) < len(last) && key == last[shared] || IsPrivate(key) {
			r.fail("a key that a change does not have")
		}
		path = append(path, key)
	}
	return path
}

func (r *reader) value(depth int) Value {
	if depth > DepthMax {
		r.fail("values nest too deep")
		return nil
	}
	switch r.byte() {
	case tagBytes:
		return Bytes(r.text())
	case tagInt:
		u := r.uvarint()
		return Int(int64(u>>1) ^ -int64(u&1))
	case tagBigInt:
		return r.bigInt()
	case tagFloat:
		if s := r.take(8); s != "" {
			return Float(math.Float64frombits(binary.BigEndian.Uint64([]byte(s))))
		}
	case tagAtom:
		return Atom(r.text())
	case tagLink:
		return Link{To: r.id(), Type: r.text()}
	case tagList:
		l := make(List, r.count(2))
		for i := range l {
			l[i] = r.value(depth + 1)
		}
		return l
	case tagMessage:
		return r.message(depth)
	case tagDecoded:
		id, codec, raw := r.id(), r.text(), r.text()
		o := &origin{id: id, codec: codec}
		if raw != "" {
			o.raw = []byte(raw)
		}
		m := r.message(depth)
		m.origin = o
		return m
	default:
		r.fail("a value of an unknown type")
	}
	return nil
}

func (r *reader) bigInt() Value {
	text := r.text()
	v, ok := Whole(text)
	if n, small := v.(Int); small {
		v = BigInt(strconv.FormatInt(int64(n), 10))
	}
	if !ok || v != BigInt(text) {
		r.fail("a whole number is not written as one")
	}
	return BigInt(text)
}

func (r *reader) message(depth int) Message {
	fs := make([]Field, 0, r.count(3))
	for range cap(fs) {
		key := r.text()
		if len(fs) > 0 && key <= fs[len(fs)-1].Key || IsPrivate(key) {
			r.fail("keys are not in order")
		}
		fs = append(fs, Field{key, r.value(depth + 1)})
		if r.err != nil {
			return Message{}
		}
	}
	return ordered(fs)
}
