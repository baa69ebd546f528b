package arweave

import (
	"crypto/sha512"
	"encoding/hex"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestDeepHashOfEightBlobsIsThePublishedOne(t *testing.T) {
	const want = "0ce1ea605b497317bee891843b83457210f3bd928239e7c9f07b462e95529044345f9b355d588e5d3b4303c19946aedd"
	blobs := [][]byte{[]byte("dataitem"), []byte("1"), []byte("1"), nil, nil, nil, nil, nil}
	got := DeepHashBlobs(blobs...)
	if hex.EncodeToString(got[:]) != want {
		t.Fatalf("got %x, want %s", got, want)
	}
}

func TestFlatListsHashAsTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blobs := rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "blobs")
		nodes := make([]Node, len(blobs))
		for i, b := range blobs {
			nodes[i] = Blob(b)
		}
		if DeepHashBlobs(blobs...) != DeepHash(List(nodes...)) {
			t.Fatal("the fast path gives another hash")
		}
	})
}

// TestBlobsOfEveryLength hash by the published formula, also those of lengths that are looked up.
func TestBlobsOfEveryLength(t *testing.T) {
	for n := range 200 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i + n)
		}
		tag, sum := sha512.Sum384([]byte("blob"+strconv.Itoa(n))), sha512.Sum384(b)
		if want := sha512.Sum384(append(tag[:], sum[:]...)); DeepHash(Blob(b)) != want {
			t.Errorf("a blob of %d bytes has another hash", n)
		}
	}
}

func TestListsThatBeginAlikeHashAsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blobs := rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "blobs")
		n := rapid.IntRange(0, len(blobs)).Draw(t, "first")
		if NewBlobList(len(blobs), blobs[:n]...).DeepHash(blobs[n:]...) != DeepHashBlobs(blobs...) {
			t.Fatal("a list whose beginning was hashed before has another hash")
		}
	})
}

func TestTheShapeOfTheTreeCounts(t *testing.T) {
	a, b := Text("a"), Text("b")
	trees := map[string]Node{
		"list of two": List(a, b), "list of a joined": List(Text("ab")), "nested": List(List(a, b)), "left": List(List(a), b),
		"blob": a, "list of one": List(a), "empty list": List(), "empty blob": Blob(nil),
	}
	seen := map[[DeepHashSize]byte]string{}
	for name, n := range trees {
		h := DeepHash(n)
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s hash alike", name, other)
		}
		seen[h] = name
	}
}

func BenchmarkDeepHashOfATwoKilobyteItem(b *testing.B) {
	data := make([]byte, 2048)
	b.SetBytes(2048)
	for b.Loop() {
		DeepHashBlobs([]byte("dataitem"), []byte("1"), []byte("1"), data[:512], data[:32], nil, data[:200], data)
	}
}
