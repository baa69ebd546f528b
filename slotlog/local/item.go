package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"

	"ago/message"
	"ago/store"
)

// itemInline is the largest message that is kept in the table: beyond it, copying the value through the store's levels
// costs more than a file of its own.
const itemInline = 256 << 10

// A value of the table of items is one of these bytes, then the message, or hash and size of a blob.
const (
	itemHere   = 1
	itemInBlob = 2
)

// PutItem adds the bytes of a message to a batch, for messages that are in no log, too. Bytes over 256 KiB are stored as a
// blob at once; the batch gets a reference. The batch keeps raw.
func (l *Log) PutItem(ctx context.Context, b *store.Batch, id message.ID, raw []byte) error {
	if len(raw) <= itemInline {
		value := make([]byte, 0, 1+len(raw))
		b.Set(itemKey(id), append(append(value, itemHere), raw...))
		return nil
	}
	hash, size, err := l.blobs.Put(ctx, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	b.Set(itemKey(id), binary.BigEndian.AppendUint64(append([]byte{itemInBlob}, hash[:]...), uint64(size)))
	return nil
}

// Item gives the bytes of a message, or store.ErrNotFound. Blobs are compared with their hash.
func (l *Log) Item(ctx context.Context, id message.ID) ([]byte, error) {
	done, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return l.item(ctx, id)
}

// OpenItem opens the bytes of a message, or fails with store.ErrNotFound. A blob is not read for that, so only its size is
// compared: whoever reads a part of it could not compare its hash. The caller closes it.
func (l *Log) OpenItem(ctx context.Context, id message.ID) (store.Blob, error) {
	done, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	at, err := l.locate(id)
	if err != nil {
		return nil, err
	}
	if at.size < 0 {
		return held{bytes.NewReader(at.here)}, nil
	}
	return l.open(id, at)
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

func (l *Log) locate(id message.ID) (located, error) {
	value, err := l.tables.Get(itemKey(id))
	if err != nil {
		return located{}, err
	}
	switch {
	case len(value) > 0 && value[0] == itemHere:
		return located{here: value[1:], size: -1}, nil
	case len(value) == 1+32+8 && value[0] == itemInBlob:
		if size := int64(binary.BigEndian.Uint64(value[33:])); size >= 0 {
			return located{hash: message.ID(value[1:33]), size: size}, nil
		}
	}
	return located{}, damaged(errors.New("not a message"), "message %s", id)
}

func (l *Log) item(ctx context.Context, id message.ID) ([]byte, error) {
	at, err := l.locate(id)
	if err != nil || at.size < 0 {
		return at.here, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := l.open(id, at)
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

func (l *Log) open(id message.ID, at located) (store.Blob, error) {
	f, err := l.blobs.Open(at.hash)
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
