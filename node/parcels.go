package node

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// UploadOptions say how what is scheduled is brought to a bundler. The zero value sends each item by itself and takes the
// bundler's answer for the end of it.
type UploadOptions struct {
	Batch   int           // most items that are sent together, as one bundle; 0 and 1: none
	Bytes   int64         // most bytes of a bundle; 0: 4 MB
	Confirm time.Duration // after which the bundler is asked whether it still has what it took; 0: it is not asked
}

// parcel is what goes to the bundler at once: an item, or several in a bundle. What is in it is stored before it is sent, and
// the bundle of the same items is the same item each time: however often it is sent, nothing is on the chain twice.
type parcel struct {
	key  []byte
	at   uint64 // ns, of its oldest item
	item int    // of a bundle that was taken apart, from 1
	sent bool   // the bundler took it, and is to be asked
	ids  []message.ID
}

const (
	rowParcel     byte = 'v' // second byte in the node's table: time, item -> ids
	rowTaken      byte = 'q' // when to ask (ms), time, item -> ids
	parcelBytes        = 4 << 20
	parcelLinger       = time.Second // that items wait for others of their bundle
	parcelsAtOnce      = 64          // read at once
)

func (p parcel) value() []byte {
	var b []byte
	for _, id := range p.ids {
		b = append(b, id[:]...)
	}
	return b
}

func parcelKey(at uint64, item int) []byte {
	k := binary.BigEndian.AppendUint64([]byte{store.TableNode, rowParcel}, at)
	return binary.BigEndian.AppendUint32(k, uint32(item))
}

func takenKey(ask int64, p parcel) []byte {
	k := binary.BigEndian.AppendUint64([]byte{store.TableNode, rowTaken}, uint64(ask))
	return append(k, parcelKey(p.at, p.item)[2:]...)
}

// decodeParcel reads a row; ask is when the bundler is to be asked, in ms.
func decodeParcel(key, value []byte) (p parcel, ask int64, ok bool) {
	rest := key[2:]
	if p.sent = key[1] == rowTaken; p.sent && len(rest) > 8 {
		ask, rest = int64(binary.BigEndian.Uint64(rest)), rest[8:]
	}
	if len(rest) != 8+4 || len(value) == 0 || len(value)%32 != 0 {
		return p, 0, false
	}
	p.key, p.at, p.item = append([]byte(nil), key...), binary.BigEndian.Uint64(rest), int(binary.BigEndian.Uint32(rest[8:]))
	for ; len(value) > 0; value = value[32:] {
		p.ids = append(p.ids, message.ID(value))
	}
	return p, ask, true
}

// parcels tells whether uploads are made up into parcels first: they are to be, or some are left from a time when they were.
func (u *uploads) parcels() bool {
	if u.o.Batch > 1 || u.o.Confirm > 0 {
		return true
	}
	left := false
	for _, row := range []byte{rowParcel, rowTaken} {
		u.each(row, func(parcel) { left = true })
	}
	return left
}

// round makes parcels of what waits, sends those that were not sent, and asks for those that are due. It tells whether there
// is more to do at once, and else after which time.
func (u *uploads) round(ctx context.Context) (more bool, err error) {
	more, err = u.pack(ctx)
	if err != nil && !errors.Is(err, errNotYet) {
		return false, err
	}
	todo, later, readErr := u.due()
	if readErr != nil {
		return false, readErr
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	places := make(chan struct{}, uploadsAtOnce)
	for _, p := range todo {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if e := u.further(ctx, p); e != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = e
			}
		})
	}
	wg.Wait()
	switch {
	case failed != nil:
		return false, failed
	case more || len(todo) == parcelsAtOnce:
		return true, nil
	case err == nil && (later || len(todo) > 0 && u.o.Confirm > 0):
		err = errLater
	}
	return false, err
}

// pack makes a parcel of the oldest items that wait.
func (u *uploads) pack(ctx context.Context) (more bool, err error) {
	head := []byte{store.TableNode, rowUpload}
	most, bytes := max(u.o.Batch, 1), u.o.Bytes
	if bytes <= 0 {
		bytes = parcelBytes
	}
	var b store.Batch
	p := parcel{}
	size, full := int64(0), false
	oldest := int64(0)
	for kv, err := range u.store.Scan(head, store.PrefixEnd(head), false) {
		if err != nil {
			return false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "what is to be uploaded cannot be read")
		}
		if len(kv.Key) != 2+8+32 {
			continue
		}
		at, id := int64(binary.BigEndian.Uint64(kv.Key[2:])), message.ID(kv.Key[10:])
		it, err := u.load(ctx, id, at)
		if errors.Is(err, errNotYet) {
			break
		} else if err != nil {
			return false, err
		}
		if it == nil { // it is nowhere, which was told
			b.Delete(append([]byte(nil), kv.Key...))
			continue
		}
		if full = len(p.ids) == most || len(p.ids) > 0 && size+int64(len(it.Raw)) > bytes; full {
			break
		}
		if len(p.ids) == 0 {
			oldest, p.key = at, parcelKey(uint64(at), 0)
		}
		p.ids, size = append(p.ids, id), size+int64(len(it.Raw))
		b.Delete(append([]byte(nil), kv.Key...))
	}
	if len(p.ids) > 0 && len(p.ids) < most && !full && u.clock.Now().UnixNano()-oldest < int64(parcelLinger) {
		return false, errNotYet // others may still come
	}
	if len(p.ids) > 0 {
		b.Set(p.key, p.value())
	}
	if b.Len() == 0 {
		return false, nil
	}
	return full, u.store.Apply(&b, true)
}

// errLater tells that the bundler is to be asked some time.
var errLater = errors.New("the bundler is asked later")

// due reads the parcels that something is to be done about, the oldest first, and tells whether there are others.
func (u *uploads) due() (todo []parcel, later bool, err error) {
	now := u.clock.Now().UnixMilli()
	for _, row := range []byte{rowParcel, rowTaken} {
		head := []byte{store.TableNode, row}
		for kv, err := range u.store.Scan(head, store.PrefixEnd(head), false) {
			if err != nil {
				return nil, false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "what is to be uploaded cannot be read")
			}
			p, ask, ok := decodeParcel(kv.Key, kv.Value)
			if !ok {
				u.log.Error("a row of the uploads has an unknown form", "key", kv.Key)
				continue
			}
			if later = ask > now; later || len(todo) == parcelsAtOnce {
				break
			}
			todo = append(todo, p)
		}
	}
	return todo, later, nil
}

// further takes a parcel one step: it is sent, or it is asked for.
func (u *uploads) further(ctx context.Context, p parcel) error {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeMax)
	defer cancel()
	it, err := u.bundle(ctx, p)
	if err != nil {
		return err
	}
	switch {
	case it == nil:
		return u.move(p, nil)
	case p.sent:
		return u.ask(ctx, p, it.ID())
	}
	if err := u.to.Upload(ctx, it); err != nil {
		if !refusedForGood(err) {
			return err
		}
		u.log.Error("the bundler refuses an item", "item", it.ID(), "items", len(p.ids), "err", err)
		return u.split(p)
	}
	u.sent.Add(uint64(len(p.ids)))
	if u.o.Confirm == 0 {
		return u.move(p, nil)
	}
	return u.move(p, takenKey(u.later(), p))
}

// later is when the bundler is asked about what it takes now, in ms.
func (u *uploads) later() int64 { return u.clock.Now().Add(u.o.Confirm).UnixMilli() }

// ask asks for a parcel that the bundler took.
func (u *uploads) ask(ctx context.Context, p parcel, id message.ID) error {
	state, err := u.to.UploadStatus(ctx, id)
	if err != nil {
		return err
	}
	switch state {
	case "CONFIRMED", "FINALIZED":
		return u.move(p, nil)
	case "NOT_FOUND", "FAILED":
		u.log.Warn("the bundler does not have what it took; it is sent again", "item", id, "state", state)
		u.again.Add(1)
		return u.move(p, parcelKey(p.at, p.item))
	}
	return u.move(p, takenKey(u.later(), p))
}

// refusedForGood tells that sending the same again is of no use.
func refusedForGood(err error) bool {
	if err == nil {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Malformed, fault.Forged, fault.TooLarge, fault.Unsupported:
		return true
	}
	return false
}

// move puts a parcel under another key; nil ends it.
func (u *uploads) move(p parcel, key []byte) error {
	var b store.Batch
	b.Delete(p.key)
	if key != nil {
		b.Set(key, p.value())
	}
	return u.store.Apply(&b, false)
}

// split sends the items of a refused bundle one by one: one of them must not keep the others from the chain. A refused item is
// given up; that was told.
func (u *uploads) split(p parcel) error {
	var b store.Batch
	b.Delete(p.key)
	if len(p.ids) > 1 {
		for i, id := range p.ids {
			b.Set(parcelKey(p.at, i+1), parcel{ids: []message.ID{id}}.value())
		}
	}
	return u.store.Apply(&b, true)
}

// bundle makes the item that a parcel is sent as; nil if nothing of it is there any more.
func (u *uploads) bundle(ctx context.Context, p parcel) (*ans104.Item, error) {
	var items []*ans104.Item
	var of []byte
	for _, id := range p.ids {
		it, err := u.load(ctx, id, 0)
		if err != nil {
			return nil, err
		}
		if it != nil {
			items, of = append(items, it), append(of, id[:]...)
		}
	}
	switch len(items) {
	case 0:
		return nil, nil
	case 1:
		return items[0], nil
	}
	name := message.HashOf(of)
	return ans104.SignDeterministic(ans104.Draft{Anchor: name[:], Tags: ans104.BundleTags(), Data: ans104.EncodeBundle(items)}, u.key, name[:])
}

// load reads an item whose row is of a time, in ns; nil if it is not there or is none.
func (u *uploads) load(ctx context.Context, id message.ID, at int64) (*ans104.Item, error) {
	raw, err := u.item(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		// The row can be seen a moment before the log shows the slot that it was stored with.
		if u.clock.Now().UnixNano()-at < int64(uploadLost) {
			return nil, errNotYet
		}
		u.log.Error("an item that was to be uploaded is not there", "item", id)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	it, err := ans104.DecodeItem(raw)
	if err != nil {
		u.log.Error("an item that was to be uploaded cannot be read", "item", id, "err", err)
		return nil, nil
	}
	return it, nil
}

// each goes through the parcels of a kind, up to a bound.
func (u *uploads) each(row byte, f func(parcel)) {
	head := []byte{store.TableNode, row}
	n := 0
	for kv, err := range u.store.Scan(head, store.PrefixEnd(head), false) {
		if err != nil || n == 10_000 {
			break
		}
		if p, _, ok := decodeParcel(kv.Key, kv.Value); ok {
			f(p)
		}
		n++
	}
}

// unconfirmed counts the items that the bundler took and is still to be asked for.
func (u *uploads) unconfirmed() (n int) {
	u.each(rowTaken, func(p parcel) { n += len(p.ids) })
	return n
}

// options sets how uploads are made; key signs bundles.
func (u *uploads) options(o UploadOptions, key *commitment.Key) *uploads {
	u.o, u.key = o, key
	return u
}

// observe registers the numbers of the uploads.
func (u *uploads) observe(m *Metrics) {
	m.gauge("ao_su_uploads_waiting", "Items that the bundler does not have yet.", func() float64 { return float64(u.waiting()) })
	m.gauge("ao_su_uploads_unconfirmed", "Items that the bundler took and has not confirmed yet.", func() float64 { return float64(u.unconfirmed()) })
	m.gauge("ao_su_upload_oldest_seconds", "Age of the oldest item that the bundler does not have yet.", u.oldest)
	m.counter("ao_su_uploads_total", "Items that the bundler took.", func() float64 { return float64(u.sent.Load()) })
	m.counter("ao_su_uploads_repeated_total", "Bundles that the bundler took and did not have afterwards.", func() float64 { return float64(u.again.Load()) })
	m.counter("ao_su_upload_failures_total", "Times that the bundler did not take an item.", func() float64 { return float64(u.failed.Load()) })
}

// oldest is the age in seconds of the oldest item that waits.
func (u *uploads) oldest() float64 {
	first := int64(0)
	head := []byte{store.TableNode, rowUpload}
	for kv, err := range u.store.Scan(head, store.PrefixEnd(head), false) {
		if err == nil && len(kv.Key) == 2+8+32 {
			first = int64(binary.BigEndian.Uint64(kv.Key[2:]))
		}
		break
	}
	u.each(rowParcel, func(p parcel) {
		if at := int64(p.at); first == 0 || at < first {
			first = at
		}
	})
	if first == 0 {
		return 0
	}
	return max(u.clock.Now().Sub(time.Unix(0, first)).Seconds(), 0)
}
