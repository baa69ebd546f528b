package console

import (
	"regexp"
	"strings"

	"ago/console/source"
)

var escape = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// Plain takes the colours out of a text.
func Plain(s string) string { return escape.ReplaceAllString(s, "") }

// safe leaves colours in a text and takes out what else could move the cursor or change the terminal: texts come from
// strangers.
func safe(s string) string {
	s = escape.ReplaceAllStringFunc(s, func(e string) string {
		if strings.HasSuffix(e, "m") {
			return e
		}
		return ""
	})
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\x1b' && strings.HasPrefix(s[i:], "\x1b[") && escape.MatchString(s[i:min(len(s), i+16)]):
			b.WriteRune(r)
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	grey  = "\x1b[90m"
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

var (
	inRuntime = regexp.MustCompile(`(?m)(?:\[string "\.[a-z-]+"\]|^\.[a-z-]+):\d+: `) // a frame of the process's own code
	inLine    = regexp.MustCompile(`\[string "(?:aos|ago)"\]:(\d+):`)                 // what was typed
	inFile    = regexp.MustCompile(`line \d+: (\S+\.lua:\d+:)`)
	heading   = regexp.MustCompile(`(?m)\A\s*error:\s*\n`)
)

// ErrorText is an error of a process as a person wants it: without colours and the frames that processes put around it, and
// with the line of the bundle's file that it happened in. The bundle may be nil.
func ErrorText(text string, b *source.Bundle) string {
	s := Plain(safe(text))
	if at := strings.LastIndex(s, "\nerror:\n"); at >= 0 { // what was printed before stays before it
		s = strings.TrimLeft(s[:at], "\n") + "\n" + s[at+len("\nerror:\n"):]
	}
	s = heading.ReplaceAllString(s, "")
	s = inRuntime.ReplaceAllString(s, "")
	s = inLine.ReplaceAllString(s, "line $1:")
	s = strings.TrimSpace(inFile.ReplaceAllString(s, "$1"))
	if b != nil {
		if p, ok := b.Locate(s); ok {
			s += "\n" + p.String()
		}
	}
	return s
}
