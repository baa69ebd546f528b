// Package gateway is Arweave's face for a node: data by id, GraphQL over tags, uploads, chunks and a block clock.
//
// It owns two tables of the store (see keys.go) and the blobs of transactions. The bytes of data items are
// kept by whoever keeps the node's messages, so an item that was scheduled is not stored a second time. An accepted item
// becomes visible with the batch it was accepted in: Index only adds rows to it.
package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// Items keeps the raw bytes of data items by their id: of all that are handed to Index, assignments included.
type Items interface {
	// Item gives the bytes, or an error that is store.ErrNotFound.
	Item(ctx context.Context, id message.ID) ([]byte, error)
	// PutItem adds the bytes of an item to a batch.
	PutItem(ctx context.Context, b *store.Batch, id message.ID, raw []byte) error
}

// Limits bounds what the outside may hand in. A zero field takes the default.
type Limits struct {
	ItemBytes        int64 // one uploaded data item or bundle; default 256 MiB
	TransactionBytes int64 // one posted transaction as JSON, with its inline data; default 32 MiB
	DataBytes        int64 // data of one transaction that arrives in chunks; default 2 GiB
	StagedBytes      int64 // chunks of all unfinished transactions together; default 4 GiB
}

const (
	itemBytesMax        = 256 << 20 // a model or module fits; an item is held in memory while it is checked
	transactionBytesMax = 32 << 20  // 12 MiB of inline data are 16 MiB as base64url, doubled for careless clients
	dataBytesMax        = 2 << 30
	stagedBytesMax      = 4 << 30
)

// Config says what a gateway stands on.
type Config struct {
	Store store.Store
	Blobs store.Blobs
	Items Items
	Clock clock.Clock     // drives blocks and receipts; the machine's if nil
	Key   *commitment.Key // signs receipts

	BlockInterval time.Duration // time between two blocks; default 2 minutes, about that of Arweave
	// StartHeight is the height of the first block; default 1,500,000: the reference compute unit checks hash chains only
	// from 1,440,000 on, and local processes should be checked.
	StartHeight uint64

	// Upstream are the addresses of other gateways, asked in order for an id that is not known here. What they send is
	// verified and kept. None: nothing is ever asked.
	Upstream []string
	// UpstreamGraphQL is where they are asked for what they have, whole; "" is /graphql of each.
	UpstreamGraphQL string
	Client          *http.Client // for Upstream; one with a time limit if nil

	// Verify checks a message; commitment.Verify if nil. A caching one saves the second check of a message.
	Verify func(message.Message) (commitment.Verified, error)
	// Closed refuses the routes by which tests move blocks and balances.
	Closed bool
	// Reset empties the node, for the route of that name; nil refuses it.
	Reset func(context.Context) error

	Limits Limits
	Log    *slog.Logger
}

// Gateway serves what was indexed. It is safe for concurrent use.
type Gateway struct {
	c      Config
	log    *slog.Logger
	blocks *Blocks
	verify func(message.Message) (commitment.Verified, error)
	batch  int // changes of a bundle written at once; a test takes fewer

	order    ordering
	staging  staging
	chain    sync.Mutex // balances and the end of the weave are read, changed and written under it
	queries  queryCache
	proofs   proofCache
	upstream upstream
	opening  [64]sync.Mutex // a bundle is opened once at a time, under one of them
	large    chan struct{}  // places for bodies that are held in memory
}

// largeBodies is how many bodies over largeBody bytes may be in memory at once: their sum bounds the memory of uploads.
const (
	largeBodies = 4
	largeBody   = 8 << 20
)

// Open reads the state of the gateway from its store.
func Open(c Config) (*Gateway, error) {
	if c.Store == nil || c.Blobs == nil || c.Items == nil {
		return nil, fault.New(fault.Internal, "gateway-config", "a gateway needs a store, blobs and items")
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.BlockInterval <= 0 {
		c.BlockInterval = 2 * time.Minute
	}
	if c.StartHeight == 0 {
		c.StartHeight = 1_500_000
	}
	if c.Verify == nil {
		c.Verify = commitment.Verify
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	defaultTo(&c.Limits.ItemBytes, itemBytesMax)
	defaultTo(&c.Limits.TransactionBytes, transactionBytesMax)
	defaultTo(&c.Limits.DataBytes, dataBytesMax)
	defaultTo(&c.Limits.StagedBytes, stagedBytesMax)

	g := &Gateway{c: c, log: c.Log, verify: c.Verify, batch: batchChangesMax, large: make(chan struct{}, largeBodies)}
	var err error
	if g.blocks, err = openBlocks(c.Store, c.Clock, c.StartHeight, c.BlockInterval, c.Log); err != nil {
		return nil, err
	}
	if err := g.order.open(c.Store); err != nil {
		return nil, err
	}
	if err := g.staging.open(c.Store); err != nil {
		return nil, err
	}
	g.upstream.open(c.Upstream, c.Client)
	return g, nil
}

func defaultTo(v *int64, d int64) {
	if *v <= 0 {
		*v = d
	}
}

// Blocks gives the block clock.
func (g *Gateway) Blocks() *Blocks { return g.blocks }

// Known tells whether an id has a record here, without asking anybody else.
func (g *Gateway) Known(id message.ID) (bool, error) {
	_, ok, err := g.order.find(g.c.Store, id)
	return ok, err
}

// hintLarge is for what is over a limit.
const hintLarge = "send large data as a transaction in chunks, or in several items"

// readAll reads a body of at most limit bytes.
func readAll(r io.Reader, limit int64, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if refused := (*fault.Error)(nil); errors.As(err, &refused) {
		return nil, refused
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "body-broken", "the %s broke off", what)
	}
	if int64(len(b)) > limit {
		return nil, fault.New(fault.TooLarge, "body-too-large", "the %s is over %d bytes", what, limit).WithHint(hintLarge)
	}
	return b, nil
}

// Tag is a name and a value, both raw bytes.
type Tag = ans104.Tag
