package message

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"unsafe"
)

// Invariants of the layout, since its bytes are what gets hashed and signed:
//   - headers, lines of a part and parts are in bytewise order of their names;
//   - the same annotated message always gives the same bytes;
//   - the boundary is the hash of the parts, so that it depends on nothing else.
//
// Outline: Lay chooses the value that stands inline, puts short texts into headers and everything else into parts (flatten),
// then writes a single inline text as it is and anything more as multipart.

// HeaderMax is the longest text that is laid out as a header; a longer one becomes a part of the body.
const HeaderMax = 4096

// Names that the layout itself adds or reads.
const (
	KeyBody          = "body"
	KeyData          = "data"
	KeyBodyKey       = "ao-body-key" // names the key that the body is the value of
	KeyContentType   = "content-type"
	KeyContentDigest = "content-digest"
	MultipartPrefix  = "multipart/form-data"
	EmptyMessage     = "empty-message" // the ao-types of a part that stands for a map without keys
	disposition      = "content-disposition"
)

// Header is one line: a name and a text.
type Header struct{ Name, Value string }

// Laid is a message laid out as an HTTP message: headers in bytewise order of their names, and a body.
type Laid struct {
	Headers  []Header
	Body     string
	BodyKeys []string // the keys at the top that the body holds, in order
	Parts    []string // the paths of the parts of a multipart body, in order
}

// Get finds a header.
func (l Laid) Get(name string) (string, bool) {
	i, ok := slices.BinarySearchFunc(l.Headers, name, func(h Header, n string) int { return strings.Compare(h.Name, n) })
	if !ok {
		return "", false
	}
	return l.Headers[i].Value, true
}

// part is one piece of a multipart body.
type part struct {
	path    string
	lines   []Header
	body    string
	hasBody bool
	inline  bool
}

// Lay lays out an annotated message; commitments at the top are left to the caller and stay out. Texts for which toPart says so
// become parts although they are short, be they at the top or in a part; nil is the canonical layout.
func (m Message) Lay(toPart func(key, text string, top bool) bool) Laid {
	if m.root == nil {
		return lay(m.fields, toPart)
	}
	return lay(m.root.all(), toPart)
}

func lay(fs []Field, toPart func(key, text string, top bool) bool) Laid {
	l := layout{toPart: toPart, headers: make([]Header, 0, len(fs)+3)}
	inlineKey := inlineKey(fs)
	var out Laid
	if inlineKey != "" && inlineKey != KeyBody {
		l.headers = append(l.headers, Header{KeyBodyKey, inlineKey})
	}
	for _, f := range fs {
		text, isText := f.Value.(Bytes)
		switch {
		case f.Key == KeyCommitments, f.Key == KeyBodyKey && inlineKey != "":
			continue
		case f.Key == inlineKey && isText:
			l.parts = append(l.parts, part{path: f.Key, body: string(text), hasBody: true, inline: true})
		case isText && !l.asPart(f.Key, string(text), true):
			l.headers = append(l.headers, Header{headerName(f.Key), string(text)})
			continue
		case isText:
			l.parts = append(l.parts, part{path: f.Key, body: string(text), hasBody: true})
		default:
			l.flatten(f.Key, f.Value.(Message), f.Key == inlineKey)
		}
		out.BodyKeys = append(out.BodyKeys, f.Key)
	}
	out.Headers, out.Body = l.headers, ""
	if len(l.parts) == 1 && l.parts[0].inline && len(l.parts[0].lines) == 0 && l.parts[0].hasBody {
		out.Body = l.parts[0].body
	} else if len(l.parts) > 0 {
		var boundary string
		out.Body, boundary = l.multipart()
		out.set(KeyContentType, MultipartPrefix+`; boundary="`+boundary+`"`)
		for _, p := range l.parts {
			out.Parts = append(out.Parts, p.path)
		}
	}
	if out.Body != "" {
		out.set(KeyContentDigest, ContentDigest(out.Body))
	}
	if byName := func(a, b Header) int { return strings.Compare(a.Name, b.Name) }; !slices.IsSortedFunc(out.Headers, byName) {
		slices.SortStableFunc(out.Headers, byName)
	}
	return out
}

// ContentDigest is the value of the header of this name for a body.
func ContentDigest(body string) string {
	sum := sha256.Sum256(bytesOf(body))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// bytesOf gives the bytes of a text without copying it, for reading: bodies are large.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// set replaces a header: what the layout says of its body comes before a key of the same name.
func (l *Laid) set(name, value string) {
	l.Headers = append(slices.DeleteFunc(l.Headers, func(h Header) bool { return h.Name == name }), Header{name, value})
}

// inlineKey is the key whose value is the body itself, "" if there is none.
func inlineKey(fs []Field) string {
	if _, ok := search(fs, KeyBody); ok {
		return KeyBody
	}
	if i, ok := search(fs, KeyBodyKey); ok {
		named, _ := fs[i].Value.(Bytes)
		if _, ok := search(fs, string(named)); ok && named != "" {
			return string(named)
		}
	}
	if _, ok := search(fs, KeyData); ok {
		return KeyData
	}
	return ""
}

// headerName escapes keys that look like ids: their case carries meaning, that of header names does not.
func headerName(key string) string {
	switch len(key) {
	case 32, 42, 43:
		return EscapeKey(key)
	}
	return key
}

type layout struct {
	toPart  func(key, text string, top bool) bool
	headers []Header
	parts   []part
}

func (l *layout) asPart(key, text string, top bool) bool {
	return len(text) > HeaderMax || l.toPart != nil && l.toPart(key, text, top)
}

// flatten gives a map and the maps in it one part each.
func (l *layout) flatten(path string, m Message, inline bool) {
	p := part{path: path, inline: inline, lines: make([]Header, 0, m.Len())}
	others := false
	for key, v := range m.All() {
		f := Field{key, v}
		text, isText := f.Value.(Bytes)
		others = others || f.Key != KeyBody && f.Key != KeyCommitments
		switch {
		case f.Key == KeyBody && isText:
			p.body, p.hasBody = string(text), true
		case !isText:
			l.flatten(path+"/"+f.Key, f.Value.(Message), false)
		case l.asPart(f.Key, string(text), false):
			l.parts = append(l.parts, part{path: path + "/" + f.Key, body: string(text), hasBody: true})
		default:
			p.lines = append(p.lines, Header{f.Key, string(text)})
		}
	}
	if m.Len() == 0 {
		p.lines = []Header{{KeyTypes, EmptyMessage}}
	}
	if p.hasBody && !others && !inline {
		p.path += "/" + KeyBody
	}
	if len(p.lines) > 0 || p.hasBody {
		l.parts = append(l.parts, p)
	}
}

// multipart writes the parts, each behind a boundary that the hash of them all becomes.
func (l *layout) multipart() (body, boundary string) {
	slices.SortStableFunc(l.parts, func(a, b part) int { return strings.Compare(a.path, b.path) })
	const fence, end = len("--") + IDLength + len("\r\n"), len("\r\n")
	size := fence
	for i := range l.parts {
		size += fence + l.parts[i].size() + end
	}
	b := make([]byte, 0, size)
	h := sha256.New()
	for i := range l.parts {
		b = append(b, make([]byte, fence)...)
		at := len(b)
		b = append(l.parts[i].appendTo(b), "\r\n"...)
		if i < len(l.parts)-1 {
			h.Write(b[at:])
		} else {
			h.Write(b[at : len(b)-end])
		}
	}
	var sum [sha256.Size]byte
	boundary = base64.RawURLEncoding.EncodeToString(h.Sum(sum[:0]))
	at := 0
	for i := range l.parts {
		copy(b[at:], "--")
		copy(b[at+2:], boundary)
		copy(b[at+2+IDLength:], "\r\n")
		at += fence + l.parts[i].size() + end
	}
	b = append(append(append(b, "--"...), boundary...), "--"...)
	return textOf(b), boundary
}

// disposed is the line that says which part it is.
func (p *part) disposed() (before, path, after string) {
	if p.inline {
		return "inline", "", ""
	}
	return `form-data;name="`, p.path, `"`
}

// size is the number of bytes that appendTo adds.
func (p *part) size() int {
	before, path, after := p.disposed()
	n := len(disposition) + len(": ") + len(before) + len(path) + len(after)
	for _, h := range p.lines {
		n += len(h.Name) + len(": ") + len(h.Value) + len("\r\n")
	}
	if p.hasBody {
		n += len("\r\n\r\n") + len(p.body)
	}
	return n
}

// appendTo writes the part: its lines, which are in order, with that of the disposition among them, and its body.
func (p *part) appendTo(b []byte) []byte {
	at, _ := slices.BinarySearchFunc(p.lines, disposition, func(h Header, name string) int {
		if h.Name <= name { // behind one of the same name
			return -1
		}
		return 1
	})
	for _, h := range p.lines[:at] {
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	before, path, after := p.disposed()
	b = append(append(append(append(append(b, disposition...), ": "...), before...), path...), after...)
	for _, h := range p.lines[at:] {
		b = append(append(append(append(b, "\r\n"...), h.Name...), ": "...), h.Value...)
	}
	if p.hasBody {
		b = append(append(b, "\r\n\r\n"...), p.body...)
	}
	return b
}

// textOf gives bytes that do not change any more as a text, without copying them.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
