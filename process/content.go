package process

import (
	"slices"
	"strconv"
	"strings"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/message"
)

// Keys of a message that are fields of their own for a legacy module, and so no tags.
var fieldKeys = []string{"id", "anchor", "owner", "data", "target", "signature", message.KeyCommitments}

// ContentOfMessage gives the content of any message: of one that is no data item, keys become tags in the order of their names,
// written as headers are ("data-protocol" is Data-Protocol), and values their text. Maps have none and are left out. The data is
// the key data, or body if there is none. Of several signers the first in the order of their commitments counts.
func ContentOfMessage(m message.Message) Content {
	if it, ok := ans104.ItemOf(m); ok {
		return ContentOf(it)
	}
	anchor := m.Text("anchor")
	c := Content{ID: m.SignedID(), Target: m.Text("target"), Anchor: &anchor, message: m}
	for _, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		if owner, signature, ok := httpsig.SignatureOf(entry); ok {
			c.OwnerKey, c.Signature, c.Owner = owner, signature, commitment.ProcessAddress(owner)
			break
		}
	}
	dataKey := "data"
	if _, ok := m.Get(dataKey); !ok {
		dataKey = message.KeyBody
	}
	if v, ok := m.Get(dataKey); ok {
		if text, ok := textOfValue(v); ok {
			c.Data = []byte(text)
		}
	}
	annotated := m.Annotate(message.Nested)
	for key, v := range annotated.All() {
		if slices.Contains(fieldKeys, key) || key == dataKey {
			continue
		}
		whole, _ := m.Get(key)
		if text, ok := v.(message.Bytes); ok {
			c.Tags = append(c.Tags, Tag{Name: headerCase(key), Value: string(text)})
		} else if list, ok := textOfValue(whole); ok {
			c.Tags = append(c.Tags, Tag{Name: headerCase(key), Value: list})
		}
	}
	return c
}

// Message gives the whole message with its commitments. That of a data item is one of them.
func (c Content) Message() message.Message {
	switch {
	case c.item != nil:
		return c.item.Committing()
	case c.message.Len() > 0:
		return c.message
	}
	// Known from elsewhere by its fields alone.
	fs := make([]message.Field, 0, len(c.Tags)+2)
	for _, t := range c.Tags {
		fs = append(fs, message.Field{Key: strings.ToLower(t.Name), Value: message.Bytes(t.Value)})
	}
	if c.Target != "" {
		fs = append(fs, message.Field{Key: "target", Value: message.Bytes(c.Target)})
	}
	if len(c.Data) > 0 {
		fs = append(fs, message.Field{Key: "data", Value: message.Bytes(c.Data)})
	}
	return message.New(fs...)
}

// Key gives the text under a key of the message: of a data item the first tag of the name in any case, as AO-Core reads tags.
func (c Content) Key(name string) string {
	if c.item == nil {
		return keyText(c.message, name, "")
	}
	for _, t := range c.Tags {
		if strings.EqualFold(t.Name, name) {
			return t.Value
		}
	}
	return ""
}

// headerCase writes a key as the name of a header.
func headerCase(key string) string {
	b := []byte(key)
	for i := range b {
		if (i == 0 || b[i-1] == '-') && b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// textOfValue is the text of a value that is no map; that of a list has its members in quotes, as a tag that came repeatedly.
func textOfValue(v message.Value) (string, bool) {
	list, ok := v.(message.List)
	if !ok {
		return device.Text(v)
	}
	members := make([]string, len(list))
	for i, e := range list {
		text, ok := device.Text(e)
		if !ok {
			return "", false
		}
		members[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return strings.Join(members, ", "), true
}

// keyValue finds a value by its name in any case: keys are lower-case where they were headers or tags, and as they were written
// elsewhere.
func keyValue(m message.Message, name string) (message.Value, bool) {
	if v, ok := m.Get(name); ok {
		return v, true
	}
	for k, v := range m.All() {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

func keyText(m message.Message, name, absent string) string {
	if v, ok := keyValue(m, name); ok {
		if text, ok := textOfValue(v); ok {
			return text
		}
	}
	return absent
}

// keyTexts reads a list, a numbered map, or a text with commas or with its members in quotes.
func keyTexts(m message.Message, name string) []string {
	v, _ := keyValue(m, name)
	switch v := v.(type) {
	case message.List:
		var out []string
		for _, e := range v {
			if text, ok := textOfValue(e); ok {
				out = append(out, text)
			}
		}
		return out
	case message.Message:
		var out []string
		for i := 1; ; i++ {
			e, ok := v.Get(strconv.Itoa(i))
			text, isText := textOfValue(e)
			if !ok || !isText {
				return out
			}
			out = append(out, text)
		}
	case message.Bytes:
		return commaList(string(v))
	}
	return nil
}

// commaList reads members between commas, with or without quotes.
func commaList(text string) []string {
	var out []string
	for member := range strings.SplitSeq(text, ",") {
		if member = strings.Trim(strings.TrimSpace(member), `"`); member != "" {
			out = append(out, member)
		}
	}
	return out
}
