package commitment

import (
	"crypto/sha256"
	"sync"

	"ago/fault"
	"ago/message"
)

// Signer is who vouches for a message.
type Signer struct {
	Type  KeyType
	Owner []byte // the public key; must not be changed
}

// Address is the gateway style name.
func (s Signer) Address() message.ID { return AddressOf(s.Owner) }

// ProcessAddress is the name a process sees.
func (s Signer) ProcessAddress() string { return ProcessAddress(s.Owner) }

// Verified is a message whose signature was checked. Verify is the only way to obtain one, so whatever takes a Verified need
// not ask again. The zero Verified holds nothing.
type Verified struct {
	message message.Message
	signer  Signer
}

// Message is what was signed.
func (v Verified) Message() message.Message { return v.message }

// Signer is who signed it.
func (v Verified) Signer() Signer { return v.signer }

// ID is the message's id: that of the commitments of all who signed.
func (v Verified) ID() message.ID {
	if id := v.message.ID(); !id.IsZero() {
		return id
	}
	return v.message.SignedID()
}

// schemes maps a codec's name to its check. Codecs register when their package is loaded.
var schemes = struct {
	sync.RWMutex
	by map[string]func(message.Message) (Signer, error)
}{by: map[string]func(message.Message) (Signer, error){}}

// Register brings the signature scheme of a codec: a function that checks a message the codec decoded and says who signed.
// It panics if the codec already has one.
func Register(codec string, verify func(message.Message) (Signer, error)) {
	schemes.Lock()
	defer schemes.Unlock()
	if _, ok := schemes.by[codec]; ok {
		panic("commitment: two schemes for " + codec)
	}
	schemes.by[codec] = verify
}

// Verify checks a message by the scheme of the codec that decoded it, and one that was part of another by its commitments, all
// of which must hold; its signer is then the first in the order of their ids. It fails with Forged for a signature that does
// not hold, and with Unsupported ("not-signed") for a message that nobody has signed.
func Verify(m message.Message) (Verified, error) {
	if m.Codec() == "" && m.Commitments().Len() > 0 {
		signers, err := VerifyEntries(m)
		if err != nil {
			return Verified{}, err
		}
		if len(signers) > 0 {
			return Verified{message: m, signer: signers[0]}, nil
		}
	}
	schemes.RLock()
	verify := schemes.by[m.Codec()]
	schemes.RUnlock()
	if verify == nil {
		if m.Codec() == "" {
			return Verified{}, fault.New(fault.Unsupported, "not-signed", "the message carries no signature").
				WithHint("send it as a signed item or a signed request")
		}
		return Verified{}, fault.New(fault.Unsupported, "not-signed", "messages in %s carry no signature that is known here", m.Codec())
	}
	s, err := verify(m)
	if err != nil {
		return Verified{}, err
	}
	return Verified{message: m, signer: s}, nil
}

// Verifier verifies each message once: it remembers those that held, and lets callers that come with the same message at the
// same time wait for one check. It is safe for concurrent use.
type Verifier struct {
	mu       sync.Mutex
	young    map[identity]Signer
	old      map[identity]Signer
	checking map[identity]*check
	half     int
}

// identity is the id with the hash of the bytes: the id is the hash of a signature, so other bytes may come with the same id.
type identity struct {
	id    message.ID
	bytes [sha256.Size]byte
}

type check struct {
	done   chan struct{}
	signer Signer
	err    error
}

// NewVerifier remembers up to that many messages, the most recently asked for at least half of it.
func NewVerifier(entries int) *Verifier {
	return &Verifier{young: map[identity]Signer{}, old: map[identity]Signer{}, checking: map[identity]*check{}, half: max(1, entries/2)}
}

// Verify is Verify with a memory. Failures are not remembered.
func (v *Verifier) Verify(m message.Message) (Verified, error) {
	if m.Raw() == nil {
		return Verify(m) // nothing that tells two messages with one id apart
	}
	key := identity{m.ID(), sha256.Sum256(m.Raw())}
	v.mu.Lock()
	if s, ok := v.recall(key); ok {
		v.mu.Unlock()
		return Verified{message: m, signer: s}, nil
	}
	if c, ok := v.checking[key]; ok {
		v.mu.Unlock()
		<-c.done
		if c.err != nil {
			return Verified{}, c.err
		}
		return Verified{message: m, signer: c.signer}, nil
	}
	c := &check{done: make(chan struct{}), err: fault.New(fault.Internal, "verification-failed", "the check did not finish")}
	v.checking[key] = c
	v.mu.Unlock()
	defer func() { // also when a scheme panics: nobody may wait for ever
		v.mu.Lock()
		delete(v.checking, key)
		if c.err == nil {
			v.remember(key, c.signer)
		}
		v.mu.Unlock()
		close(c.done)
	}()
	got, err := Verify(m)
	c.signer, c.err = got.signer, err
	return got, err
}

// recall moves what was found to the young half: two generations are a least-recently-used order that costs nothing to keep.
func (v *Verifier) recall(key identity) (Signer, bool) {
	if s, ok := v.young[key]; ok {
		return s, true
	}
	s, ok := v.old[key]
	if ok {
		v.remember(key, s)
	}
	return s, ok
}

func (v *Verifier) remember(key identity, s Signer) {
	if len(v.young) >= v.half {
		v.old, v.young = v.young, make(map[identity]Signer, v.half)
	}
	v.young[key] = s
}
