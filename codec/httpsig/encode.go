package httpsig

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"ago/codec/structured"
	"ago/codec/structured/sfv"
	"ago/fault"
	"ago/message"
)

// Encode writes a message with its commitments, nested messages linked or in place. One that was read here and has not changed
// is written as it came. Texts and keys that a header cannot hold go into parts of the body, and so do keys that steer who gets
// the message, but those named. It fails with Unsupported ("key-unwritable") for keys that neither can hold.
func Encode(m message.Message, n message.Nesting, steering ...string) (Wire, error) {
	if w, ok := WireOf(m); ok {
		return w, nil
	}
	content := m.Without(message.KeyCommitments)
	a := annotate(content, n)
	if err := writable(a, true); err != nil {
		return Wire{}, err
	}
	toPart := func(key, text string, top bool) bool {
		return unfit(key, text, top) || top && Steers(key) && !slices.Contains(steering, key)
	}
	laid := a.Lay(toPart)
	if _, own := a.Get(message.KeyContentType); own && len(laid.Parts) > 0 { // its place is taken
		laid = a.Lay(func(key, text string, top bool) bool {
			return toPart(key, text, top) || top && key == message.KeyContentType
		})
	}
	signatures, inputs := signatureHeaders(m)
	headers := laid.Headers
	if len(inputs) > 0 {
		headers = append(headers, message.Header{Name: hdrSignature, Value: signatures}, message.Header{Name: hdrSignatureInput, Value: inputs})
	}
	return NewWire(headers, []byte(laid.Body)), nil
}

// InHeader tells whether a header can hold a text under a key of the message as it is.
func InHeader(key, text string) bool { return !unfit(key, text, true) }

// unfit tells what no header can hold as it is: HTTP trims values and has no case in names.
func unfit(key, text string, top bool) bool {
	if unfitText(text) {
		return true
	}
	if !top {
		return strings.ContainsAny(key, ":") || strings.ToLower(key) == hdrDisposition || key == message.KeyBodyKey ||
			key == message.KeyContentType || key == message.KeyContentDigest || key != strings.Trim(key, " \t")
	}
	if name := message.EscapeKey(key); len(key) == 32 || len(key) == 42 || len(key) == 43 {
		key = name
	}
	return key == hdrSignature || key == hdrSignatureInput || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") != "" ||
		unescapeID(key) != key && !strings.Contains(key, "%")
}

func unfitText(text string) bool {
	if text == "" {
		return false
	}
	if text[0] == ' ' || text[len(text)-1] == ' ' {
		return true
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

// writable refuses keys that would be read as something else.
func writable(m message.Message, top bool) error {
	for key, v := range m.All() {
		inner, isMessage := v.(message.Message)
		text, _ := v.(message.Bytes)
		asPart := isMessage || len(text) > message.HeaderMax || unfit(key, string(text), top)
		if key == "" || strings.ContainsAny(key, "\"\r\n\x00") || asPart && strings.Contains(key, "/") {
			return fault.New(fault.Unsupported, "key-unwritable", "the key %.60q can stand neither in a header nor as the name of a part", key)
		}
		if isMessage {
			if err := writable(inner, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// signatureHeaders writes the commitments of a message as the two headers, members in order of their names.
func signatureHeaders(m message.Message) (signatures, inputs string) {
	type pair struct{ name, signature, input string }
	var pairs []pair
	add := func(p pair) {
		if !slices.ContainsFunc(pairs, func(q pair) bool { return q.name == p.name }) {
			pairs = append(pairs, p)
		}
	}
	var covered covering
	for _, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		if generationOf(entry) == structured.GenA {
			ms, err := entryMembers(entry)
			if err != nil {
				continue
			}
			for _, s := range ms {
				add(pair{s.name, ":" + base64.StdEncoding.EncodeToString(s.signature) + ":", s.raw})
			}
			continue
		}
		signature, err := base64.RawURLEncoding.DecodeString(entry.Text(keySignature))
		if err != nil {
			continue
		}
		sum := sha256.Sum256(signature)
		name := memberB + strings.ToLower(base64.RawURLEncoding.EncodeToString(sum[:]))
		add(pair{name, ":" + base64.StdEncoding.EncodeToString(signature) + ":", covered.input(m, entry)})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	var ss, is []string
	for _, p := range pairs {
		ss, is = append(ss, p.name+"="+p.signature), append(is, p.name+"="+p.input)
	}
	return strings.Join(ss, ", "), strings.Join(is, ", ")
}

// Parameters of a signature on the wire: these first, then what else a commitment has.
var (
	wireParams = []string{"alg", keyKeyID, "tag", "created", "expires", "nonce"}
	noParams   = []string{keyDevice, keyType, keyAlg, keyCommitted, keyCommitter, keySignature}
)

// covering lays out what commitments cover. Those of one message mostly cover the same.
type covering struct {
	keys    []string
	nesting message.Nesting
	laid    message.Laid
	done    bool
}

func (c *covering) of(m message.Message, keys []string, n message.Nesting) message.Laid {
	if !c.done || c.nesting != n || !slices.Equal(c.keys, keys) {
		c.keys, c.nesting, c.laid, c.done = keys, n, canonical(m, keys, n), true
	}
	return c.laid
}

// input writes components and parameters of a commitment.
func (c *covering) input(m, entry message.Message) string {
	committed := committedKeys(entry)
	components := componentsOf(c.of(m, committed, nestingOf(entry)), committed, entry.Text(keyDevice) != Codec)
	quoted := make([]string, len(components))
	for i, c := range components {
		quoted[i] = sfv.Quote(c)
	}
	var b strings.Builder
	b.WriteString("(" + strings.Join(quoted, " ") + ")")
	names := slices.Clone(wireParams)
	for key := range entry.All() {
		if !slices.Contains(names, key) && !slices.Contains(noParams, key) {
			names = append(names, key)
		}
	}
	for _, name := range names {
		v, ok := entry.Get(name)
		if name == "alg" {
			alg := entry.Text(keyType)
			if device := entry.Text(keyDevice); device != Codec {
				alg = device + "/" + alg
			}
			v, ok = message.Bytes(alg), true
		}
		switch v := v.(type) {
		case message.Bytes:
			b.WriteString(";" + name + "=" + sfv.Quote(string(v)))
		case message.Int:
			b.WriteString(";" + name + "=" + strconv.FormatInt(int64(v), 10))
		case message.Message:
			if ok && name == keyOriginalTags {
				b.WriteString(";" + name + "=" + sfv.Quote(tagsText(v)))
			}
		}
	}
	return b.String()
}
