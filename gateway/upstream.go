package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// upstream asks other gateways for what is not known here, and nothing else: ids of this node never leave it. What they send
// is believed only if its signature and its data root hold, so it does not matter who they are.
type upstream struct {
	hosts  []string
	client *http.Client
	flight singleflight.Group

	mu     sync.Mutex
	absent map[message.ID]time.Time // asked for in vain, and when
}

const (
	// upstreamTime bounds one request, and a request may bring a whole item.
	upstreamTime = 60 * time.Second
	// absentFor is how long an id that nobody knew is not asked for again; new ones take minutes to be indexed anyway.
	absentFor = 20 * time.Second
	absentMax = 10_000
	// pendingFor is after how long a record that had no block is asked for again.
	pendingFor = 5 * time.Minute
	// askedMax is how many ids of one query are looked for elsewhere.
	askedMax = 50
)

func (u *upstream) open(hosts []string, client *http.Client) {
	for _, h := range hosts {
		u.hosts = append(u.hosts, strings.TrimRight(h, "/"))
	}
	if u.client = client; client == nil {
		u.client = &http.Client{Timeout: upstreamTime}
	}
	u.absent = map[message.ID]time.Time{}
}

func (u *upstream) isAbsent(id message.ID) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	at, ok := u.absent[id]
	return ok && time.Since(at) < absentFor
}

func (u *upstream) setAbsent(id message.ID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.absent) >= absentMax {
		clear(u.absent)
	}
	u.absent[id] = time.Now()
}

// remote gives a record that another gateway knows, from what was kept of it or by asking. It fails with NotFound if there
// is nobody to ask or nobody knows it, and with Unavailable if nobody answered.
func (g *Gateway) remote(ctx context.Context, id message.ID) (*Record, error) {
	rec, err := g.remoteKept(ctx, id)
	if err != nil || rec != nil && (rec.Block != nil || g.c.Clock.Now().UnixMilli()-rec.Arrived < pendingFor.Milliseconds()) {
		return rec, err
	}
	kept := rec // pending when it was kept
	if kept != nil && (len(g.upstream.hosts) == 0 || g.upstream.isAbsent(id)) {
		return kept, nil
	}
	if len(g.upstream.hosts) == 0 || g.upstream.isAbsent(id) {
		return nil, unknown(id)
	}
	// The first asker's deadline must not be everybody's.
	found := g.upstream.flight.DoChan(id.String(), func() (any, error) {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), upstreamTime)
		defer stop()
		return nil, g.fetch(ctx, id)
	})
	select {
	case r := <-found:
		err = r.Err
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "upstream-slow", "asking other gateways for %s", id)
	}
	if err != nil && kept != nil {
		g.upstream.setAbsent(id)
		return kept, nil
	}
	if err != nil {
		return nil, err
	}
	if rec, err = g.remoteKept(ctx, id); rec == nil && err == nil {
		err = unknown(id)
	}
	return rec, err
}

// fetch asks the gateways in order and keeps the first answer that holds.
func (g *Gateway) fetch(ctx context.Context, id message.ID) error {
	var failed error
	for _, host := range g.upstream.hosts {
		err := g.fetchFrom(ctx, host, id)
		if err == nil {
			return nil
		}
		if fault.KindOf(err) == fault.NotFound {
			continue
		}
		g.log.Warn("another gateway did not give a record", "host", host, "id", id, "err", err)
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return fault.Wrap(failed, fault.Unavailable, "upstream-failed", "no other gateway gave %s", id)
	}
	g.upstream.setAbsent(id)
	return unknown(id)
}

// remoteNode is a record in the answer of another gateway.
type remoteNode struct {
	ID        string `json:"id"`
	Anchor    string `json:"anchor"`
	Signature string `json:"signature"`
	Recipient string `json:"recipient"`
	Owner     struct {
		Key string `json:"key"`
	} `json:"owner"`
	Tags []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"tags"`
	Block *struct {
		ID        string `json:"id"`
		Height    uint64 `json:"height"`
		Timestamp int64  `json:"timestamp"`
	} `json:"block"`
	BundledIn *struct {
		ID message.ID `json:"id"`
	} `json:"bundledIn"`
}

const remoteQuery = `query($ids:[ID!]!){transactions(ids:$ids,first:1){edges{node{id anchor signature recipient owner{key} tags{name value} block{id height timestamp} bundledIn{id}}}}}`

func (g *Gateway) fetchFrom(ctx context.Context, host string, id message.ID) error {
	var answer struct {
		Data struct {
			Transactions struct {
				Edges []struct {
					Node remoteNode `json:"node"`
				} `json:"edges"`
			} `json:"transactions"`
		} `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	ask, err := json.Marshal(graphRequest{Query: remoteQuery, Variables: map[string]any{"ids": []string{id.String()}}})
	if err != nil {
		return err
	}
	body, err := g.get(ctx, http.MethodPost, cmp.Or(g.c.UpstreamGraphQL, host+"/graphql"), ask, requestBytesMax)
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := readAll(body, requestBytesMax, "answer")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fault.Wrap(err, fault.Unavailable, "upstream-malformed", "%s did not answer JSON", host)
	}
	if len(answer.Errors) > 0 {
		return fault.New(fault.Unavailable, "upstream-failed", "%s answered: %.200s", host, answer.Errors[0].Message)
	}
	if len(answer.Data.Transactions.Edges) == 0 {
		return unknown(id)
	}
	node := answer.Data.Transactions.Edges[0].Node
	if node.ID != id.String() {
		return fault.New(fault.Forged, "upstream-forged", "%s answered with another id", host)
	}
	if node.BundledIn == nil {
		// Not all gateways tell the bundle, and some give items in the form of transactions: what verifies is what it is.
		notOne := g.fetchTransaction(ctx, host, id, node)
		if notOne == nil {
			return nil
		}
		g.log.Debug("a record is taken for an item", "host", host, "id", id, "err", notOne)
	}
	return g.fetchItem(ctx, host, id, node)
}

// get sends a request and gives the body of a good answer.
func (g *Gateway) get(ctx context.Context, method, url string, body []byte, limit int64) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "upstream-address", "%q is no address of a gateway", url)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	w, err := g.upstream.client.Do(r)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "upstream-silent", "asking another gateway")
	}
	switch {
	case w.StatusCode == http.StatusNotFound || w.StatusCode == http.StatusBadRequest || w.StatusCode == http.StatusAccepted:
		err = fault.New(fault.NotFound, "record-unknown", "%s is not known there", url)
	case w.StatusCode != http.StatusOK:
		err = fault.New(fault.Unavailable, "upstream-failed", "%s answered %s", url, w.Status)
	case w.ContentLength > limit:
		err = fault.New(fault.TooLarge, "body-too-large", "%s is over %d bytes", url, limit)
	}
	if err != nil {
		_ = w.Body.Close()
		return nil, err
	}
	return w.Body, nil
}

// fetchTransaction takes a transaction by its signed header. Its data is fetched when somebody asks for it.
func (g *Gateway) fetchTransaction(ctx context.Context, host string, id message.ID, node remoteNode) error {
	body, err := g.get(ctx, http.MethodGet, host+"/tx/"+id.String(), nil, g.c.Limits.TransactionBytes)
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := readAll(body, g.c.Limits.TransactionBytes, "transaction")
	if err != nil {
		return err
	}
	tx, err := arweave.ParseTransaction(text)
	if err != nil {
		return err
	}
	if tx.ID != id {
		return fault.New(fault.Forged, "upstream-forged", "%s answered with another id", host)
	}
	if tx.Format != 2 {
		return fault.New(fault.Unsupported, "transaction-format", "%s is a transaction of the first format", id)
	}
	if err := tx.Check(); err != nil {
		return err
	}
	if err := commitment.VerifySignature(commitment.RSA, tx.Owner, tx.SignatureData(), tx.Signature); err != nil {
		return err
	}
	tx.Data = nil
	var b store.Batch
	g.keepRemote(&b, row{kind: kindTransaction, id: id, body: tx.JSON()}, node)
	return fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "upstream-write", "keeping %s", id)
}

// fetchItem puts an item together from its parts, of which the data is one, and checks that its owner signed that.
func (g *Gateway) fetchItem(ctx context.Context, host string, id message.ID, node remoteNode) error {
	dec := base64.RawURLEncoding.DecodeString
	signature, err1 := dec(node.Signature)
	owner, err2 := dec(node.Owner.Key)
	anchor, err3 := dec(node.Anchor)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fault.Wrap(err, fault.Forged, "upstream-malformed", "%s described %s wrongly", host, id)
	}
	if len(signature) == 0 || len(owner) == 0 {
		return fault.New(fault.Unavailable, "upstream-unsigned", "%s does not give the signature of %s, so it cannot be checked", host, id).WithHint("ago sync believes the gateway about a module with --trust-gateway, or takes a file with --module %s=FILE", id)
	}
	if message.HashOf(signature) != id {
		return fault.New(fault.Forged, "upstream-forged", "%s described %s with another signature", host, id)
	}
	d := ans104.Draft{Anchor: anchor}
	for _, t := range node.Tags {
		d.Tags = append(d.Tags, Tag{Name: t.Name, Value: t.Value})
	}
	if len(anchor) == 0 {
		d.Anchor = nil
	}
	if node.Recipient != "" {
		if d.Target, err1 = message.ParseID(node.Recipient); err1 != nil {
			return fault.Wrap(err1, fault.Forged, "upstream-malformed", "%s described %s wrongly", host, id)
		}
		d.HasTarget = true
	}
	body, err := g.get(ctx, http.MethodGet, host+"/raw/"+id.String(), nil, g.c.Limits.ItemBytes)
	if err != nil {
		return err
	}
	defer body.Close()
	if d.Data, err = readAll(body, g.c.Limits.ItemBytes, "data item"); err != nil {
		return err
	}
	it, err := verifiedItem(signature, owner, d)
	if err != nil {
		return fault.Wrap(err, fault.Forged, "upstream-forged", "what %s gave for %s", host, id)
	}
	var b store.Batch
	if err := g.c.Items.PutItem(ctx, &b, id, it.Raw); err != nil {
		return fault.Wrap(err, fault.Unavailable, "upstream-write", "keeping %s", id)
	}
	r := row{kind: kindItem, id: id}
	if len(it.Raw) > headerInline {
		r.kind, r.body = kindLargeItem, largeItemBody(it)
	}
	if node.BundledIn != nil {
		r.parent = node.BundledIn.ID
	}
	g.keepRemote(&b, r, node)
	return fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "upstream-write", "keeping %s", id)
}

// verifiedItem tries the key types that fit: GraphQL does not tell the type.
func verifiedItem(signature, owner []byte, d ans104.Draft) (*ans104.Item, error) {
	err := error(fault.New(fault.Unsupported, "key-type-unknown", "a signature of %d bytes by a key of %d", len(signature), len(owner)))
	for _, kind := range commitment.KeyTypes() {
		if kind.SignatureSize() != len(signature) || kind.OwnerSize() != len(owner) {
			continue
		}
		var it *ans104.Item
		if it, err = ans104.Rebuild(kind, signature, owner, d); err != nil {
			continue
		}
		if err = it.Verify(); err == nil {
			return it, nil
		}
	}
	return nil, err
}

// keepRemote adds the row of another network's record. Its block is put before it:
//
//	height(uvarint) time(uvarint, ms) id length(1) id, then the row
//
// A height of 0 means pending. Such records are found by their id only.
func (g *Gateway) keepRemote(b *store.Batch, r row, node remoteNode) {
	r.time = g.c.Clock.Now().UnixMilli()
	v := make([]byte, 0, 128+len(r.body))
	if n := node.Block; n != nil && len(n.ID) < 128 && n.Timestamp >= 0 {
		v = binary.AppendUvarint(v, n.Height)
		v = binary.AppendUvarint(v, uint64(n.Timestamp)*1000)
		v = append(append(v, byte(len(n.ID))), n.ID...)
	} else {
		v = append(v, 0, 0, 0)
	}
	b.Set(idKey(subUpstream, r.id), r.encode(v))
}

// remoteKept gives what was kept of another network's record, or nil.
func (g *Gateway) remoteKept(ctx context.Context, id message.ID) (*Record, error) {
	v, err := g.c.Store.Get(idKey(subUpstream, id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "index-read", "looking up %s", id)
	}
	blk, name, rest, err := decodeRemoteBlock(v)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "index-damaged", "reading %s", id)
	}
	r, err := decodeRow(rest)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "index-damaged", "reading %s", id)
	}
	rec, err := g.fromRow(ctx, r)
	if err != nil {
		return nil, err
	}
	rec.Remote = true
	if blk.Height > 0 {
		rec.Block, rec.blockID = &blk, name
	}
	return rec, nil
}

func decodeRemoteBlock(v []byte) (blk Block, name string, rest []byte, err error) {
	h, n := binary.Uvarint(v)
	if n <= 0 {
		return blk, "", nil, errRow
	}
	t, m := binary.Uvarint(v[n:])
	if m <= 0 || len(v) <= n+m {
		return blk, "", nil, errRow
	}
	v = v[n+m:]
	size := int(v[0])
	if len(v) < 1+size {
		return blk, "", nil, errRow
	}
	return Block{Height: h, Time: int64(t)}, string(v[1 : 1+size]), v[1+size:], nil
}

// remoteData fetches the data of another network's transaction and keeps it if its root holds.
func (g *Gateway) remoteData(ctx context.Context, rec *Record) (store.Blob, error) {
	size := rec.DataSize
	if size > g.c.Limits.DataBytes {
		return nil, fault.New(fault.TooLarge, "data-too-large", "the data of %s has %d bytes, at most %d are fetched", rec.ID, size, g.c.Limits.DataBytes)
	}
	failed := error(unknown(rec.ID))
	for _, host := range g.upstream.hosts {
		err := g.fetchData(ctx, host, rec)
		if err == nil {
			return g.dataByRoot(rec.tx.DataRoot, size)
		}
		g.log.Warn("another gateway did not give data", "host", host, "id", rec.ID, "err", err)
		failed = err
	}
	return nil, fault.Wrap(failed, fault.Unavailable, "upstream-failed", "no other gateway gave the data of %s", rec.ID)
}

func (g *Gateway) fetchData(ctx context.Context, host string, rec *Record) error {
	body, err := g.get(ctx, http.MethodGet, host+"/raw/"+rec.ID.String(), nil, rec.DataSize)
	if err != nil {
		return err
	}
	defer body.Close()
	blob, n, err := g.c.Blobs.Put(ctx, io.LimitReader(body, rec.DataSize+1))
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "upstream-write", "keeping the data of %s", rec.ID)
	}
	if n != rec.DataSize {
		return fault.New(fault.Forged, "upstream-forged", "%s gave %d bytes for the %d of %s", host, n, rec.DataSize, rec.ID)
	}
	f, err := g.c.Blobs.Open(blob)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "blob-missing", "reading the data of %s", rec.ID)
	}
	defer f.Close()
	root, _, err := arweave.MakeChunks(f)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "blob-missing", "reading the data of %s", rec.ID)
	}
	if root != rec.tx.DataRoot {
		return fault.New(fault.Forged, "upstream-forged", "%s gave other data than that of %s", host, rec.ID)
	}
	var b store.Batch
	b.Set(rootKey(subData, root, uint64(n)), blob[:])
	return fault.Wrap(g.c.Store.Apply(&b, true), fault.Unavailable, "upstream-write", "keeping the data of %s", rec.ID)
}

// remoteAmong gives the records that a query names by id, that are not known here, and that another gateway told. Only what
// was named can be among them, so a query without ids never leaves the node. A gateway that does not answer is no reason to
// fail: what is known here is the answer then.
func (g *Gateway) remoteAmong(ctx context.Context, q *Query) ([]*Record, error) {
	var out []*Record
	asked := 0
	for i, id := range q.IDs {
		if slices.Contains(q.IDs[:i], id) {
			continue
		}
		known, err := g.Known(id)
		if err != nil {
			return nil, err
		}
		if known {
			continue
		}
		rec, err := g.remoteKept(ctx, id)
		if err != nil {
			return nil, err
		}
		if rec == nil && len(g.upstream.hosts) > 0 {
			if asked++; asked > askedMax {
				continue
			}
			if rec, err = g.remote(ctx, id); err != nil {
				continue // logged where it failed
			}
		}
		if rec != nil && q.matches(rec, 1<<63) {
			out = append(out, rec)
		}
	}
	return out, nil
}

// edge is a record on a page.
type edge struct {
	cursor string
	rec    *Record
}

// pageWith gives a page of local records and of those another gateway told. The latter stand where the oldest records do,
// by their own heights, so that no cursor moves when one of them is fetched.
func (g *Gateway) pageWith(ctx context.Context, q Query, remote []*Record, after *message.ID) (page []edge, more bool, err error) {
	slices.SortFunc(remote, func(a, b *Record) int {
		c := int(int64(height(a) - height(b)))
		if c == 0 {
			c = bytes.Compare(a.ID[:], b.ID[:])
		}
		if !q.Ascending {
			c = -c
		}
		return c
	})
	if after != nil {
		at := slices.IndexFunc(remote, func(r *Record) bool { return r.ID == *after })
		remote = remote[at+1:]
	}
	size := q.First
	addRemote := func() {
		for _, r := range remote {
			if len(page) == size {
				more = true
				return
			}
			page = append(page, edge{remoteCursor(r.ID), r})
		}
	}
	if q.Ascending && q.After == nil {
		addRemote()
	}
	if !more && (q.Ascending || after == nil) {
		q.First = size - len(page)
		found, rest, err := g.Search(ctx, q)
		if err != nil {
			return nil, false, err
		}
		for _, f := range found {
			page = append(page, edge{cursor(f.Cursor), f.Record})
		}
		more = rest
	}
	if !q.Ascending && !more {
		addRemote()
	}
	return page, more, nil
}

// height is that of a record's block; a pending one is above all.
func height(r *Record) uint64 {
	if r.Block == nil {
		return 1<<63 - 1
	}
	return r.Block.Height
}
