//go:build linux && amd64 && cgo

package wasm

// The published modules are built so that an import may wait: the whole wasm stack is unwound into a block of
// memory, the host waits, and the stack is rewound from it. The block comes from the module's own heap and is freed
// afterwards, which shapes the heap and costs gas; so the same is done here even if there is nothing to wait for.

type asyncPhase int

const (
	asyncNormal asyncPhase = iota
	asyncUnwinding
	asyncRewinding
)

type asyncState struct {
	state asyncPhase
	data  uint64 // the block, 0 if none
	value uint64 // what the import answers once rewound
}

// wait is an import that answers later. The first call unwinds the stack; the second, with the stack rewound, gives
// the answer.
func (m *machine) wait(answer func() uint64) uint64 {
	switch m.async.state {
	case asyncRewinding:
		m.async.state = asyncNormal
		m.mustCall(m.stopRewind)
		m.mustCall(m.free, m.async.data)
		m.async.data = 0
		return m.async.value
	case asyncUnwinding:
		m.stop("invalid state: 1")
	}
	m.async.value = answer()
	header := m.abi.asyncHeader
	m.async.state = asyncUnwinding
	data := m.mustCall(m.malloc, header+asyncStack)
	m.async.data = data
	word := uint64(m.abi.pointer)
	m.setWord(data, data+header)
	m.setWord(data+word, data+header+asyncStack)
	m.set32(data+2*word, 0) // which export to call again: always the only one, handle
	m.mustCall(m.startUnwind, data)
	return m.async.value
}

// resume prepares the second half: the unwound call may be made again afterwards.
func (m *machine) resume() *ended {
	m.async.state = asyncNormal
	if _, e := m.call(m.stopUnwind); e != nil {
		return e
	}
	m.async.state = asyncRewinding
	_, e := m.call(m.startRewind, m.async.data)
	return e
}
