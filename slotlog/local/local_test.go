package local

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"ago/slotlog"
	"ago/slotlog/slotlogtest"
	"ago/store/file"
	"ago/store/memory"
	"ago/store/pebble"
)

func TestLogInMemory(t *testing.T) {
	slotlogtest.Run(t, slotlogtest.Logs{
		Open: func(testing.TB) slotlog.Log { return New(memory.New(), memory.NewBlobs()) },
		Reopen: func(t testing.TB, l slotlog.Log) slotlog.Log {
			old := l.(*Log)
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			return New(old.tables, old.items.Blobs)
		},
	})
}

// folder is a log on disk with its store.
type folder struct {
	*Log
	dir   string
	store *pebble.Store
}

// openLog opens the log in a folder.
func openLog(dir string) (*folder, error) {
	s, err := pebble.Open(pebble.Options{Dir: filepath.Join(dir, "store"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	blobs, err := file.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		return nil, err
	}
	return &folder{New(s, blobs), dir, s}, nil
}

func openFolder(t testing.TB, dir string) *folder {
	t.Helper()
	l, err := openLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.store.Close() })
	return l
}

// quickDir is a folder in memory where the system has one, since the suite asks for behaviour and not for disks. The long
// run is on the disk, and so is the test that kills the node.
func quickDir(t testing.TB) string {
	t.Helper()
	if os.Getenv("AGO_LONG") != "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "ago-slotlog-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestLogOnDisk(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("suite", func(t *testing.T) {
		slotlogtest.Run(t, slotlogtest.Logs{
			Open: func(t testing.TB) slotlog.Log { return openFolder(t, quickDir(t)) },
			Reopen: func(t testing.TB, l slotlog.Log) slotlog.Log {
				old := l.(*folder)
				if err := old.Log.Close(); err != nil {
					t.Fatal(err)
				}
				if err := old.store.Close(); err != nil {
					t.Fatal(err)
				}
				return openFolder(t, old.dir)
			},
		})
	})
}
