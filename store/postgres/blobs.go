package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ago/fault"
	"ago/message"
	"ago/store"
)

const partBytes = 1 << 20

// Blobs keeps large byte strings in the database.
type Blobs struct {
	s     *Store
	space int32
}

// Blobs are those of the node.
func (s *Store) Blobs() *Blobs { return &Blobs{s, s.space} }

// SharedBlobs are those of all nodes on the database.
func (s *Store) SharedBlobs() *Blobs { return &Blobs{s, sharedSpace} }

// Put stores the bytes in one transaction, after it has written them to a temporary file and knows their hash.
func (b *Blobs) Put(ctx context.Context, r io.Reader) (id message.ID, size int64, err error) {
	done, err := b.s.Use()
	if err != nil {
		return id, 0, err
	}
	defer done()
	spool, err := spoolFile()
	if err != nil {
		return id, 0, err
	}
	defer spool.Close()
	hash := sha256.New()
	if size, err = io.Copy(io.MultiWriter(spool, hash), interruptible{ctx, r}); err != nil {
		return id, 0, err
	}
	copy(id[:], hash.Sum(nil))
	err = b.s.Again(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return b.write(ctx, tx, id, spool, size) })
	})
	return id, size, Fault(err)
}

func (b *Blobs) write(ctx context.Context, tx pgx.Tx, id message.ID, spool io.ReaderAt, size int64) error {
	var owned bool
	if err := tx.QueryRow(ctx, `select ago_owns($1, $2)`, b.s.space, b.s.epoch).Scan(&owned); err != nil {
		return err
	}
	if !owned {
		return b.s.Taken()
	}
	// Who stores the same bytes at the same time waits here for the other, and then has nothing to do.
	tag, err := tx.Exec(ctx, `insert into ago_blobs (space, id, size) values ($1, $2, $3) on conflict do nothing`, b.space, id[:], size)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	buf := make([]byte, partBytes)
	for part := int32(0); int64(part)*partBytes < size; part++ {
		n, err := spool.ReadAt(buf[:min(partBytes, size-int64(part)*partBytes)], int64(part)*partBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return fault.Wrap(err, fault.Unavailable, "folder-unwritable", "the temporary file")
		}
		if _, err := tx.Exec(ctx, `insert into ago_parts (space, id, part, data) values ($1, $2, $3, $4)`, b.space, id[:], part, buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

// interruptible stops reading when its context ends.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// Open reads the bytes into a temporary file that is gone when it is closed: a blob that is deleted meanwhile can be read to
// its end, and no connection is held. A small one is held in memory.
func (b *Blobs) Open(id message.ID) (store.Blob, error) {
	done, err := b.s.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	var blob store.Blob
	err = b.s.Again(b.s.ctx, func(ctx context.Context, pool *pgxpool.Pool) (err error) {
		blob, err = b.read(ctx, pool, id)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, store.ErrNotFound
	}
	return blob, Fault(err)
}

func (b *Blobs) read(ctx context.Context, pool *pgxpool.Pool, id message.ID) (store.Blob, error) {
	var size int64
	if err := pool.QueryRow(ctx, `select size from ago_blobs where space = $1 and id = $2`, b.space, id[:]).Scan(&size); err != nil {
		return nil, err
	}
	var small bytes.Buffer
	var sink io.Writer = &small
	var large spooled
	if size > partBytes {
		spool, err := spoolFile()
		if err != nil {
			return nil, err
		}
		large = spooled{spool, size}
		sink = spool
	}
	hash := sha256.New()
	rows, err := pool.Query(ctx, `select data from ago_parts where space = $1 and id = $2 order by part`, b.space, id[:])
	if err == nil {
		var data []byte
		_, err = pgx.ForEachRow(rows, []any{&data}, func() error {
			hash.Write(data)
			_, err := sink.Write(data)
			return err
		})
	}
	if err == nil && message.ID(hash.Sum(nil)) != id {
		if again := pool.QueryRow(ctx, `select size from ago_blobs where space = $1 and id = $2`, b.space, id[:]).Scan(&size); again != nil {
			err = again // it was deleted while it was read
		} else {
			err = fault.New(fault.Internal, "store-damaged", "blob %s does not have its hash", id).WithHint("restore the database from a copy")
		}
	}
	if large.File == nil {
		if err != nil {
			return nil, err
		}
		return held{bytes.NewReader(small.Bytes())}, nil
	}
	if err == nil {
		_, err = large.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, large.Close())
	}
	return large, nil
}

// spoolFile makes a file that is gone when it is closed.
func spoolFile() (*os.File, error) {
	f, err := os.CreateTemp("", "ago-blob-")
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "folder-unwritable", "the temporary folder")
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fault.Wrap(err, fault.Unavailable, "folder-unwritable", "the temporary folder"), f.Close())
	}
	return f, nil
}

// held is a blob in memory.
type held struct{ *bytes.Reader }

func (held) Close() error { return nil }

// spooled is a blob in a file without a name.
type spooled struct {
	*os.File
	size int64
}

func (s spooled) Size() int64 { return s.size }

// Delete removes a blob; an absent one is no error.
func (b *Blobs) Delete(id message.ID) error {
	done, err := b.s.Use()
	if err != nil {
		return err
	}
	defer done()
	return Fault(b.s.Again(b.s.ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			var owned bool
			if err := tx.QueryRow(ctx, `select ago_owns($1, $2)`, b.s.space, b.s.epoch).Scan(&owned); err != nil {
				return err
			}
			if !owned {
				return b.s.Taken()
			}
			if _, err := tx.Exec(ctx, `delete from ago_blobs where space = $1 and id = $2`, b.space, id[:]); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `delete from ago_parts where space = $1 and id = $2`, b.space, id[:])
			return err
		})
	}))
}

var _ store.Blobs = (*Blobs)(nil)
