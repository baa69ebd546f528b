package process

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"ago/codec/js"
	"ago/message"
)

// Page is a part of a schedule as AO-Core clients read it.
type Page struct {
	Process   message.ID
	Slots     []Assigned
	Signed    []message.Message // the assignments of Slots with the scheduler's commitments
	Continues bool              // the part that was asked for goes on behind the last slot
	// The newest block.
	BlockHeight uint64
	BlockHash   message.ID
	BlockTime   int64 // ms
}

// Message gives the page as one message: type, process, continues, timestamp (seconds), block-height, block-hash, and under
// assignments every assignment by its slot.
func (p Page) Message() message.Message {
	assignments := make([]message.Field, len(p.Signed))
	for i, m := range p.Signed {
		assignments[i] = message.Field{Key: strconv.FormatUint(uint64(p.Slots[i].Slot), 10), Value: m}
	}
	return message.New(
		message.Field{Key: "type", Value: message.Bytes("schedule")},
		message.Field{Key: "process", Value: message.Bytes(p.Process.String())},
		message.Field{Key: "continues", Value: message.Atom(strconv.FormatBool(p.Continues))},
		message.Field{Key: "timestamp", Value: message.Int(p.BlockTime / 1000)},
		message.Field{Key: "block-height", Value: message.Int(int64(p.BlockHeight))},
		message.Field{Key: "block-hash", Value: message.Bytes(p.BlockHash.String())},
		message.Field{Key: "assignments", Value: message.New(assignments...)})
}

// JSON gives the page as compute units read it from an AO-Core scheduler: edges, each with its slot as cursor and a node of
// assignment and message, and page_info. Keys are in order.
func (p Page) JSON() []byte {
	b := []byte(`{"edges":[`)
	for i, a := range p.Slots {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(append(b, `{"cursor":`...), uint64(a.Slot), 10)
		b = AppendContentJSON(append(b, `,"node":{"assignment":`...), ContentOfMessage(p.Signed[i]))
		b = append(AppendContentJSON(append(b, `,"message":`...), a.Content), `}}`...)
	}
	b = js.AppendJSON(append(b, `],"page_info":{"block-hash":`...), p.BlockHash.String())
	b = strconv.AppendUint(append(b, `,"block-height":"`...), p.BlockHeight, 10)
	b = strconv.AppendBool(append(b, `","has_next_page":`...), p.Continues)
	b = js.AppendJSON(append(b, `,"process":`...), p.Process.String())
	b = strconv.AppendInt(append(b, `,"timestamp":"`...), p.BlockTime/1000, 10)
	return append(b, `"}}`...)
}

// AppendContentJSON writes a message as compute units read it from AO-Core: Anchor, Data, From, Id, Owner, PublicKey, Signature,
// Tags and Target, of which those that are absent are "". Data that is no text is null.
func AppendContentJSON(b []byte, c Content) []byte {
	anchor := ""
	if c.item != nil && c.item.Anchor != nil {
		anchor = base64.RawURLEncoding.EncodeToString(c.item.Anchor)
	} else if c.item == nil && c.Anchor != nil {
		anchor = *c.Anchor
	}
	alphabet := base64.StdEncoding // each encoding names keys in its own
	if c.item != nil {
		alphabet = base64.RawURLEncoding
	}
	b = js.AppendJSON(append(b, `{"Anchor":`...), anchor)
	b = append(b, `,"Data":`...)
	if utf8.Valid(c.Data) {
		b = js.AppendJSON(b, string(c.Data))
	} else {
		b = append(b, "null"...)
	}
	for _, f := range []struct{ name, value string }{
		{"From", c.From()}, {"Id", c.ID.String()}, {"Owner", c.Owner},
		{"PublicKey", alphabet.EncodeToString(c.OwnerKey)}, {"Signature", base64.RawURLEncoding.EncodeToString(c.Signature)},
	} {
		b = js.AppendJSON(append(append(append(b, `,"`...), f.name...), `":`...), f.value)
	}
	b = appendTags(append(b, `,"Tags":`...), c.Tags, nil)
	return append(js.AppendJSON(append(b, `,"Target":`...), c.Target), '}')
}
