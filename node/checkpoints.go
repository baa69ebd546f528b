package node

import (
	"context"
	"log/slog"
	"time"

	"ago/checkpoint"
	"ago/client"
	"ago/commitment"
	"ago/compute"
	"ago/message"
)

// Checkpoints says where whole memories of processes are kept, the form of checkpoints that units of every make can use. The
// zero value is nowhere: a node always has its own, smaller ones in its data folder.
type Checkpoints struct {
	Files        string // folder of memory files; "" writes none
	NotFromFiles bool   // files are written, and not gone on from
	Upload       bool   // publish memories at Bundler
	// Bundler takes uploads; Gateway, or Second if that does not answer, tells of published memories: base addresses.
	Bundler, Gateway, Second string
	// Trusted are the addresses whose published memories may be gone on from; none looks for those of the node's own key if
	// Upload is set, and for none otherwise. Of several, those of Preferred addresses win.
	Trusted, Preferred []string
	Ignored            []message.ID // published memories that are left out
	IgnoredProcesses   []message.ID // processes that no published memory is looked for
	Unsigned           bool         // believe a gateway that shows no signature of an item who its owner is

	Gas      uint64        // evaluated by a process after which its memory is kept; 0: 300e12
	Time     time.Duration // likewise; 0: 15 minutes
	Every    time.Duration // the memory of a process is kept at most this often; 0: 30 minutes
	Interval time.Duration // look this often for live processes whose memories are to be kept; 0: never
}

// memories gives the places.
func (c Checkpoints) memories(key *commitment.Key) compute.Memories {
	var all checkpoint.All
	if c.Files != "" {
		all = append(all, checkpoint.Files{Dir: c.Files, WriteOnly: c.NotFromFiles})
	}
	if (c.Upload || len(c.Trusted) > 0) && key != nil {
		a := checkpoint.Arweave{
			Network: &client.Network{Gateway: c.Gateway, Bundler: c.Bundler}, Key: key, Upload: c.Upload, Trusted: c.Trusted,
			Preferred: c.Preferred, Ignored: c.Ignored, IgnoredProcesses: c.IgnoredProcesses, Unsigned: c.Unsigned,
		}
		if c.Second != "" {
			a.Second = &client.Network{Gateway: c.Second}
		}
		all = append(all, checkpoint.NewArweave(a))
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// apply hands the settings to a compute unit's.
func (c Checkpoints) apply(to *compute.Config, key *commitment.Key) {
	to.Memories, to.KeepGas, to.KeepTime, to.KeepEvery = c.memories(key), c.Gas, c.Time, c.Every
}

// keep checkpoints all live processes again and again until ctx ends.
func (c Checkpoints) keep(ctx context.Context, u *compute.Computer, log *slog.Logger) {
	if c.Interval <= 0 {
		return
	}
	t := time.NewTicker(c.Interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := u.CheckpointDue(ctx); err != nil && ctx.Err() == nil {
				log.Error("not all processes could be checkpointed", "err", err)
			}
		}
	}
}
