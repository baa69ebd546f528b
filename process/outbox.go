package process

import (
	"encoding/json"
	"strconv"
	"strings"

	"ago/message"
)

// Outbox is what a result asks to be sent, in the order in which it is sent. Index counts over messages, spawns and
// assignments together, so (process, slot, index) names one entry for ever.
type Outbox struct {
	Messages []OutMessage
	Spawns   []OutSpawn
	Assigns  []OutAssign
}

// OutMessage is a message to be signed and scheduled. With a Problem it cannot be: the text says why.
type OutMessage struct {
	Index   int
	Problem string
	Target  string
	Anchor  string
	Data    *string
	Tags    []Tag
	// Core is the message as an AO-Core process sends it, without commitments; empty for one of a module.
	Core message.Message
}

// OutSpawn is a process to be made.
type OutSpawn struct {
	Index   int
	Problem string
	Anchor  string
	Data    *string
	Tags    []Tag
}

// OutAssign is an existing message to be assigned to processes.
type OutAssign struct {
	Index     int
	Problem   string
	Processes []string
	Message   string
	BaseLayer bool
	Exclude   []string
}

// Len is the number of entries.
func (o Outbox) Len() int { return len(o.Messages) + len(o.Spawns) + len(o.Assigns) }

// Outbox reads the entries. Entries that are not well-formed are there too, with the reason: nothing vanishes unseen.
func (r Result) Outbox() Outbox {
	var o Outbox
	if r.IsCore {
		for i, e := range OutboxOf(r.Core) {
			o.Messages = append(o.Messages, outCore(i, e.Message))
		}
		return o
	}
	index := 0
	if ms, ok := wellFormed(r.Messages); ok {
		o.Messages, index = ms, len(ms)
	} else {
		for _, raw := range entries(r.Messages) {
			o.Messages = append(o.Messages, outMessage(index, raw))
			index++
		}
	}
	for _, raw := range entries(r.Spawns) {
		s := OutSpawn{Index: index}
		index++
		var f map[string]json.RawMessage
		if json.Unmarshal(raw, &f) != nil {
			s.Problem = "the spawn is not an object"
		} else {
			s.Anchor, _ = text(f["Anchor"])
			if s.Tags, s.Problem = tags(f["Tags"]); s.Problem == "" {
				s.Data, s.Problem = data(f["Data"])
			}
		}
		o.Spawns = append(o.Spawns, s)
	}
	for _, raw := range entries(r.Assignments) {
		a := OutAssign{Index: index}
		index++
		var f struct {
			Processes []string
			Message   string
			BaseLayer any
			Exclude   any
		}
		if err := json.Unmarshal(raw, &f); err != nil {
			a.Problem = "the assignment is not {Processes, Message}"
		} else if _, err := message.ParseID(f.Message); err != nil {
			a.Problem = "the assignment names no message: " + err.Error()
		} else if len(f.Processes) == 0 {
			a.Problem = "the assignment names no process"
		}
		a.Processes, a.Message = f.Processes, f.Message
		switch v := f.BaseLayer.(type) {
		case bool:
			a.BaseLayer = v
		case string:
			a.BaseLayer = v != ""
		}
		if list, ok := f.Exclude.([]any); ok {
			for _, v := range list {
				if s, ok := v.(string); ok {
					a.Exclude = append(a.Exclude, s)
				}
			}
		}
		o.Assigns = append(o.Assigns, a)
	}
	return o
}

// wellFormed reads messages that are all as they should be, which is nearly always so; false if one is not.
func wellFormed(raw json.RawMessage) ([]OutMessage, bool) {
	if string(raw) == "[]" {
		return nil, true
	}
	var list []struct {
		Target, Anchor *string
		Data           json.RawMessage
		Tags           []struct {
			Name  *string `json:"name"`
			Value *string `json:"value"`
		}
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil, false
	}
	out := make([]OutMessage, len(list))
	for i, m := range list {
		if m.Target == nil || m.Anchor == nil || m.Tags == nil {
			return nil, false
		}
		out[i] = OutMessage{Index: i, Target: *m.Target, Anchor: *m.Anchor, Tags: make([]Tag, len(m.Tags))}
		for j, t := range m.Tags {
			if t.Name == nil || t.Value == nil {
				return nil, false
			}
			out[i].Tags[j] = Tag{Name: *t.Name, Value: *t.Value}
		}
		if out[i].Data, out[i].Problem = data(m.Data); out[i].Problem != "" {
			return nil, false
		}
	}
	return out, true
}

// outMessage reads one message and says what is wrong with it.
func outMessage(index int, raw json.RawMessage) OutMessage {
	m := OutMessage{Index: index}
	var f map[string]json.RawMessage
	if json.Unmarshal(raw, &f) != nil {
		m.Problem = "the message is not an object"
		return m
	}
	var ok bool
	if m.Target, ok = text(f["Target"]); !ok {
		m.Problem = "the message has no Target that is text"
	} else if m.Anchor, ok = text(f["Anchor"]); !ok {
		m.Problem = "the message has no Anchor that is text"
	} else if m.Tags, m.Problem = tags(f["Tags"]); m.Problem == "" {
		m.Data, m.Problem = data(f["Data"])
	}
	return m
}

// outCore is a message that an execution device sends.
func outCore(index int, m message.Message) OutMessage {
	m = m.Without(message.KeyCommitments)
	out := OutMessage{Index: index, Core: m}
	if m.Len() == 0 {
		out.Problem = "the entry is not a message"
		return out
	}
	c := ContentOfMessage(m)
	data := string(c.Data)
	out.Target, out.Data, out.Tags = c.Target, &data, c.Tags
	if cut := strings.IndexAny(c.Target, "?&"); cut >= 0 {
		out.Target = c.Target[:cut] // what follows is a hint where the process is
	}
	return out
}

// entries reads a list; an empty Lua table may come as an empty object.
func entries(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

func text(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

func tags(raw json.RawMessage) ([]Tag, string) {
	if absent(raw) {
		return nil, "there are no Tags"
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, "Tags is not a list of objects"
	}
	out := make([]Tag, 0, len(list))
	for _, t := range list {
		name, ok := text(t["name"])
		if !ok {
			return nil, "a tag has no name that is text"
		}
		value, ok := text(t["value"])
		if !ok {
			return nil, "the value of the tag " + strconv.Quote(name) + " is not text"
		}
		out = append(out, Tag{Name: name, Value: value})
	}
	return out, ""
}

// data reads the data of an entry. A number or a boolean goes out as its text; a table cannot.
func data(raw json.RawMessage) (*string, string) {
	if absent(raw) {
		return nil, ""
	}
	if s, ok := text(raw); ok {
		return &s, ""
	}
	if raw[0] == '{' || raw[0] == '[' {
		return nil, "Data is a table: encode it as text first"
	}
	s := string(raw)
	return &s, ""
}
