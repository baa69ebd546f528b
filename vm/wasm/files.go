//go:build linux && amd64 && cgo

package wasm

import (
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"
)

// Numbers of errors as the C library of these modules counts them.
const (
	errNoAccess    = 2
	errBadFile     = 8
	errBusy        = 10
	errExists      = 20
	errInvalid     = 28
	errInput       = 29
	errIsFolder    = 31
	errLoop        = 32
	errTooMany     = 33
	errNotFound    = 44
	errNoSpace     = 51
	errNoSystem    = 52
	errNotFolder   = 54
	errNotEmpty    = 55
	errNotTerminal = 59
	errNotAllowed  = 63
	errRange       = 68
	errNoPosition  = 70
)

// Kinds of files, as in a mode.
const (
	modeKind   = 0o170000
	modeFolder = 0o040000
	modeFile   = 0o100000
	modeDevice = 0o020000
	modeLink   = 0o120000
)

// Flags of an open file.
const (
	openAccess   = 2097155 // reading, writing or both; and the flag for a path only
	openCreate   = 0o100
	openNew      = 0o200
	openTruncate = 0o1000
	openAppend   = 0o2000
	openFolder   = 0o200000
	openNoFollow = 0o400000
)

// Limits of the files of one process. They are state that every snapshot carries, and the linear memory is the place
// for large state.
const (
	filesBytesMax   = 256 << 20
	filesCountMax   = 1 << 16
	filesStreamsMax = 4096 // the reference's own
	linksMax        = 40
)

// files is what a module sees of a file system: one in memory, as with the reference, empty but for the usual folders
// and devices. It is state, copied only when it is written to.
type files struct{ fs *fileSystem }

type fileSystem struct {
	nodes   map[int]*node
	names   map[string]int // by clean absolute path
	streams []*stream      // by descriptor
	next    int            // number of the next node
	entropy uint64         // bytes read from the random devices, which repeat themselves from process to process
	bytes   int            // of all contents
	shared  atomic.Bool    // more than one state holds it: copy before writing
}

type node struct {
	id, mode, device int
	time             uint64 // of the last change, by the module's clock
	data             []byte
	foreign          bool   // data is shared with an older state
	link             string // where a link leads to; of a file of the drive its size, since its data is not here
}

type stream struct {
	node, flags int
	position    int64
	path        string
}

func makeDevice(major, minor int) int { return major<<8 | minor }

var (
	deviceNull     = makeDevice(1, 3)
	deviceTerminal = makeDevice(5, 0)
	deviceErrors   = makeDevice(6, 0)
	deviceRandom   = makeDevice(64, 0)
	deviceURandom  = makeDevice(65, 0)
)

// newFileSystem is what a module finds at its start. The order decides the node numbers.
func newFileSystem() *fileSystem {
	fs := &fileSystem{nodes: map[int]*node{}, names: map[string]int{}, next: 1}
	folder := func(p string) { fs.add(p, modeFolder|0o777, 0, clockStart) }
	device := func(p string, mode, d int) { fs.add(p, modeDevice|mode, d, clockStart) }
	for _, p := range []string{"/", "/tmp", "/home", "/home/web_user", "/dev"} {
		folder(p)
	}
	device("/dev/null", 0o666, deviceNull)
	device("/dev/tty", 0o666, deviceTerminal)
	device("/dev/tty1", 0o666, deviceErrors)
	device("/dev/random", 0o555, deviceRandom)
	device("/dev/urandom", 0o555, deviceURandom)
	for _, p := range []string{"/dev/shm", "/dev/shm/tmp", "/proc", "/proc/self", "/proc/self/fd"} {
		folder(p)
	}
	fs.next++ // the file system mounted there
	for i, s := range []struct{ name, to string }{{"/dev/stdin", "/dev/tty"}, {"/dev/stdout", "/dev/tty"}, {"/dev/stderr", "/dev/tty1"}} {
		fs.add(s.name, modeLink|0o777, 0, clockStart+uint64(i)).link = s.to
		fs.streams = append(fs.streams, &stream{node: fs.names[s.to], flags: min(i, 1), path: s.to})
	}
	folder("/data")
	return fs
}

func (fs *fileSystem) add(p string, mode, device int, now uint64) *node {
	n := &node{id: fs.next, mode: mode, device: device, time: now}
	fs.nodes[n.id], fs.names[p] = n, n.id
	fs.next++
	return n
}

// clone gives a second holder of the same files.
func (f files) clone() files {
	if f.fs != nil {
		f.fs.shared.Store(true)
	}
	return f
}

// look gives the files for reading.
func (f *files) look() *fileSystem {
	if f.fs == nil {
		f.fs = newFileSystem()
	}
	return f.fs
}

// edit gives the files for changing.
func (f *files) edit() *fileSystem {
	fs := f.look()
	if !fs.shared.Load() {
		return fs
	}
	c := &fileSystem{nodes: make(map[int]*node, len(fs.nodes)), names: maps.Clone(fs.names), next: fs.next, entropy: fs.entropy, bytes: fs.bytes}
	for id, n := range fs.nodes {
		m := *n
		m.foreign = true
		c.nodes[id] = &m
	}
	for _, s := range fs.streams {
		if s != nil {
			t := *s
			s = &t
		}
		c.streams = append(c.streams, s)
	}
	f.fs = c
	return c
}

func (fs *fileSystem) stream(fd uint64) *stream {
	if fd < uint64(len(fs.streams)) {
		return fs.streams[fd]
	}
	return nil
}

// find follows a path to its node. Links on the way are followed, one at the end only if asked for.
func (fs *fileSystem) find(p string, follow bool) (clean string, n *node, errno int) {
	clean = absolute(p)
	for range linksMax {
		if e := fs.passable(path.Dir(clean)); e != 0 {
			return clean, nil, e
		}
		n = fs.nodes[fs.names[clean]]
		if n == nil {
			return clean, nil, errNotFound
		}
		if n.mode&modeKind != modeLink || !follow {
			return clean, n, 0
		}
		clean = absolute(n.link)
	}
	return clean, nil, errLoop
}

// passable tells whether every part of a path is a folder.
func (fs *fileSystem) passable(dir string) int {
	n := fs.nodes[fs.names[dir]]
	if n == nil {
		if dir == "/" {
			return errNotFound
		}
		if e := fs.passable(path.Dir(dir)); e != 0 {
			return e
		}
		return errNotFound
	}
	if n.mode&modeKind != modeFolder {
		return errNotFolder
	}
	if n.mode&0o111 == 0 {
		return errNoAccess
	}
	return 0
}

func absolute(p string) string { return path.Clean("/" + p) }

// create makes a node where there is none.
func (fs *fileSystem) create(p string, mode int, now uint64) (*node, int) {
	clean := absolute(p)
	dir := path.Dir(clean)
	if e := fs.passable(dir); e != 0 {
		return nil, e
	}
	if fs.names[clean] != 0 {
		return nil, errExists
	}
	folder := fs.nodes[fs.names[dir]]
	if folder.mode&0o222 == 0 {
		return nil, errNoAccess
	}
	if len(fs.nodes) >= filesCountMax {
		return nil, errNoSpace
	}
	folder.time = now
	return fs.add(clean, mode, 0, now), 0
}

// remove takes a name away; the node stays while a stream has it open.
func (fs *fileSystem) remove(p string, folder bool, now uint64) int {
	clean, n, e := fs.find(p, false)
	if e != 0 {
		return e
	}
	parent := fs.nodes[fs.names[path.Dir(clean)]]
	isFolder := n.mode&modeKind == modeFolder
	switch {
	case parent.mode&0o222 == 0:
		return errNoAccess
	case folder && !isFolder:
		return errNotFolder
	case folder && clean == "/":
		return errBusy
	case !folder && isFolder:
		return errIsFolder
	case folder && fs.occupied(clean):
		return errNotEmpty
	}
	delete(fs.names, clean)
	parent.time = now
	fs.drop(n)
	return 0
}

func (fs *fileSystem) occupied(dir string) bool {
	for p := range fs.names {
		if strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

// drop forgets a node that has neither name nor stream.
func (fs *fileSystem) drop(n *node) {
	for _, id := range fs.names {
		if id == n.id {
			return
		}
	}
	if !slices.ContainsFunc(fs.streams, func(s *stream) bool { return s != nil && s.node == n.id }) {
		fs.bytes -= len(n.data)
		delete(fs.nodes, n.id)
	}
}

func (fs *fileSystem) rename(from, to string, now uint64) int {
	from, n, e := fs.find(from, false)
	if e != 0 {
		return e
	}
	to = absolute(to)
	if e := fs.passable(path.Dir(to)); e != 0 {
		return e
	}
	if from == to {
		return 0
	}
	folder := n.mode&modeKind == modeFolder
	switch {
	case strings.HasPrefix(to, from+"/"):
		return errInvalid
	case strings.HasPrefix(from, to+"/"):
		return errNotEmpty
	}
	if old := fs.nodes[fs.names[to]]; old != nil {
		oldFolder := old.mode&modeKind == modeFolder
		switch {
		case folder && !oldFolder:
			return errNotFolder
		case !folder && oldFolder:
			return errIsFolder
		case folder && fs.occupied(to):
			return errNotEmpty
		}
		delete(fs.names, to)
		fs.drop(old)
	}
	delete(fs.names, from)
	fs.names[to] = n.id
	if folder {
		for p, id := range maps.Clone(fs.names) {
			if rest, ok := strings.CutPrefix(p, from+"/"); ok {
				delete(fs.names, p)
				fs.names[to+"/"+rest] = id
			}
		}
	}
	fs.nodes[fs.names[path.Dir(from)]].time = now
	fs.nodes[fs.names[path.Dir(to)]].time = now
	return 0
}

// resize sets the length of a file.
func (fs *fileSystem) resize(n *node, size int64) int {
	grow := int(size) - len(n.data)
	if size < 0 {
		return errInvalid
	}
	if fs.bytes+grow > filesBytesMax {
		return errNoSpace
	}
	fs.bytes += grow
	if grow <= 0 && !n.foreign {
		clear(n.data[size:])
		n.data = n.data[:size]
		return 0
	}
	data := make([]byte, size, max(size, int64(cap(n.data))))
	copy(data, n.data)
	n.data, n.foreign = data, false
	return 0
}

// writeAt writes into a file, which grows as needed.
func (fs *fileSystem) writeAt(n *node, b []byte, at int64) int {
	if end := at + int64(len(b)); end > int64(len(n.data)) {
		grow := int(end) - len(n.data)
		if end > filesBytesMax || fs.bytes+grow > filesBytesMax {
			return errNoSpace
		}
		fs.bytes += grow
		if n.foreign || end > int64(cap(n.data)) {
			data := make([]byte, end, end+end/4)
			copy(data, n.data)
			n.data, n.foreign = data, false
		} else {
			n.data = n.data[:end]
		}
	} else if n.foreign {
		n.data, n.foreign = slices.Clone(n.data), false
	}
	copy(n.data[at:], b)
	return 0
}

// openStream gives the lowest free descriptor.
func (fs *fileSystem) openStream(s *stream, from int) (fd, errno int) {
	for fd = from; fd < filesStreamsMax; fd++ {
		if fd >= len(fs.streams) {
			fs.streams = append(fs.streams, make([]*stream, fd+1-len(fs.streams))...)
		}
		if fs.streams[fd] == nil {
			fs.streams[fd] = s
			return fd, 0
		}
	}
	return 0, errTooMany
}

func (fs *fileSystem) closeStream(fd uint64) {
	s := fs.streams[fd]
	fs.streams[fd] = nil
	if n := fs.nodes[s.node]; n != nil {
		fs.drop(n)
	}
}

// random gives the next byte of the random devices: a fixed sequence, since results must not depend on chance.
func (fs *fileSystem) random() byte {
	x := (fs.entropy/8 + 1) * 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	b := byte((x ^ x>>31) >> (fs.entropy % 8 * 8))
	fs.entropy++
	return b
}
