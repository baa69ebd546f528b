// Package tx reads and writes Arweave's own transactions as messages, and signs them.
package tx

import (
	"encoding/base64"
	"strconv"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Codec is the name of the encoding.
const Codec = "tx@1.0"

func init() {
	commitment.Register(Codec, func(m message.Message) (commitment.Signer, error) {
		t, ok := TransactionOf(m)
		if !ok {
			return commitment.Signer{}, fault.New(fault.Malformed, "transaction-missing", "the message does not hold a transaction")
		}
		return commitment.Signer{Type: commitment.RSA, Owner: t.Owner}, Verify(t)
	})
}

// Decode reads the JSON of a transaction as a message, without checking its signature: tags and data as data items have them,
// and of the header anchor, target, quantity, reward, format if it is 1, and data_root and data_size if the data is not there.
// The transaction stays with the message: see TransactionOf. Errors are those of arweave.ParseTransaction.
func Decode(raw []byte) (message.Message, error) {
	t, err := arweave.ParseTransaction(raw)
	if err != nil {
		return message.Message{}, err
	}
	return message.New(content(t).Fields()...).Decoded(t.ID, Codec, raw, t), nil
}

// MessageOf gives a transaction as the message it stands for. The transaction must not change afterwards.
func MessageOf(t *arweave.Transaction) message.Message {
	return message.New(content(t).Fields()...).Decoded(t.ID, Codec, t.JSON(), t)
}

// TransactionOf gives the transaction that a message was decoded from.
func TransactionOf(m message.Message) (*arweave.Transaction, bool) {
	if m.Codec() != Codec {
		return nil, false
	}
	t, ok := m.Form().(*arweave.Transaction)
	return t, ok && t != nil
}

// Committed lists the keys of the message that the signature covers.
func Committed(t *arweave.Transaction) []string { return content(t).Committed() }

// content has the header's fields in the order of their names; amounts of zero and what the data tells are left out.
func content(t *arweave.Transaction) ans104.Content {
	c := ans104.Content{Tags: t.Tags, Data: t.Data}
	add := func(key, value string) {
		c.Header = append(c.Header, message.Field{Key: key, Value: message.Bytes(value)})
	}
	if len(t.LastTx) > 0 {
		add("anchor", base64.RawURLEncoding.EncodeToString(t.LastTx))
	}
	if len(t.Data) == 0 && t.DataSize > 0 {
		add("data_root", t.DataRoot.String())
		add("data_size", strconv.FormatInt(t.DataSize, 10))
	}
	if t.Format == 1 {
		add("format", "1")
	}
	if t.Quantity != "0" {
		add("quantity", t.Quantity)
	}
	if t.Reward != "0" {
		add("reward", t.Reward)
	}
	if t.HasTarget {
		add("target", t.Target.String())
	}
	return c
}

// Verify checks id, data and signature. It fails with Forged, or with Unsupported ("key-type-unknown") for a transaction that
// is not signed by an RSA key of 4096 bits.
func Verify(t *arweave.Transaction) error {
	if len(t.Owner) != commitment.RSA.OwnerSize() || len(t.Signature) != commitment.RSA.SignatureSize() {
		return fault.New(fault.Unsupported, "key-type-unknown", "transactions are signed by RSA keys of 4096 bits here").
			WithHint("sign with an Arweave wallet")
	}
	if err := t.Check(); err != nil {
		return err
	}
	err := commitment.VerifySignature(commitment.RSA, t.Owner, t.SignatureData(), t.Signature)
	return fault.Wrap(err, fault.KindOf(err), fault.CodeOf(err), "transaction %s", t.ID)
}

// Sign puts owner, signature and id into the transaction. Format, data, root, amounts and anchor must be set.
func Sign(t *arweave.Transaction, k *commitment.Key) error {
	if k.Type() != commitment.RSA {
		return fault.New(fault.Unsupported, "key-type-unsupported", "a transaction is signed with an Arweave wallet, this key is %s", k.Type())
	}
	t.Owner = k.Owner()
	signature, err := k.Sign(t.SignatureData())
	if err != nil {
		return err
	}
	t.SetSignature(signature)
	return nil
}
