package commitment

import (
	"strconv"

	"ago/fault"
)

// KeyType is a signature scheme together with the form of its keys, numbered as ANS-104 numbers them on the wire.
type KeyType uint16

const (
	RSA           KeyType = 1 // RSA-PSS with SHA-256, 4096 bits; the owner is the modulus
	Ed25519       KeyType = 2
	Ethereum      KeyType = 3 // secp256k1 over a personal message (EIP-191); the owner is the uncompressed point
	Solana        KeyType = 4 // Ed25519 over the message or its lower-case hex text
	Aptos         KeyType = 5 // Ed25519 over the text an Aptos wallet shows
	MultiAptos    KeyType = 6 // up to 32 Ed25519 keys with a threshold
	TypedEthereum KeyType = 7 // secp256k1 over typed data (EIP-712); the owner is the 0x… address as text
)

var keyTypes = [...]struct {
	name             string
	signature, owner int
}{
	RSA:           {"arweave", 512, 512},
	Ed25519:       {"ed25519", 64, 32},
	Ethereum:      {"ethereum", 65, 65},
	Solana:        {"solana", 64, 32},
	Aptos:         {"aptos", 64, 32},
	MultiAptos:    {"multi-aptos", multiKeys*64 + 4, multiKeys*32 + 1},
	TypedEthereum: {"typed-ethereum", 65, 42},
}

// KeyTypes lists the known ones in order.
func KeyTypes() []KeyType {
	return []KeyType{RSA, Ed25519, Ethereum, Solana, Aptos, MultiAptos, TypedEthereum}
}

// Known tells whether the sizes of the type's keys and signatures are known, without which nothing behind them can be read.
func (k KeyType) Known() bool { return k > 0 && int(k) < len(keyTypes) }

// SignatureSize is in bytes; 0 for an unknown type.
func (k KeyType) SignatureSize() int {
	if !k.Known() {
		return 0
	}
	return keyTypes[k].signature
}

// OwnerSize is in bytes; 0 for an unknown type.
func (k KeyType) OwnerSize() int {
	if !k.Known() {
		return 0
	}
	return keyTypes[k].owner
}

// String gives the stable name, or the number of an unknown type.
func (k KeyType) String() string {
	if !k.Known() {
		return strconv.Itoa(int(k))
	}
	return keyTypes[k].name
}

// ParseKeyType reads a name as String writes it.
func ParseKeyType(name string) (KeyType, error) {
	for _, k := range KeyTypes() {
		if keyTypes[k].name == name {
			return k, nil
		}
	}
	return 0, fault.New(fault.Unsupported, "key-type-unknown", "no key type is named %q", name).
		WithHint("use one of arweave, ed25519, ethereum, solana")
}
