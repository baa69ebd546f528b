package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
	database "ago/store/postgres"
)

// Verdicts of ago_append.
const (
	verdictStored = iota
	verdictFenced
	verdictUsed
	verdictGap
	verdictRepeated
	verdictTaken
)

const appendCall = `select verdict, coalesce(block, 0), coalesce(slot, 0) from ago_append(
	$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28,
	$29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43)`

// Append stores the blocks in one transaction.
func (l *Log) Append(ctx context.Context, blocks ...slotlog.Block) error {
	return l.AppendWith(ctx, nil, blocks...)
}

// AppendWith stores the blocks and the caller's own changes of the log's store in one transaction. If all blocks are stored
// already, so are the changes, and nothing happens. Errors are those of slotlog.Log.
//
// A call that the database did not answer is repeated while it restarts: the very same blocks are stored once.
func (l *Log) AppendWith(ctx context.Context, extra *store.Batch, blocks ...slotlog.Block) error {
	if err := slotlog.Check(blocks...); err != nil {
		return slotlog.NotStored(err)
	}
	done, err := l.begin(ctx)
	if err != nil {
		return slotlog.NotStored(err)
	}
	defer done()
	if extra != nil {
		if err := extra.Check(); err != nil {
			return slotlog.NotStored(err)
		}
	}
	if len(blocks) == 0 && (extra == nil || extra.Len() == 0) {
		return nil
	}
	args, err := l.arguments(ctx, extra, blocks)
	if err != nil {
		return slotlog.NotStored(err)
	}
	var verdict, at int32
	var slot int64
	unknown := false
	err = l.db.Again(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		err := pool.QueryRow(ctx, appendCall, args...).Scan(&verdict, &at, &slot)
		if err != nil && !database.RolledBack(err) {
			unknown = true
		}
		return err
	})
	switch {
	case err != nil && unknown:
		return database.Fault(err)
	case err != nil:
		return slotlog.NotStored(database.Fault(err))
	case verdict == verdictStored:
		return nil
	case verdict == verdictTaken:
		return l.taken(unknown)
	}
	b := &blocks[at-1]
	if verdict == verdictFenced && unknown {
		// An attempt that was not answered may have been the last thing before the takeover.
		if stored, err := l.stored(ctx, blocks); err != nil || stored {
			return err
		}
	}
	reason := map[int32]error{verdictFenced: slotlog.ErrFenced, verdictUsed: slotlog.ErrSlotUsed, verdictGap: slotlog.ErrGap, verdictRepeated: slotlog.ErrRepeated}[verdict]
	if reason == nil {
		return fault.New(fault.Internal, "log-damaged", "the database gave the verdict %d", verdict)
	}
	return slotlog.NotStored(slotlog.Refuse(reason, b.Process, slotlog.Slot(slot)))
}

func (l *Log) taken(unknown bool) error {
	err := l.db.Taken()
	if unknown {
		return err
	}
	return slotlog.NotStored(err)
}

// stored tells whether all blocks are in the log.
func (l *Log) stored(ctx context.Context, blocks []slotlog.Block) (bool, error) {
	for i := range blocks {
		want := blocks[i].Entries
		for e, err := range l.Range(ctx, blocks[i].Process, blocks[i].First, blocks[i].Head.Next) {
			if err != nil {
				return false, err
			}
			if !want[0].Repeats(&e) {
				return false, nil
			}
			want = want[1:]
		}
		if len(want) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// arguments are those of ago_append. Messages that are too large for a row are stored as blobs before.
func (l *Log) arguments(ctx context.Context, extra *store.Batch, blocks []slotlog.Block) ([]any, error) {
	var locks []int64
	var parts []int32
	var b struct {
		process, chain, assignment, hashpath [][]byte
		part                                 []int32
		epoch, first, next, time             []int64
		repeated                             []*int64
	}
	var e struct {
		block                                                      []int32
		slot, time, height, blockTime                              []int64
		message, hash, chain, hashpath, dedup, exclude, assignment [][]byte
		form                                                       []int16
		byID, hasItem                                              []bool
	}
	var k, i struct {
		block      []int32
		key, value [][]byte
		slot       []int64
	}
	for n := range blocks {
		block, at := &blocks[n], int32(n+1)
		part := slotlog.PartitionOf(block.Process)
		parts = append(parts, int32(part))
		locks = append(locks, int64(binary.BigEndian.Uint64(block.Process[:8])))
		b.process, b.part = append(b.process, block.Process[:]), append(b.part, int32(part))
		b.epoch, b.first = append(b.epoch, number(slotlog.Slot(block.Epoch))), append(b.first, number(block.First))
		b.next, b.time = append(b.next, number(block.Head.Next)), append(b.time, block.Head.Timestamp)
		b.chain, b.assignment = append(b.chain, block.Head.HashChain[:]), append(b.assignment, block.Head.Assignment[:])
		b.hashpath = append(b.hashpath, []byte(block.Head.Hashpath))
		given := make(map[message.ID]bool, len(block.Entries))
		var repeated *int64
		for j := range block.Entries {
			entry := &block.Entries[j]
			slot := number(entry.Slot)
			e.block, e.slot, e.message = append(e.block, at), append(e.slot, slot), append(e.message, entry.Message[:])
			e.time, e.height = append(e.time, entry.Timestamp), append(e.height, int64(entry.BlockHeight))
			e.hash, e.blockTime = append(e.hash, entry.BlockHash[:]), append(e.blockTime, entry.BlockTime)
			e.chain, e.hashpath = append(e.chain, entry.HashChain[:]), append(e.hashpath, []byte(entry.Hashpath))
			e.form, e.byID, e.hasItem = append(e.form, int16(entry.Form)), append(e.byID, entry.ByID), append(e.hasItem, entry.Item != nil)
			var dedup []byte
			if !entry.DedupKey.IsZero() {
				dedup = entry.DedupKey[:]
			}
			e.dedup, e.exclude, e.assignment = append(e.dedup, dedup), append(e.exclude, encodeNames(entry.Exclude)), append(e.assignment, entry.Assignment)
			for _, key := range entry.Keys() {
				if given[key] && repeated == nil {
					repeated = &slot
				}
				if !given[key] {
					k.block, k.key, k.slot = append(k.block, at), append(k.key, key[:]), append(k.slot, slot)
				}
				given[key] = true
			}
			if entry.Item == nil {
				continue
			}
			var item store.Batch
			if err := l.items.Put(ctx, &item, entry.Message, entry.Item); err != nil {
				return nil, err
			}
			i.block, i.key, i.value = append(i.block, at), append(i.key, item.Ops[0].Key), append(i.value, item.Ops[0].Value)
		}
		b.repeated = append(b.repeated, repeated)
	}
	slices.Sort(parts)
	slices.Sort(locks)
	space, epoch := l.db.Owner()
	args := []any{
		slices.Compact(parts), slices.Compact(locks),
		b.process, b.part, b.epoch, b.first, b.repeated, b.next, b.time, b.chain, b.assignment, b.hashpath,
		e.block, e.slot, e.message, e.time, e.height, e.hash, e.blockTime, e.chain, e.hashpath, e.form, e.byID, e.hasItem, e.dedup, e.exclude, e.assignment,
		k.block, k.key, k.slot, i.block, i.key, i.value, space, epoch,
	}
	return append(args, l.db.Changes(extra)...), nil
}

var errNames = errors.New("the bytes are not a list of names")

// encodeNames writes a list of names: each length as a varint, then the name. nil for no list.
func encodeNames(names []string) []byte {
	if names == nil {
		return nil
	}
	b := []byte{}
	for _, name := range names {
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	}
	return b
}

func decodeNames(b []byte) ([]string, error) {
	if b == nil {
		return nil, nil
	}
	names := []string{}
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, errNames
		}
		names = append(names, string(b[size:size+int(n)]))
		b = b[size+int(n):]
	}
	return names, nil
}
