//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"errors"
	"math"
	"sync"

	"ago/vm"

	"golang.org/x/sys/unix"
)

// image is the committed state of one instance: the shadow that an evaluation is measured against, undone from, and
// that forks and snapshots read.
//
// Invariants:
//   - A page is what own[page] holds; failing that, what the program's base holds; failing that, the module's own
//     data, or zero behind it. So pages that no message ever changed take no memory here.
//   - Between evaluations the live memory equals the image.
//   - Each page knows the version in which it last changed. A reader at an older version (a fork, the last snapshot)
//     pins its version; a commit that replaces a pinned page keeps the old one in the stash until the pin moves on.
//     The stash may hold more than is pinned: it is swept little by little.
//   - Only the owner of the instance changes an image, with mu held; forks read it with mu held for reading.
type image struct {
	mu      sync.RWMutex
	arena   *arena
	base    *base
	chunks  []*chunk
	size    uint64 // bytes of linear memory
	version uint64
	pages   int // held here and in the stash
	closed  bool
	host    hostState
	globals []uint64
	behind  []vm.Input // committed, but not in here yet; see late.go
	pinned  uint64     // the highest version as of this commit that has to be kept,
	kept    uint64     // and the highest that is kept if that takes little
	wrote   int        // pages that commits of late had to look at, the most
	stashed int        // pages in the stashes of the chunks
	cursor  int        // the chunk that is to be swept next,
	unswept int        // and how many are to be swept until none has more than it needs

	pinMu sync.Mutex    // pins are moved by readers, which share mu
	pins  map[*pin]bool // of each, whether it has to be kept
	moved bool          // since the pins were looked at
}

type chunk struct {
	own     [chunkLen]*page
	version [chunkLen]uint64
	newest  uint64
	stash   *[chunkLen][]old // what the pages were in pinned versions; nil: nothing
}

// pin is a reader's hold on a version. The last snapshot's is weaker: with what the pages were then the next one is small, and
// without it still right. So no more than keptMax pages are kept for it alone.
type pin struct{ version uint64 }

const keptMax = 2048

// lost stands for what a page was in a version that only the last snapshot pinned.
var lost = new(page)

// old is what a page was in the versions from up to, but not including, to.
type old struct {
	from, to uint64
	data     *page // nil: not held, so as the base has it
}

func newImage(a *arena, b *base) *image {
	return &image{arena: a, base: b, size: b.size, version: 1, pins: map[*pin]bool{}}
}

func (im *image) chunkOf(i int) *chunk {
	if c := i / chunkLen; c < len(im.chunks) {
		return im.chunks[c]
	}
	return nil
}

func (im *image) own(i int) (*page, uint64) {
	k := im.chunkOf(i)
	if k == nil {
		return nil, 0
	}
	return k.own[i%chunkLen], k.version[i%chunkLen]
}

// at is the content of a page, nil if it is the module's own data or zero.
func (im *image) at(i int) *page {
	if p, _ := im.own(i); p != nil {
		return p
	}
	return im.base.pages[i]
}

// atVersion is the content of a page as it was in an earlier, pinned version.
func (im *image) atVersion(i int, v uint64) *page {
	p, _ := im.versionAt(i, v)
	return p
}

// versionAt is atVersion, with the version in which the page had become so.
func (im *image) versionAt(i int, v uint64) (p *page, since uint64) {
	p, since = im.own(i)
	if k := im.chunkOf(i); since > v && k != nil && k.stash != nil {
		for _, o := range k.stash[i%chunkLen] {
			if o.from <= v && v < o.to {
				p, since = o.data, o.from
				break
			}
		}
	}
	if p == nil {
		p = im.base.pages[i]
	}
	return p, since
}

// set makes content the page's newest version. It is called with mu held.
func (im *image) set(i int, content []byte) {
	c := i / chunkLen
	for c >= len(im.chunks) {
		im.chunks = append(im.chunks, make([]*chunk, c+1-len(im.chunks))...)
	}
	if im.chunks[c] == nil {
		im.chunks[c] = new(chunk)
	}
	k, slot := im.chunks[c], i%chunkLen
	if since := k.version[slot]; since <= max(im.pinned, im.kept) && im.pinned+im.kept > 0 {
		if k.stash == nil {
			k.stash = new([chunkLen][]old)
		}
		was := old{from: since, to: im.version, data: k.own[slot]}
		if (since > im.pinned || im.pinned == 0) && im.stashed >= keptMax {
			was.data = lost
		} else {
			k.own[slot] = nil
		}
		k.stash[slot] = append(k.stash[slot], was)
		im.stashed++
	}
	k.version[slot], k.newest = im.version, im.version
	if b := im.base.pages[i]; b != nil && bytes.Equal(b[:], content) {
		if k.own[slot] != nil {
			im.arena.put(k.own[slot])
			k.own[slot] = nil
			im.pages--
		}
		return
	}
	if k.own[slot] == nil {
		k.own[slot] = im.arena.get()
		im.pages++
	}
	copy(k.own[slot][:], content)
}

// commit makes the memory's content the image. It gives the number of pages the memory has to itself.
func (im *image) commit(s *scanner, m *machine) (written int, err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	defer guard(&err)
	im.look()
	im.version++
	err = s.changed(m, func(first, n int) {
		written += n
		for i := first; i < first+n; i++ {
			now := m.mem[i*pageSize : (i+1)*pageSize]
			if !bytes.Equal(im.content(i), now) {
				im.set(i, now)
			}
		}
	})
	if err == nil && (m.tracked > 0 || written >= s.from) {
		err = s.track(m)
	}
	if err != nil {
		return written, err
	}
	im.wrote = max(written, im.wrote-im.wrote/8)
	im.behind = im.behind[:0]
	im.size = uint64(len(m.mem))
	im.host = m.host.clone()
	im.globals = m.readGlobals(im.globals[:0])
	return written, nil
}

// undo puts the memory back to a version of the image. The memory must have the image's size. The lock is held for
// reading.
func (im *image) undo(s *scanner, m *machine, version uint64) error {
	dropFrom, dropTo := -1, -1
	drop := func() {
		if dropFrom >= 0 {
			_ = unix.Madvise(m.mem[dropFrom*pageSize:dropTo*pageSize], unix.MADV_DONTNEED)
		}
		dropFrom = -1
	}
	err := s.changed(m, func(first, n int) {
		for i := first; i < first+n; i++ {
			now := m.mem[i*pageSize : (i+1)*pageSize]
			if was := im.atVersion(i, version); was != nil {
				if !bytes.Equal(was[:], now) {
					copy(now, was[:])
				}
				continue
			}
			if bytes.Equal(im.base.content(i), now) {
				continue
			}
			// Without its private page the module's own data, or zero, shows again.
			if dropFrom >= 0 && dropTo != i {
				drop()
			}
			if dropFrom < 0 {
				dropFrom = i
			}
			dropTo = i + 1
		}
	})
	drop()
	return err
}

// load writes the pages that changed after version from, as they were in version to, into a memory that is in
// version from; 0 is a freshly started one. The lock is held for reading.
func (im *image) load(m *machine, from, to uint64) {
	for c, k := range im.chunks {
		if k == nil || k.newest <= from {
			continue
		}
		for slot, v := range k.version {
			if v <= from {
				continue
			}
			i := c*chunkLen + slot
			if (i+1)*pageSize > len(m.mem) { // the memory was smaller in version to
				return
			}
			at := m.mem[i*pageSize : (i+1)*pageSize]
			if p := im.atVersion(i, to); p != nil {
				copy(at, p[:])
			} else {
				_ = unix.Madvise(at, unix.MADV_DONTNEED)
			}
		}
	}
}

// errBehind is the answer of an image that is not up to date.
var errBehind = errors.New("the newest state is not in the image")

// hold pins the newest version and gives the state outside the pages.
func (im *image) hold(p *pin) (*pin, at, error) {
	im.mu.RLock()
	defer im.mu.RUnlock()
	if im.closed {
		return nil, at{}, vm.ErrClosed
	}
	if len(im.behind) > 0 {
		return nil, at{}, errBehind
	}
	im.move(p, im.version)
	return p, im.outside(), nil
}

// move sets a pin to a version that is the newest one or pinned already. The lock is held for reading, or the version
// pinned by another.
func (im *image) move(p *pin, version uint64) {
	im.pinMu.Lock()
	defer im.pinMu.Unlock()
	p.version = version
	im.pins[p] = true
	im.moved = true
}

// prefer makes the version of a pin one that is kept as long as that takes little.
func (im *image) prefer(p *pin, version uint64) {
	im.move(p, version)
	im.pinMu.Lock()
	defer im.pinMu.Unlock()
	im.pins[p] = false
}

// forget drops a pin. What it kept goes with the next commit.
func (im *image) forget(p *pin) {
	im.pinMu.Lock()
	defer im.pinMu.Unlock()
	delete(im.pins, p)
	im.moved = true
}

// release drops a pin and what it kept.
func (im *image) release(p *pin) {
	im.forget(p)
	im.sweep()
}

// outside is the newest state outside the pages. The lock is held for reading.
func (im *image) outside() at {
	return at{size: im.size, host: im.host, globals: append([]uint64(nil), im.globals...)}
}

// look learns which versions are pinned. It is called with mu held.
func (im *image) look() {
	im.pinMu.Lock()
	defer im.pinMu.Unlock()
	if !im.moved {
		return
	}
	im.moved, im.pinned, im.kept = false, 0, 0
	for p, must := range im.pins {
		if must {
			im.pinned = max(im.pinned, p.version)
		} else {
			im.kept = max(im.kept, p.version)
		}
	}
	im.unswept = len(im.chunks)
}

// sweepStep is how many pages are let go at once: commits wait that long.
const sweepStep = 256

// sweep lets go of all that no pin needs any more, a little at a time, beside evaluations: who moves a pin calls it, so that
// no commit pays for it.
func (im *image) sweep() {
	var gone []*page
	for more := true; more; {
		im.mu.Lock()
		im.look()
		gone = im.unstash(gone[:0], sweepStep)
		more = im.unswept > 0
		im.mu.Unlock()
		im.arena.put(gone...)
	}
}

// unstash takes pages that no pin needs out of the stash, about so many. It is called with mu held, after look.
func (im *image) unstash(gone []*page, most int) []*page {
	for before := im.stashed; im.unswept > 0 && im.stashed > 0 && before-im.stashed < most; im.unswept-- {
		if im.cursor >= len(im.chunks) {
			im.cursor = 0
		}
		if k := im.chunks[im.cursor]; k != nil && k.stash != nil {
			gone = im.unstashChunk(k, gone)
		}
		im.cursor++
	}
	if im.stashed == 0 {
		im.unswept = 0
	}
	return gone
}

func (im *image) unstashChunk(k *chunk, gone []*page) []*page {
	im.pinMu.Lock()
	defer im.pinMu.Unlock()
	left := 0
	for slot, olds := range k.stash {
		kept := olds[:0]
		for _, o := range olds {
			needed := false
			for p := range im.pins {
				needed = needed || o.from <= p.version && p.version < o.to
			}
			if needed {
				kept = append(kept, o)
				continue
			}
			im.stashed--
			if o.data != nil && o.data != lost {
				gone = append(gone, o.data)
				im.pages--
			}
		}
		clear(olds[len(kept):])
		k.stash[slot] = kept
		left += len(kept)
	}
	if left == 0 {
		k.stash = nil
	}
	return gone
}

// held is how many pages the image holds: whoever lets go of some does so beside commits.
func (im *image) held() int {
	im.mu.RLock()
	defer im.mu.RUnlock()
	return im.pages
}

func (im *image) close() {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.clear()
	im.closed = true
}

// clear makes the image that of the start. It is called with mu held.
func (im *image) clear() {
	im.pinMu.Lock()
	clear(im.pins)
	im.moved = true
	im.pinMu.Unlock()
	im.look()
	im.arena.put(im.unstash(nil, math.MaxInt)...)
	for _, k := range im.chunks {
		if k == nil {
			continue
		}
		for _, p := range k.own {
			if p != nil {
				im.arena.put(p)
			}
		}
	}
	im.chunks, im.pages, im.size = nil, 0, im.base.size
}
