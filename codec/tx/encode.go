package tx

import (
	"encoding/base64"
	"slices"
	"strconv"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Encode gives the transaction of a message: the very one it was decoded from or that its commitment tells of, and otherwise an
// unsigned one, as DraftOf does. It fails with Unsupported ("multiple-commitments-unsupported") if several transactions
// committed to the message, and like FromCommitment and DraftOf.
func Encode(m message.Message) (*arweave.Transaction, error) {
	if t, ok := TransactionOf(m); ok {
		return t, nil
	}
	var ids []string
	for id, v := range m.Commitments().All() {
		if entry, ok := v.(message.Message); ok && entry.Text(keyDevice) == Codec {
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return DraftOf(m)
	case 1:
		entry, _ := m.Commitments().Get(ids[0])
		return FromCommitment(m, ids[0], entry.(message.Message))
	}
	return nil, fault.New(fault.Unsupported, "multiple-commitments-unsupported", "%d transactions committed to the message, it can become only one", len(ids)).
		WithHint("leave out all commitments by %s but one", Codec)
}

// DraftOf lays a message out as a transaction of format 2, or of 1 if the key format says so, to be signed, so that Decode gives
// the message back. The keys anchor (32 or 48 bytes in base64url), target, quantity and reward (in winston) become fields of the
// header, and so do data_root and data_size if there is no data; those that are not written so are tags. The rest is as data
// items have it: see ans104.DraftOf. Commitments are left out. It fails with Unsupported for links and with TooLarge.
func DraftOf(m message.Message) (*arweave.Transaction, error) {
	laid, err := ans104.DraftOf(m.Without(message.KeyCommitments))
	if err != nil {
		return nil, err
	}
	t := empty()
	tags := laid.AllTags()
	value := func(name string) string {
		if i := slices.IndexFunc(tags, func(t ans104.Tag) bool { return t.Name == name }); i >= 0 {
			return tags[i].Value
		}
		return ""
	}
	rootAlone := len(laid.Data) == 0 && take(&arweave.Transaction{}, "data_root", value("data_root")) && take(&arweave.Transaction{}, "data_size", value("data_size"))
	tags = slices.DeleteFunc(tags, func(tag ans104.Tag) bool {
		if (tag.Name == "data_root" || tag.Name == "data_size") && !rootAlone {
			return false
		}
		return take(&t, tag.Name, tag.Value)
	})
	if err := fill(&t, tags, laid.Data); err != nil {
		return nil, err
	}
	return &t, nil
}

// Wrap gives an unsigned transaction that stands for bytes and no message.
func Wrap(data []byte) *arweave.Transaction {
	t := empty()
	t.Tags = []arweave.Tag{{Name: "ao-type", Value: "binary"}}
	t.SetData(data)
	return &t
}

// Commit gives the message with one more commitment: the transaction that it is laid out as, signed by the key, or its id alone
// if the key is nil. It fails like DraftOf and Sign.
func Commit(m message.Message, k *commitment.Key) (message.Message, error) {
	t, err := DraftOf(m)
	if err != nil {
		return message.Message{}, err
	}
	if k != nil {
		if err := Sign(t, k); err != nil {
			return message.Message{}, err
		}
	}
	id, entry := Commitment(t)
	return m.With(message.KeyCommitments, m.Commitments().With(id.String(), entry)), nil
}

func empty() arweave.Transaction { return arweave.Transaction{Format: 2, Quantity: "0", Reward: "0"} }

// take puts the text of a field into the header; false if no field has the name, or if the text is not its only form or what
// the field is without it.
func take(t *arweave.Transaction, name, text string) bool {
	var err error
	switch name {
	case "anchor":
		b, err := strict.DecodeString(text)
		if err != nil || len(b) != 32 && len(b) != 48 {
			return false
		}
		t.LastTx = b
	case "target":
		if t.Target, err = message.ParseID(text); err != nil {
			return false
		}
		t.HasTarget = true
	case "data_root":
		t.DataRoot, err = message.ParseID(text)
		return err == nil && !t.DataRoot.IsZero()
	case "data_size":
		t.DataSize, err = strconv.ParseInt(text, 10, 64)
		return err == nil && t.DataSize > 0 && text == strconv.FormatInt(t.DataSize, 10)
	case "format":
		if text != "1" {
			return false
		}
		t.Format = 1
	case "quantity", "reward":
		if text == "0" || !arweave.IsAmount(text) {
			return false
		}
		if name == "quantity" {
			t.Quantity = text
		} else {
			t.Reward = text
		}
	default:
		return false
	}
	return true
}

var strict = base64.RawURLEncoding.Strict()

// fill puts tags and data in; without data, what is known of it stays.
func fill(t *arweave.Transaction, tags []arweave.Tag, data []byte) error {
	t.Tags = tags
	if len(data) > 0 {
		t.SetData(data)
	}
	return arweave.CheckTags(tags)
}
