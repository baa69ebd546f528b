package ans104

import (
	"encoding/binary"
	"math"

	"ago/fault"
)

// Limits of reading. The format's own text limits an item to 128 tags and the usual library to 4096 bytes of them, but the
// reference scheduler enforces neither, so items beyond both are in the network's logs. These only bound what one item can
// cost; Portable tells what other units may refuse.
const (
	TagsMax     = 4096      // more tags than any item seen; keeps a linear search for a name cheap
	TagBytesMax = 256 << 10 // a log entry, an HTTP header block and a database row can still hold them
)

// What other implementations enforce.
const (
	PortableTagsMax     = 128
	PortableTagBytesMax = 4096
	PortableNameMax     = 1024
	PortableValueMax    = 3072
)

func malformed(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, code, format, args...)
}

// hintItem is for bytes that are no item, or that something changed on the way.
const hintItem = "send the bytes of one signed ANS-104 data item, as its signer made them: raw, not as text or JSON"

// hintTags is for tags that are beyond a limit.
const hintTags = "put what is large into the data of the item"

func badTags(format string, args ...any) *fault.Error {
	return malformed("item-tags-malformed", format, args...).WithHint("encode the tags as an Avro array of name and value, as ANS-104 has it, and sign the item again")
}

func tooLarge(code, format string, args ...any) *fault.Error {
	return fault.New(fault.TooLarge, code, format, args...)
}

// EncodeTags writes the tags as an Avro array of records in one block; no tags are no bytes.
func EncodeTags(tags []Tag) []byte {
	if len(tags) == 0 {
		return nil
	}
	size := 2 * binary.MaxVarintLen32
	for _, t := range tags {
		size += len(t.Name) + len(t.Value) + 2*binary.MaxVarintLen32
	}
	b := binary.AppendVarint(make([]byte, 0, size), int64(len(tags)))
	for _, t := range tags {
		b = append(binary.AppendVarint(b, int64(len(t.Name))), t.Name...)
		b = append(binary.AppendVarint(b, int64(len(t.Value))), t.Value...)
	}
	return append(b, 0)
}

// DecodeTags reads an Avro array of records: blocks of a count and that many names and values, a negative count being
// followed by the size of its block, ended by a count of zero. No bytes are no tags. Nothing may follow the end.
func DecodeTags(b []byte) ([]Tag, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) > TagBytesMax {
		return nil, tooLarge("item-tags-too-large", "the tags have %d bytes, at most %d can be read", len(b), TagBytesMax).WithHint(hintTags)
	}
	r := tagReader{rest: string(b)} // one copy; names and values are parts of it
	var tags []Tag
	for {
		count, err := r.varint()
		if err != nil {
			return nil, err
		}
		if count == 0 {
			break
		}
		end := -1
		if count < 0 {
			size, err := r.varint()
			if err != nil {
				return nil, err
			}
			if size < 0 || size > int64(len(r.rest)) {
				return nil, badTags("a block of tags is longer than all tags")
			}
			end = len(r.rest) - int(size)
			count = -count
		}
		if count < 0 || count > TagsMax-int64(len(tags)) {
			return nil, tooLarge("item-tags-too-many", "an item has at most %d tags", TagsMax).WithHint(hintTags)
		}
		if tags == nil {
			tags = make([]Tag, 0, min(int(count), len(b)/2)) // a tag has two bytes at least
		}
		for range count {
			var t Tag
			if t.Name, err = r.text(); err != nil {
				return nil, err
			}
			if t.Value, err = r.text(); err != nil {
				return nil, err
			}
			tags = append(tags, t)
		}
		if end >= 0 && end != len(r.rest) {
			return nil, badTags("a block of tags does not end where it says")
		}
	}
	if r.rest != "" {
		return nil, badTags("%d bytes follow the tags", len(r.rest))
	}
	return tags, nil
}

type tagReader struct{ rest string }

// varint reads a zigzag number of at most ten bytes.
func (r *tagReader) varint() (int64, error) {
	var u uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		c := r.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.rest = r.rest[i+1:]
			v := int64(u>>1) ^ -int64(u&1)
			if v == math.MinInt64 { // has no positive counterpart
				break
			}
			return v, nil
		}
	}
	return 0, badTags("a number in the tags is cut off or too large")
}

func (r *tagReader) text() (string, error) {
	n, err := r.varint()
	if err != nil {
		return "", err
	}
	if n < 0 || n > int64(len(r.rest)) {
		return "", badTags("a name or value is longer than all tags")
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s, nil
}
