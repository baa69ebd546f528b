package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// stop is the brake of a store whose disk fails. It is the engine's logger and wraps its files.
//
// The engine has no way on from a failed write: depending on the file it ends the process, panics with its locks released
// in the wrong order, or tries again without a pause while writers wait. So it is never told. The goroutine that met the
// failure stays where it is, the store tells its callers, and what was written before can still be read. While the store
// is being opened there are no callers yet, and errors go the usual way.
type stop struct {
	log    *slog.Logger
	armed  atomic.Bool // set when the store is open
	once   sync.Once
	failed chan struct{} // closed by the first failure
	cause  error
}

func newStop(log *slog.Logger) *stop { return &stop{log: log, failed: make(chan struct{})} }

// fault gives the first failure in the words of the store, or nil.
func (s *stop) fault() error {
	select {
	case <-s.failed:
		return writeFault(s.cause)
	default:
		return nil
	}
}

func (s *stop) fail(err error) {
	s.once.Do(func() {
		s.cause = err
		s.log.Error("the store stopped writing", "err", err)
		close(s.failed)
	})
	if s.armed.Load() {
		select {}
	}
}

// check does not return if a write failed. A file that is there, or is not, is an answer and no failure.
func (s *stop) check(err error) error {
	for _, answer := range []error{nil, fs.ErrExist, fs.ErrNotExist, errors.ErrUnsupported} {
		if errors.Is(err, answer) {
			return err
		}
	}
	if s.armed.Load() {
		s.fail(err)
	}
	return err
}

func (s *stop) Infof(format string, args ...any) { s.log.Debug(fmt.Sprintf(format, args...)) }

func (s *stop) Errorf(format string, args ...any) { s.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf is where the engine gives up.
func (s *stop) Fatalf(format string, args ...any) { s.fail(fmt.Errorf(format, args...)) }

// listener reports what the engine would end the process for, although the caller gets it as an error.
func (s *stop) listener() *pebble.EventListener {
	return &pebble.EventListener{
		DataCorruption: func(info pebble.DataCorruptionInfo) { s.log.Error("the store is damaged", "details", info.String()) },
		DiskSlow: func(info pebble.DiskSlowInfo) {
			if s.fault() == nil { // what stays where it is looks slow, too
				s.log.Warn("the disk is slow", "details", info.String())
			}
		},
	}
}

// files checks everything that changes the disk.
type files struct {
	vfs.FS
	stop *stop
}

func (f files) file(file vfs.File, err error) (vfs.File, error) {
	if err := f.stop.check(err); err != nil {
		return nil, err
	}
	return checkedFile{file, f.stop}, nil
}

func (f files) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(f.FS.Create(name, category))
}

func (f files) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.file(f.FS.OpenReadWrite(name, category, opts...))
}

func (f files) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(f.FS.ReuseForWrite(oldname, newname, category))
}

func (f files) OpenDir(name string) (vfs.File, error) { return f.file(f.FS.OpenDir(name)) }

func (f files) Link(oldname, newname string) error { return f.stop.check(f.FS.Link(oldname, newname)) }

func (f files) Rename(oldname, newname string) error {
	return f.stop.check(f.FS.Rename(oldname, newname))
}

func (f files) Unwrap() vfs.FS { return f.FS }

type checkedFile struct {
	vfs.File
	stop *stop
}

func (f checkedFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, f.stop.check(err)
}

func (f checkedFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	return n, f.stop.check(err)
}

func (f checkedFile) Preallocate(offset, length int64) error {
	return f.stop.check(f.File.Preallocate(offset, length))
}

func (f checkedFile) Sync() error { return f.stop.check(f.File.Sync()) }

func (f checkedFile) SyncData() error { return f.stop.check(f.File.SyncData()) }

func (f checkedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.stop.check(err)
}

var (
	_ pebble.Logger = (*stop)(nil)
	_ vfs.FS        = files{}
	_ vfs.File      = checkedFile{}
)
