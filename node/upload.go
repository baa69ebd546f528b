package node

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ago/client"
	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/schedule"
	"ago/store"
)

// uploads brings what is scheduled here to a bundler. That an item is to be uploaded is stored in the batch that stores the
// item, so none is forgotten; an item that is uploaded again after a crash is the same item.
type uploads struct {
	store  store.Store
	index  schedule.Index // what would be told without uploads
	item   func(ctx context.Context, id message.ID) ([]byte, error)
	to     *client.Network // Bundler
	clock  clock.Clock
	log    *slog.Logger
	last   atomic.Int64
	wake   chan struct{}
	o      UploadOptions
	key    *commitment.Key // signs bundles
	failed atomic.Uint64
	sent   atomic.Uint64 // items
	again  atomic.Uint64
}

const (
	rowUpload      byte = 'u' // second byte in the node's table: time, id -> nothing
	uploadsAtOnce       = 8
	uploadWaitMin       = time.Second
	uploadWaitMax       = time.Minute
	uploadTimeMax       = 2 * time.Minute // of one item
	uploadPageRows      = 64
	uploadLost          = time.Minute // after which an item that is not there never will be
	uploadSoon          = 5 * time.Millisecond
)

// errNotYet tells that an item is about to be there.
var errNotYet = errors.New("the item is not there yet")

func newUploads(s store.Store, index schedule.Index, item func(context.Context, message.ID) ([]byte, error), bundler string, c clock.Clock, log *slog.Logger) *uploads {
	return &uploads{store: s, index: index, item: item, to: &client.Network{Bundler: bundler}, clock: c, log: log, wake: make(chan struct{}, 1)}
}

// Index serves the scheduler.
func (u *uploads) Index(b *store.Batch, it *ans104.Item, parent message.ID) error {
	u.plan(b, it.ID())
	return u.index.Index(b, it, parent)
}

// plan adds an item to what is to be uploaded. Items leave about in the order in which they came.
func (u *uploads) plan(b *store.Batch, id message.ID) (key []byte) {
	now := u.clock.Now().UnixNano()
	for {
		last := u.last.Load()
		at := max(now, last+1)
		if u.last.CompareAndSwap(last, at) {
			key = uploadKey(at, id)
			b.Set(key, nil)
			return key
		}
	}
}

// hurry tells that what was planned is durable.
func (u *uploads) hurry() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

func uploadKey(at int64, id message.ID) []byte {
	k := binary.BigEndian.AppendUint64([]byte{store.TableNode, rowUpload}, uint64(at))
	return append(k, id[:]...)
}

// run uploads until ctx ends.
func (u *uploads) run(ctx context.Context) {
	wait, round := uploadWaitMin, u.page
	if u.parcels() {
		round = u.round
	}
	for {
		more, err := round(ctx)
		var timer <-chan time.Time
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNotYet):
			timer, err = time.After(uploadSoon), nil
		case errors.Is(err, errLater):
			timer, err = time.After(uploadWaitMin), nil
		case err != nil:
			u.failed.Add(1)
			u.log.Warn("uploads wait for the bundler", "bundler", u.to.Bundler, "err", err, "after", wait)
			timer = time.After(wait)
			wait = min(2*wait, uploadWaitMax)
		case more:
			wait = uploadWaitMin
			continue
		default:
			wait = uploadWaitMin
		}
		select {
		case <-timer:
		case <-u.wake:
			if err != nil { // more to upload is no reason to hurry a bundler that does not answer
				select {
				case <-timer:
				case <-ctx.Done():
					return
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// page uploads the oldest items, several at a time.
func (u *uploads) page(ctx context.Context) (more bool, err error) {
	head := []byte{store.TableNode, rowUpload}
	var keys [][]byte
	for kv, err := range u.store.Scan(head, store.PrefixEnd(head), false) {
		if err != nil {
			return false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "what is to be uploaded cannot be read")
		}
		if keys = append(keys, append([]byte(nil), kv.Key...)); len(keys) == uploadPageRows {
			break
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var done store.Batch
	var errs []error
	places := make(chan struct{}, uploadsAtOnce)
	for _, k := range keys {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			err := u.send(ctx, k)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			done.Delete(k)
		})
	}
	wg.Wait()
	if done.Len() > 0 {
		if err := u.store.Apply(&done, false); err != nil {
			return false, err
		}
	}
	for _, err := range errs {
		if !errors.Is(err, errNotYet) {
			return false, err
		}
	}
	if len(errs) > 0 {
		return false, errNotYet
	}
	return len(keys) == uploadPageRows, nil
}

// send uploads one item. An item that the bundler refuses for good is told and left out: it would keep all others waiting.
func (u *uploads) send(ctx context.Context, key []byte) error {
	if len(key) != 2+8+32 {
		return nil
	}
	id := message.ID(key[10:])
	it, err := u.load(ctx, id, int64(binary.BigEndian.Uint64(key[2:])))
	if it == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, uploadTimeMax)
	defer cancel()
	if err = u.to.Upload(ctx, it); refusedForGood(err) {
		u.log.Error("the bundler refuses an item", "item", id, "err", err)
		return nil
	}
	if err == nil {
		u.sent.Add(1)
	}
	return err
}

// waiting counts the items that the bundler does not have yet, up to a bound.
func (u *uploads) waiting() (n int) {
	head := []byte{store.TableNode, rowUpload}
	for _, err := range u.store.Scan(head, store.PrefixEnd(head), false) {
		if n++; err != nil || n == 100_000 {
			break
		}
	}
	u.each(rowParcel, func(p parcel) { n += len(p.ids) })
	return n
}
