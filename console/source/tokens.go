// Package source reads the Lua files of a developer: whether a text is whole, which other files it needs, and which line of
// which file an error is about.
package source

import "strings"

// kind says what a token is.
type kind uint8

const (
	name kind = iota + 1
	keyword
	number
	text
	operator
	broken // a string or comment that does not end
)

// token is a word of Lua. Comments are none.
type token struct {
	kind kind
	word string // as written; of a text its content as written between the quotes
	line int    // 1 is the first
}

var keywords = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true,
	"function": true, "goto": true, "if": true, "in": true, "local": true, "nil": true, "not": true, "or": true,
	"repeat": true, "return": true, "then": true, "true": true, "until": true, "while": true,
}

// scanner cuts a text into tokens.
type scanner struct {
	s    string
	at   int
	line int
}

// tokens cuts the whole text. The last one is broken if the text ends inside a string or comment that may go on.
func tokens(s string) []token {
	sc := scanner{s: s, line: 1}
	if strings.HasPrefix(s, "#") { // the first line of a script names its interpreter
		sc.skipLine()
	}
	var all []token
	for {
		t, ok := sc.next()
		if !ok {
			return all
		}
		all = append(all, t)
		if t.kind == broken {
			return all
		}
	}
}

func (sc *scanner) skipLine() {
	if end := strings.IndexByte(sc.s[sc.at:], '\n'); end >= 0 {
		sc.at += end
		return
	}
	sc.at = len(sc.s)
}

func (sc *scanner) next() (token, bool) {
	for sc.at < len(sc.s) {
		c := sc.s[sc.at]
		switch {
		case c == '\n':
			sc.line++
			sc.at++
		case c == ' ' || c >= '\t' && c <= '\r':
			sc.at++
		case strings.HasPrefix(sc.s[sc.at:], "--"):
			sc.at += 2
			if level := longOpening(sc.s[sc.at:]); level >= 0 {
				line := sc.line
				if _, ok := sc.long(level); !ok {
					return token{broken, "--[[", line}, true
				}
				continue
			}
			sc.skipLine()
		default:
			return sc.word(c), true
		}
	}
	return token{}, false
}

func (sc *scanner) word(c byte) token {
	start, line := sc.at, sc.line
	switch {
	case letter(c):
		for sc.at < len(sc.s) && (letter(sc.s[sc.at]) || digit(sc.s[sc.at])) {
			sc.at++
		}
		w := sc.s[start:sc.at]
		if keywords[w] {
			return token{keyword, w, line}
		}
		return token{name, w, line}
	case digit(c) || c == '.' && sc.at+1 < len(sc.s) && digit(sc.s[sc.at+1]):
		sc.number()
		return token{number, sc.s[start:sc.at], line}
	case c == '"' || c == '\'':
		return sc.quoted(c)
	case c == '[':
		if level := longOpening(sc.s[sc.at:]); level >= 0 {
			content, ok := sc.long(level)
			if !ok {
				return token{broken, "[[", line}
			}
			return token{text, content, line}
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(sc.s[sc.at:], op) {
			sc.at += len(op)
			return token{operator, op, line}
		}
	}
	sc.at++
	return token{operator, sc.s[start:sc.at], line}
}

// operators of more than one character, the longest first.
var operators = []string{"...", "..", "==", "~=", "<=", ">=", "<<", ">>", "//", "::"}

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

func (sc *scanner) number() {
	hex := len(sc.s) > sc.at+1 && sc.s[sc.at] == '0' && sc.s[sc.at+1]|0x20 == 'x'
	for sc.at < len(sc.s) {
		c := sc.s[sc.at]
		exponent := c|0x20 == 'e' && !hex || c|0x20 == 'p' && hex
		sign := sc.at+1 < len(sc.s) && (sc.s[sc.at+1] == '+' || sc.s[sc.at+1] == '-')
		switch {
		case exponent && sign:
			sc.at += 2
		case letter(c) || digit(c) || c == '.' && !strings.HasPrefix(sc.s[sc.at:], ".."):
			sc.at++
		default:
			return
		}
	}
}

// quoted reads a short string. One that the line ends is an error of Lua and ends here, so that the process says so; one
// whose line ends in a backslash goes on.
func (sc *scanner) quoted(quote byte) token {
	line := sc.line
	sc.at++
	start := sc.at
	for sc.at < len(sc.s) {
		switch c := sc.s[sc.at]; c {
		case quote:
			sc.at++
			return token{text, sc.s[start : sc.at-1], line}
		case '\n':
			return token{operator, sc.s[start:sc.at], line}
		case '\\':
			sc.at++
			if sc.at >= len(sc.s) {
				return token{broken, string(quote), line}
			}
			switch sc.s[sc.at] {
			case '\n':
				sc.line++
			case 'z':
				for sc.at+1 < len(sc.s) && strings.IndexByte(" \t\n\v\f\r", sc.s[sc.at+1]) >= 0 {
					sc.at++
					if sc.s[sc.at] == '\n' {
						sc.line++
					}
				}
				if sc.at+1 >= len(sc.s) {
					return token{broken, string(quote), line}
				}
			}
			sc.at++
		default:
			sc.at++
		}
	}
	return token{operator, sc.s[start:], line}
}

// longOpening gives the level of the long bracket that s begins with, or -1.
func longOpening(s string) int {
	if !strings.HasPrefix(s, "[") {
		return -1
	}
	level := 0
	for level+1 < len(s) && s[level+1] == '=' {
		level++
	}
	if level+1 < len(s) && s[level+1] == '[' {
		return level
	}
	return -1
}

func (sc *scanner) long(level int) (string, bool) {
	start := sc.at + level + 2
	end := strings.Index(sc.s[start:], "]"+strings.Repeat("=", level)+"]")
	if end < 0 {
		sc.at = len(sc.s)
		return "", false
	}
	content := sc.s[start : start+end]
	sc.line += strings.Count(content, "\n")
	sc.at = start + end + level + 2
	return content, true
}

// Whole tells whether a text can be evaluated as it is. One that is not begins something that a further line may end: a
// block, a bracket, a string, an expression. What no further line can mend is whole: the process says what is wrong.
func Whole(s string) bool {
	all := tokens(s)
	if len(all) == 0 {
		return true
	}
	var open []string
	top := func() string {
		if len(open) == 0 {
			return ""
		}
		return open[len(open)-1]
	}
	closing := func(opened string) bool {
		if top() != opened {
			return false
		}
		open = open[:len(open)-1]
		return true
	}
	for _, t := range all {
		if t.kind == broken {
			return false
		}
		if t.kind != keyword && t.kind != operator {
			continue
		}
		ok := true
		switch t.word {
		case "function", "repeat", "if", "while", "for":
			open = append(open, t.word)
		case "do": // of a loop, or a block of its own
			if top() == "while" || top() == "for" {
				open[len(open)-1] = "do"
			} else {
				open = append(open, "do")
			}
		case "end":
			ok = top() == "function" || top() == "if" || top() == "do"
			if ok {
				open = open[:len(open)-1]
			}
		case "until":
			ok = closing("repeat")
		case "(", "[", "{":
			open = append(open, t.word)
		case ")":
			ok = closing("(")
		case "]":
			ok = closing("[")
		case "}":
			ok = closing("{")
		}
		if !ok {
			return true
		}
	}
	return len(open) == 0 && !wantsMore(all)
}

// wantsMore tells a last word that cannot be the last of a chunk.
func wantsMore(all []token) bool {
	last := all[len(all)-1]
	switch last.kind {
	case operator:
		switch last.word {
		case "+", "-", "*", "/", "//", "%", "^", "#", "&", "~", "|", "<<", ">>", "..", "<", "<=", ">", ">=", "==", "~=", "=", ",", ".", ":":
			return true
		}
	case keyword:
		switch last.word {
		case "and", "or", "not", "local", "in", "goto", "until":
			return true
		}
	}
	return false
}
