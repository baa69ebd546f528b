package console

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"ago/console/source"
)

var (
	escape  = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
	leading = regexp.MustCompile("^\x1b\\[[0-9;?]*[A-Za-z]")
)

// Plain takes the colours out of a text.
func Plain(s string) string { return escape.ReplaceAllString(s, "") }

// safe leaves colours in a text and takes out what else could move the cursor or change the terminal: texts come from
// strangers.
func safe(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if e := leading.FindString(s); e != "" {
			if e[len(e)-1] == 'm' {
				b.WriteString(e)
			}
			s = s[len(e):]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if r >= ' ' && r < 0x7f || r >= 0xa0 || r == '\n' || r == '\t' {
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

// SplitError parts what a failed evaluation printed before its error from the error.
func SplitError(text string) (printed, failure string) {
	s := safe(text)
	if at := strings.LastIndex(s, "\x1b[31merror:\n"); at >= 0 {
		return strings.TrimRight(s[:at], "\n"), s[at:]
	}
	return "", s
}

// ErrorText is an error of a process as a person wants it: without colours, what was printed before, and the frames that
// processes put around it, and with the line of the bundle's file that it happened in. The bundle may be nil.
func ErrorText(text string, b *source.Bundle) string {
	_, s := SplitError(text)
	s = heading.ReplaceAllString(Plain(s), "")
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

var atFault = regexp.MustCompile(`(?m)^handler: (.+)$`)

// FailedHandler is the handler that an error of the built-in process names, "" if it names none.
func FailedHandler(text string) string {
	if m := atFault.FindStringSubmatch(Plain(text)); m != nil {
		return strings.TrimSpace(m[1])
	}
	return ""
}
