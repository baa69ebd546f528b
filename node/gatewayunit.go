package node

import (
	"context"
	"errors"
	"time"

	"ago/clock"
	"ago/gateway"
)

// GatewayConfig says what a gateway alone stands on.
type GatewayConfig struct {
	UnitConfig
	BundlerPort   int           // for uploads; 0 is a free one
	Upstream      []string      // gateways that are asked in order for what is not here
	BlockInterval time.Duration // of its block clock; 0: 2 minutes
	Modules       []Module      // served under their public ids
}

// GatewayUnit is a running gateway and bundler without the units of the network.
type GatewayUnit struct {
	unit
	gateway *gateway.Gateway
	bundler string
}

// StartGateway makes and starts a gateway: data by id, GraphQL, uploads, and blocks for whoever stamps by them.
func StartGateway(ctx context.Context, c GatewayConfig) (*GatewayUnit, error) {
	g := &GatewayUnit{}
	if err := g.start(ctx, c); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *GatewayUnit) start(ctx context.Context, c GatewayConfig) error {
	if err := g.open(ctx, c.UnitConfig); err != nil {
		return err
	}
	var err error
	g.gateway, err = gateway.Open(gateway.Config{
		Store: g.store, Blobs: g.blobs, Items: items{log: g.log}, Clock: clock.System{}, Key: g.c.Key, BlockInterval: c.BlockInterval,
		Upstream: c.Upstream, Closed: true, Verify: g.verifier.Verify, Log: g.c.Log,
	})
	if err != nil {
		return err
	}
	if err := importModules(ctx, g.gateway, g.verifier, c.Modules); err != nil {
		return err
	}
	g.metrics.gauge("ao_gateway_height_blocks", "Height of the newest block.", func() float64 { return float64(g.gateway.Blocks().Height()) })
	if g.url, err = g.listen("gateway", c.Port, g.gateway.GatewayHandler()); err != nil {
		return err
	}
	if g.bundler, err = g.listen("bundler", c.BundlerPort, g.gateway.BundlerHandler()); err != nil {
		return err
	}
	g.serve()
	return nil
}

// BundlerURL is where it takes uploads.
func (g *GatewayUnit) BundlerURL() string { return g.bundler }
