package ans104

import (
	"encoding/binary"

	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// Draft is a data item before it is signed.
type Draft struct {
	Target    message.ID
	HasTarget bool   // Target counts only then
	Anchor    []byte // nil or 32 bytes
	Tags      []Tag
	Data      []byte
}

// Sign makes a signed item of the draft. Signatures of RSA keys, and so the ids, differ each time.
func Sign(d Draft, k *commitment.Key) (*Item, error) { return sign(d, k, k.Sign) }

// SignDeterministic makes the same item of the same draft, key and salt each time.
func SignDeterministic(d Draft, k *commitment.Key, salt []byte) (*Item, error) {
	return sign(d, k, func(msg []byte) ([]byte, error) { return k.SignDeterministic(msg, salt) })
}

func sign(d Draft, k *commitment.Key, by func([]byte) ([]byte, error)) (*Item, error) {
	it, err := d.encode(k.Type(), nil, k.Owner())
	if err != nil {
		return nil, err
	}
	h := it.SignatureData()
	signature, err := by(h[:])
	if err != nil {
		return nil, err
	}
	if len(signature) != len(it.Signature) {
		return nil, fault.New(fault.Internal, "signing-failed", "the %s key made a signature of %d bytes", k.Type(), len(signature))
	}
	copy(it.Signature, signature)
	it.name()
	return it, nil
}

// Rebuild puts an item together from its parts, as a scheduler's answer gives them, without checking the signature.
func Rebuild(kind commitment.KeyType, signature, owner []byte, d Draft) (*Item, error) {
	if !kind.Known() {
		return nil, fault.New(fault.Unsupported, "key-type-unknown", "signature type %d is not known", uint16(kind))
	}
	if len(signature) != kind.SignatureSize() || len(owner) != kind.OwnerSize() {
		return nil, malformed("item-parts", "an item of type %s has a signature of %d and an owner of %d bytes, not %d and %d",
			kind, kind.SignatureSize(), kind.OwnerSize(), len(signature), len(owner))
	}
	it, err := d.encode(kind, signature, owner)
	if err != nil {
		return nil, err
	}
	it.name()
	return it, nil
}

// Unsigned makes an item of type 1 whose signature and owner are zeros: the form that UnsignedID names.
func Unsigned(d Draft) (*Item, error) {
	return Rebuild(commitment.RSA, make([]byte, commitment.RSA.SignatureSize()), make([]byte, commitment.RSA.OwnerSize()), d)
}

// encode lays the parts out in one new buffer, with zeros for a missing signature. The id is left open.
func (d Draft) encode(kind commitment.KeyType, signature, owner []byte) (*Item, error) {
	if d.Anchor != nil && len(d.Anchor) != AnchorSize {
		return nil, malformed("item-anchor", "an anchor has %d bytes, this has %d", AnchorSize, len(d.Anchor))
	}
	tags := EncodeTags(d.Tags)
	if len(d.Tags) > TagsMax {
		return nil, tooLarge("item-tags-too-many", "an item has at most %d tags, this has %d", TagsMax, len(d.Tags))
	}
	if len(tags) > TagBytesMax {
		return nil, tooLarge("item-tags-too-large", "the tags have %d bytes, at most %d are allowed", len(tags), TagBytesMax)
	}
	head := typeSize + kind.SignatureSize() + kind.OwnerSize() + 2 + countsSize
	b := make([]byte, typeSize+kind.SignatureSize(), head+2*AnchorSize+len(tags)+len(d.Data))
	binary.LittleEndian.PutUint16(b, uint16(kind))
	copy(b[typeSize:], signature)
	b = append(b, owner...)
	if d.HasTarget {
		b = append(append(b, 1), d.Target[:]...)
	} else {
		b = append(b, 0)
	}
	if d.Anchor != nil {
		b = append(append(b, 1), d.Anchor...)
	} else {
		b = append(b, 0)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(d.Tags)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tags)))
	return decode(append(append(b, tags...), d.Data...))
}

// Draft gives the parts of the item that are signed.
func (it *Item) Draft() Draft {
	return Draft{Target: it.Target, HasTarget: it.HasTarget, Anchor: it.Anchor, Tags: it.Tags, Data: it.Data}
}
