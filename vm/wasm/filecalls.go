//go:build linux && amd64 && cgo

package wasm

import "path"

// The file calls of the C library. In the oldest format they are the stubs of a build without files.

// fdResult is what calls of the fd_ family answer: the number of the error itself.
func fdCall(stub uint64, f func(m *machine, a *args) int) hostFunc {
	return func(m *machine, a *args) uint64 {
		if m.abi.noFiles {
			return stub
		}
		return uint64(f(m, a))
	}
}

// sysCall wraps calls that answer a number, or an error as a negative one.
func sysCall(f func(m *machine, a *args) (result, errno int)) hostFunc {
	return func(m *machine, a *args) uint64 {
		if m.abi.noFiles {
			return 0
		}
		v, errno := f(m, a)
		if errno != 0 {
			v = -errno
		}
		return uint64(uint32(v))
	}
}

// pathCall is a call that only answers whether it failed.
func pathCall(f func(m *machine, a *args) int) hostFunc {
	return sysCall(func(m *machine, a *args) (int, int) { return 0, f(m, a) })
}

var fileHosts = map[string]hostFunc{
	"fd_close": fdCall(errNoSystem, func(m *machine, a *args) int {
		if m.host.Files.look().stream(a[0]) == nil {
			return errBadFile
		}
		m.host.Files.edit().closeStream(a[0])
		return 0
	}),
	"fd_read": fdCall(errNoSystem, fdRead),
	"fd_write": func(m *machine, a *args) uint64 {
		if m.abi.noFiles {
			word := uint64(m.abi.pointer)
			total := uint64(0)
			for i := range a[2] {
				total += m.getWord(a[1] + i*2*word + word)
			}
			m.setWord(a[3], total)
			return 0
		}
		return uint64(fdWrite(m, a))
	},
	"fd_seek": fdCall(errNoPosition, fdSeek),
	"fd_sync": fdCall(errNoSystem, func(m *machine, a *args) int {
		if m.host.Files.look().stream(a[0]) == nil {
			return errBadFile
		}
		return 0
	}),
	"fd_fdstat_get": fdCall(errNoSystem, func(m *machine, a *args) int {
		fs := m.host.Files.look()
		s := fs.stream(a[0])
		if s == nil {
			return errBadFile
		}
		kind := byte(4)
		switch n := fs.nodes[s.node]; {
		case n.terminal():
			kind = 2
		case n.mode&modeKind == modeFolder:
			kind = 3
		}
		m.set8(a[1], kind)
		m.set8(a[1]+2, 0)
		m.set8(a[1]+3, 0)
		m.set64(a[1]+8, 0)
		m.set64(a[1]+16, 0)
		return 0
	}),

	"__syscall_openat": sysCall(openAt),
	"__syscall_dup3": sysCall(func(m *machine, a *args) (int, int) {
		s := m.host.Files.look().stream(a[0])
		if s == nil {
			return 0, errBadFile
		}
		if a[0] == a[1] || a[1] >= filesStreamsMax {
			return 0, errInvalid
		}
		fs := m.host.Files.edit()
		if fs.stream(a[1]) != nil {
			fs.closeStream(a[1])
		}
		t := *fs.stream(a[0])
		return fs.openStream(&t, int(a[1]))
	}),
	"__syscall_fcntl64": sysCall(fileControl),
	"__syscall_ioctl":   sysCall(deviceControl),
	"__syscall_ftruncate64": pathCall(func(m *machine, a *args) int {
		s := m.host.Files.look().stream(a[0])
		if s == nil {
			return errBadFile
		}
		if s.flags&openAccess == 0 {
			return errInvalid
		}
		size := int64(a[1])
		if m.abi.pointer == 4 {
			size = int64(a[1]&0xffffffff | a[2]<<32)
		}
		fs := m.host.Files.edit()
		return fs.truncate(fs.nodes[s.node], size, m)
	}),
	"__syscall_stat64":  pathCall(func(m *machine, a *args) int { return statPath(m, string(m.text(a[0])), a[1], true) }),
	"__syscall_lstat64": pathCall(func(m *machine, a *args) int { return statPath(m, string(m.text(a[0])), a[1], false) }),
	"__syscall_fstat64": pathCall(func(m *machine, a *args) int {
		s := m.host.Files.look().stream(a[0])
		if s == nil {
			return errBadFile
		}
		return statPath(m, s.path, a[1], true)
	}),
	"__syscall_newfstatat": pathCall(func(m *machine, a *args) int {
		p, e := m.pathAt(a[0], a[1], a[3]&0x1000 != 0)
		if e != 0 {
			return e
		}
		return statPath(m, p, a[2], a[3]&0x100 == 0)
	}),
	"__syscall_faccessat": pathCall(func(m *machine, a *args) int {
		p, e := m.pathAt(a[0], a[1], false)
		if e != 0 {
			return e
		}
		if a[2]&^7 != 0 {
			return errInvalid
		}
		_, n, e := m.host.Files.look().find(p, true)
		if e != 0 {
			return e
		}
		if a[2]&4 != 0 && n.mode&0o444 == 0 || a[2]&2 != 0 && n.mode&0o222 == 0 || a[2]&1 != 0 && n.mode&0o111 == 0 {
			return errNoAccess
		}
		return 0
	}),
	"__syscall_getcwd": sysCall(func(m *machine, a *args) (int, int) {
		if a[1] == 0 {
			return 0, errInvalid
		}
		if a[1] < 2 {
			return 0, errRange
		}
		m.write(a[0], []byte("/\x00"))
		return 2, 0
	}),
	"__syscall_readlinkat": sysCall(readLink),
	"__syscall_mkdirat": pathCall(func(m *machine, a *args) int {
		p, e := m.pathAt(a[0], a[1], false)
		if e != 0 {
			return e
		}
		fs := m.host.Files.edit()
		if _, e := fs.create(p, modeFolder|int(a[2])&0o1777, m.host.Clock); e != 0 {
			return e
		}
		m.now()
		return 0
	}),
	"__syscall_unlinkat": pathCall(func(m *machine, a *args) int {
		p, e := m.pathAt(a[0], a[1], false)
		if e != 0 {
			return e
		}
		if a[2] != 0 && a[2] != 512 {
			m.stop("Aborted(Invalid flags passed to unlinkat)")
		}
		return m.remove(p, a[2] == 512)
	}),
	"__syscall_rmdir": pathCall(func(m *machine, a *args) int { return m.remove(string(m.text(a[0])), true) }),
	"__syscall_renameat": pathCall(func(m *machine, a *args) int {
		from, e := m.pathAt(a[0], a[1], false)
		if e != 0 {
			return e
		}
		to, e := m.pathAt(a[2], a[3], false)
		if e != 0 {
			return e
		}
		if absolute(from) == absolute(to) {
			_, _, e := m.host.Files.look().find(from, false)
			return e
		}
		if e := m.host.Files.edit().rename(from, to, m.host.Clock); e != 0 {
			return e
		}
		m.now()
		return 0
	}),
	"__syscall_chmod": pathCall(func(m *machine, a *args) int {
		_, n, e := m.host.Files.edit().find(string(m.text(a[0])), true)
		if e == 0 {
			n.setMode(int(a[1]), m.now())
		}
		return e
	}),
	"__syscall_fchmod": pathCall(func(m *machine, a *args) int {
		fs := m.host.Files.edit()
		s := fs.stream(a[0])
		if s == nil {
			return errBadFile
		}
		fs.nodes[s.node].setMode(int(a[1]), m.now())
		return 0
	}),
	"__syscall_fchown32": pathCall(func(m *machine, a *args) int {
		fs := m.host.Files.edit()
		s := fs.stream(a[0])
		if s == nil {
			return errBadFile
		}
		fs.nodes[s.node].time = m.now()
		return 0
	}),
	"__syscall_utimensat": pathCall(func(m *machine, a *args) int {
		p, e := m.pathAt(a[0], a[1], true)
		if e != 0 {
			return e
		}
		now := uint64(0)
		if a[2] == 0 {
			now = m.now()
		} else {
			for _, at := range []uint64{a[2], a[2] + 16} {
				now = max(now, m.get64(at)*1000+uint64(m.get32(at+8))/1000000)
			}
		}
		_, n, e := m.host.Files.edit().find(p, true)
		if e == 0 {
			n.time = now
		}
		return e
	}),
	"_munmap_js": pathCall(func(m *machine, a *args) int {
		fd := a[4]
		if m.host.Files.look().stream(fd) == nil {
			return errBadFile
		}
		return 0
	}),
}

func (n *node) terminal() bool { return n.device == deviceTerminal || n.device == deviceErrors }

func (n *node) setMode(mode int, now uint64) {
	n.mode = mode&0o7777 | n.mode&modeKind
	n.time = now
}

// pathAt reads a path that may be relative to an open folder.
func (m *machine) pathAt(dir, p uint64, allowEmpty bool) (string, int) {
	name := string(decodeText(m.text(p)))
	if len(name) > 0 && name[0] == '/' {
		return name, 0
	}
	base := "/"
	if int32(dir) != -100 {
		s := m.host.Files.look().stream(dir)
		if s == nil {
			return "", errBadFile
		}
		base = s.path
	}
	if name == "" {
		if !allowEmpty {
			return "", errNotFound
		}
		return base, 0
	}
	return path.Join(base, name), 0
}

func openAt(m *machine, a *args) (int, int) {
	p, e := m.pathAt(a[0], a[1], false)
	if e != 0 {
		return 0, e
	}
	flags := int(int32(a[2]))
	mode := 0
	if a[3] != 0 {
		mode = int(m.get32(a[3]))
	}
	clean, n, e := m.host.Files.look().find(p, flags&openNoFollow == 0)
	fs := m.host.Files.edit()
	created := false
	switch {
	case e == 0:
		n = fs.nodes[n.id] // edit may have copied it
		if flags&openCreate != 0 && flags&openNew != 0 {
			return 0, errExists
		}
	case flags&openCreate == 0:
		return 0, errNotFound
	default:
		if n, e = fs.create(clean, modeFile|mode&0o7777, m.host.Clock); e != 0 {
			return 0, e
		}
		m.now()
		created = true
	}
	kind := n.mode & modeKind
	if kind == modeDevice {
		flags &^= openTruncate
	}
	if flags&openFolder != 0 && kind != modeFolder {
		return 0, errNotFolder
	}
	if !created {
		if e := n.mayOpen(flags); e != 0 {
			return 0, e
		}
		if flags&openTruncate != 0 {
			if e := fs.truncate(n, 0, m); e != 0 {
				return 0, e
			}
		}
	}
	flags &^= openNew | openTruncate | openNoFollow
	return fs.openStream(&stream{node: n.id, flags: flags, path: clean}, 0)
}

func (n *node) mayOpen(flags int) int {
	write := flags&3 != 0
	read := flags&3 != 1
	truncate := flags&openTruncate != 0
	switch n.mode & modeKind {
	case modeLink:
		return errLoop
	case modeFolder:
		if write || truncate {
			return errIsFolder
		}
	}
	if read && n.mode&0o444 == 0 || (write || truncate) && n.mode&0o222 == 0 {
		return errNoAccess
	}
	return 0
}

func (fs *fileSystem) truncate(n *node, size int64, m *machine) int {
	switch {
	case n.mode&modeKind == modeFolder:
		return errIsFolder
	case n.mode&modeKind != modeFile || size < 0:
		return errInvalid
	case n.mode&0o222 == 0:
		return errNoAccess
	}
	n.time = m.now()
	return fs.resize(n, size)
}

func (m *machine) remove(p string, folder bool) int {
	if e := m.host.Files.edit().remove(p, folder, m.host.Clock); e != 0 {
		return e
	}
	m.now()
	return 0
}

// vectors calls f for each buffer of a list, until it is done or fails, and gives the sum of what f used.
func (m *machine) vectors(list, count uint64, f func(b []byte) (n, errno int)) (total, errno int) {
	word := uint64(m.abi.pointer)
	for i := range count {
		p, size := m.getWord(list+i*2*word), m.getWord(list+i*2*word+word)
		n, errno := f(m.span(p, size))
		if errno != 0 {
			return total, errno
		}
		total += n
		if uint64(n) < size {
			break
		}
	}
	return total, 0
}

func fdRead(m *machine, a *args) int {
	s := m.host.Files.look().stream(a[0])
	if s == nil || s.flags&openAccess == 1 {
		return errBadFile
	}
	total, e := m.vectors(a[1], a[2], func(b []byte) (int, int) {
		fs := m.host.Files.look()
		n := fs.nodes[s.node]
		switch {
		case n.mode&modeKind == modeFolder:
			return 0, errIsFolder
		case n.device == deviceRandom || n.device == deviceURandom:
			fs = m.host.Files.edit()
			for k := range b {
				b[k] = fs.random()
			}
			if len(b) > 0 {
				fs.nodes[s.node].time = m.now()
			}
			return len(b), 0
		case n.mode&modeKind != modeFile:
			return 0, 0 // nothing is ever typed, and nothing is in the null device
		}
		s = m.host.Files.edit().stream(a[0])
		place := s.at(n)
		k := m.readFile(s.path, n, b, place)
		s.position = place + int64(k)
		return k, 0
	})
	if e != 0 {
		return e
	}
	m.setWord(a[3], uint64(total))
	return 0
}

func fdWrite(m *machine, a *args) int {
	s := m.host.Files.look().stream(a[0])
	if s == nil || s.flags&openAccess == 0 {
		return errBadFile
	}
	n := m.host.Files.look().nodes[s.node]
	total, e := m.vectors(a[1], a[2], func(b []byte) (int, int) {
		switch {
		case n.mode&modeKind == modeFolder:
			return 0, errIsFolder
		case n.device == deviceNull:
			return len(b), 0
		case n.device == deviceRandom || n.device == deviceURandom:
			return 0, errInput
		case n.mode&modeKind != modeFile:
			if len(b) > 0 {
				m.now() // the terminal's time stamp
			}
			return len(b), 0
		}
		fs := m.host.Files.edit()
		s, n := fs.stream(a[0]), fs.nodes[n.id]
		if s.flags&openAppend != 0 {
			s.position = int64(len(n.data))
		}
		if len(b) == 0 {
			return 0, 0
		}
		n.time = m.now()
		if e := fs.writeAt(n, b, s.position); e != 0 {
			return 0, e
		}
		s.position += int64(len(b))
		return len(b), 0
	})
	if e != 0 {
		return e
	}
	m.setWord(a[3], uint64(total))
	return 0
}

func fdSeek(m *machine, a *args) int {
	offset, whence, result := int64(a[1]), a[2], a[3]
	if m.abi.pointer == 4 {
		offset, whence, result = int64(a[1]&0xffffffff|a[2]<<32), a[3], a[4]
	}
	fs := m.host.Files.look()
	s := fs.stream(a[0])
	if s == nil {
		return errBadFile
	}
	n := fs.nodes[s.node]
	if kind := n.mode & modeKind; kind == modeDevice {
		return errNoPosition
	}
	place := offset
	switch whence {
	case 0:
	case 1:
		place += s.at(n)
	case 2:
		place += n.size()
	default:
		return errInvalid
	}
	if place < 0 || place > 1<<53 {
		return errInvalid
	}
	m.set64(result, uint64(place))
	if n.foreverReadOnly() && place == n.size() && (whence == 2 || whence == 1 && offset == 0 && s.position == soughtEnd) {
		place = soughtEnd
	}
	m.host.Files.edit().stream(a[0]).position = place
	return 0
}

func fileControl(m *machine, a *args) (int, int) {
	s := m.host.Files.look().stream(a[0])
	if s == nil {
		return 0, errBadFile
	}
	switch a[1] {
	case 0:
		from := int32(m.get32(a[2]))
		if from < 0 {
			return 0, errInvalid
		}
		fs := m.host.Files.edit()
		t := *fs.stream(a[0])
		return fs.openStream(&t, int(from))
	case 1, 2, 6, 7:
		return 0, 0
	case 3:
		return s.flags, 0
	case 4:
		m.host.Files.edit().stream(a[0]).flags |= int(int32(m.get32(a[2])))
		return 0, 0
	case 5:
		p := m.getWord(a[2])
		m.set8(p, 2)
		m.set8(p+1, 0)
		return 0, 0
	}
	return 0, errInvalid
}

// What a terminal says of itself: rows and columns, and the settings of a line.
var (
	terminalSize  = [2]uint16{24, 80}
	terminalModes = [4]uint32{25856, 5, 191, 35387}
	terminalKeys  = []byte{3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22}
)

func deviceControl(m *machine, a *args) (int, int) {
	fs := m.host.Files.look()
	s := fs.stream(a[0])
	if s == nil {
		return 0, errBadFile
	}
	if !fs.nodes[s.node].terminal() {
		return 0, errNotTerminal
	}
	p := m.getWord(a[2])
	switch a[1] {
	case 21509, 21510, 21511, 21512, 21506, 21507, 21508, 21524, 21515:
		return 0, 0
	case 21505:
		if m.abi.environ {
			return 0, 0 // the older formats know no settings
		}
		for i, v := range terminalModes {
			m.set32(p+uint64(i)*4, v)
		}
		for i := range uint64(32) {
			key := byte(0)
			if i < uint64(len(terminalKeys)) {
				key = terminalKeys[i]
			}
			m.set8(p+17+i, key)
		}
		return 0, 0
	case 21519:
		m.set32(p, 0)
		return 0, 0
	case 21520:
		return 0, errInvalid
	case 21523:
		if m.abi.environ {
			return 0, 0
		}
		for i, v := range terminalSize {
			m.set8(p+uint64(i)*2, byte(v))
			m.set8(p+uint64(i)*2+1, byte(v>>8))
		}
		return 0, 0
	case 21531:
		return 0, errNotTerminal
	}
	return 0, errInvalid
}

func readLink(m *machine, a *args) (int, int) {
	p, e := m.pathAt(a[0], a[1], false)
	if e != 0 {
		return 0, e
	}
	if int64(a[3]) <= 0 {
		return 0, errInvalid
	}
	_, n, e := m.host.Files.look().find(p, false)
	if e != 0 {
		return 0, e
	}
	if n.mode&modeKind != modeLink {
		return 0, errInvalid
	}
	k := copy(m.span(a[2], a[3]), n.link)
	return k, 0
}

// statPath writes the facts of a file in the layout of the format.
func statPath(m *machine, p string, to uint64, follow bool) int {
	_, n, e := m.host.Files.look().find(p, follow)
	if e != 0 {
		return e
	}
	size, dev := uint64(n.size()), 1
	switch n.mode & modeKind {
	case modeFolder:
		size = 4096
	case modeLink:
		size = uint64(len(n.link))
	case modeDevice:
		dev = n.id
	}
	blocks := uint32((size + 4095) / 4096)
	seconds, nanos := n.time/1000, n.time%1000*1000
	put := func(at uint64, vs ...uint32) {
		for i, v := range vs {
			m.set32(to+at+uint64(i)*4, v)
		}
	}
	mode, device, id := uint32(n.mode), uint32(n.device), uint64(n.id)
	switch {
	case m.abi.pointer == 8:
		put(0, uint32(dev), mode)
		m.set64(to+8, 1)
		put(16, 0, 0, device)
		m.set64(to+32, size)
		put(40, 4096, blocks)
		for i := range uint64(3) {
			m.set64(to+48+i*16, seconds)
			m.set64(to+56+i*16, nanos)
		}
		m.set64(to+96, id)
	case m.abi.timePointer:
		put(0, uint32(dev), 0, uint32(id), mode, 1, 0, 0, device, 0)
		m.set64(to+40, size)
		put(48, 4096, blocks)
		for i := range uint64(3) {
			put(56+i*8, uint32(seconds), 0)
		}
		m.set64(to+80, id)
	default:
		put(0, uint32(dev), mode, 1, 0, 0, device)
		m.set64(to+24, size)
		put(32, 4096, blocks)
		for i := range uint64(3) {
			m.set64(to+40+i*16, seconds)
			put(48+i*16, uint32(nanos))
		}
		m.set64(to+88, id)
	}
	return 0
}
