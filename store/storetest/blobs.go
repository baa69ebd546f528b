package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"ago/message"
	"ago/store"
)

// BlobFolders makes the collections under test.
type BlobFolders struct {
	Open func(t testing.TB) store.Blobs // an empty one
	// Reopen opens what is left of a collection when its process has ended; nil if nothing is meant to be left.
	Reopen func(t testing.TB, b store.Blobs) store.Blobs
}

// RunBlobs runs the suite.
func RunBlobs(t *testing.T, folders BlobFolders) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, BlobFolders)
	}{
		{"what is put can be read in every way", testBlobRead},
		{"the same bytes are one blob", testBlobTwice},
		{"an absent blob is not found", testBlobAbsent},
		{"a deleted blob is gone but can be read to its end", testBlobDelete},
		{"an unfinished blob leaves nothing", testBlobUnfinished},
		{"a cancelled put stops", testBlobCancelled},
		{"a blob is there after opening again", testBlobReopen},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, folders) })
	}
}

func noise(size int) []byte {
	raw := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(raw)
	return raw
}

func put(t testing.TB, b store.Blobs, raw []byte) message.ID {
	t.Helper()
	id, size, err := b.Put(t.Context(), bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if id != message.HashOf(raw) || size != int64(len(raw)) {
		t.Fatalf("%d bytes are put as %s with %d bytes", len(raw), id, size)
	}
	return id
}

func wantBlob(t testing.TB, b store.Blobs, raw []byte) {
	t.Helper()
	f, err := b.Open(message.HashOf(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, raw) || f.Size() != int64(len(raw)) {
		t.Fatalf("%d bytes read, size %d, want %d: %v", len(got), f.Size(), len(raw), err)
	}
}

func testBlobRead(t *testing.T, folders BlobFolders) {
	b := folders.Open(t)
	for _, size := range []int{0, 1, 100, 1<<20 + 1} {
		raw := noise(size)
		put(t, b, raw)
		wantBlob(t, b, raw)
		f, err := b.Open(message.HashOf(raw))
		if err != nil {
			t.Fatal(err)
		}
		if size <= 100 { // its time grows with the square of the size
			if err := iotest.TestReader(f, raw); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func testBlobTwice(t *testing.T, folders BlobFolders) {
	b := folders.Open(t)
	raw := noise(10_000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, _, err := b.Put(t.Context(), bytes.NewReader(raw)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantBlob(t, b, raw)
	if err := b.Delete(message.HashOf(raw)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(message.HashOf(raw)); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("one deletion left something: %v", err)
	}
}

func testBlobAbsent(t *testing.T, folders BlobFolders) {
	b := folders.Open(t)
	id := message.HashOf([]byte("never put"))
	if _, err := b.Open(id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Open: %v", err)
	}
	if err := b.Delete(id); err != nil {
		t.Errorf("Delete: %v", err)
	}
}

func testBlobDelete(t *testing.T, folders BlobFolders) {
	b := folders.Open(t)
	raw := noise(100_000)
	id := put(t, b, raw)
	f, err := b.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := b.Delete(id); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(id); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Open after Delete: %v", err)
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, raw) {
		t.Fatalf("an open blob ended after %d bytes: %v", len(got), err)
	}
}

func testBlobUnfinished(t *testing.T, folders BlobFolders) {
	b := folders.Open(t)
	raw := noise(50_000)
	broken := errors.New("the line broke")
	_, _, err := b.Put(t.Context(), io.MultiReader(bytes.NewReader(raw), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Fatalf("Put: %v", err)
	}
	if _, err := b.Open(message.HashOf(raw)); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("the first part can be opened: %v", err)
	}
}

func testBlobCancelled(t *testing.T, folders BlobFolders) {
	b := folders.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	raw := noise(50_000)
	cancel()
	if _, _, err := b.Put(ctx, bytes.NewReader(raw)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Put: %v", err)
	}
	if _, err := b.Open(message.HashOf(raw)); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a cancelled blob can be opened: %v", err)
	}
}

func testBlobReopen(t *testing.T, folders BlobFolders) {
	if folders.Reopen == nil {
		t.Skip("these blobs end with their process")
	}
	b := folders.Open(t)
	raw := noise(3000)
	put(t, b, raw)
	b = folders.Reopen(t, b)
	wantBlob(t, b, raw)
	put(t, b, raw)
	wantBlob(t, b, raw)
}
