package node

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Formats that a module without a Module-Format tag is taken for. Both are what aos is published in.
const (
	formatWide   = "wasm64-unknown-emscripten-draft_2024_02_15"
	formatNarrow = "wasm32-unknown-emscripten4"
)

// GuessFormat tells 64-bit modules from 32-bit ones by the kind of memory they declare or import. What it cannot tell
// apart are the older 32-bit formats and the metering ones: those have to be named.
func GuessFormat(wasm []byte) (string, error) {
	errNot := errors.New("the file is no WebAssembly module")
	if len(wasm) < 8 || !bytes.Equal(wasm[:8], []byte("\x00asm\x01\x00\x00\x00")) {
		return "", errNot
	}
	r := moduleReader{rest: wasm[8:]}
	for len(r.rest) > 0 && !r.bad {
		id := r.byte()
		section := moduleReader{rest: r.take(r.uint())}
		switch id {
		case 2: // imports
			for range section.uint() {
				section.take(section.uint()) // module
				section.take(section.uint()) // name
				if flags, memory := section.importKind(); memory {
					return formatOf(flags), nil
				}
				if section.bad {
					return "", errNot
				}
			}
		case 5: // memories
			if section.uint() > 0 && !section.bad {
				return formatOf(section.byte()), nil
			}
		}
	}
	return "", errors.New("the module has no memory")
}

func formatOf(limitFlags byte) string {
	if limitFlags&4 != 0 {
		return formatWide
	}
	return formatNarrow
}

// moduleReader reads what the sections are made of; bad is set when something is missing.
type moduleReader struct {
	rest []byte
	bad  bool
}

func (r *moduleReader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *moduleReader) uint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *moduleReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// importKind skips the description of one import and gives the limit flags if it is a memory.
func (r *moduleReader) importKind() (flags byte, memory bool) {
	limits := func() byte {
		flags := r.byte()
		r.uint()
		if flags&1 != 0 {
			r.uint()
		}
		return flags
	}
	switch r.byte() {
	case 0: // function: its type
		r.uint()
	case 1: // table: element type, limits
		r.byte()
		limits()
	case 2:
		return r.byte(), !r.bad
	case 3: // global: type, mutability
		r.take(2)
	case 4: // tag: attribute, type
		r.byte()
		r.uint()
	default:
		r.bad = true
	}
	return 0, false
}
