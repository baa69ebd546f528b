package modular

import (
	"bytes"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// extreme draws numbers whose words are often all zeros or all ones, where carries run far.
func extreme() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		b := make([]byte, 0, Size)
		for len(b) < Size {
			word := rapid.OneOf(rapid.Just(bytes.Repeat([]byte{0}, 8)), rapid.Just(bytes.Repeat([]byte{0xff}, 8)), rapid.SliceOfN(rapid.Byte(), 8, 8)).Draw(t, "word")
			for range rapid.IntRange(1, 16).Draw(t, "times") {
				b = append(b, word...)
			}
		}
		return b[:Size]
	})
}

func TestPowersAreThoseOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := extreme().Draw(t, "modulus")
		n[0] |= 0x80
		n[Size-1] |= 1
		N := new(big.Int).SetBytes(n)
		s := new(big.Int).SetBytes(extreme().Draw(t, "base"))
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			s.Sub(N, big.NewInt(1))
		case 1:
			s.SetUint64(rapid.Uint64Range(0, 2).Draw(t, "small"))
		}
		base := s.FillBytes(make([]byte, Size))
		got, ok := Power65537(n, base)
		if ok != (s.Cmp(N) < 0) {
			t.Fatalf("ok %v for a base below the modulus: %v", ok, s.Cmp(N) < 0)
		}
		if !ok {
			return
		}
		want := new(big.Int).Exp(s, big.NewInt(65537), N).FillBytes(make([]byte, Size))
		if !bytes.Equal(got[:], want) {
			t.Fatalf("got %x, want %x", got, want)
		}
		if !hasProduct { // what this machine does not use must be right too
			if got = newModulus(n).power65537(base); !bytes.Equal(got[:], want) {
				t.Fatalf("got %x, want %x", got, want)
			}
		}
	})
}

func TestTheAssemblyAddsAsGoDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, y := read(extreme().Draw(t, "z")), read(extreme().Draw(t, "y"))
		x := rapid.OneOf(rapid.Just(^uint64(0)), rapid.Just(uint64(0)), rapid.Uint64()).Draw(t, "x")
		if !hasProduct {
			t.Skip("this processor has no ADX")
		}
		other := z
		if a, b := addProduct(&z, &y, x), addProductGo(&other, &y, x); a != b || z != other {
			t.Fatalf("carry %x and %x", a, b)
		}
	})
}

func TestNumbersOfOtherSizesAreRefused(t *testing.T) {
	odd, one := bytes.Repeat([]byte{0xff}, Size), append(make([]byte, Size-1), 1)
	even, short := bytes.Clone(odd), bytes.Clone(odd)
	even[Size-1], short[0] = 0xfe, 0x7f
	if _, ok := Power65537(odd, one); !ok {
		t.Fatal("refused")
	}
	for name, n := range map[string][]byte{"even": even, "4095 bits": short, "a byte less": odd[1:], "a byte more": append(odd[:Size:Size], 1), "none": nil} {
		if _, ok := Power65537(n, one); ok {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, s := range map[string][]byte{"a byte less": one[1:], "the modulus": odd, "none": nil} {
		if _, ok := Power65537(odd, s); ok {
			t.Errorf("base, %s: accepted", name)
		}
	}
}

func BenchmarkPower65537(b *testing.B) {
	n, s := bytes.Repeat([]byte{0xa5}, Size), bytes.Repeat([]byte{0x5a}, Size)
	for b.Loop() {
		Power65537(n, s)
	}
}

func BenchmarkPower65537OfTheStandardLibrary(b *testing.B) {
	n, s := new(big.Int).SetBytes(bytes.Repeat([]byte{0xa5}, Size)), new(big.Int).SetBytes(bytes.Repeat([]byte{0x5a}, Size))
	e := big.NewInt(65537)
	for b.Loop() {
		new(big.Int).Exp(s, e, n)
	}
}
