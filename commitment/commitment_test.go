package commitment

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ago/fault"
	"ago/message"
)

// wallet is test data; its address is in the name of what uses it.
func wallet(t testing.TB) *Key {
	t.Helper()
	k, err := NewAgent().Open("testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seeded(t testing.TB, kind KeyType, fill byte) *Key {
	t.Helper()
	k, err := NewAgent().FromSeed(kind, bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signers(t testing.TB) []*Key {
	return []*Key{wallet(t), seeded(t, Ed25519, 1), seeded(t, Ethereum, 2), seeded(t, Solana, 3)}
}

func TestTheTestWalletHasItsAddress(t *testing.T) {
	const want = "tRoMoihXGnJ8CGBWTW6501dOeMl1qz-iPWN_Bw__a7A"
	k := wallet(t)
	if k.Address().String() != want || k.ProcessAddress() != want || len(k.Owner()) != 512 || k.Type() != RSA {
		t.Fatalf("%s, %s", k, k.ProcessAddress())
	}
}

func TestProcessesSeeEthereumKeysByTheirChecksummedAddress(t *testing.T) {
	if got, want := seeded(t, Ethereum, 1).ProcessAddress(), "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	k := seeded(t, Solana, 1)
	if k.ProcessAddress() != k.Address().String() {
		t.Error("other keys are seen by their 43 characters")
	}
	// The examples of the checksum's own specification.
	for _, want := range []string{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"} {
		b, _ := hex.DecodeString(want[2:])
		if got := checksummed(b); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestSignaturesHoldForTheirMessageAndKeyOnly(t *testing.T) {
	for _, k := range signers(t) {
		t.Run(k.Type().String(), func(t *testing.T) {
			msg := []byte("a message")
			sig, err := k.Sign(msg)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifySignature(k.Type(), k.Owner(), msg, sig); err != nil {
				t.Fatal(err)
			}
			if err := VerifySignature(k.Type(), k.Owner(), []byte("another"), sig); fault.KindOf(err) != fault.Forged || fault.HintOf(err) == "" {
				t.Errorf("another message: %v", err)
			}
			for i := 0; i < len(sig); i += 1 + len(sig)/64 {
				bad := bytes.Clone(sig)
				bad[i] ^= 1
				if err := VerifySignature(k.Type(), k.Owner(), msg, bad); fault.KindOf(err) != fault.Forged {
					t.Errorf("byte %d changed: %v", i, err)
				}
			}
			if err := VerifySignature(k.Type(), k.Owner()[1:], msg, sig); fault.CodeOf(err) != "owner-malformed" || fault.HintOf(err) == "" {
				t.Errorf("a short owner: %v", err)
			}
			if err := VerifySignature(k.Type(), k.Owner(), msg, sig[1:]); fault.KindOf(err) != fault.Forged {
				t.Errorf("a short signature: %v", err)
			}
		})
	}
	if err := VerifySignature(99, nil, nil, nil); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("an unknown type: %v", err)
	}
	if err := VerifySignature(RSA, make([]byte, 512), []byte("m"), make([]byte, 512)); fault.CodeOf(err) != "owner-malformed" {
		t.Errorf("no signature at all: %v", err)
	}
}

func TestDeterministicSignaturesRepeat(t *testing.T) {
	for _, k := range signers(t) {
		t.Run(k.Type().String(), func(t *testing.T) {
			sign := func(msg, salt string) string {
				sig, err := k.SignDeterministic([]byte(msg), []byte(salt))
				if err != nil {
					t.Fatal(err)
				}
				if err := VerifySignature(k.Type(), k.Owner(), []byte(msg), sig); err != nil {
					t.Fatal(err)
				}
				return string(sig)
			}
			first := sign("m", "slot 1")
			if sign("m", "slot 1") != first {
				t.Error("the same input gives another signature")
			}
			if sign("n", "slot 1") == first {
				t.Error("another message gives the same signature")
			}
			if k.Type() == RSA && sign("m", "slot 2") == first {
				t.Error("another salt gives the same signature")
			}
		})
	}
}

// A signature made here on one release of the language must come out the same on the next: pushed items are named by it.
func TestDeterministicRSASignaturesOutliveToolchains(t *testing.T) {
	k := wallet(t)
	for _, c := range []struct{ name, want string }{{"sha-256", "FnZ4TqygOvQvps_m8IrUQcqVCGHr5tPjRP2WCgxyZ2s"}, {"sha-512", "Ah91d1W314QulsqjFW084IE9v9RLN7Lr7lFkWQiOIzM"}} {
		var sig []byte
		var err error
		if c.name == "sha-256" {
			sig, err = k.SignDeterministic([]byte("m"), []byte("s"))
		} else {
			sig, err = k.SignPSS512([]byte("m"), []byte("s"))
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := message.HashOf(sig).String(); got != c.want {
			t.Errorf("%s: the signature hashes to %s, want %s", c.name, got, c.want)
		}
	}
}

func TestFreshSaltsDiffer(t *testing.T) {
	k := wallet(t)
	a, _ := k.Sign([]byte("m"))
	b, _ := k.Sign([]byte("m"))
	if bytes.Equal(a, b) {
		t.Error("two RSA signatures are equal")
	}
}

func TestPSS512IsAnotherScheme(t *testing.T) {
	k := wallet(t)
	sig, err := k.SignPSS512([]byte("m"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyPSS(crypto.SHA512, k.Owner(), []byte("m"), sig); err != nil {
		t.Error(err)
	}
	if err := VerifyPSS(crypto.SHA256, k.Owner(), []byte("m"), sig); fault.KindOf(err) != fault.Forged {
		t.Errorf("verified as SHA-256: %v", err)
	}
	if _, err := seeded(t, Ed25519, 1).SignPSS512([]byte("m"), nil); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("an Ed25519 key: %v", err)
	}
}

func TestOneMessageHasOneEthereumSignature(t *testing.T) {
	k := seeded(t, Ethereum, 5)
	sig, err := k.Sign([]byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	order, _ := hex.DecodeString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	high := bytes.Clone(sig)
	borrow := 0
	for i := 31; i >= 0; i-- { // n - s
		d := int(order[i]) - int(sig[32+i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		high[32+i] = byte(d)
	}
	high[64] = 27 + 28 - sig[64]
	for v := range 256 {
		for name, base := range map[string][]byte{"lower": sig, "upper": high} {
			c := bytes.Clone(base)
			c[64] = byte(v)
			if err := VerifySignature(Ethereum, k.Owner(), []byte("m"), c); (err == nil) != bytes.Equal(c, sig) {
				t.Errorf("%s half with v %d: %v", name, v, err)
			}
		}
	}
}

func TestSolanaSignaturesOfTheBytesHoldToo(t *testing.T) {
	raw := seeded(t, Ed25519, 9)
	sig, err := raw.Sign([]byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifySignature(Solana, raw.Owner(), []byte("m"), sig); err != nil {
		t.Error(err)
	}
}

func TestAptosSignaturesCoverTheShownText(t *testing.T) {
	k := seeded(t, Ed25519, 4)
	sig, err := k.Sign([]byte("APTOS\nmessage: 6d\nnonce: bundlr"))
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifySignature(Aptos, k.Owner(), []byte("m"), sig); err != nil {
		t.Error(err)
	}
	if err := VerifySignature(Aptos, k.Owner(), []byte("n"), sig); fault.KindOf(err) != fault.Forged {
		t.Errorf("another message: %v", err)
	}
}

func TestMultiAptosNeedsItsThresholdAndNothingElse(t *testing.T) {
	owner, full := make([]byte, MultiAptos.OwnerSize()), make([]byte, MultiAptos.SignatureSize())
	owner[len(owner)-1] = 2
	for i := range 3 {
		k := seeded(t, Ed25519, byte(10+i))
		copy(owner[i*32:], k.Owner())
		sig, err := k.Sign([]byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		copy(full[i*64:], sig)
	}
	with := func(bits byte, keep ...int) []byte {
		sig := make([]byte, len(full))
		for _, i := range keep {
			copy(sig[i*64:(i+1)*64], full[i*64:])
		}
		sig[2048] = bits
		return sig
	}
	for _, c := range []struct {
		name string
		sig  []byte
		ok   bool
	}{
		{"two of three", with(0b101<<5, 0, 2), true},
		{"all three", with(0b111<<5, 0, 1, 2), true},
		{"one is too few", with(0b100<<5, 0), false},
		{"none", with(0), false},
		{"one not in the bitmap", with(0b101<<5, 0, 1, 2), false},
		{"one in the bitmap is missing", with(0b111<<5, 0, 1), false},
		{"one in another's place", with(0b11<<6, 0, 2), false},
	} {
		if err := VerifySignature(MultiAptos, owner, []byte("m"), c.sig); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestWalletsRoundTripAndStayPrivate(t *testing.T) {
	for _, k := range signers(t) {
		t.Run(k.Type().String(), func(t *testing.T) {
			text, err := NewAgent().MarshalJWK(k)
			if err != nil {
				t.Fatal(err)
			}
			a := NewAgent()
			back, err := a.LoadJWK(text)
			if err != nil {
				t.Fatal(err)
			}
			if back.Address() != k.Address() || back.Type() != k.Type() {
				t.Errorf("%s came back as %s", k, back)
			}
			if got, ok := a.Key(k.Address()); !ok || got != back || len(a.Keys()) != 1 {
				t.Error("the agent does not hold the key")
			}
			var j struct{ D string }
			if err := json.Unmarshal(text, &j); err != nil {
				t.Fatal(err)
			}
			d, _ := base64.RawURLEncoding.DecodeString(j.D)
			printed := fmt.Sprintf("%v %+v %#v %s %x", k, k, k, k, k)
			//lint:ignore SA9005 that nothing of a key can be encoded is what is tested
			if asJSON, err := json.Marshal(k); err == nil {
				printed += string(asJSON)
			}
			for _, secret := range []string{j.D, string(d), hex.EncodeToString(d), fmt.Sprint(d)} {
				if strings.Contains(printed, secret) {
					t.Error("the private half is printed")
				}
			}
		})
	}
}

func TestWalletFilesAreNewAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wallet.json")
	a := NewAgent()
	k, err := a.Create(path, Ed25519, bytes.NewReader(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	back, err := NewAgent().Open(path)
	if err != nil || back.Address() != k.Address() {
		t.Fatalf("%v, %v", back, err)
	}
	if _, err := a.Create(path, Ed25519, nil); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a wallet is overwritten: %v", err)
	}
	if _, err := a.Open(path + "x"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a missing wallet: %v", err)
	}
}

func TestWrongWalletsAreRefused(t *testing.T) {
	good, err := os.ReadFile("testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	change := func(name, value string) string {
		var m map[string]string
		if err := json.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		m[name] = value
		b, _ := json.Marshal(m)
		return string(b)
	}
	for name, text := range map[string]string{
		"nothing": "", "not JSON": "{", "no type": "{}", "another curve": `{"kty":"EC","crv":"P-256","d":"AA"}`,
		"no primes": change("p", ""), "other primes": change("p", "_w"), "another exponent": change("e", "Aw"),
		"another secret": change("d", "Aw"), "not base64": change("n", "!"), "short secret": `{"kty":"OKP","crv":"Ed25519","d":"AAAA"}`,
		"another public half": `{"kty":"OKP","crv":"Ed25519","d":"` + strings.Repeat("A", 43) + `","x":"` + strings.Repeat("A", 43) + `"}`,
		"a zero secret":       `{"kty":"EC","crv":"secp256k1","d":"AA"}`, "a short array": "[1,2]", "halves apart": "[" + strings.Repeat("0,", 63) + "0]",
	} {
		if k, err := NewAgent().LoadJWK([]byte(text)); fault.KindOf(err) != fault.Malformed && fault.KindOf(err) != fault.Unsupported {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
}

// counted is a codec whose messages hold when their bytes say so.
var counted atomic.Int64

func init() {
	Register("counted@1.0", func(m message.Message) (Signer, error) {
		counted.Add(1)
		switch string(m.Raw()) {
		case "good":
			return Signer{Type: Ed25519, Owner: make([]byte, 32)}, nil
		case "panic":
			panic("a scheme failed")
		}
		return Signer{}, errors.New("does not hold")
	})
}

func TestAVerifierChecksEachMessageOnce(t *testing.T) {
	good := message.New().Decoded(message.HashOf([]byte("s")), "counted@1.0", []byte("good"), nil)
	bad := message.New().Decoded(good.ID(), "counted@1.0", []byte("other bytes"), nil)
	v := NewVerifier(100)
	before := counted.Load()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := v.Verify(good); err != nil || got.ID() != good.ID() || got.Signer().Type != Ed25519 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	all.Wait()
	if n := counted.Load() - before; n != 1 {
		t.Errorf("%d checks of one message", n)
	}
	for range 2 {
		if _, err := v.Verify(bad); err == nil {
			t.Error("other bytes hold under the same id")
		}
	}
	if n := counted.Load() - before; n != 3 {
		t.Errorf("%d checks, a failure must not be remembered", n)
	}
	if _, err := v.Verify(message.New()); fault.CodeOf(err) != "not-signed" {
		t.Errorf("an unsigned message: %v", err)
	}
}

func TestAVerifierForgetsTheOldest(t *testing.T) {
	v := NewVerifier(10)
	first := identity{id: message.HashOf([]byte("first"))}
	v.remember(first, Signer{})
	for i := range 1000 {
		v.remember(identity{id: message.HashOf(fmt.Append(nil, i))}, Signer{})
		if i%4 == 0 {
			if _, ok := v.recall(first); !ok {
				t.Fatal("what is asked for is forgotten")
			}
		}
		if n := len(v.young) + len(v.old); n > 10 {
			t.Fatalf("%d entries", n)
		}
	}
}

func TestAPanickingSchemeLeavesNobodyWaiting(t *testing.T) {
	m := message.New().Decoded(message.HashOf([]byte("p")), "counted@1.0", []byte("panic"), nil)
	v := NewVerifier(10)
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was hidden")
				}
			}()
			_, _ = v.Verify(m)
		}()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestSeedsMakeTheSameKeysEveryTime(t *testing.T) {
	kinds := []KeyType{Ed25519, Ethereum, Solana}
	if os.Getenv("AGO_LONG") != "" { // seconds to find the primes
		kinds = append(kinds, RSA)
	}
	for _, kind := range kinds {
		a, err := NewAgent().Generate(kind, rand.NewChaCha8([32]byte{}))
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewAgent().Generate(kind, rand.NewChaCha8([32]byte{}))
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewAgent().Generate(kind, rand.NewChaCha8([32]byte{1}))
		if err != nil {
			t.Fatal(err)
		}
		if a.Address() != b.Address() || a.Address() == c.Address() {
			t.Errorf("%s: %s, %s and %s", kind, a, b, c)
		}
		sig, err := a.Sign([]byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifySignature(kind, b.Owner(), []byte("m"), sig); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := NewAgent().Generate(RSA, strings.NewReader("short")); err == nil {
		t.Error("a key was made of too few bytes")
	}
	if p, err := prime(zeros{}, 2); fault.CodeOf(err) != "randomness-failed" {
		t.Errorf("a prime was made of zeros: %v, %v", p, err)
	}
	if _, err := NewAgent().Generate(MultiAptos, nil); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("a key of a type that only verifies: %v", err)
	}
	if k, err := NewAgent().Generate(Ed25519, nil); err != nil || len(k.Owner()) != 32 {
		t.Errorf("from the system's randomness: %v, %v", k, err)
	}
}

func TestKeyTypesHaveNames(t *testing.T) {
	for _, k := range KeyTypes() {
		if back, err := ParseKeyType(k.String()); err != nil || back != k {
			t.Errorf("%s is read as %s, %v", k, back, err)
		}
	}
	if _, err := ParseKeyType("dsa"); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("dsa: %v", err)
	}
	if s := KeyType(101).String(); s != "101" || KeyType(101).SignatureSize() != 0 {
		t.Errorf("an unknown type is %s", s)
	}
}

func FuzzLoadJWK(f *testing.F) {
	f.Add([]byte(`{"kty":"OKP","crv":"Ed25519","d":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}`))
	f.Add([]byte(`{"kty":"EC","crv":"secp256k1","d":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}`))
	f.Add([]byte(`[1,2,3]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a := NewAgent()
		k, err := a.LoadJWK(text)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Malformed && kind != fault.Unsupported {
				t.Fatalf("kind %s: %v", kind, err)
			}
			return
		}
		text, err = a.MarshalJWK(k)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := NewAgent().LoadJWK(text); err != nil || back.Address() != k.Address() || back.Type() != k.Type() {
			t.Fatalf("%v came back as %v, %v", k, back, err)
		}
	})
}

func FuzzVerifySignature(f *testing.F) {
	for _, k := range signers(f) {
		sig, err := k.SignDeterministic([]byte("what was signed: no mutation of the other text finds this"), nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(k.Type()), k.Owner(), []byte("another"), sig)
	}
	f.Fuzz(func(t *testing.T, kind uint16, owner, msg, sig []byte) {
		if KeyType(kind) == MultiAptos { // anybody may own no key at all, or a weak one
			return
		}
		if err := VerifySignature(KeyType(kind), owner, msg, sig); err == nil {
			t.Fatal("a signature nobody made holds")
		}
	})
}
