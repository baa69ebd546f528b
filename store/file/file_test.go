package file

import (
	"bytes"
	"os"
	"path/filepath"
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
