package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/store"
)

func bundleOf(t tester, k *commitment.Key, name string, items ...*ans104.Item) *ans104.Item {
	t.Helper()
	return sign(t, k, ans104.Draft{Tags: append(ans104.BundleTags(), Tag{Name: "Bundle", Value: name}), Data: ans104.EncodeBundle(items)})
}

func (n *network) upload(t *testing.T, raw []byte) Receipt {
	t.Helper()
	w := call(t, n.BundlerHandler(), "POST", "/tx/arweave", string(raw))
	var r Receipt
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != 200 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return r
}

func TestAnUploadIsReceiptedAndFoundAtOnce(t *testing.T) {
	n := newNetwork(t)
	it := sign(t, testKey(t, "user"), ans104.Draft{Data: []byte("x"), Tags: tags("A", "1")})
	r := n.upload(t, it.Raw)
	if r.ID != it.ID() || r.Timestamp != start.UnixMilli() || r.DeadlineHeight != 1_500_200 || r.Owner != n.key.Address().String() {
		t.Fatalf("the receipt %+v", r)
	}
	sig, err := base64.RawURLEncoding.DecodeString(r.Signature)
	if err != nil {
		t.Fatal(err)
	}
	hash := arweave.DeepHash(arweave.List(arweave.Text("Bundlr"), arweave.Text(r.Version), arweave.Text(r.ID.String()),
		arweave.Text(strconv.FormatUint(r.DeadlineHeight, 10)), arweave.Text(strconv.FormatInt(r.Timestamp, 10))))
	if err := commitment.VerifySignature(n.key.Type(), n.key.Owner(), hash[:], sig); err != nil {
		t.Fatal(err)
	}
	if n.upload(t, it.Raw).ID != it.ID() {
		t.Fatal("a repeat is refused")
	}
	rec, err := n.Record(context.Background(), it.ID())
	if err != nil || rec.Source != Item || !slices.Equal(rec.Tags, it.Tags) || rec.DataSize != 1 {
		t.Fatalf("%+v, %v", rec, err)
	}
	raw, err := n.ItemBytes(context.Background(), it.ID())
	if err != nil || !bytes.Equal(raw, it.Raw) {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
}

func TestItemsOfBundlesAreFoundWithTheirBundle(t *testing.T) {
	n := newNetwork(t)
	k := testKey(t, "user")
	leaf := sign(t, k, ans104.Draft{Data: []byte("leaf")})
	other := sign(t, k, ans104.Draft{Data: []byte("other")})
	forged := sign(t, k, ans104.Draft{Data: []byte("forged")})
	raw := bytes.Clone(forged.Raw)
	raw[len(raw)-1] ^= 1
	forged, err := ans104.DecodeItem(raw)
	if err != nil {
		t.Fatal(err)
	}
	inner := bundleOf(t, k, "inner", leaf, forged)
	outer := bundleOf(t, k, "outer", other, inner)
	n.upload(t, outer.Raw)
	for _, c := range []struct {
		it     *ans104.Item
		parent message.ID
	}{{leaf, inner.ID()}, {inner, outer.ID()}, {other, outer.ID()}, {outer, message.ID{}}} {
		rec, err := n.Record(context.Background(), c.it.ID())
		if err != nil || rec.Parent != c.parent {
			t.Errorf("%s: parent %v, %v; want %v", c.it.Data, rec, err, c.parent)
		}
	}
	if _, err := n.Record(context.Background(), forged.ID()); err == nil {
		t.Error("an item with a broken signature is served")
	}
	got := n.query(t, `{transactions(bundledIn:["`+outer.ID().String()+`"], sort: HEIGHT_ASC){edges{node{id}}}}`, nil)
	if strings.Count(got, `"id"`) != 2 {
		t.Errorf("the outer bundle has %s", got)
	}
}

func TestABundleInATransactionIsOpenedWhenItsDataIsThere(t *testing.T) {
	n := newNetwork(t)
	leaf := sign(t, n.key, ans104.Draft{Data: noise(300_000)})
	data := ans104.EncodeBundle([]*ans104.Item{leaf})
	tx := signTransaction(t, withData(data, ans104.BundleTags()))
	_, proofs, err := arweave.MakeChunks(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	tx.Data = nil
	if _, err := n.Post(context.Background(), tx); err != nil {
		t.Fatal(err)
	}
	for i, p := range proofs {
		if known, _ := n.Known(leaf.ID()); known {
			t.Fatalf("the item is known before chunk %d", i)
		}
		c := arweave.Chunk{DataRoot: tx.DataRoot, DataSize: tx.DataSize, DataPath: p.Path, Offset: p.Offset(), Data: data[p.Start:p.End]}
		if err := n.Chunk(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	rec, err := n.Record(context.Background(), leaf.ID())
	if err != nil || rec.Parent != tx.ID {
		t.Fatalf("%+v, %v", rec, err)
	}
	if w := call(t, n.GatewayHandler(), "GET", "/raw/"+leaf.ID().String(), "", "Range", "bytes=299990-"); !bytes.Equal(w.Body.Bytes(), leaf.Data[299990:]) {
		t.Fatalf("a range of a large item: %d, %d bytes", w.Code, w.Body.Len())
	}
}

// openingItems can open an item, and refuses to read a large one as a whole.
type openingItems struct {
	Items
	opened int
}

func (o *openingItems) Item(ctx context.Context, id message.ID) ([]byte, error) {
	raw, err := o.Items.Item(ctx, id)
	if len(raw) > headerInline {
		return nil, errors.New("a large item was read as a whole")
	}
	return raw, err
}

func (o *openingItems) OpenItem(ctx context.Context, id message.ID) (store.Blob, error) {
	o.opened++
	raw, err := o.Items.Item(ctx, id)
	return inMemory(raw), err
}

func TestARangeOfALargeItemIsReadAlone(t *testing.T) {
	items := &openingItems{}
	n := newNetwork(t, func(c *Config) { items.Items = c.Items; c.Items = items })
	it := n.add(t, sign(t, n.key, ans104.Draft{Data: noise(300_000), Tags: tags("A", "1")}))
	w := call(t, n.GatewayHandler(), "GET", "/raw/"+it.ID().String(), "", "Range", "bytes=200000-200009")
	if w.Code != 206 || !bytes.Equal(w.Body.Bytes(), it.Data[200_000:200_010]) || items.opened != 1 {
		t.Fatalf("%d, %d bytes, opened %d times", w.Code, w.Body.Len(), items.opened)
	}
	if got := n.query(t, `{transactions(tags:[{name:"A",values:["1"]}]){edges{node{data{size}}}}}`, nil); !strings.Contains(got, `"300000"`) {
		t.Fatal(got)
	}
}

func TestBundlesBeyondTheBoundsAreRefusedWhole(t *testing.T) {
	n := newNetwork(t)
	it := sign(t, n.key, ans104.Draft{Data: []byte("deepest")})
	deepest := it.ID()
	for i := range bundleDepthMax {
		it = bundleOf(t, n.key, fmt.Sprint(i), it)
	}
	tooDeep := bundleOf(t, n.key, "outermost", it)
	broken := sign(t, n.key, ans104.Draft{Data: []byte("no bundle"), Tags: ans104.BundleTags()})
	for _, c := range []struct {
		raw    []byte
		status int
		code   string
	}{{tooDeep.Raw, 413, "bundle-too-deep"}, {broken.Raw, 400, "bundle-malformed"}} {
		w := call(t, n.BundlerHandler(), "POST", "/tx/arweave", string(c.raw))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.code) {
			t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.status, c.code)
		}
	}
	if n.order.end() != 0 {
		t.Fatalf("%d items of refused bundles were kept", n.order.end())
	}
	n.upload(t, it.Raw) // just as deep as allowed
	if known, _ := n.Known(deepest); !known {
		t.Fatal("the deepest item that is allowed was not found")
	}
}

func TestAnImportIsServedUnderTheIDItWasGiven(t *testing.T) {
	n := newNetwork(t)
	ctx := context.Background()
	id, owner := message.HashOf([]byte("public id")), message.HashOf([]byte("owner"))
	if err := n.Import(ctx, id, tags("Module-Format", "wasm64", "Memory-Limit", "2-gb"), []byte("\x00asm"), owner); err != nil {
		t.Fatal(err)
	}
	w := call(t, n.GatewayHandler(), "GET", "/"+id.String(), "")
	if w.Body.String() != "\x00asm" || w.Header().Get("X-Imported") != "true" || w.Header().Get("Module-Format") != "wasm64" {
		t.Fatalf("%v %q", w.Header(), w.Body)
	}
	rec, err := n.Record(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Type": "Module", "Data-Protocol": "ao", "Memory-Limit": "2-gb", "Compute-Limit": "9000000000000", "Module-Format": "wasm64"} {
		if got, _ := rec.Tag(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if rec.Source != Imported || rec.Address != owner || rec.Signature != nil {
		t.Errorf("%+v", rec)
	}
	// Again, with other bytes: a developer builds a module twice.
	if err := n.Import(ctx, id, tags("Module-Format", "wasm32"), []byte("new"), owner); err != nil {
		t.Fatal(err)
	}
	got := n.query(t, `{old: transactions(tags:[{name:"Module-Format",values:["wasm64"]}]){edges{node{id}}} new: transactions(tags:[{name:"Type",values:["Module"]}]){edges{node{id data{size}}}}}`, nil)
	if got != `{"data":{"old":{"edges":[]},"new":{"edges":[{"node":{"id":"`+id.String()+`","data":{"size":"3"}}}]}}}` {
		t.Error(got)
	}
	signed := n.add(t, sign(t, n.key, ans104.Draft{Data: []byte("signed")}))
	if err := n.Import(ctx, signed.ID(), nil, []byte("signed"), message.ID{}); err != nil {
		t.Error(err)
	}
	if err := n.Import(ctx, signed.ID(), nil, []byte("other"), message.ID{}); err == nil {
		t.Error("other bytes were taken for a signed item")
	}
}
