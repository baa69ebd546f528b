package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/message"
	"ago/store"
)

// cutStore takes so many batches and no more, as if the node had been killed.
type cutStore struct {
	store.Store
	mu   sync.Mutex
	left int
}

func (s *cutStore) Apply(b *store.Batch, sync bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left--; s.left < 0 {
		return errors.New("killed")
	}
	return s.Store.Apply(b, sync)
}

// many gives items whose rows fill more than two batches of smallBatch changes.
func many(t tester, n *network) []*ans104.Item {
	t.Helper()
	var wide []Tag
	for i := range 120 {
		wide = append(wide, Tag{Name: fmt.Sprintf("Name-%d", i), Value: "x"})
	}
	items := make([]*ans104.Item, 2*smallBatch/len(wide)+5)
	for i := range items {
		items[i] = sign(t, n.key, ans104.Draft{Tags: wide, Data: fmt.Append(nil, i)})
	}
	return items
}

const smallBatch = 1200

func (n *network) wantKnown(t *testing.T, items ...*ans104.Item) {
	t.Helper()
	for i, it := range items {
		if known, err := n.Known(it.ID()); err != nil || !known {
			t.Fatalf("item %d of %d is not found: %v", i, len(items), err)
		}
	}
}

// TestABundleThatWasCutOffIsOpenedByARepeat cuts an upload after every number of batches.
func TestABundleThatWasCutOffIsOpenedByARepeat(t *testing.T) {
	signer := newNetwork(t)
	items := many(t, signer)
	inner := bundleOf(t, signer.key, "inner", items...)
	outer := bundleOf(t, signer.key, "outer", inner)
	tx := signTransaction(t, withData(outer.Data, ans104.BundleTags()))
	_, proofs, err := arweave.MakeChunks(bytes.NewReader(outer.Data))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	post := func(n *network) error {
		_, err := n.Post(ctx, tx)
		return err
	}
	upload := func(it *ans104.Item) func(*network) error {
		return func(n *network) error { return n.keep(ctx, it) }
	}
	for _, c := range []struct {
		name          string
		first, repeat func(*network) error
	}{
		{"an upload", upload(outer), upload(outer)},
		{"its inner bundle alone", upload(outer), upload(inner)},
		{"a transaction", post, post},
		{"the last chunk", func(n *network) error {
			headless := *tx
			headless.Data = nil
			if _, err := n.Post(ctx, &headless); err != nil {
				return err
			}
			return n.chunks(tx, proofs)
		}, func(n *network) error {
			headless := *tx
			headless.Data = nil
			if _, err := n.Post(ctx, &headless); err != nil {
				return err
			}
			return n.chunks(tx, proofs)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for batches := range 40 {
				var cut *cutStore
				n := newNetwork(t, func(c *Config) {
					cut = &cutStore{Store: c.Store, left: 1 << 30}
					c.Store = cut
				})
				cut.left, n.batch = batches, smallBatch
				err := c.first(n)
				cut.left = 1 << 30
				n.reopen(t)
				n.batch = smallBatch
				if again := c.repeat(n); again != nil {
					t.Fatalf("cut after %d batches: %v", batches, again)
				}
				n.wantKnown(t, items...)
				if err == nil {
					if batches < 3 {
						t.Fatalf("%d batches were enough, so this test shows little", batches)
					}
					return
				}
			}
			t.Fatal("it does not end")
		})
	}
}

func (n *network) chunks(tx *arweave.Transaction, proofs []arweave.ChunkProof) error {
	for _, p := range proofs {
		c := arweave.Chunk{DataRoot: tx.DataRoot, DataSize: tx.DataSize, DataPath: p.Path, Offset: p.Offset(), Data: tx.Data[p.Start:p.End]}
		if err := n.Chunk(context.Background(), c); err != nil {
			return err
		}
	}
	return nil
}

func TestABundleIsOpenedToItsEndIfTheClientGoes(t *testing.T) {
	n := newNetwork(t)
	n.batch = smallBatch
	items := many(t, n)
	gone, leave := context.WithCancel(context.Background())
	leave()
	if err := n.keep(gone, bundleOf(t, n.key, "b", items...)); err != nil {
		t.Fatal(err)
	}
	n.wantKnown(t, items...)
}

func TestABundleThatIsPostedTwiceAtOnceHasOneRecordPerItem(t *testing.T) {
	n := newNetwork(t)
	n.batch = smallBatch
	items := many(t, n)
	bundle := bundleOf(t, n.key, "b", items...)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := n.keep(context.Background(), bundle); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, want := n.order.end(), uint64(len(items)+1); got != want {
		t.Fatalf("%d records, want %d", got, want)
	}
}

// syncStore notes what is on disk: everything that was visible when a synced batch began.
type syncStore struct {
	store.Store
	synced int
}

func (s *syncStore) Apply(b *store.Batch, sync bool) error {
	if sync && b.Len() > 0 {
		s.synced++
	}
	return s.Store.Apply(b, sync)
}

func TestAReceiptOfARepeatIsGivenWhenTheItemIsOnDisk(t *testing.T) {
	var synced *syncStore
	n := newNetwork(t, func(c *Config) {
		synced = &syncStore{Store: c.Store}
		c.Store = synced
	})
	it := sign(t, n.key, ans104.Draft{Data: []byte("x")})
	var b store.Batch
	if err := n.put(context.Background(), &b, it, message.ID{}); err != nil {
		t.Fatal(err)
	}
	if err := n.store.Apply(&b, false); err != nil { // visible, as an item of a bundle that is still being opened
		t.Fatal(err)
	}
	before := synced.synced
	if err := n.keep(context.Background(), it); err != nil || synced.synced == before {
		t.Fatalf("%d synced writes, %v", synced.synced-before, err)
	}
	if n.order.end() != 1 {
		t.Fatal("the repeat has a record of its own")
	}
}
