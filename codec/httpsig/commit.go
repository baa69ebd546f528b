package httpsig

import (
	"encoding/base64"
	"slices"

	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Terms say how a message is committed to. The zero Terms cover every key, with nested messages by their ids.
type Terms struct {
	Nesting message.Nesting // Nested commits to nested messages where they are
	Keys    []string        // what is covered; nil is what the commitments there already cover, or every key
	Tag     string          // a hashpath that the content is the result of
	Salt    []byte          // makes the signature repeatable; nil draws a fresh one
}

// Commit adds the commitment of a key to a message, and beside it the commitment without a signer over the same keys, which
// names the content. RSA keys sign by rsa-pss-sha512, Ed25519 keys by ed25519; others fail with Unsupported
// ("key-cannot-sign"). It fails with NotFound ("key-absent") if a key to cover is not there.
func Commit(m message.Message, k *commitment.Key, t Terms) (message.Message, error) {
	var algorithm string
	switch k.Type() {
	case commitment.RSA:
		algorithm = AlgorithmRSA
	case commitment.Ed25519:
		algorithm = AlgorithmEd25519
	default:
		return message.Message{}, fault.New(fault.Unsupported, "key-cannot-sign", "HTTP messages are not signed with keys of type %s", k.Type()).
			WithHint("use an RSA or an Ed25519 key, or send a data item")
	}
	keys, err := t.cover(m)
	if err != nil {
		return message.Message{}, err
	}
	laid := canonical(m, keys, t.Nesting)
	listed := coveredBy(laid, m, keys)
	keyID := schemePublic + base64.StdEncoding.EncodeToString(k.Owner())
	entry := entryOf(algorithm, keyID, k.Address().String(), "", listed, t.Nesting)
	unsigned := entryOf(AlgorithmHMAC, message.KeyIDConstant, "", "", listed, t.Nesting)
	if t.Tag != "" {
		entry = entry.With("tag", message.Bytes(t.Tag))
	}
	base, _ := baseOf(entry, componentsOf(laid, listed, false), laid.Get) // the components are those of the layout
	signature, err := sign(k, []byte(base), t.Salt)
	if err != nil {
		return message.Message{}, err
	}
	content, _ := baseOf(unsigned, componentsOf(laid, listed, false), laid.Get)
	mac := message.ConstantMAC(content)
	commitments := dropUnsigned(m.Commitments()).
		With(message.HashOf(signature).String(), entry.With(keySignature, message.Bytes(base64.RawURLEncoding.EncodeToString(signature)))).
		With(mac.String(), unsigned.With(keySignature, message.Bytes(mac.String())))
	return m.With(message.KeyCommitments, commitments), nil
}

func sign(k *commitment.Key, base, salt []byte) ([]byte, error) {
	switch {
	case k.Type() == commitment.RSA:
		return k.SignPSS512(base, salt)
	case salt != nil:
		return k.SignDeterministic(base, salt)
	}
	return k.Sign(base)
}

// cover lists the keys to commit to.
func (t Terms) cover(m message.Message) ([]string, error) {
	keys := t.Keys
	if keys == nil {
		seen := map[string]bool{}
		for _, v := range m.Commitments().All() {
			entry, _ := v.(message.Message)
			for _, key := range committedKeys(entry) {
				if !seen[key] {
					seen[key] = true
					keys = append(keys, key)
				}
			}
		}
	}
	if keys == nil {
		for key := range m.All() {
			if key != message.KeyCommitments && !message.IsPrivate(key) {
				keys = append(keys, key)
			}
		}
		return keys, nil
	}
	for _, key := range keys {
		if _, ok := m.Get(key); !ok && key != message.KeyTypes {
			return nil, fault.New(fault.NotFound, "key-absent", "the message has no key %.60q to commit to", key)
		}
	}
	return keys, nil
}

// coveredBy lists what a commitment to the layout says it covers: its keys, and the types if it has any.
func coveredBy(laid message.Laid, m message.Message, keys []string) []string {
	var out []string
	wanted := setOf(keys)
	for key := range m.All() {
		if wanted[key] && key != message.KeyCommitments && !message.IsPrivate(key) {
			out = append(out, key)
		}
	}
	if _, typed := laid.Get(message.KeyTypes); typed && !slices.Contains(out, message.KeyTypes) {
		out = append(out, message.KeyTypes)
	}
	slices.Sort(out)
	return out
}

// dropUnsigned leaves the commitments that have a signer: the others name content in a way that is computed anew.
func dropUnsigned(commitments message.Message) message.Message {
	for id, v := range commitments.All() {
		if entry, _ := v.(message.Message); entry.Text(keyType) == AlgorithmHMAC && entry.Text(keyKeyID) == message.KeyIDConstant {
			commitments = commitments.Without(id)
		}
	}
	return commitments
}
