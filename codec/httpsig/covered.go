package httpsig

import (
	"encoding/base64"
	"slices"
	"strings"

	"ago/codec/structured"
	"ago/codec/structured/sfv"
	"ago/message"
)

// steering are headers that tell how others are read, signed or not.
var steering = []string{hdrSignature, hdrSignatureInput, hdrBodyKeys, hdrInlineKey, hdrIDs, message.KeyBodyKey, message.KeyTypes}

// Covered gives what the signatures of a request or answer cover, and what is needed to read that: the headers and the body
// that transport or client added unsigned, cookies among them, are gone. The signatures stay as they were.
func Covered(w Wire) (Wire, error) {
	ms, err := members(w)
	if err != nil {
		return Wire{}, err
	}
	return coveredBySome(w, ms), nil
}

// DecodeCovered is DecodeUpTo of what Covered gives.
func DecodeCovered(w Wire, most int) (message.Message, error) {
	ms, err := members(w)
	if err != nil {
		return message.Message{}, err
	}
	return decode(coveredBySome(w, ms), bounds{keys: most}, func(Wire) ([]member, error) { return ms, nil }) // whose headers stay as they were
}

func coveredBySome(w Wire, ms []member) Wire {
	signed := map[string]bool{}
	for _, s := range ms {
		for _, c := range s.components {
			signed[strings.TrimPrefix(c, "@")] = true
		}
	}
	out := Wire{Headers: make([]message.Header, 0, len(w.Headers))}
	body := signed[message.KeyContentDigest] || signed["content-length"] || signed[message.KeyContentType]
	for _, h := range w.Headers {
		ofBody := h.Name == message.KeyContentType || h.Name == message.KeyContentDigest
		if signed[h.Name] || slices.Contains(steering, h.Name) || body && ofBody {
			out.Headers = append(out.Headers, h)
		}
	}
	if body {
		out.Body = w.Body
	}
	return out
}

// Tagged tells whether a commitment says what its signature is for: answers do, and what was signed for whoever asked. It reads
// that where it was signed, since the key that tells of it may have been taken away.
func Tagged(entry message.Message) bool {
	if entry.Text(keyTag) != "" || generationOf(entry) == structured.GenB {
		_, tagged := entry.Get(keyTag)
		return tagged
	}
	ms, err := entryMembers(entry)
	return err != nil || slices.ContainsFunc(ms, func(s member) bool { return s.param(keyTag) != "" })
}

// SignatureOf gives the public key and the signature that a commitment carries, of HTTP messages in both generations and of data
// items and transactions; ok is false for a commitment that names no public key.
func SignatureOf(entry message.Message) (owner, signature []byte, ok bool) {
	if generationOf(entry) == structured.GenA {
		ms, err := entryMembers(entry)
		if err != nil || len(ms) == 0 || entry.Text(keyAlg) == AlgorithmHMAC {
			return nil, nil, false
		}
		owner, err = sfv.DecodeBase64(ms[0].param(keyKeyID))
		return owner, ms[0].signature, err == nil
	}
	key, ok := strings.CutPrefix(entry.Text(keyKeyID), schemePublic)
	if !ok {
		return nil, nil, false
	}
	owner, err := sfv.DecodeBase64(key)
	if err != nil {
		return nil, nil, false
	}
	signature, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(entry.Text(keySignature), "="))
	return owner, signature, err == nil
}
