package tx

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/codec/json"
	"ago/commitment"
	"ago/fault"
	"ago/message"

	"pgregory.net/rapid"
)

// transactions draws what wallets may sign: fields that are there and not, tags that look like fields, that come again, or that
// say how to read the rest.
func transactions() *rapid.Generator[*arweave.Transaction] {
	names := rapid.SampledFrom([]string{"a", "b", "B", "data", "Data", "body", "target", "anchor", "quantity", "format", "data_root", "Type", "priv-x", "ao-data-key", "ao-types", "Bundle-Format"})
	values := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", `"1", "2"`, "7", "1", "body", `a="integer"`, "quantity=integer", strings.Repeat("long", 700), message.HashOf(nil).String()}))
	tag := rapid.Custom(func(t *rapid.T) arweave.Tag {
		return arweave.Tag{Name: names.Draw(t, "name"), Value: values.Draw(t, "value")}
	})
	return rapid.Custom(func(t *rapid.T) *arweave.Transaction {
		tx := &arweave.Transaction{Format: rapid.IntRange(1, 2).Draw(t, "format"), Tags: rapid.SliceOfN(tag, 0, 6).Draw(t, "tags")}
		amounts := rapid.SampledFrom([]string{"0", "1", "12345678901234567890"})
		tx.Quantity, tx.Reward = amounts.Draw(t, "quantity"), amounts.Draw(t, "reward")
		if n := rapid.SampledFrom([]int{0, 32, 48}).Draw(t, "anchor"); n > 0 {
			tx.LastTx = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "anchor bytes")
		}
		if tx.HasTarget = rapid.Bool().Draw(t, "has target"); tx.HasTarget {
			tx.Target = message.HashOf([]byte("target"))
		}
		if data := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "data"); len(data) > 0 {
			tx.SetData(data)
			if tx.Format == 2 && rapid.IntRange(0, 3).Draw(t, "data is elsewhere") == 0 {
				tx.Data = nil
			}
		}
		return tx
	})
}

// carried gives the message of a transaction with its commitment, as it is once it left its encoding.
func carried(tx *arweave.Transaction) (message.Message, string) {
	id, entry := Commitment(tx)
	return MessageOf(tx).With(message.KeyCommitments, message.New(message.Field{Key: id.String(), Value: entry})), id.String()
}

func TestTransactionsComeBackFromTheirMessages(t *testing.T) {
	key := wallet(t)
	rapid.Check(t, func(t *rapid.T) {
		tx := transactions().Draw(t, "transaction")
		isSigned := rapid.Bool().Draw(t, "signed")
		if isSigned {
			if err := Sign(tx, key); err != nil {
				t.Fatal(err)
			}
		}
		m, _ := carried(tx)
		back, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.SignatureData(), tx.SignatureData()) || !slices.Equal(back.Tags, tx.Tags) || !bytes.Equal(back.Data, tx.Data) ||
			back.ID != tx.ID || back.DataSize != tx.DataSize && tx.Format == 2 {
			t.Fatalf("came back as %+v, want %+v", back, tx)
		}
		signers, err := commitment.VerifyEntries(m)
		if err != nil || isSigned != (len(signers) == 1) || isSigned && signers[0].Address() != key.Address() {
			t.Fatalf("signed by %v, %v", signers, err)
		}
		keys := Committed(tx)
		if len(keys) == 0 {
			return
		}
		changed := rapid.SampledFrom(keys).Draw(t, "changed")
		other := m.With(changed, message.Bytes("something else")).With(message.KeyCommitments, m.Commitments())
		if _, err := commitment.VerifyEntries(other); err == nil {
			t.Fatalf("%q changed and the commitment holds", changed)
		}
	})
}

func TestCommitmentsHoldInOtherEncodings(t *testing.T) {
	key := wallet(t)
	m, err := Commit(message.New(
		message.Field{Key: "data", Value: message.Bytes("hello")}, message.Field{Key: "quantity", Value: message.Int(12)},
		message.Field{Key: "target", Value: message.Bytes(message.HashOf(nil).String())},
		message.Field{Key: "nested", Value: message.New(message.Field{Key: "a", Value: message.Int(1)})}), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = json.Decode(text); err != nil {
		t.Fatal(err)
	}
	signers, err := commitment.VerifyEntries(m)
	if err != nil || len(signers) != 1 || signers[0].Address() != key.Address() {
		t.Fatalf("signed by %v, %v", signers, err)
	}
	back, err := Encode(m)
	if err != nil || back.Quantity != "12" || !back.HasTarget || Verify(back) != nil {
		t.Fatalf("%+v, %v", back, err)
	}
	all := m.Commitments()
	for _, changed := range []string{"data", "nested"} {
		other := m.With(changed, message.Bytes("something else")).With(message.KeyCommitments, all)
		if _, err := commitment.VerifyEntries(other); fault.KindOf(err) != fault.Malformed && fault.KindOf(err) != fault.Forged {
			t.Errorf("another %s: %v", changed, err)
		}
	}
	for id, entry := range all.All() {
		renamed := m.With(message.KeyCommitments, message.New(message.Field{Key: message.HashOf([]byte(id)).String(), Value: entry}))
		if _, err := commitment.VerifyEntries(renamed); fault.CodeOf(err) != "commitment-malformed" {
			t.Errorf("another id: %v", err)
		}
	}
	unsigned, err := Commit(m.Without("data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if signers, err := commitment.VerifyEntries(unsigned); err != nil || len(signers) != 0 {
		t.Errorf("an unsigned transaction is signed by %v, %v", signers, err)
	}
}

func TestMessagesBecomeTransactionsAndComeBack(t *testing.T) {
	id := message.HashOf([]byte("x")).String()
	value := rapid.OneOf(
		rapid.Map(rapid.StringN(1, 20, -1), func(s string) message.Value { return message.Bytes(s) }),
		rapid.SampledFrom([]message.Value{message.Bytes(id), message.Bytes(strings.Repeat("A", 64)), message.Bytes("1"), message.Bytes("0"), message.Bytes("012"),
			message.Bytes(strings.Repeat("long", 1000)), message.BigInt("123456789012345678901"), message.Atom("true"), message.Int(1), message.Float(0.5),
			message.List{message.Int(1), message.Bytes("x")}, message.New(message.Field{Key: "inner", Value: message.Int(3)})}))
	key := rapid.SampledFrom([]string{"a", "b", "data", "body", "target", "anchor", "quantity", "reward", "format", "data_root", "data_size", "action"})
	rapid.Check(t, func(t *rapid.T) {
		m := message.New(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) message.Field {
			return message.Field{Key: key.Draw(t, "key"), Value: value.Draw(t, "value")}
		}), 0, 6).Draw(t, "fields")...)
		tx, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(tx.JSON())
		if err != nil {
			t.Fatal(err)
		}
		if !message.Equal(back, m) {
			t.Fatalf("came back lacking %+v", message.Diff(back, m))
		}
		again, err := Encode(back)
		if err != nil || again.UnsignedID() != tx.UnsignedID() {
			t.Fatalf("the message that came back is another transaction, %v", err)
		}
	})
}

func TestFieldsOfTheHeaderAreThoseOfTheMessage(t *testing.T) {
	text := func(k, v string) message.Field { return message.Field{Key: k, Value: message.Bytes(v)} }
	target := message.HashOf([]byte("x"))
	tx, err := DraftOf(message.New(text("target", target.String()), text("anchor", strings.Repeat("A", 64)), text("quantity", "10"), text("reward", "20"),
		text("format", "1"), text("data", "d"), text("action", "x")))
	if err != nil {
		t.Fatal(err)
	}
	if tx.Format != 1 || tx.Target != target || len(tx.LastTx) != 48 || tx.Quantity != "10" || tx.Reward != "20" || string(tx.Data) != "d" || len(tx.Tags) != 1 {
		t.Errorf("%+v", tx)
	}
	tx, err = DraftOf(message.New(text("target", "x"), text("quantity", "0"), text("format", "2"), text("data_root", target.String())))
	if err != nil || len(tx.Tags) != 4 || tx.HasTarget || tx.DataSize != 0 {
		t.Errorf("%+v, %v", tx, err)
	}
	if wrapped := Wrap([]byte("bytes")); wrapped.DataSize != 5 || !slices.Equal(wrapped.Tags, []ans104.Tag{{Name: "ao-type", Value: "binary"}}) {
		t.Errorf("%+v", wrapped)
	}
}

func TestCommitmentsThatDoNotTellHowAreRefused(t *testing.T) {
	tx := &arweave.Transaction{Format: 2, Quantity: "0", Reward: "5", LastTx: make([]byte, 32), Tags: []arweave.Tag{{Name: "a", Value: "b"}}}
	tx.SetData([]byte("data"))
	if err := Sign(tx, wallet(t)); err != nil {
		t.Fatal(err)
	}
	m, id := carried(tx)
	v, _ := m.Commitments().Get(id)
	c := v.(message.Message)
	for name, bad := range map[string]message.Message{
		"signature": c.With("signature", message.Bytes("!")), "no signature": c.Without("signature"), "keyid": c.With("keyid", message.Bytes("x")),
		"committed": c.With("committed", message.List{message.Bytes("nothing")}), "reward": c.With("field-reward", message.Bytes("05")),
		"anchor": c.With("field-anchor", message.Bytes("AAAA")), "another field": c.With("field-owner", message.Bytes("x")),
		"size": c.With("field-data_size", message.Bytes("-1")), "tags": c.With("original-tags", message.Bytes("x")),
	} {
		if _, err := FromCommitment(m, id, bad); fault.CodeOf(err) != "commitment-malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FromCommitment(m, id, c.With("type", message.Bytes("dsa"))); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("another type: %v", err)
	}
	if _, err := FromCommitment(m.With("a", message.Bytes(strings.Repeat("x", 2000))), id, c.With("original-tags", message.New(message.Field{Key: "1", Value: message.New(
		message.Field{Key: "name", Value: message.Bytes(strings.Repeat("n", 2000))})}))); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("a long name: %v", err)
	}
	two := m.With(message.KeyCommitments, m.Commitments().With(message.HashOf(nil).String(), c))
	if _, err := Encode(two); fault.CodeOf(err) != "multiple-commitments-unsupported" {
		t.Errorf("two commitments: %v", err)
	}
}

func FuzzFromCommitment(f *testing.F) {
	for _, v := range vectors(f) {
		m, err := Decode(v)
		if err != nil {
			f.Fatal(err)
		}
		tx, _ := TransactionOf(m)
		carried, _ := carried(tx)
		text, err := json.Encode(carried)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := json.Decode(text)
		if err != nil {
			return
		}
		tx, err := Encode(m)
		if err != nil {
			return
		}
		if _, err := Decode(tx.JSON()); err != nil {
			t.Fatalf("a transaction was made that cannot be read: %v", err)
		}
	})
}
