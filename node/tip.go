package node

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"ago/client"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// chainTip is the newest block of the chain as gateways tell it, for a scheduler without a gateway of its own. The last one is
// kept, so that a gateway that does not answer stops nobody: blocks are only a little older then.
type chainTip struct {
	gateways []*client.Network
	store    store.Store
	log      *slog.Logger
	now      atomic.Pointer[client.Block]
	silent   atomic.Pointer[time.Time] // since when no gateway answers; nil: they do
}

const (
	rowTip    byte = 't' // second byte in the node's table -> height, time, hash
	tipEvery       = 20 * time.Second
	tipFirst       = 15 * time.Second // the first one has to be there before the unit answers
	tipAgain       = 250 * time.Millisecond
	tipAtOnce      = 10 * time.Second
)

func openTip(ctx context.Context, gateways []string, s store.Store, log *slog.Logger) (*chainTip, error) {
	t := &chainTip{store: s, log: log}
	for _, g := range gateways {
		t.gateways = append(t.gateways, &client.Network{Gateway: g})
	}
	kept, err := s.Get([]byte{store.TableNode, rowTip})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the newest block cannot be read")
	}
	if len(kept) == 48 {
		t.now.Store(&client.Block{Height: binary.BigEndian.Uint64(kept), Timestamp: int64(binary.BigEndian.Uint64(kept[8:])), Hash: message.ID(kept[16:48])})
		return t, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tipFirst)
	defer cancel()
	if err := t.askUntil(ctx); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "block-unknown", "no gateway tells the newest block, which slots are stamped with").(*fault.Error).
			WithHint("name a gateway that answers GET /block/current with --gateway-url or --arweave-url")
	}
	return t, nil
}

// askUntil asks again and again: units that are started together do not wait for each other.
func (t *chainTip) askUntil(ctx context.Context) error {
	for {
		err := t.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(tipAgain):
		}
	}
}

// ask takes the first answer. Blocks never go back.
func (t *chainTip) ask(ctx context.Context) error {
	var errs []error
	for _, g := range t.gateways {
		ctx, cancel := context.WithTimeout(ctx, tipAtOnce)
		b, err := g.Block(ctx)
		cancel()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if old := t.now.Load(); old != nil && b.Height <= old.Height {
			return nil
		}
		v := binary.BigEndian.AppendUint64(nil, b.Height)
		v = binary.BigEndian.AppendUint64(v, uint64(b.Timestamp))
		var batch store.Batch
		batch.Set([]byte{store.TableNode, rowTip}, append(v, b.Hash[:]...))
		if err := t.store.Apply(&batch, true); err != nil { // before it is used, so that a restart does not go back
			return err
		}
		t.now.Store(&b)
		return nil
	}
	return errors.Join(errs...)
}

// run keeps asking until ctx ends.
func (t *chainTip) run(ctx context.Context) {
	tick := time.NewTicker(tipEvery)
	defer tick.Stop()
	for {
		err := t.ask(ctx)
		if err == nil {
			t.silent.Store(nil)
		} else if t.silent.Load() == nil {
			now := time.Now()
			t.silent.Store(&now)
		}
		if err != nil && ctx.Err() == nil {
			t.log.Warn("the newest block is not known; slots keep the last one", "height", t.height(), "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Tip serves the scheduler.
func (t *chainTip) Tip() (height uint64, hash message.ID, timeMS int64) {
	b := t.now.Load()
	return b.Height, b.Hash, b.Timestamp
}

func (t *chainTip) height() uint64 { return t.now.Load().Height }
