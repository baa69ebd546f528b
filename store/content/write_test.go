package content_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/codec/tx"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/store"
	"ago/store/content"
	"ago/store/memory"
)

// counted counts what is written and can fail.
type counted struct {
	store.Store
	rows, bytes, batches int
	failAt               int // the batch that fails, 0 none
	unsynced             int
}

var errDisk = errors.New("the disk is gone")

func (c *counted) Apply(b *store.Batch, sync bool) error {
	c.batches++
	if c.failAt > 0 && c.batches >= c.failAt {
		return errDisk
	}
	if !sync {
		c.unsynced++
	}
	for _, op := range b.Ops {
		c.rows++
		c.bytes += len(op.Key) + len(op.Value)
	}
	return c.Store.Apply(b, sync)
}

func (c *counted) taken() (rows, bytes int) {
	rows, bytes = c.rows, c.bytes
	c.rows, c.bytes = 0, 0
	return rows, bytes
}

// table is a message of many keys, as a ledger is.
func table(n int) message.Message {
	fs := make([]message.Field, n)
	for i := range fs {
		fs[i] = message.Field{Key: message.HashOf(fmt.Append(nil, "holder", i)).String(), Value: message.Int(1_000_000 + i)}
	}
	return message.New(fs...)
}

func TestAChangedKeyWritesFewRows(t *testing.T) {
	tables := &counted{Store: memory.New()}
	o := content.Options{Tables: tables, Blobs: memory.NewBlobs(), Memory: -1}
	ledger := table(10_000)
	state := message.New(text("device", "process@1.0"), message.Field{Key: "balances", Value: ledger})
	if _, err := content.New(o).Write(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	rows, size := tables.taken()
	t.Logf("10,000 keys: %d rows, %d bytes", rows, size)
	if rows > 1000 {
		t.Errorf("10,000 keys took %d rows", rows)
	}
	key := message.HashOf(fmt.Append(nil, "holder", 5_000)).String()
	changed := map[string]message.Message{
		"a value":   ledger.With(key, message.Int(7)),
		"a new key": ledger.With(message.HashOf([]byte("new")).String(), message.Int(7)),
		"one less":  ledger.Without(key),
	}
	for name, ledger := range changed {
		c := content.New(o) // which remembers nothing
		id, err := c.Write(t.Context(), state.With("balances", ledger))
		if err != nil {
			t.Fatal(err)
		}
		rows, size := tables.taken()
		t.Logf("%s: %d rows, %d bytes", name, rows, size)
		if rows > 10 || size > 16<<10 {
			t.Errorf("%s took %d rows of %d bytes", name, rows, size)
		}
		got, err := c.Read(t.Context(), id.String()+"/balances")
		if err != nil || !message.Equal(got, ledger) {
			t.Errorf("%s is not read back: %v", name, err)
		}
	}
	c := content.New(o)
	for range 2 {
		if _, err := c.Write(t.Context(), state); err != nil {
			t.Fatal(err)
		}
	}
	if rows, _ := tables.taken(); rows > 1 {
		t.Errorf("what is there took %d rows", rows)
	}
	if tables.unsynced > 0 {
		t.Error("something was written that may not be on disk")
	}
}

func TestValuesAreSharedAndLargeOnesAreBlobs(t *testing.T) {
	tables := &counted{Store: memory.New()}
	blobs := memory.NewBlobs()
	c := content.New(content.Options{Tables: tables, Blobs: blobs})
	long, blob := strings.Repeat("l", 100_000), strings.Repeat("b", 1_000_000)
	if _, err := c.Write(t.Context(), message.New(text("long", long), text("blob", blob))); err != nil {
		t.Fatal(err)
	}
	if _, size := tables.taken(); size < len(long) || size > len(long)+2000 {
		t.Errorf("%d bytes in the tables", size)
	}
	b, err := blobs.Open(message.HashOf([]byte(blob)))
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if _, err := c.Write(t.Context(), message.New(text("long", long), text("blob", blob), text("more", "1"))); err != nil {
		t.Fatal(err)
	}
	if _, size := tables.taken(); size > 2000 {
		t.Errorf("%d bytes for what was there", size)
	}
	if err := blobs.Delete(message.HashOf([]byte(blob))); err != nil {
		t.Fatal(err)
	}
	wants(t, c, message.New(text("long", long), text("blob", blob)).SignedID().String()+"/long", fault.Internal)
}

// A write that is cut short at any batch leaves nothing behind that can be found and is not whole, and can be done again.
func TestACutWriteLeavesNothingHalf(t *testing.T) {
	var list message.List
	for i := range 80 {
		list = append(list, message.New(text("n", fmt.Sprint(i)), text("data", strings.Repeat(fmt.Sprint(i), 100_000))))
	}
	m := message.New(message.Field{Key: "list", Value: list}, message.Field{Key: "table", Value: table(2000)})
	whole := &counted{Store: memory.New()}
	if _, err := content.New(content.Options{Tables: whole, Blobs: memory.NewBlobs()}).Write(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if whole.batches < 3 {
		t.Fatalf("the write is %d batches", whole.batches)
	}
	for cut := 1; cut <= whole.batches; cut++ {
		tables, blobs := &counted{Store: memory.New(), failAt: cut}, memory.NewBlobs()
		c := content.New(content.Options{Tables: tables, Blobs: blobs})
		if _, err := c.Write(t.Context(), m); !errors.Is(err, errDisk) {
			t.Fatalf("cut at batch %d: %v", cut, err)
		}
		c = content.New(content.Options{Tables: tables, Blobs: blobs})
		wants(t, c, m.SignedID().String(), fault.NotFound)
		for i, v := range list {
			inner, _ := v.(message.Message)
			got, err := c.Read(t.Context(), inner.SignedID().String())
			if err == nil && !message.Equal(got, v) || err != nil && fault.KindOf(err) != fault.NotFound {
				t.Errorf("cut at batch %d, message %d: %v", cut, i, err)
			}
		}
		tables.failAt = 0
		if _, err := c.Write(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		got, err := c.Read(t.Context(), m.SignedID().String()+"/list/80/n")
		if err != nil || got != message.Bytes("79") {
			t.Errorf("written again after cut %d: %v, %v", cut, got, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c := inMemory(content.Options{})
	if _, err := c.Write(ended, m); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	wants(t, c, m.SignedID().String(), fault.NotFound)
}

func read(t *testing.T, c *content.Contents, id string) message.Message {
	t.Helper()
	v, err := c.Read(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := v.(message.Message)
	if !ok {
		t.Fatalf("%s is %v", id, v)
	}
	return m
}

func TestDataItemsKeepTheirBytes(t *testing.T) {
	it, err := ans104.Sign(ans104.Draft{Tags: []ans104.Tag{{Name: "Type", Value: "Message"}}, Data: bytes.Repeat([]byte("data"), 5000)}, key())
	if err != nil {
		t.Fatal(err)
	}
	m := it.Message()
	tables := &counted{Store: memory.New()}
	c := content.New(content.Options{Tables: tables, Blobs: memory.NewBlobs(), Memory: -1})
	id, err := c.Write(t.Context(), message.New(message.Field{Key: "item", Value: m}))
	if err != nil {
		t.Fatal(err)
	}
	if _, size := tables.taken(); size > len(it.Raw)+2000 {
		t.Errorf("%d bytes for an item of %d", size, len(it.Raw))
	}
	for _, path := range []string{m.ID().String(), m.UnsignedID().String(), id.String() + "/item"} {
		got := read(t, c, path)
		if back, ok := ans104.ItemOf(got); !ok || !bytes.Equal(back.Raw, it.Raw) || !bytes.Equal(got.Raw(), it.Raw) {
			t.Errorf("%s is not the item", path)
		}
		if v, err := commitment.Verify(got); err != nil || v.Signer().Address() != key().Address() {
			t.Errorf("%s: %v", path, err)
		}
		if got.SignedID() != m.SignedID() || got.UnsignedID() != m.UnsignedID() || !message.Equal(got, m) {
			t.Errorf("%s is %v", path, got)
		}
	}
	raw := bytes.Clone(it.Raw)
	raw[len(raw)-1]++
	forged, err := ans104.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(t.Context(), forged); fault.KindOf(err) != fault.Forged {
		t.Errorf("a changed item: %v", err)
	}
}

// The same content is first kept without the bytes and then with them.
func TestBytesAreAddedToWhatIsThere(t *testing.T) {
	it, err := ans104.Unsigned(ans104.Draft{Tags: []ans104.Tag{{Name: "a", Value: "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	m := it.Message()
	c := inMemory(content.Options{})
	for i, v := range []message.Message{message.New(text("a", "b")), m, message.New(text("a", "b"))} {
		id, err := c.Write(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, c, id.String()); i > 0 && !bytes.Equal(got.Raw(), it.Raw) {
			t.Errorf("written %d times, the bytes are %q", i+1, got.Raw())
		}
	}
}

func TestTransactionsKeepTheirBytes(t *testing.T) {
	w := tx.Wrap([]byte("data"))
	if err := tx.Sign(w, key()); err != nil {
		t.Fatal(err)
	}
	m := tx.MessageOf(w)
	c := inMemory(content.Options{Memory: -1})
	if _, err := c.Write(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := read(t, c, w.ID.String())
	if back, ok := tx.TransactionOf(got); !ok || back.ID != w.ID || tx.Verify(back) != nil {
		t.Errorf("it is %v", got)
	}
}

// wire encodes a message as a client sends it, with a header that nobody signed.
func wire(t *testing.T, m message.Message, generation string) message.Message {
	t.Helper()
	var w httpsig.Wire
	var err error
	if generation == "A" {
		if w, err = httpsig.EncodeA(m); err == nil {
			w, err = httpsig.SignA(w, key(), "")
		}
	} else {
		if m, err = httpsig.Commit(m, key(), httpsig.Terms{Nesting: message.Nested}); err == nil {
			w, err = httpsig.Encode(m, message.Nested)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Headers = append(w.Headers, message.Header{Name: "cookie", Value: "secret"})
	out, err := httpsig.Decode(httpsig.NewWire(w.Headers, []byte(w.Body)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSignedRequestsKeepWhatWasSigned(t *testing.T) {
	for _, generation := range []string{"A", "B"} {
		t.Run(generation, func(t *testing.T) {
			m := wire(t, message.New(text("type", "Message"), message.Field{Key: "n", Value: message.Int(5)}, text("data", strings.Repeat("d", 5000)),
				message.Field{Key: "in", Value: message.New(text("deep", "text"))}), generation)
			tables := memory.New()
			c := content.New(content.Options{Tables: tables, Blobs: memory.NewBlobs(), Memory: -1})
			id, err := c.Write(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			if id != m.SignedID() {
				t.Errorf("written as %s, its id is %s", id, m.SignedID())
			}
			for commitmentID := range m.Commitments().All() {
				got := read(t, c, commitmentID)
				if _, ok := got.Get("cookie"); ok || strings.Contains(string(got.Raw()), "secret") {
					t.Errorf("%s has the cookie: %q", commitmentID, got.Raw())
				}
				if who, err := commitment.VerifyEntries(got); err != nil || len(who) != 1 {
					t.Errorf("%s is signed by %v, %v", commitmentID, who, err)
				}
				if v, ok := got.Get("n"); !ok || v != message.Int(5) {
					t.Errorf("n is %v", v)
				}
				if v, err := c.Read(t.Context(), commitmentID+"/in/deep"); err != nil || v != message.Bytes("text") {
					t.Errorf("%v, %v", v, err)
				}
				if again, err := c.Write(t.Context(), got); err != nil || again != id {
					t.Errorf("written again: %v, %v", again, err)
				}
			}
			for p, err := range tables.Scan(nil, nil, false) {
				if err != nil || bytes.Contains(p.Value, []byte("secret")) || bytes.Contains(p.Key, []byte("secret")) {
					t.Errorf("the cookie is in %q, %v", p.Key, err)
				}
			}
		})
	}
}

func TestManyCommitmentsAndDeepMessagesAreRefused(t *testing.T) {
	c := inMemory(content.Options{})
	all := message.New()
	for i := range 17 {
		m, err := httpsig.CommitSecret(message.New(text("a", "b")), fmt.Append(nil, i), httpsig.Terms{})
		if err != nil {
			t.Fatal(err)
		}
		for id, v := range m.Commitments().All() {
			all = all.With(id, v)
		}
	}
	_, err := c.Write(t.Context(), message.New(text("a", "b"), message.Field{Key: message.KeyCommitments, Value: all}))
	if fault.KindOf(err) != fault.TooLarge {
		t.Errorf("many commitments: %v", err)
	}
	deep := message.New()
	for range message.DepthMax + 1 {
		deep = message.New(message.Field{Key: "in", Value: deep})
	}
	if _, err := c.Write(t.Context(), deep); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("a deep message: %v", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	c := content.New(content.Options{Tables: memory.New(), Blobs: memory.NewBlobs()})
	for i := 0; b.Loop(); i++ {
		m := message.New(text("type", "Message"), text("n", fmt.Sprint(i)), text("data", "some text"), message.Field{Key: "in", Value: message.New(text("of", fmt.Sprint(i)))})
		if _, err := c.Write(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
