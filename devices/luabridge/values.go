// Package luabridge lets Lua programs work on messages: values cross as they are, and what a program holds lives as long as the
// process it belongs to.
package luabridge

import (
	"encoding/binary"
	"math"
	"strings"

	"ago/fault"
	"ago/message"
)

// What a value is; the form is that of the machine for messages.
const (
	kindNil byte = iota
	kindFalse
	kindTrue
	kindInteger
	kindFloat
	kindText
	kindTable
	kindList
)

// depthMax is how deep messages are nested that cross to Lua.
const depthMax = 100

// Commitments say how they were made under type or alg; programs look for either.
const (
	keyAlg  = "alg"
	keyType = "type"
	// algItem is what the commitments of data items are called for programs, which know one name for RSA.
	typeItem, algItem = "rsa-pss-sha256", "rsa-pss-sha512"
)

// role is what a message is to the one it is in.
type role uint8

const (
	plain role = iota
	commitments
	commitment
)

func (r role) of(key string) role {
	switch {
	case r == commitments:
		return commitment
	case key == message.KeyCommitments:
		return commitments
	}
	return plain
}

// AppendList writes values as a list of the machine. Atoms become texts, but for true and false; private keys are left out, and
// commitments have both type and alg. It fails with TooLarge for values that are nested too deeply, and with Malformed for links,
// which the caller loads before.
func AppendList(b []byte, values []message.Value) ([]byte, error) {
	b = binary.LittleEndian.AppendUint32(append(b, kindList), uint32(len(values)))
	var err error
	for _, v := range values {
		if b, err = appendValue(b, v, plain, 0); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(append(b, kindText), uint32(len(s))), s...)
}

func appendValue(b []byte, v message.Value, r role, depth int) ([]byte, error) {
	if depth > depthMax {
		return nil, fault.New(fault.TooLarge, "message-too-deep", "messages that cross to Lua are nested at most %d deep", depthMax)
	}
	var err error
	switch v := v.(type) {
	case nil:
		return append(b, kindNil), nil
	case message.Bytes:
		return appendText(b, string(v)), nil
	case message.BigInt:
		return appendText(b, string(v)), nil
	case message.Atom:
		switch v {
		case "true":
			return append(b, kindTrue), nil
		case "false":
			return append(b, kindFalse), nil
		}
		return appendText(b, string(v)), nil
	case message.Int:
		return binary.LittleEndian.AppendUint64(append(b, kindInteger), uint64(v)), nil
	case message.Float:
		return binary.LittleEndian.AppendUint64(append(b, kindFloat), math.Float64bits(float64(v))), nil
	case message.List:
		b = binary.LittleEndian.AppendUint32(append(b, kindList), uint32(len(v)))
		for _, member := range v {
			if b, err = appendValue(b, member, plain, depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	case message.Message:
		b = append(b, kindTable)
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		n := uint32(0)
		for key, member := range v.All() {
			if hidden(key, member) {
				continue
			}
			n++
			if b, err = appendValue(appendText(b, key), member, r.of(key), depth+1); err != nil {
				return nil, err
			}
		}
		if r == commitment {
			if key, name := alias(v); key != "" {
				n++
				b = appendText(appendText(b, key), name)
			}
		}
		binary.LittleEndian.PutUint32(b[at:], n)
		return b, nil
	}
	return nil, fault.New(fault.Malformed, "link-unloaded", "a link cannot cross to Lua")
}

// hidden tells which keys Lua does not see.
func hidden(key string, v message.Value) bool { return v == nil || message.IsPrivate(key) }

// alias is the name that a commitment lacks: type where it has alg, alg where it has type.
func alias(m message.Message) (key, name string) {
	switch t, a := m.Text(keyType), m.Text(keyAlg); {
	case a == "" && t == typeItem:
		return keyAlg, algItem
	case a == "" && t != "":
		return keyAlg, t
	case t == "" && a != "":
		return keyType, a
	}
	return "", ""
}

// ReadList reads a list that the machine wrote. What equals the value of the same place in like is that value: so atoms, big
// numbers and empty lists that Lua only passes on stay what they are, and messages share what did not change. It fails with
// Internal for what no machine writes.
func ReadList(b []byte, like []message.Value) ([]message.Value, error) {
	r := &reader{b: b}
	if r.byte() != kindList {
		r.bad = true
	}
	n := r.count(1)
	out := make([]message.Value, 0, n)
	for i := range n {
		var before message.Value
		if i < len(like) {
			before = like[i]
		}
		v, _ := r.value(before, plain, 0)
		out = append(out, v)
	}
	if r.bad || len(r.b) > 0 {
		return nil, fault.New(fault.Internal, "lua-values-malformed", "the Lua machine wrote values that cannot be read")
	}
	return out, nil
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, min(n, 8))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte { return r.take(1)[0] }

// count reads the number of things that take at least so many bytes.
func (r *reader) count(least int) int {
	n := binary.LittleEndian.Uint32(r.take(4))
	if r.bad || uint64(n)*uint64(least) > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

// value reads one; same tells that it is like.
func (r *reader) value(like message.Value, in role, depth int) (v message.Value, same bool) {
	if depth > depthMax+1 {
		r.bad = true
		return nil, false
	}
	switch r.byte() {
	case kindNil:
		return nil, like == nil
	case kindFalse:
		return message.Atom("false"), like == message.Value(message.Atom("false"))
	case kindTrue:
		return message.Atom("true"), like == message.Value(message.Atom("true"))
	case kindInteger:
		n := message.Int(binary.LittleEndian.Uint64(r.take(8)))
		was, ok := like.(message.Int)
		return n, ok && was == n
	case kindFloat:
		bits := binary.LittleEndian.Uint64(r.take(8))
		was, ok := like.(message.Float)
		return message.Float(math.Float64frombits(bits)), ok && math.Float64bits(float64(was)) == bits
	case kindText:
		text := r.take(r.count(1))
		switch was := like.(type) {
		case message.Bytes:
			if string(was) == string(text) {
				return like, true
			}
		case message.Atom:
			if string(was) == string(text) {
				return like, true
			}
		case message.BigInt:
			if string(was) == string(text) {
				return like, true
			}
		}
		return message.Bytes(text), false
	case kindTable:
		return r.table(like, in, depth)
	case kindList:
		return r.list(like, depth)
	}
	r.bad = true
	return nil, false
}

func (r *reader) table(like message.Value, in role, depth int) (message.Value, bool) {
	n := r.count(6)
	if list, ok := like.(message.List); ok && n == 0 && len(list) == 0 {
		return like, true
	}
	was, isMessage := like.(message.Message)
	aliased, name := "", ""
	if in == commitment && isMessage {
		aliased, name = alias(was)
	}
	same := isMessage
	fs := make([]message.Field, 0, n)
	for range n {
		if r.byte() != kindText {
			r.bad = true
			return nil, false
		}
		key := string(r.take(r.count(1)))
		var before message.Value
		if isMessage {
			before, _ = was.Get(key)
		}
		v, equal := r.value(before, in.of(key), depth+1)
		if key == aliased && v == message.Value(message.Bytes(name)) {
			continue
		}
		if hidden(key, v) {
			continue
		}
		same = same && equal
		fs = append(fs, message.Field{Key: key, Value: v})
	}
	if same && len(fs) == visible(was) {
		return like, true
	}
	return message.Of(fs), false
}

func visible(m message.Message) int {
	n := 0
	for key, v := range m.All() {
		if !hidden(key, v) {
			n++
		}
	}
	return n
}

func (r *reader) list(like message.Value, depth int) (message.Value, bool) {
	n := r.count(1)
	was, same := like.(message.List)
	same = same && len(was) == n
	out := make(message.List, 0, n)
	for i := range n {
		var before message.Value
		if i < len(was) {
			before = was[i]
		}
		v, equal := r.value(before, plain, depth+1)
		same = same && equal
		out = append(out, v)
	}
	if same {
		return like, true
	}
	return out, false
}

// ThrownText is what an error says: its text, or that of its body or message.
func ThrownText(v message.Value) string {
	switch v := v.(type) {
	case message.Bytes:
		return string(v)
	case message.Message:
		for _, key := range []string{message.KeyBody, "message", "error"} {
			if text := v.Text(key); text != "" {
				return text
			}
		}
	}
	return "an error in Lua"
}

// Frames reads a traceback: one frame for each of its lines.
func Frames(traceback string) []string {
	var out []string
	for line := range strings.Lines(traceback) {
		if line = strings.TrimSpace(line); line != "" && line != "stack traceback:" {
			out = append(out, line)
		}
	}
	return out
}
