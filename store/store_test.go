package store

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestPrefixEndIsTheBoundOfAPrefix(t *testing.T) {
	for _, test := range []struct{ prefix, want []byte }{
		{nil, nil},
		{[]byte{0xff, 0xff}, nil},
		{[]byte{1}, []byte{2}},
		{[]byte{1, 0xff}, []byte{2}},
		{[]byte{1, 2, 3}, []byte{1, 2, 4}},
	} {
		if got := PrefixEnd(test.prefix); !bytes.Equal(got, test.want) {
			t.Errorf("PrefixEnd(%x) = %x, want %x", test.prefix, got, test.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "prefix")
		key := rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "key")
		end := PrefixEnd(prefix)
		within := bytes.Compare(key, prefix) >= 0 && (end == nil || bytes.Compare(key, end) < 0)
		if within != bytes.HasPrefix(key, prefix) {
			t.Fatalf("key %x, prefix %x, end %x", key, prefix, end)
		}
	})
}
