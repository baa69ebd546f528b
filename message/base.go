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
	var b strings.Builder
	b.Grow(64 * (len(components) + 4))
	for i, c := range components {
		name := strings.TrimPrefix(c, "@")
		v, ok := value(name)
		if !ok {
			return "", false
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		writeQuoted(&b, name)
		b.WriteString(": ")
		b.WriteString(v)
	}
	b.WriteString("\n\"@signature-params\": ")
	writeParams(&b, components, params)
	return b.String(), true
}

// SignatureParams writes components and parameters in the order given, as one inner list of RFC 8941.
func SignatureParams(components []string, params []Param) string {
	var b strings.Builder
	writeParams(&b, components, params)
	return b.String()
}

func writeParams(b *strings.Builder, components []string, params []Param) {
	b.WriteByte('(')
	for i, c := range components {
		if i > 0 {
			b.WriteByte(' ')
		}
		writeQuoted(b, c)
	}
	b.WriteByte(')')
	for _, p := range params {
		b.WriteByte(';')
		b.WriteString(p.Name)
		b.WriteByte('=')
		switch v := p.Value.(type) {
		case Int:
			b.WriteString(strconv.FormatInt(int64(v), 10))
		case Bytes:
			writeQuoted(b, string(v))
		}
	}
}

// writeQuoted writes a text as a structured field does.
func writeQuoted(b *strings.Builder, s string) {
	b.WriteByte('"')
	for {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		b.WriteByte('\\')
		b.WriteByte(s[i])
		s = s[i+1:]
	}
	b.WriteString(s)
	b.WriteByte('"')
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
	mac.Write([]byte(base))
	return ID(mac.Sum(nil))
}

// UnsignedParams are the parameters of the commitment without a signer.
func UnsignedParams() []Param {
	return []Param{{"alg", Bytes(AlgorithmHMAC)}, {"keyid", Bytes(KeyIDConstant)}}
}

// annotatedID is the id of an annotated message without commitments.
func annotatedID(m Message) ID {
	l := m.Lay(nil)
	base, _ := SignatureBase(l.Components(), UnsignedParams(), l.Get) // every component comes from the layout
	return ConstantMAC(base)
}
