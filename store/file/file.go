// Package file keeps large byte strings as files named by their hash.
//
// A file appears under its name only when all its bytes are on disk: they are written to a file of another name, synced,
// renamed, and the folder is synced. What a crash leaves behind in the folder for unfinished files is removed when the
// blobs are opened again. One process at a time may use a folder.
package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"ago/fault"
	"ago/message"
	"ago/store"
)

const unfinished = "unfinished"

// Blobs is a folder with up to 256 folders, one for each first byte of the hash. It is safe for concurrent use.
type Blobs struct {
	dir  string
	sync func(*os.File) error // brings a file or folder onto the disk; tests watch it and let it fail

	mu    sync.Mutex
	known [256]bool // folders that are on disk under their name
}

// Open makes or opens the folder.
func Open(dir string) (*Blobs, error) {
	b := &Blobs{dir: dir, sync: (*os.File).Sync}
	if err := b.prepare(); err != nil {
		return nil, broken(err, "the blob folder %s cannot be used", dir)
	}
	return b, nil
}

func (b *Blobs) prepare() error {
	if err := os.RemoveAll(filepath.Join(b.dir, unfinished)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(b.dir, unfinished), 0o755); err != nil {
		return err
	}
	return b.syncFolder(filepath.Dir(b.dir))
}

// shard gives the folder of an id. Its own name has to be on disk before a file in it can be.
func (b *Blobs) shard(id message.ID) (string, error) {
	path := b.folder(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known[id[0]] {
		return path, nil
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := b.syncFolder(b.dir); err != nil {
		return "", err
	}
	b.known[id[0]] = true
	return path, nil
}

func (b *Blobs) folder(id message.ID) string { return filepath.Join(b.dir, fmt.Sprintf("%02x", id[0])) }

func (b *Blobs) path(id message.ID) string { return filepath.Join(b.folder(id), id.String()) }

// Put stores all of r under its SHA-256. It returns after bytes and name are on disk.
func (b *Blobs) Put(ctx context.Context, r io.Reader) (message.ID, int64, error) {
	f, err := os.CreateTemp(filepath.Join(b.dir, unfinished), "")
	if err != nil {
		return message.ID{}, 0, broken(err, "a blob cannot be written")
	}
	id, size, err := b.fill(ctx, f, r)
	if err == nil {
		err = b.name(f.Name(), id)
	}
	if err != nil {
		os.Remove(f.Name())
		return message.ID{}, 0, broken(err, "a blob cannot be written")
	}
	return id, size, nil
}

func (b *Blobs) fill(ctx context.Context, f *os.File, r io.Reader) (id message.ID, size int64, err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	size, err = io.Copy(io.MultiWriter(f, hash), cancellable{ctx, r})
	if err != nil {
		return id, 0, err
	}
	hash.Sum(id[:0])
	return id, size, b.sync(f)
}

// name gives a synced file its place. A file that is there already has the same bytes and is left alone; its folder is
// synced even so, since whoever put it there may not have come that far.
func (b *Blobs) name(from string, id message.ID) error {
	folder, err := b.shard(id)
	if err != nil {
		return err
	}
	to := b.path(id)
	if _, err := os.Stat(to); err == nil {
		if err := os.Remove(from); err != nil {
			return err
		}
	} else if err := os.Rename(from, to); err != nil {
		return err
	}
	return b.syncFolder(folder)
}

// Open gives the blob, or ErrNotFound.
func (b *Blobs) Open(id message.ID) (store.Blob, error) {
	f, err := os.Open(b.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, broken(err, "blob %s cannot be opened", id)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, broken(errors.Join(err, f.Close()), "blob %s cannot be opened", id)
	}
	return blob{f, info.Size()}, nil
}

// Delete removes a blob; an absent one is no error. Who has it open reads on.
func (b *Blobs) Delete(id message.ID) error {
	err := os.Remove(b.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return broken(err, "blob %s cannot be deleted", id)
}

type blob struct {
	*os.File
	size int64
}

func (b blob) Size() int64 { return b.size }

// cancellable ends a copy between two reads.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (b *Blobs) syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(b.sync(d), d.Close())
}

func broken(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	f := fault.New(fault.Unavailable, "blob-folder-failed", format, args...)
	f.Cause = err
	return f.WithHint("check the free space and the permissions of the data folder")
}

var _ store.Blobs = (*Blobs)(nil)
