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
	return key == hdrSignature || key == hdrSignatureInput || !isToken(key) || unescapeID(key) != key && !strings.Contains(key, "%")
}

// tokens are the letters that names of headers have, without capitals.
var tokens = func() (set [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") {
		set[c] = true
	}
	return set
}()

func isToken(key string) bool {
	for i := range len(key) {
		if !tokens[key[i]] {
			return false
		}
	}
	return true
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
	list    []byte // the components as an inner list, if they are in the order of the layout
}

func (c *covering) of(m message.Message, keys []string, n message.Nesting) message.Laid {
	if !c.done || c.nesting != n || !slices.Equal(c.keys, keys) {
		*c = covering{keys: keys, nesting: n, laid: canonical(m, keys, n), done: true}
	}
	return c.laid
}

// input writes components and parameters of a commitment.
func (c *covering) input(m, entry message.Message) string {
	b := append(make([]byte, 0, 512), c.components(m, entry)...)
	param := func(name string, v message.Value) {
		switch v := v.(type) {
		case message.Bytes:
			b = sfv.AppendQuoted(append(append(append(b, ';'), name...), '='), string(v))
		case message.Int:
			b = strconv.AppendInt(append(append(append(b, ';'), name...), '='), int64(v), 10)
		case message.Message:
			if name == keyOriginalTags {
				b = sfv.AppendQuoted(append(append(append(b, ';'), name...), '='), tagsText(v))
			}
		}
	}
	for _, name := range wireParams {
		v, _ := entry.Get(name)
		if name == "alg" {
			alg := entry.Text(keyType)
			if device := entry.Text(keyDevice); device != Codec {
				alg = device + "/" + alg
			}
			v = message.Bytes(alg)
		}
		param(name, v)
	}
	for key, v := range entry.All() {
		if !slices.Contains(wireParams, key) && !slices.Contains(noParams, key) {
			param(key, v)
		}
	}
	return string(b)
}

// components writes the components of a commitment as an inner list.
func (c *covering) components(m, entry message.Message) []byte {
	committed := committedKeys(entry)
	laid := c.of(m, committed, nestingOf(entry))
	asOfEntry := entry.Text(keyDevice) != Codec || len(laid.Headers) > sortedMax
	if c.list != nil && !asOfEntry {
		return c.list
	}
	list := []byte{'('}
	for i, name := range componentsOf(laid, committed, asOfEntry) {
		if i > 0 {
			list = append(list, ' ')
		}
		list = sfv.AppendQuoted(list, name)
	}
	list = append(list, ')')
	if !asOfEntry {
		c.list = list
	}
	return list
}
