package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"ago/arweave"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// staging counts the chunks of unfinished data. Chunks wait in the store, not as blobs: a blob is found by its hash, so one
// that is deleted after the data is complete could be somebody else's.
type staging struct {
	bytes atomic.Int64
	locks [64]sync.Mutex // one upload writes and completes under one of them
}

// stagedIdle is after how long without a chunk an unfinished upload makes room for another.
const stagedIdle = time.Hour

func (s *staging) open(st store.Store) error {
	prefix := []byte{table, subProgress}
	for p, err := range st.Scan(prefix, store.PrefixEnd(prefix), false) {
		if err != nil || len(p.Value) != 16 {
			return fault.Wrap(errors.Join(err, errRow), fault.Internal, "index-read", "reading the unfinished uploads")
		}
		s.bytes.Add(int64(binary.BigEndian.Uint64(p.Value)))
	}
	return nil
}

// Chunk keeps a part of a transaction's data after checking its proof. With the last one the data is put together.
func (g *Gateway) Chunk(ctx context.Context, c arweave.Chunk) error {
	leaf, err := c.Verify()
	if err != nil {
		return err
	}
	if c.DataSize > g.c.Limits.DataBytes {
		return fault.New(fault.TooLarge, "data-too-large", "the data of one transaction has at most %d bytes here", g.c.Limits.DataBytes).
			WithHint("send it in several transactions")
	}
	of, err := g.withRoot(ctx, c.DataRoot, c.DataSize)
	if err != nil {
		return err
	}
	if len(of) == 0 {
		return fault.New(fault.Malformed, "data_root_not_found", "no transaction here has data with the root %s and %d bytes", c.DataRoot, c.DataSize).
			WithHint("post the transaction before its chunks")
	}

	lock := &g.staging.locks[c.DataRoot[0]%64]
	lock.Lock()
	defer lock.Unlock()
	size := uint64(c.DataSize)
	switch _, err := g.c.Store.Get(rootKey(subData, c.DataRoot, size)); {
	case err == nil: // it is complete; opening it may have been interrupted
		return g.openBundles(ctx, of)
	case !errors.Is(err, store.ErrNotFound):
		return fault.Wrap(err, fault.Unavailable, "chunk-write", "looking up the data of a chunk")
	}
	key := chunkKey(c.DataRoot, size, uint64(leaf.Start))
	received, err := g.received(c.DataRoot, size)
	if err != nil {
		return err
	}
	if _, err := g.c.Store.Get(key); errors.Is(err, store.ErrNotFound) {
		if err := g.room(int64(len(c.Data))); err != nil {
			return err
		}
		received += uint64(len(c.Data))
		var b store.Batch
		b.Set(key, c.Data)
		b.Set(rootKey(subProgress, c.DataRoot, size), progress(received, g.c.Clock.Now().UnixMilli()))
		if err := g.c.Store.Apply(&b, true); err != nil {
			g.staging.bytes.Add(-int64(len(c.Data)))
			return fault.Wrap(err, fault.Unavailable, "chunk-write", "keeping a chunk")
		}
	} else if err != nil {
		return fault.Wrap(err, fault.Unavailable, "chunk-write", "looking up a chunk")
	}
	if received < size {
		return nil
	}
	if err := g.assemble(ctx, c.DataRoot, size); err != nil {
		return err
	}
	return g.openBundles(ctx, of)
}

func (g *Gateway) openBundles(ctx context.Context, of []*Record) error {
	for _, rec := range of {
		if err := g.openBundle(ctx, rec.tx); err != nil {
			return err
		}
	}
	return nil
}

func chunkKey(root message.ID, size, at uint64) []byte {
	return binary.BigEndian.AppendUint64(rootKey(subChunk, root, size), at)
}

func progress(received uint64, ms int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, received), uint64(ms))
}

func (g *Gateway) received(root message.ID, size uint64) (uint64, error) {
	v, err := g.c.Store.Get(rootKey(subProgress, root, size))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil || len(v) != 16 {
		return 0, fault.Wrap(errors.Join(err, errRow), fault.Unavailable, "chunk-write", "looking up an upload")
	}
	return binary.BigEndian.Uint64(v), nil
}

// room counts a new chunk in, and clears uploads that were given up if there is no place for it.
func (g *Gateway) room(n int64) error {
	if g.staging.bytes.Add(n) <= g.c.Limits.StagedBytes {
		return nil
	}
	if err := g.clearIdle(); err != nil {
		g.staging.bytes.Add(-n)
		return err
	}
	if g.staging.bytes.Load() <= g.c.Limits.StagedBytes {
		return nil
	}
	g.staging.bytes.Add(-n)
	return fault.New(fault.TooMany, "uploads-busy", "unfinished uploads hold over %d bytes", g.c.Limits.StagedBytes).
		WithHint("finish one of them, or try again in an hour, when those that stand still are dropped")
}

func (g *Gateway) clearIdle() error {
	before := g.c.Clock.Now().Add(-stagedIdle).UnixMilli()
	prefix := []byte{table, subProgress}
	var b store.Batch
	freed := int64(0)
	for p, err := range g.c.Store.Scan(prefix, store.PrefixEnd(prefix), false) {
		if err != nil || len(p.Value) != 16 {
			return fault.Wrap(errors.Join(err, errRow), fault.Unavailable, "chunk-write", "reading the unfinished uploads")
		}
		if int64(binary.BigEndian.Uint64(p.Value[8:])) > before {
			continue
		}
		chunks := append([]byte{table, subChunk}, p.Key[2:]...)
		b.DeleteRange(chunks, store.PrefixEnd(chunks))
		b.Delete(p.Key)
		freed += int64(binary.BigEndian.Uint64(p.Value))
	}
	if freed == 0 {
		return nil
	}
	if err := g.c.Store.Apply(&b, true); err != nil {
		return fault.Wrap(err, fault.Unavailable, "chunk-write", "dropping unfinished uploads")
	}
	g.staging.bytes.Add(-freed)
	return nil
}

// assemble makes one blob of all chunks.
func (g *Gateway) assemble(ctx context.Context, root message.ID, size uint64) error {
	prefix := rootKey(subChunk, root, size)
	next, stop := iter.Pull2(g.c.Store.Scan(prefix, store.PrefixEnd(prefix), false))
	defer stop()
	blob, n, err := g.c.Blobs.Put(ctx, &chunkReader{next: next, at: len(prefix)})
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "chunk-write", "putting the data with the root %s together", root)
	}
	if uint64(n) != size {
		return fault.New(fault.Internal, "chunk-missing", "the chunks of the root %s have %d bytes, not %d", root, n, size)
	}
	var b store.Batch
	b.Set(rootKey(subData, root, size), blob[:])
	b.DeleteRange(prefix, store.PrefixEnd(prefix))
	b.Delete(rootKey(subProgress, root, size))
	if err := g.c.Store.Apply(&b, true); err != nil {
		return fault.Wrap(err, fault.Unavailable, "chunk-write", "putting the data with the root %s together", root)
	}
	g.staging.bytes.Add(-int64(size))
	return nil
}

// chunkReader reads chunks one after the other and makes sure that none is missing.
type chunkReader struct {
	next func() (store.Pair, error, bool)
	at   int // of the start in the key
	pos  uint64
	rest []byte
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		kv, err, ok := r.next()
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, io.EOF
		}
		if len(kv.Key) != r.at+8 || binary.BigEndian.Uint64(kv.Key[r.at:]) != r.pos {
			return 0, fault.New(fault.Internal, "chunk-missing", "there is no chunk at %d", r.pos)
		}
		r.rest = kv.Value
		r.pos += uint64(len(kv.Value))
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// proofCache keeps the proofs of the data that was asked for last, since clients ask for all its chunks in turn.
type proofCache struct {
	mu   sync.Mutex
	keys [proofCacheSize]message.ID
	list [proofCacheSize][]arweave.ChunkProof
	at   int
}

const proofCacheSize = 4 // proofs of 2 GiB are 12 MB

func (c *proofCache) of(root message.ID, data io.Reader) ([]arweave.ChunkProof, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range c.keys {
		if k == root && c.list[i] != nil {
			return c.list[i], nil
		}
	}
	_, proofs, err := arweave.MakeChunks(data)
	if err != nil {
		return nil, err
	}
	c.keys[c.at], c.list[c.at] = root, proofs
	c.at = (c.at + 1) % proofCacheSize
	return proofs, nil
}

// chunkAt gives the chunk with the byte at an offset of the weave, and the offset of its transaction's end.
func (g *Gateway) chunkAt(ctx context.Context, offset uint64) (arweave.Chunk, error) {
	none := fault.New(fault.NotFound, "chunk-unknown", "no data is known at the offset %d", offset).
		WithHint("GET /tx/{id}/offset tells where the data of a transaction ends")
	for p, err := range g.c.Store.Scan(numberKey(subOffset, offset), store.PrefixEnd([]byte{table, subOffset}), false) {
		if err != nil || len(p.Key) != 2+8 || len(p.Value) != 32 {
			return arweave.Chunk{}, fault.Wrap(errors.Join(err, errRow), fault.Unavailable, "index-read", "looking up the offset %d", offset)
		}
		end := binary.BigEndian.Uint64(p.Key[2:])
		rec, err := g.Record(ctx, message.ID(p.Value))
		if err != nil {
			return arweave.Chunk{}, err
		}
		first := end - uint64(rec.DataSize) + 1 // offsets of the weave count from 1
		if offset < first || rec.tx == nil {
			return arweave.Chunk{}, none
		}
		return g.chunkOf(ctx, rec, int64(offset-first))
	}
	return arweave.Chunk{}, none
}

func (g *Gateway) chunkOf(ctx context.Context, rec *Record, at int64) (arweave.Chunk, error) {
	blob, err := g.transactionData(ctx, rec)
	if err != nil {
		return arweave.Chunk{}, err
	}
	defer blob.Close()
	proofs, err := g.proofs.of(rec.tx.DataRoot, blob)
	if err != nil {
		return arweave.Chunk{}, fault.Wrap(err, fault.Unavailable, "index-read", "reading the data of %s", rec.ID)
	}
	for _, p := range proofs {
		if at >= p.Start && at < p.End {
			data := make([]byte, p.End-p.Start)
			if _, err := blob.ReadAt(data, p.Start); err != nil && !errors.Is(err, io.EOF) {
				return arweave.Chunk{}, fault.Wrap(err, fault.Unavailable, "index-read", "reading the data of %s", rec.ID)
			}
			return arweave.Chunk{DataRoot: rec.tx.DataRoot, DataSize: rec.DataSize, DataPath: p.Path, Offset: p.Offset(), Data: data}, nil
		}
	}
	return arweave.Chunk{}, fault.New(fault.NotFound, "chunk-unknown", "%s has no chunk at %d", rec.ID, at).
		WithHint("GET /tx/%s/offset tells where its data ends", rec.ID)
}
