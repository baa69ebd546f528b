package ans104

import (
	"testing"

	"ago/commitment"
)

// ordinary is an item of the size that aos users send: a dozen tags, 2 KiB of data.
func ordinary(b *testing.B, kind commitment.KeyType) *Item {
	d := publishedDraft()
	for _, name := range []string{"SDK", "Content-Type", "From-Process", "From-Module", "Pushed-For", "Reference", "X-Reference"} {
		d.Tags = append(d.Tags, Tag{Name: name, Value: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"})
	}
	d.Data = make([]byte, 2048)
	k, err := commitment.NewAgent().Open("../../commitment/testdata/wallet.json")
	if err != nil {
		b.Fatal(err)
	}
	if kind != commitment.RSA {
		k = seeded(b, kind, 1)
	}
	it, err := SignDeterministic(d, k, nil)
	if err != nil {
		b.Fatal(err)
	}
	return it
}

func BenchmarkDecodeItem(b *testing.B) {
	it := ordinary(b, commitment.RSA)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeItem(it.Raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeMessage(b *testing.B) {
	it := ordinary(b, commitment.RSA)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(it.Raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAndVerify(b *testing.B) {
	for _, kind := range []commitment.KeyType{commitment.RSA, commitment.Ed25519, commitment.Ethereum, commitment.Solana} {
		it := ordinary(b, kind)
		b.Run(kind.String(), func(b *testing.B) {
			for b.Loop() {
				m, err := Decode(it.Raw)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := commitment.Verify(m); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
