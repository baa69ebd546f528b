package rewrite

import (
	"bytes"
	"fmt"
	"strings"
)

// Section ids.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secCode      = 10
	secData      = 11
	secDataCount = 12
	secTag       = 13
)

// sectionOrder is the order sections must have in a module; ids are not in that order.
var sectionOrder = [...]byte{secType, secImport, secFunction, secTable, secMemory, secTag, secGlobal, secExport,
	secStart, secElement, secDataCount, secCode, secData}

// place of a section in the order, -1 for the beginning of the module.
func place(id byte) int { return bytes.IndexByte(sectionOrder[:], id) }

// Kinds of imports and exports.
const (
	KindFunc   = 0
	KindTable  = 1
	KindMemory = 2
	KindGlobal = 3
	KindTag    = 4
)

const (
	valI32    = 0x7f
	valI64    = 0x7e
	valF32    = 0x7d
	valExnref = 0x69
	typeEmpty = 0x40 // block type without parameters and results
)

type funcType struct {
	params, results         []byte // encoded value types
	paramCount, resultCount int
}

// key is the same for equal types only.
func (t funcType) key() string { return string(t.params) + ">" + string(t.results) }

type importEntry struct {
	module, name string
	kind         byte
	typ          uint32 // function and tag imports: type index
	desc         []byte // the encoded description behind the kind byte
}

type export struct {
	name  string
	kind  byte
	index uint32
}

type limits struct {
	min, max        uint64
	hasMax, index64 bool
}

// A module is a decoded one: what the rewrites change is taken apart, the rest stays as bytes.
// Slices point into the bytes it was read from; those are never written to.
type module struct {
	customs  []custom
	types    []funcType
	imports  []importEntry
	funcs    []uint32 // type index per defined function
	table    []byte   // sections kept as their payload; nil if absent
	memory   []byte
	element  []byte
	data     []byte
	count    []byte   // data count
	globals  [][]byte // encoded type and initial value of each defined global
	exports  []export
	start    int64 // function index, -1 if there is none
	bodies   [][]byte
	present  [secTag + 1]bool
	tables   []limits // imported ones first
	memories []limits // imported ones first
	mutable  []bool   // per global, imported ones first
	tags     []uint32 // type index per tag, imported ones first

	importedFuncs int
	importedTags  int

	typeByForm   map[string]uint32 // see typeIndex
	exportByName map[string]int    // see exported
}

type custom struct {
	after byte // id of the section before it, 0 at the start
	name  string
	data  []byte
}

const header = "\x00asm\x01\x00\x00\x00"

func decode(b []byte) (*module, error) {
	r := reader{b: b}
	if string(r.take(uint32(len(header)))) != header {
		return nil, fmt.Errorf("%w: it does not begin with the magic number and version 1 of a core module", ErrMalformed)
	}
	m := &module{start: -1}
	var last byte
	for r.more() {
		id := r.u8()
		size := r.u32()
		at := r.pos
		payload := r.take(size)
		if r.err != nil {
			return nil, r.err
		}
		s := reader{b: b[:at+len(payload)], pos: at} // positions in errors are those of the file
		if id == secCustom {
			name := s.name()
			if s.err != nil {
				return nil, s.err
			}
			m.customs = append(m.customs, custom{last, name, b[s.pos : at+len(payload)]})
			continue
		}
		if id > secTag {
			r.fail("unknown section %d", id)
			return nil, r.err
		}
		if m.present[id] {
			r.fail("second section %d", id)
			return nil, r.err
		}
		if place(id) < place(last) {
			r.fail("section %d behind section %d", id, last)
			return nil, r.err
		}
		m.present[id] = true
		last = id
		if err := m.decodeSection(id, &s, payload); err != nil {
			return nil, err
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(m.bodies) != len(m.funcs) {
		return nil, fmt.Errorf("%w: %d functions declared, %d bodies", ErrMalformed, len(m.funcs), len(m.bodies))
	}
	for _, t := range m.funcs {
		if int(t) >= len(m.types) {
			return nil, fmt.Errorf("%w: function of unknown type %d", ErrMalformed, t)
		}
	}
	for _, im := range m.imports {
		if (im.kind == KindFunc || im.kind == KindTag) && int(im.typ) >= len(m.types) {
			return nil, fmt.Errorf("%w: import %s.%s of unknown type %d", ErrMalformed, im.module, im.name, im.typ)
		}
	}
	return m, nil
}

// decodeSection decodes the section s stands at the beginning of; payload are the same bytes.
func (m *module) decodeSection(id byte, s *reader, payload []byte) error {
	switch id {
	case secTable:
		m.table = payload
		m.decodeTables(s)
	case secMemory:
		m.memory = payload
		for n := s.count(2); n > 0 && s.err == nil; n-- {
			m.memories = append(m.memories, s.limits())
		}
	case secTag:
		for n := s.count(2); n > 0 && s.err == nil; n-- {
			s.u8()
			m.tags = append(m.tags, s.u32())
		}
	case secElement:
		m.element = payload
		return nil // decoded only if function indices move
	case secData:
		m.data = payload
		return nil
	case secDataCount:
		m.count = payload
		return nil
	case secType:
		m.decodeTypes(s)
	case secImport:
		m.decodeImports(s)
	case secFunction:
		for n := s.count(1); n > 0 && s.err == nil; n-- {
			m.funcs = append(m.funcs, s.u32())
		}
	case secGlobal:
		for n := s.count(4); n > 0 && s.err == nil; n-- {
			at := s.pos
			m.globalType(s)
			s.constant()
			if s.err == nil {
				m.globals = append(m.globals, s.b[at:s.pos:s.pos])
			}
		}
	case secExport:
		for n := s.count(3); n > 0 && s.err == nil; n-- {
			e := export{name: s.name()}
			e.kind = s.u8()
			e.index = s.u32()
			m.exports = append(m.exports, e)
		}
	case secStart:
		m.start = int64(s.u32())
	case secCode:
		for n := s.count(3); n > 0 && s.err == nil; n-- {
			m.bodies = append(m.bodies, s.take(s.u32()))
		}
	}
	if s.more() {
		s.fail("section %d is longer than its contents", id)
	}
	return s.err
}

func (m *module) decodeTypes(s *reader) {
	list := func() (b []byte, n int) {
		if n = s.count(1); n > typesMax {
			s.fail("function type of %d values, at most %d are accepted", n, typesMax)
			return nil, 0
		}
		at := s.pos
		for i := 0; i < n && s.err == nil; i++ {
			s.valueType()
		}
		if s.err != nil {
			return nil, 0
		}
		return s.b[at:s.pos:s.pos], n
	}
	for n := s.count(3); n > 0 && s.err == nil; n-- {
		if form := s.u8(); form != 0x60 && s.err == nil {
			s.fail("type form 0x%02x (garbage collection types are not supported)", form)
		}
		var t funcType
		t.params, t.paramCount = list()
		t.results, t.resultCount = list()
		m.types = append(m.types, t)
	}
}

func (m *module) decodeImports(s *reader) {
	for n := s.count(4); n > 0 && s.err == nil; n-- {
		im := importEntry{module: s.name(), name: s.name()}
		im.kind = s.u8()
		at := s.pos
		switch im.kind {
		case KindFunc:
			im.typ = s.u32()
			m.importedFuncs++
		case KindTable:
			s.valueType()
			m.tables = append(m.tables, s.limits())
		case KindMemory:
			m.memories = append(m.memories, s.limits())
		case KindGlobal:
			m.globalType(s)
		case KindTag:
			s.u8()
			im.typ = s.u32()
			m.tags = append(m.tags, im.typ)
			m.importedTags++
		default:
			s.fail("unknown kind of import %d", im.kind)
		}
		if s.err != nil {
			return
		}
		im.desc = s.b[at:s.pos:s.pos]
		m.imports = append(m.imports, im)
	}
}

func (m *module) decodeTables(s *reader) {
	for n := s.count(3); n > 0 && s.err == nil; n-- {
		initialised := s.pos+1 < len(s.b) && s.b[s.pos] == 0x40
		if initialised {
			s.take(2)
		}
		s.valueType()
		m.tables = append(m.tables, s.limits())
		if initialised {
			s.constant()
		}
	}
}

func (m *module) globalType(s *reader) {
	s.valueType()
	mut := s.u8()
	if mut > 1 {
		s.fail("mutability %d", mut)
	}
	m.mutable = append(m.mutable, mut == 1)
}

// limits of a table or memory. Flags: 1 has a maximum, 2 shared, 4 indices of 64 bits, 8 custom page size.
func (r *reader) limits() (l limits) {
	flags := r.u8()
	if flags > 15 {
		r.fail("limits flags %d", flags)
	}
	l.min = r.u64()
	if l.hasMax = flags&1 != 0; l.hasMax {
		l.max = r.u64()
	}
	l.index64 = flags&4 != 0
	if flags&8 != 0 {
		r.u32()
	}
	return l
}

// constant skips a constant expression.
func (r *reader) constant() {
	c := newCode(r.b, r.pos)
	for in := (instr{}); c.next(&in); {
	}
	r.pos = c.pos
	if r.err == nil && c.err != nil {
		r.err = c.err
	}
}

// splitBody separates the declarations of locals from the instructions.
func splitBody(body []byte) (locals uint64, at int, err error) {
	r := reader{b: body}
	for n := r.count(2); n > 0 && r.err == nil; n-- {
		locals += uint64(r.u32())
		r.valueType()
	}
	if r.err == nil && locals > localsMax {
		r.fail("%d locals in a function, at most %d are accepted", locals, localsMax)
	}
	return locals, r.pos, r.err
}

// typesMax is the bound the JavaScript embedding sets for the number of parameters, and of results.
const typesMax = 1000

// localsMax is the bound the JavaScript embedding sets for the number of locals of a function.
const localsMax = 50_000

// rewriteBodies replaces every function body by what f appends to out for it; index counts defined functions.
func (m *module) rewriteBodies(f func(out []byte, index int, body []byte) ([]byte, error)) error {
	var scratch []byte
	total := 0
	for i, body := range m.bodies {
		out, err := f(scratch[:0], i, body)
		if err != nil {
			return fmt.Errorf("function %d: %w", m.importedFuncs+i, err)
		}
		if total += len(out); total > codeMax {
			return fmt.Errorf("%w: more than %d bytes of rewritten code", ErrMalformed, codeMax)
		}
		m.bodies[i] = bytes.Clone(out)
		scratch = out
	}
	return nil
}

// codeMax bounds the code a rewrite makes, in bytes: gas can make a body twenty
// times as large. The largest published module has 3 MB of code.
const codeMax = 256 << 20

func (m *module) globalCount() uint32 { return uint32(len(m.mutable)) }

// addGlobal appends a mutable global and returns its index; b is its type and initial value.
func (m *module) addGlobal(b []byte) uint32 {
	m.globals = append(m.globals, b)
	m.mutable = append(m.mutable, true)
	return m.globalCount() - 1
}

// addMemory adds a memory with 32-bit addresses and the given limits in pages.
func (m *module) addMemory(low, high uint32) uint32 {
	r := reader{b: m.memory}
	n := uint32(0)
	if len(m.memory) > 0 {
		n = r.u32()
	}
	payload := append(appendU32(nil, n+1), m.memory[r.pos:]...)
	m.memory = appendU32(appendU32(append(payload, 1), low), high)
	m.present[secMemory] = true
	m.memories = append(m.memories, limits{min: uint64(low), max: uint64(high), hasMax: true})
	return uint32(len(m.memories) - 1)
}

// addCounter appends a mutable i64 global.
func (m *module) addCounter(initial int64) uint32 {
	return m.addGlobal(append(appendS64([]byte{valI64, 1, byte(opI64Const)}, initial), byte(opEnd)))
}

// addExceptionGlobal appends a mutable global for a reference to an exception, null at first.
func (m *module) addExceptionGlobal() uint32 {
	return m.addGlobal([]byte{valExnref, 1, byte(opRefNull), valExnref, byte(opEnd)})
}

// typeIndex returns the index of a function type, which is appended if the module has none equal to it.
func (m *module) typeIndex(t funcType) uint32 {
	if m.typeByForm == nil {
		m.typeByForm = make(map[string]uint32, len(m.types))
		for i := len(m.types) - 1; i >= 0; i-- { // the first of equal ones stays
			m.typeByForm[m.types[i].key()] = uint32(i)
		}
	}
	if i, ok := m.typeByForm[t.key()]; ok {
		return i
	}
	i := uint32(len(m.types))
	m.typeByForm[t.key()] = i
	m.types = append(m.types, t)
	return i
}

// funcType of a function by its index in the function index space.
func (m *module) funcType(index uint32) (funcType, bool) {
	if int64(index) >= int64(m.importedFuncs) {
		i := int64(index) - int64(m.importedFuncs)
		if i >= int64(len(m.funcs)) {
			return funcType{}, false
		}
		return m.types[m.funcs[i]], true
	}
	for _, im := range m.imports {
		if im.kind != KindFunc {
			continue
		}
		if index == 0 {
			return m.types[im.typ], true
		}
		index--
	}
	return funcType{}, false
}

func (m *module) exported(name string) (export, bool) {
	if m.exportByName == nil {
		m.exportByName = make(map[string]int, len(m.exports))
		for i, e := range m.exports {
			m.exportByName[e.name] = i
		}
	}
	i, ok := m.exportByName[name]
	if !ok {
		return export{}, false
	}
	return m.exports[i], true
}

// addExport exports under a name, or under that name with primes if the module already uses it.
func (m *module) addExport(name string, kind byte, index uint32) string {
	for {
		if _, taken := m.exported(name); !taken {
			m.exportByName[name] = len(m.exports)
			m.exports = append(m.exports, export{name, kind, index})
			return name
		}
		name += "'"
	}
}

// encode writes the module with its sections in the order the format asks for.
func (m *module) encode(sizeHint int) []byte {
	out := make([]byte, 0, sizeHint)
	out = append(out, header...)
	out = m.encodeCustoms(out, 0)
	var payload []byte
	for _, id := range sectionOrder {
		payload = m.encodeSection(payload[:0], id)
		if len(payload) > 0 {
			out = append(out, id)
			out = appendBytes(out, payload)
		}
		out = m.encodeCustoms(out, id)
	}
	for _, c := range m.customs {
		if c.name == "name" { // has to be the last
			out = appendCustom(out, c)
		}
	}
	return out
}

func (m *module) encodeCustoms(out []byte, after byte) []byte {
	for _, c := range m.customs {
		if c.after != after || c.name == "name" || stale(c.name) {
			continue
		}
		out = appendCustom(out, c)
	}
	return out
}

func appendCustom(out []byte, c custom) []byte {
	out = append(out, secCustom)
	n := len(appendU32(nil, uint32(len(c.name))))
	out = appendU32(out, uint32(n+len(c.name)+len(c.data)))
	out = appendName(out, c.name)
	return append(out, c.data...)
}

// stale tells whether a custom section speaks of byte positions in code, which every rewrite moves.
func stale(name string) bool {
	return strings.HasPrefix(name, ".debug_") || strings.HasPrefix(name, "reloc.") ||
		strings.HasPrefix(name, "metadata.code.") || name == "linking" || name == "sourceMappingURL"
}

// encodeSection appends the payload of a section, nothing if the module has none.
func (m *module) encodeSection(b []byte, id byte) []byte {
	length := func(n int) bool {
		if n > 0 || m.present[id] {
			b = appendU32(b, uint32(n))
			return true
		}
		return false
	}
	switch id {
	case secTable:
		return append(b, m.table...)
	case secMemory:
		return append(b, m.memory...)
	case secElement:
		return append(b, m.element...)
	case secData:
		return append(b, m.data...)
	case secDataCount:
		return append(b, m.count...)
	case secType:
		length(len(m.types))
		for _, t := range m.types {
			b = append(b, 0x60)
			b = appendU32(b, uint32(t.paramCount))
			b = append(b, t.params...)
			b = appendU32(b, uint32(t.resultCount))
			b = append(b, t.results...)
		}
	case secImport:
		length(len(m.imports))
		for _, im := range m.imports {
			b = appendName(b, im.module)
			b = appendName(b, im.name)
			b = append(b, im.kind)
			b = append(b, im.desc...)
		}
	case secFunction:
		length(len(m.funcs))
		for _, t := range m.funcs {
			b = appendU32(b, t)
		}
	case secTag:
		length(len(m.tags) - m.importedTags)
		for _, t := range m.tags[m.importedTags:] {
			b = appendU32(append(b, 0), t)
		}
	case secGlobal:
		length(len(m.globals))
		for _, g := range m.globals {
			b = append(b, g...)
		}
	case secExport:
		length(len(m.exports))
		for _, e := range m.exports {
			b = appendName(b, e.name)
			b = append(b, e.kind)
			b = appendU32(b, e.index)
		}
	case secStart:
		if m.start >= 0 {
			b = appendU32(b, uint32(m.start))
		}
	case secCode:
		length(len(m.bodies))
		for _, body := range m.bodies {
			b = appendBytes(b, body)
		}
	}
	return b
}
