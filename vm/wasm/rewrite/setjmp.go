package rewrite

import "strings"

// Emscripten compiles setjmp and longjmp so that every call that may be jumped over is made by the host:
//
//	invoke_sig(f, args...)          host: remember the stack pointer; call f; if it throws, restore the
//	                                stack pointer and call setThrew(1, 0)
//	_emscripten_throw_longjmp()     host: throw
//
// Here both become functions of the module and the throw an exception with a tag of its own:
//
//	func invoke_sig(f, args...)
//	    sp = stackSave()
//	    block $thrown
//	        try_table (catch $longjmp $thrown)  f(args...)  end
//	        return
//	    end
//	    stackRestore(sp)
//	    setThrew(1, 0)
//
// The exception is one object per instance, made at the first throw and thrown again at every later one:
//
//	func _emscripten_throw_longjmp()
//	    if thrown == null  { thrown = catch_all_ref of (throw $longjmp) }
//	    throw_ref thrown
//
// It carries nothing, so nobody can tell, and the engine never frees an exception object before the instance
// ends: a process whose messages fail now and then would grow for ever.
//
// They call the same functions the host would call, and in a module that can be suspended (asyncify) they call
// f through dynCall_sig as the host does, because that function has a frame in what a suspension saves. So
// memory and gas are what they were. Traps pass through, as the host lets them pass.

// The functions of a module the host uses for an invoke; the first name that is exported counts.
var (
	stackSaveNames    = []string{"stackSave", "emscripten_stack_get_current"}
	stackRestoreNames = []string{"stackRestore", "_emscripten_stack_restore"}
)

const (
	throwName    = "_emscripten_throw_longjmp"
	setThrewName = "setThrew"
	invokePrefix = "invoke_"
)

// hostCatches are imports by which a module has the host catch C++ exceptions with the same invokes. Such a
// module keeps its invokes.
var hostCatches = []string{"__cxa_begin_catch", "__cxa_find_matching_catch", "__resumeException", "__cxa_rethrow"}

// An invoke is an import to be replaced.
type invoke struct {
	index   uint32 // among the imported functions
	typ     uint32
	dynCall int64 // the function to call f through, -1 for an indirect call
	name    string
}

// longjmp is what a module has for the replacement.
type longjmp struct {
	invokes              []invoke
	throws               uint32 // import
	save, restore, threw uint32 // functions
	pointer              byte   // type of the stack pointer
	threwType            funcType
}

// findLongjmp looks for invokes. It returns false if there is nothing to replace, or not all that is needed.
func findLongjmp(m *module) (l longjmp, ok bool) {
	throws := int64(-1)
	index := uint32(0)
	for _, im := range m.imports {
		if im.kind != KindFunc {
			continue
		}
		t := m.types[im.typ]
		for _, name := range hostCatches {
			if strings.HasPrefix(im.name, name) {
				return l, false
			}
		}
		switch {
		case im.name == throwName:
			if t.paramCount != 0 || t.resultCount != 0 {
				return l, false
			}
			throws = int64(index)
		case strings.HasPrefix(im.name, invokePrefix):
			if !plain(t) || t.paramCount == 0 || t.params[0] != valI32 && t.params[0] != valI64 {
				return l, false
			}
			l.invokes = append(l.invokes, invoke{index: index, typ: im.typ, name: im.name})
		}
		index++
	}
	if throws < 0 || len(l.invokes) == 0 {
		return l, false
	}
	l.throws = uint32(throws)
	save, saveType, ok1 := m.function(stackSaveNames...)
	restore, restoreType, ok2 := m.function(stackRestoreNames...)
	threw, threwType, ok3 := m.function(setThrewName)
	if !ok1 || !ok2 || !ok3 ||
		saveType.paramCount != 0 || saveType.resultCount != 1 || !plain(saveType) ||
		restoreType.resultCount != 0 || string(restoreType.params) != string(saveType.results) ||
		threwType.paramCount != 2 || threwType.resultCount != 0 || !plain(threwType) {
		return l, false
	}
	l.save, l.restore, l.threw = save, restore, threw
	l.pointer, l.threwType = saveType.results[0], threwType
	_, suspendable := m.exported("asyncify_start_unwind")
	for i, v := range l.invokes {
		t := m.types[v.typ]
		f, ft, found := m.function("dynCall_" + strings.TrimPrefix(v.name, invokePrefix))
		switch {
		case found && string(ft.results) == string(t.results) && ft.paramCount == t.paramCount &&
			ft.params[0] == valI32 && string(ft.params[1:]) == string(t.params[1:]):
			l.invokes[i].dynCall = int64(f)
		case suspendable || len(m.tables) == 0:
			return l, false
		default:
			l.invokes[i].dynCall = -1
		}
	}
	return l, true
}

// plain tells whether all types of a function are numbers, hence one byte each.
func plain(t funcType) bool {
	number := func(b []byte) bool {
		for _, c := range b {
			if c < 0x7c || c > 0x7f {
				return false
			}
		}
		return true
	}
	return number(t.params) && number(t.results)
}

// function finds an exported function that is not an import.
func (m *module) function(names ...string) (index uint32, t funcType, ok bool) {
	for _, name := range names {
		if e, found := m.exported(name); found && e.kind == KindFunc && int64(e.index) >= int64(m.importedFuncs) {
			t, ok = m.funcType(e.index)
			return e.index, t, ok
		}
	}
	return 0, funcType{}, false
}

// replaceInvokes does the rewrite if the module has what it needs.
func replaceInvokes(m *module, info *Info) error {
	l, ok := findLongjmp(m)
	if !ok {
		return nil
	}
	removed := make(map[uint32]uint32, len(l.invokes)+1) // import -> position among the new functions
	for i, v := range l.invokes {
		removed[v.index] = uint32(i)
	}
	removed[l.throws] = uint32(len(l.invokes))

	// The imports kept move together, the functions follow them, the new ones come last.
	kept := make([]uint32, m.importedFuncs)
	next := uint32(0)
	for i := range kept {
		if _, gone := removed[uint32(i)]; !gone {
			kept[i] = next
			next++
		}
	}
	first := next + uint32(len(m.funcs))
	moved := func(f uint32) uint32 {
		if int64(f) >= int64(m.importedFuncs) {
			return f - uint32(len(removed))
		}
		if k, gone := removed[f]; gone {
			return first + k
		}
		return kept[f]
	}
	if err := m.remapFunctions(moved); err != nil {
		return err
	}

	empty := m.typeIndex(funcType{})
	m.tags = append(m.tags, empty)
	tag := uint32(len(m.tags) - 1)
	for _, v := range l.invokes {
		m.funcs = append(m.funcs, v.typ)
		m.bodies = append(m.bodies, l.invokeBody(m, v, tag, moved))
	}
	m.funcs = append(m.funcs, empty)
	m.bodies = append(m.bodies, throwBody(tag, m.addExceptionGlobal()))

	var imports []importEntry
	index := uint32(0)
	for _, im := range m.imports {
		if im.kind == KindFunc {
			index++
			if _, gone := removed[index-1]; gone {
				continue
			}
		}
		imports = append(imports, im)
	}
	m.imports = imports
	m.importedFuncs = int(next)
	info.InvokesRemoved = len(l.invokes)
	return nil
}

// throwBody is the function in place of the throw, see above.
func throwBody(tag, thrown uint32) []byte {
	b := []byte{0}
	global := func(op opcode) { b = appendU32(append(b, byte(op)), thrown) }
	global(opGlobalGet)
	b = append(b, byte(opRefIsNull), byte(opIf), typeEmpty,
		byte(opBlock), valExnref,
		byte(opTryTable), typeEmpty, 1, 3, 0, // catch_all_ref to the block
		byte(opThrow))
	b = appendU32(b, tag)
	b = append(b, byte(opEnd), byte(opUnreachable), byte(opEnd))
	global(opGlobalSet)
	b = append(b, byte(opEnd))
	global(opGlobalGet)
	return append(b, byte(opThrowRef), byte(opEnd))
}

// invokeBody is the function in place of one invoke import, see above.
func (l *longjmp) invokeBody(m *module, v invoke, tag uint32, moved func(uint32) uint32) []byte {
	t := m.types[v.typ]
	stackPointer := uint32(t.paramCount)
	b := []byte{1, 1, l.pointer}
	call := func(f uint32) { b = appendU32(append(b, byte(opCall)), moved(f)) }
	get := func(local uint32) { b = appendU32(append(b, byte(opLocalGet)), local) }

	call(l.save)
	b = appendU32(append(b, byte(opLocalSet)), stackPointer)
	b = append(b, byte(opBlock), typeEmpty, byte(opTryTable))
	switch t.resultCount {
	case 0:
		b = append(b, typeEmpty)
	case 1:
		b = append(b, t.results[0])
	default:
		b = appendS64(b, int64(m.typeIndex(funcType{results: t.results, resultCount: t.resultCount})))
	}
	b = append(b, 1, 0) // one clause: catch
	b = appendU32(b, tag)
	b = append(b, 0) // to the block
	if v.dynCall >= 0 {
		// The table index of a dynCall is 32 bits wide in memory64 modules as well.
		get(0)
		if t.params[0] == valI64 {
			b = append(b, byte(opI32WrapI64))
		}
		for i := uint32(1); i < stackPointer; i++ {
			get(i)
		}
		call(uint32(v.dynCall))
	} else {
		for i := uint32(1); i < stackPointer; i++ {
			get(i)
		}
		b = l.tableIndex(b, t.params[0], m.tables[0].index64)
		callee := funcType{params: t.params[1:], paramCount: t.paramCount - 1, results: t.results, resultCount: t.resultCount}
		b = appendU32(append(b, byte(opCallIndirect)), m.typeIndex(callee))
		b = append(b, 0)
	}
	b = append(b, byte(opEnd), byte(opReturn), byte(opEnd))
	get(stackPointer)
	call(l.restore)
	b = appendNumber(appendNumber(b, l.threwType.params[0], 1), l.threwType.params[1], 0)
	call(l.threw)
	for _, r := range t.results {
		b = appendNumber(b, r, 0) // not looked at, since a throw is recorded
	}
	return append(b, byte(opEnd))
}

// tableIndex puts parameter 0 as an index of the table; one that is too large for it traps.
func (l *longjmp) tableIndex(b []byte, param byte, index64 bool) []byte {
	b = append(b, byte(opLocalGet), 0)
	switch {
	case param == valI64 && !index64:
		b = append(b, byte(opI64Const), 32, byte(opI64ShrU), byte(opI64Eqz), byte(opIf), typeEmpty, byte(opElse),
			byte(opUnreachable), byte(opEnd), byte(opLocalGet), 0, byte(opI32WrapI64))
	case param == valI32 && index64:
		b = append(b, byte(opI64ExtendI32U))
	}
	return b
}

// appendNumber writes a constant of a number type.
func appendNumber(b []byte, typ byte, v byte) []byte {
	switch typ {
	case valI32:
		return append(b, byte(opI32Const), v)
	case valI64:
		return append(b, byte(opI64Const), v)
	case valF32:
		return append(b, byte(opF32Const), 0, 0, 0, 0)
	}
	return append(b, byte(opF64Const), 0, 0, 0, 0, 0, 0, 0, 0)
}
