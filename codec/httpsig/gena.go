package httpsig

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"ago/codec/structured"
	"ago/codec/structured/sfv"
	"ago/commitment"
	"ago/message"
)

// macKeyA is the key that everybody knows, and its name, in the first generation.
const macKeyA = "ao"

// EncodeA writes a message for a client that spoke the first generation, without signatures: see SignA. Keys that steer go into
// parts as in Encode.
func EncodeA(m message.Message, steering ...string) (Wire, error) {
	toPart := func(key string) bool { return Steers(key) && !slices.Contains(steering, key) }
	m = withLowerTypes(m)
	laid := laidA(m, toPart)
	if _, own := m.Get(message.KeyContentType); own && len(laid.Parts) > 0 { // its place is taken
		laid = laidA(m, func(key string) bool { return toPart(key) || key == message.KeyContentType })
	}
	w := NewWire(laid.Headers, []byte(laid.Body))
	_, err := w.Bytes()
	return w, err
}

// withLowerTypes gives keys whose type stands beside them the names that they have once they were headers, if no other key has it.
func withLowerTypes(m message.Message) message.Message {
	for key, v := range m.All() {
		lower := strings.ToLower(key)
		if lower == key || len(key) == 32 || len(key) == 42 || len(key) == 43 {
			continue
		}
		_, kind, flat := message.TextOf(v)
		list, isList := v.(message.List) // one of plain values is a text
		if _, taken := m.Get(lower); (flat && kind != "" || isList && len(list) > 0) && !taken {
			m = m.Without(key).With(lower, v)
		}
	}
	return m
}

// layA lays out a message in the first generation, in the form that is signed.
func layA(m message.Message) message.Laid { return laidA(m, nil) }

// laidA lays out a message with keys in parts that could be headers.
func laidA(m message.Message, toPart func(key string) bool) message.Laid {
	m, _ = eachNested(m, foldedAll)
	a := structured.Encode(m.Without(message.KeyCommitments), structured.GenA, message.Nested)
	var ids []string
	for key, v := range a.All() {
		if text, ok := v.(message.Bytes); ok && (len(key) == 32 || len(key) == 42 || len(key) == 43) {
			ids = append(ids, key+"="+sfv.Quote(string(text)))
			a = a.Without(key)
		}
	}
	if named := a.Text(hdrInlineKey); named != "" {
		a = a.Without(hdrInlineKey).With(message.KeyBodyKey, message.Bytes(named))
	}
	// A text that no header can hold is the body, if it is the only one.
	_, body := a.Get(message.KeyBody)
	_, data := a.Get(message.KeyData)
	if unfit := unfitKeys(a); len(unfit) == 1 && !body && !data {
		a = a.With(message.KeyBodyKey, message.Bytes(unfit[0]))
	}
	laid := a.Lay(func(key, text string, top bool) bool { return unfitText(text) || top && toPart != nil && toPart(key) })
	for i, h := range laid.Headers {
		if h.Name == message.KeyBodyKey {
			laid.Headers[i].Name = hdrInlineKey
		}
	}
	if len(laid.Parts) > 0 {
		laid.Headers = append(laid.Headers, message.Header{Name: hdrBodyKeys, Value: quotedList(laid.Parts)})
	}
	if len(ids) > 0 {
		laid.Headers = append(laid.Headers, message.Header{Name: hdrIDs, Value: strings.Join(ids, ", ")})
	}
	slices.SortStableFunc(laid.Headers, func(a, b message.Header) int { return strings.Compare(a.Name, b.Name) })
	return laid
}

// laidByNodeA lays out a message as nodes of the first generation did when they signed it: a line holds every text without the
// end of a line in it, be it bytes, and commitments of nested messages do not list what they cover. Clients name these in lower case, and nodes left
// them so.
func laidByNodeA(m message.Message, lower bool) message.Laid {
	m, _ = eachNested(m, func(inner message.Message) (message.Message, bool) { return asSentA(inner, lower) })
	a := structured.Encode(m.Without(message.KeyCommitments), structured.GenA, message.Nested)
	return a.Lay(func(_, text string, _ bool) bool { return strings.Contains(text, "\r\n") })
}

// asSentA gives a nested message with its commitments as a client of the first generation sent them.
func asSentA(m message.Message, lower bool) (message.Message, bool) {
	m, changed := eachNested(m, func(inner message.Message) (message.Message, bool) { return asSentA(inner, lower) })
	if m.Commitments().Len() == 0 {
		return m, changed
	}
	entries := message.New()
	for id, v := range m.Commitments().All() {
		if entry, ok := v.(message.Message); ok && generationOf(entry) == structured.GenA {
			v = entry.Without(keyCommitted)
			if lower {
				id = strings.ToLower(id)
			}
		}
		entries = entries.With(id, v)
	}
	return committedAs(m, entries), true
}

func unfitKeys(a message.Message) []string {
	var keys []string
	for key, v := range a.All() {
		if text, ok := v.(message.Bytes); ok && unfitText(string(text)) {
			keys = append(keys, key)
		}
	}
	return keys
}

func quotedList(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = sfv.Quote(v)
	}
	return strings.Join(quoted, ", ")
}

// unsignedNames are headers that a signature of the first generation leaves out.
var unsignedNames = []string{hdrSignature, hdrSignatureInput, hdrBodyKeys}

// SignA signs headers and body as clients of the first generation expect of a node, by an RSA key or, what that generation had
// no name for, an Ed25519 key: its clients read what a signature covers whoever made it. Other keys cannot. A tag that is not ""
// says what the signature is for.
func SignA(w Wire, k *commitment.Key, tag string) (Wire, error) {
	var components []string
	for _, h := range w.Headers {
		if !slices.Contains(unsignedNames, h.Name) {
			components = append(components, message.Component(h.Name))
		}
	}
	slices.Sort(components)
	algorithm, sign := AlgorithmRSA, func(base []byte) ([]byte, error) { return k.SignPSS512(base, nil) }
	if k.Type() == commitment.Ed25519 {
		algorithm, sign = AlgorithmEd25519, k.Sign
	}
	params := []message.Param{{Name: "alg", Value: message.Bytes(algorithm)}, {Name: keyKeyID, Value: message.Bytes(base64.RawURLEncoding.EncodeToString(k.Owner()))}}
	if tag != "" {
		params = append(params, message.Param{Name: keyTag, Value: message.Bytes(tag)})
	}
	raw := message.SignatureParams(components, params)
	base, _ := linesA(components, raw, w.Get) // every component is a header
	signature, err := sign([]byte(base))
	if err != nil {
		return Wire{}, err
	}
	address := k.Address()
	name := memberA + hex.EncodeToString(address[1:9])
	return w.with(hdrSignature, name+"=:"+base64.StdEncoding.EncodeToString(signature)+":").with(hdrSignatureInput, name+"="+raw), nil
}

// UnsignedIDA is the id that nodes of the first generation give to a message as its content: the MAC of what its first signature
// covers, or of all headers of a message without such a signature.
func UnsignedIDA(m message.Message) message.ID {
	laid := layA(m)
	value := laid.Get
	if f, ok := m.Form().(*form); ok && m.Codec() == Codec {
		value = f.wire.signed
	}
	for _, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		if generationOf(entry) != structured.GenA {
			continue
		}
		if ms, err := entryMembers(entry); err == nil && len(ms) > 0 {
			if id, ok := macA(ms[0].components, value); ok {
				return id
			}
		}
	}
	var names []string
	for _, h := range laid.Headers {
		if !slices.Contains(unsignedNames, h.Name) {
			names = append(names, h.Name)
		}
	}
	id, _ := macA(names, laid.Get) // every component is a header
	return id
}

// macA is the MAC of the first generation: components with @ where they are derived, in order, status among them.
func macA(components []string, value func(string) (string, bool)) (message.ID, bool) {
	listed := make([]string, len(components))
	for i, c := range components {
		listed[i] = message.Component(strings.TrimPrefix(c, "@"))
		if listed[i] == "status" {
			listed[i] = "@status"
		}
	}
	slices.Sort(listed)
	params := []message.Param{{Name: "alg", Value: message.Bytes(AlgorithmHMAC)}, {Name: keyKeyID, Value: message.Bytes(macKeyA)}}
	base, ok := linesA(listed, message.SignatureParams(listed, params), value)
	if !ok {
		return message.ID{}, false
	}
	mac := hmac.New(sha256.New, []byte(macKeyA))
	mac.Write([]byte(base))
	return message.ID(mac.Sum(nil)), true
}
