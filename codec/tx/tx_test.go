package tx

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

func vectors(t testing.TB) []json.RawMessage {
	t.Helper()
	text, err := os.ReadFile("testdata/transactions.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []struct{ Tx json.RawMessage }
	if err := json.Unmarshal(text, &vs); err != nil || len(vs) != 2 {
		t.Fatalf("%d vectors, %v", len(vs), err)
	}
	return []json.RawMessage{vs[0].Tx, vs[1].Tx}
}

func texts(m message.Message) map[string]string {
	out := map[string]string{}
	for k := range m.All() {
		out[k] = m.Text(k)
	}
	return out
}

func TestTransactionsOfWalletsBecomeVerifiedMessages(t *testing.T) {
	anchor := strings.Repeat("AwMD", 16)
	for i, want := range []map[string]string{
		{"anchor": anchor, "reward": "777", "data": "hello", "app-name": `"x", "y"`, "é": "ü"},
		{"anchor": anchor, "reward": "777", "quantity": "12345", "target": "tRoMoihXGnJ8CGBWTW6501dOeMl1qz-iPWN_Bw__a7A"},
	} {
		raw := vectors(t)[i]
		m, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		v, err := commitment.Verify(m)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Signer().Address().String(); got != "tRoMoihXGnJ8CGBWTW6501dOeMl1qz-iPWN_Bw__a7A" {
			t.Errorf("signed by %s", got)
		}
		if got := texts(m); !equal(got, want) {
			t.Errorf("message %v, want %v", got, want)
		}
		tx, _ := TransactionOf(m)
		if keys := Committed(tx); len(keys) != len(want) {
			t.Errorf("committed %q", keys)
		}
		if same := MessageOf(tx); same.ID() != m.ID() || !equal(texts(same), want) {
			t.Error("the transaction gives another message")
		}
	}
}

func equal(a, b map[string]string) bool {
	for k := range a {
		if a[k] != b[k] {
			return false
		}
	}
	return len(a) == len(b)
}

func wallet(t testing.TB) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().Open("../../commitment/testdata/wallet.json")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignedTransactionsVerifyAndChangedOnesDoNot(t *testing.T) {
	sign := func(format int) *arweave.Transaction {
		tx := &arweave.Transaction{Format: format, LastTx: make([]byte, 32), Quantity: "0", Reward: "0", Tags: []arweave.Tag{{Name: "a", Value: "b"}}}
		tx.SetData([]byte("data"))
		if err := Sign(tx, wallet(t)); err != nil {
			t.Fatal(err)
		}
		return tx
	}
	for format := 1; format <= 2; format++ {
		tx := sign(format)
		m, err := Decode(tx.JSON())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := commitment.Verify(m); err != nil {
			t.Fatalf("format %d: %v", format, err)
		}
		if format == 1 != (m.Text("format") == "1") {
			t.Error("only format 1 is named")
		}
		for name, change := range map[string]func(*arweave.Transaction){
			"reward": func(t *arweave.Transaction) { t.Reward = "1" },
			"data":   func(t *arweave.Transaction) { t.Data = []byte("datA") },
			"tag":    func(t *arweave.Transaction) { t.Tags = []arweave.Tag{{Name: "a", Value: "c"}} },
			"target": func(t *arweave.Transaction) { t.HasTarget = true },
			"id":     func(t *arweave.Transaction) { t.ID[0] ^= 1 },
		} {
			bad := *tx
			change(&bad)
			if err := Verify(&bad); fault.KindOf(err) != fault.Forged {
				t.Errorf("format %d, another %s: %v", format, name, err)
			}
		}
		short := *tx
		short.Signature = short.Signature[:65]
		if err := Verify(&short); fault.KindOf(err) != fault.Unsupported {
			t.Errorf("a short signature: %v", err)
		}
	}
	other, err := commitment.NewAgent().FromSeed(commitment.Ed25519, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if err := Sign(sign(2), other); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("another kind of key signs: %v", err)
	}
}

func TestDataThatComesLaterIsNamedByItsRoot(t *testing.T) {
	tx := &arweave.Transaction{Format: 2, Quantity: "0", Reward: "0", Tags: ans104.BundleTags()}
	tx.SetData([]byte("data"))
	tx.Data = nil
	if got, want := Committed(tx), []string{"bundle-format", "bundle-version", "data_root", "data_size"}; !slices.Equal(got, want) {
		t.Errorf("committed %q, want %q", got, want)
	}
	if got := MessageOf(tx); got.Text("data_size") != "4" || got.Text("data_root") != tx.DataRoot.String() {
		t.Errorf("message %v", texts(got))
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode(raw)
		if err != nil {
			return
		}
		tx, ok := TransactionOf(m)
		if !ok {
			t.Fatal("the transaction is not with its message")
		}
		if again := MessageOf(tx); !equal(texts(again), texts(m)) {
			t.Fatal("another message")
		}
	})
}
