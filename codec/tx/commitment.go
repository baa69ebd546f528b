package tx

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Keys of a commitment. It says of a message in any other encoding what was signed as a transaction.
const (
	keyDevice       = "commitment-device"
	keyType         = "type"
	keyKeyID        = "keyid"
	keyCommitter    = "committer"
	keyCommitted    = "committed"
	keySignature    = "signature"
	keyBundle       = "bundle"
	keyOriginalTags = "original-tags" // numbered name and value pairs, if the committed keys do not tell the tags
	fieldPrefix     = "field-"        // before the name of a field of the header
	keyIDPrefix     = "publickey:"
	typeRSA         = "rsa-pss-sha256"
	typeUnsigned    = "unsigned-sha256"
)

func init() { commitment.RegisterEntries(Codec, verifyEntry) }

func malformed(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, code, format, args...)
}

// signed tells a transaction with a signature from one whose signature is missing or all zeros.
func signed(t *arweave.Transaction) bool { return len(bytes.Trim(t.Signature, "\x00")) > 0 }

// Commitment gives the entry that the transaction makes in the commitments of its message, and the id it stands under: the
// transaction's own, or that of its content if it is not signed.
func Commitment(t *arweave.Transaction) (id message.ID, entry message.Message) {
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	content := content(t)
	committed := message.List{}
	for _, key := range content.Committed() {
		committed = append(committed, message.Bytes(key))
	}
	fs := []message.Field{text(keyDevice, Codec), {Key: keyCommitted, Value: committed}, text(keyBundle, strconv.FormatBool(ans104.IsBundle(t.Tags)))}
	if id = t.ID; signed(t) {
		fs = append(fs, text(keyType, typeRSA), text(keyKeyID, keyIDPrefix+base64.RawURLEncoding.EncodeToString(t.Owner)),
			text(keyCommitter, commitment.AddressOf(t.Owner).String()), text(keySignature, base64.RawURLEncoding.EncodeToString(t.Signature)))
	} else {
		id = t.UnsignedID()
		fs = append(fs, text(keyType, typeUnsigned))
	}
	for _, f := range content.Header {
		fs = append(fs, message.Field{Key: fieldPrefix + f.Key, Value: f.Value})
	}
	for _, t := range t.Tags {
		if key := strings.ToLower(t.Name); key == "bundle-format" || key == "bundle-version" || key == "bundle-map" {
			fs = append(fs, text(key, t.Value))
		}
	}
	entry = message.New(fs...)
	if follows(t, id.String(), entry) {
		return id, entry
	}
	tags := make([]message.Field, len(t.Tags))
	for i, t := range t.Tags {
		tags[i] = message.Field{Key: strconv.Itoa(i + 1), Value: message.New(text("name", t.Name), text("value", t.Value))}
	}
	return id, entry.With(keyOriginalTags, message.New(tags...))
}

// follows tells whether the commitment gives the transaction back without its tags being told apart from it.
func follows(t *arweave.Transaction, id string, entry message.Message) bool {
	for _, tag := range t.Tags {
		if tag.Name != strings.ToLower(tag.Name) {
			return false
		}
	}
	back, err := FromCommitment(MessageOf(t), id, entry)
	return err == nil && slices.Equal(back.Tags, t.Tags) && bytes.Equal(back.Data, t.Data)
}

// FromCommitment puts the transaction of a commitment together again from the message that carries it, in whatever encoding
// that came. Where the commitment leaves a choice, the signature decides, or the id; otherwise they are not checked. It fails with Malformed
// ("commitment-malformed") if the commitment does not tell how, with TooLarge for tags that a transaction cannot have, and with
// Unsupported for other types of signature.
func FromCommitment(m message.Message, id string, entry message.Message) (*arweave.Transaction, error) {
	base := empty()
	if err := readSignature(&base, entry); err != nil {
		return nil, err
	}
	var header []string
	for key := range entry.All() {
		if name, ok := strings.CutPrefix(key, fieldPrefix); ok {
			header = append(header, name)
			if !take(&base, name, entry.Text(key)) {
				return nil, malformed("commitment-malformed", "%.60s is no field of a transaction, or not written as one", key)
			}
		}
	}
	layouts, err := ans104.Layouts(m, entry, header)
	if err != nil {
		return nil, err
	}
	var first *arweave.Transaction
	for _, l := range layouts {
		t := base
		if err := fill(&t, l.Tags, l.Data); err != nil {
			return nil, err
		}
		if len(layouts) == 1 || (signed(&t) && Verify(&t) == nil) || (!signed(&t) && t.UnsignedID().String() == id) {
			return &t, nil
		}
		if first == nil {
			first = &t
		}
	}
	return first, nil
}

func readSignature(t *arweave.Transaction, entry message.Message) error {
	switch kind := entry.Text(keyType); kind {
	case typeUnsigned:
		return nil
	case typeRSA:
	default:
		return fault.New(fault.Unsupported, "key-type-unknown", "transactions are signed by RSA keys of 4096 bits here, not by %.40q", kind).
			WithHint("sign with an Arweave wallet")
	}
	signature, err := base64.RawURLEncoding.DecodeString(entry.Text(keySignature))
	if err != nil || len(signature) == 0 {
		return malformed("commitment-malformed", "the signature is not base64url")
	}
	key, ok := strings.CutPrefix(entry.Text(keyKeyID), keyIDPrefix)
	if t.Owner, err = base64.RawURLEncoding.DecodeString(key); err != nil || !ok {
		return malformed("commitment-malformed", "the keyid is %s and the owner in base64url", keyIDPrefix)
	}
	t.SetSignature(signature)
	return nil
}

// verifyEntry checks a commitment that a transaction made, on a message that came in any encoding: the transaction is put
// together again, and holds if it has the id and the signature, and says what the message says.
func verifyEntry(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	signer, err := holds(m, id, entry)
	if err == nil {
		return signer, nil
	}
	if plain, changed := ans104.Unnoted(m); changed {
		return holds(plain, id, entry)
	}
	return commitment.Signer{}, err
}

func holds(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	t, err := FromCommitment(m, id, entry)
	if err != nil {
		return commitment.Signer{}, err
	}
	named, signer := t.ID, commitment.Signer{Type: commitment.RSA, Owner: t.Owner}
	if !signed(t) {
		named, signer = t.UnsignedID(), commitment.Signer{}
	}
	if named.String() != id {
		return commitment.Signer{}, malformed("commitment-malformed", "the transaction has another id than %.60s", id)
	}
	if signed(t) {
		if err := Verify(t); err != nil {
			return commitment.Signer{}, err
		}
	}
	if err := content(t).Vouches(m, entry); err != nil {
		return commitment.Signer{}, err
	}
	return signer, nil
}
