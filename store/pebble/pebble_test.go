package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"ago/fault"
	"ago/store"
	"ago/store/storetest"
)

var quiet = slog.New(slog.DiscardHandler)

func open(t testing.TB, dir string, files vfs.FS) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, FS: files, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func set(s *Store, key, value string, sync bool) error {
	b := &store.Batch{}
	b.Set([]byte(key), []byte(value))
	return s.Apply(b, sync)
}

func TestStoreOnDisk(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dirs := map[store.Store]string{}
	t.Run("suite", func(t *testing.T) {
		storetest.RunStore(t, storetest.Stores{
			Open: func(t testing.TB) store.Store {
				dir := t.TempDir()
				s := open(t, dir, nil)
				dirs[s] = dir
				return s
			},
			Reopen: func(t testing.TB, old store.Store) store.Store {
				if err := old.Close(); err != nil {
					t.Fatal(err)
				}
				s := open(t, dirs[old], nil)
				dirs[s] = dirs[old]
				return s
			},
		})
	})
}

func TestAFolderIsOpenOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	_, err := Open(Options{Dir: dir, Log: quiet})
	if fault.CodeOf(err) != "store-locked" || !strings.Contains(fault.HintOf(err), "another data folder") {
		t.Fatalf("Open: %v (%s)", err, fault.HintOf(err))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, nil)
}

func TestAnotherFormatIsRefused(t *testing.T) {
	for _, version := range []string{"0", fmt.Sprint(store.FormatVersion + 1), "", "x"} {
		files := vfs.NewMem()
		s := open(t, "data", files)
		if err := s.db.Set(formatKey, []byte(version), nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Dir: "data", FS: files, Log: quiet}); fault.CodeOf(err) != "store-format" {
			t.Errorf("format %q: %v", version, err)
		}
	}
}

func TestOnlySyncedChangesAreSureToSurvivePowerLoss(t *testing.T) {
	files := vfs.NewCrashableMem()
	s := open(t, "data", files)
	const writers, each = 8, 30
	var acknowledged sync.Map
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d/%03d", w, i)
				if err := set(s, key, key, true); err != nil {
					t.Error(err)
					return
				}
				acknowledged.Store(key, true)
			}
		})
	}
	var crashed []*vfs.MemFS
	var known []map[string]bool
	for range 5 {
		time.Sleep(time.Millisecond)
		before := map[string]bool{}
		acknowledged.Range(func(k, _ any) bool { before[k.(string)] = true; return true })
		crashed, known = append(crashed, files.CrashClone(vfs.CrashCloneCfg{})), append(known, before)
	}
	wg.Wait()
	if err := set(s, "late", "x", false); err != nil {
		t.Fatal(err)
	}
	crashed = append(crashed, files.CrashClone(vfs.CrashCloneCfg{}))
	all := map[string]bool{}
	acknowledged.Range(func(k, _ any) bool { all[k.(string)] = true; return true })
	known = append(known, all)
	for i, after := range crashed {
		s := open(t, "data", after)
		for key := range known[i] {
			if v, err := s.Get([]byte(key)); err != nil || string(v) != key {
				t.Fatalf("crash %d: %s is %q, %v", i, key, v, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, "data", crashed[len(crashed)-1])
	if _, err := s.Get([]byte("late")); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("what was not synced survived, so this test shows nothing: %v", err)
	}
}

// fullDisk lets every write and sync of files with the suffix fail from the moment it is told to.
type fullDisk struct {
	full   atomic.Bool
	suffix string
	failed atomic.Int64
}

func (d *fullDisk) String() string { return "full disk" }

func (d *fullDisk) MaybeError(op errorfs.Op) error {
	if d.full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, d.suffix) {
		d.failed.Add(1)
		return syscall.ENOSPC
	}
	return nil
}

func TestAClosedStoreHasAFault(t *testing.T) {
	s := open(t, "data", vfs.NewMem())
	if err := s.Close(); err != nil || !errors.Is(s.Fault(), store.ErrClosed) {
		t.Fatalf("%v, then %v", err, s.Fault())
	}
}

func TestAFullDiskEndsWritingAndNothingElse(t *testing.T) {
	for _, suffix := range []string{".log", ".sst", "MANIFEST", "0000", ""} {
		t.Run("at files with "+suffix, func(t *testing.T) {
			disk := &fullDisk{suffix: suffix}
			memory := vfs.NewCrashableMem()
			s, err := Open(Options{Dir: "data", FS: errorfs.Wrap(memory, disk), Log: quiet})
			if err != nil {
				t.Fatal(err)
			}
			if err := set(s, "before", "1", true); err != nil {
				t.Fatal(err)
			}
			if err := s.Fault(); err != nil {
				t.Fatalf("a store that writes has the fault %v", err)
			}
			disk.full.Store(true)
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					// Files other than the log are written when a memtable is full.
					for j := range 1000 {
						err := set(s, fmt.Sprintf("after/%d/%d", i, j), strings.Repeat("x", 64<<10), true)
						if err == nil && j < 999 {
							continue
						}
						if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "disk-full" || fault.HintOf(err) == "" {
							t.Errorf("write %d: %v", j, err)
						}
						return
					}
				})
			}
			wg.Wait()
			if err := set(s, "last", "1", false); fault.CodeOf(err) != "disk-full" {
				t.Errorf("the store writes again: %v", err)
			}
			disk.full.Store(false) // space is free again, which changes nothing
			if err := s.Fault(); fault.CodeOf(err) != "disk-full" || !strings.Contains(fault.HintOf(err), "restart the node") {
				t.Errorf("the fault is %v (%s)", err, fault.HintOf(err))
			}
			if err := set(s, "freed", "1", true); fault.CodeOf(err) != "disk-full" {
				t.Errorf("the store writes again: %v", err)
			}
			if disk.failed.Load() == 0 {
				t.Fatal("nothing failed")
			}
			if v, err := s.Get([]byte("before")); err != nil || string(v) != "1" {
				t.Fatalf("Get: %q, %v", v, err)
			}
			if err := s.Close(); fault.CodeOf(err) != "disk-full" {
				t.Fatalf("Close: %v", err)
			}
			again := open(t, "data", memory.CrashClone(vfs.CrashCloneCfg{}))
			if v, err := again.Get([]byte("before")); err != nil || string(v) != "1" {
				t.Fatalf("after a restart: %q, %v", v, err)
			}
		})
	}
}

// failNth lets one write or sync fail, counted from when it is armed.
type failNth struct {
	left  atomic.Int64
	fired atomic.Bool
}

func (f *failNth) String() string { return "one failure" }

func (f *failNth) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && f.left.Add(-1) == 0 {
		f.fired.Store(true)
		return syscall.EIO
	}
	return nil
}

func TestWhicheverWriteFailsNothingAcknowledgedIsLost(t *testing.T) {
	steps := []int64{1, 2, 3, 20, 55, 60, 65, 70, 75, 80, 85, 90}
	if os.Getenv("AGO_LONG") != "" {
		steps = nil
		for n := range int64(120) { // each keeps the memory of a failed store
			steps = append(steps, n+1)
		}
	}
	fired := 0
	for _, n := range steps {
		failure := &failNth{}
		memory := vfs.NewCrashableMem()
		s, err := Open(Options{Dir: "data", FS: errorfs.Wrap(memory, failure), Log: quiet, CacheBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		failure.left.Store(n)
		acknowledged := 0
		for acknowledged < 40 && set(s, fmt.Sprint(acknowledged), strings.Repeat("x", 512<<10), true) == nil {
			acknowledged++
		}
		if failure.fired.Load() {
			fired++
		}
		closing := s.Close()
		if acknowledged < 40 && closing == nil {
			t.Errorf("failure %d was forgotten by Close", n)
		}
		again := open(t, "data", memory.CrashClone(vfs.CrashCloneCfg{}))
		for i := range acknowledged {
			if _, err := again.Get(fmt.Append(nil, i)); err != nil {
				t.Fatalf("failure %d: %d of %d is lost: %v", n, i, acknowledged, err)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d failures happened", fired, len(steps))
	if fired < len(steps)/2 {
		t.Fatal("too few of the failures happened")
	}
}

// TestAnAbsentKeyCostsNoReadOfTheDisk looks keys up among so many that they are in the lowest level.
func TestAnAbsentKeyCostsNoReadOfTheDisk(t *testing.T) {
	s := open(t, "data", vfs.NewMem())
	const keys, asked = 100_000, 2_000
	b := &store.Batch{}
	for n := range uint64(keys) {
		b.Set(benchKey(n), make([]byte, 64))
	}
	if err := s.Apply(b, true); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Compact(t.Context(), []byte{0}, []byte{255}, false); err != nil {
		t.Fatal(err)
	}
	ask := func(from uint64) int64 {
		before := s.db.Metrics().BlockCache.Misses
		for n := range uint64(asked) {
			if _, err := s.Get(benchKey(keys + from + n)); !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
		}
		return s.db.Metrics().BlockCache.Misses - before
	}
	ask(0) // reads the filters
	if missed := ask(asked); missed > asked/20 {
		t.Errorf("%d blocks were read for %d absent keys", missed, asked)
	}
	if held := s.MemoryBytes(); held <= 0 || held > cacheBytesDefault+memtablesMax*memtableBytes {
		t.Errorf("%d bytes are held", held)
	}
	for n := range uint64(10) {
		if v, err := s.Get(benchKey(n)); err != nil || len(v) != 64 {
			t.Fatalf("key %d: %d bytes, %v", n, len(v), err)
		}
	}
}

func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	s := open(t, "data", vfs.NewMem())
	for _, key := range []string{"a", "b", "c"} {
		if err := set(s, key, "1", false); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan error, 1)
	n := 0
	for _, err := range s.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			go func() { closed <- s.Close() }()
		}
		select {
		case err := <-closed:
			t.Fatalf("closed during a scan: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := <-closed; err != nil || n != 3 {
		t.Fatalf("%d keys, %v", n, err)
	}
}

func TestAnEmptyStoreIsSmall(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	if got := s.MemoryBytes(); got > memtableBytes+cacheBytesDefault {
		t.Fatalf("an empty store holds %d bytes", got)
	}
	if _, err := os.Stat("data"); err == nil {
		t.Fatal("a test wrote into its package")
	}
}
