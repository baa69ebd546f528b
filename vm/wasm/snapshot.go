//go:build linux && amd64 && cgo

package wasm

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"ago/vm"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"
)

// A snapshot is a magic number with the format's version, then one zstd frame with this body (numbers little-endian):
//
//	kind        1 byte: 0 full, 1 what changed since the one before
//	module      32 bytes, SHA-256 of the module as published
//	base        32 bytes, digest of the state right after the module's start
//	before      16 bytes, checksum of the snapshot before; zeros for a full one
//	format      1 byte length, text
//	size        8 bytes, length of the linear memory
//	host        8 bytes clock, 8 bytes temp, 1 byte zone, 4 bytes length and the files
//	globals     4 bytes count, 8 bytes each
//	pages       any number of: 1 byte how, 4 bytes page number, 4096 bytes; page numbers ascend
//	end         1 byte 0
//	checksum    16 bytes, XXH3-128 of magic and body
//
// The checksum is against damage, not against malice: who takes snapshots from others identifies them by other means.
// A page is written as it is, or as the exclusive or with what it was in the snapshot before: between two snapshots most
// pages change in a few words, and the rest becomes zeros that take no room.

const snapshotMagic = "agowasm\x01"

const (
	snapshotFull  = 0
	snapshotDelta = 1

	pagesEnd = 0
	pageRaw  = 1
	pageXor  = 2
)

// Bounds on what a snapshot may claim.
const (
	snapshotGlobalsMax = 1 << 16
	snapshotFilesMax   = 1 << 30
	snapshotWindow     = 1 << 20 // of the compression: pages far apart have little in common
)

// ErrSnapshot is wrapped by every error about bytes that are no snapshot, damaged, or not of this module.
var ErrSnapshot = errors.New("snapshot cannot be used")

type checksum [16]byte

// chain is where an instance is in its sequence of snapshots.
type chain struct {
	mu   sync.Mutex // held from the pinning of a state until it is written
	pin  pin        // the state of the last one
	sum  checksum
	have bool
	left atomic.Bool // one was written meanwhile that the next cannot build on
}

// pinned is a state that stays as it is until it is let go.
type pinned struct {
	*image
	pin   *pin
	state at
	spare *machine // in the state, if the image had to be made for it
}

// hold pins the newest committed state. Between two evaluations that takes as long as bringing the image up to date.
func (i *instance) hold() (pinned, error) {
	if err := i.usable(); err != nil {
		return pinned{}, err
	}
	i.catchUp()
	p := pinned{image: i.image}
	var err error
	p.pin, p.state, err = p.hold(&pin{})
	if !errors.Is(err, errBehind) {
		return p, err
	}
	if p.image, p.spare, err = i.private(); err != nil {
		return p, err
	}
	p.pin, p.state, err = p.hold(&pin{})
	return p, err
}

// letGo gives up a pinned state.
func (i *instance) letGo(p pinned) {
	if p.spare != nil {
		p.close()
		i.engine.retire(p.spare)
		return
	}
	p.forget(p.pin)
	p.sweep()
	p.arena.trim()
}

// ready has pages at hand for the commits that follow: each page they change is copied first.
func (p pinned) ready() {
	p.mu.RLock()
	n := min(2*p.wrote, p.pages)
	p.mu.RUnlock()
	p.arena.stock(n)
}

// Pin holds the committed state.
func (i *instance) Pin(full bool) (write func(io.Writer) error, err error) {
	c := &i.chain
	chained := c.mu.TryLock()
	if !chained {
		c.left.Store(true)
	} else if c.left.Swap(false) {
		c.have = false
	}
	p, err := i.hold()
	if err != nil {
		if chained {
			c.mu.Unlock()
		}
		return nil, err
	}
	return func(w io.Writer) error {
		defer i.letGo(p)
		p.ready()
		if !chained {
			var sum checksum
			return i.write(w, p, nil, &sum)
		}
		defer c.mu.Unlock()
		from := c
		if full || !c.have || p.spare != nil {
			from = nil
		}
		err := i.write(w, p, from, &c.sum)
		c.have = err == nil && p.spare == nil
		if c.have {
			p.prefer(&c.pin, p.pin.version)
		}
		return err
	}, nil
}

// Snapshot writes the committed state. It may run beside evaluations and commits: it writes the state of the moment it was
// called.
func (i *instance) Snapshot(w io.Writer, full bool) error {
	write, err := i.Pin(full)
	if err != nil {
		return err
	}
	return write(w)
}

// write writes a pinned state, all of it or what changed since the last of a chain.
func (i *instance) write(w io.Writer, p pinned, since *chain, sum *checksum) error {
	kind, before, from := byte(snapshotFull), checksum{}, uint64(0)
	if since != nil {
		kind, before, from = snapshotDelta, since.sum, since.pin.version
	}
	return writeFrame(w, func(out *snapshotWriter) {
		out.byte(kind)
		out.bytes(i.program.hash[:])
		out.bytes(p.base.digest[:])
		out.bytes(before[:])
		out.byte(byte(len(i.program.abi.format)))
		out.bytes([]byte(i.program.abi.format))
		out.word(p.state.size)
		out.host(p.state.host)
		out.long(uint32(len(p.state.globals)))
		for _, g := range p.state.globals {
			out.word(g)
		}
		out.pages(p.image, from, p.pin.version)
	}, sum)
}

// encoders are kept because making one costs more than a small snapshot.
var encoders = sync.Pool{New: func() any {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(snapshotWindow), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // only for settings that do not fit together
	}
	return z
}}

// writeFrame writes magic, body and checksum.
func writeFrame(w io.Writer, body func(*snapshotWriter), sum *checksum) error {
	z := encoders.Get().(*zstd.Encoder)
	defer encoders.Put(z)
	if _, err := io.WriteString(w, snapshotMagic); err != nil {
		return err
	}
	z.Reset(w)
	out := &snapshotWriter{w: z, hash: xxh3.New()}
	out.hash.WriteString(snapshotMagic)
	body(out)
	*sum = out.hash.Sum128().Bytes()
	out.bytes(sum[:])
	err := z.Close()
	z.Reset(nil)
	if out.err == nil {
		out.err = err
	}
	return out.err
}

// snapshotWriter writes and hashes, and keeps the first error.
type snapshotWriter struct {
	w    io.Writer
	hash *xxh3.Hasher
	err  error
}

func (s *snapshotWriter) bytes(b []byte) {
	if s.err == nil {
		s.hash.Write(b)
		_, s.err = s.w.Write(b)
	}
}

func (s *snapshotWriter) byte(b byte)   { s.bytes([]byte{b}) }
func (s *snapshotWriter) long(v uint32) { s.bytes(binary.LittleEndian.AppendUint32(nil, v)) }
func (s *snapshotWriter) word(v uint64) { s.bytes(binary.LittleEndian.AppendUint64(nil, v)) }

func (s *snapshotWriter) host(h hostState) {
	s.word(h.Clock)
	s.word(h.Temp)
	zone := byte(0)
	if h.Zone {
		zone = 1
	}
	s.byte(zone)
	files := h.Files.encode()
	s.long(uint32(len(files)))
	s.bytes(files)
}

// pages writes the pages that changed after version from, as they are in version to; from 0, all that differ from the
// start.
func (s *snapshotWriter) pages(im *image, from, to uint64) {
	records := make([]byte, 0, chunkLen*(5+pageSize))
	for c := 0; s.err == nil; c++ {
		var more bool
		if records, more, s.err = im.records(records[:0], c, from, to); !more {
			break
		}
		s.bytes(records)
	}
	s.byte(pagesEnd)
}

// records copies the changed pages of one chunk.
func (im *image) records(b []byte, c int, from, to uint64) (_ []byte, more bool, err error) {
	im.mu.RLock()
	defer im.mu.RUnlock()
	if im.closed {
		return b, false, vm.ErrClosed
	}
	if c >= len(im.chunks) {
		return b, false, nil
	}
	k := im.chunks[c]
	if k == nil || k.newest <= from {
		return b, true, nil
	}
	for slot := range k.version {
		i := c*chunkLen + slot
		now, since := im.versionAt(i, to)
		if since <= from {
			continue
		}
		b = append(b, pageRaw)
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
		if now == nil {
			b = append(b, im.base.content(i)...)
		} else {
			b = append(b, now[:]...)
		}
		if from > 0 {
			if was := im.atVersion(i, from); was != nil && was != lost {
				b[len(b)-pageSize-5] = pageXor
				xor(b[len(b)-pageSize:], was[:])
			}
		}
	}
	return b, true, nil
}

func xor(to, with []byte) {
	for i := 0; i < len(to); i += 8 {
		binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(to[i:])^binary.LittleEndian.Uint64(with[i:]))
	}
}

// content is what a page holds.
func (im *image) content(i int) []byte {
	if p := im.at(i); p != nil {
		return p[:]
	}
	return im.base.content(i)
}

// Restore reads snapshots in the order in which they were made.
func (e *engine) Restore(ctx context.Context, m vm.Module, l vm.Limits, snapshots ...io.Reader) (vm.Instance, error) {
	if len(snapshots) == 0 {
		return nil, fmt.Errorf("%w: none was given", ErrSnapshot)
	}
	return e.rebuild(ctx, m, l, func(i *instance) error {
		for n, r := range snapshots {
			if err := ctx.Err(); err != nil {
				return err
			}
			sum, err := i.image.read(r, i.program, i.chain.sum, n == 0)
			if err != nil {
				return fmt.Errorf("snapshot %d of %d: %w", n+1, len(snapshots), err)
			}
			i.chain.sum = sum
		}
		i.chain.have = true
		i.image.prefer(&i.chain.pin, i.image.version)
		return nil
	})
}

// RestoreMemory gives an instance whose linear memory has the given content, which is what legacy checkpoints hold.
// The state outside the memory is that of a module that has just started, as with the reference.
func (e *engine) RestoreMemory(ctx context.Context, m vm.Module, l vm.Limits, r io.Reader) (vm.Instance, error) {
	return e.rebuild(ctx, m, l, func(i *instance) error { return i.image.readMemory(r, i.program.abi) })
}

// rebuild gives an instance whose image is made by fill.
func (e *engine) rebuild(ctx context.Context, m vm.Module, l vm.Limits, fill func(*instance) error) (vm.Instance, error) {
	made, err := e.New(ctx, m, l)
	if err != nil {
		return nil, err
	}
	i := made.(*instance)
	im := i.image
	im.mu.Lock()
	err = func() (err error) {
		defer guard(&err)
		return fill(i)
	}()
	im.mu.Unlock()
	if err == nil {
		im.mu.RLock()
		err = im.fill(e.scanner, i.machine, im.version, im.outside())
		im.mu.RUnlock()
	}
	if err == nil {
		err = i.commit()
	}
	if err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

// snapshotReader reads and hashes, and keeps the first error.
type snapshotReader struct {
	r    io.Reader
	hash *xxh3.Hasher
	err  error
	buf  [8]byte
}

func (s *snapshotReader) bytes(b []byte) {
	if s.err != nil {
		return
	}
	if _, err := io.ReadFull(s.r, b); err != nil {
		s.err = fmt.Errorf("%w: it is cut off or damaged: %w", ErrSnapshot, err)
		return
	}
	s.hash.Write(b)
}

func (s *snapshotReader) byte() byte {
	s.buf[0] = 0
	s.bytes(s.buf[:1])
	return s.buf[0]
}

func (s *snapshotReader) long() uint32 {
	s.bytes(s.buf[:4])
	return binary.LittleEndian.Uint32(s.buf[:])
}

func (s *snapshotReader) word() uint64 {
	s.bytes(s.buf[:8])
	return binary.LittleEndian.Uint64(s.buf[:])
}

func (s *snapshotReader) digest() (d [32]byte) {
	s.bytes(d[:])
	return d
}

func (s *snapshotReader) sum() (sum checksum) {
	s.bytes(sum[:])
	return sum
}

func (s *snapshotReader) fail(format string, a ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrSnapshot, fmt.Sprintf(format, a...))
	}
}

// read applies one snapshot to an image that nothing else uses yet. It gives the snapshot's checksum.
func (im *image) read(r io.Reader, p *program, before checksum, first bool) (sum checksum, err error) {
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(r, magic); err != nil {
		return sum, fmt.Errorf("%w: it is cut off: %w", ErrSnapshot, err)
	}
	if string(magic[:7]) != snapshotMagic[:7] {
		return sum, fmt.Errorf("%w: these bytes are no snapshot", ErrSnapshot)
	}
	if string(magic) != snapshotMagic {
		return sum, fmt.Errorf("%w: it has version %d of the format, this node reads version %d", ErrSnapshot, magic[7], snapshotMagic[7])
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(snapshotWindow), zstd.WithDecoderMaxMemory(p.abi.heapMax+snapshotFilesMax))
	if err != nil {
		return sum, err
	}
	defer z.Close()
	h := xxh3.New()
	h.Write(magic)
	s := &snapshotReader{r: bufio.NewReaderSize(z, 64<<10), hash: h}
	kind := s.byte()
	module, base, link := s.digest(), s.digest(), s.sum()
	format := make([]byte, s.byte())
	s.bytes(format)
	switch {
	case s.err != nil:
	case kind > snapshotDelta:
		s.fail("its kind %d is unknown", kind)
	case module != p.hash || string(format) != p.abi.format:
		s.fail("it is of another module or format")
	case base != im.base.digest:
		s.fail("it was made by a version of this node that starts modules differently; evaluate the process anew")
	case first && kind != snapshotFull:
		s.fail("the first one has to be a full one")
	case kind == snapshotDelta && link != before:
		s.fail("it does not follow the one before it")
	case kind == snapshotFull:
		im.clear() // it stands for itself, whatever came before
	}
	size := s.word()
	if s.err == nil && (size%wasmPage != 0 || size < im.size || size > p.abi.heapMax) {
		s.fail("a memory of %d bytes is not possible", size)
	}
	host := s.host()
	globals := s.globals(len(p.info.MutableGlobals))
	if s.err == nil {
		im.version++
		s.pages(im, size, kind)
	}
	sum = h.Sum128().Bytes()
	if said := s.sum(); s.err == nil && said != sum {
		s.fail("its checksum is wrong")
	}
	if s.err != nil {
		return sum, s.err
	}
	im.size, im.host, im.globals = size, host, globals
	return sum, nil
}

func (s *snapshotReader) host() (h hostState) {
	h.Clock, h.Temp = s.word(), s.word()
	h.Zone = s.byte() != 0
	n := s.long()
	if n > snapshotFilesMax {
		s.fail("files of %d bytes are too large", n)
		return h
	}
	b := make([]byte, 0, min(n, 1<<20))
	for len(b) < int(n) && s.err == nil {
		part := make([]byte, min(int(n)-len(b), 1<<20))
		s.bytes(part)
		b = append(b, part...)
	}
	if s.err == nil {
		if err := h.Files.decode(b); err != nil {
			s.fail("%v", err)
		}
	}
	return h
}

func (s *snapshotReader) globals(want int) []uint64 {
	n := s.long()
	if s.err == nil && (int(n) != want || n > snapshotGlobalsMax) {
		s.fail("it has %d globals, the module has %d", n, want)
	}
	if s.err != nil {
		return nil
	}
	globals := make([]uint64, n)
	for i := range globals {
		globals[i] = s.word()
	}
	return globals
}

func (s *snapshotReader) pages(im *image, size uint64, kind byte) {
	var body page
	last := -1
	for s.err == nil {
		how := s.byte()
		if how == pagesEnd || s.err != nil {
			return
		}
		i := int(s.long())
		s.bytes(body[:])
		switch {
		case s.err != nil:
		case i <= last || uint64(i) >= size/pageSize:
			s.fail("page %d is out of order or outside the memory", i)
		case how == pageXor && kind == snapshotDelta:
			xor(body[:], im.content(i))
			im.set(i, body[:])
		case how == pageRaw:
			im.set(i, body[:])
		default:
			s.fail("page %d is of an unknown kind", i)
		}
		last = i
	}
}

// PinMemory holds the committed state, of which the linear memory is to be written.
func (i *instance) PinMemory() (write func(io.Writer) (int64, error), err error) {
	p, err := i.hold()
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) (n int64, err error) {
		defer i.letGo(p)
		p.ready()
		part := make([]byte, 0, chunkLen*pageSize)
		for c := 0; uint64(n) < p.state.size; c++ {
			if part, err = p.contents(part[:0], c, p.pin.version, p.state.size); err != nil {
				return n, err
			}
			m, err := w.Write(part)
			n += int64(m)
			if err != nil {
				return n, err
			}
		}
		return n, nil
	}, nil
}

// Memory writes the committed linear memory as a whole. Like Snapshot it may run beside evaluations.
func (i *instance) Memory(w io.Writer) (int64, error) {
	write, err := i.PinMemory()
	if err != nil {
		return 0, err
	}
	return write(w)
}

// contents copies the pages of one chunk as they are in a version.
func (im *image) contents(b []byte, c int, version, size uint64) ([]byte, error) {
	im.mu.RLock()
	defer im.mu.RUnlock()
	if im.closed {
		return b, vm.ErrClosed
	}
	for k := c * chunkLen; k < min((c+1)*chunkLen, int(size/pageSize)); k++ {
		if p := im.atVersion(k, version); p != nil {
			b = append(b, p[:]...)
		} else {
			b = append(b, im.base.content(k)...)
		}
	}
	return b, nil
}

// readMemory makes a linear memory given as a whole the image.
func (im *image) readMemory(r io.Reader, a *abi) error {
	im.version++
	var p page
	i := 0
	for ; ; i++ {
		_, err := io.ReadFull(r, p[:])
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: a memory is a whole number of pages: %w", ErrSnapshot, err)
		}
		if uint64(i) >= a.heapMax/pageSize {
			return fmt.Errorf("%w: the memory is larger than the format allows", ErrSnapshot)
		}
		if string(im.content(i)) != string(p[:]) {
			im.set(i, p[:])
		}
	}
	size := uint64(i) * pageSize
	if size%wasmPage != 0 || size < im.size {
		return fmt.Errorf("%w: a memory of %d bytes is not possible for this module", ErrSnapshot, size)
	}
	im.size = size
	return nil
}
