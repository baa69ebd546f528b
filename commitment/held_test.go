package commitment

import (
	"crypto"
	"testing"

	"pgregory.net/rapid"

	"ago/fault"
)

// TestWhatHeldOnceHoldsForItselfAlone: after a signature held, the least change of key, text, signature or kind is checked anew.
func TestWhatHeldOnceHoldsForItselfAlone(t *testing.T) {
	agent := NewAgent()
	ed, err := agent.Generate(Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	rsa, err := agent.Open("testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		msg := rapid.SliceOfN(rapid.Byte(), 1, 4000).Draw(t, "message")
		for _, c := range []struct {
			key    *Key
			sign   func() ([]byte, error)
			verify func(owner, msg, sig []byte) error
			other  func(owner, msg, sig []byte) error
		}{
			{ed, func() ([]byte, error) { return ed.Sign(msg) },
				func(owner, msg, sig []byte) error { return VerifySignature(Ed25519, owner, msg, sig) },
				func(owner, msg, sig []byte) error { return VerifySignature(Aptos, owner, msg, sig) }},
			{rsa, func() ([]byte, error) { return rsa.SignPSS512(msg, nil) },
				func(owner, msg, sig []byte) error { return VerifyPSS(crypto.SHA512, owner, msg, sig) },
				func(owner, msg, sig []byte) error { return VerifyPSS(crypto.SHA256, owner, msg, sig) }},
		} {
			sig, err := c.sign()
			if err != nil {
				t.Fatal(err)
			}
			owner := c.key.Owner()
			for range 2 {
				if err := c.verify(owner, msg, sig); err != nil {
					t.Fatal(err)
				}
			}
			if c.other(owner, msg, sig) == nil {
				t.Error("it holds for another kind of signature")
			}
			at := rapid.IntRange(0, 1<<20).Draw(t, "at")
			changed := func(b []byte) []byte {
				b = append([]byte{}, b...)
				b[at%len(b)] ^= 1 << (at % 8)
				return b
			}
			for what, err := range map[string]error{
				"message": c.verify(owner, changed(msg), sig), "signature": c.verify(owner, msg, changed(sig)), "owner": c.verify(changed(owner), msg, sig),
				"longer message": c.verify(owner, append(append([]byte{}, msg...), 0), sig), "shorter message": c.verify(owner, msg[:len(msg)-1], sig),
			} {
				if err == nil {
					t.Errorf("it holds for another %s", what)
				} else if k := fault.KindOf(err); k != fault.Forged && k != fault.Malformed {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
	})
}

func TestNamesOfSignaturesDiffer(t *testing.T) {
	seen := map[[32]byte]bool{}
	for _, parts := range [][3]string{{"ab", "c", "d"}, {"a", "bc", "d"}, {"ab", "cd", ""}, {"", "", "abcd"}, {"ab", "", "cd"}} {
		for _, scheme := range []uint16{1, 2, schemePSS | uint16(crypto.SHA256)} {
			seen[heldName(scheme, []byte(parts[0]), []byte(parts[2]), []byte(parts[1]))] = true
		}
	}
	if len(seen) != 15 {
		t.Errorf("%d names of 15", len(seen))
	}
	long := make([]byte, 5000)
	if heldName(1, nil, long, nil) == heldName(1, nil, long[:4999], nil) {
		t.Error("the end of a long message does not count")
	}
}
