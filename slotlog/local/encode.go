package local

import (
	"encoding/binary"
	"errors"

	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// Values of L and E begin with the version of their form. A new form takes a new number; old ones stay readable, and are
// written where they say everything, so that the logs of legacy processes are the same bytes in every release.
const (
	entryLegacy = 1
	entryCore   = 2 // with the form of the item, and the hashpath
	headLegacy  = 1
	headCore    = 2 // with the hashpath
)

// Parts of an entry that are often absent.
const (
	hasItem = 1 << iota
	hasAssignment
	hasBlockHash
	hasHashChain
	hasDedupKey
	isByID
	entryFlags = iota
)

var errEntry = errors.New("the bytes are not an entry")

func entryKey(p message.ID, s slotlog.Slot) []byte {
	k := make([]byte, 0, 42) // one to spare for a bound
	return binary.BigEndian.AppendUint64(append(append(k, store.TableEntries), p[:]...), uint64(s))
}

func slotOf(entryKey []byte) slotlog.Slot {
	return slotlog.Slot(binary.BigEndian.Uint64(entryKey[len(entryKey)-8:]))
}

func dedupKey(p, key message.ID) []byte {
	k := make([]byte, 0, 65)
	return append(append(append(k, store.TableDedup), p[:]...), key[:]...)
}

func headKey(p message.ID) []byte { return append([]byte{store.TableHeads}, p[:]...) }

func partitionKey(part slotlog.Partition) []byte {
	return binary.BigEndian.AppendUint16([]byte{store.TableEpochs}, uint16(part))
}

// encodeEntry writes an entry without what its key says and without its item:
//
//	version, flags, message(32), timestamp, block height, block time,
//	[block hash(32)], [hash chain(32)], [dedup key(32)], [length, assignment], number of excluded fields, each length, name,
//	in version 2: form, length, hashpath
//
// Numbers are varints, signed ones zigzag; parts in brackets are there if their flag is set.
func encodeEntry(e *slotlog.Entry) []byte {
	var flags byte
	for _, f := range []struct {
		flag byte
		set  bool
	}{
		{hasItem, e.Item != nil},
		{hasAssignment, e.Assignment != nil},
		{hasBlockHash, !e.BlockHash.IsZero()},
		{hasHashChain, !e.HashChain.IsZero()},
		{hasDedupKey, !e.DedupKey.IsZero()},
		{isByID, e.ByID},
	} {
		if f.set {
			flags |= f.flag
		}
	}
	b := make([]byte, 0, 192+len(e.Assignment))
	version := byte(entryLegacy)
	if e.Form != slotlog.FormItem || e.Hashpath != "" {
		version = entryCore
	}
	b = append(append(b, version, flags), e.Message[:]...)
	b = binary.AppendVarint(b, e.Timestamp)
	b = binary.AppendUvarint(b, e.BlockHeight)
	b = binary.AppendVarint(b, e.BlockTime)
	for _, id := range []message.ID{e.BlockHash, e.HashChain, e.DedupKey} {
		if !id.IsZero() {
			b = append(b, id[:]...)
		}
	}
	if e.Assignment != nil {
		b = append(binary.AppendUvarint(b, uint64(len(e.Assignment))), e.Assignment...)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Exclude)))
	for _, name := range e.Exclude {
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	}
	if version == entryCore {
		b = append(binary.AppendUvarint(append(b, byte(e.Form)), uint64(len(e.Hashpath))), e.Hashpath...)
	}
	return b
}

// decodeEntry reads what encodeEntry wrote; item tells whether the entry has one. The entry shares nothing with b.
func decodeEntry(b []byte) (e slotlog.Entry, item bool, err error) {
	r := reader{b: b}
	version := r.byte()
	if version != entryLegacy && version != entryCore {
		return e, false, errEntry
	}
	flags := r.byte()
	if flags>>entryFlags != 0 {
		return e, false, errEntry
	}
	e.Message = r.id(true)
	e.Timestamp = r.varint()
	e.BlockHeight = r.uvarint()
	e.BlockTime = r.varint()
	e.BlockHash = r.id(flags&hasBlockHash != 0)
	e.HashChain = r.id(flags&hasHashChain != 0)
	e.DedupKey = r.id(flags&hasDedupKey != 0)
	if flags&hasAssignment != 0 {
		e.Assignment = append([]byte{}, r.bytes()...)
	}
	n := r.uvarint()
	if n > uint64(len(r.b)) { // each takes a byte at least
		return e, false, errEntry
	}
	for range n {
		e.Exclude = append(e.Exclude, string(r.bytes()))
	}
	if version == entryCore {
		e.Form = slotlog.Form(r.byte())
		e.Hashpath = string(r.bytes())
	}
	e.ByID = flags&isByID != 0
	if r.broken || len(r.b) > 0 {
		return e, false, errEntry
	}
	return e, flags&hasItem != 0, nil
}

// encodeHead writes version, epoch(8), next slot(8), timestamp(8), hash chain(32), assignment(32), in version 2 the hashpath.
func encodeHead(epoch slotlog.Epoch, h slotlog.Head) []byte {
	b := append(make([]byte, 0, headSize+len(h.Hashpath)), headLegacy)
	if h.Hashpath != "" {
		b[0] = headCore
	}
	b = binary.BigEndian.AppendUint64(b, uint64(epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Next))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Timestamp))
	return append(append(append(b, h.HashChain[:]...), h.Assignment[:]...), h.Hashpath...)
}

// headSize is the size of a head without a hashpath.
const headSize = 89

func decodeHead(b []byte) (slotlog.Epoch, slotlog.Head, error) {
	if len(b) < headSize || b[0] != headLegacy && b[0] != headCore || (b[0] == headLegacy) != (len(b) == headSize) {
		return 0, slotlog.Head{}, errors.New("the bytes are not a head")
	}
	return slotlog.Epoch(binary.BigEndian.Uint64(b[1:])), slotlog.Head{
		Next:       slotlog.Slot(binary.BigEndian.Uint64(b[9:])),
		Timestamp:  int64(binary.BigEndian.Uint64(b[17:])),
		HashChain:  message.ID(b[25:57]),
		Assignment: message.ID(b[57:headSize]),
		Hashpath:   string(b[headSize:]),
	}, nil
}

// reader takes values from the front of b. Once something is missing it is broken and gives zeros.
type reader struct {
	b      []byte
	broken bool
}

func (r *reader) take(n uint64) []byte {
	if r.broken || n > uint64(len(r.b)) {
		r.broken = true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) id(present bool) (id message.ID) {
	if present {
		copy(id[:], r.take(32))
	}
	return id
}

func (r *reader) bytes() []byte { return r.take(r.uvarint()) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.broken = true
		return 0
	}
	r.take(uint64(n))
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.broken = true
		return 0
	}
	r.take(uint64(n))
	return v
}
