package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/big"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// A transaction is stored without its data, in the JSON it was posted in. Its data is a blob that is found by root and size,
// so transactions with the same data share it, and data may come before, with or after a transaction.

// Post keeps a transaction of the chain after checking its signature and its data. It is visible at once and part of the next
// block. Again false means that it was known already; that is no error.
func (g *Gateway) Post(ctx context.Context, tx *arweave.Transaction) (again bool, err error) {
	if err := tx.Check(); err != nil {
		return false, err
	}
	if err := commitment.VerifySignature(commitment.RSA, tx.Owner, tx.SignatureData(), tx.Signature); err != nil {
		return false, err
	}
	known, err := g.Known(tx.ID)
	if err != nil {
		return false, err
	}
	if known {
		return true, g.repeat(ctx, tx)
	}
	if tx.DataSize > g.c.Limits.DataBytes {
		return false, fault.New(fault.TooLarge, "data-too-large", "the data of one transaction has at most %d bytes here, not %d", g.c.Limits.DataBytes, tx.DataSize).
			WithHint("send it in several transactions")
	}
	data := tx.Data
	kept := *tx
	kept.Data = nil
	if tx.Format == 1 {
		kept.DataSize, kept.DataRoot = int64(len(data)), arweave.DataRoot(data) // format 1 has neither; it is found like the others
	}
	if kept.DataSize > 0 && kept.DataRoot.IsZero() {
		return false, fault.New(fault.Malformed, "transaction-malformed", "the transaction announces data without its root").
			WithHint("set data_root to the root of the data's chunks and sign the transaction again")
	}

	var b store.Batch
	if len(data) > 0 {
		blob, _, err := g.c.Blobs.Put(ctx, bytes.NewReader(data))
		if err != nil {
			return false, fault.Wrap(err, fault.Unavailable, "transaction-write", "keeping the data of %s", tx.ID)
		}
		b.Set(rootKey(subData, kept.DataRoot, uint64(kept.DataSize)), blob[:])
	}
	terms := termsOf(nil, commitment.AddressOf(tx.Owner), tx.Target, message.ID{}, tx.Tags)
	if kept.DataSize > 0 {
		terms = append(terms, idTerm(termRoot, kept.DataRoot))
	}
	g.index(&b, row{kind: kindTransaction, id: tx.ID, body: kept.JSON()}, terms)

	if again, err := g.admit(&b, tx, uint64(kept.DataSize)); err != nil || again {
		return again, err
	}
	return false, g.openBundle(ctx, &kept)
}

// repeat answers a transaction that is known: its record is on disk, and what is bundled in it is found.
func (g *Gateway) repeat(ctx context.Context, tx *arweave.Transaction) error {
	if err := g.confirm(tx.ID); err != nil || !ans104.IsBundle(tx.Tags) {
		return err
	}
	rec, err := g.Record(ctx, tx.ID)
	if err != nil || rec.tx == nil {
		return err
	}
	return g.openBundle(ctx, rec.tx)
}

// admit writes a transaction with what it changes on the chain.
func (g *Gateway) admit(b *store.Batch, tx *arweave.Transaction, size uint64) (again bool, err error) {
	g.chain.Lock()
	defer g.chain.Unlock()
	if known, err := g.Known(tx.ID); err != nil || known { // it may have been posted twice at the same time
		return known, err
	}
	if err := g.account(b, tx); err != nil {
		return false, err
	}
	if size > 0 {
		weave, err := g.weaveSize()
		if err != nil {
			return false, err
		}
		end := weave + size
		b.Set(numberKey(subOffset, end), append([]byte(nil), tx.ID[:]...))
		b.Set(idKey(subEnd, tx.ID), binary.BigEndian.AppendUint64(nil, end))
	}
	return false, fault.Wrap(g.c.Store.Apply(b, true), fault.Unavailable, "transaction-write", "keeping %s", tx.ID)
}

// account moves what a transaction pays. The fee is taken as far as there is a balance; a transfer needs one.
func (g *Gateway) account(b *store.Batch, tx *arweave.Transaction) error {
	quantity, err := parseAmount(tx.Quantity)
	if err != nil {
		return err
	}
	fee, err := parseAmount(tx.Reward)
	if err != nil {
		return err
	}
	from := commitment.AddressOf(tx.Owner)
	transfer := quantity.Sign() > 0 && tx.HasTarget && tx.Target != from
	poor := false
	err = g.change(b, from, func(w *wallet) {
		left := w.winston()
		if transfer {
			if left.Sub(left, quantity); left.Sign() < 0 {
				poor = true
			}
		}
		if left.Sub(left, fee); left.Sign() < 0 {
			left.SetInt64(0)
		}
		w.Balance, w.LastTx = left.String(), tx.ID
	})
	if err != nil {
		return err
	}
	if poor {
		return fault.New(fault.Malformed, "balance-insufficient", "the wallet %s has less than the %s winston it sends", from, tx.Quantity).
			WithHint("GET /mint/%s/%s fills it on a local network", from, tx.Quantity)
	}
	if !transfer {
		return nil
	}
	return g.change(b, tx.Target, func(w *wallet) {
		w.Balance = new(big.Int).Add(w.winston(), quantity).String()
	})
}

// weaveSize is where the data of the last transaction ends.
func (g *Gateway) weaveSize() (uint64, error) {
	prefix := []byte{table, subOffset}
	for p, err := range g.c.Store.Scan(prefix, store.PrefixEnd(prefix), true) {
		if err != nil || len(p.Key) != 2+8 {
			return 0, fault.Wrap(errors.Join(err, errRow), fault.Unavailable, "index-read", "reading the size of the weave")
		}
		return binary.BigEndian.Uint64(p.Key[2:]), nil
	}
	return 0, nil
}

// openBundle takes a bundle apart once its data is here.
func (g *Gateway) openBundle(ctx context.Context, tx *arweave.Transaction) error {
	if !ans104.IsBundle(tx.Tags) || tx.DataSize > g.c.Limits.ItemBytes {
		return nil
	}
	if done, err := g.opened(tx.ID); err != nil || done {
		return err
	}
	blob, err := g.dataByRoot(tx.DataRoot, tx.DataSize)
	if fault.KindOf(err) == fault.Unfinished && err != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer blob.Close()
	data, err := readAll(blob, tx.DataSize, "stored data")
	if err != nil {
		return err
	}
	return g.unbundle(context.WithoutCancel(ctx), tx.ID, data, func(*store.Batch) error { return nil })
}

func (g *Gateway) transactionData(ctx context.Context, rec *Record) (store.Blob, error) {
	b, err := g.dataByRoot(rec.tx.DataRoot, rec.DataSize)
	if err != nil && rec.Remote && fault.KindOf(err) == fault.Unfinished {
		return g.remoteData(ctx, rec)
	}
	return b, err
}

// dataByRoot opens complete data. It fails with Unfinished while chunks are missing.
func (g *Gateway) dataByRoot(root message.ID, size int64) (store.Blob, error) {
	v, err := g.c.Store.Get(rootKey(subData, root, uint64(size)))
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.New(fault.Unfinished, "data-incomplete", "the data with the root %s has not arrived completely", root).
			WithHint("its chunks go to POST /chunk")
	}
	if err != nil || len(v) != 32 {
		return nil, fault.Wrap(errors.Join(err, errRow), fault.Unavailable, "index-read", "looking up the data with the root %s", root)
	}
	b, err := g.c.Blobs.Open(message.ID(v))
	return b, fault.Wrap(err, fault.Internal, "blob-missing", "reading the data with the root %s", root)
}

// withRoot gives the transactions whose data has a root and size.
func (g *Gateway) withRoot(ctx context.Context, root message.ID, size int64) ([]*Record, error) {
	var out []*Record
	prefix := termPrefix(idTerm(termRoot, root))
	for p, err := range g.c.Store.Scan(prefix, store.PrefixEnd(prefix), false) {
		if err != nil || len(p.Key) != termKeyLen {
			return nil, fault.Wrap(errors.Join(err, errRow), fault.Unavailable, "index-read", "looking up the root %s", root)
		}
		rec, err := g.load(ctx, binary.BigEndian.Uint64(p.Key[len(prefix):]))
		if err != nil {
			return nil, err
		}
		if rec.tx != nil && rec.tx.DataRoot == root && rec.DataSize == size {
			if out = append(out, rec); len(out) == sharedDataMax {
				break
			}
		}
	}
	return out, nil
}

// sharedDataMax is how many transactions are looked at for one root.
const sharedDataMax = 100

// transactionsOf gives the ids of the transactions in a block, or of the pending ones for the block that does not exist yet.
func (g *Gateway) transactionsOf(height uint64) ([]string, error) {
	from, err := g.firstSeq(func(r row) bool { return r.height+1 >= height })
	if err != nil {
		return nil, err
	}
	ids, seen := []string{}, 0
	for p, err := range g.c.Store.Scan(numberKey(subSeq, from), store.PrefixEnd([]byte{table, subSeq}), false) {
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "index-read", "reading the index")
		}
		r, err := decodeRow(p.Value)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "index-damaged", "reading the index")
		}
		if r.height+1 > height || len(ids) == blockIDsMax || seen == blockRowsMax {
			break
		}
		if seen++; r.kind == kindTransaction {
			ids = append(ids, r.id.String())
		}
	}
	return ids, nil
}

// Bounds of the list of a block: a local network puts far more items than transactions into one.
const (
	blockIDsMax  = 1_000
	blockRowsMax = 100_000
)

// forget removes a transaction from the index; its data stays, since others may have the same.
func (g *Gateway) forget(ctx context.Context, id message.ID) error {
	p, known, err := g.placeOf(id)
	if err != nil {
		return err
	}
	if !known {
		return unknown(id)
	}
	for ; known; p, known, err = g.placeOf(id) { // it may have been indexed twice
		rec, err := g.load(ctx, p.seq)
		if err != nil {
			return err
		}
		if rec.Source != Transaction {
			return fault.New(fault.Denied, "record-kept", "only transactions can be deleted, and %s is none", id).
				WithHint("what was uploaded or scheduled stays; an empty data folder begins anew")
		}
		terms := append(termsOf(nil, rec.Address, rec.Target, rec.Parent, rec.Tags), idTerm(termRoot, rec.tx.DataRoot))
		var rows, b store.Batch
		write(&rows, row{id: id}, p, terms)
		for _, op := range rows.Ops {
			b.Delete(op.Key)
		}
		b.Delete(idKey(subOpened, id))
		if err := g.c.Store.Apply(&b, true); err != nil {
			return fault.Wrap(err, fault.Unavailable, "transaction-write", "deleting %s", id)
		}
	}
	g.order.drop(id)
	return err
}
