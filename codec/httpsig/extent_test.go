package httpsig

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"
)

// TestAnswersAreBounded: the names of parts grow with the square of the depth, and each nested message is committed to.
func TestAnswersAreBounded(t *testing.T) {
	deep := func(n int, key string) message.Message {
		m := message.New(message.Field{Key: "a", Value: message.Int(1)})
		for range n {
			m = message.New(message.Field{Key: key, Value: m})
		}
		return m
	}
	wide := func(n int, v message.Value) message.Message {
		fs := make([]message.Field, n)
		for i := range fs {
			fs[i] = message.Field{Key: fmt.Sprint(i), Value: v}
		}
		return message.New(fs...)
	}
	one := message.New(message.Field{Key: "a", Value: message.Int(1)})
	var shared message.Value = message.List{}
	for range 120 {
		shared = message.List{shared, shared} // 2 to the 120th lists
	}
	long := strings.Repeat("a", 4000)
	for name, c := range map[string]struct {
		m    message.Message
		fits bool
	}{
		"20 deep under long keys":  {deep(20, long), true},
		"120 deep under long keys": {deep(120, long), false},
		"10000 messages":           {wide(10_000, one), true},
		"20000 messages":           {wide(20_000, one), false},
		"20000 lists":              {wide(20_000, message.List{}), true},
		"40000 lists":              {wide(40_000, message.List{}), false},
		"a list of itself":         {message.New(message.Field{Key: "a", Value: shared}), false},
		"100000 texts":             {wide(100_000, message.Bytes("x")), true},
	} {
		cost, err := Fits(c.m)
		if c.fits != (err == nil) || err != nil && fault.CodeOf(err) != "answer-too-large" {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && cost <= 0 {
			t.Errorf("%s costs %d", name, cost)
		}
	}
}

// TestWhatIsWrittenHasThePartsThatWereCounted: the count may be above, not below.
func TestWhatIsWrittenHasThePartsThatWereCounted(t *testing.T) {
	one := message.New(message.Field{Key: "a", Value: message.Int(1)}, message.Field{Key: "l", Value: message.List{message.Int(1), message.New()}})
	m := message.New(message.Field{Key: "n", Value: message.New(message.Field{Key: "x", Value: one}, message.Field{Key: "y", Value: one})}, message.Field{Key: "o", Value: one})
	w, err := Encode(m, message.Nested)
	if err != nil {
		t.Fatal(err)
	}
	var e extent
	e.of(m, 0, false)
	written := bytes.Count(w.Body, []byte(hdrDisposition))
	if written > e.parts || written < e.parts/2 {
		t.Errorf("%d parts were written, %d counted", written, e.parts)
	}
	if cost := ReadCost(w.Body, 1<<16); cost < int64(len(w.Body)) || cost > int64(100*len(w.Body)) {
		t.Errorf("%d bytes cost %d to read", len(w.Body), cost)
	}
}

// TestDataIsNoKeys: lines within a part cost no more than the keys that a message may have.
func TestDataIsNoKeys(t *testing.T) {
	data := strings.Repeat("line\r\n", 1_000_000)
	body := []byte("--b\r\ncontent-disposition: form-data;name=\"a\"\r\n\r\n" + data + "\r\n--b--")
	if cost := ReadCost(body, 1000); cost > int64(4*len(body)) {
		t.Errorf("%d bytes cost %d", len(body), cost)
	}
}
