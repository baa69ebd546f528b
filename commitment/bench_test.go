package commitment

import (
	"testing"

	"ago/message"
)

func BenchmarkSign(b *testing.B) {
	msg := make([]byte, 48)
	for _, k := range signers(b) {
		b.Run(k.Type().String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := k.SignDeterministic(msg, msg); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sign/s")
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	msg := make([]byte, 48)
	for _, k := range signers(b) {
		sig, err := k.SignDeterministic(msg, msg)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(k.Type().String(), func(b *testing.B) {
			for b.Loop() {
				if err := VerifySignature(k.Type(), k.Owner(), msg, sig); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "verify/s")
		})
	}
}

func BenchmarkVerifierOnAMessageItKnows(b *testing.B) {
	raw := append([]byte("good"), make([]byte, 2044)...)
	m := message.New().Decoded(message.HashOf(raw), "counted@1.0", raw, nil)
	v := NewVerifier(1000)
	v.remember(identity{m.ID(), message.HashOf(raw)}, Signer{})
	for b.Loop() {
		if _, err := v.Verify(m); err != nil {
			b.Fatal(err)
		}
	}
}
