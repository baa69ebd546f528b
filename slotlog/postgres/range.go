package postgres

import (
	"context"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ago/message"
	"ago/slotlog"
	database "ago/store/postgres"
)

// Slots of the first and of the further pages of a range: many readers want one slot.
const (
	slotsFirst = 32
	slotsNext  = 256
)

const rangeUp = `select s.slot, s.message, s.time, s.block_height, s.block_hash, s.block_time, s.chain, s.hashpath, s.form, s.by_id,
	s.has_item, s.dedup, s.exclude, s.assignment,
	case when s.has_item then (select r.value from ago_rows r where r.space = 0 and r.key = '\x4d'::bytea || s.message) end
	from ago_slots s where s.process = $1 and s.slot >= $2 and s.slot < $3 order by s.slot limit $4`

const rangeDown = `select s.slot, s.message, s.time, s.block_height, s.block_hash, s.block_time, s.chain, s.hashpath, s.form, s.by_id,
	s.has_item, s.dedup, s.exclude, s.assignment,
	case when s.has_item then (select r.value from ago_rows r where r.space = 0 and r.key = '\x4d'::bytea || s.message) end
	from ago_slots s where s.process = $1 and s.slot <= $2 and s.slot > $3 order by s.slot desc limit $4`

// Range reads in pages. Slots never change, so they need no common snapshot, and can come from a replica: only what is missing
// there is asked of the database itself.
func (l *Log) Range(ctx context.Context, p message.ID, from, to slotlog.Slot) iter.Seq2[slotlog.Entry, error] {
	return func(yield func(slotlog.Entry, error) bool) {
		limit, pool := slotsFirst, l.db.Replica()
		for want := from; want != to; limit = slotsNext {
			page, err := l.page(ctx, pool, p, want, to, limit)
			if pool != nil && ctx.Err() == nil && (err != nil || len(page) == 0 || page[0].Slot != want) {
				pool = nil
				page, err = l.page(ctx, nil, p, want, to, limit)
			}
			if err != nil {
				yield(slotlog.Entry{}, err)
				return
			}
			for i := range page {
				e := &page[i]
				if e.Slot != want {
					if pool != nil {
						break
					}
					return
				}
				if e.Item != nil {
					if e.Item, err = l.items.Read(ctx, e.Message, e.Item); err != nil {
						yield(slotlog.Entry{}, damaged(err, "the message of slot %d of process %s", e.Slot, p))
						return
					}
				}
				if !yield(*e, nil) {
					return
				}
				if from < to {
					want++
				} else {
					want--
				}
			}
			if len(page) < limit && pool == nil {
				return
			}
		}
	}
}

// page reads slots whose items are still the rows of the table of items, from a replica or, if that is nil, from the database.
func (l *Log) page(ctx context.Context, replica *pgxpool.Pool, p message.ID, from, to slotlog.Slot, limit int) (page []slotlog.Entry, err error) {
	done, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	sql := rangeUp
	if from > to {
		sql = rangeDown
	}
	read := func(ctx context.Context, pool *pgxpool.Pool) error {
		rows, err := pool.Query(ctx, sql, p[:], number(from), number(to), limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (slotlog.Entry, error) { return entry(p, row) })
		return err
	}
	if replica != nil {
		return page, read(ctx, replica)
	}
	return page, database.Fault(l.db.Again(ctx, read))
}

func entry(p message.ID, row pgx.CollectableRow) (slotlog.Entry, error) {
	e := slotlog.Entry{Process: p}
	var slot, height int64
	var form int16
	var hasItem bool
	var id, hash, chain, hashpath, dedup, exclude []byte
	if err := row.Scan(&slot, &id, &e.Timestamp, &height, &hash, &e.BlockTime, &chain, &hashpath, &form, &e.ByID,
		&hasItem, &dedup, &exclude, &e.Assignment, &e.Item); err != nil {
		return e, err
	}
	e.Slot, e.BlockHeight, e.Hashpath, e.Form = slotlog.Slot(slot), uint64(height), string(hashpath), slotlog.Form(form)
	var err error
	if !setID(&e.Message, id) || !setID(&e.BlockHash, hash) || !setID(&e.HashChain, chain) || dedup != nil && !setID(&e.DedupKey, dedup) {
		err = errors.New("not ids")
	} else if hasItem && e.Item == nil {
		err = errors.New("its message is missing")
	} else {
		e.Exclude, err = decodeNames(exclude)
	}
	if err != nil {
		return e, damaged(err, "slot %d of process %s", slot, p)
	}
	return e, nil
}
