package rewrite

import "fmt"

// Compilers emit exceptions in a form that was given up before it became the standard, and which the engine
// does not run. A try of the old form becomes blocks around a try_table, one per handler, the first innermost:
//
//	try T              block T $out
//	    body             block $h1
//	catch $a               block $h0 (results: parameters of $a)
//	    first                try_table T (catch $a $h0) (catch_all $h1)
//	catch_all                    body
//	    second               end
//	end                      br $out
//	                       end
//	                       first
//	                       br $out
//	                     end
//	                     second
//	                   end
//
// rethrow needs the exception itself: the handler it is in is entered by catch_ref and begins by storing the
// reference in a local, one per depth of nesting.
//
// Where that is possible, exceptions are pooled: see poolExceptions.
//
// delegate hands an exception to the handlers of an outer try as if the body had been in it directly, past
// all handlers between. Such an outer try gets a block around its body to branch to, behind which it throws:
//
//	try_table T (its handlers)          try_table T (catch_all_ref $delegated)
//	    block $delegated                    body
//	        body                        end
//	        br 1
//	    end
//	    throw_ref
//	end

// A try is what has to be known of one before its body is written.
type try struct {
	clauses   []clause
	delegates bool
	target    *try // of delegate
	delegated bool // is the target of a delegate
	depth     int  // number of tries around it
	block     int  // position of the block for delegated exceptions
}

type clause struct {
	tag      int64 // -1 is catch_all
	rethrown bool
}

// A scope is an open block of the old code.
type scope struct {
	try     *try
	inCatch bool
	clause  int
	label   int  // position of the block in the new code that a branch to it leaves
	accepts *try // the innermost try, here or around, that takes what is delegated to this block
}

func translateLegacy(m *module) error {
	pool, err := poolExceptions(m)
	if err != nil {
		return err
	}
	err = m.rewriteBodies(func(out []byte, i int, body []byte) ([]byte, error) {
		locals, at, err := splitBody(body)
		if err != nil {
			return nil, err
		}
		s, err := surveyTries(body, at)
		if err != nil {
			return nil, err
		}
		if len(s.tries) == 0 && (pool == nil || !s.throws) {
			return append(out, body...), nil
		}
		t := m.types[m.funcs[i]]
		firstLocal := uint64(t.paramCount) + locals
		if s.locals > 0 {
			r := reader{b: body}
			out = appendU32(out, r.u32()+1)
			out = append(out, body[r.pos:at]...)
			out = append(appendU32(out, uint32(s.locals)), valExnref)
		} else {
			out = append(out, body[:at]...)
		}
		w := legacyWriter{m: m, code: newCode(body, at), survey: s, pool: pool, out: out, firstLocal: uint32(firstLocal)}
		return w.write()
	})
	for _, p := range pool {
		m.bodies = append(m.bodies, p.body)
	}
	return err
}

// survey is the result of the first walk over a body.
type survey struct {
	tries    []*try // in the order of their beginnings
	function *try   // stands for the function as the target of a delegate
	locals   int
	throws   bool
	keeps    bool // has instructions that keep an exception
}

// surveyTries collects the tries of a body: what follows the body of a try decides what comes before it.
func surveyTries(body []byte, at int) (*survey, error) {
	s := &survey{function: &try{}}
	scopes := []scope{{try: s.function, accepts: s.function}}
	depth := 0
	c := newCode(body, at)
	for in := (instr{}); c.next(&in); {
		switch in.op {
		case opThrow:
			s.throws = true
		case opThrowRef:
			s.keeps = true
		case opBlock, opLoop, opIf, opTryTable:
			s.keeps = s.keeps || in.op == opTryTable
			scopes = append(scopes, scope{accepts: scopes[len(scopes)-1].accepts})
		case opTry:
			t := &try{depth: depth}
			depth++
			s.tries = append(s.tries, t)
			scopes = append(scopes, scope{try: t, accepts: t})
		case opCatch, opCatchAll:
			top := &scopes[len(scopes)-1]
			if top.try == nil || top.try == s.function {
				c.fail("catch without try")
				break
			}
			tag := int64(in.index)
			if in.op == opCatchAll {
				tag = -1
			}
			if n := len(top.try.clauses); n > 0 && top.try.clauses[n-1].tag < 0 {
				c.fail("catch behind catch_all")
			}
			top.accepts = scopes[len(scopes)-2].accepts
			top.inCatch, top.clause = true, len(top.try.clauses)
			top.try.clauses = append(top.try.clauses, clause{tag: tag})
		case opRethrow:
			i := len(scopes) - 1 - int(in.index)
			if i < 0 || scopes[i].try == nil || !scopes[i].inCatch {
				c.fail("rethrow outside of a catch")
				break
			}
			s.keeps = true
			t := scopes[i].try
			t.clauses[scopes[i].clause].rethrown = true
			s.locals = max(s.locals, t.depth+1)
		case opDelegate:
			top := scopes[len(scopes)-1]
			if top.try == nil || top.try == s.function || top.inCatch {
				c.fail("delegate without try")
				break
			}
			scopes = scopes[:len(scopes)-1]
			depth--
			i := len(scopes) - 1 - int(in.index)
			if i < 0 {
				c.fail("delegate to no block")
				break
			}
			top.try.delegates, top.try.target = true, scopes[i].accepts
			top.try.target.delegated = true
		case opEnd:
			if t := scopes[len(scopes)-1].try; t != nil && t != s.function {
				depth--
			}
			scopes = scopes[:len(scopes)-1]
		}
	}
	return s, c.finish()
}

// A legacyWriter writes a body in the new form.
type legacyWriter struct {
	m *module
	code
	*survey
	pool       []pooled // per tag, nil if exceptions carry their values
	out        []byte
	firstLocal uint32 // of those for rethrow
	scopes     []scope
	open       int // blocks open in the new code, the function included
	next       int // position in tries
}

func (w *legacyWriter) op(op opcode) { w.out = append(w.out, byte(op)) }

// to writes the label of the block at a position.
func (w *legacyWriter) to(position int) { w.out = appendU32(w.out, uint32(w.open-1-position)) }

// branch writes a label of the old code.
func (w *legacyWriter) branch(label uint32) {
	i := len(w.scopes) - 1 - int(label)
	if i < 0 {
		w.fail("branch to no block")
		return
	}
	w.to(w.scopes[i].label)
}

// begin opens a block of the new code and returns its position.
func (w *legacyWriter) begin(op opcode, blockType []byte) int {
	w.op(op)
	w.out = append(w.out, blockType...)
	w.open++
	return w.open - 1
}

func (w *legacyWriter) end() {
	w.op(opEnd)
	w.open--
}

func (w *legacyWriter) write() ([]byte, error) {
	w.open = 1
	w.scopes = append(w.scopes, scope{try: w.function})
	if w.function.delegated {
		w.function.block = w.begin(opBlock, []byte{valExnref})
	}
	for in := (instr{}); w.code.next(&in); {
		switch in.op {
		case opBlock, opLoop, opIf:
			w.scopes = append(w.scopes, scope{label: w.begin(in.op, w.b[in.imm:in.end])})
		case opTryTable:
			w.tryTable(in)
		case opTry:
			w.try(w.b[in.imm:in.end])
		case opCatch, opCatchAll:
			w.handler()
		case opDelegate:
			w.endBody(w.scopes[len(w.scopes)-1].try)
			w.end()
			w.scopes = w.scopes[:len(w.scopes)-1]
		case opRethrow:
			t := w.scopes[len(w.scopes)-1-int(in.index)].try
			w.op(opLocalGet)
			w.out = appendU32(w.out, w.firstLocal+uint32(t.depth))
			w.op(opThrowRef)
		case opEnd:
			top := w.scopes[len(w.scopes)-1]
			w.scopes = w.scopes[:len(w.scopes)-1]
			if top.try == w.function {
				if top.try.delegated {
					w.op(opReturn)
					w.end()
					w.op(opThrowRef)
				}
			} else if top.try != nil && !top.inCatch {
				w.endBody(top.try)
			}
			w.end()
		case opThrow:
			w.throw(in)
		case opBr, opBrIf, opBrOnNull, opBrOnNonNull:
			w.op(in.op)
			w.branch(in.index)
		case opBrTable:
			w.op(in.op)
			r := reader{b: w.b, pos: in.imm}
			n := r.u32()
			w.out = appendU32(w.out, n)
			for i := uint32(0); i <= n; i++ {
				w.branch(r.u32())
			}
		default:
			w.out = append(w.out, w.b[in.start:in.end]...)
		}
	}
	return w.out, w.finish()
}

// tryTable copies one of the new form, of which only the labels change.
func (w *legacyWriter) tryTable(in instr) {
	c := newCode(w.b, in.imm)
	c.blockType()
	w.op(in.op)
	w.out = append(w.out, w.b[in.imm:c.pos]...)
	n := c.u32()
	w.out = appendU32(w.out, n)
	for ; n > 0; n-- {
		kind := c.u8()
		w.out = append(w.out, kind)
		if kind < 2 {
			w.out = appendU32(w.out, c.u32())
		}
		w.branch(c.u32())
	}
	w.open++
	w.scopes = append(w.scopes, scope{label: w.open - 1})
}

// try opens what stands for a try up to its body.
func (w *legacyWriter) try(blockType []byte) {
	t := w.tries[w.next]
	w.next++
	params, count := w.params(blockType)
	s := scope{try: t}
	switch {
	case t.delegates:
		// The label of the clause counts from outside of the try_table.
		w.op(opTryTable)
		w.out = append(append(w.out, blockType...), 1, 3)
		w.to(t.target.block)
		w.open++
		s.label = w.open - 1
	case len(t.clauses) == 0:
		s.label = w.begin(opBlock, blockType)
	default:
		s.label = w.begin(opBlock, blockType)
		for i := len(t.clauses) - 1; i >= 0; i-- {
			results, n := w.results(t.clauses[i])
			w.begin(opBlock, w.blockTypeOf(params, count, results, n))
		}
		w.begin(opTryTable, blockType)
		w.out = appendU32(w.out, uint32(len(t.clauses)))
		for i, c := range t.clauses {
			kind := byte(0) // catch, catch_ref, catch_all, catch_all_ref
			if c.tag < 0 {
				kind = 2
			}
			if c.rethrown {
				kind++
			}
			w.out = append(w.out, kind)
			if c.tag >= 0 {
				w.out = appendU32(w.out, uint32(c.tag))
			}
			w.out = appendU32(w.out, uint32(i))
		}
	}
	if t.delegated {
		t.block = w.begin(opBlock, w.blockTypeOf(params, count, []byte{valExnref}, 1))
	}
	w.scopes = append(w.scopes, s)
}

// endBody closes the block for delegated exceptions, behind which they are thrown.
func (w *legacyWriter) endBody(t *try) {
	if t.delegated {
		w.op(opBr)
		w.to(t.block - 1) // the try_table, or the block of a try without handlers
		w.end()
		w.op(opThrowRef)
	}
}

// handler ends a body or the handler before, and begins the next one.
func (w *legacyWriter) handler() {
	top := &w.scopes[len(w.scopes)-1]
	if !top.inCatch {
		top.inCatch = true
		w.endBody(top.try)
		w.end() // the try_table
	} else {
		top.clause++
	}
	w.op(opBr)
	w.to(top.label)
	w.end()
	c := top.try.clauses[top.clause]
	if c.rethrown {
		w.op(opLocalSet)
		w.out = appendU32(w.out, w.firstLocal+uint32(top.try.depth))
	}
	if w.pool != nil && c.tag >= 0 {
		for _, g := range w.pool[c.tag].values { // results has looked at the tag
			w.op(opGlobalGet)
			w.out = appendU32(w.out, g)
		}
	}
}

// throw copies a throw, or stores the values and throws the one exception of the tag.
func (w *legacyWriter) throw(in instr) {
	if w.pool == nil {
		w.out = append(w.out, w.b[in.start:in.end]...)
		return
	}
	if int64(in.index) >= int64(len(w.pool)) {
		w.fail("unknown tag %d", in.index)
		return
	}
	p := w.pool[in.index]
	for i := len(p.values) - 1; i >= 0; i-- {
		w.op(opGlobalSet)
		w.out = appendU32(w.out, p.values[i])
	}
	w.op(opCall)
	w.out = appendU32(w.out, p.throw)
	w.op(opUnreachable)
}

// params returns the parameters of a block type.
func (w *legacyWriter) params(blockType []byte) ([]byte, int) {
	r := reader{b: blockType}
	i := r.signed(33)
	if i < 0 {
		return nil, 0
	}
	if i >= int64(len(w.m.types)) {
		w.fail("block of unknown type %d", i)
		return nil, 0
	}
	t := w.m.types[i]
	return t.params, t.paramCount
}

// results returns what a handler begins with: the values of the exception and, for rethrow, the exception.
func (w *legacyWriter) results(c clause) (types []byte, n int) {
	if c.tag >= 0 {
		if c.tag >= int64(len(w.m.tags)) || int(w.m.tags[c.tag]) >= len(w.m.types) {
			w.fail("unknown tag %d", c.tag)
			return nil, 0
		}
		t := w.m.types[w.m.tags[c.tag]]
		types, n = t.params, t.paramCount
	}
	if c.rethrown {
		types, n = append(types[:len(types):len(types)], valExnref), n+1
	}
	return types, n
}

// blockTypeOf encodes a block type in its short form if it has one.
func (w *legacyWriter) blockTypeOf(params []byte, paramCount int, results []byte, resultCount int) []byte {
	switch {
	case paramCount == 0 && resultCount == 0:
		return []byte{typeEmpty}
	case paramCount == 0 && resultCount == 1:
		return results
	}
	t := funcType{params: params, paramCount: paramCount, results: results, resultCount: resultCount}
	return appendS64(nil, int64(w.m.typeIndex(t)))
}

// pooled is what a tag has when its exceptions are one object.
type pooled struct {
	values []uint32 // the global of each value
	throw  uint32   // the function that throws
	body   []byte   // of that function
}

// poolExceptions changes the tags so that each has one exception object, which is made at the first throw and
// carries nothing; the values travel in globals. The engine never frees an exception object before the
// instance ends, so a process that catches errors would grow for ever. Nothing runs between a throw and the
// beginning of a handler, so the values are there. It returns nil if that cannot be seen to be the same: if
// exceptions are kept to be thrown again, or the host knows the tags.
func poolExceptions(m *module) ([]pooled, error) {
	if len(m.tags) == 0 || m.importedTags > 0 {
		return nil, nil
	}
	for _, e := range m.exports {
		if e.kind == KindTag {
			return nil, nil
		}
	}
	for _, t := range m.tags {
		if int(t) >= len(m.types) || !plain(m.types[t]) {
			return nil, nil
		}
	}
	legacy := false
	for i, body := range m.bodies {
		_, at, err := splitBody(body)
		if err != nil {
			return nil, err
		}
		s, err := surveyTries(body, at)
		if err != nil {
			return nil, fmt.Errorf("function %d: %w", m.importedFuncs+i, err)
		}
		if s.keeps {
			return nil, nil
		}
		legacy = legacy || len(s.tries) > 0
	}
	if !legacy || len(m.tags) > poolMax {
		return nil, nil
	}
	pool := make([]pooled, len(m.tags))
	empty := m.typeIndex(funcType{})
	for i, t := range m.tags {
		for _, v := range m.types[t].params {
			init := append(appendNumber([]byte{v, 1}, v, 0), byte(opEnd))
			pool[i].values = append(pool[i].values, m.addGlobal(init))
		}
		m.tags[i] = empty
		pool[i].throw = uint32(m.importedFuncs + len(m.funcs))
		m.funcs = append(m.funcs, empty)
		pool[i].body = throwBody(uint32(i), m.addExceptionGlobal())
	}
	return pool, nil
}

// poolMax bounds the tags, hence the globals made for their values. Compilers make one or two.
const poolMax = 100
