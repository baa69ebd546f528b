package process

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"ago/codec/js"
	corejson "ago/codec/json"
	"ago/message"
)

// keyOutbox holds what a result sends.
const keyOutbox = "outbox"

// OutcomeOf gives the result that an execution device left under the key results. What legacy units read is written from it:
// the outbox as Messages, output (or data) as Output, error as Error.
func OutcomeOf(results message.Message) Result {
	r := emptyResult()
	r.Core, r.IsCore = results, true
	if v, ok := results.Get("error"); ok && v != nil {
		r.Error = AppendPlainJSON(nil, v)
	}
	if v, ok := results.Get("output"); ok && v != nil {
		r.Output = AppendPlainJSON(nil, v)
	} else if v, ok := results.Get("data"); ok && v != nil {
		r.Output = append(AppendPlainJSON([]byte(`{"data":`), v), '}')
	}
	var b []byte
	for _, e := range OutboxOf(results) {
		b = appendEntryJSON(append(b, ','), e.Message)
	}
	if len(b) > 0 {
		b[0] = '['
		r.Messages = append(b, ']')
	}
	return r
}

// Settle gives the results of a device as they are kept and sent: the keys of the messages in the outbox are in lower case, as all
// keys that go over HTTP or become tags, so that Target of a program is the target. Of two that are one then, that in lower case
// counts, else the first in order.
func Settle(results message.Message) message.Message {
	v, _ := results.Get(keyOutbox)
	switch box := v.(type) {
	case message.List:
		out := make(message.List, len(box))
		for i, e := range box {
			out[i] = lowered(e)
		}
		return results.With(keyOutbox, out)
	case message.Message:
		for key, e := range box.All() {
			if m, ok := e.(message.Message); ok && key != message.KeyCommitments && !message.IsPrivate(key) {
				if low := lowered(m); !message.Equal(low, m) {
					box = box.With(key, low)
				}
			}
		}
		return results.With(keyOutbox, box)
	}
	return results
}

func lowered(v message.Value) message.Value {
	m, ok := v.(message.Message)
	if !ok {
		return v
	}
	out := m
	for key, v := range m.All() {
		low := strings.ToLower(key)
		if low == key || isID(key) {
			continue
		}
		out = out.Without(key)
		if _, taken := out.Get(low); !taken && !message.IsPrivate(low) && low != message.KeyCommitments {
			out = out.With(low, v)
		}
	}
	return out
}

func isID(key string) bool {
	_, err := message.ParseID(key)
	return err == nil
}

// Entry is a message of an outbox, under its key.
type Entry struct {
	Key     string
	Message message.Message
}

// OutboxOf lists the messages that a result sends: those under numbers in their order, then the others. What is no message is
// an entry without keys.
func OutboxOf(results message.Message) []Entry {
	v, _ := results.Get(keyOutbox)
	var out []Entry
	switch v := v.(type) {
	case message.List:
		for i, e := range v {
			m, _ := e.(message.Message)
			out = append(out, Entry{strconv.Itoa(i + 1), m})
		}
	case message.Message:
		for key, e := range v.All() {
			if key != message.KeyCommitments && !message.IsPrivate(key) && key != "device" {
				m, _ := e.(message.Message)
				out = append(out, Entry{key, m})
			}
		}
		place := func(key string) int {
			if n, err := strconv.Atoi(key); err == nil && n >= 0 {
				return n
			}
			return math.MaxInt
		}
		slices.SortStableFunc(out, func(a, b Entry) int { return cmp.Compare(place(a.Key), place(b.Key)) })
	}
	return out
}

// appendEntryJSON writes a message of an outbox as legacy units read it.
func appendEntryJSON(b []byte, m message.Message) []byte {
	c := ContentOfMessage(m.Without(message.KeyCommitments))
	b = js.AppendJSON(append(b, `{"Target":`...), c.Target)
	b = js.AppendJSON(append(b, `,"Anchor":`...), *c.Anchor)
	b = js.AppendJSON(append(b, `,"Data":`...), string(c.Data))
	return append(appendTags(append(b, `,"Tags":`...), c.Tags, nil), '}')
}

// AppendPlainJSON writes a value without its types: numbers and truths as JSON has them, links as ids.
func AppendPlainJSON(b []byte, v message.Value) []byte {
	switch v := v.(type) {
	case message.Int:
		return strconv.AppendInt(b, int64(v), 10)
	case message.BigInt:
		return append(b, v...)
	case message.Float:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.AppendFloat(b, f, 'g', -1, 64)
		}
		return append(b, "null"...)
	case message.Atom:
		if v == "true" || v == "false" || v == "null" {
			return append(b, v...)
		}
		return js.AppendJSON(b, string(v))
	case message.Bytes:
		return js.AppendJSON(b, string(v))
	case message.Link:
		return js.AppendJSON(b, v.To.String())
	case message.List:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendPlainJSON(b, e)
		}
		return append(b, ']')
	case message.Message:
		b = append(b, '{')
		first := true
		for key, e := range v.All() {
			if e == nil || message.IsPrivate(key) {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = AppendPlainJSON(append(js.AppendJSON(b, key), ':'), e)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// Results gives the result as AO-Core clients read it. That of a module has its messages under outbox, numbered from 1, with
// their tags as keys; its Output under output, and as data what that says; its error; and all of it under raw, and as text in
// json/body.
func (r Result) Results() message.Message {
	if r.IsCore {
		return r.Core
	}
	text := r.JSON()
	raw := ofJSON(text)
	field := func(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }
	fs := []message.Field{field("raw", raw), field("json", message.New(
		field(message.KeyContentType, message.Bytes("application/json")), field(message.KeyBody, message.Bytes(text))))}
	if v, ok := raw.Get("Output"); ok {
		fs = append(fs, field("output", v))
		if out, ok := v.(message.Message); ok {
			if v, ok = out.Get("data"); !ok {
				v, ok = out.Get("Data")
			}
			if ok && v != nil {
				fs = append(fs, field("data", v))
			}
		}
	}
	if r.HasError() {
		v, _ := raw.Get("Error")
		fs = append(fs, field("error", v))
	}
	out := message.Message{}
	for _, m := range r.Outbox().Messages {
		if m.Problem == "" {
			out = out.With(strconv.Itoa(m.Index+1), m.keys())
		}
	}
	return message.New(append(fs, field(keyOutbox, out))...)
}

// keys gives a message of a module as AO-Core reads it: of tags with one name in any case, the first counts.
func (m OutMessage) keys() message.Message {
	out := message.New(message.Field{Key: "target", Value: message.Bytes(m.Target)})
	if m.Data != nil {
		out = out.With("data", message.Bytes(*m.Data))
	}
	for _, t := range m.Tags {
		key := strings.ToLower(t.Name)
		if _, taken := out.Get(key); !taken && key != "from-process" && key != "from-image" && key != message.KeyCommitments && !message.IsPrivate(key) {
			out = out.With(key, message.Bytes(t.Value))
		}
	}
	return out
}

func ofJSON(text []byte) message.Message {
	m, err := corejson.Decode(text)
	if err != nil { // deeper than messages are
		return message.Message{}
	}
	return m
}
