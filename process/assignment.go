package process

import (
	"bytes"
	"crypto/sha256"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/message"
	"ago/slotlog"
)

// pathCompute is the key that an assignment asks an execution device for.
const pathCompute = "compute"

// Core gives the slot as the AO-Core message that assigns it, without commitments: type, data-protocol, variant, process,
// slot, epoch, path, block-height, block-hash, block-timestamp (seconds), timestamp (milliseconds), hash-chain, base-hashpath (in
// AO-Core processes), and as body the scheduled message. It follows from the entry alone, so that it is the same whenever it is
// read. A message that does not carry its id with it, such as a transaction known by its fields, stands there as a link. An
// assignment that another scheduler wrote in a form of its own has the keys that it has.
func (a Assigned) Core() message.Message {
	if m, ok := a.Written(); ok {
		return m.Without(message.KeyCommitments).With(message.KeyBody, a.Content.Message())
	}
	if body := a.Content.Message(); body.SignedID() == a.Entry.Message {
		return a.assignment(body)
	}
	return a.CoreLinked()
}

// CoreID is the id of Core's content. It takes the scheduled message by its id, which says the same.
func (a Assigned) CoreID() message.ID { return a.CoreLinked().UnsignedID() }

// CoreLinked is Core with the scheduled message by its id: what ids and signatures are computed from.
func (a Assigned) CoreLinked() message.Message {
	if m, ok := a.Written(); ok {
		return m.Without(message.KeyCommitments).With(message.KeyBody, message.Link{To: a.Entry.Message})
	}
	return a.assignment(message.Link{To: a.Entry.Message})
}

// writtenHead begins the bytes of an assignment that another scheduler wrote in a form of its own; the form that Keep gives follows. No
// data item begins with it.
const writtenHead = "kc"

// WriteAssignment gives the bytes in which the log keeps an assignment of another scheduler that does not follow from its entry, with
// its commitments and the scheduled message as they came. It fails as Keep does.
func WriteAssignment(m message.Message) ([]byte, error) {
	form, raw, _, err := Keep(m)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(writtenHead), byte(form)), raw...), nil
}

// Written gives the assignment that another scheduler wrote in a form of its own, with its commitments; false if it follows from the
// entry.
func (a Assigned) Written() (message.Message, bool) {
	rest, ok := bytes.CutPrefix(a.Entry.Assignment, []byte(writtenHead))
	if !ok || len(rest) == 0 {
		return message.Message{}, false
	}
	m, err := Kept(slotlog.Form(rest[0]), rest[1:])
	return m, err == nil
}

func (a Assigned) assignment(body message.Value) message.Message {
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	number := func(key string, n int64) message.Field { return message.Field{Key: key, Value: message.Int(n)} }
	variant := VariantLegacy
	fs := make([]message.Field, 0, 15)
	if a.Hashpath != "" {
		variant = VariantCore
		fs = append(fs, text("base-hashpath", a.Hashpath))
	}
	fs = append(fs,
		text("type", "Assignment"), text("data-protocol", "ao"), text("variant", variant),
		text("process", a.Process.String()), number("slot", int64(a.Slot)), text("epoch", "0"), text("path", a.path()),
		number("block-height", int64(a.BlockHeight)), text("block-hash", a.BlockHash.String()),
		number("block-timestamp", a.BlockTime/1000), number("timestamp", a.Timestamp),
		text("hash-chain", a.HashChain.String()), message.Field{Key: "body", Value: body})
	return message.Of(fs)
}

// path is the key that the message asks the process for. One that begins with a slash was the address of a request.
func (a Assigned) path() string {
	path := a.Content.Key("path")
	if path == "" || path[0] == '/' || a.ByID {
		return pathCompute
	}
	return path
}

// Chain gives the hash chain's value of a slot of an AO-Core process: the hash of the previous value, of which the first slot has
// none, and of the id of its message, as text.
func Chain(previous *message.ID, scheduled string) message.ID {
	h := sha256.New()
	if previous != nil {
		h.Write(previous[:])
	}
	h.Write([]byte(scheduled))
	return message.ID(h.Sum(nil))
}

// IDs gives every id that a message is known under: the one it is scheduled by, that of its content, and those of its
// commitments.
func IDs(m message.Message) []message.ID {
	ids := []message.ID{m.SignedID()} // as ContentOfMessage says
	if it, ok := ans104.ItemOf(m); ok {
		ids[0] = it.ID()
	}
	add := func(id message.ID) {
		for _, have := range ids {
			if have == id {
				return
			}
		}
		ids = append(ids, id)
	}
	for text := range m.Commitments().All() {
		if id, err := message.ParseID(text); err == nil {
			add(id)
		}
	}
	add(m.UnsignedID())
	for _, v := range m.Commitments().All() {
		if entry, _ := v.(message.Message); entry.Text("signature-input") != "" { // signed by the first generation, which names content its own way
			add(httpsig.UnsignedIDA(m))
			break
		}
	}
	return ids
}
