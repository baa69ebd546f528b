// Package items keeps the bytes of messages by their ids: small ones in a table, large ones as blobs.
package items

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"

	"ago/fault"
	"ago/message"
	"ago/store"
)

// Items are the messages in a table of a store. It is safe for concurrent use.
type Items struct {
	Tables store.Store
	Blobs  store.Blobs
}

// Inline is the largest message that is kept in the table: beyond it, copying the value through the store's levels
// costs more than a file of its own.
const Inline = 256 << 10

// A value of the table of items is one of these bytes, then the message, or hash and size of a blob.
const (
	here   = 1
	inBlob = 2
)

// Key is where the bytes of a message are in the table.
func Key(id message.ID) []byte { return append([]byte{store.TableItems}, id[:]...) }

// Put adds the bytes of a message to a batch. Bytes over 256 KiB are stored as a
// blob at once; the batch gets a reference. The batch keeps raw.
func (i Items) Put(ctx context.Context, b *store.Batch, id message.ID, raw []byte) error {
	if len(raw) <= Inline {
		value := make([]byte, 0, 1+len(raw))
		b.Set(Key(id), append(append(value, here), raw...))
		return nil
	}
	hash, size, err := i.Blobs.Put(ctx, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	b.Set(Key(id), binary.BigEndian.AppendUint64(append([]byte{inBlob}, hash[:]...), uint64(size)))
	return nil
}

// Open opens the bytes of a message, or fails with store.ErrNotFound. A blob is not read for that, so only its size is
// compared: whoever reads a part of it could not compare its hash. The caller closes it.
func (i Items) Open(id message.ID) (store.Blob, error) {
	at, err := i.locate(id)
	if err != nil {
		return nil, err
	}
	if at.size < 0 {
		return held{bytes.NewReader(at.here)}, nil
	}
	return i.open(id, at)
}

// held is a blob in memory.
type held struct{ *bytes.Reader }

func (held) Close() error { return nil }

// located is where the bytes of a message are: here, or if size is not negative in a blob.
type located struct {
	here []byte
	hash message.ID
	size int64
}

func (i Items) locate(id message.ID) (located, error) {
	value, err := i.Tables.Get(Key(id))
	if err != nil {
		return located{}, err
	}
	return locate(id, value)
}

func locate(id message.ID, value []byte) (located, error) {
	switch {
	case len(value) > 0 && value[0] == here:
		return located{here: value[1:], size: -1}, nil
	case len(value) == 1+32+8 && value[0] == inBlob:
		if size := int64(binary.BigEndian.Uint64(value[33:])); size >= 0 {
			return located{hash: message.ID(value[1:33]), size: size}, nil
		}
	}
	return located{}, damaged(errors.New("not a message"), "message %s", id)
}

// Get gives the bytes of a message, or store.ErrNotFound. Blobs are compared with their hash.
func (i Items) Get(ctx context.Context, id message.ID) ([]byte, error) {
	at, err := i.locate(id)
	if err != nil {
		return nil, err
	}
	return i.read(ctx, id, at)
}

// Read gives the bytes of a message whose row was read already.
func (i Items) Read(ctx context.Context, id message.ID, value []byte) ([]byte, error) {
	at, err := locate(id, value)
	if err != nil {
		return nil, err
	}
	return i.read(ctx, id, at)
}

func (i Items) read(ctx context.Context, id message.ID, at located) ([]byte, error) {
	if at.size < 0 {
		return at.here, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := i.open(id, at)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw := make([]byte, at.size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, damaged(err, "blob %s of message %s", at.hash, id)
	}
	if message.HashOf(raw) != at.hash {
		return nil, damaged(errors.New("its hash is wrong"), "blob %s of message %s", at.hash, id)
	}
	return raw, nil
}

func (i Items) open(id message.ID, at located) (store.Blob, error) {
	f, err := i.Blobs.Open(at.hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, damaged(errors.New("it is missing"), "blob %s of message %s", at.hash, id)
	}
	if err != nil {
		return nil, err
	}
	if f.Size() != at.size {
		return nil, errors.Join(damaged(errors.New("its size is wrong"), "blob %s of message %s", at.hash, id), f.Close())
	}
	return f, nil
}

func damaged(err error, format string, args ...any) error {
	f := fault.New(fault.Internal, "log-damaged", format+" cannot be read", args...)
	f.Cause = err
	return f.WithHint("check the disk and restore the data from a copy")
}
