package ans104

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"ago/commitment"
	"ago/fault"
	"ago/message"

	"pgregory.net/rapid"
)

func signed(t testing.TB, d Draft) *Item {
	t.Helper()
	it, err := Sign(d, seeded(t, commitment.Ed25519, 1))
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// nest wraps a bundle of the items as an item.
func nest(t testing.TB, items ...*Item) *Item {
	return signed(t, Draft{Tags: BundleTags(), Data: EncodeBundle(items)})
}

func TestBundlesRoundTrip(t *testing.T) {
	keys := []*commitment.Key{seeded(t, commitment.Ed25519, 1), seeded(t, commitment.Ethereum, 2)}
	rapid.Check(t, func(t *rapid.T) {
		var items []*Item
		for _, d := range rapid.SliceOfN(genDraft(), 0, 5).Draw(t, "drafts") {
			it, err := Sign(d, rapid.SampledFrom(keys).Draw(t, "key"))
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, it)
		}
		raw := EncodeBundle(items)
		back, err := DecodeBundle(raw, DefaultLimits)
		if err != nil || len(back) != len(items) {
			t.Fatalf("%d items, %v, want %d", len(back), err, len(items))
		}
		entries, err := ReadBundleHeader(bytes.NewReader(raw), DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		for i, it := range back {
			if !bytes.Equal(it.Raw, items[i].Raw) {
				t.Fatalf("item %d differs", i)
			}
			if e := entries[i]; e.ID != it.ID() || !bytes.Equal(raw[e.Offset:e.Offset+e.Size], it.Raw) {
				t.Fatalf("entry %d is %+v", i, e)
			}
		}
	})
}

func TestDamagedBundlesAreRefused(t *testing.T) {
	raw := EncodeBundle([]*Item{signed(t, Draft{Data: []byte("a")}), signed(t, Draft{Data: []byte("b")})})
	change := func(at int, b byte) []byte {
		c := bytes.Clone(raw)
		c[at] ^= b
		return c
	}
	for _, c := range []struct {
		name, code string
		raw        []byte
		limits     Limits
	}{
		{"nothing", "bundle-malformed", nil, DefaultLimits},
		{"cut in the count", "bundle-malformed", raw[:31], DefaultLimits},
		{"cut in the header", "bundle-malformed", raw[:100], DefaultLimits},
		{"cut in an item", "bundle-malformed", raw[:len(raw)-1], DefaultLimits},
		{"a byte more", "bundle-malformed", append(bytes.Clone(raw), 0), DefaultLimits},
		{"over the limit", "bundle-too-many", raw, Limits{Items: 1, Depth: 1}},
		{"a count that cannot be", "bundle-too-many", change(31, 1), DefaultLimits},
		{"a size that cannot be", "bundle-malformed", change(32+31, 1), DefaultLimits},
		{"a size beyond 63 bits", "bundle-malformed", change(32+7, 0x80), DefaultLimits},
		{"a size below any item", "bundle-malformed", append(append([]byte{1}, make([]byte, 31)...), make([]byte, 64)...), DefaultLimits},
		{"another id", "bundle-malformed", change(64, 1), DefaultLimits},
		{"an item of unknown type", "key-type-unknown", change(32+128, 0x80), DefaultLimits},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := DecodeBundle(c.raw, c.limits); fault.CodeOf(err) != c.code || fault.HintOf(err) == "" {
				t.Fatalf("%v (%s), want %s", err, fault.CodeOf(err), c.code)
			}
		})
	}
}

func TestWalkFindsItemsOfBundlesInBundles(t *testing.T) {
	a, b, c := signed(t, Draft{Data: []byte("a")}), signed(t, Draft{Data: []byte("b")}), signed(t, Draft{Data: []byte("c")})
	fake := signed(t, Draft{Tags: BundleTags(), Data: []byte("no bundle")})
	inner := nest(t, b, c)
	outer := nest(t, inner, fake)
	raw := EncodeBundle([]*Item{a, outer})
	type found struct {
		id, parent message.ID
		depth      int
	}
	for _, test := range []struct {
		depth int
		want  []found
	}{
		{1, []found{{a.ID(), message.ID{}, 1}, {outer.ID(), message.ID{}, 1}}},
		{2, []found{{a.ID(), message.ID{}, 1}, {outer.ID(), message.ID{}, 1}, {inner.ID(), outer.ID(), 2}, {fake.ID(), outer.ID(), 2}}},
		{8, []found{{a.ID(), message.ID{}, 1}, {outer.ID(), message.ID{}, 1}, {inner.ID(), outer.ID(), 2},
			{b.ID(), inner.ID(), 3}, {c.ID(), inner.ID(), 3}, {fake.ID(), outer.ID(), 2}}},
	} {
		var got []found
		for p, err := range Walk(raw, Limits{Items: 10, Depth: test.depth}) {
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(raw[p.Offset:p.Offset+int64(len(p.Item.Raw))], p.Item.Raw) {
				t.Errorf("item %s is not at %d", p.Item.ID(), p.Offset)
			}
			got = append(got, found{p.Item.ID(), p.Parent, p.Depth})
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("depth %d: %v, want %v", test.depth, got, test.want)
		}
	}
	for range Walk(raw, DefaultLimits) { // stopping early must not go on
		break
	}
}

func TestBundlesWithoutAMapAreLists(t *testing.T) {
	part, err := Unsigned(Draft{Tags: []Tag{{Name: "ao-type", Value: "binary"}}, Data: []byte("part")})
	if err != nil {
		t.Fatal(err)
	}
	whole := signed(t, Draft{Tags: []Tag{{Name: "A", Value: "1"}}})
	m := nest(t, part, whole).Message()
	v, _ := m.Get("data")
	l, ok := v.(message.List)
	if !ok || len(l) != 2 || l[0] != message.Value(message.Bytes("part")) {
		t.Fatalf("data is %v", v)
	}
	inner, ok := l[1].(message.Message)
	if !ok || inner.ID() != whole.ID() || inner.Text("a") != "1" {
		t.Fatalf("the second is %v", l[1])
	}
	if _, err := commitment.Verify(inner); err != nil {
		t.Error("a signed item in a bundle cannot be verified: ", err)
	}
}

func TestDeepNestingStaysData(t *testing.T) {
	it := signed(t, Draft{Data: []byte("x")})
	for range 2 * nestingMax {
		it = nest(t, it)
	}
	depth := 0
	for v := message.Value(it.Message()); ; depth++ {
		m, ok := v.(message.Message)
		if !ok {
			t.Fatalf("a list of something else at depth %d", depth)
		}
		data, _ := m.Get("data")
		l, ok := data.(message.List)
		if !ok {
			if m.Text("bundle-format") != "binary" {
				t.Error("a bundle that stayed data does not say so")
			}
			break
		}
		v = l[0]
	}
	if depth != nestingMax {
		t.Errorf("opened %d times, want %d", depth, nestingMax)
	}
}

func TestAMapThatNamesMissingItemsStaysData(t *testing.T) {
	directory, err := Unsigned(Draft{Data: []byte(`{"a":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{directory.ID().String(), "nobody"} {
		it := signed(t, Draft{Tags: append(BundleTags(), Tag{Name: "Bundle-Map", Value: id}), Data: EncodeBundle([]*Item{directory})})
		if got := it.Message().Text("data"); got != string(it.Data) {
			t.Errorf("map %s: data is %.20q", id, got)
		}
	}
}

func seedItems(f *testing.F) {
	f.Add([]byte{})
	f.Add(unhex(f, publishedItem))
	for _, v := range vectors(f) {
		f.Add(v.Raw)
	}
	f.Add(nest(f, signed(f, Draft{Data: []byte("a")}), signed(f, publishedDraft())).Raw)
}

func FuzzDecodeItem(f *testing.F) {
	seedItems(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode(raw)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Malformed && k != fault.TooLarge && k != fault.Unsupported {
				t.Fatalf("kind %s: %v", k, err)
			}
			return
		}
		it, _ := ItemOf(m)
		_ = it.Committed()
		again, err := Rebuild(it.Type, it.Signature, it.Owner, it.Draft())
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(EncodeTags(it.Tags), it.TagBytes) && !bytes.Equal(again.Raw, raw) {
			t.Fatal("the item is not what its parts make")
		}
		if again.ID() != it.ID() {
			t.Fatal("another id")
		}
	})
}

func FuzzDecodeTags(f *testing.F) {
	f.Add([]byte{})
	f.Add(unhex(f, "040c416374696f6e084576616c1a446174612d50726f746f636f6c04616f00"))
	f.Add(unhex(f, "03100261023102620232"+"00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tags, err := DecodeTags(b)
		if err != nil {
			return
		}
		if back, err := DecodeTags(EncodeTags(tags)); err != nil || fmt.Sprint(back) != fmt.Sprint(tags) {
			t.Fatalf("%q became %q, %v", tags, back, err)
		}
	})
}

func FuzzDecodeBundle(f *testing.F) {
	it := signed(f, Draft{Data: []byte("a")})
	f.Add(EncodeBundle(nil))
	f.Add(EncodeBundle([]*Item{it, nest(f, it)}))
	f.Add(binary.LittleEndian.AppendUint64(nil, 1<<40))
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := 0
		for p, err := range Walk(raw, Limits{Items: 100, Depth: 4}) {
			if err != nil {
				return
			}
			if p.Depth == 1 {
				n++
			}
			if !bytes.Equal(raw[p.Offset:p.Offset+int64(len(p.Item.Raw))], p.Item.Raw) {
				t.Fatal("an item is not where it is said to be")
			}
		}
		if items, err := DecodeBundle(raw, DefaultLimits); err != nil || len(items) != n || !bytes.Equal(EncodeBundle(items), raw) {
			t.Fatalf("%d items, %v", len(items), err)
		}
	})
}
