package ans104

import (
	"encoding/binary"
	"strconv"
	"sync"

	"ago/arweave"
	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// AnchorSize is the only length an anchor has, in bytes; a target is as long.
const AnchorSize = 32

// A data item is: type u16, signature, owner, flag and target, flag and anchor, number of tags u64, bytes of tags u64, tags,
// data to the end. Numbers are little-endian.
const (
	typeSize   = 2
	countsSize = 16
)

// Item is a decoded view of the bytes of a data item. It is read only; the slices are parts of Raw.
type Item struct {
	Type      commitment.KeyType
	Signature []byte
	Owner     []byte
	Target    message.ID
	HasTarget bool // a target of 32 zero bytes is not the same as none
	Anchor    []byte
	Tags      []Tag
	TagBytes  []byte // as they were signed
	Data      []byte
	Raw       []byte
	id        message.ID

	once struct{ message, whole sync.Once }
	said struct{ message, whole message.Message } // when somebody asked for it
}

// ID is the SHA-256 of the signature; of an unsigned item, its UnsignedID.
func (it *Item) ID() message.ID { return it.id }

// Signed tells an item with a signature from one whose signature is all zeros.
func (it *Item) Signed() bool { return !isZero(it.Signature) }

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Address names the owner as gateways and schedulers do.
func (it *Item) Address() message.ID { return commitment.AddressOf(it.Owner) }

// ProcessAddress names the owner as a process sees it.
func (it *Item) ProcessAddress() string { return commitment.ProcessAddress(it.Owner) }

// Signer is the type with the owner.
func (it *Item) Signer() commitment.Signer {
	return commitment.Signer{Type: it.Type, Owner: it.Owner}
}

// Tag gives the value of the first tag of that name.
func (it *Item) Tag(name string) (string, bool) {
	for i := range it.Tags {
		if it.Tags[i].Name == name {
			return it.Tags[i].Value, true
		}
	}
	return "", false
}

// TagValues gives all values of that name in order.
func (it *Item) TagValues(name string) []string {
	var vs []string
	for _, t := range it.Tags {
		if t.Name == name {
			vs = append(vs, t.Value)
		}
	}
	return vs
}

// SignatureData is what the owner signed: the deep hash of all parts.
func (it *Item) SignatureData() [arweave.DeepHashSize]byte {
	return deepHash(it.Type, it.Owner, it.targetBytes(), it.Anchor, it.TagBytes, it.Data)
}

// UnsignedID names the content without its signer: the SHA-256 of what a type 1 owner of 512 zero bytes would sign.
func (it *Item) UnsignedID() message.ID {
	h := deepHash(commitment.RSA, make([]byte, commitment.RSA.OwnerSize()), it.targetBytes(), it.Anchor, it.TagBytes, it.Data)
	return message.HashOf(h[:])
}

// Verify checks the signature. It fails with Forged ("signature-invalid", "item-unsigned"), with Malformed for an owner that
// is no key, or with Unsupported for a type that cannot be checked.
func (it *Item) Verify() error {
	if !it.Signed() {
		return fault.New(fault.Forged, "item-unsigned", "the item is not signed").WithHint("sign it with the key of its owner")
	}
	h := it.SignatureData()
	err := commitment.VerifySignature(it.Type, it.Owner, h[:], it.Signature)
	return fault.Wrap(err, fault.KindOf(err), fault.CodeOf(err), "item %s", it.id)
}

// Portable tells why another unit may refuse the item although it can be read here; nil if none should.
func (it *Item) Portable() error {
	if len(it.Tags) > PortableTagsMax {
		return tooLarge("item-tags-too-many", "%d tags; the format allows %d", len(it.Tags), PortableTagsMax).WithHint(hintTags)
	}
	if len(it.TagBytes) > PortableTagBytesMax {
		return tooLarge("item-tags-too-large", "the tags have %d bytes; messengers take %d", len(it.TagBytes), PortableTagBytesMax).WithHint(hintTags)
	}
	for _, t := range it.Tags {
		if len(t.Name) == 0 || len(t.Name) > PortableNameMax || len(t.Value) > PortableValueMax {
			return tooLarge("item-tag-size", "tag %.40q: a name has 1 to %d bytes, a value at most %d", t.Name, PortableNameMax, PortableValueMax).WithHint(hintTags)
		}
	}
	return nil
}

func (it *Item) targetBytes() []byte {
	if !it.HasTarget {
		return nil
	}
	return it.Target[:]
}

func deepHash(kind commitment.KeyType, owner, target, anchor, tags, data []byte) [arweave.DeepHashSize]byte {
	l, ok := signedLists[kind]
	if !ok {
		l = signedList(kind)
	}
	return l.DeepHash(owner, target, anchor, tags, data)
}

// signedList is the list that is signed with keys of a type.
func signedList(kind commitment.KeyType) arweave.BlobList {
	return arweave.NewBlobList(8, []byte("dataitem"), []byte("1"), strconv.AppendUint(nil, uint64(kind), 10))
}

var signedLists = func() map[commitment.KeyType]arweave.BlobList {
	all := map[commitment.KeyType]arweave.BlobList{}
	for _, kind := range []commitment.KeyType{commitment.RSA, commitment.Ed25519, commitment.Ethereum, commitment.Solana} {
		all[kind] = signedList(kind)
	}
	return all
}()

// DecodeItem reads a data item without checking its signature. It keeps raw, which must not change afterwards. It fails with
// Malformed, TooLarge, or Unsupported when the signature type and with it the layout is unknown.
func DecodeItem(raw []byte) (*Item, error) {
	it, err := decode(raw)
	if err != nil {
		return nil, err
	}
	it.name()
	return it, nil
}

func (it *Item) name() {
	if it.Signed() {
		it.id = message.HashOf(it.Signature)
	} else {
		it.id = it.UnsignedID()
	}
}

// decode leaves the id open.
func decode(raw []byte) (*Item, error) {
	if len(raw) == 0 {
		return nil, malformed("item-truncated", "the body is empty: an item has at least %d bytes", itemSizeMin).WithHint(hintItem)
	}
	it := &Item{Raw: raw}
	r := reader{rest: raw}
	it.Type = commitment.KeyType(binary.LittleEndian.Uint16(r.take(typeSize, "type")))
	if r.err == nil && !it.Type.Known() {
		return nil, fault.New(fault.Unsupported, "key-type-unknown", "signature type %d is not known", uint16(it.Type)).
			WithHint("sign with type 1 (arweave), 2 (ed25519), 3 (ethereum) or 4 (solana)")
	}
	it.Signature = r.take(it.Type.SignatureSize(), "signature")
	it.Owner = r.take(it.Type.OwnerSize(), "owner")
	if target := r.optional("target"); target != nil {
		it.Target, it.HasTarget = message.ID(target), true
	}
	it.Anchor = r.optional("anchor")
	counts := r.take(countsSize, "tag counts")
	number, size := binary.LittleEndian.Uint64(counts), binary.LittleEndian.Uint64(counts[8:])
	if size > TagBytesMax {
		return nil, tooLarge("item-tags-too-large", "the tags have %d bytes, at most %d can be read", size, TagBytesMax).WithHint(hintTags)
	}
	it.TagBytes = r.take(int(size), "tags")
	if r.err != nil {
		return nil, r.err
	}
	it.Data = r.rest
	tags, err := DecodeTags(it.TagBytes)
	if err != nil {
		return nil, err
	}
	if uint64(len(tags)) != number {
		return nil, malformed("item-tag-count", "the item says %d tags and has %d", number, len(tags)).WithHint(hintItem)
	}
	it.Tags = tags
	return it, nil
}

// reader takes parts from the front. After the first failure it gives zeros, so that the error is looked at once.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int, what string) []byte {
	if r.err == nil && n <= len(r.rest) {
		part := r.rest[:n:n]
		r.rest = r.rest[n:]
		return part
	}
	if r.err == nil {
		r.err = malformed("item-truncated", "the item ends inside its %s", what).WithHint(hintItem)
	}
	return make([]byte, min(n, countsSize))
}

// optional takes a part of 32 bytes that a flag says is there.
func (r *reader) optional(what string) []byte {
	switch flag := r.take(1, what+" flag")[0]; {
	case r.err != nil || flag == 0:
		return nil
	case flag != 1:
		r.err = malformed("item-flag", "the %s flag is 0 or 1, this is %d", what, flag).WithHint(hintItem)
		return nil
	}
	part := r.take(AnchorSize, what)
	if r.err != nil {
		return nil
	}
	return part
}
