package ans104

import (
	"ago/commitment"
	"ago/message"
)

func init() { commitment.RegisterEntries(Codec, verifyEntry) }

// verifyEntry checks a commitment that a data item made, on a message that came in any encoding: the item is put together
// again, and holds if it has the id and the signature, and says what the message says.
func verifyEntry(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	signer, err := holds(m, id, entry)
	if err == nil {
		return signer, nil
	}
	// Other encodings note the content's own id with nested messages, which the item did not hold.
	if plain, changed := Unnoted(m); changed {
		return holds(plain, id, entry)
	}
	return commitment.Signer{}, err
}

func holds(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	it, err := FromCommitment(m, entry)
	if err != nil {
		return commitment.Signer{}, err
	}
	named, signer := it.ID(), it.Signer()
	if !it.Signed() {
		named, signer = it.UnsignedID(), commitment.Signer{}
	}
	if named.String() != id {
		return commitment.Signer{}, badCommitment("the item has another id than %.60s", id)
	}
	if it.Signed() {
		if err := it.Verify(); err != nil {
			return commitment.Signer{}, err
		}
	}
	if err := it.content().Vouches(m, entry); err != nil {
		return commitment.Signer{}, err
	}
	return signer, nil
}

// Unnoted gives the message as it was before an encoding noted the ids of what is nested in it.
func Unnoted(m message.Message) (plain message.Message, changed bool) {
	v, changed := withoutNoted(m)
	return v.(message.Message), changed
}

// withoutNoted leaves out the commitments of nested messages if none of them has a committer.
func withoutNoted(v message.Value) (message.Value, bool) {
	changed := false
	switch v := v.(type) {
	case message.List:
		out := make(message.List, len(v))
		for i, e := range v {
			inner, c := noted(e)
			out[i], changed = inner, changed || c
		}
		return out, changed
	case message.Message:
		out := v
		for key, e := range v.All() {
			if key == message.KeyCommitments {
				continue
			}
			if inner, c := noted(e); c {
				out, changed = out.With(key, inner), true
			}
		}
		return out, changed
	}
	return v, false
}

func noted(v message.Value) (message.Value, bool) {
	out, changed := withoutNoted(v)
	m, ok := out.(message.Message)
	if !ok || m.Commitments().Len() == 0 || len(m.Committers()) > 0 {
		return out, changed
	}
	return m.Without(message.KeyCommitments), true
}
