package node

import (
	"context"
	"time"

	"ago/client"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// settles is the time after which another scheduler's slots are taken to be all in its log: it dates a slot before it stores it,
// and promises nothing. A slot that comes later nevertheless has the ticks that are behind its time evaluated again.
const settles = 2 * time.Second

// Horizon asks the scheduler for its time and for the end of its log, in this order.
func (f *follower) Horizon(ctx context.Context, id message.ID) (int64, slotlog.Slot, error) {
	p, err := f.process(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	now, err := again(ctx, func() (int64, error) { return p.su.Timestamp(ctx, id) })
	if err != nil {
		return 0, 0, err
	}
	p.mu.Lock()
	p.asked = time.Time{} // an answer from before is too old
	p.mu.Unlock()
	next, err := f.Next(ctx, id)
	return now - settles.Milliseconds(), next, err
}

// Blocks asks the gateway.
func (f *follower) Blocks(ctx context.Context, _ message.ID, above uint64, from, to int64) ([]process.Moment, error) {
	return listBlocks(ctx, f.network, above, from, to)
}

// listBlocks asks a gateway for the blocks with from <= time < to, page by page, until one is not before the end.
func listBlocks(ctx context.Context, n *client.Network, above uint64, from, to int64) ([]process.Moment, error) {
	var out []process.Moment
	for height := above + 1; ; {
		page, err := again(ctx, func() ([]client.Block, error) { return n.Blocks(ctx, height) })
		if err != nil {
			return nil, err
		}
		for _, b := range page {
			if b.Height != height {
				return nil, fault.New(fault.Unavailable, "block-missing", "the gateway listed block %d instead of %d", b.Height, height)
			}
			if b.Timestamp >= to {
				return out, nil
			}
			if b.Timestamp >= from {
				out = append(out, process.Moment{Timestamp: b.Timestamp, Height: b.Height})
			}
			height++
		}
		if len(page) == 0 {
			return out, nil
		}
	}
}

var _ compute.Timeline = (*follower)(nil)
