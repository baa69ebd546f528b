package process

import (
	"bytes"
	"encoding/json"
	"strings"

	"ago/codec/js"
	"ago/message"
)

// DryMessage is the unsigned message of a dry run, as the client gave it. All fields may be absent.
type DryMessage struct {
	ID          json.RawMessage `json:"Id"`
	Signature   json.RawMessage `json:"Signature"`
	Owner       json.RawMessage `json:"Owner"`
	Target      json.RawMessage `json:"Target"`
	Anchor      json.RawMessage `json:"Anchor"`
	Data        json.RawMessage `json:"Data"`
	Tags        []Tag           `json:"Tags"`
	Timestamp   json.RawMessage `json:"Timestamp"`
	BlockHeight json.RawMessage `json:"Block-Height"`
}

// DryRunJSON is the text the module is given for a dry run: the client's fields, who it says it is from, the position of
// the last evaluated message, and Read-Only.
func DryRunJSON(def Definition, d DryMessage, timestamp int64, height uint64) []byte {
	b := []byte{'{'}
	put := func(key string, v json.RawMessage) {
		if len(v) == 0 {
			return
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(js.AppendJSON(b, key), ':')
		b = append(b, compact(v)...)
	}
	put("Id", d.ID)
	put("Signature", d.Signature)
	put("Data", d.Data)
	put("Owner", d.Owner)
	if absent(d.Target) {
		d.Target = js.AppendJSON(nil, def.ID.String())
	}
	put("Target", d.Target)
	put("Anchor", d.Anchor)
	from := d.Owner
	if p, ok := FirstTag(d.Tags, "From-Process"); ok {
		from = js.AppendJSON(nil, p)
	}
	put("From", from)
	put("Tags", appendTags(nil, d.Tags, reserved))
	if absent(d.Timestamp) {
		d.Timestamp = appendInt(nil, timestamp)
	}
	put("Timestamp", d.Timestamp)
	if absent(d.BlockHeight) {
		d.BlockHeight = appendInt(nil, int64(height))
	}
	put("Block-Height", d.BlockHeight)
	return append(b, `,"Cron":false,"Read-Only":true}`...)
}

func compact(v json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}

// Message gives the fields of a dry run as AO-Core reads a message: tags and fields under keys in lower case.
func (d DryMessage) Message() message.Message {
	m := message.Message{}
	for _, t := range d.Tags {
		if key := strings.ToLower(t.Name); key != message.KeyCommitments && !message.IsPrivate(key) {
			m = m.With(key, message.Bytes(t.Value))
		}
	}
	for _, f := range []struct {
		key string
		raw json.RawMessage
	}{{"data", d.Data}, {"target", d.Target}, {"owner", d.Owner}, {"from", d.Owner}, {"anchor", d.Anchor}} {
		if absent(f.raw) {
			continue
		}
		text, ok := text(f.raw)
		if !ok {
			text = string(f.raw)
		}
		m = m.With(f.key, message.Bytes(text))
	}
	return m
}
