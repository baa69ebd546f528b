// Package postgres is the order of messages in a PostgreSQL database, for several nodes at once.
//
// The slot is a primary key: no defect of a node can give one twice. An append is one function call in one transaction, so
// one round trip and one wait for the disk, which the database shares between all that commit at the same time. The function
// compares the epoch while it shares the partition's lock, which Acquire takes alone: a takeover waits for appends under way, and
// afterwards the earlier owner is refused.
package postgres

import (
	"context"
	_ "embed"
	"errors"
	"iter"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
	"ago/store/items"
	database "ago/store/postgres"
)

//go:embed schema/1.sql
var schema1 string

var schema = []string{schema1}

// Log is a log in the database of a store. It is safe for concurrent use; other nodes may use the same log.
type Log struct {
	db    *database.Store
	items items.Items
	use   *uses
}

// Open gives the log that is in the database of a store. store.TableItems has to be among the tables that the store shares
// with others: all nodes read the messages there. Messages over 256 KiB go to the blobs. Close leaves both open.
func Open(ctx context.Context, db *database.Store, blobs store.Blobs) (*Log, error) {
	if err := db.Migrate(ctx, "slotlog", schema); err != nil {
		return nil, err
	}
	return &Log{db: db, items: items.Items{Tables: db, Blobs: blobs}, use: &uses{}}, nil
}

// PutItem adds the bytes of a message to a batch, for messages that are in no log, too. Bytes over 256 KiB are stored as a
// blob at once; the batch gets a reference. The batch keeps raw.
func (l *Log) PutItem(ctx context.Context, b *store.Batch, id message.ID, raw []byte) error {
	return l.items.Put(ctx, b, id, raw)
}

// Item gives the bytes of a message, or store.ErrNotFound. Blobs are compared with their hash.
func (l *Log) Item(ctx context.Context, id message.ID) ([]byte, error) {
	done, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return l.items.Get(ctx, id)
}

// OpenItem opens the bytes of a message, or fails with store.ErrNotFound. The caller closes it.
func (l *Log) OpenItem(ctx context.Context, id message.ID) (store.Blob, error) {
	done, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return l.items.Open(id)
}

func (l *Log) begin(ctx context.Context) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.use.add()
}

// Close waits for what is under way. Afterwards everything fails.
func (l *Log) Close() error {
	l.use.close()
	return nil
}

// Acquire raises the epoch of the partition.
func (l *Log) Acquire(ctx context.Context, part slotlog.Partition) (slotlog.Epoch, error) {
	done, err := l.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	if err := slotlog.CheckPartition(part); err != nil {
		return 0, err
	}
	var epoch int64
	err = l.db.Again(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return pool.QueryRow(ctx, `select ago_acquire($1)`, int32(part)).Scan(&epoch)
	})
	return slotlog.Epoch(epoch), database.Fault(err)
}

// Head gives the head of the last block.
func (l *Log) Head(ctx context.Context, p message.ID) (slotlog.Head, error) {
	done, err := l.begin(ctx)
	if err != nil {
		return slotlog.Head{}, err
	}
	defer done()
	var h slotlog.Head
	var next int64
	var chain, assignment, hashpath []byte
	err = l.db.Again(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return pool.QueryRow(ctx, `select next, time, chain, assignment, hashpath from ago_heads where process = $1`, p[:]).
			Scan(&next, &h.Timestamp, &chain, &assignment, &hashpath)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return slotlog.Head{}, nil
	}
	if err != nil {
		return slotlog.Head{}, database.Fault(err)
	}
	h.Next, h.Hashpath = slotlog.Slot(next), string(hashpath)
	if !setID(&h.HashChain, chain) || !setID(&h.Assignment, assignment) {
		return slotlog.Head{}, damaged(errors.New("not ids"), "the head of process %s", p)
	}
	return h, nil
}

// Find looks a message id or dedup key up.
func (l *Log) Find(ctx context.Context, p, key message.ID) (slotlog.Slot, error) {
	done, err := l.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	var s int64
	err = l.db.Again(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return pool.QueryRow(ctx, `select slot from ago_keys where process = $1 and key = $2`, p[:], key[:]).Scan(&s)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, slotlog.ErrNotFound
	}
	return slotlog.Slot(s), database.Fault(err)
}

const processesPage = 1000

// Processes reads the table of heads in pages: it sees processes that come after the page it is at.
func (l *Log) Processes(ctx context.Context, after message.ID) iter.Seq2[message.ID, error] {
	return func(yield func(message.ID, error) bool) {
		for {
			page, err := l.processes(ctx, after)
			if err != nil {
				yield(message.ID{}, err)
				return
			}
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
			if len(page) < processesPage {
				return
			}
			after = page[len(page)-1]
		}
	}
}

func (l *Log) processes(ctx context.Context, after message.ID) (page []message.ID, err error) {
	done, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	err = l.db.Again(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		rows, err := pool.Query(ctx, `select process from ago_heads where process > $1 order by process limit $2`, after[:], processesPage)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (id message.ID, err error) {
			var raw []byte
			if err := row.Scan(&raw); err != nil {
				return id, err
			}
			if !setID(&id, raw) {
				return id, damaged(errors.New("not an id"), "the list of processes")
			}
			return id, nil
		})
		return err
	})
	return page, database.Fault(err)
}

// number puts a slot into the numbers of the database. Nothing is at the last of them.
func number(s slotlog.Slot) int64 { return int64(min(uint64(s), math.MaxInt64)) }

func setID(id *message.ID, raw []byte) bool {
	return copy(id[:], raw) == len(id) && len(raw) == len(id)
}

func damaged(err error, format string, args ...any) error {
	f := fault.New(fault.Internal, "log-damaged", format+" cannot be read", args...)
	f.Cause = err
	return f.WithHint("restore the database from a copy")
}

var _ slotlog.Log = (*Log)(nil)
