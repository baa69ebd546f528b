package process

import (
	"strconv"

	"ago/codec/js"
)

func appendTags(dst []byte, tags []Tag, skip func(string) bool) []byte {
	dst = append(dst, '[')
	first := true
	for _, t := range tags {
		if skip != nil && skip(t.Name) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = js.AppendJSON(append(dst, `{"name":`...), t.Name)
		dst = append(js.AppendJSON(append(dst, `,"value":`...), t.Value), '}')
	}
	return append(dst, ']')
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
