package content

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"ago/message"
	"ago/store"
)

// Kinds of rows in the table of contents, by the second byte of their keys.
const (
	rowRecord = 'm' // id -> message or list
	rowAlias  = 'i' // another id -> id of a record, number of its commitments
	rowName   = 'n' // path -> id
	rowData   = 'd' // SHA-256 -> bytes, or where they are
	rowPiece  = 'p' // SHA-256 -> part of a record
	rowMark   = 'z' // nothing, set to have a batch
	rowMatch  = 'k' // first half of SHA-256 over key and value, id of a record -> nothing
)

// blobMin is the length from which bytes are a blob: beyond it, copying them through the levels of the tables costs more than a
// file of its own.
const blobMin = 256 << 10

// A value of a row of data is one of these bytes, then the bytes, or their number.
const (
	dataHere   = 1
	dataInBlob = 2
)

func row(kind byte, id message.ID) []byte { return append([]byte{store.TableContents, kind}, id[:]...) }

func nameRow(path string) []byte { return append([]byte{store.TableContents, rowName}, path...) }

func number(i int) string { return strconv.Itoa(i) }

// data gives the bytes with a hash, or store.ErrNotFound.
func (c *Contents) data(ctx context.Context, hash message.ID) ([]byte, error) {
	value, err := c.tables.Get(row(rowData, hash))
	if err != nil {
		return nil, err
	}
	switch {
	case len(value) > 0 && value[0] == dataHere:
		return value[1:], nil
	case len(value) == 1+8 && value[0] == dataInBlob:
		return c.blob(ctx, hash, int64(binary.BigEndian.Uint64(value[1:])))
	}
	return nil, damaged(errors.New("not a row of data"), "data %s", hash)
}

// blob reads a blob and compares it with its hash.
func (c *Contents) blob(ctx context.Context, hash message.ID, size int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := c.blobs.Open(hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, damaged(errors.New("it is missing"), "blob %s", hash)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() != size {
		return nil, damaged(errors.New("its size is wrong"), "blob %s", hash)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, damaged(err, "blob %s", hash)
	}
	if message.HashOf(b) != hash {
		return nil, damaged(errors.New("its hash is wrong"), "blob %s", hash)
	}
	return b, nil
}

// data adds bytes to a batch, under their hash; those that are a blob are on disk before that.
func (w *writer) data(b []byte) (message.ID, error) {
	hash := message.HashOf(b)
	key := row(rowData, hash)
	if there, err := w.has(key); there || err != nil {
		return hash, err
	}
	if len(b) < blobMin {
		w.set(key, append([]byte{dataHere}, b...))
		return hash, w.flushLarge()
	}
	if _, _, err := w.c.blobs.Put(w.ctx, bytes.NewReader(b)); err != nil {
		return hash, err
	}
	w.set(key, binary.BigEndian.AppendUint64([]byte{dataInBlob}, uint64(len(b))))
	return hash, nil
}
