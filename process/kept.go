package process

import (
	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// Keep gives the bytes in which the log keeps what everybody who signed a message vouches for, their form, and the message as it
// will be read from them. A data item keeps its own bytes, an HTTP message what its signatures cover, and one that was part of
// another is kept as the body of an unsigned message, since it never had bytes of its own. It fails with Unsupported
// ("message-unkeepable") if the bytes would not be read as the message.
func Keep(m message.Message) (slotlog.Form, []byte, message.Message, error) {
	if it, ok := ans104.ItemOf(m); ok {
		return slotlog.FormItem, it.Raw, m, nil
	}
	want := m.OnlyCommitted()
	if w, ok := httpsig.WireOf(m); ok {
		if w, err := httpsig.Covered(w); err == nil {
			if raw, err := w.Bytes(); err == nil {
				if back, err := Kept(slotlog.FormWire, raw); err == nil && message.Equal(back, want) {
					return slotlog.FormWire, raw, back, nil
				}
			}
		}
	}
	unkeepable := fault.New(fault.Unsupported, "message-unkeepable", "the message cannot be written so that it is read back with its signatures").
		WithHint("send it as a data item, or without keys that hold a slash")
	w, err := httpsig.Encode(message.New(message.Field{Key: message.KeyBody, Value: want}), message.Nested)
	if err != nil {
		unkeepable.Cause = err
		return 0, nil, m, unkeepable
	}
	raw, err := w.Bytes()
	if err != nil {
		unkeepable.Cause = err
		return 0, nil, m, unkeepable
	}
	back, err := Kept(slotlog.FormBody, raw)
	if err != nil || !message.Equal(back, want) {
		return 0, nil, m, unkeepable
	}
	if m.Codec() != "" { // its signatures were checked over headers that are gone
		if _, err := commitment.Verify(back); err != nil {
			unkeepable.Cause = err
			return 0, nil, m, unkeepable
		}
	}
	return slotlog.FormBody, raw, back, nil
}

// Kept reads what Keep gave. Signatures are not checked again.
func Kept(f slotlog.Form, raw []byte) (message.Message, error) {
	switch f {
	case slotlog.FormItem:
		return ans104.Decode(raw)
	case slotlog.FormWire:
		m, err := httpsig.Read(raw)
		if err != nil {
			return m, err
		}
		// The signatures are over these headers, among them some that are no keys.
		return m.OnlyCommitted().Decoded(m.ID(), httpsig.Codec, m.Raw(), m.Form()), nil
	case slotlog.FormBody:
		m, err := httpsig.Read(raw)
		if err != nil {
			return m, err
		}
		v, _ := m.Get(message.KeyBody)
		if body, ok := v.(message.Message); ok {
			return body, nil
		}
		return m, fault.New(fault.Malformed, "message-malformed", "the bytes hold no message")
	}
	return message.Message{}, fault.New(fault.Unsupported, "form-unknown", "a later release of ago wrote the message in its form %d", f).
		WithHint("open the data folder with that release")
}

// nestedMax bounds how many signatures of nested messages are checked.
const nestedMax = 64

// Vouched tells whether everybody who signed a message stands for all that Keep keeps of it. It fails with Malformed
// ("commitments-disagree") if commitments cover different keys, since what they have in common nobody has signed, and
// ("message-empty") if they cover none. Signatures of nested messages must hold, too, since a process takes them for checked:
// otherwise it fails with Forged, or with TooLarge for more than 64 of them.
func Vouched(m message.Message) error {
	common := map[string]bool{}
	for _, key := range m.Committed() {
		common[key] = true
	}
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		list, _ := entry.Get("committed")
		keys, _ := list.(message.List)
		for _, key := range keys {
			if text, _ := key.(message.Bytes); !common[string(text)] && text != message.KeyTypes {
				return fault.New(fault.Malformed, "commitments-disagree", "Message invalid: Committed components cannot be validated.").
					WithHint("the commitment %.60s covers %.60q, which another leaves out: let all of them cover the same keys", id, string(text))
			}
		}
	}
	left, empty := nestedMax, true
	for key, v := range m.OnlyCommitted().All() {
		if key == message.KeyCommitments {
			continue
		}
		empty = false
		if err := checkNested(v, &left); err != nil {
			return err
		}
	}
	if empty {
		return fault.New(fault.Malformed, "message-empty", "nobody has signed any key of the message")
	}
	return nil
}

// checkNested checks the signatures of the messages in a value. A commitment without a committer only names the content.
func checkNested(v message.Value, left *int) error {
	switch v := v.(type) {
	case message.List:
		for _, e := range v {
			if err := checkNested(e, left); err != nil {
				return err
			}
		}
	case message.Message:
		for id, e := range v.Commitments().All() {
			entry, _ := e.(message.Message)
			if entry.Text("committer") == "" {
				continue
			}
			if *left--; *left < 0 {
				return fault.New(fault.TooLarge, "signatures-too-many", "the messages within the message have more than %d signatures", nestedMax)
			}
			if _, err := commitment.VerifyEntry(v, id, entry); err != nil {
				return fault.Wrap(err, fault.KindOf(err), fault.CodeOf(err), "a message within the message")
			}
		}
		for key, e := range v.All() {
			if key == message.KeyCommitments {
				continue
			}
			if err := checkNested(e, left); err != nil {
				return err
			}
		}
	}
	return nil
}
