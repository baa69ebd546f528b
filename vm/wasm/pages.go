//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	pageSize  = 4096
	chunkLen  = 64 // pages per chunk of an image
	arenaStep = 64 // pages taken from the system at once
	warmMax   = 4096
	stockMax  = 4 * warmMax
)

type page [pageSize]byte

// arena hands out pages outside the collected heap: images are large, live long and hold no pointers, and the
// collector's habit of letting the heap double would double them as well.
type arena struct {
	mu         sync.Mutex
	warm, cold []*page // free pages with and without memory behind them
	used       int
}

// noMemory is the panic value of get; guard turns it into an error.
type noMemory struct{ err error }

func guard(err *error) {
	switch r := recover().(type) {
	case nil:
	case noMemory:
		*err = fmt.Errorf("this machine has no memory for more state: %w", r.err)
	default:
		panic(r)
	}
}

// get gives a page of any content.
func (a *arena) get() *page {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used++
	if n := len(a.warm); n > 0 {
		p := a.warm[n-1]
		a.warm = a.warm[:n-1]
		return p
	}
	if len(a.cold) == 0 {
		block, err := newBlock(0)
		if err != nil {
			panic(noMemory{err})
		}
		a.cold = append(a.cold, block...)
	}
	n := len(a.cold)
	p := a.cold[n-1]
	a.cold = a.cold[:n-1]
	return p
}

// newBlock takes pages from the system, the first one last.
func newBlock(flags int) ([]*page, error) {
	b, err := unix.Mmap(-1, 0, arenaStep*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|flags)
	if err != nil {
		return nil, err
	}
	block := make([]*page, 0, arenaStep)
	for i := arenaStep - 1; i >= 0; i-- {
		block = append(block, (*page)(unsafe.Pointer(&b[i*pageSize])))
	}
	return block, nil
}

// put takes pages back.
func (a *arena) put(ps ...*page) {
	a.mu.Lock()
	a.used -= len(ps)
	n := min(len(ps), max(0, warmMax-len(a.warm)))
	a.warm = append(a.warm, ps[:n]...)
	a.mu.Unlock()
	a.cool(ps[n:])
}

// cool gives the memory behind free pages back.
func (a *arena) cool(ps []*page) {
	for _, p := range ps {
		_ = unix.Madvise(p[:], unix.MADV_DONTNEED)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cold = append(a.cold, ps...)
}

// stock readies pages for a commit that will need many: having the system fill them one after the other would take it
// longer than writing them. What is not used is given back by trim. That there are no more is for get to say.
func (a *arena) stock(n int) {
	for n = min(n, stockMax); ; {
		a.mu.Lock()
		if len(a.warm) >= n {
			a.mu.Unlock()
			return
		}
		k := min(len(a.cold), arenaStep)
		ps := append([]*page(nil), a.cold[len(a.cold)-k:]...)
		a.cold = a.cold[:len(a.cold)-k]
		a.mu.Unlock()
		for _, p := range ps {
			p[0] = 0
		}
		if k == 0 {
			var err error
			if ps, err = newBlock(unix.MAP_POPULATE); err != nil {
				return
			}
		}
		a.mu.Lock()
		a.warm = append(a.warm, ps...)
		a.mu.Unlock()
	}
}

// trim gives back the memory behind pages that were readied and are not needed any more.
func (a *arena) trim() {
	for {
		a.mu.Lock()
		k := min(len(a.warm)-warmMax, arenaStep)
		if k <= 0 {
			a.mu.Unlock()
			return
		}
		ps := append([]*page(nil), a.warm[len(a.warm)-k:]...)
		a.warm = a.warm[:len(a.warm)-k]
		a.mu.Unlock()
		a.cool(ps)
	}
}

// base is what all instances of a program share: the pages that differ from the module's own data once it has
// started, and where that data ends. It never changes.
type base struct {
	pages    map[int]*page
	imageEnd int    // pages from here on are zero unless they are in pages
	image    []byte // the module's own data, as the memory begins
	size     uint64
	host     hostState
	file     int      // of a shared base: its descriptor, plus one
	globals  []uint64 // of a shared base
	digest   [32]byte // of all this, to tell whether a snapshot builds on it
}

// newBase takes the state of a machine that has just started.
func newBase(s *scanner, m *machine) (*base, error) {
	b := &base{pages: map[int]*page{}, size: uint64(len(m.mem)), host: m.host.clone()}
	err := s.written(m.mem, func(first, n int) {
		for i := first; i < first+n; i++ {
			p := new(page)
			copy(p[:], m.mem[i*pageSize:])
			b.pages[i] = p
		}
	})
	if err != nil {
		return nil, err
	}
	if b.imageEnd, err = mappedFile(m.mem); err != nil {
		return nil, err
	}
	// A page that the start has written hides the module's data, which nothing will need any more.
	b.image = append([]byte(nil), m.mem[:b.imageEnd*pageSize]...)
	b.digest = b.sum()
	return b, nil
}

func (b *base) sum() (sum [32]byte) {
	h := sha256.New()
	word := func(v uint64) {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], v)
		h.Write(w[:])
	}
	word(b.size)
	word(b.host.Clock)
	h.Write(b.image)
	for _, i := range slices.Sorted(maps.Keys(b.pages)) {
		word(uint64(i))
		h.Write(b.pages[i][:])
	}
	h.Sum(sum[:0])
	return sum
}

// content is what a page holds that no message has changed.
func (b *base) content(i int) []byte {
	if p := b.pages[i]; p != nil {
		return p[:]
	}
	if i < b.imageEnd {
		return b.image[i*pageSize : (i+1)*pageSize]
	}
	return zeroPage[:]
}

// mappedFile is the number of pages at the start of mem that are mapped from a file, which is how the engine
// provides a module's data segments; 0 if it copied them.
func mappedFile(mem []byte) (int, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	start := uint64(uintptr(unsafe.Pointer(&mem[0])))
	for line := range strings.Lines(string(maps)) {
		var from, to, offset, inode uint64
		var mode, device string
		if _, err := fmt.Sscanf(line, "%x-%x %s %x %s %d", &from, &to, &mode, &offset, &device, &inode); err != nil {
			continue
		}
		if from <= start && start < to {
			if inode == 0 {
				return 0, nil
			}
			return int((to - start) / pageSize), nil
		}
	}
	return 0, errors.New("the linear memory is not among the process's mappings")
}

// isZero tells whether a page has no content.
func isZero(p []byte) bool { return bytes.Equal(p, zeroPage[:]) }

var zeroPage page
