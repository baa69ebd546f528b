//go:build linux && amd64 && cgo

package wasm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ago/vm"
)

// The drive: files of the world outside, by the three imports that published modules open, read and close them with.
//
// A file of /data stays outside and is read where the module reads it: it may be larger than any memory. Its node knows
// its size. Records (/tx, /tx2, /block) are small and are kept in the module's own file system once they were opened, as
// the reference does.

// Limits of one evaluation. They decide results, so they are the same everywhere.
const (
	driveOpensMax  = 1024
	driveBytesMax  = 8 << 30
	driveRecordMax = 16 << 20 // bytes of one record
)

const (
	// driveCallMax is how long one call may wait for bytes. Then the evaluation is unfinished.
	driveCallMax = 60 * time.Second
	driveBuffer  = 256 << 10
)

// driveState is what a machine knows of the drive during an evaluation.
type driveState struct {
	of    vm.Drive
	ctx   context.Context
	used  bool // the evaluation cannot be repeated without it
	opens int
	bytes int64
}

// soughtEnd is the position of a stream after a seek to the end of a file of the drive. Modules learn the size of a file
// by such a seek and read all of it right afterwards, without going back: aos does to boot. In the reference that
// works because the position becomes a text there; so a read by the drive's own import begins at the start then.
const soughtEnd = 1 << 60

var driveHosts = map[string]hostFunc{
	"__asyncjs__weavedrive_open": func(m *machine, a *args) uint64 {
		return m.wait(func() uint64 {
			if m.drive.of == nil {
				return 0 // nothing is attached: the loader's answer is null
			}
			return uint64(m.openDrive(string(decodeText(m.text(a[0])))))
		})
	},
	"__asyncjs__weavedrive_read": func(m *machine, a *args) uint64 {
		if m.drive.of == nil && m.async.state == asyncNormal {
			m.stop("Module2.WeaveDrive is not a function")
		}
		return m.wait(func() uint64 { return uint64(m.readDrive(a[0], a[1], a[2])) })
	},
	"__asyncjs__weavedrive_close": func(m *machine, a *args) uint64 {
		if m.drive.of == nil && m.async.state == asyncNormal {
			m.stop("Module2.WeaveDrive is not a function")
		}
		return m.wait(func() uint64 {
			if m.host.Files.look().stream(a[0]) != nil {
				m.host.Files.edit().closeStream(a[0])
			}
			return 0
		})
	},
}

// openDrive gives the descriptor of a file, 0 if there is none.
func (m *machine) openDrive(name string) int {
	m.drive.used = true
	parts := strings.SplitN(name, "/", 4)
	if len(parts) < 3 || parts[0] != "" {
		return 0
	}
	folder, id := parts[1], parts[2]
	record := folder == "tx" || folder == "tx2" || folder == "block"
	if !record && folder != "data" {
		return 0
	}
	fs := m.host.Files.edit()
	if _, _, e := fs.find("/"+folder, true); record && e == errNotFound {
		if _, e := fs.create("/"+folder, modeFolder|0o777, m.host.Clock); e != 0 {
			return 0
		}
		m.now()
	}
	p := "/" + folder + "/" + id
	clean, n, e := fs.find(p, true)
	if e == errNotFound && clean == p {
		n = m.addDriveFile(fs, p, record)
	} else if e != 0 {
		return 0
	}
	if n == nil {
		return 0
	}
	fd, e := fs.openStream(&stream{node: n.id, path: p}, 0)
	if e != 0 {
		return 0
	}
	return fd
}

// addDriveFile makes the node of a file of the drive, nil if there is none.
func (m *machine) addDriveFile(fs *fileSystem, p string, record bool) *node {
	if m.drive.opens++; m.drive.opens > driveOpensMax {
		m.stop(fmt.Sprintf("HALT: MORE THAN %d FILES OPENED", driveOpensMax))
	}
	ctx, cancel := context.WithTimeout(m.drive.ctx, driveCallMax)
	defer cancel()
	size, err := m.drive.of.Open(ctx, p)
	if errors.Is(err, vm.ErrNoFile) {
		return nil
	}
	m.driveFailed(p, err)
	if record && size > driveRecordMax {
		m.stop("HALT: FILE TOO LARGE")
	}
	n, e := fs.create(p, modeFile|0o555, m.host.Clock)
	if e != 0 {
		return nil
	}
	m.now()
	if !record {
		n.link = strconv.FormatInt(size, 10)
		return n
	}
	data := make([]byte, size)
	got := m.fetch(p, data, 0)
	// The reference makes the file writable, empties and fills it, and takes the right to write away again.
	m.now()
	m.now()
	if got > 0 {
		m.now()
	}
	n.time = m.now()
	if fs.writeAt(n, data[:got], 0) != 0 {
		return nil
	}
	return n
}

// readDrive reads into the module's memory and gives the number of bytes.
func (m *machine) readDrive(fd, p, size uint64) int {
	s := m.host.Files.look().stream(fd)
	if s == nil {
		return 0
	}
	fs := m.host.Files.edit()
	s = fs.stream(fd)
	n := fs.nodes[s.node]
	if n.mode&modeKind != modeFile {
		return 0
	}
	if s.position == soughtEnd {
		s.position = 0
	}
	got := m.readFile(s.path, n, m.span(p, size), s.position)
	s.position += int64(got)
	return got
}

// readFile reads from a file, be its data here or outside.
func (m *machine) readFile(path string, n *node, b []byte, at int64) int {
	rest := n.size() - at
	if rest <= 0 {
		return 0
	}
	b = b[:min(int64(len(b)), rest)]
	if n.link == "" {
		return copy(b, n.data[at:])
	}
	m.drive.used = true
	return m.fetch(path, b, at)
}

// fetch reads from a file of the drive, by way of a buffer: the linear memory is not handed out.
func (m *machine) fetch(path string, b []byte, at int64) (total int) {
	if m.drive.of == nil {
		m.stop("Module2.WeaveDrive is not a function")
	}
	if m.drive.bytes += int64(len(b)); m.drive.bytes > driveBytesMax {
		m.stop(fmt.Sprintf("HALT: MORE THAN %d BYTES READ", int64(driveBytesMax)))
	}
	ctx, cancel := context.WithTimeout(m.drive.ctx, driveCallMax)
	defer cancel()
	buffer := make([]byte, min(len(b), driveBuffer))
	for total < len(b) {
		part := buffer[:min(len(b)-total, len(buffer))]
		got, err := m.drive.of.ReadAt(ctx, path, part, at+int64(total))
		m.driveFailed(path, err)
		if got < len(part) {
			// The size was told before; what is short now is not the file.
			m.driveFailed(path, fmt.Errorf("%d bytes are missing at %d", len(part)-got, at+int64(total)))
		}
		total += copy(b[total:], part)
	}
	return total
}

// driveFailed ends the evaluation if there is an error: with a result if the file is refused, otherwise without one.
func (m *machine) driveFailed(path string, err error) {
	if err == nil {
		return
	}
	var refused *vm.Refused
	if errors.As(err, &refused) {
		m.stop(refused.Text)
	}
	m.fault = fmt.Errorf("%w: file %s cannot be read now: %w", vm.ErrUnfinished, path, err)
	panic(halt{})
}

// size is the length of a file in bytes.
func (n *node) size() int64 {
	if n.link != "" && n.mode&modeKind == modeFile {
		size, _ := strconv.ParseInt(n.link, 10, 64)
		return size
	}
	return int64(len(n.data))
}

// foreverReadOnly tells files of the drive from those that a module made.
func (n *node) foreverReadOnly() bool { return n.mode&modeKind == modeFile && n.mode&0o222 == 0 }

// at is the position of a stream in its file.
func (s *stream) at(n *node) int64 {
	if s.position == soughtEnd {
		return n.size()
	}
	return s.position
}
