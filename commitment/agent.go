package commitment

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"math/big"
	"os"
	"slices"
	"sync"

	"ago/fault"
	"ago/message"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// rsaBits is the size of RSA keys: owners and signatures have 512 bytes on the wire.
const rsaBits = 4096

// candidatesMax is 30 times the odd numbers of 2048 bits that hold a prime on average.
const candidatesMax = 20000

// walletSizeMax is far above any wallet file; a wrong path must not fill the memory.
const walletSizeMax = 64 << 10

// Agent is the only holder of private keys. It hands out handles that sign. It is safe for concurrent use.
type Agent struct {
	mu   sync.RWMutex
	keys map[message.ID]*Key
}

// NewAgent holds no key.
func NewAgent() *Agent { return &Agent{keys: map[message.ID]*Key{}} }

// Key finds a key by its address.
func (a *Agent) Key(address message.ID) (*Key, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	k, ok := a.keys[address]
	return k, ok
}

// Keys lists the keys by address.
func (a *Agent) Keys() []*Key {
	a.mu.RLock()
	defer a.mu.RUnlock()
	keys := make([]*Key, 0, len(a.keys))
	for _, k := range a.keys {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y *Key) int { return cmp.Compare(x.address.String(), y.address.String()) })
	return keys
}

// Generate makes a key of type RSA, Ed25519, Ethereum or Solana. With random nil the system's randomness is used; from any
// other reader the same bytes give the same key.
func (a *Agent) Generate(kind KeyType, random io.Reader) (*Key, error) {
	k, err := generate(kind, random)
	if err != nil {
		return nil, err
	}
	return a.add(k), nil
}

// FromSeed makes the Ed25519, Ethereum or Solana key of 32 secret bytes.
func (a *Agent) FromSeed(kind KeyType, seed []byte) (*Key, error) {
	k, err := fromSeed(kind, seed)
	if err != nil {
		return nil, err
	}
	return a.add(k), nil
}

// Create makes a key and writes it to a new file that only its owner can read. An existing file is a Conflict.
func (a *Agent) Create(path string, kind KeyType, random io.Reader) (*Key, error) {
	k, err := generate(kind, random)
	if err != nil {
		return nil, err
	}
	text, err := a.MarshalJWK(k)
	if err != nil {
		return nil, err
	}
	if err := writeNew(path, text); err != nil {
		return nil, err
	}
	return a.add(k), nil
}

// Open reads the wallet file of a key.
func (a *Agent) Open(path string) (*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		kind := fault.Internal
		if os.IsNotExist(err) {
			kind = fault.NotFound
		}
		return nil, fault.Wrap(err, kind, "wallet-unreadable", "open the wallet")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, walletSizeMax+1))
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "wallet-unreadable", "read the wallet %s", path)
	}
	if len(text) > walletSizeMax {
		return nil, fault.New(fault.TooLarge, "wallet-too-large", "%s is too large for a wallet", path)
	}
	k, err := a.LoadJWK(text)
	return k, fault.Wrap(err, fault.KindOf(err), "wallet-malformed", "wallet %s", path)
}

func writeNew(path string, text []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		if os.IsExist(err) {
			return fault.New(fault.Conflict, "wallet-exists", "%s exists", path).WithHint("open it, or choose another path")
		}
		return fault.Wrap(err, fault.Internal, "wallet-unwritable", "create the wallet")
	}
	defer func() {
		if e := f.Close(); err == nil && e != nil {
			err = fault.Wrap(e, fault.Internal, "wallet-unwritable", "close the wallet %s", path)
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	if _, err := f.Write(text); err != nil {
		return fault.Wrap(err, fault.Internal, "wallet-unwritable", "write the wallet %s", path)
	}
	return fault.Wrap(f.Sync(), fault.Internal, "wallet-unwritable", "sync the wallet %s", path)
}

func (a *Agent) add(k *Key) *Key {
	a.mu.Lock()
	defer a.mu.Unlock()
	if have, ok := a.keys[k.address]; ok && have.kind == k.kind {
		return have
	}
	a.keys[k.address] = k
	return k
}

func newKey(kind KeyType, owner []byte, secret any) *Key {
	return &Key{kind: kind, owner: owner, address: AddressOf(owner), process: ProcessAddress(owner), secret: secret}
}

func generate(kind KeyType, random io.Reader) (*Key, error) {
	if kind != RSA {
		if random == nil {
			random = rand.Reader
		}
		seed := make([]byte, ed25519.SeedSize)
		if _, err := io.ReadFull(random, seed); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "randomness-failed", "read a seed")
		}
		return fromSeed(kind, seed)
	}
	key, err := rsaKey(random)
	if err != nil {
		return nil, err
	}
	return rsaHandle(key)
}

func fromSeed(kind KeyType, seed []byte) (*Key, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fault.New(fault.Malformed, "key-malformed", "a secret key has %d bytes, this has %d", ed25519.SeedSize, len(seed))
	}
	switch kind {
	case Ed25519, Solana:
		key := ed25519.NewKeyFromSeed(seed)
		return newKey(kind, key.Public().(ed25519.PublicKey), key), nil
	case Ethereum:
		var d secp256k1.ModNScalar
		if d.SetByteSlice(seed) || d.IsZero() {
			return nil, fault.New(fault.Malformed, "key-malformed", "the secret is not below the group order")
		}
		key := secp256k1.NewPrivateKey(&d)
		return newKey(kind, key.PubKey().SerializeUncompressed(), key), nil
	}
	return nil, fault.New(fault.Unsupported, "key-type-unsupported", "keys of type %s cannot be made from 32 bytes", kind).
		WithHint("use ed25519, ethereum or solana")
}

// rsaHandle refuses what does not fit the 512 bytes of the wire.
func rsaHandle(key *rsa.PrivateKey) (*Key, error) {
	if key.N.BitLen() != rsaBits || key.E != rsaExponent {
		return nil, fault.New(fault.Unsupported, "key-size", "an Arweave key has %d bits and exponent %d, this has %d and %d",
			rsaBits, rsaExponent, key.N.BitLen(), key.E)
	}
	return newKey(RSA, key.N.FillBytes(make([]byte, rsaBits/8)), key), nil
}

// rsaKey draws primes from the reader by hand, since crypto/rsa ignores every reader but its own; seeded networks need
// repeatable wallets. Without a reader it is crypto/rsa's key.
func rsaKey(random io.Reader) (*rsa.PrivateKey, error) {
	if random == nil {
		key, err := rsa.GenerateKey(rand.Reader, rsaBits)
		return key, fault.Wrap(err, fault.Internal, "randomness-failed", "generate an RSA key")
	}
	e, one := big.NewInt(rsaExponent), big.NewInt(1)
	for {
		p, err := prime(random, candidatesMax)
		if err != nil {
			return nil, err
		}
		q, err := prime(random, candidatesMax)
		if err != nil {
			return nil, err
		}
		p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
		d := new(big.Int).ModInverse(e, new(big.Int).Mul(p1, q1))
		if d == nil || p.Cmp(q) == 0 {
			continue
		}
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: rsaExponent}, D: d, Primes: []*big.Int{p, q}}
		key.Precompute()
		if err := key.Validate(); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "key-malformed", "generate an RSA key")
		}
		return key, nil
	}
}

// prime reads numbers with both upper bits set, so that the product of two has all its bits, until one is prime.
func prime(random io.Reader, candidates int) (*big.Int, error) {
	buf, one := make([]byte, rsaBits/16), big.NewInt(1)
	for range candidates {
		if _, err := io.ReadFull(random, buf); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "randomness-failed", "read a prime")
		}
		buf[0] |= 0xc0
		buf[len(buf)-1] |= 1
		p := new(big.Int).SetBytes(buf)
		if new(big.Int).GCD(nil, nil, p, smallPrimes()).Cmp(one) == 0 && p.ProbablyPrime(20) {
			return p, nil
		}
	}
	return nil, fault.New(fault.Internal, "randomness-failed", "%d numbers were read and none is prime: they are not random", candidates)
}

// smallPrimes is the product of the odd primes below 2000: a number that shares none is twice as likely to be prime as one that
// shares none of the few that ProbablyPrime tries.
var smallPrimes = sync.OnceValue(func() *big.Int {
	product := big.NewInt(1)
	for n := int64(3); n < 2000; n += 2 {
		if p := big.NewInt(n); p.ProbablyPrime(0) { // exact for numbers below 2^64
			product.Mul(product, p)
		}
	}
	return product
})
