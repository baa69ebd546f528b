package ans104

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"ago/commitment"
	"ago/fault"
	"ago/message"

	"pgregory.net/rapid"
)

func TestCommitmentsAreThoseOfAnotherImplementation(t *testing.T) {
	n := 0
	for _, v := range vectors(t) {
		if v.Commitment == nil {
			continue
		}
		n++
		t.Run(v.Name, func(t *testing.T) {
			it, err := DecodeItem(v.Raw)
			if err != nil {
				t.Fatal(err)
			}
			got := plain(it.Commitment())
			if !reflect.DeepEqual(got, any(v.Commitment)) {
				t.Errorf("commitment %v, want %v", got, v.Commitment)
			}
			back, err := FromCommitment(rich(v.Message).(message.Message), rich(v.Commitment).(message.Message))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(back.Raw, v.Raw) {
				t.Errorf("the item came back as\n%q, want\n%q", back.Raw[1026:], v.Raw[1026:])
			}
		})
	}
	if n != 17 {
		t.Errorf("%d vectors", n)
	}
}

func TestItemsComeBackFromTheirMessages(t *testing.T) {
	keys := []*commitment.Key{seeded(t, commitment.Ed25519, 1), seeded(t, commitment.Ethereum, 2)}
	names := rapid.SampledFrom([]string{"a", "b", "B", "data", "Data", "target", "anchor", "Type", "priv-x", "body", "ao-data-key", "ao-types", "Bundle-Format"})
	values := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", `"1", "2"`, "x", "body", `a="integer"`, "a=atom", strings.Repeat("long", 1000), message.HashOf(nil).String()}))
	rapid.Check(t, func(t *rapid.T) {
		d := genDraft().Draw(t, "draft")
		d.Tags = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Tag { return Tag{Name: names.Draw(t, "name"), Value: values.Draw(t, "value")} }), 0, 6).Draw(t, "tags")
		it, err := Sign(d, rapid.SampledFrom(keys).Draw(t, "key"))
		if err != nil {
			t.Fatal(err)
		}
		back, err := FromCommitment(it.Message(), it.Commitment())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Raw, it.Raw) {
			t.Fatalf("came back with tags %q and data %q, want %q and %q", back.Tags, back.Data, it.Tags, it.Data)
		}
	})
}

func TestUnsignedItemsComeBackToo(t *testing.T) {
	it, err := Unsigned(publishedDraft())
	if err != nil {
		t.Fatal(err)
	}
	back, err := FromCommitment(it.Message(), it.Commitment())
	if err != nil || !bytes.Equal(back.Raw, it.Raw) {
		t.Fatalf("%v", err)
	}
}

func TestCommitmentsThatDoNotTellHowAreRefused(t *testing.T) {
	it := signed(t, publishedDraft())
	c := it.Commitment()
	for name, bad := range map[string]message.Message{
		"signature": c.With("signature", message.Bytes("!")), "keyid": c.With("keyid", message.Bytes(encode64(it.Owner))),
		"committed": c.With("committed", message.List{message.Bytes("nothing")}), "numbers": c.With("committed", message.List{message.Int(1)}),
		"target": c.With("field-target", message.Bytes("x")), "tags": c.With("original-tags", message.Bytes("x")),
		"a tag": c.With("original-tags", message.New(message.Field{Key: "2", Value: message.New()})),
	} {
		if _, err := FromCommitment(it.Message(), bad); fault.CodeOf(err) != "commitment-malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FromCommitment(it.Message(), c.With("type", message.Bytes("dsa"))); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("another type: %v", err)
	}
	if _, err := FromCommitment(it.Message(), c.With("signature", message.Bytes("AAAA"))); fault.CodeOf(err) != "item-parts" {
		t.Errorf("a short signature: %v", err)
	}
}

func TestListsOfTextsSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.StringMatching(`["\\, ]*`)), 1, 5).Draw(t, "values")
		if got, ok := parseList(string(listText(values))); !ok || !reflect.DeepEqual(got, values) {
			t.Fatalf("%q, want %q", got, values)
		}
	})
	for _, s := range []string{"", "a", `"a`, `"a" "b"`, `"a",`, `"\`, strings.Repeat(`"`, 3)} {
		if got, ok := parseList(s); ok {
			t.Errorf("%q is read as %q", s, got)
		}
	}
}
