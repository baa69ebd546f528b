package arweave

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"
)

type transactionVector struct {
	Tx   json.RawMessage
	Data string `json:"signature_data"`
}

func TestTransactionsOfOthersAreReadAndWritten(t *testing.T) {
	var vectors []transactionVector
	load(t, "testdata/transactions.json", &vectors)
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		tx, err := ParseTransaction(v.Tx)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(tx.SignatureData()); got != v.Data {
			t.Errorf("signs %s, want %s", got, v.Data)
		}
		if err := tx.Check(); err != nil {
			t.Error(err)
		}
		var got, want map[string]any
		if json.Unmarshal(tx.JSON(), &got) != nil || json.Unmarshal(v.Tx, &want) != nil {
			t.Fatal("not JSON")
		}
		delete(got, "data_tree") // nodes write it, clients need not
		if !reflect.DeepEqual(got, want) {
			t.Errorf("written as\n%v, want\n%v", got, want)
		}
		again := *tx
		again.SetData(tx.Data)
		if again.DataRoot != tx.DataRoot || again.DataSize != tx.DataSize {
			t.Errorf("root %s of %d bytes, want %s of %d", again.DataRoot, again.DataSize, tx.DataRoot, tx.DataSize)
		}
		again.SetSignature(bytes.Repeat([]byte{1}, 512))
		if again.ID == tx.ID || again.Check() != nil || again.UnsignedID() != tx.UnsignedID() {
			t.Error("another signature makes another id and the same content")
		}
		again.ID = tx.ID
		if fault.CodeOf(again.Check()) != "transaction-id" {
			t.Error("the id of another signature is accepted")
		}
	}
}

func TestChangedDataIsNoticed(t *testing.T) {
	tx := &Transaction{Format: 2}
	tx.SetData([]byte("hello"))
	tx.SetSignature([]byte("s"))
	if err := tx.Check(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"other": "hellO", "longer": "hello!"} {
		bad := *tx
		bad.Data = []byte(data)
		if fault.CodeOf(bad.Check()) != "transaction-data" {
			t.Errorf("%s data is accepted", name)
		}
	}
	tx.Data = nil // the chunks come later
	if err := tx.Check(); err != nil {
		t.Error(err)
	}
}

func TestFormatOneSignsItsPartsOneAfterTheOther(t *testing.T) {
	tx := &Transaction{Format: 1, Owner: []byte("O"), Target: message.ID{1}, HasTarget: true, Data: []byte("D"), Quantity: "3", Reward: "4",
		LastTx: []byte("L"), Tags: []Tag{{"n", "v"}, {"m", "w"}}}
	want := "O\x01" + strings.Repeat("\x00", 31) + "D34Lnvmw"
	if got := string(tx.SignatureData()); got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	back, err := ParseTransaction([]byte(strings.Replace(string(tx.JSON()), `"id":""`, `"id":"`+tx.Target.String()+`"`, 1)))
	if err == nil || fault.CodeOf(err) != "transaction-malformed" {
		t.Errorf("an anchor of one byte is read: %v, %v", back, err)
	}
}

func TestMalformedTransactionsAreRefused(t *testing.T) {
	var vectors []transactionVector
	load(t, "testdata/transactions.json", &vectors)
	for _, c := range []struct {
		name, key string
		value     any
		code      string
	}{
		{"format 3", "format", 3, "transaction-format"},
		{"id", "id", "x", "transaction-malformed"},
		{"padded owner", "owner", "AA==", "transaction-malformed"},
		{"target", "target", "AAAA", "transaction-malformed"},
		{"negative quantity", "quantity", "-1", "transaction-malformed"},
		{"no quantity", "quantity", "", "transaction-malformed"},
		{"leading zero", "reward", "01", "transaction-malformed"},
		{"a huge amount", "reward", strings.Repeat("9", 99), "transaction-malformed"},
		{"size", "data_size", "1e3", "transaction-malformed"},
		{"root", "data_root", "AA", "transaction-malformed"},
		{"anchor", "last_tx", "AAAA", "transaction-malformed"},
		{"tags", "tags", []any{map[string]string{"name": "!"}}, "transaction-malformed"},
		{"tags of another kind", "tags", "x", "transaction-malformed"},
		{"a long name", "tags", []any{map[string]string{"name": strings.Repeat("A", 4000)}}, "transaction-tag-too-large"},
		{"many tags", "tags", make([]map[string]string, TransactionTagsMax+1), "transaction-tags-too-many"},
	} {
		var m map[string]any
		if err := json.Unmarshal(vectors[0].Tx, &m); err != nil {
			t.Fatal(err)
		}
		m[c.key] = c.value
		if _, err := ParseTransaction(mustJSON(m)); fault.CodeOf(err) != c.code || fault.HintOf(err) == "" {
			t.Errorf("%s: %v (%s), want %s", c.name, err, fault.CodeOf(err), c.code)
		}
	}
}

func FuzzParseTransaction(f *testing.F) {
	var vectors []transactionVector
	load(f, "testdata/transactions.json", &vectors)
	for _, v := range vectors {
		f.Add([]byte(v.Tx))
	}
	f.Add([]byte(`{"format":1,"tags":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		tx, err := ParseTransaction(text)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Malformed && k != fault.TooLarge && k != fault.Unsupported {
				t.Fatalf("kind %s: %v", k, err)
			}
			return
		}
		_ = tx.Check()
		back, err := ParseTransaction(tx.JSON())
		if err != nil || !bytes.Equal(back.SignatureData(), tx.SignatureData()) || back.ID != tx.ID {
			t.Fatalf("read back as %+v, %v, want %+v", back, err, tx)
		}
	})
}
