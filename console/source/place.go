package source

import (
	"regexp"
	"strconv"
	"strings"
)

// Place is where in the developer's files an error is.
type Place struct {
	Path string
	Line int
	Text string // that line
	Near string // the word the error names; "" if it names none
}

// mention is a place as Lua writes it: path:line:, or "...tail of the path:line:" if the path is long.
var mention = regexp.MustCompile(`([^\s:\[\]"'` + "`" + `]+):(\d+):`)

var (
	colour    = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
	nearWord  = regexp.MustCompile(`near '([^']+)'`)
	namedWord = regexp.MustCompile(`\((?:local|global|field|upvalue|method|constant) '([^']+)'\)`)
)

// Locate finds the first place in an error that is in a file of the bundle.
func (b *Bundle) Locate(message string) (Place, bool) {
	message = colour.ReplaceAllString(message, "")
	for _, m := range mention.FindAllStringSubmatch(message, -1) {
		line, err := strconv.Atoi(m[2])
		if err != nil {
			continue
		}
		for _, f := range b.Files {
			tail, short := strings.CutPrefix(m[1], "...")
			if f.Path != m[1] && !(short && strings.HasSuffix(f.Path, tail)) {
				continue
			}
			lines := strings.Split(f.Text, "\n")
			if line < 1 || line > len(lines) {
				continue
			}
			p := Place{Path: f.Path, Line: line, Text: strings.TrimRight(lines[line-1], "\r")}
			for _, word := range []*regexp.Regexp{nearWord, namedWord} {
				if w := word.FindStringSubmatch(message); w != nil && indexWord(p.Text, w[1]) >= 0 {
					p.Near = w[1]
					break
				}
			}
			return p, true
		}
	}
	return Place{}, false
}

// String shows the line with its number, and points at the word that the error names.
func (p Place) String() string {
	number := strconv.Itoa(p.Line)
	s := "  " + number + " | " + p.Text
	if p.Near != "" {
		before := p.Text[:indexWord(p.Text, p.Near)]
		indent := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, before)
		s += "\n  " + strings.Repeat(" ", len(number)) + " | " + indent + strings.Repeat("^", len(p.Near))
	}
	return s
}

// indexWord finds a word that is no part of a longer one; -1 if it is not there.
func indexWord(s, word string) int {
	inWord := func(i int) bool { return i >= 0 && i < len(s) && (letter(s[i]) || digit(s[i])) }
	for from := 0; ; {
		at := strings.Index(s[from:], word)
		if at < 0 {
			return -1
		}
		at += from
		end := at + len(word)
		if !(inWord(at-1) && inWord(at)) && !(inWord(end-1) && inWord(end)) {
			return at
		}
		from = at + 1
	}
}
