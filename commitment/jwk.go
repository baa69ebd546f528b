package commitment

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"

	"ago/fault"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// jwk is a JSON web key: RSA (Arweave wallets), OKP with Ed25519, EC with secp256k1. SignatureType is our own member for what
// the standard cannot tell: Solana keys are Ed25519 keys that sign otherwise.
type jwk struct {
	Type          string  `json:"kty"`
	Curve         string  `json:"crv,omitempty"`
	N             string  `json:"n,omitempty"`
	E             string  `json:"e,omitempty"`
	X             string  `json:"x,omitempty"`
	Y             string  `json:"y,omitempty"`
	D             string  `json:"d"`
	P             string  `json:"p,omitempty"`
	Q             string  `json:"q,omitempty"`
	DP            string  `json:"dp,omitempty"`
	DQ            string  `json:"dq,omitempty"`
	QI            string  `json:"qi,omitempty"`
	SignatureType KeyType `json:"signature_type,omitempty"`
}

func badKey(format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, "key-malformed", format, args...).
		WithHint("a wallet is a JSON web key: kty RSA with 4096 bits, kty OKP with crv Ed25519, or kty EC with crv secp256k1")
}

// LoadJWK takes in a private key: a JSON web key, or the array of 64 numbers that Solana tools write.
func (a *Agent) LoadJWK(text []byte) (*Key, error) {
	k, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	return a.add(k), nil
}

func parseKey(text []byte) (*Key, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return parseSolana(text)
	}
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, badKey("the wallet is not JSON") // the cause would quote the file, which is secret
	}
	switch {
	case j.Type == "RSA":
		return j.rsa()
	case j.Type == "OKP" && j.Curve == "Ed25519":
		kind := Ed25519
		if j.SignatureType == Solana {
			kind = Solana
		}
		return j.seeded(kind)
	case j.Type == "EC" && strings.EqualFold(j.Curve, "secp256k1"):
		return j.seeded(Ethereum)
	}
	return nil, badKey("a key with kty %q and crv %q is not known", j.Type, j.Curve)
}

func parseSolana(text []byte) (*Key, error) {
	var numbers []uint8
	var wide []int
	if err := json.Unmarshal(text, &wide); err != nil || len(wide) != ed25519.PrivateKeySize {
		return nil, badKey("a Solana wallet is an array of %d numbers", ed25519.PrivateKeySize)
	}
	for _, n := range wide {
		if n < 0 || n > 255 {
			return nil, badKey("a Solana wallet is an array of bytes")
		}
		numbers = append(numbers, uint8(n))
	}
	k, err := fromSeed(Solana, numbers[:ed25519.SeedSize])
	if err == nil && !bytes.Equal(k.owner, numbers[ed25519.SeedSize:]) {
		return nil, badKey("the two halves of the Solana wallet do not belong together")
	}
	return k, err
}

func (j jwk) rsa() (*Key, error) {
	var n [5]*big.Int
	for i, part := range []string{j.N, j.E, j.D, j.P, j.Q} {
		b, err := decodePart(part)
		if err != nil || len(b) == 0 || len(b) > rsaBits/8 {
			return nil, badKey("member %q of the RSA key is missing or not base64url", []string{"n", "e", "d", "p", "q"}[i])
		}
		n[i] = new(big.Int).SetBytes(b)
	}
	if !n[1].IsInt64() || n[1].Int64() != rsaExponent {
		return nil, badKey("the exponent of an Arweave key is AQAB")
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n[0], E: rsaExponent}, D: n[2], Primes: []*big.Int{n[3], n[4]}}
	key.Precompute()
	if key.N.BitLen() != rsaBits {
		return rsaHandle(key) // says which sizes do
	}
	if err := key.Validate(); err != nil {
		return nil, badKey("the members of the RSA key do not belong together")
	}
	return rsaHandle(key)
}

func (j jwk) seeded(kind KeyType) (*Key, error) {
	d, err := decodePart(j.D)
	if err != nil || len(d) > ed25519.SeedSize {
		return nil, badKey("member \"d\" of the key is missing or not base64url of 32 bytes")
	}
	if kind == Ethereum { // some writers drop leading zeros
		d = append(make([]byte, ed25519.SeedSize-len(d)), d...)
	}
	k, err := fromSeed(kind, d)
	if err != nil {
		return nil, err
	}
	for i, part := range []string{j.X, j.Y} {
		if part == "" {
			continue
		}
		b, err := decodePart(part)
		if err != nil || !bytes.Equal(trimZeros(b), trimZeros(coordinate(k, i))) {
			return nil, badKey("the public half of the key does not belong to the private one")
		}
	}
	return k, nil
}

func trimZeros(b []byte) []byte { return bytes.TrimLeft(b, "\x00") }

// coordinate is x or y of the public key; an Ed25519 key has only x.
func coordinate(k *Key, i int) []byte {
	if k.kind == Ethereum {
		return k.owner[1+32*i : 33+32*i]
	}
	if i == 0 {
		return k.owner
	}
	return nil
}

func decodePart(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}

// MarshalJWK writes the private key of a handle as a JSON web key.
func (a *Agent) MarshalJWK(k *Key) ([]byte, error) {
	text := base64.RawURLEncoding.EncodeToString
	var j jwk
	switch key := k.secret.(type) {
	case *rsa.PrivateKey:
		j = jwk{Type: "RSA", N: text(key.N.Bytes()), E: text(big.NewInt(int64(key.E)).Bytes()), D: text(key.D.Bytes()),
			P: text(key.Primes[0].Bytes()), Q: text(key.Primes[1].Bytes()),
			DP: text(key.Precomputed.Dp.Bytes()), DQ: text(key.Precomputed.Dq.Bytes()), QI: text(key.Precomputed.Qinv.Bytes())}
	case ed25519.PrivateKey:
		j = jwk{Type: "OKP", Curve: "Ed25519", X: text(k.owner), D: text(key.Seed())}
		if k.kind == Solana {
			j.SignatureType = Solana
		}
	case *secp256k1.PrivateKey:
		j = jwk{Type: "EC", Curve: "secp256k1", X: text(k.owner[1:33]), Y: text(k.owner[33:]), D: text(key.Serialize())}
	default:
		return nil, fault.New(fault.Unsupported, "key-cannot-sign", "keys of type %s only verify here", k.kind)
	}
	out, err := json.Marshal(j)
	return out, fault.Wrap(err, fault.Internal, "key-malformed", "write a key")
}
