//go:build linux && amd64 && cgo

package wasm

// trapText is what the reference runtime says of a trap, by wasmtime's number of it. Results carry these texts.
var trapText = []string{
	0:  "Maximum call stack size exceeded",
	1:  "memory access out of bounds",
	2:  "operation does not support unaligned accesses",
	3:  "table index is out of bounds",
	4:  "null function or function signature mismatch",
	5:  "null function or function signature mismatch",
	6:  "divide result unrepresentable",
	7:  "divide by zero",
	8:  "float unrepresentable in integer range",
	9:  "unreachable",
	13: "atomics.wait on a memory that is not shared",
	14: "dereferencing a null pointer",
	15: "array element access out of bounds",
	16: "requested new array is too large",
	17: "illegal cast",
}

const outOfGas = "out of gas!"

// failure is the text of a call that ended by itself.
func (e *ended) failure() string {
	if e.code >= 0 && e.code < len(trapText) && trapText[e.code] != "" {
		return trapText[e.code]
	}
	return e.text
}
