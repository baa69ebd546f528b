package message

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
)

// Parameters of the commitment that every message has: a MAC under a key that everybody knows, which makes it an id.
const (
	AlgorithmHMAC = "hmac-sha256"
	KeyIDConstant = "constant:ao"
	constantKey   = "constant:ao"
)

// Param is one parameter of a signature: text as Bytes, a number as Int.
type Param struct {
	Name  string
	Value Value
}

// derived are names that the parameters of a signature write with an @, as RFC 9421 does for what is no header.
var derived = []string{"authority", "method", "path", "query", "query-param", "request-target", "scheme", "target-uri"}

// Component writes the name of a header as a signature lists it.
func Component(name string) string {
	if slices.Contains(derived, name) {
		return "@" + name
	}
	return name
}

// SignatureBase writes what is signed: a line for each component, then the parameters. Components are given as the parameters
// list them; value finds the text under a name without its @. It is not ok if a component has none.
func SignatureBase(components []string, params []Param, value func(name string) (string, bool)) (base string, ok bool) {
	b := make([]byte, 0, 64*(len(components)+4))
	for i, c := range components {
		name := strings.TrimPrefix(c, "@")
		v, ok := value(name)
		if !ok {
			return "", false
		}
		b = appendLine(b, i, name, v)
	}
	b = append(b, paramsName...)
	b = append(b, '(')
	for i, c := range components {
		b = appendMember(b, i, c)
	}
	return textOf(appendParams(b, params)), true
}

// SignatureParams writes components and parameters in the order given, as one inner list of RFC 8941.
func SignatureParams(components []string, params []Param) string {
	b := []byte{'('}
	for i, c := range components {
		b = appendMember(b, i, c)
	}
	return string(appendParams(b, params))
}

// paramsName begins the last line of a signature base.
const paramsName = "\n\"@signature-params\": "

func appendLine(b []byte, i int, name, value string) []byte {
	if i > 0 {
		b = append(b, '\n')
	}
	return append(append(appendQuoted(b, name), ": "...), value...)
}

func appendMember(b []byte, i int, component string) []byte {
	if i > 0 {
		b = append(b, ' ')
	}
	return appendQuoted(b, component)
}

// appendParams closes the list of components.
func appendParams(b []byte, params []Param) []byte {
	b = append(b, ')')
	for _, p := range params {
		b = append(append(append(b, ';'), p.Name...), '=')
		switch v := p.Value.(type) {
		case Int:
			b = strconv.AppendInt(b, int64(v), 10)
		case Bytes:
			b = appendQuoted(b, string(v))
		}
	}
	return b
}

// Components lists what a signature over the whole layout covers.
func (l Laid) Components() []string {
	cs := make([]string, len(l.Headers))
	for i, h := range l.Headers {
		cs[i] = Component(h.Name)
	}
	return cs
}

// ConstantMAC is the MAC that makes an id of a signature base.
func ConstantMAC(base string) ID {
	mac := hmac.New(sha256.New, []byte(constantKey))
	mac.Write(bytesOf(base))
	return ID(mac.Sum(nil))
}

// UnsignedParams are the parameters of the commitment without a signer.
func UnsignedParams() []Param {
	return []Param{{"alg", Bytes(AlgorithmHMAC)}, {"keyid", Bytes(KeyIDConstant)}}
}

// unsignedID is the id of a layout that nobody signed: the MAC of the signature base over all of it, in pieces, since that of a
// state with thousands of keys has a megabyte. A key that begins with @ has no signature base, but an id.
func (l Laid) unsignedID() ID {
	mac := hmac.New(sha256.New, []byte(constantKey))
	size := 100 // what the parameters take
	for _, h := range l.Headers {
		size += 2*len(h.Name) + len(h.Value) + 10
	}
	b := make([]byte, 0, min(size, 2*HeaderMax))
	flush := func() {
		if len(b) > HeaderMax {
			mac.Write(b)
			b = b[:0]
		}
	}
	for i, h := range l.Headers {
		b = appendLine(b, i, h.Name, h.Value)
		flush()
	}
	b = append(append(b, paramsName...), '(')
	for i, h := range l.Headers {
		b = appendMember(b, i, Component(h.Name))
		flush()
	}
	mac.Write(appendParams(b, UnsignedParams()))
	return ID(mac.Sum(nil))
}

// appendQuoted writes a text as a structured field does.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for {
		i := quoted(s)
		if i < 0 {
			break
		}
		b = append(append(b, s[:i]...), '\\', s[i])
		s = s[i+1:]
	}
	return append(append(b, s...), '"')
}

// quoted finds the first letter that a structured field writes behind a backslash; -1 if there is none.
func quoted(s string) int {
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			return i
		}
	}
	return -1
}
