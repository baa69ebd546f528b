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

func (l *Log) item(ctx context.Context, id message.ID) ([]byte, error) {
	value, err := l.tables.Get(itemKey(id))
	if err != nil {
		return nil, err
	}
	switch {
	case len(value) > 0 && value[0] == itemHere:
		return value[1:], nil
	case len(value) == 1+32+8 && value[0] == itemInBlob:
		return l.blob(ctx, id, message.ID(value[1:33]), binary.BigEndian.Uint64(value[33:]))
	}
	return nil, damaged(errors.New("not a message"), "message %s", id)
}

func (l *Log) blob(ctx context.Context, id, hash message.ID, size uint64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := l.blobs.Open(hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, damaged(err, "blob %s of message %s", hash, id)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if uint64(f.Size()) != size {
		return nil, damaged(errors.New("its size is wrong"), "blob %s of message %s", hash, id)
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, damaged(err, "blob %s of message %s", hash, id)
	}
	if message.HashOf(raw) != hash {
		return nil, damaged(errors.New("its hash is wrong"), "blob %s of message %s", hash, id)
	}
	return raw, nil
}
