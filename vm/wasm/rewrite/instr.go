package rewrite

// An opcode is the opcode byte; for the prefixed families it is prefix<<16 | number.
type opcode uint32

const (
	opUnreachable        opcode = 0x00
	opBlock              opcode = 0x02
	opLoop               opcode = 0x03
	opIf                 opcode = 0x04
	opElse               opcode = 0x05
	opTry                opcode = 0x06 // legacy exceptions
	opCatch              opcode = 0x07 // legacy exceptions
	opThrow              opcode = 0x08
	opRethrow            opcode = 0x09 // legacy exceptions
	opThrowRef           opcode = 0x0a
	opEnd                opcode = 0x0b
	opBr                 opcode = 0x0c
	opBrIf               opcode = 0x0d
	opBrTable            opcode = 0x0e
	opReturn             opcode = 0x0f
	opCall               opcode = 0x10
	opCallIndirect       opcode = 0x11
	opReturnCall         opcode = 0x12
	opReturnCallIndirect opcode = 0x13
	opCallRef            opcode = 0x14
	opReturnCallRef      opcode = 0x15
	opDelegate           opcode = 0x18 // legacy exceptions
	opCatchAll           opcode = 0x19 // legacy exceptions
	opTryTable           opcode = 0x1f
	opLocalGet           opcode = 0x20
	opLocalSet           opcode = 0x21
	opGlobalGet          opcode = 0x23
	opGlobalSet          opcode = 0x24
	opMemoryGrow         opcode = 0x40
	opI32Const           opcode = 0x41
	opI64Const           opcode = 0x42
	opF32Const           opcode = 0x43
	opF64Const           opcode = 0x44
	opI64Eqz             opcode = 0x50
	opI64GtU             opcode = 0x56
	opI64Add             opcode = 0x7c
	opI64ShrU            opcode = 0x88
	opI32WrapI64         opcode = 0xa7
	opI64ExtendI32U      opcode = 0xad
	opRefNull            opcode = 0xd0
	opRefIsNull          opcode = 0xd1
	opRefFunc            opcode = 0xd2
	opBrOnNull           opcode = 0xd5
	opBrOnNonNull        opcode = 0xd6
)

// Families of immediates.
type immediate byte

const (
	immUnknown immediate = iota
	immNone
	immBlock   // block type
	immIndex   // one index
	immIndex2  // two indices
	immLabels  // list of labels and a default
	immMemory  // alignment, memory index if bit 6 of it is set, offset
	immI32     // signed 32
	immI64     // signed 64
	immFour    // 4 bytes
	immEight   // 8 bytes
	immSixteen // 16 bytes
	immLane    // 1 byte
	immTypes   // list of value types
	immHeap    // heap type
	immCatches // block type and list of catch clauses
	immMemoryLane
)

var immediates = func() (t [256]immediate) {
	set := func(k immediate, from, to int) {
		for i := from; i <= to; i++ {
			t[i] = k
		}
	}
	set(immNone, 0x00, 0x01)
	set(immBlock, 0x02, 0x04)
	t[0x05] = immNone
	t[0x06] = immBlock
	set(immIndex, 0x07, 0x09)
	set(immNone, 0x0a, 0x0b)
	set(immIndex, 0x0c, 0x0d)
	t[0x0e] = immLabels
	t[0x0f] = immNone
	t[0x10], t[0x12] = immIndex, immIndex
	t[0x11], t[0x13] = immIndex2, immIndex2
	t[0x14], t[0x15] = immIndex, immIndex
	t[0x18] = immIndex
	set(immNone, 0x19, 0x1b)
	t[0x1c] = immTypes
	t[0x1f] = immCatches
	set(immIndex, 0x20, 0x26)
	set(immMemory, 0x28, 0x3e)
	set(immIndex, 0x3f, 0x40)
	t[0x41], t[0x42], t[0x43], t[0x44] = immI32, immI64, immFour, immEight
	set(immNone, 0x45, 0xc4)
	t[0xd0] = immHeap
	t[0xd1] = immNone
	t[0xd2] = immIndex
	set(immNone, 0xd3, 0xd4)
	set(immIndex, 0xd5, 0xd6)
	return t
}()

// prefixed returns the immediates of an instruction of the numbered families: bulk memory and saturating
// conversions (0xFC), vectors (0xFD), atomics (0xFE). The garbage collection family (0xFB) is unknown.
func prefixed(prefix byte, n uint32) immediate {
	switch prefix {
	case 0xfc:
		switch {
		case n <= 7 || n >= 19 && n <= 22:
			return immNone
		case n == 8 || n == 10 || n == 12 || n == 14:
			return immIndex2
		case n <= 17:
			return immIndex
		}
	case 0xfd:
		switch {
		case n <= 11 || n == 92 || n == 93:
			return immMemory
		case n <= 13:
			return immSixteen
		case n >= 21 && n <= 34:
			return immLane
		case n >= 84 && n <= 91:
			return immMemoryLane
		case n <= 0x113:
			return immNone
		}
	case 0xfe:
		switch {
		case n <= 2 || n >= 0x10 && n <= 0x4e:
			return immMemory
		case n == 3:
			return immLane
		}
	}
	return immUnknown
}

// An instr is one decoded instruction. Its bytes are code.b[start:end].
type instr struct {
	op         opcode
	start, end int
	imm        int    // where the immediates begin
	index      uint32 // first index immediate
	index2     uint32 // second index immediate
}

// A code walks the instructions of one expression: a function body without its locals, or a constant
// expression. It knows the nesting, so it ends at the end that closes the expression.
type code struct {
	reader
	depth int // open blocks, the expression itself included
}

func newCode(b []byte, pos int) code { return code{reader: reader{b: b, pos: pos}, depth: 1} }

// next decodes one instruction. It returns false behind the closing end and on an error.
func (c *code) next(in *instr) bool {
	if c.depth == 0 || c.err != nil {
		return false
	}
	in.start = c.pos
	b := c.u8()
	in.op = opcode(b)
	kind := immediates[b]
	if b >= 0xfc && b <= 0xfe {
		n := c.u32()
		in.op = opcode(b)<<16 | opcode(n)
		kind = prefixed(b, n)
		if n > 0xffff {
			kind = immUnknown
		}
	}
	in.imm = c.pos
	switch kind {
	case immNone:
	case immIndex:
		in.index = c.u32()
	case immIndex2:
		in.index = c.u32()
		in.index2 = c.u32()
	case immBlock, immHeap:
		c.blockType()
	case immMemory:
		c.memoryArgument()
	case immI32:
		c.signed(32)
	case immI64:
		c.signed(64)
	case immLabels:
		for n := c.count(1); n > 0 && c.err == nil; n-- {
			c.u32()
		}
		c.u32()
	case immFour:
		c.take(4)
	case immEight:
		c.take(8)
	case immSixteen:
		c.take(16)
	case immLane:
		c.u8()
	case immMemoryLane:
		c.memoryArgument()
		c.u8()
	case immTypes:
		for n := c.count(1); n > 0 && c.err == nil; n-- {
			c.valueType()
		}
	case immCatches:
		c.blockType()
		for n := c.count(2); n > 0 && c.err == nil; n-- {
			switch kind := c.u8(); kind {
			case 0, 1:
				c.u32()
			case 2, 3:
			default:
				c.fail("unknown catch clause %d", kind)
			}
			c.u32()
		}
	default:
		c.pos = in.start
		c.fail("unknown instruction 0x%02x", uint32(in.op))
	}
	if c.err != nil {
		return false
	}
	in.end = c.pos
	switch in.op {
	case opBlock, opLoop, opIf, opTry, opTryTable:
		c.depth++
	case opEnd, opDelegate:
		c.depth--
	}
	return true
}

// blockType skips a block type: a type index, or a value type or the empty type as a negative number.
// A heap type has the same form.
func (c *code) blockType() {
	if c.pos < len(c.b) && (c.b[c.pos] == 0x63 || c.b[c.pos] == 0x64) {
		c.valueType()
		return
	}
	c.signed(33)
}

func (c *code) memoryArgument() {
	if c.u32()&0x40 != 0 {
		c.u32()
	}
	c.u64()
}

// finish reports an error of the walk, or that bytes follow the closing end.
func (c *code) finish() error {
	if c.err == nil && (c.depth != 0 || c.pos != len(c.b)) {
		c.fail("the function does not close where its bytes end")
	}
	return c.err
}
