// Package localnet is a whole ao network in one process, with a clock its user controls.
package localnet

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"ago/client"
	"ago/clock"
	"ago/commitment"
	"ago/node"
	"ago/vm"
)

// Options say what network to run. The zero value is one in memory on free ports, with a running clock.
type Options struct {
	Dir      string    // "" keeps everything in memory
	CacheDir string    // compiled modules; "" is the user's cache folder
	Engine   vm.Engine // shared by several networks; nil: one of its own
	PortBase int       // 0 takes free ports
	Clock    *clock.Adjustable
	Key      *commitment.Key
	Modules  []node.Module
	Patience time.Duration // see node.Config
	Log      *slog.Logger
}

// Network is a running network.
type Network struct {
	*node.Node
	Clock  *clock.Adjustable
	Client *client.Network // talks to all units of this network
}

// Start runs a network. Whoever starts it closes it.
func Start(ctx context.Context, o Options) (*Network, error) {
	if o.Clock == nil {
		o.Clock = clock.NewAdjustable()
	}
	if o.CacheDir == "" {
		if d, err := os.UserCacheDir(); err == nil {
			o.CacheDir = filepath.Join(d, "ago", "modules")
		}
	}
	c := node.Config{
		Dir: o.Dir, CacheDir: o.CacheDir, Engine: o.Engine, Key: o.Key, Clock: o.Clock, Modules: o.Modules, Patience: o.Patience, Log: o.Log,
	}
	if o.PortBase != 0 {
		c.Ports = node.PortsFrom(o.PortBase)
	}
	n, err := node.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Network{Node: n, Clock: o.Clock, Client: client.At(n.Addresses().Node)}, nil
}
