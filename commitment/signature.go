package commitment

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"math/big"

	"ago/commitment/modular"
	"ago/fault"
)

// multiKeys is the number of key places in a multi-aptos owner.
const multiKeys = 32

// rsaExponent is the only public exponent of the network: an owner is the modulus alone.
const rsaExponent = 65537

func forged(format string, args ...any) *fault.Error {
	return fault.New(fault.Forged, "signature-invalid", format, args...).
		WithHint("sign again with the key of the owner; what changed after it was signed does not verify")
}

// VerifySignature tells whether the owner signed the message. It fails with Forged and "signature-invalid" when not, with
// Malformed and "owner-malformed" when the owner cannot be a key, and with Unsupported for an unknown type.
func VerifySignature(k KeyType, owner, message, signature []byte) error {
	if !k.Known() {
		return fault.New(fault.Unsupported, "key-type-unknown", "signature type %d is not known", uint16(k)).
			WithHint("sign with type 1 (arweave), 2 (ed25519), 3 (ethereum) or 4 (solana)")
	}
	if len(owner) != k.OwnerSize() {
		return fault.New(fault.Malformed, "owner-malformed", "an owner of type %s has %d bytes, this has %d", k, k.OwnerSize(), len(owner)).
			WithHint("the owner is the public key of the signer, raw")
	}
	if len(signature) != k.SignatureSize() {
		return forged("a signature of type %s has %d bytes, this has %d", k, k.SignatureSize(), len(signature))
	}
	if k == RSA {
		return VerifyPSS(crypto.SHA256, owner, message, signature)
	}
	return checkOnce(uint16(k), owner, message, signature, func() error { return verify(k, owner, message, signature) })
}

// verify checks a signature whose owner and length fit its type, which is not RSA.
func verify(k KeyType, owner, message, signature []byte) error {
	ok := false
	switch k {
	case Ed25519:
		ok = ed25519.Verify(owner, message, signature)
	case Ethereum:
		return verifyEthereum(owner, message, signature)
	case Solana:
		// Wallets that only sign text are given the hex; the published verifiers check that, older signers signed the bytes.
		ok = ed25519.Verify(owner, hexText(message), signature) || ed25519.Verify(owner, message, signature)
	case Aptos:
		ok = ed25519.Verify(owner, []byte("APTOS\nmessage: "+hex.EncodeToString(message)+"\nnonce: bundlr"), signature)
	case MultiAptos:
		return verifyMulti(owner, message, signature)
	case TypedEthereum:
		return verifyTyped(owner, message, signature)
	}
	if !ok {
		return forged("the %s signature does not hold", k)
	}
	return nil
}

func hexText(b []byte) []byte { return hex.AppendEncode(make([]byte, 0, 2*len(b)), b) }

// VerifyPSS tells whether the RSA key with this modulus signed the message, by RSA-PSS with SHA-256 or SHA-512 and any salt
// length: some signers use the longest one, browsers use 32 bytes.
func VerifyPSS(hash crypto.Hash, modulus, message, signature []byte) error {
	if len(modulus) == 0 || modulus[0] == 0 || modulus[len(modulus)-1]&1 == 0 {
		return fault.New(fault.Malformed, "owner-malformed", "the owner is not an RSA modulus").
			WithHint("the owner is the modulus of the signer's key, raw")
	}
	return checkOnce(schemePSS|uint16(hash), modulus, message, signature, func() error { return verifyPSS(hash, modulus, message, signature) })
}

func verifyPSS(hash crypto.Hash, modulus, message, signature []byte) error {
	d := digest(hash, message)
	if len(modulus) == modular.Size && modulus[0]&0x80 != 0 {
		encoded, ok := modular.Power65537(modulus, signature)
		if !ok || !encodesPSS(hash, d, encoded[:]) {
			return forged("the RSA signature does not hold")
		}
		return nil
	}
	key := rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: rsaExponent}
	if err := rsa.VerifyPSS(&key, hash, d, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}); err != nil {
		return forged("the RSA signature does not hold")
	}
	return nil
}

// encodesPSS tells whether a signature raised to the exponent is an encoding of the digest (RFC 8017, 9.1.2): zeros, a one and
// the salt, masked by a hash H; then H, which covers digest and salt; then 0xbc. It destroys encoded.
//
// RATIONALE: crypto/rsa checks this too, but only together with a power that takes it three times as long as ours.
func encodesPSS(hash crypto.Hash, digest, encoded []byte) bool {
	const end = 0xbc
	at := len(encoded) - 1 - hash.Size()
	masked, h := encoded[:at], encoded[at:len(encoded)-1]
	if encoded[len(encoded)-1] != end || masked[0]&0x80 != 0 { // the modulus has all its bits, so the encoding has one less
		return false
	}
	var counter [4]byte
	f := hash.New()
	var block []byte
	for i := 0; i < len(masked); i += hash.Size() {
		f.Reset()
		f.Write(h)
		f.Write(counter[:])
		block = f.Sum(block[:0])
		subtle.XORBytes(masked[i:], masked[i:], block)
		counter[3]++
	}
	masked[0] &= 0x7f
	one := 0
	for one < len(masked) && masked[one] == 0 {
		one++
	}
	if one == len(masked) || masked[one] != 1 {
		return false
	}
	f.Reset()
	f.Write(make([]byte, 8))
	f.Write(digest)
	f.Write(masked[one+1:])
	return bytes.Equal(f.Sum(block[:0]), h)
}

func digest(hash crypto.Hash, message []byte) []byte {
	if hash == crypto.SHA512 {
		d := sha512.Sum512(message)
		return d[:]
	}
	d := sha256.Sum256(message)
	return d[:]
}

// verifyMulti checks the signatures named in the bitmap, from the left. At least as many as the last byte of the owner says
// must be there, and unused places must be zero: otherwise an item could have no signature at all, or many ids.
func verifyMulti(owner, message, signature []byte) error {
	bitmap := signature[multiKeys*64:]
	need, have := int(owner[multiKeys*32]), 0
	for i := range multiKeys {
		part := signature[i*64 : (i+1)*64]
		if bitmap[i/8]&(128>>(i%8)) == 0 {
			if [64]byte(part) != [64]byte{} {
				return forged("place %d is not in the bitmap and not empty", i)
			}
			continue
		}
		if !ed25519.Verify(owner[i*32:(i+1)*32], message, part) {
			return forged("signature %d does not hold", i)
		}
		have++
	}
	if have == 0 || have < need {
		return forged("%d signatures, %d are needed", have, max(need, 1))
	}
	return nil
}
