package message

import (
	"fmt"
	"strings"
)

// Functions that a base message chooses by its key hashpath-alg.
const (
	HashpathChain      = "sha-256-chain"
	HashpathAccumulate = "accumulate-256"
	keyHashpathAlg     = "hashpath-alg"
	keyPath            = "path"
	keyHashpath        = "hashpath"
)

// Hashpath names the result of applying a request to a base, without computing it: previous is the hashpath of the base, "" if
// it is no result itself; then its unsigned id stands for it. It fails for a function that is not known and for a previous
// path that is none.
func Hashpath(base Message, previous string, request Message) (string, error) {
	if previous == "" {
		previous = base.UnsignedID().String()
	}
	return ExtendHashpath(base.Text(keyHashpathAlg), previous, requestValue(request))
}

// requestValue is the first segment of the path if the request has nothing else, and its unsigned id otherwise.
func requestValue(request Message) string {
	for key := range request.All() {
		if key != keyPath && key != keyHashpath && key != KeyCommitments && !IsPrivate(key) {
			return request.UnsignedID().String()
		}
	}
	segment, _, _ := strings.Cut(strings.TrimPrefix(request.Text(keyPath), "/"), "/")
	if segment == "" {
		return request.UnsignedID().String()
	}
	return segment
}

// ExtendHashpath adds a request to a path: what came before it is folded into one id by the function, "" being the chain.
func ExtendHashpath(function, previous, request string) (string, error) {
	first, second, folded := strings.Cut(previous, "/")
	id, err := ParseID(first)
	if err != nil || strings.Contains(second, "/") {
		return "", fmt.Errorf("a hashpath is an id, or an id and a request: %.100q is not", previous)
	}
	if !folded {
		return first + "/" + request, nil
	}
	switch function {
	case "", HashpathChain:
		id = HashOf(append(id[:], native(second)...))
	case HashpathAccumulate:
		var number ID // a text is a number too, its last byte counting least
		b := native(second)
		b = b[max(0, len(b)-len(number)):]
		copy(number[len(number)-len(b):], b)
		id = SumIDs([]ID{id, number})
	default:
		return "", fmt.Errorf("no hashpath function is named %.100q", function)
	}
	return id.String() + "/" + request, nil
}

// native gives the bytes of an id, and those of any other text as they are.
func native(s string) []byte {
	if id, err := ParseID(s); err == nil {
		return id[:]
	}
	return []byte(s)
}
