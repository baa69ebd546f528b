package commitment

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestSaltedSignaturesVerifyAndDifferByTheirSalt(t *testing.T) {
	agent := NewAgent()
	for _, kind := range []KeyType{Ed25519, Ethereum, Solana} {
		k, err := agent.FromSeed(kind, bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			msg := rapid.SliceOfN(rapid.Byte(), 48, 48).Draw(t, "message")
			a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "salt"), rapid.SliceOf(rapid.Byte()).Draw(t, "other salt")
			sign := func(salt []byte) []byte {
				sig, err := k.SignDeterministic(msg, salt)
				if err != nil {
					t.Fatal(err)
				}
				if err := VerifySignature(kind, k.Owner(), msg, sig); err != nil {
					t.Fatalf("%v: %v", kind, err)
				}
				return sig
			}
			if !bytes.Equal(sign(a), sign(a)) {
				t.Fatalf("%v: the same salt gave another signature", kind)
			}
			if bytes.Equal(a, b) != bytes.Equal(sign(a), sign(b)) {
				t.Fatalf("%v: salts %x and %x", kind, a, b)
			}
		})
	}
}
