package commitment

import (
	"encoding/hex"

	"ago/message"

	"golang.org/x/crypto/sha3"
)

// AddressOf names a key the way gateways and schedulers do: the SHA-256 of the owner bytes.
func AddressOf(owner []byte) message.ID { return message.HashOf(owner) }

// ProcessAddress names a key the way a process sees it in Owner and From: for a 65-byte key the checksummed 0x… address,
// for any other the 43 characters of AddressOf.
func ProcessAddress(owner []byte) string {
	if len(owner) == Ethereum.OwnerSize() {
		return checksummed(ethereumAddress(owner))
	}
	return AddressOf(owner).String()
}

// ethereumAddress is the tail of the Keccak-256 of an uncompressed point without its leading 0x04.
func ethereumAddress(point []byte) []byte {
	h := keccak(point[1:])
	return h[12:]
}

// checksummed writes an address so that the case of its letters is a checksum (EIP-55).
func checksummed(address []byte) string {
	text := []byte("0x" + hex.EncodeToString(address))
	sum := keccak(text[2:])
	for i := range text[2:] {
		nibble := sum[i/2] >> 4
		if i%2 == 1 {
			nibble = sum[i/2] & 15
		}
		if c := text[2+i]; c >= 'a' && nibble >= 8 {
			text[2+i] = c - 'a' + 'A'
		}
	}
	return string(text)
}

func keccak(parts ...[]byte) [32]byte {
	h := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		h.Write(p)
	}
	var out [32]byte
	h.Sum(out[:0])
	return out
}
