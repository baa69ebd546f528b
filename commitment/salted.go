package commitment

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"

	"ago/fault"

	"filippo.io/edwards25519"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// The standard deterministic signatures of Ed25519 and of RFC 6979 depend on key and message alone. Here the nonce depends
// on a salt as well. What keeps the key safe is that a nonce never serves two messages: it is a MAC, under a secret that only
// the key has, of the salt and the message, and its form differs from that of the standard nonce.

// signSalted is Ed25519 (RFC 8032, 5.1.6) with r = HMAC-SHA-512(prefix, salt, message) in place of SHA-512(prefix, message).
func signSalted(key ed25519.PrivateKey, msg, salt []byte) ([]byte, error) {
	secret := sha512.Sum512(key.Seed())
	s, err := new(edwards25519.Scalar).SetBytesWithClamping(secret[:32])
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "key-cannot-sign", "the key")
	}
	mac := hmac.New(sha512.New, secret[32:])
	bound := sha256.Sum256(salt)
	mac.Write([]byte("ago salted nonce 1"))
	mac.Write(bound[:])
	mac.Write(msg)
	r, err := new(edwards25519.Scalar).SetUniformBytes(mac.Sum(nil))
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "key-cannot-sign", "the nonce")
	}
	point := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	challenge := sha512.New()
	challenge.Write(point)
	challenge.Write(key.Public().(ed25519.PublicKey))
	challenge.Write(msg)
	k, err := new(edwards25519.Scalar).SetUniformBytes(challenge.Sum(nil))
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "key-cannot-sign", "the challenge")
	}
	return append(point, new(edwards25519.Scalar).MultiplyAdd(k, s, r).Bytes()...), nil
}

// signEthereumSalted is ECDSA with the nonce of RFC 6979, 3.6: the salt is its additional data. The signature is in the low
// form, and v is 27 or 28.
func signEthereumSalted(key *secp256k1.PrivateKey, hash [32]byte, salt []byte) []byte {
	extra := sha256.Sum256(append([]byte("ago salted nonce 1"), salt...))
	secret := key.Serialize()
	var e secp256k1.ModNScalar
	e.SetByteSlice(hash[:])
	for try := uint32(0); ; try++ {
		k := secp256k1.NonceRFC6979(secret, hash[:], extra[:], nil, try)
		var point secp256k1.JacobianPoint
		secp256k1.ScalarBaseMultNonConst(k, &point)
		point.ToAffine()
		var r secp256k1.ModNScalar
		overflow := r.SetByteSlice(point.X.Bytes()[:])
		odd := point.Y.IsOdd()
		inverse := new(secp256k1.ModNScalar).InverseValNonConst(k)
		s := new(secp256k1.ModNScalar).Mul2(&key.Key, &r).Add(&e).Mul(inverse)
		if r.IsZero() || s.IsZero() || overflow {
			continue // no signature for this nonce; next to impossible
		}
		if s.IsOverHalfOrder() {
			s.Negate()
			odd = !odd
		}
		v := byte(27)
		if odd {
			v = 28
		}
		rb, sb := r.Bytes(), s.Bytes()
		return append(append(append(make([]byte, 0, compactSize), rb[:]...), sb[:]...), v)
	}
}
