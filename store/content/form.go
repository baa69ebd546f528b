package content

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/codec/tx"
	"ago/message"
)

// The form of records and their pieces. A record is
//
//	version, shape, origin, body
//
// the origin being a byte of 0, or of 1 and then 32 bytes of id, the name of the codec, and the bytes it came in as a value. A
// body is its height, then a count; at height 0 of fields, each a key and a value, above of pieces, each the first key in it and
// its hash. Lists leave the keys out. A piece is
//
//	version, shape, body
//
// Values are a byte for where they are, and then
//
//	here    length, what message.AppendValue gives
//	data    hash, length
//	origin  offset and length in the bytes that the message came in
//
// Texts are their length and bytes. Lengths, counts and offsets are varints.
const formVersion = 1

const (
	shapeMessage = 'm'
	shapeList    = 'l'
	shapeValue   = 'v' // anything else that somebody kept by itself: one field
)

const (
	valueHere   = 0
	valueData   = 1
	valueOrigin = 2
)

// heightMax bounds how high the pieces of one record are stacked.
const heightMax = 8

// fieldsMax bounds the fields of one record.
const fieldsMax = 1 << 24

// record is a message or list as it is kept.
type record struct {
	shape byte
	from  *origin // nil for what came in no bytes
	body  body
}

type origin struct {
	id    message.ID
	codec string
	raw   value
}

// body is a level of a record: fields, or the pieces that hold them.
type body struct {
	height int
	fields []field
	pieces []piece
}

type field struct {
	key   string
	value value
}

type piece struct {
	first string // key; of a message
	hash  message.ID
}

// value is where a value is.
type value struct {
	where        byte
	here         string // as message.AppendValue gives it
	hash         message.ID
	offset, size uint64
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (r record) bytes() []byte {
	b := []byte{formVersion, r.shape}
	if r.from == nil {
		b = append(b, 0)
	} else {
		b = append(append(b, 1), r.from.id[:]...)
		b = r.from.raw.append(appendText(b, r.from.codec))
	}
	return r.body.append(b, r.shape)
}

func (d body) bytes(shape byte) []byte { return d.append([]byte{formVersion, shape}, shape) }

func (d body) append(b []byte, shape byte) []byte {
	b = append(b, byte(d.height))
	if d.height == 0 {
		b = binary.AppendUvarint(b, uint64(len(d.fields)))
		for _, f := range d.fields {
			b = f.append(b, shape)
		}
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(d.pieces)))
	for _, p := range d.pieces {
		if shape == shapeMessage {
			b = appendText(b, p.first)
		}
		b = append(b, p.hash[:]...)
	}
	return b
}

func (f field) append(b []byte, shape byte) []byte {
	if shape == shapeMessage {
		b = appendText(b, f.key)
	}
	return f.value.append(b)
}

func (v value) append(b []byte) []byte {
	b = append(b, v.where)
	switch v.where {
	case valueHere:
		return appendText(b, v.here)
	case valueData:
		return binary.AppendUvarint(append(b, v.hash[:]...), v.size)
	}
	return binary.AppendUvarint(binary.AppendUvarint(b, v.offset), v.size)
}

// reader takes parts from the front of a text and keeps the first failure.
type reader struct {
	rest string
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.rest = ""
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.rest)) {
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

func (r *reader) uvarint() uint64 {
	var n uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		c := r.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		if n |= uint64(c&0x7f) << (7 * i); c < 0x80 {
			if c == 0 && i > 0 {
				break
			}
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.fail("a number is not written as one")
	return 0
}

func (r *reader) text() string { return r.take(r.uvarint()) }

func (r *reader) id() (id message.ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

// head reads version and shape.
func (r *reader) head() byte {
	if v := r.byte(); r.err == nil && v != formVersion {
		r.fail("it is kept in version %d of the form, this program reads %d", v, formVersion)
	}
	shape := r.byte()
	if r.err == nil && shape != shapeMessage && shape != shapeList && shape != shapeValue {
		r.fail("it is neither message nor list nor value")
	}
	return shape
}

func (r *reader) end() error {
	if r.err == nil && r.rest != "" {
		r.fail("something follows")
	}
	return r.err
}

// readRecord reads what record.bytes wrote. Any other bytes are an error.
func readRecord(b []byte) (record, error) {
	r := reader{rest: string(b)}
	out := record{shape: r.head()}
	switch r.byte() {
	case 0:
	case 1:
		o := &origin{id: r.id(), codec: r.text(), raw: r.value()}
		if o.raw.where == valueOrigin {
			r.fail("bytes cannot be a part of themselves")
		}
		out.from = o
	default:
		r.fail("an origin of an unknown kind")
	}
	out.body = r.body(out.shape)
	return out, r.end()
}

// readPiece reads a piece of that shape and height.
func readPiece(b []byte, shape byte, height int) (body, error) {
	r := reader{rest: string(b)}
	if got := r.head(); r.err == nil && got != shape {
		r.fail("a piece of another shape")
	}
	out := r.body(shape)
	if r.err == nil && out.height != height {
		r.fail("a piece of another height")
	}
	return out, r.end()
}

func (r *reader) body(shape byte) (d body) {
	d.height = int(r.byte())
	n := r.uvarint()
	if r.err == nil && (d.height > heightMax || n > uint64(len(r.rest))) {
		r.fail("more is counted than there is")
	}
	if r.err != nil {
		return body{}
	}
	var last *string
	key := func() (k string) {
		if shape != shapeMessage {
			return ""
		}
		if k = r.text(); last != nil && k <= *last || message.IsPrivate(k) {
			r.fail("keys are not in order")
		}
		last = &k
		return k
	}
	for range n {
		if d.height > 0 {
			d.pieces = append(d.pieces, piece{key(), r.id()})
		} else {
			d.fields = append(d.fields, field{key(), r.value()})
		}
		if r.err != nil {
			return body{}
		}
	}
	return d
}

func (r *reader) value() (v value) {
	switch v.where = r.byte(); v.where {
	case valueHere:
		v.here = r.text()
	case valueData:
		v.hash, v.size = r.id(), r.uvarint()
	case valueOrigin:
		v.offset, v.size = r.uvarint(), r.uvarint()
	default:
		r.fail("a value in an unknown place")
	}
	if v.size > math.MaxInt32 || v.offset > math.MaxInt32 {
		r.fail("a value is too large")
	}
	return v
}

// loader puts a record together.
type loader struct {
	c      *Contents
	ctx    context.Context
	raw    []byte
	fields int
}

// value gives the value of a record: a message or a list.
func (c *Contents) value(ctx context.Context, r record) (message.Value, error) {
	l := loader{c: c, ctx: ctx}
	if r.from != nil {
		raw, err := l.place(r.from.raw)
		if err != nil {
			return nil, err
		}
		text, _ := raw.(message.Bytes)
		l.raw = []byte(text)
	}
	if r.shape == shapeValue {
		if len(r.body.fields) != 1 {
			return nil, errors.New("it is not one value")
		}
		return l.place(r.body.fields[0].value)
	}
	if r.shape == shapeList {
		list := message.List{}
		err := l.each(r.shape, r.body, func(_ string, v message.Value) { list = append(list, v) })
		return list, err
	}
	fs := make([]message.Field, 0, len(r.body.fields))
	err := l.each(r.shape, r.body, func(key string, v message.Value) { fs = append(fs, message.Field{Key: key, Value: v}) })
	if err != nil {
		return nil, err
	}
	m := message.New(fs...)
	if r.from != nil {
		m = m.Decoded(r.from.id, r.from.codec, l.raw, form(r.from.codec, l.raw))
	}
	return m, nil
}

// form is what the codec of a message keeps beside it; nil if it reads the bytes no more.
func form(codec string, raw []byte) any {
	var m message.Message
	var err error
	switch codec {
	case ans104.Codec:
		m, err = ans104.Decode(raw)
	case httpsig.Codec:
		m, err = httpsig.Read(raw)
	case tx.Codec:
		m, err = tx.Decode(raw)
	}
	if err != nil {
		return nil
	}
	return m.Form()
}

var errFields = errors.New("it has more fields than a message may have")

// each goes through the fields of a body and of its pieces.
func (l *loader) each(shape byte, d body, do func(key string, v message.Value)) error {
	for _, f := range d.fields {
		v, err := l.place(f.value)
		if err != nil {
			return err
		}
		if l.fields++; l.fields > fieldsMax {
			return errFields
		}
		do(f.key, v)
	}
	for _, p := range d.pieces {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		b, err := l.c.tables.Get(row(rowPiece, p.hash))
		if err != nil {
			return fmt.Errorf("piece %s: %w", p.hash, err)
		}
		below, err := readPiece(b, shape, d.height-1)
		if err != nil {
			return fmt.Errorf("piece %s: %w", p.hash, err)
		}
		if err := l.each(shape, below, do); err != nil {
			return err
		}
	}
	return nil
}

// place gets a value from where it is.
func (l *loader) place(v value) (message.Value, error) {
	switch v.where {
	case valueHere:
		return message.ReadValue([]byte(v.here))
	case valueData:
		b, err := l.c.data(l.ctx, v.hash)
		return message.Bytes(b), err
	}
	if v.offset+v.size > uint64(len(l.raw)) {
		return nil, errors.New("a value is said to be in bytes that end before it")
	}
	return message.Bytes(l.raw[v.offset : v.offset+v.size]), nil
}
