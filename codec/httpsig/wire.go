// Package httpsig reads and writes messages as signed HTTP messages: headers, a body, and signatures over them (RFC 9421).
//
// Two generations of the encoding are in use. Both are read and verified; the second is written unless a client spoke the
// first. A message that was read keeps the headers and body it came in, so that it can be sent on as it was signed.
package httpsig

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"ago/codec/structured"
	"ago/codec/structured/sfv"
	"ago/fault"
	"ago/message"
)

// Codec is the name of the encoding.
const Codec = "httpsig@1.0"

// Limits of reading. The size of headers and body is for whoever takes them from the network to bound.
const (
	HeadersMax = 4096 // a message with more keys can carry them in parts
	PartsMax   = 1 << 14
)

// Names of headers that carry no key of the message.
const (
	hdrSignature      = "signature"
	hdrSignatureInput = "signature-input"
	hdrBodyKeys       = "body-keys"       // first generation: the parts of the body
	hdrInlineKey      = "inline-body-key" // first generation: the key that the body is the value of
	hdrIDs            = "ao-ids"          // first generation: keys that look like ids, with their values
	hdrDisposition    = "content-disposition"
)

func malformed(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, code, format, args...)
}

// Wire is an HTTP message without its first line: headers with lower-case names in bytewise order, one for each name, and the
// body. The method and the path of a request come as headers of these names.
type Wire struct {
	Headers []message.Header
	Body    []byte
}

// NewWire orders headers and joins those of one name with commas, as HTTP has it.
func NewWire(headers []message.Header, body []byte) Wire {
	hs := slices.Clone(headers)
	for i := range hs {
		hs[i].Name = strings.ToLower(hs[i].Name)
	}
	slices.SortStableFunc(hs, func(a, b message.Header) int { return strings.Compare(a.Name, b.Name) })
	out := hs[:0]
	for _, h := range hs {
		if n := len(out); n > 0 && out[n-1].Name == h.Name {
			out[n-1].Value += ", " + h.Value
			continue
		}
		out = append(out, h)
	}
	return Wire{Headers: slices.Clip(out), Body: body}
}

// Get finds a header.
func (w Wire) Get(name string) (string, bool) {
	i, ok := slices.BinarySearchFunc(w.Headers, name, func(h message.Header, n string) int { return strings.Compare(h.Name, n) })
	if !ok {
		return "", false
	}
	return w.Headers[i].Value, true
}

// Without gives the wire without some headers.
func (w Wire) Without(names ...string) Wire {
	hs := slices.DeleteFunc(slices.Clone(w.Headers), func(h message.Header) bool { return slices.Contains(names, h.Name) })
	return Wire{Headers: hs, Body: w.Body}
}

// signed finds what a signature covers under a name: a header, or the length of the body, which servers keep apart.
func (w Wire) signed(name string) (string, bool) {
	v, ok := w.Get(name)
	if !ok && name == "content-length" {
		return strconv.Itoa(len(w.Body)), true
	}
	return v, ok
}

// with gives the wire with one header set, or without it if the value is empty.
func (w Wire) with(name, value string) Wire {
	hs := slices.DeleteFunc(slices.Clone(w.Headers), func(h message.Header) bool { return h.Name == name })
	if value != "" {
		hs = append(hs, message.Header{Name: name, Value: value})
	}
	return NewWire(hs, w.Body)
}

// Bytes writes the wire as HTTP does after the first line: "name: value" lines, an empty line, the body. It is what a message
// keeps as the bytes it came in. It fails with Malformed ("header-malformed") for headers that HTTP cannot carry.
func (w Wire) Bytes() ([]byte, error) {
	size := len("\r\n") + len(w.Body)
	for _, h := range w.Headers {
		if !carries(h) {
			return nil, malformed("header-malformed", "%.60q is no header that HTTP can carry", h.Name)
		}
		size += len(h.Name) + len(": ") + len(h.Value) + len("\r\n")
	}
	b := make([]byte, 0, size)
	for _, h := range w.Headers {
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	return append(append(b, "\r\n"...), w.Body...), nil
}

// carries tells whether HTTP can carry a header.
func carries(h message.Header) bool {
	for i := range len(h.Name) {
		switch h.Name[i] {
		case ':', ' ', '\t', '\r', '\n', 0:
			return false
		}
	}
	return h.Name != "" && strings.IndexByte(h.Value, '\r') < 0 && strings.IndexByte(h.Value, '\n') < 0 && strings.IndexByte(h.Value, 0) < 0
}

// ParseWire reads what Bytes writes. The body is part of the bytes given.
func ParseWire(raw []byte) (Wire, error) {
	var hs []message.Header
	for {
		line, rest, ok := bytes.Cut(raw, []byte("\r\n"))
		if !ok {
			return Wire{}, malformed("header-malformed", "the headers do not end")
		}
		raw = rest
		if len(line) == 0 {
			break
		}
		name, value, ok := strings.Cut(string(line), ": ")
		if !ok || len(hs) == HeadersMax {
			return Wire{}, malformed("header-malformed", "a line is no header, or there are more than %d", HeadersMax)
		}
		hs = append(hs, message.Header{Name: name, Value: value})
	}
	return NewWire(hs, raw), nil
}

// generation tells which one a message is in: by its signatures, and without any by the headers that only the first has.
func (w Wire) generation() structured.Generation {
	input, _ := w.Get(hdrSignatureInput)
	if strings.Contains(input, memberB) {
		return structured.GenB
	}
	if strings.Contains(input, memberA) {
		return structured.GenA
	}
	for _, name := range []string{hdrBodyKeys, hdrIDs} {
		if _, ok := w.Get(name); ok {
			return structured.GenA
		}
	}
	return structured.GenB
}

// checkDigest holds the body against its digest. A digest in the wrong alphabet is taken, as a published client writes it.
func (w Wire) checkDigest() error {
	text, ok := w.Get(message.KeyContentDigest)
	if !ok {
		return nil
	}
	members, err := sfv.ParseDictionary(text)
	if err != nil {
		return malformed("digest-malformed", "content-digest is not a dictionary")
	}
	for _, m := range members {
		if m.Name != "sha-256" {
			continue
		}
		if sum := sha256.Sum256(w.Body); m.Value.Text != string(sum[:]) {
			return fault.New(fault.Forged, "digest-invalid", "the body is not the one that content-digest tells of")
		}
		return nil
	}
	return fault.New(fault.Unsupported, "digest-unknown", "content-digest has no sha-256")
}
