package commitment

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// standard is what crypto/rsa says, for any salt.
func standard(hash crypto.Hash, modulus, msg, sig []byte) bool {
	key := rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: rsaExponent}
	return rsa.VerifyPSS(&key, hash, digest(hash, msg), sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
}

func TestRSASignaturesHoldExactlyWhenTheStandardLibrarySaysSo(t *testing.T) {
	k := wallet(t)
	private := k.secret.(*rsa.PrivateKey)
	raw := func(encoded []byte) []byte { // the signature of any encoding, sound or not
		return new(big.Int).Exp(new(big.Int).SetBytes(encoded), private.D, private.N).FillBytes(make([]byte, 512))
	}
	held := map[int]bool{}
	rapid.Check(t, func(t *rapid.T) {
		hash := rapid.SampledFrom([]crypto.Hash{crypto.SHA256, crypto.SHA512}).Draw(t, "hash")
		msg := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "message")
		longest := 512 - hash.Size() - 2
		salt := make([]byte, rapid.OneOf(rapid.SampledFrom([]int{1, hash.Size(), longest}), rapid.IntRange(1, longest)).Draw(t, "salt"))
		sig, err := rsa.SignPSS(bytes.NewReader(salt), private, hash, digest(hash, msg), &rsa.PSSOptions{SaltLength: len(salt)})
		if err != nil {
			t.Fatal(err)
		}
		encoded := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(rsaExponent), private.N).FillBytes(make([]byte, 512))
		at := rapid.IntRange(0, 511).Draw(t, "byte")
		kind := rapid.IntRange(0, 4).Draw(t, "kind")
		switch kind {
		case 1: // a byte of the encoding, often one that has a fixed meaning
			i := rapid.SampledFrom([]int{0, 1, 510 - hash.Size() - len(salt), 511, at}).Draw(t, "place")
			encoded[max(i, 0)] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
			sig = raw(encoded)
		case 2:
			sig[at] ^= 1
		case 3:
			msg = append(msg, 0)
		case 4: // the same number, beyond the modulus
			n := new(big.Int).Add(new(big.Int).SetBytes(sig), private.N)
			if n.BitLen() <= 4096 {
				sig = n.FillBytes(sig)
			}
		}
		want := standard(hash, k.owner, msg, sig)
		if got := VerifyPSS(hash, k.owner, msg, sig) == nil; got != want {
			t.Fatalf("holds: %v, the standard library says %v", got, want)
		}
		held[kind] = held[kind] || want
	})
	if !held[0] {
		t.Error("nothing held")
	}
}

func TestSignaturesWithoutSaltHold(t *testing.T) {
	k := wallet(t)
	private := k.secret.(*rsa.PrivateKey)
	d := digest(crypto.SHA256, []byte("m"))
	// Made by hand, since crypto/rsa makes none: zeros and a one, masked by H; H over the digest alone.
	h := digest(crypto.SHA256, append(make([]byte, 8), d...))
	encoded := make([]byte, 512-33, 512)
	for i := 0; i < len(encoded); i += 32 {
		copy(encoded[i:], digest(crypto.SHA256, append(bytes.Clone(h), 0, 0, 0, byte(i/32))))
	}
	encoded[len(encoded)-1] ^= 1
	encoded[0] &= 0x7f
	encoded = append(append(encoded, h...), 0xbc)
	sig := new(big.Int).Exp(new(big.Int).SetBytes(encoded), private.D, private.N).FillBytes(make([]byte, 512))
	if !standard(crypto.SHA256, k.owner, []byte("m"), sig) {
		t.Fatal("the test makes no signature")
	}
	if err := VerifyPSS(crypto.SHA256, k.owner, []byte("m"), sig); err != nil {
		t.Error(err)
	}
}

func TestSmallerKeysHoldToo(t *testing.T) {
	key, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signPSS(crypto.SHA512, key, []byte("m"), bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyPSS(crypto.SHA512, key.N.Bytes(), []byte("m"), sig); err != nil {
		t.Error(err)
	}
	if err := VerifyPSS(crypto.SHA512, key.N.Bytes(), []byte("n"), sig); err == nil {
		t.Error("another message holds")
	}
}
