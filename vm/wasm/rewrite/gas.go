package rewrite

// Gas is counted as ao's loader counts it. A body is cut into segments; a segment ends with an instruction
// behind which control may be somewhere else (a call does not end one). At the beginning of each segment
// stands the sum of the prices of its instructions, plus 91 for the counting itself, unless the sum is 0.
// The loader does the counting by a call of the host, hence the 91: a constant and a call.
//
// Here it is
//
//	used += cost                            at every segment
//	if used > limit { unreachable }         at the first segment of a function and of a loop only
//
// which stops everything that could run on without end, since it either calls or loops. The host tells a
// module that ran out of gas from one that trapped by used > limit, and asks once more when a call returns.
// The loader stops at the first segment above the limit; both have the same result, because an evaluation
// that ran out of gas leaves nothing behind.
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
	used := m.addGlobal(0)
	limit := m.addGlobal(GasLimitDefault)
	g := newGasCode(used, limit)
	if err := m.rewriteBodies(g.body); err != nil {
		return err
	}
	info.GasUsedGlobal = m.addExport("ago:gas_used", KindGlobal, used)
	info.GasLimitGlobal = m.addExport("ago:gas_limit", KindGlobal, limit)
	return nil
}

// gasCode holds the constant parts of the inserted code.
type gasCode struct {
	before, after, check []byte
}

func newGasCode(used, limit uint32) *gasCode {
	g := &gasCode{}
	g.before = append(appendU32([]byte{byte(opGlobalGet)}, used), byte(opI64Const))
	g.after = appendU32([]byte{byte(opI64Add), byte(opGlobalSet)}, used)
	g.check = appendU32([]byte{byte(opGlobalGet)}, used)
	g.check = appendU32(append(g.check, byte(opGlobalGet)), limit)
	g.check = append(g.check, byte(opI64GtU), byte(opIf), typeEmpty, byte(opUnreachable), byte(opEnd))
	return g
}

// body appends the metered form of a function body to out.
func (g *gasCode) body(out []byte, _ int, body []byte) ([]byte, error) {
	_, at, err := splitBody(body)
	if err != nil {
		return nil, err
	}
	out = append(out, body[:at]...)
	c := newCode(body, at)
	in := instr{}
	head := true // the segment is the first of the function or of a loop
	for from := at; ; {
		cost, last, ok := segment(&c, &in)
		if !ok {
			return out, c.finish()
		}
		if cost != 0 {
			out = append(out, g.before...)
			out = appendS64(out, int64(cost))
			out = append(out, g.after...)
		}
		// A segment of nothing but an end closes what it begins: there is no way around.
		if head && (cost != 0 || in.start != from || last != opEnd) {
			out = append(out, g.check...)
		}
		out = append(out, body[from:c.pos]...)
		head = last == opLoop
		from = c.pos
	}
}

// segment walks to the end of the segment that begins where c stands. The cost includes the counting.
func segment(c *code, in *instr) (cost uint64, last opcode, ok bool) {
	for c.next(in) {
		cost += price(in.op)
		if in.op <= 0xff && segmentEnd[in.op] {
			if cost != 0 {
				cost += priceCounting
			}
			return cost, in.op, true
		}
	}
	return 0, 0, false
}
