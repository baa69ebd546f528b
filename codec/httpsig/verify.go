package httpsig

import (
	"crypto"
	"encoding/base64"
	"slices"
	"strings"
	"sync"

	"ago/codec/structured"
	"ago/codec/structured/sfv"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func init() {
	commitment.Register(Codec, first)
	commitment.RegisterEntries(Codec, verifyEntry)
}

// first is the scheme of the codec: every commitment holds, and the first signer in the order of their ids vouches.
func first(m message.Message) (commitment.Signer, error) {
	signers, err := Verify(m)
	if err != nil {
		return commitment.Signer{}, err
	}
	if len(signers) == 0 {
		return commitment.Signer{}, fault.New(fault.Unsupported, "not-signed", "nobody has signed the message")
	}
	return signers[0], nil
}

func forged(format string, args ...any) *fault.Error {
	return fault.New(fault.Forged, "signature-invalid", format, args...)
}

// Verify checks every commitment of the message and gives who signed, in the order of the ids of their commitments. A message
// without commitments has no signers, which is no error. It fails with Forged ("signature-invalid") if one does not hold and
// with Unsupported for one that cannot be checked here. Commitments of nested messages are not looked at: see Holding.
func Verify(m message.Message) ([]commitment.Signer, error) { return commitment.VerifyEntries(m) }

// checksMax bounds how many commitments of one message, with those nested in it, are checked; others do not count as holding.
const checksMax = 256

// Holding gives the message with only those commitments that hold, its own and those of nested messages, and who signed it.
//
// RATIONALE: a message may come signed in two generations, of which a node of either would read half. And nodes send nested
// messages with commitments that no longer fit them, which is no reason to refuse what is around; but ids are taken from
// commitments, so that what is kept of them must hold before anything is stored under such an id.
func Holding(m message.Message) (message.Message, []commitment.Signer) {
	left := checksMax
	out, signers, dropped := holding(m, &left)
	return reformed(m, out, dropped), signers
}

// HoldingNested is Holding of a message whose own commitments were found to hold.
func HoldingNested(m message.Message) message.Message {
	left := checksMax - m.Commitments().Len()
	if left < 0 {
		out, _ := Holding(m)
		return out
	}
	out, changed := holdingNested(m, &left)
	if !changed {
		return m
	}
	return reformed(m, out, nil)
}

// reformed gives what is left of a message with the form that belongs to it.
func reformed(m, out message.Message, dropped []message.ID) message.Message {
	if f, ok := m.Form().(*form); ok && m.Codec() == Codec && !message.Equal(out, m) {
		return f.without(dropped).carry(out)
	}
	return out
}

// holding also gives the ids of the message's own commitments that do not hold.
func holding(m message.Message, left *int) (out message.Message, signers []commitment.Signer, dropped []message.ID) {
	kept := message.New()
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		s, err := commitment.VerifyEntry(m, id, entry)
		if *left--; err != nil || *left < 0 {
			parsed, _ := message.ParseID(id)
			dropped = append(dropped, parsed)
			continue
		}
		kept = kept.With(id, v)
		if s.Owner != nil {
			signers = append(signers, s)
		}
	}
	if out = m; len(dropped) > 0 {
		out = committedAs(m, kept)
	}
	out, _ = holdingNested(out, left)
	return out, signers, dropped
}

func holdingNested(m message.Message, left *int) (message.Message, bool) {
	return eachNested(m, func(inner message.Message) (message.Message, bool) {
		held, _, _ := holding(inner, left)
		return held, !message.Equal(held, inner)
	})
}

// without gives the form without the signatures of these ids.
func (f *form) without(ids []message.ID) *form {
	out := &form{wire: f.wire, members: f.members}
	var names []string
	for _, id := range ids {
		names = append(names, f.members[id].name)
	}
	if len(names) > 0 {
		for _, header := range []string{hdrSignature, hdrSignatureInput} {
			out.wire = out.wire.with(header, without(out.wire, header, names))
		}
	}
	return out
}

// carry gives a message that says what the form says the bytes and the id that belong to it.
func (f *form) carry(m message.Message) message.Message {
	raw, err := f.wire.Bytes()
	if err != nil {
		return m
	}
	return f.carried(m, raw)
}

// carried is carry of bytes that were written before.
func (f *form) carried(m message.Message, raw []byte) message.Message {
	var id message.ID
	if len(m.Committers()) > 0 {
		id = m.SignedID()
	}
	return m.Decoded(id, Codec, raw, f)
}

// without gives the text of a dictionary without some members.
func without(w Wire, header string, names []string) string {
	text, _ := w.Get(header)
	members, _ := sfv.ParseDictionary(text)
	var kept []string
	for _, m := range members {
		if !slices.Contains(names, m.Name) {
			kept = append(kept, m.Name+"="+m.Raw)
		}
	}
	return strings.Join(kept, ", ")
}

// verifyEntry checks one commitment of a message, by its id, and gives who signed; a MAC under the key that everybody knows has
// nobody. The commitment holds if it covers the headers that the message came in, or the canonical form of the keys that it
// lists: peers that take a message apart and put it together again sign the latter.
func verifyEntry(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	if _, old := entry.Get(keySignatureInput); old {
		return verifyA(m, id, entry)
	}
	check, signer, err := checkOf(entry)
	if err != nil {
		return commitment.Signer{}, err
	}
	if err := verifyBy(m, id, entry, check); err != nil {
		return commitment.Signer{}, err
	}
	return signer, nil
}

// verifyBy checks a commitment of the second generation.
func verifyBy(m message.Message, id string, entry message.Message, check func(base string, signature []byte) bool) error {
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(entry.Text(keySignature), "="))
	if err != nil {
		return forged("the signature of %.60s is not base64url", id)
	}
	s := member{signature: signature}
	if s.id().String() != id {
		return forged("the commitment %.60s has another signature", id)
	}
	if f, ok := m.Form().(*form); ok && m.Codec() == Codec {
		if in, ok := f.members[s.id()]; ok && !in.steered(f.wire, committedKeys(entry)) {
			if base, ok := baseOf(entry, in.components, f.wire.signed); ok && check(base, signature) {
				return nil
			}
		}
	}
	committed := committedKeys(entry)
	for _, key := range committed {
		if _, ok := m.Get(key); !ok && key != message.KeyTypes {
			return forged("the message lacks %.60q, which was signed", key)
		}
	}
	laid := canonical(m, committed, nestingOf(entry))
	base, ok := baseOf(entry, componentsOf(laid, committed, false), laid.Get)
	if !ok || !check(base, signature) {
		return forged("the signature %.60s does not hold for what it covers", id).
			WithHint("the keys it covers are in its committed list; one of them was changed on the way")
	}
	return nil
}

// checkOf gives the check of an algorithm and whose key it is done with.
func checkOf(entry message.Message) (check func(base string, signature []byte) bool, s commitment.Signer, err error) {
	kind, keyID := entry.Text(keyType), entry.Text(keyKeyID)
	if kind == AlgorithmHMAC {
		if keyID != message.KeyIDConstant {
			return nil, s, fault.New(fault.Unsupported, "commitment-unknown", "a MAC under a secret key cannot be checked without it")
		}
		return func(base string, mac []byte) bool {
			want := message.ConstantMAC(base)
			return string(want[:]) == string(mac)
		}, s, nil
	}
	key, ok := strings.CutPrefix(keyID, schemePublic)
	owner, err := sfv.DecodeBase64(key)
	if !ok || err != nil {
		return nil, s, forged("the keyid of a signature is %s and the key in base64", schemePublic)
	}
	if who := entry.Text(keyCommitter); who != "" && who != commitment.AddressOf(owner).String() {
		return nil, s, forged("the signature is by another key than that of its committer")
	}
	return publicCheck(kind, owner)
}

func publicCheck(algorithm string, owner []byte) (func(base string, signature []byte) bool, commitment.Signer, error) {
	switch algorithm {
	case AlgorithmRSA:
		return func(base string, signature []byte) bool {
			return commitment.VerifyPSS(crypto.SHA512, owner, []byte(base), signature) == nil
		}, commitment.Signer{Type: commitment.RSA, Owner: owner}, nil
	case AlgorithmEd25519:
		return func(base string, signature []byte) bool {
			return commitment.VerifySignature(commitment.Ed25519, owner, []byte(base), signature) == nil
		}, commitment.Signer{Type: commitment.Ed25519, Owner: owner}, nil
	}
	return nil, commitment.Signer{}, fault.New(fault.Unsupported, "algorithm-unknown", "signatures by %.60q cannot be checked here", algorithm).
		WithHint("sign by %s or %s", AlgorithmRSA, AlgorithmEd25519)
}

// verifyA checks a commitment of the first generation: it carries its own signature headers.
func verifyA(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	ms, err := entryMembers(entry)
	if err != nil {
		return commitment.Signer{}, err
	}
	isMAC := entry.Text(keyAlg) == AlgorithmHMAC
	for _, s := range ms {
		if !isMAC && s.id().String() != id {
			continue
		}
		for _, from := range sourcesA(m, entry, s) {
			if isMAC {
				if mac, ok := macA(s.components, from.value); ok && mac.String() == id && s.signed(entry, from.wire(), from.says) {
					return commitment.Signer{}, nil
				}
				continue
			}
			owner, err := sfv.DecodeBase64(s.param(keyKeyID))
			if err != nil {
				return commitment.Signer{}, forged("the keyid of the signature is not base64url")
			}
			if who := entry.Text(keyCommitter); who != "" && who != commitment.AddressOf(owner).String() {
				return commitment.Signer{}, forged("the signature is by another key than that of its committer")
			}
			check, signer, err := publicCheck(s.param("alg"), owner)
			if err != nil {
				return commitment.Signer{}, err
			}
			if base, ok := linesA(s.components, s.raw, from.value); ok && check(base, s.signature) && s.signed(entry, from.wire(), from.says) {
				return signer, nil
			}
		}
	}
	return commitment.Signer{}, forged("the signature %.60s does not hold for what it covers", id)
}

// sourceA is a layout that a signature of the first generation may be over.
type sourceA struct {
	value func(name string) (string, bool)
	wire  func() Wire
	says  message.Message // what is laid out
}

// sourcesA gives what a signature may be over: the headers that the message came in, and what clients and nodes of the generation make
// of what it says. Each is laid out when it is looked at, which costs a copy of the body.
func sourcesA(m, entry message.Message, s member) []sourceA {
	laid := func(says message.Message, lay func() message.Laid) sourceA {
		once := sync.OnceValue(lay)
		return sourceA{func(name string) (string, bool) { return once().Get(name) }, func() Wire { return NewWire(once().Headers, []byte(once().Body)) }, says}
	}
	var sources []sourceA
	if f, ok := m.Form().(*form); ok && m.Codec() == Codec && !s.steered(f.wire, committedKeys(entry)) {
		sources = append(sources, sourceA{f.wire.signed, func() Wire { return f.wire }, m})
		if w, ok := untypedStatus(f.wire, s); ok {
			sources = append(sources, sourceA{w.signed, func() Wire { return w }, m})
		}
	}
	sources = append(sources, laid(m, func() message.Laid { return layA(m) }))
	if s.covers(message.KeyContentDigest) { // what is nested is in the body
		claimed := onlyKeys(m, committedKeys(entry)) // what is beside it is in no layout, and would look as if it were in the body
		for _, lower := range []bool{false, true} {
			sources = append(sources, laid(claimed, func() message.Laid { return laidByNodeA(claimed, lower) }))
		}
	}
	return sources
}

// onlyKeys gives a message with these keys alone, without commitments.
func onlyKeys(m message.Message, keys []string) message.Message {
	wanted := oneOf(keys)
	fs := make([]message.Field, 0, m.Len())
	for key, v := range m.All() {
		if key != message.KeyCommitments && wanted(key) {
			fs = append(fs, message.Field{Key: key, Value: v})
		}
	}
	return message.Of(fs)
}

// untypedStatus gives headers without the type of the status of an answer, if a signature covers types and no status: nodes of the first
// generation added it after they had signed.
func untypedStatus(w Wire, s member) (Wire, bool) {
	const status, added = "status", `status="integer"`
	types, ok := w.Get(message.KeyTypes)
	if !ok || !s.covers(message.KeyTypes) || s.covers(status) || !strings.Contains(types, added) {
		return w, false
	}
	kept := slices.DeleteFunc(strings.Split(types, ", "), func(member string) bool { return member == added })
	return w.with(message.KeyTypes, strings.Join(kept, ", ")), true
}

// signed tells whether a signature covers all that its commitment says it does: what it signed stands beside that in the commitment,
// which comes from whoever sent it. A value with a type that was not signed was not signed either.
func (s member) signed(entry message.Message, w Wire, m message.Message) bool {
	if s.steered(w, committedKeys(entry)) {
		return false
	}
	covered := map[string]bool{}
	for _, key := range s.committed(w, m) {
		text, _ := key.(message.Bytes)
		covered[string(text)] = true
	}
	return !slices.ContainsFunc(committedKeys(entry), func(key string) bool { return !covered[key] })
}

// linesA writes a base of the first generation: the parameters stand as they were written.
func linesA(components []string, raw string, value func(string) (string, bool)) (string, bool) {
	lines := make([]string, 0, len(components)+1)
	for _, c := range components {
		name := strings.TrimPrefix(c, "@")
		v, ok := value(name)
		if !ok {
			return "", false
		}
		lines = append(lines, sfv.Quote(name)+": "+strings.Trim(v, " \t"))
	}
	return strings.Join(append(lines, `"@signature-params": `+raw), "\n"), true
}

// generationOf tells in which one a commitment was made.
func generationOf(entry message.Message) structured.Generation {
	if _, old := entry.Get(keySignatureInput); old {
		return structured.GenA
	}
	return structured.GenB
}
