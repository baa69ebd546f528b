package ans104

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ago/commitment"
	"ago/fault"
	"ago/message"

	"pgregory.net/rapid"
)

// publishedItem is the deterministic example item; its key is 32 bytes of one.
const publishedItem = `0300ccd5ef76e325cae22a18a22d3b7fd2f4bcf38d6f399a184fad05b014a58c
621e2971db7f5b29b4af2850e3fb61aff46a8f83198d4f28f3148dff1a719ed6
c33e1b041b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9
d5dd078f70beaf8f588b541507fed6a642c5ab42dfdf8120a7f639de5122d47a
69a8e8d101000102030405060708090a0b0c0d0e0f101112131415161718191a
1b1c1d1e1f013030303030303030303030303030303030303030303030303030
30303030303104000000000000003c00000000000000080c416374696f6e0845
76616c1a446174612d50726f746f636f6c04616f0e56617269616e740e616f2e
544e2e3108547970650e4d65737361676500312b31`

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func seeded(t testing.TB, kind commitment.KeyType, fill byte) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(kind, bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func publishedDraft() Draft {
	d := Draft{HasTarget: true, Anchor: []byte(strings.Repeat("0", 31) + "1"), Data: []byte("1+1"),
		Tags: []Tag{{Name: "Action", Value: "Eval"}, {Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: "ao.TN.1"}, {Name: "Type", Value: "Message"}}}
	for i := range d.Target {
		d.Target[i] = byte(i)
	}
	return d
}

func TestThePublishedItemIsMadeAndReadByteForByte(t *testing.T) {
	raw := unhex(t, publishedItem)
	it, err := Sign(publishedDraft(), seeded(t, commitment.Ethereum, 1))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(it.Raw, raw) {
		t.Fatalf("made\n%x, want\n%x", it.Raw, raw)
	}
	it, err = DecodeItem(raw)
	if err != nil {
		t.Fatal(err)
	}
	h := it.SignatureData()
	for _, c := range []struct{ what, got, want string }{
		{"deep hash", hex.EncodeToString(h[:]), "7d00c406cc9874fc7bfd5865ccb9928c0c1368984176b5191cf1c1997405e573b3a38a5cca52dd7aabaa3c680036a87e"},
		{"id", it.ID().String(), "wzWWYZGlkNnKztAnVKY4eiRRKMsTxeKRkqNOWhU6J0c"},
		{"address", it.Address().String(), "wMXg2SfkzLtbvwPVDa52p5EUopaMrraR6R_scnfpm-U"},
		{"process address", it.ProcessAddress(), "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"},
		{"target", it.Target.String(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %s, want %s", c.what, c.got, c.want)
		}
	}
	if err := it.Verify(); err != nil {
		t.Error(err)
	}
}

type vector struct {
	Name       string
	Raw        []byte
	ID         string
	UnsignedID string `json:"unsigned_id"`
	Tags       [][2]string
	Message    map[string]any
	Committed  []string
	Commitment map[string]any
}

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/items.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(text, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs) == 0 {
		t.Fatal("no vectors")
	}
	return vs
}

func TestItemsOfAnotherImplementationAreReadAlike(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			m, err := Decode(v.Raw)
			if err != nil {
				t.Fatal(err)
			}
			it, ok := ItemOf(m)
			if !ok {
				t.Fatal("the item is not with its message")
			}
			if v.ID != "" {
				if it.ID().String() != v.ID {
					t.Errorf("id %s, want %s", it.ID(), v.ID)
				}
				if _, err := commitment.Verify(m); err != nil {
					t.Error(err)
				}
			} else if err := it.Verify(); fault.KindOf(err) != fault.Forged && fault.KindOf(err) != fault.Malformed {
				t.Errorf("an unsigned item verifies: %v", err)
			}
			if v.UnsignedID != "" && it.UnsignedID().String() != v.UnsignedID {
				t.Errorf("unsigned id %s, want %s", it.UnsignedID(), v.UnsignedID)
			}
			tags := make([][2]string, 0, len(it.Tags))
			for _, tag := range it.Tags {
				tags = append(tags, [2]string{tag.Name, tag.Value})
			}
			if len(tags) != len(v.Tags) || len(tags) > 0 && !reflect.DeepEqual(tags, v.Tags) {
				t.Errorf("tags %q, want %q", tags, v.Tags)
			}
			if again, err := Rebuild(it.Type, it.Signature, it.Owner, it.Draft()); err != nil || !bytes.Equal(again.Raw, v.Raw) {
				t.Errorf("the item cannot be rebuilt from its parts: %v", err)
			}
		})
	}
}

func TestItemsSignedByWalletLibrariesHold(t *testing.T) {
	text, err := os.ReadFile("testdata/signed.json")
	if err != nil {
		t.Fatal(err)
	}
	var items []struct {
		Name string
		Raw  []byte
		ID   string
	}
	if err := json.Unmarshal(text, &items); err != nil {
		t.Fatal(err)
	}
	types := map[commitment.KeyType]bool{}
	for _, v := range items {
		it, err := DecodeItem(v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		types[it.Type] = true
		if it.ID().String() != v.ID || string(it.Data) != "hello" {
			t.Errorf("%s: item %s with %q", v.Name, it.ID(), it.Data)
		}
		if err := it.Verify(); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		bad, err := DecodeItem(append(bytes.Clone(v.Raw), '!'))
		if err != nil {
			t.Fatal(err)
		}
		if err := bad.Verify(); fault.KindOf(err) != fault.Forged {
			t.Errorf("%s with other data: %v", v.Name, err)
		}
	}
	if len(types) != 5 {
		t.Errorf("items of %d signature types", len(types))
	}
}

// plain turns a message into what encoding/json reads the vectors as.
func plain(v message.Value) any {
	switch v := v.(type) {
	case message.Bytes:
		return string(v)
	case message.Int:
		return float64(v)
	case message.Float:
		return float64(v)
	case message.Atom:
		if b, err := strconv.ParseBool(string(v)); err == nil {
			return b
		}
		return string(v)
	case message.List:
		l := make([]any, len(v))
		for i := range v {
			l[i] = plain(v[i])
		}
		return l
	case message.Message:
		m := map[string]any{}
		for k, v := range v.All() {
			m[k] = plain(v)
		}
		return m
	}
	return v
}

func TestItemsBecomeTheMessagesTheyStandFor(t *testing.T) {
	n := 0
	for _, v := range vectors(t) {
		if v.Message == nil {
			continue
		}
		n++
		t.Run(v.Name, func(t *testing.T) {
			m, err := Decode(v.Raw)
			if err != nil {
				t.Fatal(err)
			}
			if it, _ := ItemOf(m); !slices.Equal(it.Committed(), v.Committed) {
				t.Errorf("committed %q, want %q", it.Committed(), v.Committed)
			}
			if got := plain(m); !reflect.DeepEqual(got, any(v.Message)) {
				t.Errorf("message %v, want %v", got, v.Message)
			}
		})
	}
	if n < 15 {
		t.Errorf("only %d vectors with a message", n)
	}
}

func TestMessagesOfAwkwardItems(t *testing.T) {
	key := seeded(t, commitment.Ed25519, 7)
	anchor := bytes.Repeat([]byte{1}, 32)
	for _, c := range []struct {
		name string
		d    Draft
		want map[string]any
	}{
		{"the data wins over a tag of its name", Draft{Tags: []Tag{{Name: "Data", Value: "tag"}}, Data: []byte("d")}, map[string]any{"data": "d"}},
		{"the header wins over a tag", Draft{Tags: []Tag{{Name: "anchor", Value: "tag"}}, Anchor: anchor}, map[string]any{"anchor": message.ID(anchor).String()}},
		{"private keys stay outside", Draft{Tags: []Tag{{Name: "priv-x", Value: "1"}, {Name: "Private", Value: "2"}, {Name: "x", Value: "3"}}}, map[string]any{"x": "3"}},
		{"an empty value stays", Draft{Tags: []Tag{{Name: "From-Module", Value: ""}}}, map[string]any{"from-module": ""}},
		{"lists escape", Draft{Tags: []Tag{{Name: "a", Value: `x"y`}, {Name: "A", Value: `b\`}, {Name: "a", Value: ""}}}, map[string]any{"a": `"x\"y", "b\\", ""`}},
		{"types that do not fit are left as texts", Draft{Tags: []Tag{{Name: "n", Value: "five"}, {Name: "ao-types", Value: `n="integer"`}}},
			map[string]any{"n": "five", "ao-types": `n="integer"`}},
		{"types name escaped keys and may be tokens", Draft{Tags: []Tag{{Name: "a b", Value: "5"}, {Name: "f", Value: "1.50000000000000000000e+00"}, {Name: "ao-types", Value: `a%20b=integer, f="float"`}}},
			map[string]any{"a b": 5.0, "f": 1.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			it, err := Sign(c.d, key)
			if err != nil {
				t.Fatal(err)
			}
			if got := plain(it.Message()); !reflect.DeepEqual(got, any(c.want)) {
				t.Errorf("message %v, want %v", got, c.want)
			}
		})
	}
}

func TestDamagedItemsAreRefused(t *testing.T) {
	raw := unhex(t, publishedItem)
	change := func(at int, b byte) []byte {
		c := bytes.Clone(raw)
		c[at] = b
		return c
	}
	for _, c := range []struct {
		name, code string
		raw        []byte
	}{
		{"nothing", "item-truncated", nil},
		{"an empty body", "item-truncated", []byte{}},
		{"one byte", "item-truncated", raw[:1]},
		{"cut in the signature", "item-truncated", raw[:60]},
		{"cut in the owner", "item-truncated", raw[:100]},
		{"cut before the target flag", "item-truncated", raw[:132]},
		{"cut in the target", "item-truncated", raw[:140]},
		{"cut in the tags", "item-truncated", raw[:220]},
		{"unknown type", "key-type-unknown", change(0, 9)},
		{"type zero", "key-type-unknown", change(0, 0)},
		{"target flag", "item-flag", change(132, 2)},
		{"anchor flag", "item-flag", change(165, 255)},
		{"tag count", "item-tag-count", change(198, 3)},
		{"too many tag bytes", "item-tags-too-large", change(209, 1)},
		{"tag block count", "item-tags-malformed", change(214, 6)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := DecodeItem(c.raw); fault.CodeOf(err) != c.code || fault.HintOf(err) == "" {
				t.Fatalf("%v (%s, hint %q), want %s", err, fault.CodeOf(err), fault.HintOf(err), c.code)
			}
		})
	}
}

func TestEveryBitOfAnItemIsSignedOrRefused(t *testing.T) {
	raw := unhex(t, publishedItem)
	for i := range raw {
		for bit := range 8 {
			c := bytes.Clone(raw)
			c[i] ^= 1 << bit
			if it, err := DecodeItem(c); err == nil && it.Verify() == nil {
				t.Fatalf("bit %d of byte %d does not matter", bit, i)
			}
		}
	}
}

func genTags() *rapid.Generator[[]Tag] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Tag {
		text := rapid.OneOf(rapid.String(), rapid.StringN(0, 3, -1), rapid.SampledFrom([]string{"", "Action", "a", "\xff\x00", strings.Repeat("x", 5000)}))
		return Tag{Name: text.Draw(t, "name"), Value: text.Draw(t, "value")}
	}), 0, 20)
}

func genDraft() *rapid.Generator[Draft] {
	return rapid.Custom(func(t *rapid.T) Draft {
		d := Draft{Tags: genTags().Draw(t, "tags"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
		if d.HasTarget = rapid.Bool().Draw(t, "has target"); d.HasTarget {
			d.Target = message.ID(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "target"))
		}
		if rapid.Bool().Draw(t, "has anchor") {
			d.Anchor = rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "anchor")
		}
		return d
	})
}

func TestSignedItemsRoundTripAndVerify(t *testing.T) {
	keys := []*commitment.Key{seeded(t, commitment.Ed25519, 1), seeded(t, commitment.Ethereum, 2), seeded(t, commitment.Solana, 3)}
	rapid.Check(t, func(t *rapid.T) {
		d, key := genDraft().Draw(t, "draft"), rapid.SampledFrom(keys).Draw(t, "key")
		it, err := Sign(d, key)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(it.Raw)
		if err != nil {
			t.Fatal(err)
		}
		v, err := commitment.Verify(m)
		if err != nil {
			t.Fatal(err)
		}
		if v.Signer().Address() != key.Address() || v.ID() != it.ID() {
			t.Fatal("another signer or id")
		}
		back, _ := ItemOf(m)
		if len(back.Tags) != len(d.Tags) || len(d.Tags) > 0 && !reflect.DeepEqual(back.Tags, d.Tags) || !bytes.Equal(back.Data, d.Data) ||
			!bytes.Equal(back.Anchor, d.Anchor) || back.HasTarget != d.HasTarget || back.Target != d.Target {
			t.Fatalf("read %+v, want %+v", back.Draft(), d)
		}
		one, err := SignDeterministic(d, key, []byte("s"))
		if err != nil || one.Verify() != nil {
			t.Fatal("the deterministic form does not verify")
		}
		again, err := SignDeterministic(d, key, []byte("s"))
		if err != nil || !bytes.Equal(again.Raw, one.Raw) {
			t.Fatal("the same draft, key and salt make the same item every time, but did not")
		}
	})
}

func TestTagsRoundTrip(t *testing.T) {
	if got := hex.EncodeToString(EncodeTags([]Tag{{Name: "Action", Value: "Eval"}, {Name: "Data-Protocol", Value: "ao"}})); got != "040c416374696f6e084576616c1a446174612d50726f746f636f6c04616f00" {
		t.Errorf("tags are written as %s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		tags := genTags().Draw(t, "tags")
		back, err := DecodeTags(EncodeTags(tags))
		if err != nil || len(back) != len(tags) || len(tags) > 0 && !reflect.DeepEqual(back, tags) {
			t.Fatalf("read %q, %v, want %q", back, err, tags)
		}
	})
}

func TestTagsOfOtherWriters(t *testing.T) {
	ab := []Tag{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}
	for _, c := range []struct {
		name, bytes, code string
		want              []Tag
	}{
		{"no bytes", "", "", nil},
		{"a single zero", "00", "", nil},
		{"one block", "04 0261 0231 0262 0232 00", "", ab},
		{"two blocks", "02 0261 0231 02 0262 0232 00", "", ab},
		{"a negative count with a size", "03 10 0261 0231 0262 0232 00", "", ab},
		{"sizes mixed", "01 08 0261 0231 02 0262 0232 00", "", ab},
		{"a number longer than it need be", "8400 0261 0231 0262 0232 00", "", ab},
		{"a wrong block size", "03 0e 0261 0231 0262 0232 00", "item-tags-malformed", nil},
		{"a block size beyond the end", "03 40 0261 0231 0262 0232 00", "item-tags-malformed", nil},
		{"no end", "04 0261 0231 0262 0232", "item-tags-malformed", nil},
		{"bytes after the end", "04 0261 0231 0262 0232 00 00", "item-tags-malformed", nil},
		{"a negative length", "02 0161 0231 00", "item-tags-malformed", nil},
		{"a length beyond the end", "02 7f61", "item-tags-malformed", nil},
		{"a number without end", "ffffffffffffffffffff01", "item-tags-malformed", nil},
		{"the smallest number", "ffffffffffffffffff01 00", "item-tags-malformed", nil},
		{"a huge count", "feffffffffffffffff01 00", "item-tags-too-many", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := DecodeTags(unhex(t, strings.ReplaceAll(c.bytes, " ", "")))
			if c.code != "" {
				if fault.CodeOf(err) != c.code {
					t.Fatalf("%v, want %s", err, c.code)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("%v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestMessagesPushedTwiceHaveOneDedupHash(t *testing.T) {
	base := publishedDraft()
	hash := func(change func(*Draft), fill byte) string {
		d := publishedDraft()
		change(&d)
		it, err := Sign(d, seeded(t, commitment.Ed25519, fill))
		if err != nil {
			t.Fatal(err)
		}
		h := DedupHash(it)
		return base64.RawURLEncoding.EncodeToString(h[:])
	}
	want := hash(func(*Draft) {}, 1)
	same := map[string]string{
		"another messenger":       hash(func(*Draft) {}, 2),
		"pushed for another":      hash(func(d *Draft) { d.Tags = append(d.Tags, Tag{Name: "Pushed-For", Value: "x"}) }, 1),
		"the tags in other order": hash(func(d *Draft) { d.Tags[0], d.Tags[2] = d.Tags[2], d.Tags[0] }, 1),
	}
	other := map[string]string{
		"other data":   hash(func(d *Draft) { d.Data = []byte("x") }, 1),
		"no target":    hash(func(d *Draft) { d.HasTarget = false }, 1),
		"other anchor": hash(func(d *Draft) { d.Anchor = bytes.Repeat([]byte{9}, 32) }, 1),
		"other tag":    hash(func(d *Draft) { d.Tags = append(d.Tags, Tag{Name: "pushed-for", Value: "x"}) }, 1),
	}
	for name, h := range same {
		if h != want {
			t.Errorf("%s: another hash", name)
		}
	}
	for name, h := range other {
		if h == want {
			t.Errorf("%s: the same hash", name)
		}
	}
	if a, b := EvaluationDedupHash(base.Target[:], base.Anchor, base.Tags, base.Data), EvaluationDedupHash(base.Target[:], base.Anchor, append(base.Tags[:4:4], Tag{Name: "Pushed-For", Value: "x"}), base.Data); a == b {
		t.Error("a compute unit's hash covers Pushed-For")
	}
}

func TestPortableNamesWhatOthersRefuse(t *testing.T) {
	many := make([]Tag, PortableTagsMax+1)
	for i := range many {
		many[i] = Tag{Name: strconv.Itoa(i), Value: "v"}
	}
	for _, c := range []struct {
		name string
		tags []Tag
		code string
	}{
		{"an ordinary item", []Tag{{Name: "a", Value: ""}}, ""},
		{"too many tags", many, "item-tags-too-many"},
		{"too many bytes", []Tag{{Name: "a", Value: strings.Repeat("x", 3000)}, {Name: "b", Value: strings.Repeat("x", 3000)}}, "item-tags-too-large"},
		{"an empty name", []Tag{{Name: "", Value: "v"}}, "item-tag-size"},
		{"a long value", []Tag{{Name: "a", Value: strings.Repeat("x", PortableValueMax+1)}}, "item-tag-size"},
	} {
		it, err := Sign(Draft{Tags: c.tags}, seeded(t, commitment.Ed25519, 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := it.Portable(); err == nil != (c.code == "") || err != nil && (fault.CodeOf(err) != c.code || fault.HintOf(err) == "") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
