package devices

import (
	"strings"

	"ago/device"
	"ago/message"
)

// whole reads a whole number of a message; without one it is what is said instead.
func whole(m message.Message, key string, instead int64) int64 {
	if v, ok := m.Get(key); ok {
		if n, ok := device.Whole(v); ok {
			return n
		}
	}
	return instead
}

// first gives the text of the first of the messages that has the key.
func first(key string, in ...message.Message) string {
	v, _ := device.First(key, in...)
	text, _ := device.Text(v)
	return text
}

// segments are the keys that a path names.
func segments(path string) []string {
	var out []string
	for part := range strings.SplitSeq(path, "/") {
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// reference gives the message that a reference is about and the path in it: "base:a/b", "req:a/b" and "request:a/b" say which,
// otherwise it is the base.
func reference(text string, base, req message.Message) (message.Message, []string) {
	if rest, ok := strings.CutPrefix(text, "base:"); ok {
		return base, segments(rest)
	}
	for _, prefix := range []string{"req:", "request:"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			return req, segments(rest)
		}
	}
	return base, segments(text)
}

// private tells whether a path goes through a private key.
func private(path []string) bool {
	for _, key := range path {
		if message.IsPrivate(key) {
			return true
		}
	}
	return false
}
