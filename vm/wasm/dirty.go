//go:build linux && amd64 && cgo

package wasm

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Finding the pages that an instance has written.
//
// Few pages: the kernel lists the resident private pages of the memory, and each is compared with the image. Pages
// never touched are neither listed nor touched by looking. The message itself runs at full speed.
//
// Many pages: the memory is write-protected in the kernel's asynchronous mode, in which the first write to a page costs
// a fault and nothing else, and only the pages written since the last look are listed. A message then costs what it
// writes, however large the state is.

type region struct{ start, end, _ uint64 } // the last one holds categories

// pmScan is the argument of the PAGEMAP_SCAN call.
type pmScan struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages   uint64
	categoryInverted, categoryMask, categoryAnyof, returnMask uint64
}

const (
	pagemapScan = 3<<30 | uint(unsafe.Sizeof(pmScan{}))<<16 | 'f'<<8 | 16

	pageIsWritten, pageIsFile, pageIsPresent, pageIsSwapped, pageIsZero = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5

	protectMatching = 1 // write-protect what is listed

	uffdAPI       = 0xAA
	uffdioAPI     = 3<<30 | 24<<16 | uffdAPI<<8 | 0x3F
	uffdioReg     = 3<<30 | 32<<16 | uffdAPI<<8
	uffdUserOnly  = 1
	uffdShmem     = 1 << 12 // the module's data is a private mapping of shared memory
	uffdAsync     = 1 << 15
	uffdModeWrite = 1 << 1

	// trackFrom is the number of written pages from which protecting pays: comparing 8 MB takes about as long as the
	// faults of a usual message.
	trackFrom = 2048
)

// scanner finds written pages.
type scanner struct {
	pagemap *os.File
	uffd    int // -1: the kernel cannot protect; every page is compared, which is slow but right
	buffers sync.Pool
	noHuge  bool
	from    int // number of written pages from which a machine is tracked
}

func newScanner() (*scanner, error) {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, err
	}
	s := &scanner{pagemap: f, uffd: -1, from: trackFrom}
	s.buffers.New = func() any { return new([256]region) }
	if err := s.probe(); err != nil {
		f.Close()
		return nil, fmt.Errorf("wasm: this kernel cannot list written pages (PAGEMAP_SCAN, Linux 6.7 or newer): %w", err)
	}
	s.protect()
	huge, _ := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	s.noHuge = strings.Contains(string(huge), "[always]")
	return s, nil
}

// probe looks whether the kernel lists pages rightly.
func (s *scanner) probe() error {
	mem, err := unix.Mmap(-1, 0, 2*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	defer unix.Munmap(mem)
	mem[pageSize] = 1
	first, n := -1, 0
	err = s.written(mem, func(f, k int) { first, n = f, n+k })
	if err == nil && (first != 1 || n != 1) {
		err = errors.New("it lists other pages than the written ones")
	}
	return err
}

// protect opens the write protection, if the kernel has it.
func (s *scanner) protect() {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK|uffdUserOnly, 0, 0)
	if errno != 0 {
		return
	}
	api := struct{ api, features, ioctls uint64 }{api: uffdAPI, features: uffdAsync | uffdShmem}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uffdioAPI, uintptr(unsafe.Pointer(&api))); errno != 0 {
		unix.Close(int(fd))
		return
	}
	s.uffd = int(fd)
}

func (s *scanner) close() {
	s.pagemap.Close()
	if s.uffd >= 0 {
		unix.Close(s.uffd)
	}
}

// prepare readies a fresh memory: large pages would make a process of two megabytes take thirty.
func (s *scanner) prepare(mem []byte) {
	if s.noHuge {
		_ = unix.Madvise(mem, unix.MADV_NOHUGEPAGE)
	}
}

// written calls f for each run of pages of mem that have private content, by the index of the first and their number.
func (s *scanner) written(mem []byte, f func(first, n int)) error {
	return s.scan(mem, 0, pmScan{
		categoryInverted: pageIsFile | pageIsZero, categoryMask: pageIsFile | pageIsZero,
		categoryAnyof: pageIsPresent | pageIsSwapped,
	}, f)
}

// changed calls f for each run of pages of a machine that may have been written since the last call for it. Some of
// them were not.
func (s *scanner) changed(m *machine, f func(first, n int)) error {
	err := s.scan(m.mem[:m.tracked], 0, pmScan{
		// Exactly this question the kernel answers without looking at the pages themselves, ten times faster than any
		// narrower one.
		flags: protectMatching, categoryMask: pageIsWritten, returnMask: pageIsWritten,
	}, f)
	if err != nil {
		return err
	}
	skip := m.tracked / pageSize
	return s.written(m.mem[m.tracked:], func(first, n int) { f(first+skip, n) })
}

// track makes changed list only what was written since, for the whole of the machine's memory as it is now. Where the
// kernel cannot do that, changed goes on listing all.
func (s *scanner) track(m *machine) error {
	if s.uffd < 0 || m.tracked == len(m.mem) {
		return nil
	}
	part := m.mem[m.tracked:]
	reg := struct{ start, length, mode, ioctls uint64 }{
		start: uint64(uintptr(unsafe.Pointer(&part[0]))), length: uint64(len(part)), mode: uffdModeWrite,
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.uffd), uffdioReg, uintptr(unsafe.Pointer(&reg))); errno != 0 {
		return nil
	}
	before := m.tracked
	m.tracked = len(m.mem)
	return s.scan(m.mem, before, pmScan{
		flags: protectMatching, categoryMask: pageIsWritten, returnMask: pageIsWritten,
	}, func(first, n int) {})
}

// scan lists runs of pages of mem from an offset on.
func (s *scanner) scan(mem []byte, from int, arg pmScan, f func(first, n int)) error {
	if from >= len(mem) {
		return nil
	}
	buf := s.buffers.Get().(*[256]region)
	defer s.buffers.Put(buf)
	base := uint64(uintptr(unsafe.Pointer(&mem[0])))
	arg.size = uint64(unsafe.Sizeof(pmScan{}))
	arg.start, arg.end = base+uint64(from), base+uint64(len(mem))
	arg.vec, arg.vecLen = uint64(uintptr(unsafe.Pointer(buf))), uint64(len(buf))
	for arg.start < arg.end {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, s.pagemap.Fd(), uintptr(pagemapScan), uintptr(unsafe.Pointer(&arg)))
		if errno == unix.EINTR || errno == unix.EAGAIN {
			continue
		}
		if errno != 0 {
			return errno
		}
		for _, r := range buf[:n] {
			f(int((r.start-base)/pageSize), int((r.end-r.start)/pageSize))
		}
		if arg.walkEnd <= arg.start {
			break
		}
		arg.start = arg.walkEnd
	}
	return nil
}
