package httpsig

import (
	"encoding/base64"
	"strings"

	"ago/codec/structured"
	"ago/message"
)

// settle puts the commitments of nested messages in order: a published client writes their ids in lower case, and leaves out
// what they cover. Ids are those of the signatures, and what cannot be one is left out; whether they hold is not looked at.
func settle(m message.Message) message.Message {
	m, _ = eachNested(m, settled)
	return m
}

func settled(m message.Message) (message.Message, bool) {
	if m.Codec() == Codec { // it was read for itself
		return m, false
	}
	out, changed := eachNested(m, settled)
	entries := m.Commitments()
	kept := message.New()
	n := 0
	for id, e := range entries.All() {
		if n++; n > signaturesMax {
			break
		}
		entry, _ := e.(message.Message)
		if id, ok := settledID(out, id, entry); ok {
			kept = kept.With(id, settledEntry(out, entry))
		}
	}
	if message.Equal(kept, entries) {
		return out, changed
	}
	return committedAs(out, kept), true
}

// settledID gives the id that the entry has by what it says.
func settledID(m message.Message, id string, entry message.Message) (string, bool) {
	if entry.Text(keyDevice) != Codec {
		return id, true
	}
	if generationOf(entry) == structured.GenB {
		signature, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(entry.Text(keySignature), "="))
		return member{signature: signature}.id().String(), err == nil
	}
	ms, err := entryMembers(entry)
	if err != nil || len(ms) == 0 {
		return "", false
	}
	if entry.Text(keyAlg) == AlgorithmHMAC {
		mac, ok := macA(ms[0].components, layA(m).Get)
		return mac.String(), ok && strings.EqualFold(mac.String(), id)
	}
	for _, s := range ms {
		if strings.EqualFold(s.id().String(), id) {
			return s.id().String(), true
		}
	}
	return "", false
}

// settledEntry adds what the entry covers, if it does not say so.
func settledEntry(m, entry message.Message) message.Message {
	if _, ok := entry.Get(keyCommitted); ok || generationOf(entry) == structured.GenB {
		return entry
	}
	ms, err := entryMembers(entry)
	if err != nil || len(ms) == 0 {
		return entry
	}
	laid := layA(m)
	return entry.With(keyCommitted, ms[0].committed(NewWire(laid.Headers, []byte(laid.Body)), m))
}

// entryMembers reads the headers that a commitment of the first generation carries.
func entryMembers(entry message.Message) ([]member, error) {
	return members(NewWire([]message.Header{{Name: hdrSignature, Value: entry.Text(keySignature)}, {Name: hdrSignatureInput, Value: entry.Text(keySignatureInput)}}, nil))
}
