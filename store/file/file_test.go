package file

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ago/fault"
	"ago/message"
	"ago/store"
	"ago/store/storetest"
)

func TestBlobs(t *testing.T) {
	open := func(t testing.TB, dir string) store.Blobs {
		b, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	storetest.RunBlobs(t, storetest.BlobFolders{
		Open:   func(t testing.TB) store.Blobs { return open(t, filepath.Join(t.TempDir(), "data", "blobs")) },
		Reopen: func(t testing.TB, b store.Blobs) store.Blobs { return open(t, b.(*Blobs).dir) },
	})
}

func TestWhatACrashLeavesUnfinishedIsRemoved(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, unfinished, "123")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Fatalf("the file is still there: %v", err)
	}
}

func TestAFolderThatCannotBeWrittenIsAFaultWithAHint(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); fault.KindOf(err) != fault.Unavailable || fault.HintOf(err) == "" {
		t.Fatalf("Open: %v", err)
	}
	b, err := Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte("x")
	if err := os.WriteFile(b.folder(message.HashOf(raw)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Put(t.Context(), bytes.NewReader(raw)); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("Put: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "blobs", unfinished)); err != nil || len(left) > 0 {
		t.Fatalf("a failed put left %v, %v", left, err)
	}
}

// TestABlobIsOnDiskBeforeItIsToldOf: bytes come before their name, the name's folder before the answer; and a blob of which any of
// that failed is not told of.
func TestABlobIsOnDiskBeforeItIsToldOf(t *testing.T) {
	b, err := Open(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte("what a module is")
	id := message.HashOf(raw)
	named := func() bool { _, err := os.Stat(b.path(id)); return err == nil }
	var synced []string
	fail := -1
	b.sync = func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		switch {
		case f.Name() == b.dir:
			synced = append(synced, "shards")
		case f.Name() == b.folder(id) && named():
			synced = append(synced, "name")
		case info.Size() == int64(len(raw)) && !named():
			synced = append(synced, "bytes")
		default:
			synced = append(synced, f.Name())
		}
		if len(synced)-1 == fail {
			return errors.New("the disk is gone")
		}
		return f.Sync()
	}
	want := []string{"bytes", "shards", "name"}
	for fail = range want {
		synced, b.known[id[0]] = nil, false
		if _, _, err := b.Put(t.Context(), bytes.NewReader(raw)); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("the %s were not synced: %v", want[fail], err)
		}
		if err := b.Delete(id); err != nil {
			t.Fatal(err)
		}
	}
	fail, synced, b.known[id[0]] = -1, nil, false
	if got, _, err := b.Put(t.Context(), bytes.NewReader(raw)); err != nil || got != id || !slices.Equal(synced, want) {
		t.Errorf("%v was synced, want %v; %v", synced, want, err)
	}
	// Whoever named it before may have died before its folder was synced.
	synced = nil
	if _, _, err := b.Put(t.Context(), bytes.NewReader(raw)); err != nil || synced[len(synced)-1] != "name" {
		t.Errorf("again: %v was synced; %v", synced, err)
	}
}
