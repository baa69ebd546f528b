package content

import (
	"fmt"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"
	"ago/store/memory"
)

// TestWhatIsLentIsBounded and never on disk: the last is there, the first is gone, with what was nested in it.
func TestWhatIsLentIsBounded(t *testing.T) {
	tables := memory.New()
	c := New(Options{Tables: tables, Blobs: memory.NewBlobs()})
	c.lent = newLent(c, 1<<20)
	var ids []message.ID
	for i := range 100 {
		inner := message.New(message.Field{Key: "text", Value: message.Bytes(fmt.Sprint(i, strings.Repeat("x", 30<<10)))})
		id, err := c.Lend(t.Context(), message.New(message.Field{Key: "inner", Value: inner}))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		if c.lent.bytes > 1<<19 {
			t.Fatalf("%d bytes are lent in one generation", c.lent.bytes)
		}
	}
	for i, there := range map[int]bool{0: false, 50: false, 98: true, 99: true} {
		v, err := c.Read(t.Context(), ids[i].String()+"/inner/text")
		text, _ := v.(message.Bytes)
		if there != strings.HasPrefix(string(text), fmt.Sprint(i, "x")) || there != (err == nil) {
			t.Errorf("message %d: %.10s %v", i, text, err)
		}
	}
	for range tables.Scan(nil, nil, false) {
		t.Fatal("something is on disk")
	}
	if _, err := c.Lend(t.Context(), message.Bytes(strings.Repeat("x", 1<<20))); fault.CodeOf(err) != "content-too-large-to-lend" {
		t.Errorf("too much is lent: %v", err)
	}
}
