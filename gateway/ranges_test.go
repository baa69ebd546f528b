package gateway

import (
	"fmt"
	"strings"
	"testing"

	"ago/codec/ans104"
)

func TestRanges(t *testing.T) {
	n := newNetwork(t)
	it := n.add(t, sign(t, n.key, ans104.Draft{Data: []byte("0123456789")}))
	for _, c := range []struct {
		asked  string
		status int
		body   string
		part   string // Content-Range
	}{
		{"bytes=1-3", 206, "123", "bytes 1-3/10"},
		{"bytes=0-18446744073709551615", 206, "0123456789", "bytes 0-9/10"},
		{"bytes=4-9223372036854775808", 206, "456789", "bytes 4-9/10"},
		{"bytes=4-99999999999999999999999999999999", 206, "456789", "bytes 4-9/10"},
		{"bytes=-18446744073709551616", 206, "0123456789", "bytes 0-9/10"},
		{"bytes= 8 - 20 ", 206, "89", "bytes 8-9/10"},
		{"Bytes=0-0", 206, "0", "bytes 0-0/10"},
		{"bytes=007-8", 206, "78", "bytes 7-8/10"},
		{"bytes=-2", 206, "89", "bytes 8-9/10"},
		{"bytes=-0", 416, "", "bytes */10"},
		{"bytes=-000", 416, "", "bytes */10"},
		{"bytes=-0,2-3", 206, "23", "bytes 2-3/10"},
		{"bytes=10-", 416, "", "bytes */10"},
		{"bytes=18446744073709551616-", 416, "", "bytes */10"},
		{"bytes=18446744073709551616-18446744073709551617", 416, "", "bytes */10"},
		{"bytes=x-3", 416, "", "bytes */10"},
		{"bytes=00480-10", 200, "0123456789", ""}, // as the drive of a process asks
		{"bytes=18446744073709551616-3", 200, "0123456789", ""},
		{"items=0-3", 200, "0123456789", ""},
		{"0-3", 200, "0123456789", ""},
		{"bytes=" + strings.Repeat("0-0,", rangesMax) + "0-0", 200, "0123456789", ""},
	} {
		w := call(t, n.GatewayHandler(), "GET", "/raw/"+it.ID().String(), "", "Range", c.asked)
		if got := w.Header().Get("Content-Range"); w.Code != c.status || w.Body.String() != c.body || got != c.part {
			t.Errorf("%.60s: %d %q %q, want %d %q %q", c.asked, w.Code, w.Body, got, c.status, c.body, c.part)
		}
	}
}

func FuzzRanges(f *testing.F) {
	for _, s := range []string{"bytes=0-3", "bytes=-5", "bytes=3-", "bytes=0-1,4-5", "items=1-2", "bytes=99999999999999999999-1", "bytes=-0"} {
		f.Add(s)
	}
	n := newNetwork(f)
	it := n.add(f, sign(f, n.key, ans104.Draft{Data: []byte("0123456789")}))
	h := n.GatewayHandler()
	f.Fuzz(func(t *testing.T, asked string) {
		w := call(t, h, "GET", "/raw/"+it.ID().String(), "", "Range", asked)
		switch w.Code {
		case 200:
			if w.Body.String() != "0123456789" {
				t.Fatalf("%q: %q", asked, w.Body)
			}
		case 206:
			if w.Body.Len() == 0 {
				t.Fatalf("%q: nothing", asked)
			}
		case 416:
			if w.Body.Len() != 0 || w.Header().Get("Content-Range") != "bytes */10" {
				t.Fatalf("%q: %q, %v", asked, w.Body, w.Header())
			}
		default:
			t.Fatalf("%q: %d", asked, w.Code)
		}
	})
}

// TestTheHeadOfAnAnswerFitsIntoClients counts as Node's fetch (16 KiB) and Python's http.client (100 headers) do.
func TestTheHeadOfAnAnswerFitsIntoClients(t *testing.T) {
	n := newNetwork(t)
	var short, long []Tag
	for i := range 129 {
		short = append(short, Tag{Name: fmt.Sprintf("Name-%d", i), Value: "x"})
		long = append(long, Tag{Name: fmt.Sprintf("Name-%d", i), Value: strings.Repeat("x", 500)})
	}
	for _, many := range [][]Tag{short, long} {
		it := n.add(t, sign(t, n.key, ans104.Draft{Tags: append(tags("Content-Type", "text/x-test"), many...)}))
		h := call(t, n.GatewayHandler(), "GET", "/"+it.ID().String(), "").Header()
		size := 0
		for name, values := range h {
			size += len(name) + len(values[0]) + 4
		}
		if h.Get("Name-0") == "" || len(h) > 95 || size > 14<<10 {
			t.Errorf("%d headers of %d bytes, the first tag %q", len(h), size, h.Get("Name-0"))
		}
		h = call(t, n.GatewayHandler(), "GET", "/raw/"+it.ID().String(), "").Header()
		if h.Get("Name-0") != "" || h.Get("Content-Type") != "text/x-test" {
			t.Errorf("/raw has the headers %v", h)
		}
	}
}
