package resolve

import (
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Invariants of the grammar:
//   - the first step is the base; a path that begins with something else gets an empty one before it;
//   - quotes and parentheses hold together whatever is in them;
//   - a separator that was written with a percent sign is text, not a separator.
//
// Outline: Parse cuts off the query, distributes the keys over the steps (keys.go), cuts the path at slashes (text.go) and reads
// each part.

// Limits of what is read, so that a line of text stays a line's work.
const (
	pathMax  = 64 << 10 // bytes of a path with its query
	partMax  = 16 << 10 // bytes of one part: a request with its arguments, as clients put messages into them
	keyMax   = 512      // bytes of a key
	partsMax = 256      // parts of one path
	argsMax  = 256      // arguments of one part, and keys of a query
	depthMax = 16       // parentheses in parentheses
)

// Parse reads a request: a path with its query, and the keys that came with it. The first step is the base; a path without parts
// has no steps. Keys go to every step but ids and parentheses: those of the message first, then those of the query, then those
// that the part itself has. "2.key" goes to the second step only.
func Parse(path string, keys message.Message) ([]device.Step, error) {
	if len(path) > pathMax {
		return nil, fault.New(fault.TooLarge, "path-too-long", "a path has up to %d bytes, this has %d", pathMax, len(path))
	}
	raw, query := cutQuery(path)
	return parse(decodePath(raw), query, keys, 0)
}

func malformed(format string, args ...any) error {
	return fault.New(fault.Malformed, "path-malformed", format, args...).
		WithHint(`a path is /base~device@1.0/key&argument=value/key?argument=value; text with / or & in it stands in quotes`)
}

func tooMany(n int) error {
	return fault.New(fault.TooLarge, "too-many-arguments", "up to %d arguments are taken in a path, these are %d", argsMax, n).
		WithHint("send a message with these keys instead")
}

// parse reads a path whose percent signs are decoded.
func parse(t text, query string, keys message.Message, depth int) ([]device.Step, error) {
	if depth > depthMax {
		return nil, fault.New(fault.TooLarge, "path-too-deep", "a path holds parentheses in parentheses up to %d deep", depthMax)
	}
	parts, err := t.split('/')
	if err != nil {
		return nil, err
	}
	if len(parts) > partsMax {
		return nil, fault.New(fault.TooLarge, "path-too-long", "a path has up to %d parts, this has %d", partsMax, len(parts))
	}
	scoped, err := distribute(keys, query, depth)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	steps := make([]device.Step, 0, len(parts)+1)
	for _, t := range parts {
		p, err := parsePart(t, depth)
		if err != nil {
			return nil, err
		}
		if len(steps) == 0 && p.target == "" && p.as == "" && p.sub == nil {
			steps = append(steps, scoped.base())
		}
		steps = append(steps, p.step(&scoped, len(steps)))
	}
	return steps, nil
}

// part is what stands between two slashes.
type part struct {
	sub    []device.Step
	target string
	as     string
	key    string
	own    arguments
}

// step gives the part with the keys of the request that go to it.
func (p *part) step(s *scopes, i int) device.Step {
	if p.sub != nil {
		return device.Step{Sub: p.sub}
	}
	if p.key != "" {
		p.own = append(p.own, argument{key: keyPath, value: message.Bytes(p.key)})
	}
	var step device.Step
	if p.target != "" {
		step.Request, step.Args = p.own.on(message.Message{})
	} else {
		step = s.step(i, p.own)
	}
	step.Target, step.As = p.target, p.as
	return step
}

func parsePart(t text, depth int) (p part, err error) {
	if len(t.s) > partMax {
		return p, fault.New(fault.TooLarge, "path-too-long", "one part of a path has up to %d bytes, this has %d", partMax, len(t.s))
	}
	if inner, ok := t.inParentheses(); ok {
		steps, err := parse(inner, "", message.Message{}, depth+1)
		p.sub = orEmpty(steps)
		return p, err
	}
	mods, err := t.split('&')
	if err != nil {
		return p, err
	}
	if t.s[0] != '&' || t.isPlain(0) {
		if err := p.head(mods[0], depth); err != nil {
			return p, err
		}
		mods = mods[1:]
	}
	if len(mods) > argsMax {
		return p, tooMany(len(mods))
	}
	for _, m := range mods {
		a, err := parseArgument(m, depth)
		if err != nil {
			return p, err
		}
		p.own = append(p.own, a)
	}
	return p, nil
}

// head reads the beginning of a part: an id, a key, or a key with its value, and the device it is asked of.
func (p *part) head(t text, depth int) error {
	if t.s[0] == '(' {
		return malformed("nothing follows a closing parenthesis within a part: %.100q", t.s)
	}
	i := t.index("~+ =")
	switch {
	case i < 0:
	case t.s[i] == '~':
		p.as = t.s[i+1:]
		if p.as == "" {
			return malformed("a device is missing after the ~ of %.100q", t.s)
		}
		t = t.cut(0, i)
	default:
		a, err := parseArgument(t, depth)
		p.key, p.own = a.key, arguments{a}
		return err
	}
	if len(t.s) > keyMax {
		return malformed("a key has up to %d bytes, this has %d", keyMax, len(t.s))
	}
	if isID(t.s) {
		p.target = t.s
		return nil
	}
	p.key = t.s
	return nil
}

// isID tells texts that stand for a message: 43 letters of base64url. Some clients write ids in lower case, which are kept as
// they come.
func isID(s string) bool {
	if len(s) != message.IDLength {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// parseArgument reads key, key=value or key+type=value of a part.
func parseArgument(t text, depth int) (argument, error) {
	i := t.index("=")
	if i < 0 {
		name, kind := cutType(t.s)
		if kind != "" || name != t.s {
			return argument{}, malformed("%.60q says a type and has no value", t.s)
		}
		a, err := typed(name, "", "", depth)
		a.value = message.Atom("true")
		return a, err
	}
	name, kind := cutType(t.s[:i])
	value := t.cut(i+1, len(t.s))
	if inner, ok := value.inParentheses(); ok && kind == "" {
		a, err := typed(name, "", "", depth)
		if err != nil {
			return a, err
		}
		steps, err := parse(inner, "", message.Message{}, depth+1)
		return argument{key: name, steps: orEmpty(steps)}, err
	}
	if kind == "resolve" && value.s != "" && value.s[0] == '(' {
		return argument{}, malformed("a path in parentheses has no type: write %s=%.60s", name, value.s)
	}
	text := value.s
	if kind != "list" && kind != "map" {
		text = unquoted(text)
	}
	return typed(name, kind, text, depth)
}
