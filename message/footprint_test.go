package message

import (
	"strings"
	"testing"
)

func TestFootprintFollowsTheContents(t *testing.T) {
	small := New(Field{"a", Bytes("x")})
	large := New(Field{"a", Bytes(strings.Repeat("x", 10_000))}, Field{"b", List{Int(1), small}})
	if s, l := Footprint(small, 1<<30), Footprint(large, 1<<30); s >= 1000 || l <= 10_000 || l >= 11_000 {
		t.Errorf("%d for a small message, %d for one of 10,000 bytes", s, l)
	}
	deep := List{}
	for range 1000 {
		deep = append(deep, large)
	}
	if n := Footprint(deep, 50_000); n <= 50_000 || n > 80_000 {
		t.Errorf("%d of a value over the limit of 50,000: it was counted whole or not at all", n)
	}
}
