package httpsig

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

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
// ("key-cannot-sign"), and so do keys to cover that begin with @ ("key-unsignable"). It fails with NotFound ("key-absent") if a
// key to cover is not there.
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
	p, err := t.prepare(m)
	if err != nil {
		return message.Message{}, err
	}
	keyID := schemePublic + base64.StdEncoding.EncodeToString(k.Owner())
	entry := p.entry(algorithm, keyID, k.Address().String())
	signature, err := sign(k, []byte(p.base(entry)), t.Salt)
	if err != nil {
		return message.Message{}, err
	}
	mac, unsigned := p.unsigned()
	commitments := dropUnsigned(m.Commitments()).
		With(message.HashOf(signature).String(), entry.With(keySignature, message.Bytes(base64.RawURLEncoding.EncodeToString(signature)))).
		With(mac.String(), unsigned)
	return m.With(message.KeyCommitments, commitments), nil
}

// CommitUnsigned adds the commitment without a signer, which names the content, in the place of an earlier one. It fails as
// Commit does.
func CommitUnsigned(m message.Message, t Terms) (message.Message, error) {
	p, err := t.prepare(m)
	if err != nil {
		return message.Message{}, err
	}
	mac, entry := p.unsigned()
	return m.With(message.KeyCommitments, dropUnsigned(m.Commitments()).With(mac.String(), entry)), nil
}

// unsigned gives the commitment without a signer, and its id.
func (p prepared) unsigned() (message.ID, message.Message) {
	entry := p.entry(AlgorithmHMAC, message.KeyIDConstant, "")
	mac := message.ConstantMAC(p.base(entry))
	return mac, entry.With(keySignature, message.Bytes(mac.String()))
}

// CommitSecret adds the commitment of whoever knows a secret: a MAC that only they can make and check. It fails as Commit does.
func CommitSecret(m message.Message, secret []byte, t Terms) (message.Message, error) {
	p, err := t.prepare(m)
	if err != nil {
		return message.Message{}, err
	}
	name := secretName(secret)
	entry := p.entry(AlgorithmHMAC, name, name)
	mac := secretMAC(secret, p.base(entry))
	return m.With(message.KeyCommitments, m.Commitments().With(mac.String(), entry.With(keySignature, message.Bytes(mac.String())))), nil
}

// VerifySecret checks the commitments that were made with a secret. It fails with NotFound ("not-signed") if there are none,
// and with Forged if one does not hold.
func VerifySecret(m message.Message, secret []byte) error {
	name, found := secretName(secret), false
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		if entry.Text(keyDevice) != Codec || entry.Text(keyKeyID) != name {
			continue
		}
		found = true
		err := verifyBy(m, id, entry, func(base string, mac []byte) bool {
			want := secretMAC(secret, base)
			return hmac.Equal(want[:], mac)
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return fault.New(fault.NotFound, "not-signed", "no commitment of the message was made with this secret")
	}
	return nil
}

// secretName names a secret without telling it.
func secretName(secret []byte) string { return schemeSecret + message.HashOf(secret).String() }

func secretMAC(secret []byte, base string) message.ID {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(base))
	return message.ID(mac.Sum(nil))
}

// prepared is what a commitment covers, laid out.
type prepared struct {
	terms  Terms
	laid   message.Laid
	listed []string
}

func (t Terms) prepare(m message.Message) (prepared, error) {
	keys, err := t.cover(m)
	if err != nil {
		return prepared{}, err
	}
	laid := canonical(m, keys, t.Nesting)
	for _, h := range laid.Headers {
		if strings.HasPrefix(h.Name, "@") {
			return prepared{}, fault.New(fault.Unsupported, "key-unsignable", "the key %.60q cannot be signed: an @ marks what is no header", h.Name).
				WithHint("name it without the @, or leave it out of the keys to commit to")
		}
	}
	return prepared{t, laid, coveredBy(laid, m, keys)}, nil
}

// entry is the commitment that is yet to be signed.
func (p prepared) entry(kind, keyID, committer string) message.Message {
	e := entryOf(kind, keyID, committer, "", p.listed, p.terms.Nesting)
	if p.terms.Tag != "" && committer != "" {
		e = e.With("tag", message.Bytes(p.terms.Tag))
	}
	return e
}

func (p prepared) base(entry message.Message) string {
	base, _ := baseOf(entry, componentsOf(p.laid, p.listed, false), p.laid.Get) // the components are those of the layout
	return base
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
		keys = make([]string, 0, m.Len())
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
	out := make([]string, 0, len(keys)+1)
	wanted := oneOf(keys)
	for key := range m.All() {
		if wanted(key) && key != message.KeyCommitments && !message.IsPrivate(key) {
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
