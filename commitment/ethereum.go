package commitment

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"

	"ago/fault"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// A signature is r, s, v; v is 27 or 28 by the sign of the point.
const (
	recoveryBase = 27
	compactSize  = 65
)

// personalHash is what a wallet signs when it is asked to sign a text (EIP-191).
func personalHash(message []byte) [32]byte {
	return keccak([]byte("\x19Ethereum Signed Message:\n"), strconv.AppendInt(nil, int64(len(message)), 10), message)
}

// The typed data (EIP-712) that bundler wallets show; the name is part of what is hashed.
var (
	typedDomain = func() [32]byte {
		kind, name, version := keccak([]byte("EIP712Domain(string name,string version)")), keccak([]byte("Bundlr")), keccak([]byte("1"))
		return keccak(kind[:], name[:], version[:])
	}()
	typedKind = keccak([]byte("Bundlr(bytes Transaction hash,address address)"))
)

func typedHash(address, message []byte) [32]byte {
	var word [32]byte
	copy(word[12:], address)
	content := keccak(message)
	body := keccak(typedKind[:], content[:], word[:])
	return keccak([]byte{0x19, 1}, typedDomain[:], body[:])
}

// recoverPoint finds the uncompressed point that signed the hash.
//
// RATIONALE: the id of an item is the hash of its signature, so a second valid signature of the same bytes would be the same
// message under another id, and be scheduled twice by whoever makes it. From a signature (r, s, v) anybody can make
// (r, -s, v'), and a verifier that ignores v accepts any. So only the lower s with its one right v, 27 or 28, is taken; that
// is what wallets produce.
func recoverPoint(hash [32]byte, signature []byte) ([]byte, error) {
	if len(signature) != compactSize {
		return nil, forged("a signature has %d bytes, this has %d", compactSize, len(signature))
	}
	v := signature[64]
	if v != recoveryBase && v != recoveryBase+1 {
		return nil, forged("the last byte of a signature is 27 or 28, this is %d", v)
	}
	var s secp256k1.ModNScalar
	if s.SetByteSlice(signature[32:64]) || s.IsOverHalfOrder() {
		return nil, forged("the second half of the signature is above half the group order")
	}
	var compact [compactSize]byte
	compact[0] = v
	copy(compact[1:], signature[:64])
	key, _, err := ecdsa.RecoverCompact(compact[:], hash[:])
	if err != nil {
		return nil, forged("no key gives this signature: %v", err)
	}
	return key.SerializeUncompressed(), nil
}

func verifyEthereum(owner, message, signature []byte) error {
	point, err := recoverPoint(personalHash(message), signature)
	if err != nil {
		return err
	}
	if !bytes.Equal(point, owner) {
		return forged("another key made the signature")
	}
	return nil
}

func verifyTyped(owner, message, signature []byte) error {
	text, ok := strings.CutPrefix(string(owner), "0x")
	address, err := hex.DecodeString(text)
	if !ok || err != nil || len(address) != 20 {
		return fault.New(fault.Malformed, "owner-malformed", "the owner of a typed-ethereum signature is a 0x… address of 42 characters")
	}
	point, err := recoverPoint(typedHash(address, message), signature)
	if err != nil {
		return err
	}
	if !bytes.Equal(ethereumAddress(point), address) {
		return forged("another key made the signature")
	}
	return nil
}

// signEthereum makes r, s, v over a 32-byte hash; the nonce comes from key and hash (RFC 6979), so it is the same every time.
func signEthereum(key *secp256k1.PrivateKey, hash [32]byte) []byte {
	compact := ecdsa.SignCompact(key, hash[:], false)
	return append(append(make([]byte, 0, compactSize), compact[1:]...), compact[0])
}
