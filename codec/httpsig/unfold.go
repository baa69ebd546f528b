package httpsig

import (
	"slices"
	"strings"

	"ago/codec/structured"
	"ago/message"
)

// unfoldMax bounds how deep signed messages that brought their own layout are read within each other: each is read anew.
const unfoldMax = 8

// unfold reads nested messages, of the annotated form, that were signed as HTTP messages of their own before they were put into
// this one: their keys are the headers and the body that the signature covers, which no layout of what they say gives again.
// Each becomes what it says and keeps these headers and body, so that it can be verified and sent on as it was signed.
//
// RATIONALE: a published client signs a message as an HTTP message and nests what it got, a multipart body among it, under the
// keys of the headers. Nodes of the first generation hand a process that body as bytes; here it reads what was signed.
func unfold(annotated message.Message, to bounds) (message.Message, bool) {
	if to.depth == unfoldMax {
		return annotated, false
	}
	return eachNested(annotated, func(inner message.Message) (message.Message, bool) {
		if out, ok := unfolded(inner, to); ok {
			return out, true
		}
		return unfold(inner, to)
	})
}

func unfolded(annotated message.Message, to bounds) (message.Message, bool) {
	entries := annotated.Commitments()
	if entries.Len() == 0 || entries.Len() > signaturesMax {
		return annotated, false
	}
	signatures, macs := entriesA(entries)
	if len(signatures) == 0 {
		return annotated, false
	}
	if _, multipart, _ := boundaryOf(annotated.Text(message.KeyContentType)); !multipart && len(macs) > 0 {
		content, err := structured.Decode(annotated.Without(message.KeyCommitments), structured.GenA)
		if err != nil || holdsAll(macs, layA(content).Get) {
			return annotated, false // what it says gives what was signed, or it says nothing
		}
	}
	var first *Wire
	for _, key := range []string{message.KeyBody, message.KeyData, ""} {
		w, ok := carriedWire(annotated, signatures, key)
		if !ok {
			continue
		}
		if len(macs) > 0 && holdsAll(macs, w.signed) {
			return decodeFolded(annotated, w, macs, to)
		}
		if first == nil {
			first = &w
		}
	}
	if first == nil {
		return annotated, false
	}
	return decodeFolded(annotated, *first, nil, to) // what its MACs say is not so, its signatures may hold
}

func decodeFolded(annotated message.Message, w Wire, macs map[string]member, to bounds) (message.Message, bool) {
	to.depth++
	m, err := decode(w, to, members)
	if err != nil {
		return annotated, false
	}
	return withMACs(m, macs), true
}

// entriesA gives the signatures of commitments of the first generation, and its MACs by their ids. What cannot be read or is of the
// second stays out: whoever adds it must not change how the rest is read.
func entriesA(entries message.Message) (signatures []member, macs map[string]member) {
	macs = map[string]member{}
	for id, v := range entries.All() {
		entry, _ := v.(message.Message)
		ms, err := entryMembers(entry)
		if err != nil || len(ms) != 1 || !ms[0].old() || generationOf(entry) != structured.GenA {
			continue
		}
		if entry.Text(keyAlg) == AlgorithmHMAC {
			macs[id] = ms[0]
		} else if !slices.ContainsFunc(signatures, func(s member) bool { return s.name == ms[0].name }) {
			signatures = append(signatures, ms[0])
		}
	}
	return signatures, macs
}

func (s member) covers(name string) bool {
	return slices.ContainsFunc(s.components, func(c string) bool { return strings.TrimPrefix(c, "@") == name })
}

// carriedWire gives the HTTP message that was signed, if the text under a key is its body; "" if it has none. What a stranger has
// added stays out, so that it does not change how the rest is read.
func carriedWire(m message.Message, signatures []member, bodyKey string) (Wire, bool) {
	body, there := "", bodyKey == ""
	var hs []message.Header
	for key, v := range m.All() {
		text, ok := v.(message.Bytes)
		switch {
		case !ok:
		case key == bodyKey:
			body, there = string(text), true
		case slices.ContainsFunc(signatures, func(s member) bool { return s.covers(key) }):
			hs = append(hs, message.Header{Name: key, Value: string(text)})
		}
	}
	if !there || bodyKey != "" && !signatures[0].covers(message.KeyContentDigest) {
		return Wire{}, false
	}
	if bodyKey != "" {
		hs = append(hs, message.Header{Name: message.KeyContentDigest, Value: message.ContentDigest(body)})
		if signatures[0].covers(hdrInlineKey) {
			hs = append(hs, message.Header{Name: hdrInlineKey, Value: bodyKey})
		}
	}
	w := NewWire(hs, []byte(body))
	for _, s := range signatures {
		for _, c := range s.components {
			if _, ok := w.signed(strings.TrimPrefix(c, "@")); !ok {
				return Wire{}, false
			}
		}
	}
	return w.signedBy(signatures), true
}

// signedBy gives the wire with these signatures.
func (w Wire) signedBy(signatures []member) Wire {
	var values, inputs []string
	for _, s := range signatures {
		values, inputs = append(values, s.name+"="+s.value()), append(inputs, s.name+"="+s.raw)
	}
	return w.with(hdrSignature, strings.Join(values, ", ")).with(hdrSignatureInput, strings.Join(inputs, ", "))
}

// holdsAll tells whether there are MACs and all are of these values; ids may have lost their case.
func holdsAll(macs map[string]member, value func(string) (string, bool)) bool {
	for id, s := range macs {
		if mac, ok := macA(s.components, value); !ok || !strings.EqualFold(mac.String(), id) {
			return false
		}
	}
	return true
}

// withMACs adds the commitments that name the content to a message that was read with its signatures.
func withMACs(m message.Message, macs map[string]member) message.Message {
	f, _ := m.Form().(*form)
	entries := m.Commitments()
	for _, s := range macs {
		if mac, ok := macA(s.components, f.wire.signed); ok {
			entries = entries.With(mac.String(), s.entryA(AlgorithmHMAC, f.wire, m))
		}
	}
	return f.carry(committedAs(m, entries))
}

// folded is the contrary of unfold: a message that is nested where what it says does not give what was signed is written as the
// headers and the body that were.
func folded(m message.Message) (message.Message, bool) {
	f, ok := m.Form().(*form)
	if !ok || m.Codec() != Codec || f.wire.generation() != structured.GenA {
		return m, false
	}
	ms, err := members(f.wire)
	if err != nil || len(ms) == 0 || m.OnlyCommitted().Len() < m.Len() {
		return m, false
	}
	contentType, _ := f.wire.Get(message.KeyContentType)
	if _, multipart, _ := boundaryOf(contentType); !multipart { // otherwise what is nested would be given commitments
		if mac, ok := macA(ms[0].components, f.wire.signed); !ok || holdsAll(map[string]member{mac.String(): ms[0]}, layA(m).Get) {
			return m, false
		}
	}
	w, err := Covered(f.wire)
	if err != nil {
		return m, false
	}
	bodyKey := message.KeyBody
	var fs []message.Field
	for _, h := range w.Headers {
		switch h.Name {
		case hdrSignature, hdrSignatureInput, hdrBodyKeys, message.KeyContentDigest:
		case hdrInlineKey:
			bodyKey = h.Value
		default:
			fs = append(fs, message.Field{Key: h.Name, Value: message.Bytes(h.Value)})
		}
	}
	if len(w.Body) > 0 {
		fs = append(fs, message.Field{Key: bodyKey, Value: message.Bytes(w.Body)})
	}
	return message.New(append(fs, message.Field{Key: message.KeyCommitments, Value: m.Commitments()})...), true
}

func foldedAll(m message.Message) (message.Message, bool) {
	if out, ok := folded(m); ok {
		return out, true
	}
	return eachNested(m, foldedAll)
}
