package checkpoint

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"

	"github.com/klauspost/compress/gzip"
)

// Arweave keeps memories as signed items: Keep uploads them, Find finds those of trusted owners.
type Arweave struct {
	Network *client.Network // Bundler for uploads; Gateway, asked first for what is there
	Second  *client.Network // asked if the first gateway does not answer; nil: none
	Key     *commitment.Key // signs uploads
	Upload  bool            // false: Keep does nothing
	// Trusted are the addresses whose memories may be gone on from; none means that of Key. If there are memories of
	// Preferred addresses, those of others are left out.
	Trusted, Preferred []string
	Ignored            []message.ID // items that are left out
	IgnoredProcesses   []message.ID // processes for which nothing is asked
	Unsigned           bool         // take the gateway's word for the owner of an item whose signature it does not show

	unit string
}

// NewArweave names the start of the unit, which every upload of it carries.
func NewArweave(a Arweave) *Arweave {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	a.unit = fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	return &a
}

// ask puts a question to the first gateway that answers.
func (a *Arweave) ask(ctx context.Context, question func(*client.Network) ([]client.Transaction, error)) ([]client.Transaction, error) {
	found, err := question(a.Network)
	if err != nil && a.Second != nil && ctx.Err() == nil {
		found, err = question(a.Second)
	}
	return found, err
}

// Find gives the memories of trusted owners. They are fetched and checked when they are opened.
func (a *Arweave) Find(ctx context.Context, def process.Definition, before slotlog.Slot) ([]compute.Memory, error) {
	if slices.Contains(a.IgnoredProcesses, def.ID) {
		return nil, nil
	}
	owners := a.Trusted
	if len(owners) == 0 {
		owners = []string{a.Key.Address().String()}
	}
	items, err := a.ask(ctx, func(n *client.Network) ([]client.Transaction, error) { return n.Checkpoints(ctx, def.ID, owners) })
	if err != nil {
		return nil, err
	}
	var found []compute.Memory
	var preferred []bool
	for _, t := range items {
		at, sum, ok := described(t)
		if !ok || at.Process != def.ID || at.Slot >= before || !slices.Contains(owners, t.Owner.Address) || t.Tag("Cron-Interval") != "" {
			continue
		}
		if id, err := message.ParseID(t.ID); err != nil || slices.Contains(a.Ignored, id) {
			continue
		}
		found = append(found, compute.Memory{Position: at, Source: t.ID, Open: func(ctx context.Context) (io.ReadCloser, error) {
			return a.open(ctx, t, owners, sum)
		}})
		preferred = append(preferred, slices.Contains(a.Preferred, t.Owner.Address))
	}
	if slices.Contains(preferred, true) {
		n := 0
		for i, m := range found {
			if preferred[i] {
				found[n] = m
				n++
			}
		}
		found = found[:n]
	}
	slices.SortStableFunc(found, func(a, b compute.Memory) int { return int(int64(b.Slot) - int64(a.Slot)) })
	return found, nil
}

// described reads the tags of a checkpoint.
func described(t client.Transaction) (at compute.Position, sum []byte, ok bool) {
	var errs [6]error
	number := func(name string, to *int64) (err error) {
		*to, err = strconv.ParseInt(t.Tag(name), 10, 64)
		return err
	}
	var nonce, height int64
	at.Process, errs[0] = message.ParseID(t.Tag("Process"))
	at.Module, errs[1] = message.ParseID(t.Tag("Module"))
	errs[2] = number("Nonce", &nonce)
	errs[3] = number("Timestamp", &at.Timestamp)
	errs[4] = number("Block-Height", &height)
	sum, errs[5] = hex.DecodeString(t.Tag("SHA-256"))
	for _, err := range errs {
		if err != nil {
			return at, nil, false
		}
	}
	at.Slot, at.BlockHeight = slotlog.Slot(nonce), uint64(height)
	// These two are missing in old ones.
	if id, err := message.ParseID(t.Tag("Assignment")); err == nil {
		at.Assignment = id
	}
	if id, err := message.ParseID(t.Tag("Hash-Chain")); err == nil {
		at.HashChain = id
	}
	return at, sum, nonce >= 0 && height >= 0 && len(sum) == sha256.Size && t.Tag("Type") == "Checkpoint"
}

// open fetches a memory and checks that a trusted owner signed it, tags and all.
func (a *Arweave) open(ctx context.Context, t client.Transaction, owners []string, sum []byte) (io.ReadCloser, error) {
	id, err := message.ParseID(t.ID)
	if err != nil {
		return nil, err
	}
	data, err := a.Network.Data(ctx, id)
	if err != nil && a.Second != nil && ctx.Err() == nil {
		data, err = a.Second.Data(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	if t.Signature != "" || !a.Unsigned {
		exact := client.Exact{Data: data}
		for _, tag := range t.Tags {
			exact.Tags = append(exact.Tags, ans104.Tag(tag))
		}
		if anchor, err := base64.RawURLEncoding.DecodeString(t.Anchor); err == nil && len(anchor) == ans104.AnchorSize {
			exact.Anchor = anchor
		}
		part := t.Part()
		if err := part.Verify(&exact); err != nil {
			return nil, err
		}
		key, err := part.Key()
		if err != nil {
			return nil, err
		}
		if address := commitment.AddressOf(key).String(); !slices.Contains(owners, address) {
			return nil, fault.New(fault.Denied, "checkpoint-untrusted", "the checkpoint %s is signed by %s, who is not trusted", id, address).
				WithHint("name the addresses whose checkpoints may be gone on from")
		}
	}
	r, err := decoded(bytes.NewReader(data), t.Tag("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	return newChecked(r, sum, io.NopCloser(nil)), nil
}

// Keep uploads a memory unless this unit's address has one of the same slot there.
func (a *Arweave) Keep(ctx context.Context, at compute.Position, memory io.Reader) error {
	if !a.Upload {
		_, err := io.Copy(io.Discard, memory)
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(z, sum), reader{ctx, memory}); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	nonce, timestamp := strconv.FormatUint(uint64(at.Slot), 10), strconv.FormatInt(at.Timestamp, 10)
	there, err := a.ask(ctx, func(n *client.Network) ([]client.Transaction, error) {
		return n.Checkpoints(ctx, at.Process, []string{a.Key.Address().String()}, client.Tag{Name: "Nonce", Value: nonce}, client.Tag{Name: "Timestamp", Value: timestamp})
	})
	if err == nil && len(there) > 0 {
		return nil
	}
	it, err := ans104.Sign(ans104.Draft{Tags: a.tags(at, nonce, timestamp, hex.EncodeToString(sum.Sum(nil))), Data: packed.Bytes()}, a.Key)
	if err != nil {
		return err
	}
	return a.Network.Upload(ctx, it)
}

// tags are those that units look for, in the usual order.
func (a *Arweave) tags(at compute.Position, nonce, timestamp, sum string) []ans104.Tag {
	tags := []ans104.Tag{
		{Name: "Data-Protocol", Value: "ao"}, {Name: "Variant", Value: process.VariantLegacy}, {Name: "Type", Value: "Checkpoint"},
		{Name: "Module", Value: at.Module.String()}, {Name: "Process", Value: at.Process.String()},
		{Name: "Nonce", Value: nonce}, {Name: "Timestamp", Value: timestamp}, {Name: "Block-Height", Value: strconv.FormatUint(at.BlockHeight, 10)},
		{Name: "Content-Type", Value: "application/octet-stream"}, {Name: "SHA-256", Value: sum}, {Name: "Content-Encoding", Value: "gzip"},
		{Name: "Unit-Identifier", Value: a.unit}, {Name: "Ordinate", Value: nonce}, {Name: "Epoch", Value: "0"},
	}
	if !at.Assignment.IsZero() {
		tags = append(tags, ans104.Tag{Name: "Assignment", Value: at.Assignment.String()})
	}
	if !at.HashChain.IsZero() {
		tags = append(tags, ans104.Tag{Name: "Hash-Chain", Value: at.HashChain.String()})
	}
	return tags
}

var _ compute.Memories = (*Arweave)(nil)
