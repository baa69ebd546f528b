//go:build linux && amd64 && cgo

package wasm

import "errors"

// Numbers of errors as the C library of these modules counts them.
const (
	errBadFile   = 8
	errNotFound  = 44
	errNoSystem  = 52
	errNotOpen   = 70 // seeking where there is no position
	errReadOnly  = 69
	errNotFolder = 54
	errNotTTY    = 59
	errInvalid   = 28
)

// files is what a module has open. The three standard streams always exist.
type files struct {
	Closed [3]bool
}

func (f files) clone() files { return f }

func (f files) encode() []byte {
	var bits byte
	for i, c := range f.Closed {
		if c {
			bits |= 1 << i
		}
	}
	return []byte{bits}
}

func (f *files) decode(b []byte) error {
	if len(b) != 1 || b[0] > 7 {
		return errors.New("its files are damaged")
	}
	for i := range f.Closed {
		f.Closed[i] = b[0]>>i&1 == 1
	}
	return nil
}

func (f *files) open(fd uint64) bool { return fd < 3 && !f.Closed[fd] }

var fileHosts = map[string]hostFunc{
	"fd_close": func(m *machine, a *args) uint64 {
		if m.abi.noFiles {
			return errNoSystem
		}
		if !m.host.Files.open(a[0]) {
			return errBadFile
		}
		m.host.Files.Closed[a[0]] = true
		return 0
	},
	"fd_read": func(m *machine, a *args) uint64 {
		if m.abi.noFiles {
			return errNoSystem
		}
		if !m.host.Files.open(a[0]) {
			return errBadFile
		}
		if a[0] != 0 {
			return 0
		}
		m.setWord(a[3], 0)
		return 0
	},
	"fd_write": func(m *machine, a *args) uint64 {
		if !m.abi.noFiles && !m.host.Files.open(a[0]) {
			return errBadFile
		}
		word := uint64(m.abi.pointer)
		total := uint64(0)
		for i := uint64(0); i < a[2]; i++ {
			n := m.getWord(a[1] + i*2*word + word)
			if n > 0 && !m.abi.noFiles {
				m.now() // the terminal's time stamp
			}
			total += n
		}
		m.setWord(a[3], total)
		return 0
	},
	"fd_seek": func(m *machine, a *args) uint64 {
		if !m.abi.noFiles && !m.host.Files.open(a[0]) {
			return errBadFile
		}
		return errNotOpen
	},
	"fd_sync":       func(m *machine, a *args) uint64 { return 0 },
	"fd_fdstat_get": func(m *machine, a *args) uint64 { return errBadFile },

	"__syscall_fcntl64": func(m *machine, a *args) uint64 { return 0 },
	"__syscall_ioctl":   func(m *machine, a *args) uint64 { return 0 },
	"__syscall_openat": func(m *machine, a *args) uint64 {
		if m.abi.noFiles {
			return 0
		}
		return negative(errNotFound)
	},
	"__syscall_dup3":       fileMissing,
	"__syscall_readlinkat": fileMissing,
	"__syscall_renameat":   fileMissing,
	"__syscall_rmdir":      fileMissing,
	"__syscall_unlinkat":   fileMissing,
	"__syscall_stat64":     fileMissing,
	"__syscall_lstat64":    fileMissing,
	"__syscall_newfstatat": fileMissing,
	"__syscall_faccessat":  fileMissing,
}

func fileMissing(m *machine, a *args) uint64 {
	if m.abi.noFiles {
		return 0
	}
	return negative(errNotFound)
}
