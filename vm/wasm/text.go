//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"

	"ago/codec/js"
)

// decodeText copies text out of a module's memory as the reference's decoder does: what is no UTF-8 is replaced, and a byte
// order mark in front is dropped.
func decodeText(b []byte) []byte {
	return js.AppendText(make([]byte, 0, len(b)), bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF")))
}
