package rewrite

import "sort"

// remapFunctions gives every use of a function index the index that moved returns for it: calls and
// references in code and constant expressions, exports, the start function, elements, names.
// The lists of imports and functions are the caller's to change.
func (m *module) remapFunctions(moved func(uint32) uint32) error {
	for i, e := range m.exports {
		if e.kind == KindFunc {
			m.exports[i].index = moved(e.index)
		}
	}
	if m.start >= 0 {
		m.start = int64(moved(uint32(m.start)))
	}
	for i, g := range m.globals {
		r := reader{b: g}
		r.valueType()
		r.u8()
		m.globals[i] = r.moveConstant(append([]byte(nil), g[:r.pos]...), moved)
		if r.err != nil {
			return r.err
		}
	}
	var err error
	if m.table, err = moveTables(m.table, moved); err != nil {
		return err
	}
	if m.element, err = moveElements(m.element, moved); err != nil {
		return err
	}
	for i, c := range m.customs {
		if c.name == "name" {
			m.customs[i].data = moveNames(c.data, moved)
		}
	}
	return m.rewriteBodies(func(out []byte, _ int, body []byte) ([]byte, error) {
		_, at, err := splitBody(body)
		if err != nil {
			return nil, err
		}
		c := newCode(body, at)
		out = c.move(append(out, body[:at]...), moved)
		return out, c.finish()
	})
}

// move copies the instructions to out with function indices replaced.
func (c *code) move(out []byte, moved func(uint32) uint32) []byte {
	from := c.pos
	for in := (instr{}); c.next(&in); {
		if in.op == opCall || in.op == opReturnCall || in.op == opRefFunc {
			out = append(out, c.b[from:in.imm]...)
			out = appendU32(out, moved(in.index))
			from = in.end
		}
	}
	return append(out, c.b[from:c.pos]...)
}

// moveConstant copies the constant expression r stands at to out.
func (r *reader) moveConstant(out []byte, moved func(uint32) uint32) []byte {
	c := newCode(r.b, r.pos)
	out = c.move(out, moved)
	r.pos = c.pos
	if r.err == nil {
		r.err = c.err
	}
	return out
}

// moveTables rewrites the initial values of tables.
func moveTables(payload []byte, moved func(uint32) uint32) ([]byte, error) {
	if payload == nil {
		return nil, nil
	}
	r := reader{b: payload}
	n := r.count(3)
	out := appendU32(nil, uint32(n))
	for ; n > 0 && r.err == nil; n-- {
		at := r.pos
		initialised := r.more() && r.b[r.pos] == 0x40
		if initialised {
			r.take(2)
		}
		r.valueType()
		r.limits()
		out = append(out, payload[at:r.pos]...)
		if initialised {
			out = r.moveConstant(out, moved)
		}
	}
	return out, r.err
}

// moveElements rewrites the element section. The three low bits of the kind of a segment mean: passive or
// declarative; explicit table index, or declarative; expressions instead of function indices.
func moveElements(payload []byte, moved func(uint32) uint32) ([]byte, error) {
	if payload == nil {
		return nil, nil
	}
	r := reader{b: payload}
	n := r.count(2)
	out := appendU32(make([]byte, 0, len(payload)+16), uint32(n))
	for ; n > 0 && r.err == nil; n-- {
		kind := r.u32()
		if kind > 7 {
			r.fail("element segment of kind %d", kind)
			break
		}
		active, explicit, expressions := kind&1 == 0, kind&2 != 0, kind&4 != 0
		at := r.pos
		if active {
			if explicit {
				r.u32()
			}
			r.constant() // an offset: numbers only
		}
		if !active || explicit {
			if expressions {
				r.valueType()
			} else {
				r.u8()
			}
		}
		out = append(appendU32(out, kind), payload[at:r.pos]...)
		k := r.count(1)
		out = appendU32(out, uint32(k))
		for ; k > 0 && r.err == nil; k-- {
			if expressions {
				out = r.moveConstant(out, moved)
			} else {
				out = appendU32(out, moved(r.u32()))
			}
		}
	}
	if r.more() {
		r.fail("bytes behind the element segments")
	}
	return out, r.err
}

// moveNames keeps the names of functions, which backtraces show, and drops the rest of the section. A broken
// section is dropped: names have no effect.
func moveNames(data []byte, moved func(uint32) uint32) []byte {
	type name struct {
		index uint32
		text  []byte
	}
	var names []name
	r := reader{b: data}
	for r.more() {
		id := r.u8()
		sub := reader{b: r.take(r.u32())}
		if id != 1 {
			continue
		}
		for n := sub.count(2); n > 0 && sub.err == nil; n-- {
			names = append(names, name{moved(sub.u32()), sub.take(sub.u32())})
		}
		if sub.err != nil {
			return nil
		}
	}
	if r.err != nil || len(names) == 0 {
		return nil
	}
	sort.SliceStable(names, func(i, j int) bool { return names[i].index < names[j].index })
	sub := appendU32(nil, uint32(len(names)))
	for _, n := range names {
		sub = appendBytes(appendU32(sub, n.index), n.text)
	}
	return appendBytes([]byte{1}, sub)
}
