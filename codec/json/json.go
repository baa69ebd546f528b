// Package json writes a message as the JSON that clients read, and reads it.
//
// Numbers, truth values, null, lists and maps are those of JSON; any other atom is a text that ao-types names. Atoms inside a
// list have no key that could be named, so there they become texts.
package json

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"ago/codec/structured"
	"ago/fault"
	"ago/message"
)

// Codec is the name of the encoding, ContentType its media type.
const (
	Codec       = "json@1.0"
	ContentType = "application/json"
)

func malformed(format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, "json-malformed", format, args...)
}

// Encode writes the message with its keys in order; links become keys with the suffix +link, private keys are left out. It
// fails with Unsupported ("json-unwritable") for bytes that are no UTF-8 and for numbers that are none.
func Encode(m message.Message) ([]byte, error) {
	var b bytes.Buffer
	err := writeMessage(&b, m)
	return b.Bytes(), err
}

func writeMessage(b *bytes.Buffer, m message.Message) error {
	var atoms []string
	for key, v := range m.All() {
		if a, ok := v.(message.Atom); ok && !native(a) && !message.IsPrivate(key) {
			atoms = append(atoms, key)
		}
	}
	if len(atoms) > 0 { // the types are those of the annotated form, of the atoms alone
		fs := make([]message.Field, len(atoms))
		for i, key := range atoms {
			v, _ := m.Get(key)
			fs[i] = message.Field{Key: key, Value: v}
		}
		types, _ := message.New(fs...).Annotate(message.Nested).Get(message.KeyTypes)
		m = m.With(message.KeyTypes, types)
	}
	b.WriteByte('{')
	first := true
	for key, v := range m.All() {
		if message.IsPrivate(key) {
			continue
		}
		if l, ok := v.(message.Link); ok {
			key, v = key+"+link", message.Bytes(l.To.String())
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		if err := writeText(b, key, key); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := writeValue(b, key, v); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// native tells the atoms that JSON has.
func native(a message.Atom) bool { return a == "true" || a == "false" || a == "null" }

func writeValue(b *bytes.Buffer, key string, v message.Value) error {
	switch v := v.(type) {
	case message.Bytes:
		return writeText(b, key, string(v))
	case message.Int:
		b.WriteString(strconv.FormatInt(int64(v), 10))
	case message.BigInt:
		b.WriteString(string(v))
	case message.Float:
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			return fault.New(fault.Unsupported, "json-unwritable", "the number under %.60q is none that JSON has", key)
		}
		b.WriteString(floatText(float64(v)))
	case message.Atom:
		if native(v) {
			b.WriteString(string(v))
			return nil
		}
		return writeText(b, key, string(v))
	case message.Link:
		return writeText(b, key, v.To.String())
	case message.List:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeValue(b, key, e); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case message.Message:
		return writeMessage(b, v)
	}
	return nil
}

// floatText is the shortest text of the number that still shows it is no whole number.
func floatText(f float64) string {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if strings.Contains(text, ".") {
		return text
	}
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok {
		return mantissa + ".0e" + exponent
	}
	return text + ".0"
}

func writeText(b *bytes.Buffer, key, text string) error {
	if !utf8.ValidString(text) {
		return fault.New(fault.Unsupported, "json-unwritable", "the bytes under %.60q are no text, which JSON cannot hold", key).
			WithHint("ask for the message in httpsig@1.0, or for the key alone")
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return fault.Wrap(err, fault.Internal, "json-unwritable", "write a text")
	}
	b.Truncate(b.Len() - 1) // the encoder ends a line
	return nil
}

// Decode reads an object and applies its types. It fails with Malformed ("json-malformed", "types-malformed") and with
// TooLarge ("message-too-deep"). Of keys that come twice the last counts.
func Decode(text []byte) (message.Message, error) { return DecodeUpTo(text, math.MaxInt) }

// DecodeUpTo is Decode of at most so many keys and members of lists, for what strangers send: one of them takes two bytes to write
// and a hundred to keep. Beyond that it fails with TooLarge ("keys-too-many").
func DecodeUpTo(text []byte, most int) (message.Message, error) {
	if most < len(text) && count(text) > most {
		return message.Message{}, fault.New(fault.TooLarge, "keys-too-many", "a message has up to %d keys and members of lists here", most).
			WithHint("send it in several messages")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if !utf8.Valid(text) {
		return message.Message{}, malformed("JSON is written in UTF-8")
	}
	v, err := read(d, 0)
	if err != nil {
		return message.Message{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return message.Message{}, malformed("something follows the JSON value")
	}
	m, ok := v.(message.Message)
	if !ok {
		return message.Message{}, malformed("a message in JSON is an object")
	}
	return structured.Decode(m, structured.GenB)
}

// ReadCost tells, before a text is read with so many values at most, about how many bytes of memory that takes.
func ReadCost(text []byte, most int) int64 {
	return 3*int64(len(text)) + valueCost*int64(min(count(text), most))
}

// valueCost are the bytes of a value beside its text, as it is read and as it is kept.
const valueCost = 384

// count gives how many values a text holds, or more if it is not JSON: each begins the text or stands after a bracket or a comma.
func count(text []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '{' || c == '['):
			n++
		}
	}
	return n
}

func read(d *json.Decoder, depth int) (message.Value, error) {
	if depth > structured.DepthMax {
		return nil, fault.New(fault.TooLarge, "message-too-deep", "JSON is nested at most %d deep", structured.DepthMax)
	}
	t, err := d.Token()
	if err != nil {
		return nil, malformed("JSON cannot be read at byte %d", d.InputOffset())
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return readList(d, depth)
		}
		return readObject(d, depth)
	case string:
		return message.Bytes(t), nil
	case bool:
		return message.Atom(strconv.FormatBool(t)), nil
	case json.Number:
		return readNumber(string(t))
	}
	return message.Atom("null"), nil
}

func readList(d *json.Decoder, depth int) (message.Value, error) {
	l := message.List{}
	for d.More() {
		v, err := read(d, depth+1)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed("a list is not closed")
	}
	return l, nil
}

func readObject(d *json.Decoder, depth int) (message.Value, error) {
	var fs []message.Field
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, malformed("a key cannot be read at byte %d", d.InputOffset())
		}
		v, err := read(d, depth+1)
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, malformed("a key is a text")
		}
		fs = append(fs, message.Field{Key: name, Value: v})
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed("an object is not closed")
	}
	return message.New(fs...), nil
}

func readNumber(text string) (message.Value, error) {
	if !strings.ContainsAny(text, ".eE") {
		if n, ok := message.Whole(text); ok {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, malformed("the number %.40s is out of range", text)
	}
	return message.Float(f), nil
}
