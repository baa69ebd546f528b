package httpsig

import (
	"math"
	"strings"

	"ago/codec/structured"
	"ago/codec/structured/sfv"
	"ago/fault"
	"ago/message"
)

// form stays with a message that was decoded: what it came in, and where its signatures stand there.
type form struct {
	wire    Wire
	members map[message.ID]member // only looked up
}

// WireOf gives the headers and body that a message came in.
func WireOf(m message.Message) (Wire, bool) {
	if m.Codec() != Codec {
		return Wire{}, false
	}
	f, ok := m.Form().(*form)
	if !ok {
		return Wire{}, false
	}
	return f.wire, true
}

// Decode reads a message with its commitments, without checking signatures; only the digest of the body is checked. Headers and
// parts become keys, the body the key that a header names or "body". The id is that of all signatures, or zero. It fails with
// Malformed ("header-malformed", "multipart-malformed", "signature-malformed", "types-malformed"), Forged ("digest-invalid")
// and TooLarge ("message-too-deep", "multipart-too-large").
func Decode(w Wire) (message.Message, error) { return DecodeUpTo(w, math.MaxInt) }

// DecodeUpTo is Decode of at most so many keys in headers and parts together, for what strangers send. Beyond that it fails with
// TooLarge ("keys-too-many").
func DecodeUpTo(w Wire, most int) (message.Message, error) {
	return decode(w, bounds{keys: most}, members)
}

// bounds are what a message may have, and where it is.
type bounds struct {
	keys  int // at most
	depth int // of messages around it that were read for themselves
}

var unbounded = bounds{keys: math.MaxInt}

// decode reads a message with the signatures that the last argument reads in its headers.
func decode(w Wire, to bounds, signatures func(Wire) ([]member, error)) (message.Message, error) {
	raw, err := w.Bytes()
	if err != nil {
		return message.Message{}, err
	}
	if err := w.checkDigest(); err != nil {
		return message.Message{}, err
	}
	m, err := content(w, w.generation(), to)
	if err != nil {
		return message.Message{}, err
	}
	m = settle(m)
	f := &form{wire: w}
	ms, err := signatures(w)
	if err != nil {
		return message.Message{}, err
	}
	if len(ms) > 0 {
		f.members = make(map[message.ID]member, len(ms))
		entries := make([]message.Field, len(ms))
		for i, s := range ms {
			f.members[s.id()] = s
			entries[i] = message.Field{Key: s.id().String(), Value: s.entry(w, m)}
		}
		m = m.With(message.KeyCommitments, message.New(entries...))
	}
	return f.carried(m, raw), nil
}

// Read is Decode of the bytes a message kept.
func Read(raw []byte) (message.Message, error) {
	w, err := ParseWire(raw)
	if err != nil {
		return message.Message{}, err
	}
	return Decode(w)
}

// content gives the typed message without its commitments.
func content(w Wire, g structured.Generation, to bounds) (message.Message, error) {
	annotated, err := annotated(w, g, to)
	if err != nil {
		return message.Message{}, err
	}
	annotated, _ = unfold(annotated, to)
	return structured.Decode(annotated, g)
}

// annotated gives headers and parts as an annotated message.
func annotated(w Wire, g structured.Generation, to bounds) (message.Message, error) {
	t := tree{}
	inlineKey := message.KeyBody
	contentType, _ := w.Get(message.KeyContentType)
	boundary, multipart, err := boundaryOf(contentType)
	if err != nil {
		return message.Message{}, err
	}
	for _, h := range w.Headers {
		switch h.Name {
		case message.KeyContentDigest, hdrSignature, hdrSignatureInput, message.KeyCommitments:
			continue
		case message.KeyContentType:
			if multipart {
				continue
			}
		case message.KeyBodyKey:
			inlineKey = h.Value
			continue
		case "content-length": // clients sign it, but it says nothing
			if _, signed := w.Get(hdrSignatureInput); signed && g == structured.GenA {
				continue
			}
		case hdrBodyKeys, hdrInlineKey, hdrIDs:
			if g == structured.GenA {
				continue
			}
		}
		if err := t.set([]string{unescapeID(h.Name)}, message.Bytes(h.Value)); err != nil {
			return message.Message{}, err
		}
	}
	if g == structured.GenA {
		if key, ok := w.Get(hdrInlineKey); ok {
			inlineKey = key
		}
		if err := t.setIDs(w); err != nil {
			return message.Message{}, err
		}
	}
	if multipart {
		err = t.addParts(string(w.Body), boundary, inlineKey, g, to.keys-len(w.Headers))
	} else if _, named := w.Get(message.KeyBodyKey); named || len(w.Body) > 0 { // an empty value has no body
		err = t.set([]string{inlineKey}, message.Bytes(w.Body))
	}
	if err != nil {
		return message.Message{}, err
	}
	return t.build().Without(message.KeyCommitments), nil // only signatures make commitments
}

// unescapeID reads the name of a header that stands for a key that looks like an id.
func unescapeID(name string) string {
	if !strings.Contains(name, "%") {
		return name
	}
	if key, ok := message.UnescapeKey(name); ok && (len(key) == 32 || len(key) == 42 || len(key) == 43) {
		return key
	}
	return name
}

// setIDs adds the keys that a header of the first generation lists.
func (t tree) setIDs(w Wire) error {
	text, ok := w.Get(hdrIDs)
	if !ok {
		return nil
	}
	ids, err := sfv.ParseDictionary(text)
	if err != nil {
		return malformed("header-malformed", "%s is not a dictionary", hdrIDs)
	}
	for _, m := range ids {
		if same, ok := w.Get(m.Name); ok && same == m.Value.Text { // a published client writes it twice
			continue
		}
		if err := t.set([]string{m.Name}, message.Bytes(m.Value.Text)); err != nil {
			return err
		}
	}
	return nil
}

// tree is a message in the making: texts and trees by key. It is only looked up until build, which sorts.
type tree map[string]any

// set puts a text at a path.
func (t tree) set(path []string, v message.Bytes) error {
	inner, err := t.at(path[:len(path)-1])
	if err != nil {
		return err
	}
	last := path[len(path)-1]
	if _, taken := inner[last]; taken { // or a part could change what a signed header says
		return malformed("multipart-malformed", "%.60q comes twice", strings.Join(path, "/"))
	}
	inner[last] = v
	return nil
}

// bare is the text of a part that has nothing but a body. It is the value at the path of the part, or, if other parts put keys
// below that path, what is under "body" there.
type bare message.Bytes

func (t tree) setPart(path []string, v message.Bytes) error {
	inner, err := t.at(path[:len(path)-1])
	if err != nil {
		return err
	}
	last := path[len(path)-1]
	switch below := inner[last].(type) {
	case nil:
		inner[last] = bare(v)
		return nil
	case tree:
		return below.set([]string{message.KeyBody}, v)
	}
	return malformed("multipart-malformed", "%.60q comes twice", strings.Join(path, "/"))
}

// at finds or makes the tree at a path.
func (t tree) at(path []string) (tree, error) {
	if len(path) > structured.DepthMax {
		return nil, fault.New(fault.TooLarge, "message-too-deep", "messages are nested at most %d deep", structured.DepthMax)
	}
	for _, key := range path {
		switch inner := t[key].(type) {
		case nil:
			next := tree{}
			t[key] = next
			t = next
		case tree:
			t = inner
		case bare:
			next := tree{message.KeyBody: message.Bytes(inner)}
			t[key] = next
			t = next
		default:
			return nil, malformed("multipart-malformed", "%.60q is a value and has keys below it", key)
		}
	}
	return t, nil
}

func (t tree) build() message.Message {
	fs := make([]message.Field, 0, len(t))
	for key, v := range t {
		switch v := v.(type) {
		case message.Bytes:
			fs = append(fs, message.Field{Key: key, Value: v})
		case bare:
			fs = append(fs, message.Field{Key: key, Value: message.Bytes(v)})
		case tree:
			fs = append(fs, message.Field{Key: key, Value: v.build()})
		}
	}
	return message.New(fs...)
}
