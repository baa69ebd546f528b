package postgres

import (
	"slices"
	"testing"
)

func FuzzNames(f *testing.F) {
	for _, names := range [][]string{nil, {}, {""}, {"Data", "", "Über\x00\xff"}} {
		b := encodeNames(names)
		got, err := decodeNames(b)
		if err != nil || (got == nil) != (names == nil) || !slices.Equal(got, names) {
			f.Errorf("%q came back as %q, %v", names, got, err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x80})
	f.Add([]byte{5, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := decodeNames(b)
		if err != nil {
			return
		}
		again, err := decodeNames(encodeNames(names))
		if err != nil || !slices.Equal(again, names) {
			t.Errorf("%q came back as %q, %v", names, again, err)
		}
	})
}
