package ans104

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"ago/message"
)

// typeMember is one member of ao-types: an escaped key, and the type as a quoted text or a bare token.
var typeMember = regexp.MustCompile(`^([a-z0-9._/?&%*-]+)=(?:"([a-z-]+)"|([a-z-]+))$`)

// parseTypes reads the members of ao-types: the type of each key.
func parseTypes(types string) (map[string]string, bool) {
	want := map[string]string{}
	for member := range strings.SplitSeq(types, ",") {
		m := typeMember.FindStringSubmatch(strings.TrimSpace(member))
		if m == nil {
			return nil, false
		}
		key, ok := message.UnescapeKey(m[1])
		if !ok {
			return nil, false
		}
		want[key] = m[2] + m[3]
	}
	return want, true
}

// applyTypes turns the texts that ao-types names into numbers and atoms, and leaves ao-types out. If one of them cannot be
// read, all stay texts and ao-types stays: an item that somebody signed is not refused for an annotation.
func applyTypes(fs []message.Field, types string) []message.Field {
	if types == "" {
		return fs
	}
	want, ok := parseTypes(types)
	if !ok {
		return fs
	}
	out := make([]message.Field, 0, len(fs))
	for _, f := range fs {
		if f.Key == keyTypes {
			continue
		}
		if kind, ok := want[f.Key]; ok {
			v, ok := typed(kind, string(f.Value.(message.Bytes)))
			if !ok {
				return fs
			}
			f.Value = v
		}
		out = append(out, f)
	}
	return out
}

func typed(kind, text string) (message.Value, bool) {
	switch kind {
	case "integer":
		return message.Whole(text)
	case "float":
		f, err := strconv.ParseFloat(text, 64)
		return message.Float(f), err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	case "atom":
		if n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"' {
			text = text[1 : n-1]
		}
		return message.Atom(text), true
	}
	return nil, false
}
