package aocore

import (
	"strings"
	"testing"

	"ago/message"
)

// TestNamesOfPartsAreBounded: they grow with the square of the depth.
func TestNamesOfPartsAreBounded(t *testing.T) {
	deep := func(n int, key string) message.Message {
		m := message.New(message.Field{Key: "a", Value: message.Int(1)})
		for range n {
			m = message.New(message.Field{Key: key, Value: m})
		}
		return m
	}
	if left := namesOf(deep(3, "ab"), 0, 100); left != 100-3-6-9 {
		t.Errorf("%d", left)
	}
	long := strings.Repeat("a", 4000)
	if namesOf(deep(20, long), 0, namesMax) < 0 {
		t.Error("20 deep is refused")
	}
	if namesOf(deep(120, long), 0, namesMax) >= 0 {
		t.Error("120 deep is answered")
	}
}
