package process

import (
	"context"
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"ago/codec/ans104"
	"ago/codec/js"
	"ago/message"
	"ago/slotlog"
)

// Content is what a process sees of a message, whichever encoding it came in.
type Content struct {
	ID        message.ID
	Signature []byte
	OwnerKey  []byte  // public key of the signer
	Owner     string  // address of the signer as processes see it
	Target    string  // 43 characters, or ""
	Anchor    *string // nil if it has none that is text
	Tags      []Tag
	Data      []byte

	item    *ans104.Item    // what it was taken from, if that is a data item
	message message.Message // or any other message
}

// ContentOf gives the content of a data item.
func ContentOf(it *ans104.Item) Content {
	c := Content{item: it, ID: it.ID(), Signature: it.Signature, OwnerKey: it.Owner, Owner: it.ProcessAddress(), Tags: it.Tags, Data: it.Data}
	if it.HasTarget {
		c.Target = it.Target.String()
	}
	// A missing anchor is the empty text; one that is not UTF-8 has no text.
	if utf8.Valid(it.Anchor) {
		a := string(it.Anchor)
		c.Anchor = &a
	}
	return c
}

// From is who the message comes from: the process that is said to have sent it, else the signer.
func (c Content) From() string {
	if from, ok := FirstTag(c.Tags, "From-Process"); ok {
		return js.TextOf(from)
	}
	return c.Owner
}

// Forwarded tells whether the message is said to come from another process.
func (c Content) Forwarded() bool {
	_, ok := FirstTag(c.Tags, "From-Process")
	return ok
}

// Assigned is a slot with its message.
type Assigned struct {
	slotlog.Entry
	Content      Content
	AssignmentID message.ID
}

// Module is the program of a process as published.
type Module struct {
	ID           message.ID
	Owner        string // address of the signer as processes see it
	Tags         []Tag
	Format       string
	MemoryLimit  uint64 // bytes; 0 if it states none
	ComputeLimit uint64 // gas; 0 if it states none
	Bytes        func(ctx context.Context) ([]byte, error)
}

// MessageJSON is the text the module's handle is given for a scheduled message. Which keys, in which order, decides what
// a process can see, so it is written here once: Id, Signature, Data, Owner, Target, Anchor, From, Forwarded-By, Tags,
// Epoch, Nonce, Timestamp, Block-Height, Hash-Chain, Cron, Read-Only.
func MessageJSON(def Definition, a Assigned) []byte {
	c := a.Content
	left := func(field string) bool { return a.ByID && slices.Contains(a.Exclude, field) }
	b := make([]byte, 0, 1024+len(c.Data)+len(c.Data)/8)
	b = append(b, `{"Id":`...)
	b = js.AppendJSON(b, c.ID.String())
	if !left("Signature") {
		b = append(b, `,"Signature":`...)
		b = js.AppendJSON(b, base64.RawURLEncoding.EncodeToString(c.Signature))
	}
	if !left("Data") {
		b = append(b, `,"Data":`...)
		b = js.AppendJSON(b, string(c.Data))
	}
	b = append(b, `,"Owner":`...)
	b = js.AppendJSON(b, c.Owner)
	b = append(b, `,"Target":`...)
	target := def.ID.String()
	if a.ByID {
		target = c.Target
	}
	b = js.AppendJSON(b, target)
	if !left("Anchor") {
		b = append(b, `,"Anchor":`...)
		if c.Anchor == nil {
			b = append(b, "null"...)
		} else {
			b = js.AppendJSON(b, *c.Anchor)
		}
	}
	b = append(b, `,"From":`...)
	b = js.AppendJSON(b, c.From())
	// An item assigned by id is fetched without the rule for forwarded ones.
	if c.Forwarded() && !a.ByID {
		b = append(b, `,"Forwarded-By":`...)
		b = js.AppendJSON(b, c.Owner)
	}
	b = append(b, `,"Tags":`...)
	tags := c.Tags
	if left("Tags") {
		tags = nil
	}
	b = appendTags(b, tags, reserved)
	b = append(b, `,"Epoch":0,"Nonce":`...)
	b = appendInt(b, int64(a.Slot))
	b = append(b, `,"Timestamp":`...)
	b = appendInt(b, a.Timestamp)
	b = append(b, `,"Block-Height":`...)
	b = appendInt(b, int64(a.BlockHeight))
	b = append(b, `,"Hash-Chain":`...)
	b = js.AppendJSON(b, a.HashChain.String())
	return append(b, `,"Cron":false,"Read-Only":false}`...)
}

// reserved are tag names that a sender could use to pose as somebody else; a process never sees them.
func reserved(name string) bool { return name == "From" || name == "Owner" }

// EnvironmentJSON is the text of the environment a message is evaluated in.
func EnvironmentJSON(def Definition, m Module) []byte {
	b := append([]byte(nil), `{"Process":{"Id":`...)
	b = js.AppendJSON(b, def.ID.String())
	b = append(b, `,"Owner":`...)
	b = js.AppendJSON(b, def.Owner)
	b = append(b, `,"Tags":`...)
	b = appendTags(b, def.Tags, nil)
	b = append(b, `},"Module":{"Id":`...)
	b = js.AppendJSON(b, m.ID.String())
	b = append(b, `,"Owner":`...)
	b = js.AppendJSON(b, m.Owner)
	b = append(b, `,"Tags":`...)
	b = appendTags(b, m.Tags, nil)
	return append(b, "}}"...)
}
