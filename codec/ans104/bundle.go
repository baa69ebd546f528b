package ans104

import (
	"encoding/binary"
	"io"
	"iter"
	"strings"

	"ago/fault"
	"ago/message"
)

// A bundle is: number of items, for each its size and id, then the items. Numbers have 32 bytes, little-endian.
const (
	numberSize = 32
	entrySize  = 2 * numberSize
)

// itemSizeMin is an item of the shortest type without anything in it.
const itemSizeMin = typeSize + 64 + 32 + 2 + countsSize

// Limits bound what is read of a bundle that somebody else made.
type Limits struct {
	Items int // in one bundle
	Depth int // bundles within bundles; 1 is a bundle of plain items
}

// DefaultLimits allow more than bundlers make: a header of 64 MiB, and the nesting of an item in a user's bundle in a
// bundler's bundle in a transaction, twice over.
var DefaultLimits = Limits{Items: 1 << 20, Depth: 8}

// Entry is what the header of a bundle says of one item.
type Entry struct {
	ID     message.ID
	Offset int64 // from the start of the bundle
	Size   int64
}

func badBundle(format string, args ...any) *fault.Error {
	return malformed("bundle-malformed", format, args...).WithHint("write the bundle again from its items: the count, then size and id of each, then their bytes")
}

// ReadBundleHeader reads the header of a bundle and leaves r at its first item, so that a bundle can be taken apart while it
// arrives. Errors of r are passed on; anything else is Malformed or TooLarge.
func ReadBundleHeader(r io.Reader, limits Limits) ([]Entry, error) {
	var first [numberSize]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return nil, cutOff(err)
	}
	count, ok := number(first[:])
	if !ok || count > uint64(max(limits.Items, 0)) {
		return nil, tooLarge("bundle-too-many", "a bundle has at most %d items", limits.Items).WithHint("send the items in several bundles")
	}
	n := int(count)
	entries := make([]Entry, 0, min(n, 4096)) // a number is no reason to reserve memory before the entries came
	offset := int64(numberSize + n*entrySize)
	var b [entrySize]byte
	for i := range n {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, cutOff(err)
		}
		size, ok := number(b[:numberSize])
		if !ok || size > 1<<62 || int64(size) > 1<<62-offset {
			return nil, badBundle("item %d of the bundle has an impossible size", i)
		}
		if size < itemSizeMin {
			return nil, badBundle("item %d of the bundle has %d bytes, the smallest item has %d", i, size, itemSizeMin)
		}
		entries = append(entries, Entry{ID: message.ID(b[numberSize:]), Offset: offset, Size: int64(size)})
		offset += int64(size)
	}
	return entries, nil
}

func cutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return badBundle("the bundle ends inside its header")
	}
	return err
}

// number reads 32 bytes of which only eight may count.
func number(b []byte) (uint64, bool) {
	return binary.LittleEndian.Uint64(b), isZero(b[8:numberSize])
}

// ParseBundleHeader reads the header of a whole bundle, whose items must fill the rest of it exactly.
func ParseBundleHeader(raw []byte, limits Limits) ([]Entry, error) {
	entries, err := ReadBundleHeader(&byteReader{raw}, limits)
	if err != nil {
		return nil, err
	}
	end := int64(numberSize)
	if n := len(entries); n > 0 {
		end = entries[n-1].Offset + entries[n-1].Size
	}
	if end != int64(len(raw)) {
		return nil, badBundle("the header of the bundle describes %d bytes, it has %d", end, len(raw))
	}
	return entries, nil
}

type byteReader struct{ rest []byte }

func (r *byteReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Items goes through the items of a bundle, in order, without checking signatures. It ends after the first error.
func Items(raw []byte, limits Limits) iter.Seq2[*Item, error] {
	return func(yield func(*Item, error) bool) {
		for p, err := range places(raw, limits) {
			if !yield(p.Item, err) {
				return
			}
		}
	}
}

// DecodeBundle reads the items of a bundle, not those of bundles in it: see Walk.
func DecodeBundle(raw []byte, limits Limits) ([]*Item, error) {
	var items []*Item
	for it, err := range Items(raw, limits) {
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	return items, nil
}

// Place is an item with where it was found.
type Place struct {
	Item   *Item
	Parent message.ID // the bundle's item; zero for items of the outermost bundle
	Depth  int        // 1 for items of the outermost bundle
	Offset int64      // of the item, from the start of the outermost bundle
}

// Walk goes through all items of a bundle and of the bundles in it, a bundle before its items. Bundles deeper than the limit
// are given as items and not opened. In an item that calls itself a bundle and is none, the items before its first fault are
// found: one bad item is no reason to lose the rest. Only a fault of the outermost bundle is an error, and ends the walk.
func Walk(raw []byte, limits Limits) iter.Seq2[Place, error] {
	return func(yield func(Place, error) bool) {
		for p, err := range places(raw, limits) {
			if err != nil {
				yield(Place{}, err)
				return
			}
			if !walk(p, limits, yield) {
				return
			}
		}
	}
}

func walk(p Place, limits Limits, yield func(Place, error) bool) bool {
	if !yield(p, nil) {
		return false
	}
	if p.Depth >= limits.Depth || !IsBundle(p.Item.Tags) {
		return true
	}
	start := p.Offset + int64(len(p.Item.Raw)-len(p.Item.Data))
	for c, err := range places(p.Item.Data, limits) {
		if err != nil {
			return true
		}
		c.Parent, c.Depth, c.Offset = p.Item.ID(), p.Depth+1, start+c.Offset
		if !walk(c, limits, yield) {
			return false
		}
	}
	return true
}

// places goes through the items of one bundle.
func places(raw []byte, limits Limits) iter.Seq2[Place, error] {
	return func(yield func(Place, error) bool) {
		entries, err := ParseBundleHeader(raw, limits)
		if err != nil {
			yield(Place{}, err)
			return
		}
		for i, e := range entries {
			it, err := DecodeItem(raw[e.Offset : e.Offset+e.Size : e.Offset+e.Size])
			if err == nil && it.ID() != e.ID {
				err = badBundle("the header names the item %s, it is %s", e.ID, it.ID())
			}
			if err != nil {
				yield(Place{}, fault.Wrap(err, fault.KindOf(err), fault.CodeOf(err), "item %d of the bundle", i))
				return
			}
			if !yield(Place{Item: it, Depth: 1, Offset: e.Offset}, nil) {
				return
			}
		}
	}
}

// IsBundle tells whether the tags announce that the data is a bundle.
func IsBundle(tags []Tag) bool {
	format, version := false, false
	for _, t := range tags {
		format = format || strings.EqualFold(t.Name, "Bundle-Format") && t.Value == "binary"
		version = version || strings.EqualFold(t.Name, "Bundle-Version") && t.Value == "2.0.0"
	}
	return format && version
}

// BundleTags announce that the data is a bundle.
func BundleTags() []Tag {
	return []Tag{{Name: "Bundle-Format", Value: "binary"}, {Name: "Bundle-Version", Value: "2.0.0"}}
}

// EncodeBundle writes the items as a bundle.
func EncodeBundle(items []*Item) []byte {
	size := numberSize + len(items)*entrySize
	for _, it := range items {
		size += len(it.Raw)
	}
	b := appendNumber(make([]byte, 0, size), len(items))
	for _, it := range items {
		b = appendNumber(b, len(it.Raw))
		b = append(b, it.id[:]...)
	}
	for _, it := range items {
		b = append(b, it.Raw...)
	}
	return b
}

func appendNumber(b []byte, n int) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(n)), make([]byte, numberSize-8)...)
}
