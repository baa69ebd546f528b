package commitment

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"

	"ago/fault"
	"ago/message"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// Key is a handle on a private key that an Agent holds. It signs and is named; it cannot be printed or encoded.
// It is safe for concurrent use.
type Key struct {
	kind    KeyType
	owner   []byte
	address message.ID
	process string
	secret  any // *rsa.PrivateKey, ed25519.PrivateKey or *secp256k1.PrivateKey
}

// Type is the signature type of what the key signs.
func (k *Key) Type() KeyType { return k.kind }

// Owner is the public key as it stands in signed items. It must not be changed.
func (k *Key) Owner() []byte { return k.owner }

// Address is the gateway style name of the key.
func (k *Key) Address() message.ID { return k.address }

// ProcessAddress is the name a process sees.
func (k *Key) ProcessAddress() string { return k.process }

// Signer is the public half.
func (k *Key) Signer() Signer { return Signer{Type: k.kind, Owner: k.owner} }

// String names the key by type and address.
func (k *Key) String() string { return fmt.Sprintf("%s:%s", k.kind, k.address) }

// Format keeps the private half out of every kind of print.
func (k *Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// Sign signs the message. An RSA signature has a fresh salt, so it differs each time.
func (k *Key) Sign(msg []byte) ([]byte, error) { return k.sign(msg, rand.Reader) }

// SignDeterministic signs the message so that the same key, message and salt give the same signature, whatever the length of
// the salt, and another salt another one: two items that say the same thing are then still two.
func (k *Key) SignDeterministic(msg, salt []byte) ([]byte, error) {
	switch key := k.secret.(type) {
	case ed25519.PrivateKey:
		if k.kind == Solana {
			msg = hexText(msg)
		}
		return signSalted(key, msg, salt)
	case *secp256k1.PrivateKey:
		return signEthereumSalted(key, personalHash(msg), salt), nil
	}
	return k.sign(msg, bytes.NewReader(deriveSalt(salt, msg)))
}

// deriveSalt binds the salt to the message, so that a caller that repeats a salt does not repeat the salt of the signature.
func deriveSalt(salt, msg []byte) []byte {
	inner := sha256.Sum256(msg)
	h := sha256.New()
	h.Write([]byte("ago pss salt 1"))
	h.Write(inner[:])
	h.Write(salt)
	return h.Sum(nil)
}

func (k *Key) sign(msg []byte, salt io.Reader) ([]byte, error) {
	switch key := k.secret.(type) {
	case *rsa.PrivateKey:
		return signPSS(crypto.SHA256, key, msg, salt)
	case ed25519.PrivateKey:
		if k.kind == Solana {
			msg = hexText(msg)
		}
		return ed25519.Sign(key, msg), nil
	case *secp256k1.PrivateKey:
		return signEthereum(key, personalHash(msg)), nil
	}
	return nil, fault.New(fault.Unsupported, "key-cannot-sign", "keys of type %s only verify here", k.kind)
}

// SignPSS512 signs by RSA-PSS with SHA-512, as HTTP message signatures do; salt makes it repeatable, nil draws a fresh one.
// Only RSA keys can.
func (k *Key) SignPSS512(msg, salt []byte) ([]byte, error) {
	key, ok := k.secret.(*rsa.PrivateKey)
	if !ok {
		return nil, fault.New(fault.Unsupported, "key-cannot-sign", "RSA-PSS needs an RSA key, this is %s", k.kind)
	}
	if salt == nil {
		return signPSS(crypto.SHA512, key, msg, rand.Reader)
	}
	return signPSS(crypto.SHA512, key, msg, bytes.NewReader(append(deriveSalt(salt, msg), deriveSalt(append(salt[:len(salt):len(salt)], 1), msg)...)))
}

// signPSS reads one salt of the hash's length. crypto/rsa puts exactly those bytes into the signature; a test with a fixed
// signature watches over that.
func signPSS(hash crypto.Hash, key *rsa.PrivateKey, msg []byte, salt io.Reader) ([]byte, error) {
	sig, err := rsa.SignPSS(salt, key, hash, digest(hash, msg), &rsa.PSSOptions{SaltLength: hash.Size()})
	return sig, fault.Wrap(err, fault.Internal, "signing-failed", "sign with an RSA key")
}
