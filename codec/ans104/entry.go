package ans104

import (
	"ago/commitment"
	"ago/message"
)

func init() { commitment.RegisterEntries(Codec, verifyEntry) }

// verifyEntry checks a commitment that a data item made, on a message that came in any encoding: the item is put together
// again, and holds if it has the id and the signature.
func verifyEntry(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	signer, err := holds(m, id, entry)
	if err == nil {
		return signer, nil
	}
	// Other encodings note the content's own id with nested messages, which the item did not hold.
	if plain, changed := withoutNoted(m); changed {
		return holds(plain.(message.Message), id, entry)
	}
	return commitment.Signer{}, err
}

func holds(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	it, err := FromCommitment(m, entry)
	if err != nil {
		return commitment.Signer{}, err
	}
	if !it.Signed() {
		if it.UnsignedID().String() != id {
			return commitment.Signer{}, badCommitment("the item has another id than %.60s", id)
		}
		return commitment.Signer{}, nil
	}
	if it.ID().String() != id {
		return commitment.Signer{}, badCommitment("the item has another id than %.60s", id)
	}
	if err := it.Verify(); err != nil {
		return commitment.Signer{}, err
	}
	return it.Signer(), nil
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
