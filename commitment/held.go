package commitment

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
)

// A message is looked at by several on its way: the face, the scheduler, whoever stores it. Each checks it as a whole, and none
// has to repeat the arithmetic on the same key, text and signature.

// heldMax is how many signatures that held are remembered, by their hashes.
const heldMax = 1 << 12

var (
	held     [heldMax]atomic.Pointer[[sha256.Size]byte]
	heldSeed = maphash.MakeSeed() // so that nobody can choose signatures that push out a certain other
)

// schemePSS with a hash is RSA-PSS with that; other schemes are types of keys, which are small numbers.
const schemePSS = 1 << 15

// heldName is the hash of all that decides whether a signature holds.
func heldName(scheme uint16, owner, message, signature []byte) [sha256.Size]byte {
	b := make([]byte, 0, 1536)
	b = binary.BigEndian.AppendUint16(b, scheme)
	for _, part := range [][]byte{owner, signature} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	if len(message) <= cap(b)-len(b) {
		return sha256.Sum256(append(b, message...))
	}
	h := sha256.New()
	h.Write(b)
	h.Write(message)
	return [sha256.Size]byte(h.Sum(nil))
}

func heldPlace(name *[sha256.Size]byte) *atomic.Pointer[[sha256.Size]byte] {
	return &held[maphash.Bytes(heldSeed, name[:])%heldMax]
}

// checkOnce does a check of a signature unless the very same one held lately. Failures are not remembered.
func checkOnce(scheme uint16, owner, message, signature []byte, check func() error) error {
	name := heldName(scheme, owner, message, signature)
	at := heldPlace(&name)
	if have := at.Load(); have != nil && *have == name {
		return nil
	}
	if err := check(); err != nil {
		return err
	}
	at.Store(&name)
	return nil
}
