package httpsig

import (
	"slices"
	"strings"

	"ago/codec/structured"
	"ago/fault"
	"ago/message"
)

// boundaryOf finds the boundary if the content type says that there are parts.
func boundaryOf(contentType string) (boundary string, multipart bool, err error) {
	if !strings.HasPrefix(contentType, "multipart/") {
		return "", false, nil
	}
	_, after, ok := strings.Cut(contentType, "boundary=")
	if after, quoted := strings.CutPrefix(after, `"`); quoted {
		boundary, _, ok = strings.Cut(after, `"`)
	} else {
		boundary, _, _ = strings.Cut(after, ";")
		boundary = strings.TrimSpace(boundary)
	}
	if !ok || boundary == "" {
		return "", false, malformed("multipart-malformed", "content-type names no boundary")
	}
	return boundary, true, nil
}

// addParts adds the parts of a body, with so many keys at most.
func (t tree) addParts(body, boundary, inlineKey string, g structured.Generation, most int) error {
	rest, ok := strings.CutPrefix("\r\n"+strings.TrimPrefix(body, "\r\n"), "\r\n--"+boundary)
	if !ok {
		return malformed("multipart-malformed", "the body does not begin with its boundary")
	}
	for n := 0; ; n++ {
		if strings.HasPrefix(rest, "--") {
			return nil
		}
		if n == PartsMax {
			return fault.New(fault.TooLarge, "multipart-too-large", "a body has at most %d parts", PartsMax)
		}
		text, ok := strings.CutPrefix(rest, "\r\n")
		if !ok {
			return malformed("multipart-malformed", "a boundary does not end its line with CR and LF")
		}
		text, rest, ok = strings.Cut(text, "\r\n--"+boundary)
		if !ok {
			return malformed("multipart-malformed", "the last boundary is missing")
		}
		head, _, _ := strings.Cut(text, "\r\n\r\n")
		if most -= strings.Count(head, "\r\n") + 1; most < 0 {
			return fault.New(fault.TooLarge, "keys-too-many", "headers and parts have more keys than a message may have here").
				WithHint("send it in several messages")
		}
		if err := t.addPart(text, inlineKey, g); err != nil {
			return err
		}
	}
}

// addPart adds one part: a text if it has nothing but a body, a message otherwise.
func (t tree) addPart(text, inlineKey string, g structured.Generation) error {
	text, data, hasData := cutData(text)
	head, body, hasBody := strings.Cut(text, "\r\n\r\n")
	if !hasBody { // an empty body may have lost its line
		head = strings.TrimSuffix(head, "\r\n")
	}
	lines := strings.Split(head, "\r\n")
	where := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.ToLower(l), hdrDisposition+":") })
	if where < 0 {
		return malformed("multipart-malformed", "a part lacks its %s", hdrDisposition)
	}
	path, err := pathOf(lines[where][len(hdrDisposition)+1:], inlineKey)
	if err != nil {
		return err
	}
	var keys []message.Header
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			if name, value, ok = strings.Cut(line, ":"); !ok {
				return malformed("multipart-malformed", "a line of a part is no header")
			}
		}
		switch {
		case i == where, name == message.KeyBodyKey, name == message.KeyContentDigest, name == message.KeyContentType && g == structured.GenB:
			continue
		}
		keys = append(keys, message.Header{Name: name, Value: value})
	}
	if hasData {
		keys = append(keys, message.Header{Name: message.KeyData, Value: data})
	}
	if hasBody && len(keys) == 0 {
		return t.setPart(path, message.Bytes(body))
	}
	inner, err := t.at(path)
	if err != nil {
		return err
	}
	if len(keys) == 1 && !hasBody && keys[0] == (message.Header{Name: message.KeyTypes, Value: message.EmptyMessage}) {
		return nil
	}
	if hasBody {
		keys = append(keys, message.Header{Name: message.KeyBody, Value: body})
	}
	for _, h := range keys {
		if err := inner.set([]string{h.Name}, message.Bytes(h.Value)); err != nil {
			return err
		}
	}
	return nil
}

// cutData takes out of a part the parts that are the value of its line "data": a published client that nests a signed message
// writes them there as they are.
func cutData(text string) (rest, data string, ok bool) {
	_, boundary, announced := strings.Cut(text, "\r\ncontent-type: multipart/form-data; boundary=\"")
	boundary, _, _ = strings.Cut(boundary, "\"")
	line, end := "\r\ndata: ", "\r\n--"+boundary+"--"
	before, after, found := strings.Cut(text, line+"--"+boundary+"\r\n")
	if !announced || !found || boundary == "" || strings.Contains(before, "\r\n\r\n") {
		return text, "", false
	}
	inner, after, closed := strings.Cut(after, end)
	if !closed {
		return text, "", false
	}
	return before + after, "--" + boundary + "\r\n" + inner + end, true
}

// pathOf reads where a part belongs.
func pathOf(disposition, inlineKey string) ([]string, error) {
	disposition = strings.TrimSpace(disposition)
	if kind, _, _ := strings.Cut(disposition, ";"); kind == "inline" {
		return []string{inlineKey}, nil
	}
	_, after, ok := strings.Cut(disposition, `name="`)
	end := strings.LastIndexByte(after, '"')
	if !ok || end <= 0 {
		return nil, malformed("multipart-malformed", "a part has no name")
	}
	return strings.Split(after[:end], "/"), nil
}
