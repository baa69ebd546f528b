package rewrite

// Gas is counted as ao's loader counts it. A body is cut into segments; a segment ends with an instruction
// behind which control may be somewhere else (a call does not end one). At the beginning of each segment
// stands the sum of the prices of its instructions, plus 91 for the counting itself, unless the sum is 0.
// The loader does the counting by a call of the host, hence the 91: a constant and a call.
//
// Here it is
//
//	used += cost                            at every segment
//	if used > limit { unreachable }         at the beginning of a function that calls, and of a loop
//
// which stops everything that could run on without end, since it either calls or loops. The host tells a
// module that ran out of gas from one that trapped by used > limit, and asks once more when a call returns.
// The loader stops at the first segment above the limit; both have the same result, because an evaluation
// that ran out of gas leaves nothing behind. For the same reason used need not be exact behind a trap, and it
// is not: see gasCode. It is exact whenever control is outside of the module otherwise.
//
// Prices are by the name of an instruction without the type of its operands. Those the loader does not know
// (bulk memory, vectors, references, atomics, exceptions) cost nothing; a module that has any cannot be
// metered by the loader, so there is no number to agree with. The exception is transfer of control: what can
// close a loop without a known instruction costs as much as its known relative, so that each way around costs.

const (
	priceBranch       = 90
	priceCall         = 90
	priceCallIndirect = 10_000
	// priceCounting is what the loader charges for a segment it counts: i32.const and call.
	priceCounting = 1 + priceCall
)

// GasLimitDefault is the limit in a metered module until the host sets another: the loader's own default.
const GasLimitDefault = 9_000_000_000_000_000

var prices = func() (t [256]uint32) {
	set := func(price uint32, codes ...int) {
		for _, c := range codes {
			t[c] = price
		}
	}
	span := func(price uint32, from, to int) {
		for c := from; c <= to; c++ {
			t[c] = price
		}
	}
	span(1, 0x00, 0x04) // unreachable, nop, block, loop, if
	set(90, 0x05)       // else
	set(priceBranch, 0x0c, 0x0d, 0x0f)
	set(120, 0x0e) // br_table
	set(priceCall, 0x10)
	set(priceCallIndirect, 0x11)
	span(120, 0x1a, 0x1b) // drop, select
	span(120, 0x20, 0x24) // locals and globals
	span(120, 0x28, 0x3e) // loads and stores
	set(100, 0x3f)        // memory.size
	set(10_000, 0x40)     // memory.grow
	span(1, 0x41, 0x44)   // constants
	span(45, 0x45, 0x5a)  // integer comparison
	set(45, 0x5b, 0x5c, 0x61, 0x62)
	for _, base := range []int{0x67, 0x79} { // i32, i64
		span(45, base, base+5)       // clz, ctz, popcnt, add, sub, mul
		span(36_000, base+6, base+9) // div, rem
		span(45, base+10, base+12)   // and, or, xor
		span(67, base+13, base+15)   // shl, shr_s, shr_u
		span(90, base+16, base+17)   // rotl, rotr
	}
	span(45, 0x92, 0x94) // f32 add, sub, mul
	span(45, 0xa0, 0xa2) // f64 add, sub, mul

	// Unknown to the loader, see above.
	set(priceBranch, 0x08, 0x09, 0x0a, 0xd5, 0xd6)
	set(priceCall, 0x12)
	set(priceCallIndirect, 0x13, 0x14, 0x15)
	return t
}()

func price(op opcode) uint64 {
	if op > 0xff {
		return 0
	}
	return uint64(prices[op])
}

// segmentEnd tells which instructions end a segment. The first list is the loader's.
var segmentEnd = func() (t [256]bool) {
	for _, op := range []opcode{opMemoryGrow, opEnd, opBr, opBrTable, opBrIf, opIf, opElse, opReturn, opLoop} {
		t[op] = true
	}
	for _, op := range []opcode{opTry, opCatch, opCatchAll, opDelegate, opThrow, opRethrow, opThrowRef, opTryTable,
		opReturnCall, opReturnCallIndirect, opReturnCallRef, opBrOnNull, opBrOnNonNull} {
		t[op] = true
	}
	return t
}()

// meter adds the two globals and counts in every function.
func meter(m *module, info *Info) error {
	g := gasCode{used: m.addCounter(0), limit: m.addCounter(GasLimitDefault)}
	err := m.rewriteBodies(func(out []byte, i int, body []byte) ([]byte, error) {
		locals, at, err := splitBody(body)
		if err != nil {
			return nil, err
		}
		g.local = uint32(m.types[m.funcs[i]].paramCount) + uint32(locals)
		return g.body(out, body, at)
	})
	if err != nil {
		return err
	}
	info.GasUsedGlobal = m.addExport("ago:gas_used", KindGlobal, g.used)
	info.GasLimitGlobal = m.addExport("ago:gas_limit", KindGlobal, g.limit)
	return nil
}

// A segment is a run of instructions that is entered at its beginning only.
type segment struct {
	from, to int
	cost     uint64 // with the counting
	last     opcode
	calls    bool // something else may count, or read the counter, before it ends
	exits    bool // control may leave the function at its end
	closes   bool // its end is the end of the function
}

// nextSegment walks to the end of the segment that begins where c stands.
func nextSegment(c *code) (s segment, ok bool) {
	s.from = c.pos
	in := instr{}
	for c.next(&in) {
		s.cost += price(in.op)
		if in.op > 0xff {
			continue
		}
		switch in.op {
		case opCall, opCallIndirect, opCallRef:
			s.calls = true
		case opReturnCall, opReturnCallIndirect, opReturnCallRef:
			s.calls, s.exits = true, true
		case opReturn, opThrow, opThrowRef, opRethrow:
			s.exits = true
		case opBr, opBrIf, opBrOnNull, opBrOnNonNull:
			s.exits = int64(in.index) == int64(c.depth-1)
		case opBrTable:
			r := reader{b: c.b, pos: in.imm}
			for n := int64(r.u32()); n >= 0; n-- {
				s.exits = s.exits || int64(r.u32()) == int64(c.depth-1)
			}
		}
		if segmentEnd[in.op] {
			if s.cost != 0 {
				s.cost += priceCounting
			}
			s.to, s.last, s.closes = c.pos, in.op, c.depth == 0
			return s, true
		}
	}
	return s, false
}

// gasCode writes the counting. Reading and writing a global at each segment is most of what counting costs, so
// a function gathers the gas of segments without calls in a local and adds it to the global before it calls
// or leaves. At an exception the local is 0: one comes from a call or a throw only.
type gasCode struct {
	used, limit uint32 // globals
	local       uint32
	segments    []segment
}

func (g *gasCode) body(out, body []byte, at int) ([]byte, error) {
	g.segments = g.segments[:0]
	c := newCode(body, at)
	calls, gathers := false, false
	for {
		s, ok := nextSegment(&c)
		if !ok {
			break
		}
		calls = calls || s.calls
		gathers = gathers || s.cost != 0 && !s.calls && !s.exits && !s.closes
		g.segments = append(g.segments, s)
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	gathers = gathers && g.local < localsMax
	if gathers {
		r := reader{b: body}
		out = appendU32(out, r.u32()+1)
		out = append(append(out, body[r.pos:at]...), 1, valI64)
	} else {
		out = append(out, body[:at]...)
	}
	head := calls // whoever does not call can run on without end in a loop only
	for i, s := range g.segments {
		out = g.count(out, s, gathers, i == 0)
		// A segment of nothing but an end closes what it begins: there is no way around.
		if head && !(s.cost == 0 && s.last == opEnd && s.to == s.from+1) {
			out = g.check(out, gathers)
		}
		out = append(out, body[s.from:s.to]...)
		head = s.last == opLoop
	}
	return out, nil
}

// count writes what stands at the beginning of a segment.
func (g *gasCode) count(out []byte, s segment, gathers, first bool) []byte {
	constant := func() { out = appendS64(append(out, byte(opI64Const)), int64(s.cost)) }
	get := func(op opcode, index uint32) { out = appendU32(append(out, byte(op)), index) }
	add := func() { out = append(out, byte(opI64Add)) }
	leaves := s.calls || s.exits || s.closes
	if s.cost == 0 && (!leaves || !gathers || first) {
		return out
	}
	if !leaves && gathers {
		if first {
			constant()
		} else {
			get(opLocalGet, g.local)
			constant()
			add()
		}
		get(opLocalSet, g.local)
		return out
	}
	gathered := gathers && !first
	get(opGlobalGet, g.used)
	if gathered {
		get(opLocalGet, g.local)
		add()
	}
	if s.cost != 0 {
		constant()
		add()
	}
	get(opGlobalSet, g.used)
	if gathered && !s.closes && s.last != opReturn {
		out = append(out, byte(opI64Const), 0)
		get(opLocalSet, g.local)
	}
	return out
}

// check writes the comparison with the limit.
func (g *gasCode) check(out []byte, gathers bool) []byte {
	used := func() {
		out = appendU32(append(out, byte(opGlobalGet)), g.used)
		if gathers {
			out = appendU32(append(out, byte(opLocalGet)), g.local)
			out = append(out, byte(opI64Add))
		}
	}
	used()
	out = appendU32(append(out, byte(opGlobalGet)), g.limit)
	out = append(out, byte(opI64GtU), byte(opIf), typeEmpty)
	if gathers {
		used()
		out = appendU32(append(out, byte(opGlobalSet)), g.used)
	}
	return append(out, byte(opUnreachable), byte(opEnd))
}
