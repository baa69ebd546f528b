package gateway

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"ago/codec/ans104"
	"ago/message"
)

// A row is what the index keeps of a record. Its form, version 1:
//
//	version(1) kind(1) id(32) height(uvarint) time(uvarint, ms) parent(1, then 32 if 1) body
//
// height is that of the newest block when the record arrived; its own block is the next one. The body depends on the kind.
type row struct {
	kind   kind
	id     message.ID
	height uint64
	time   int64
	parent message.ID
	body   []byte
}

type kind byte

const (
	kindItem        kind = 1 // a data item whose bytes are with Items; no body
	kindLargeItem   kind = 2 // the same; body: data size(uvarint), then the item's bytes before its data
	kindTransaction kind = 3 // body: the transaction as JSON without its data
	kindImported    kind = 4 // body: JSON of imported
)

const rowVersion = 1

// headerInline is the size from which on an item's header is kept in its row, so that a query does not read all of a large
// item for its tags.
const headerInline = 64 << 10

var errRow = errors.New("a record of the index is damaged")

func (r row) encode(dst []byte) []byte {
	dst = append(dst, rowVersion, byte(r.kind))
	dst = append(dst, r.id[:]...)
	dst = binary.AppendUvarint(dst, r.height)
	dst = binary.AppendUvarint(dst, uint64(r.time))
	if r.parent.IsZero() {
		dst = append(dst, 0)
	} else {
		dst = append(append(dst, 1), r.parent[:]...)
	}
	return append(dst, r.body...)
}

// rowLen is the length of an encoded row without its body, at most.
const rowLen = 2 + 32 + 2*binary.MaxVarintLen64 + 33

func decodeRow(b []byte) (row, error) {
	var r row
	if len(b) < 2+32 || b[0] != rowVersion {
		return r, errRow
	}
	r.kind = kind(b[1])
	copy(r.id[:], b[2:])
	b = b[34:]
	h, n := binary.Uvarint(b)
	if n <= 0 {
		return r, errRow
	}
	b = b[n:]
	t, n := binary.Uvarint(b)
	if n <= 0 || len(b) == n {
		return r, errRow
	}
	b = b[n:]
	r.height, r.time = h, int64(t)
	switch b[0] {
	case 0:
		b = b[1:]
	case 1:
		if len(b) < 33 {
			return r, errRow
		}
		copy(r.parent[:], b[1:])
		b = b[33:]
	default:
		return r, errRow
	}
	r.body = b
	return r, nil
}

// largeItemBody keeps what a query needs of a large item.
func largeItemBody(it *ans104.Item) []byte {
	header := it.Raw[:len(it.Raw)-len(it.Data)]
	b := make([]byte, 0, binary.MaxVarintLen64+len(header))
	b = binary.AppendUvarint(b, uint64(len(it.Data)))
	return append(b, header...)
}

func decodeLargeItemBody(b []byte) (size int64, header []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return 0, nil, errRow
	}
	return int64(n), b[used:], nil
}

// imported is a record that is served under an id nobody here has the signature for.
type imported struct {
	Owner message.ID  `json:"owner,omitzero"`
	Tags  []storedTag `json:"tags"`
	Blob  message.ID  `json:"blob"`
	Size  int64       `json:"size"`
}

// storedTag holds raw bytes, which JSON text cannot.
type storedTag struct {
	Name  []byte `json:"n"`
	Value []byte `json:"v"`
}

func storeTags(tags []Tag) []storedTag {
	out := make([]storedTag, len(tags))
	for i, t := range tags {
		out[i] = storedTag{[]byte(t.Name), []byte(t.Value)}
	}
	return out
}

func loadTags(tags []storedTag) []Tag {
	out := make([]Tag, len(tags))
	for i, t := range tags {
		out[i] = Tag{Name: string(t.Name), Value: string(t.Value)}
	}
	return out
}

func (im imported) encode() []byte {
	b, err := json.Marshal(im)
	if err != nil {
		panic(err) // bytes and numbers always encode
	}
	return b
}
