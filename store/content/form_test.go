package content

import (
	"bytes"
	"strings"
	"testing"

	"ago/message"
	"ago/message/messagetest"
	"ago/store"
	"ago/store/memory"

	"pgregory.net/rapid"
)

// FuzzForm reads any bytes as a record and as a piece: what is accepted is written back as the same bytes.
func FuzzForm(f *testing.F) {
	tables := memory.New()
	c := New(Options{Tables: tables, Blobs: memory.NewBlobs()})
	var fs []message.Field
	for i := range 200 {
		fs = append(fs, message.Field{Key: message.HashOf([]byte{byte(i)}).String(), Value: message.Int(i)})
	}
	for _, v := range []message.Value{
		message.New(fs...), message.List{message.Int(1), message.Bytes("x")}, message.Int(5), message.New(message.Field{Key: "long", Value: message.Bytes(strings.Repeat("l", 2000))}),
		message.New().Decoded(message.ID{}, "ans104@1.0", []byte("raw"), nil),
	} {
		if _, err := c.Write(f.Context(), v); err != nil {
			f.Fatal(err)
		}
	}
	for p, err := range tables.Scan([]byte{store.TableContents}, []byte{store.TableContents + 1}, false) {
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Value)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := readRecord(b); err == nil {
			if !bytes.Equal(r.bytes(), b) {
				t.Errorf("%x is written back as %x", b, r.bytes())
			}
			_, _ = c.value(t.Context(), r)
		}
		for _, shape := range []byte{shapeMessage, shapeList} {
			for height := range 3 {
				if d, err := readPiece(b, shape, height); err == nil && !bytes.Equal(d.bytes(shape), b) {
					t.Errorf("%x is written back as %x", b, d.bytes(shape))
				}
			}
		}
	})
}

// Damage anywhere in the tables is told, and never a panic or another message.
func TestDamageIsTold(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		tables := memory.New()
		c := New(Options{Tables: tables, Blobs: memory.NewBlobs(), Memory: -1})
		m := messagetest.Messages(2).Draw(r, "message")
		id, err := c.Write(t.Context(), m)
		if err != nil {
			r.Fatal(err)
		}
		b, err := tables.Get(row(rowRecord, id))
		if err != nil {
			r.Fatal(err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(r, "cut")
		batch := &store.Batch{}
		batch.Set(row(rowRecord, id), b[:cut])
		if err := tables.Apply(batch, true); err != nil {
			r.Fatal(err)
		}
		if v, err := c.Read(t.Context(), id.String()); err == nil {
			r.Fatalf("cut after %d of %d bytes it is %v", cut, len(b), v)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m := newLately(10_000)
	for i := range 100 {
		m.put(message.HashOf([]byte{byte(i)}), message.Bytes(strings.Repeat("x", 1000)))
	}
	if m.bytes > m.max || len(m.by) != m.order.Len() || len(m.by) < 5 {
		t.Errorf("%d bytes of %d values", m.bytes, len(m.by))
	}
	if _, ok := m.get(message.HashOf([]byte{99})); !ok {
		t.Error("the newest is gone")
	}
	m.put(message.HashOf([]byte("large")), message.Bytes(strings.Repeat("x", 5000)))
	if _, ok := m.get(message.HashOf([]byte("large"))); ok {
		t.Error("one value took half of the memory")
	}
}
