package content

import (
	"bytes"
	"context"
	"errors"
	"math"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/codec/tx"
	"ago/fault"
	"ago/message"
	"ago/store"
)

const (
	// textMax is the longest text that is kept beside its key; a longer one is kept once, under its hash.
	textMax = 1 << 10
	// listMax and listBytesMax bound lists that stay in the message they are part of.
	listMax      = 64
	listBytesMax = 1 << 10
	// batchMax is when a write of many messages goes to disk in parts.
	batchMax = 4 << 20
	// commitmentsMax bounds the commitments of one message. Those who commit together are named by a sum of ids, and of very
	// many somebody could find some whose sum is the id of another message.
	commitmentsMax = 16
)

// Write keeps a message, list, bytes or any other value, with all that is nested in it, and gives the id that links to it carry.
// A message is found by that, by its unsigned id, and by the id of each of its commitments, which are verified first; bytes by
// their hash. Of a message that was committed to, only the keys that its commitments cover are kept, and private keys never.
// Everything is on disk when Write returns; what was cut short leaves nothing that can be found and is not whole. It fails
// with the errors of Options.Verify, with TooLarge ("content-too-deep", "commitments-too-many"), and with Malformed
// ("content-unkeepable").
func (c *Contents) Write(ctx context.Context, v message.Value) (message.ID, error) {
	w := writer{c: c, ctx: ctx, rows: map[string]bool{}}
	id, err := w.any(v)
	if err == nil {
		err = w.finish()
	}
	if err != nil {
		return message.ID{}, err
	}
	return id, nil
}

// writer collects the rows of one write, those that others refer to first.
type writer struct {
	c     *Contents
	ctx   context.Context
	batch store.Batch
	bytes int
	rows  map[string]bool // rows set or found
	found bool            // some of them were there and may not be on disk yet
	stale []message.ID    // records that were there and say more now
	depth int
}

func (w *writer) set(key, value []byte) {
	w.batch.Set(key, value)
	w.bytes += len(key) + len(value)
	w.rows[string(key)] = true
}

// has tells whether a row is there or will be.
func (w *writer) has(key []byte) (bool, error) {
	if w.rows[string(key)] || w.c.known.has(key) {
		return true, nil
	}
	_, err := w.c.tables.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err == nil {
		w.found, w.rows[string(key)] = true, true
	}
	return err == nil, err
}

// flushLarge writes what there is once it is much. Nobody can find it before what it is part of is there.
func (w *writer) flushLarge() error {
	if w.bytes < batchMax {
		return nil
	}
	return w.flush()
}

func (w *writer) flush() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	err := w.c.tables.Apply(&w.batch, true)
	w.batch, w.bytes = store.Batch{}, 0
	return err
}

// finish puts everything on disk. Rows that another write has set are seen before they are on disk; they are when a batch is
// that came after them.
func (w *writer) finish() error {
	if w.batch.Len() == 0 && w.found {
		w.batch.Set([]byte{store.TableContents, rowMark}, nil)
	}
	if w.batch.Len() > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	for _, id := range w.stale {
		w.c.memory.drop(id)
	}
	w.c.known.add(w.rows)
	return nil
}

func (w *writer) any(v message.Value) (message.ID, error) {
	switch v := v.(type) {
	case message.Message:
		return w.message(v)
	case message.List:
		id, _, err := w.list(v)
		return id, err
	case message.Bytes:
		return w.data([]byte(v))
	case nil:
		return message.ID{}, unkeepable(errors.New("there is none"))
	}
	b, err := message.AppendValue(nil, v)
	if err != nil {
		return message.ID{}, unkeepable(err)
	}
	id := message.HashOf(b)
	r := record{shape: shapeValue, body: body{fields: []field{{value: value{here: string(b)}}}}}
	w.set(row(rowRecord, id), r.bytes())
	return id, nil
}

func unkeepable(cause error) error {
	f := fault.New(fault.Malformed, "content-unkeepable", "the value cannot be kept")
	if errors.Is(cause, message.ErrLimit) {
		f = fault.New(fault.TooLarge, "content-too-deep", "the value cannot be kept")
	}
	f.Cause = cause
	return f
}

// deeper counts how deep messages and lists nest.
func (w *writer) deeper() (done func(), err error) {
	if w.depth++; w.depth > message.DepthMax {
		return nil, fault.New(fault.TooLarge, "content-too-deep", "messages nest at most %d deep", message.DepthMax)
	}
	return func() { w.depth-- }, nil
}

// message writes a message and what is in it, and gives the id that links carry.
func (w *writer) message(m message.Message) (message.ID, error) {
	done, err := w.deeper()
	if err != nil {
		return message.ID{}, err
	}
	defer done()
	n := m.Commitments().Len()
	if n > commitmentsMax {
		return message.ID{}, fault.New(fault.TooLarge, "commitments-too-many", "a message is kept with at most %d commitments, this has %d", commitmentsMax, n)
	}
	if err := w.c.check(w.ctx, m); err != nil {
		return message.ID{}, err
	}
	id := m.SignedID()
	key := row(rowRecord, id)
	there, err := w.has(key)
	if there && err == nil && keepsOrigin(m) {
		if there, err = w.hasOrigin(key); !there {
			w.stale = append(w.stale, id)
		}
	}
	if there || err != nil {
		return id, err
	}
	w.rows[string(key)] = true // a message is in itself only by a forged id, which Verify refuses
	for _, v := range versions(m) {
		if err := w.version(v, m); err != nil {
			return id, err
		}
	}
	return id, nil
}

// hasOrigin tells whether a record that is there has the bytes that it came in.
func (w *writer) hasOrigin(key []byte) (bool, error) {
	if w.batch.Len() > 0 {
		for _, op := range w.batch.Ops {
			if bytes.Equal(op.Key, key) {
				return op.Value[2] != 0, nil
			}
		}
	}
	b, err := w.c.tables.Get(key)
	return err == nil && len(b) > 2 && b[2] != 0, err
}

// keepsOrigin tells whether the bytes that a message came in are worth keeping: they are what was signed.
func keepsOrigin(m message.Message) bool {
	switch m.Codec() {
	case ans104.Codec, tx.Codec:
		return m.Raw() != nil
	case httpsig.Codec:
		return m.Commitments().Len() > 0 && m.Form() != nil
	}
	return false
}

// originOf gives the bytes to keep. Of an HTTP message that is what its signatures cover: cookies and the like are nobody's
// business.
func originOf(m message.Message) ([]byte, bool) {
	if !keepsOrigin(m) {
		return nil, false
	}
	if m.Codec() != httpsig.Codec {
		return m.Raw(), true
	}
	w, ok := httpsig.WireOf(m)
	if !ok {
		return nil, false
	}
	w, err := httpsig.Covered(w)
	if err != nil {
		return nil, false
	}
	raw, err := w.Bytes()
	return raw, err == nil
}

// version writes a message as it is, which is m or what some of m's commitments say.
func (w *writer) version(v version, m message.Message) error {
	r := record{shape: shapeMessage}
	raw, ok := originOf(m)
	if ok {
		at, err := w.text(string(raw), nil)
		if err != nil {
			return err
		}
		r.from = &origin{id: m.ID(), codec: m.Codec(), raw: at}
		if len(v.m.Committers()) > 0 {
			r.from.id = v.id
		}
	}
	var matches []string
	for key, inner := range v.m.All() {
		if inner == nil || message.IsPrivate(key) {
			continue
		}
		at, said, err := w.field(key, inner, raw)
		if err != nil {
			return err
		}
		r.body.fields = append(r.body.fields, field{key, at})
		if key != message.KeyCommitments && len(matches) <= matchMax {
			matches = append(matches, matchPrefix(key, said))
		}
	}
	if len(matches) <= matchMax {
		for _, prefix := range matches {
			w.set(append([]byte(prefix), v.id[:]...), nil)
		}
	}
	if err := w.record(v.id, r); err != nil {
		return err
	}
	for _, id := range v.others {
		if err := w.alias(id, v); err != nil {
			return err
		}
	}
	return w.flushLarge()
}

// field writes what is under a key, and gives where it is and the text by which it is matched.
func (w *writer) field(key string, v message.Value, raw []byte) (at value, said string, err error) {
	switch inner := v.(type) {
	case message.Bytes:
		at, err = w.text(string(inner), raw)
		return at, string(inner), err
	case message.Message:
		if key == message.KeyCommitments {
			break
		}
		id, err := w.message(inner)
		v, said = message.Link{To: id}, id.String()
		if err != nil {
			return at, "", err
		}
	case message.List:
		id, linked, err := w.list(inner)
		if err != nil {
			return at, "", err
		}
		said = id.String()
		if v = linked; !short(linked) {
			v = message.Link{To: id, Type: message.TypeList}
		}
	case message.Link:
		said = inner.To.String()
	default:
		said, _, _ = message.TextOf(v)
	}
	b, err := message.AppendValue(nil, v)
	if err != nil {
		return at, "", unkeepable(err)
	}
	return value{here: string(b)}, said, nil
}

// text writes bytes, those of the origin as their place in it.
func (w *writer) text(s string, raw []byte) (value, error) {
	if len(s) <= textMax {
		b, err := message.AppendValue(nil, message.Bytes(s))
		return value{here: string(b)}, err
	}
	if len(s) > math.MaxInt32 {
		return value{}, fault.New(fault.TooLarge, "content-too-large", "a value is kept up to %d bytes, this has %d", math.MaxInt32, len(s))
	}
	if len(s) <= len(raw) {
		at := len(raw) - len(s) // where data items have their data
		if string(raw[at:]) != s {
			at = bytes.Index(raw, []byte(s))
		}
		if at >= 0 {
			return value{where: valueOrigin, offset: uint64(at), size: uint64(len(s))}, nil
		}
	}
	hash, err := w.data([]byte(s))
	return value{where: valueData, hash: hash, size: uint64(len(s))}, err
}

// list writes a list and what is in it, and gives its id and the list of links.
func (w *writer) list(l message.List) (message.ID, message.List, error) {
	done, err := w.deeper()
	if err != nil {
		return message.ID{}, nil, err
	}
	defer done()
	linked := make(message.List, len(l))
	for i, v := range l {
		switch inner := v.(type) {
		case nil:
			return message.ID{}, nil, unkeepable(errors.New("a member of a list is missing"))
		case message.Message:
			id, err := w.message(inner)
			if err != nil {
				return message.ID{}, nil, err
			}
			v = message.Link{To: id}
		case message.List:
			id, _, err := w.list(inner)
			if err != nil {
				return message.ID{}, nil, err
			}
			v = message.Link{To: id, Type: message.TypeList}
		}
		linked[i] = v
	}
	id := linked.ID()
	there, err := w.has(row(rowRecord, id))
	if there || err != nil {
		return id, linked, err
	}
	r := record{shape: shapeList, body: body{fields: make([]field, len(linked))}}
	for i, v := range linked {
		if r.body.fields[i].value, _, err = w.field("", v, nil); err != nil {
			return id, nil, err
		}
	}
	return id, linked, w.record(id, r)
}

// short tells whether a list stays in the message it is part of.
func short(l message.List) bool {
	if len(l) > listMax {
		return false
	}
	n := 0
	for _, v := range l {
		switch v := v.(type) {
		case message.Link:
			return false
		case message.Bytes:
			n += len(v)
		case message.BigInt:
			n += len(v)
		}
		n += 8
	}
	return n <= listBytesMax
}

// record writes a record whose body is still in one.
func (w *writer) record(id message.ID, r record) error {
	var err error
	if r.body, err = w.pieces(r.shape, r.body); err != nil {
		return err
	}
	w.set(row(rowRecord, id), r.bytes())
	return w.flushLarge()
}

// alias makes an id another one of a record. Of two records with the id, that with more commitments has it.
func (w *writer) alias(id message.ID, v version) error {
	key := row(rowAlias, id)
	b, err := w.c.tables.Get(key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		if _, n, err := readAlias(b); err == nil && n >= v.m.Commitments().Len() {
			w.found = true
			return nil
		}
	}
	w.set(key, append(v.id[:], byte(v.m.Commitments().Len())))
	return nil
}

func readAlias(b []byte) (to message.ID, commitments int, err error) {
	if len(b) != len(to)+1 {
		return to, 0, errors.New("it is no other id of a message")
	}
	return message.ID(b), int(b[len(to)]), nil
}
