package httpsig

import (
	"crypto"
	"encoding/base64"
	"slices"
	"strings"

	"ago/codec/structured"
	"ago/codec/structured/sfv"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func init() { commitment.Register(Codec, first) }

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

// Verify checks every commitment of the message and gives those who signed, in the order of the ids of their commitments. A
// message without commitments has no signers, which is no error. It fails with Forged ("signature-invalid") if one does not
// hold and with Unsupported for one that cannot be checked here.
func Verify(m message.Message) ([]commitment.Signer, error) {
	var signers []commitment.Signer
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		s, err := VerifyEntry(m, id, entry)
		if err != nil {
			return nil, err
		}
		if s.Owner != nil {
			signers = append(signers, s)
		}
	}
	return signers, nil
}

// Holding gives the message with only those commitments that hold, and who made them: what two generations of clients sign in
// one request, a node of either would read half of.
func Holding(m message.Message) (message.Message, []commitment.Signer) {
	var signers []commitment.Signer
	var kept []message.Field
	var dropped []message.ID
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		s, err := VerifyEntry(m, id, entry)
		if err != nil {
			parsed, _ := message.ParseID(id)
			dropped = append(dropped, parsed)
			continue
		}
		kept = append(kept, message.Field{Key: id, Value: v})
		if s.Owner != nil {
			signers = append(signers, s)
		}
	}
	if len(dropped) == 0 {
		return m, signers
	}
	out := m.Without(message.KeyCommitments)
	if len(kept) > 0 {
		out = m.With(message.KeyCommitments, message.New(kept...))
	}
	f, ok := m.Form().(*form)
	if !ok || m.Codec() != Codec {
		return out, signers
	}
	stripped := &form{wire: f.wire, members: f.members}
	var names []string
	for _, id := range dropped {
		names = append(names, f.members[id].name)
	}
	for _, header := range []string{hdrSignature, hdrSignatureInput} {
		stripped.wire = stripped.wire.with(header, without(stripped.wire, header, names))
	}
	raw, err := stripped.wire.Bytes()
	if err != nil {
		return out, signers
	}
	var id message.ID
	if len(out.Committers()) > 0 {
		id = out.SignedID()
	}
	return out.Decoded(id, Codec, raw, stripped), signers
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

// VerifyEntry checks one commitment of a message, by its id, and gives who signed; a MAC under the key that everybody knows
// has nobody. The commitment holds if it covers the headers that the message came in, or the canonical form of the keys that
// it lists: peers that take a message apart and put it together again sign the latter.
func VerifyEntry(m message.Message, id string, entry message.Message) (commitment.Signer, error) {
	if device := entry.Text(keyDevice); device != Codec {
		return commitment.Signer{}, fault.New(fault.Unsupported, "commitment-unknown", "a commitment by %.60q is not checked here", device)
	}
	if _, old := entry.Get(keySignatureInput); old {
		return verifyA(m, id, entry)
	}
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(entry.Text(keySignature), "="))
	if err != nil {
		return commitment.Signer{}, forged("the signature of %.60s is not base64url", id)
	}
	s := member{signature: signature}
	if s.id().String() != id {
		return commitment.Signer{}, forged("the commitment %.60s has another signature", id)
	}
	check, signer, err := checkOf(entry)
	if err != nil {
		return commitment.Signer{}, err
	}
	if f, ok := m.Form().(*form); ok && m.Codec() == Codec {
		if in, ok := f.members[s.id()]; ok && !in.steered(f.wire, committedKeys(entry)) {
			if base, ok := baseOf(entry, in.components, f.wire.Get); ok && check(base, signature) {
				return signer, nil
			}
		}
	}
	committed := committedKeys(entry)
	for _, key := range committed {
		if _, ok := m.Get(key); !ok && key != message.KeyTypes {
			return commitment.Signer{}, forged("the message lacks %.60q, which was signed", key)
		}
	}
	laid := canonical(m, committed, nestingOf(entry))
	base, ok := baseOf(entry, componentsOf(laid, committed), laid.Get)
	if !ok || !check(base, signature) {
		return commitment.Signer{}, forged("the signature %.60s does not hold for what it covers", id).
			WithHint("the keys it covers are in its committed list; one of them was changed on the way")
	}
	return signer, nil
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
	ms, err := members(NewWire([]message.Header{{Name: hdrSignature, Value: entry.Text(keySignature)}, {Name: hdrSignatureInput, Value: entry.Text(keySignatureInput)}}, nil))
	if err != nil {
		return commitment.Signer{}, err
	}
	isMAC := entry.Text(keyAlg) == AlgorithmHMAC
	for _, s := range ms {
		if !isMAC && s.id().String() != id {
			continue
		}
		laid := layA(m)
		sources := []func(string) (string, bool){laid.Get}
		if f, ok := m.Form().(*form); ok && m.Codec() == Codec && !s.steered(f.wire, committedKeys(entry)) {
			sources = []func(string) (string, bool){f.wire.Get, laid.Get}
		}
		for _, value := range sources {
			if isMAC {
				if mac, ok := macA(s.components, value); ok && mac.String() == id {
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
			if base, ok := linesA(s.components, s.raw, value); ok && check(base, s.signature) {
				return signer, nil
			}
		}
	}
	return commitment.Signer{}, forged("the signature %.60s does not hold for what it covers", id)
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
