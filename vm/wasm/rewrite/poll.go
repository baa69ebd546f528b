package rewrite

import "fmt"

// A running module reads from a page of its own, the gate, wherever it could run on without end: at the beginning of a
// function that calls, and of each loop. Whoever wants to stop it makes the page unreadable, and the next reading traps.
// That is one load without a branch, a fraction of what comparing a counter there costs.
//
// The compiler must keep each reading. It may take a value that was read before for a later reading of the same address,
// across any number of rounds of a loop in which nothing is written; so each place in a function has its own address.

const (
	// GateSize is the size of the gate in bytes.
	GateSize  = 1 << 16
	opDrop    = 0x1a
	opLoad8U  = 0x2d
	memoryBit = 0x40 // in the alignment of a memory argument: a memory index follows
)

// poll adds the gate and its readings.
func poll(m *module, info *Info) error {
	gate := m.addMemory(1, 1)
	err := m.rewriteBodies(func(out []byte, _ int, body []byte) ([]byte, error) {
		_, at, err := splitBody(body)
		if err != nil {
			return nil, err
		}
		return pollBody(out, body, at, gate)
	})
	if err != nil {
		return err
	}
	info.Gate = m.addExport("ago:gate", KindMemory, gate)
	return nil
}

func pollBody(out, body []byte, at int, gate uint32) ([]byte, error) {
	read := func(out []byte, place uint32) []byte {
		out = append(out, byte(opI32Const), 0, opLoad8U, memoryBit)
		return append(appendU32(appendU32(out, gate), place), opDrop)
	}
	calls := false
	c, in := newCode(body, at), instr{}
	for c.next(&in) {
		switch in.op {
		case opCall, opCallIndirect, opCallRef, opReturnCall, opReturnCallIndirect, opReturnCallRef:
			calls = true
		}
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	out = append(out, body[:at]...)
	places := uint32(0)
	if calls { // whoever calls nothing can run on without end in a loop only
		out, places = read(out, 0), 1
	}
	from := at
	for c = newCode(body, at); c.next(&in); {
		if in.op != opLoop {
			continue
		}
		if places == GateSize {
			return nil, fmt.Errorf("%w: a function has more than %d loops", ErrMalformed, GateSize-1)
		}
		out = read(append(out, body[from:in.end]...), places)
		from, places = in.end, places+1
	}
	return append(out, body[from:]...), nil
}

// exportStart takes the start function out of the module's instantiation and exports it instead: what runs has to be
// stoppable, and the gate is not known before the module is instantiated.
func exportStart(m *module, info *Info) {
	if m.start >= 0 {
		info.Start = m.addExport("ago:start", KindFunc, uint32(m.start))
		m.start, m.present[secStart] = -1, false
	}
}
