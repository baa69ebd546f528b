package httpsig

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"ago/codec/structured"
	"ago/codec/structured/sfv"
	"ago/fault"
	"ago/message"
)

// What the names of signatures begin with, in either generation.
const (
	memberA = "http-sig-"
	memberB = "comm-"
)

// Names of algorithms.
const (
	AlgorithmRSA     = "rsa-pss-sha512"
	AlgorithmEd25519 = "ed25519"
	AlgorithmHMAC    = message.AlgorithmHMAC
)

// Keys of a commitment.
const (
	keyDevice         = "commitment-device"
	keyType           = "type"
	keyAlg            = "alg" // what the first generation calls the type
	keyKeyID          = "keyid"
	keyCommitter      = "committer"
	keyCommitted      = "committed"
	keySignature      = "signature"
	keySignatureInput = "signature-input" // only in the first generation
	keyBundle         = "bundle"
	keyOriginalTags   = "original-tags"
	keyTag            = "tag"
	schemePublic      = "publickey:"
	schemeSecret      = "secret:" // and the hash of the secret, which keys the MAC
)

// signaturesMax bounds the work that one message can ask for: each may take a hash of the whole body to check.
const signaturesMax = 16

// member is one signature as the headers carry it.
type member struct {
	name       string
	signature  []byte
	components []string // as listed
	params     []sfv.Param
	raw        string // components and parameters as written
}

func (s member) old() bool { return strings.HasPrefix(s.name, memberA) }

// id names the commitment: a MAC is its own, a signature has its hash.
func (s member) id() message.ID {
	if len(s.signature) == len(message.ID{}) {
		return message.ID(s.signature)
	}
	return message.HashOf(s.signature)
}

func (s member) param(name string) string {
	for _, p := range s.params {
		if p.Name == name {
			return p.Value.Text
		}
	}
	return ""
}

// members reads the signatures of either generation; others are left alone.
func members(w Wire) ([]member, error) {
	inputText, _ := w.Get(hdrSignatureInput)
	signatureText, _ := w.Get(hdrSignature)
	if inputText == "" || signatureText == "" {
		return nil, nil
	}
	inputs, err := sfv.ParseDictionary(inputText)
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "signature-malformed", "%s is not a dictionary", hdrSignatureInput)
	}
	signatures, err := sfv.ParseDictionary(signatureText)
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "signature-malformed", "%s is not a dictionary", hdrSignature)
	}
	var out []member
	for _, in := range inputs {
		if !strings.HasPrefix(in.Name, memberA) && !strings.HasPrefix(in.Name, memberB) {
			continue
		}
		i := slices.IndexFunc(signatures, func(s sfv.Member) bool { return s.Name == in.Name })
		if i < 0 || signatures[i].Value.Kind != sfv.Binary || in.Value.Kind != sfv.Inner {
			return nil, malformed("signature-malformed", "the signature %.60q is incomplete", in.Name)
		}
		if len(out) == signaturesMax {
			return nil, fault.New(fault.TooLarge, "signatures-too-many", "a message has at most %d signatures", signaturesMax)
		}
		s := member{name: in.Name, signature: []byte(signatures[i].Value.Text), params: in.Value.Params, raw: in.Raw}
		s.components = make([]string, 0, len(in.Value.Items))
		for _, c := range in.Value.Items {
			s.components = append(s.components, c.Text)
			if len(c.Params) > 0 {
				return nil, malformed("signature-malformed", "the component %.60q has parameters", c.Text)
			}
		}
		if c, again := repeated(s.components); again {
			return nil, malformed("signature-malformed", "the component %.60q comes twice", c)
		}
		out = append(out, s)
	}
	return out, nil
}

// repeated finds a text that comes twice.
func repeated(texts []string) (string, bool) {
	const few = 16
	var seen map[string]bool
	for i, t := range texts {
		if seen == nil && i == few {
			seen = setOf(texts[:i])
		}
		if seen == nil && slices.Contains(texts[:i], t) || seen[t] {
			return t, true
		}
		if seen != nil {
			seen[t] = true
		}
	}
	return "", false
}

// entry gives the commitment that the signature makes.
func (s member) entry(w Wire, m message.Message) message.Message {
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	alg := s.param("alg")
	if s.old() {
		entry := s.entryA(alg, w, m)
		if modulus, err := sfv.DecodeBase64(s.param(keyKeyID)); err == nil && alg != AlgorithmHMAC {
			entry = entry.With(keyCommitter, message.Bytes(message.HashOf(modulus).String()))
		}
		if tag := s.param(keyTag); tag != "" {
			entry = entry.With(keyTag, message.Bytes(tag))
		}
		return entry
	}
	device, kind, ok := strings.Cut(alg, "/")
	if !ok {
		device, kind = Codec, alg
	}
	fs := []message.Field{text(keyDevice, device), text(keyType, kind), {Key: keyCommitted, Value: s.committed(w, m)},
		text(keySignature, base64.RawURLEncoding.EncodeToString(s.signature))}
	for _, p := range s.params {
		switch p.Name {
		case "alg":
		case keyOriginalTags:
			fs = append(fs, message.Field{Key: keyOriginalTags, Value: tagsOf(p.Value.Text)})
		default:
			f := text(p.Name, p.Value.Text)
			if n, ok := message.Whole(p.Value.Text); ok && p.Value.Kind == sfv.Number {
				f.Value = n
			}
			fs = append(fs, f)
		}
	}
	if key, ok := strings.CutPrefix(s.param(keyKeyID), schemePublic); ok {
		if owner, err := sfv.DecodeBase64(key); err == nil {
			fs = append(fs, text(keyCommitter, message.HashOf(owner).String()))
		}
	} else if keyID := s.param(keyKeyID); strings.HasPrefix(keyID, schemeSecret) {
		fs = append(fs, text(keyCommitter, keyID))
	}
	return message.New(fs...)
}

// value is the signature as the header has it.
func (s member) value() string { return ":" + base64.StdEncoding.EncodeToString(s.signature) + ":" }

// entryA gives the commitment of the first generation that is by this algorithm: a MAC carries the signature over the same keys.
func (s member) entryA(alg string, w Wire, m message.Message) message.Message {
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	return message.New(text(keyAlg, alg), text(keyDevice, Codec), message.Field{Key: keyCommitted, Value: s.committed(w, m)},
		text(keySignature, s.name+"="+s.value()), text(keySignatureInput, s.name+"="+s.raw))
}

// committed lists the keys that the components cover, in their order.
func (s member) committed(w Wire, m message.Message) message.List {
	l := message.List{}
	listed := map[string]bool{}
	add := func(key string) {
		if !listed[key] {
			listed[key] = true
			l = append(l, message.Bytes(key))
		}
	}
	contentType, _ := w.Get(message.KeyContentType)
	_, multipart, _ := boundaryOf(contentType)
	if _, own := m.Get(message.KeyContentType); own { // the body is a text of the message, which its type belongs to
		multipart = false
	}
	for _, c := range s.components {
		c = strings.TrimPrefix(c, "@")
		switch {
		case c == message.KeyContentDigest:
			for _, key := range bodyKeys(w, m, s.old()) {
				add(key)
			}
		case s.old() && c == hdrIDs:
			text, _ := w.Get(hdrIDs)
			ids, _ := sfv.ParseDictionary(text)
			for _, id := range ids {
				add(id.Name)
			}
		case c == message.KeyContentType && multipart:
		case c == message.KeyBodyKey:
			if key, _ := w.Get(c); !slices.Contains(s.components, message.KeyContentDigest) { // the value is empty, and so is its digest
				add(key)
			}
		case s.old() && (c == hdrInlineKey || c == "content-length"):
		default:
			key := unescapeID(c)
			if name, ok := message.LinkKey(key); ok {
				key = name
			}
			add(key)
		}
		if c == message.KeyTypes && s.old() { // empty values exist in the types alone
			text, _ := w.Get(message.KeyTypes)
			types, _ := structured.ParseTypes(text)
			for key := range m.All() {
				if _, ok := w.Get(key); !ok && strings.HasPrefix(types[key], "empty-") && emptyValue(m, key) {
					add(key)
				}
			}
		}
	}
	return l
}

// steered tells whether headers that nobody signed change how what was signed is read: where the body belongs, how it falls into
// parts, and what type a key has.
func (s member) steered(w Wire, committed []string) bool {
	unsigned := func(name string) bool {
		_, there := w.Get(name)
		return there && !s.covers(name)
	}
	if !unsigned(message.KeyContentDigest) {
		contentType, _ := w.Get(message.KeyContentType)
		_, multipart, _ := boundaryOf(contentType)
		if unsigned(message.KeyBodyKey) || s.old() && unsigned(hdrInlineKey) || multipart && unsigned(message.KeyContentType) {
			return true
		}
	}
	if len(w.Body) > 0 && s.covers(message.KeyBodyKey) && !s.covers(message.KeyContentDigest) {
		return true // the value was empty when it was signed
	}
	if !unsigned(message.KeyTypes) {
		return false
	}
	text, _ := w.Get(message.KeyTypes)
	types, err := structured.ParseTypes(text)
	return err != nil || slices.ContainsFunc(committed, func(key string) bool { _, typed := types[key]; return typed })
}

func emptyValue(m message.Message, key string) bool {
	switch v, _ := m.Get(key); v := v.(type) {
	case message.Bytes:
		return v == ""
	case message.List:
		return len(v) == 0
	case message.Message:
		return v.Len() == 0
	}
	return false
}

// bodyKeys lists the keys of the message that the body holds: those that no header does. In the first generation what is empty
// is nowhere but in the types. In the second a short text that is a part for want of a fitting header is covered by its own
// name, as if it were one, and not by the body.
func bodyKeys(w Wire, m message.Message, old bool) []string {
	if len(w.Body) == 0 {
		return nil
	}
	var escaped []string // keys of headers, which can be escaped in several ways
	for _, h := range w.Headers {
		if key := unescapeID(h.Name); key != h.Name {
			name, _ := message.LinkKey(key)
			escaped = append(escaped, key, name)
		}
	}
	inHeader := func(key string) bool {
		if slices.Contains(escaped, key) {
			return true
		}
		lower := strings.ToLower(key) // as headers are named
		for _, name := range []string{lower, lower + "+link", message.EscapeKey(key)} {
			if _, ok := w.Get(name); ok {
				return true
			}
		}
		return false
	}
	ids := map[string]bool{}
	if old {
		idsText, _ := w.Get(hdrIDs)
		dictionary, _ := sfv.ParseDictionary(idsText)
		for _, id := range dictionary {
			ids[id.Name] = true
		}
	}
	inlineKey := message.KeyBody
	if key, ok := w.Get(message.KeyBodyKey); ok {
		inlineKey = key
	}
	var keys []string
	for key, v := range m.All() {
		if text, ok := v.(message.Bytes); ok && !old && key != inlineKey && len(text) <= message.HeaderMax {
			continue
		}
		if key != message.KeyCommitments && !inHeader(key) && !ids[key] && !(old && emptyValue(m, key)) {
			keys = append(keys, key)
		}
	}
	return keys
}

// tagsOf reads original tags, number:name:value with the value in base64url, as numbered maps.
func tagsOf(text string) message.Message {
	var fs []message.Field
	for tag := range strings.SplitSeq(text, ", ") {
		number, rest, _ := strings.Cut(tag, ":")
		i := strings.LastIndexByte(rest, ':')
		if i < 0 {
			continue
		}
		value, err := base64.RawURLEncoding.DecodeString(rest[i+1:])
		if _, bad := strconv.Atoi(number); err != nil || bad != nil {
			continue
		}
		fs = append(fs, message.Field{Key: number, Value: message.New(
			message.Field{Key: "name", Value: message.Bytes(rest[:i])}, message.Field{Key: "value", Value: message.Bytes(value)})})
	}
	return message.New(fs...)
}

// tagsText writes original tags.
func tagsText(m message.Message) string {
	var tags []string
	for i := range m.Len() {
		v, _ := m.Get(strconv.Itoa(i + 1))
		tag, _ := v.(message.Message)
		tags = append(tags, strconv.Itoa(i+1)+":"+tag.Text("name")+":"+base64.RawURLEncoding.EncodeToString([]byte(tag.Text("value"))))
	}
	return strings.Join(tags, ", ")
}
