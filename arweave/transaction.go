package arweave

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"ago/fault"
	"ago/message"
)

// Limits of a transaction that somebody else made.
const (
	TransactionTagsMax  = 2048 // Arweave allows 2048 bytes of tags
	transactionNameMax  = 1024
	transactionValueMax = 3072
	amountDigitsMax     = 32 // all there will ever be has 20 digits in winston
)

// Transaction is one of Arweave's own, of format 1 or 2. Amounts are in winston, as the decimal texts that were signed.
type Transaction struct {
	Format    int
	ID        message.ID // SHA-256 of the signature
	LastTx    []byte     // what ties it to a recent block or the wallet's last transaction: 0, 32 or 48 bytes
	Owner     []byte     // RSA modulus
	Tags      []Tag
	Target    message.ID
	HasTarget bool
	Quantity  string
	Data      []byte // may be absent although DataSize is not zero
	DataSize  int64
	DataRoot  message.ID // zero without data
	Reward    string
	Signature []byte
}

type tagJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// transactionJSON is the wire form: base64url texts, and numbers as decimal texts but for the format.
type transactionJSON struct {
	Format    json.Number `json:"format"`
	ID        string      `json:"id"`
	LastTx    string      `json:"last_tx"`
	Owner     string      `json:"owner"`
	Tags      []tagJSON   `json:"tags"`
	Target    string      `json:"target"`
	Quantity  string      `json:"quantity"`
	Data      string      `json:"data"`
	DataSize  string      `json:"data_size"`
	DataTree  []string    `json:"data_tree"`
	DataRoot  string      `json:"data_root"`
	Reward    string      `json:"reward"`
	Signature string      `json:"signature"`
	// Any other than 0 would be signed too.
	Denomination json.RawMessage `json:"denomination,omitempty"`
}

// ParseTransaction reads the JSON of a transaction without checking its signature or data. It fails with Malformed, TooLarge,
// or Unsupported for other formats.
func ParseTransaction(text []byte) (*Transaction, error) {
	var j transactionJSON
	if err := json.Unmarshal(text, &j); err != nil {
		f := fault.New(fault.Malformed, "transaction-malformed", "a transaction is a JSON object")
		f.Cause = err
		if len(text) == 0 {
			f.Text, f.Cause = "the body is empty", nil
		}
		return nil, f.WithHint(hintTransaction)
	}
	t := &Transaction{Format: 1}
	switch j.Format {
	case "2":
		t.Format = 2
	case "1", "":
	default:
		return nil, fault.New(fault.Unsupported, "transaction-format", "transactions have format 1 or 2, this has %.10q", j.Format.String()).
			WithHint("sign a transaction of format 2")
	}
	if d := strings.Trim(string(j.Denomination), `"`); d != "" && d != "0" && d != "null" {
		return nil, fault.New(fault.Unsupported, "transaction-denomination", "transactions are of denomination 0, this is of %.10s", d).
			WithHint("sign a transaction without denomination")
	}
	if err := tagsFit(len(j.Tags)); err != nil {
		return nil, err
	}
	p := fields{code: "transaction-malformed", hint: hintTransaction}
	t.ID = p.id("id", j.ID)
	t.LastTx = p.bytes("last_tx", j.LastTx)
	t.Owner = p.bytes("owner", j.Owner)
	if j.Target != "" {
		t.Target, t.HasTarget = p.id("target", j.Target), true
	}
	t.Quantity = p.amount("quantity", j.Quantity)
	t.Data = p.bytes("data", j.Data)
	if j.DataSize != "" {
		t.DataSize = p.number("data_size", j.DataSize)
	}
	if j.DataRoot != "" {
		t.DataRoot = p.id("data_root", j.DataRoot)
	}
	t.Reward = p.amount("reward", j.Reward)
	t.Signature = p.bytes("signature", j.Signature)
	for _, tag := range j.Tags {
		tag := Tag{Name: string(p.bytes("tags", tag.Name)), Value: string(p.bytes("tags", tag.Value))}
		if err := tag.fits(); err != nil {
			return nil, err
		}
		t.Tags = append(t.Tags, tag)
	}
	if n := len(t.LastTx); n != 0 && n != 32 && n != 48 {
		p.fail("last_tx", "has 0, 32 or 48 bytes")
	}
	if p.err != nil {
		return nil, p.err
	}
	return t, nil
}

// CheckTags tells whether a transaction may have the tags. It fails with TooLarge.
func CheckTags(tags []Tag) error {
	if err := tagsFit(len(tags)); err != nil {
		return err
	}
	for _, t := range tags {
		if err := t.fits(); err != nil {
			return err
		}
	}
	return nil
}

func tagsFit(n int) error {
	if n <= TransactionTagsMax {
		return nil
	}
	return fault.New(fault.TooLarge, "transaction-tags-too-many", "a transaction has at most %d tags", TransactionTagsMax).
		WithHint("put what is large into the data")
}

func (t Tag) fits() error {
	if len(t.Name) <= transactionNameMax && len(t.Value) <= transactionValueMax {
		return nil
	}
	return fault.New(fault.TooLarge, "transaction-tag-too-large", "a tag has a name of at most %d and a value of at most %d bytes",
		transactionNameMax, transactionValueMax).WithHint("put what is large into the data")
}

// JSON writes the transaction as nodes take and give it.
func (t *Transaction) JSON() []byte {
	j := transactionJSON{Format: json.Number(strconv.Itoa(t.Format)), ID: t.ID.String(), LastTx: encode64(t.LastTx), Owner: encode64(t.Owner),
		Tags: make([]tagJSON, len(t.Tags)), Quantity: t.Quantity, Data: encode64(t.Data), DataSize: strconv.FormatInt(t.DataSize, 10),
		DataTree: []string{}, Reward: t.Reward, Signature: encode64(t.Signature)}
	for i, tag := range t.Tags {
		j.Tags[i] = tagJSON{encode64([]byte(tag.Name)), encode64([]byte(tag.Value))}
	}
	if t.HasTarget {
		j.Target = t.Target.String()
	}
	if !t.DataRoot.IsZero() {
		j.DataRoot = t.DataRoot.String()
	}
	return mustJSON(j)
}

// Tag gives the value of the first tag of that name.
func (t *Transaction) Tag(name string) (string, bool) {
	for _, tag := range t.Tags {
		if tag.Name == name {
			return tag.Value, true
		}
	}
	return "", false
}

// SetData puts the data in, with its size and root.
func (t *Transaction) SetData(data []byte) {
	t.Data, t.DataSize, t.DataRoot = data, int64(len(data)), DataRoot(data)
}

// SignatureData is what the owner signs: in format 2 the deep hash of all parts, in format 1 the parts one after the other.
func (t *Transaction) SignatureData() []byte {
	return t.preimage(t.Owner)
}

// UnsignedID names the content without its signer: the SHA-256 of what an owner of 512 zero bytes would sign.
func (t *Transaction) UnsignedID() message.ID { return message.HashOf(t.preimage(make([]byte, 512))) }

func (t *Transaction) preimage(owner []byte) []byte {
	var target []byte
	if t.HasTarget {
		target = t.Target[:]
	}
	if t.Format == 1 {
		b := append([]byte(nil), owner...)
		for _, part := range [][]byte{target, t.Data, []byte(t.Quantity), []byte(t.Reward), t.LastTx} {
			b = append(b, part...)
		}
		for _, tag := range t.Tags {
			b = append(append(b, tag.Name...), tag.Value...)
		}
		return b
	}
	tags := make([]Node, len(t.Tags))
	for i, tag := range t.Tags {
		tags[i] = List(Text(tag.Name), Text(tag.Value))
	}
	var root []byte
	if !t.DataRoot.IsZero() {
		root = t.DataRoot[:]
	}
	h := DeepHash(List(Text("2"), Blob(owner), Blob(target), Text(t.Quantity), Text(t.Reward), Blob(t.LastTx), List(tags...),
		Text(strconv.FormatInt(t.DataSize, 10)), Blob(root)))
	return h[:]
}

// SetSignature puts the signature in and names the transaction after it.
func (t *Transaction) SetSignature(signature []byte) {
	t.Signature, t.ID = signature, message.HashOf(signature)
}

// Check tells whether the id is that of the signature and, where the data came along, whether its size and root are those that
// were signed. It fails with Forged. The signature itself is the codec's to check.
func (t *Transaction) Check() error {
	if t.ID != message.HashOf(t.Signature) {
		return fault.New(fault.Forged, "transaction-id", "the id is not that of the signature").
			WithHint("the id is the SHA-256 of the signature, in base64url: sign the transaction again")
	}
	if t.Format == 1 || len(t.Data) == 0 {
		return nil // format 1 signs the data itself
	}
	if t.DataSize != int64(len(t.Data)) || t.DataRoot != DataRoot(t.Data) {
		return fault.New(fault.Forged, "transaction-data", "the data is not what was signed").
			WithHint("sign the transaction again after its data changed")
	}
	return nil
}

// fields reads members and keeps the first failure.
type fields struct {
	code, hint string
	err        error
}

// What to send instead of what cannot be read.
const (
	hintTransaction = "send the JSON of a signed transaction: bytes in base64url, numbers as texts; data items go to POST /tx of a bundler"
	hintChunk       = `send {"data_root", "data_size", "data_path", "offset", "chunk"}: bytes in base64url, numbers as texts`
)

func (p *fields) fail(name, must string) {
	if p.err == nil {
		p.err = fault.New(fault.Malformed, p.code, "%s %s", name, must).WithHint("%s", p.hint)
	}
}

func (p *fields) bytes(name, text string) []byte {
	b, err := strict.DecodeString(text)
	if err != nil {
		p.fail(name, "is base64url without padding")
		return nil
	}
	if len(b) == 0 {
		return nil
	}
	return b
}

func (p *fields) id(name, text string) message.ID {
	id, err := message.ParseID(text)
	if err != nil {
		p.fail(name, "is an id of 43 characters")
	}
	return id
}

// number reads a count of bytes in the one spelling it has, since the text is signed.
func (p *fields) number(name, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/2 || strconv.FormatInt(n, 10) != text {
		p.fail(name, "is a whole number as a text")
	}
	return n
}

func (p *fields) amount(name, text string) string {
	if !IsAmount(text) {
		p.fail(name, "is an amount in winston as a decimal text")
	}
	return text
}

// IsAmount tells texts that a transaction may have as quantity or reward: whole numbers without sign or leading zeros.
func IsAmount(text string) bool {
	if text == "" || len(text) > amountDigitsMax || len(text) > 1 && text[0] == '0' {
		return false
	}
	return strings.Trim(text, "0123456789") == ""
}

var strict = base64.RawURLEncoding.Strict()
