package rewrite

import (
	"errors"
)

// The oracle writes what ao's loader makes of a module: a host call per segment, everything encoded anew in
// the shortest form. Segments and prices are the ones the inlined rewrite uses, so equal bytes prove them.

var errOracle = errors.New("the loader cannot meter this module")

func oracleMeter(mod []byte, valueType byte) ([]byte, error) {
	return hostMeter(mod, valueType, false)
}

// hostMeter does the same; if lenient, for modules of instructions the loader does not know as well.
func hostMeter(mod []byte, valueType byte, lenient bool) ([]byte, error) {
	m, err := decode(mod)
	if err != nil {
		return nil, err
	}
	for i, t := range m.types {
		if t.resultCount > 1 && !lenient {
			return nil, errOracle
		}
		m.types[i] = t
	}
	callee := uint32(m.importedFuncs)
	m.types = append(m.types, funcType{params: []byte{valueType}, paramCount: 1})
	typ := uint32(len(m.types) - 1) // the loader does not reuse an equal type
	m.imports = append(m.imports, importEntry{"metering", "usegas", KindFunc, typ, appendU32(nil, typ)})
	m.importedFuncs++
	moved := func(f uint32) uint32 {
		if f >= callee {
			return f + 1
		}
		return f
	}
	for i, e := range m.exports {
		if e.kind == KindFunc {
			m.exports[i].index = moved(e.index)
		}
	}
	if m.start >= 0 {
		m.start = int64(moved(uint32(m.start)))
	}
	if m.element, err = oracleElements(m.element, moved); err != nil {
		return nil, err
	}
	constOp := byte(opI32Const)
	if valueType == valI64 {
		constOp = byte(opI64Const)
	}
	err = m.rewriteBodies(func(out []byte, _ int, body []byte) ([]byte, error) {
		return oracleBody(out, body, constOp, callee, moved, lenient)
	})
	if err != nil {
		return nil, err
	}
	return m.encode(len(mod) * 2), nil
}

func oracleElements(payload []byte, moved func(uint32) uint32) ([]byte, error) {
	if payload == nil {
		return nil, nil
	}
	r := reader{b: payload}
	n := r.u32()
	out := appendU32(nil, n)
	for ; n > 0; n-- {
		if r.u8() != 0 {
			return nil, errOracle
		}
		at := r.pos
		r.constant()
		out = append(append(out, 0), payload[at:r.pos]...)
		k := r.u32()
		out = appendU32(out, k)
		for ; k > 0 && r.err == nil; k-- {
			out = appendU32(out, moved(r.u32()))
		}
	}
	return out, r.err
}

func oracleBody(out, body []byte, constOp byte, callee uint32, moved func(uint32) uint32, lenient bool) ([]byte, error) {
	r := reader{b: body}
	n := r.u32()
	out = appendU32(out, n)
	for ; n > 0; n-- {
		out = appendU32(out, r.u32())
		out = append(out, r.valueType()...)
	}
	c := newCode(body, r.pos)
	for {
		ahead := c
		in := instr{}
		s, ok := nextSegment(&ahead)
		if !ok {
			return out, ahead.finish()
		}
		if s.cost != 0 {
			out = appendS64(append(out, constOp), int64(s.cost))
			out = appendU32(append(out, byte(opCall)), callee)
		}
		for c.pos < ahead.pos {
			c.next(&in)
			switch {
			case in.op <= 0xc4 && in.op != opTryTable && in.op != opReturnCall && in.op != opThrow:
				out = oracleInstr(out, body, in, moved)
			case !lenient:
				return nil, errOracle
			case in.op == opReturnCall:
				out = appendU32(append(out, byte(in.op)), moved(in.index))
			default:
				out = append(out, body[in.start:in.end]...)
			}
		}
		if c.depth != ahead.depth {
			return nil, errors.New("the two walks differ")
		}
	}
}

// oracleInstr writes one instruction with its numbers in the shortest form.
func oracleInstr(out, body []byte, in instr, moved func(uint32) uint32) []byte {
	out = append(out, byte(in.op))
	r := reader{b: body, pos: in.imm}
	switch immediates[in.op] {
	case immIndex:
		v := in.index
		if in.op == opCall {
			v = moved(v)
		}
		return appendU32(out, v)
	case immIndex2:
		return appendU32(appendU32(out, in.index), in.index2)
	case immMemory:
		flags := r.u32()
		return appendU64(appendU32(out, flags), r.u64())
	case immI32:
		return appendS64(out, r.signed(32))
	case immI64:
		return appendS64(out, r.signed(64))
	case immLabels:
		n := r.u32()
		out = appendU32(out, n)
		for i := uint32(0); i <= n; i++ {
			out = appendU32(out, r.u32())
		}
		return out
	}
	return append(out, body[in.imm:in.end]...)
}
