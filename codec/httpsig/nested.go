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
	out := m
	for key, v := range m.All() {
		if key == message.KeyCommitments {
			continue
		}
		if settled, changed := settleValue(v); changed {
			out = replaced(out, key, settled)
		}
	}
	return out
}

func settleValue(v message.Value) (message.Value, bool) {
	switch v := v.(type) {
	case message.List:
		changed := false
		out := make(message.List, len(v))
		for i, e := range v {
			settled, inner := settleValue(e)
			out[i], changed = settled, changed || inner
		}
		return out, changed
	case message.Message:
		out := settle(v)
		entries := v.Commitments()
		kept := message.New()
		for id, e := range entries.All() {
			entry, _ := e.(message.Message)
			if id, ok := settledID(out, id, entry); ok {
				kept = kept.With(id, settledEntry(out, entry))
			}
		}
		if message.Equal(kept, entries) {
			return out, !message.Equal(out, v)
		}
		out = out.Without(message.KeyCommitments)
		if kept.Len() > 0 {
			out = out.With(message.KeyCommitments, kept)
		}
		return out, true
	}
	return v, false
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
