package gateway

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"ago/message"
	"ago/store"
)

// The gateway's keys: terms are store.TableTags ('T'), the others share store.TableGateway ('G') by their second byte.
//
//	G i | id(32) | seq(8)                -> nothing             an id's place in the order of arrival; the lowest counts
//	G s | seq(8)                         -> row                 the record (row.go)
//	T | term(8) | seq(8)                 -> nothing             which records carry a term
//	G b | height(8)                      -> segment             the block clock from this height on
//	G h                                  -> height(8)           the highest block anybody was told of
//	G d | data root(32) | size(8)        -> blob(32)            the complete data of transactions
//	G c | data root(32) | size(8) | start(8) -> chunk           chunks of data that is not complete
//	G p | data root(32) | size(8)        -> received(8) time(8) how much of it is there, and since when nothing came
//	G o | end(8)                         -> id(32)              transactions by the place of their data in the weave
//	G e | id(32)                         -> end(8)              the same by id
//	G w | address(32)                    -> wallet              balance and last transaction
//	G u | id(32)                         -> row                 what another gateway told, verified
//	G x | id(32)                         -> nothing             a bundle that was opened to its end
//
// Numbers are big-endian. A seq only grows, and so do the height and the time of arrival with it; so one order serves every
// sort of the query language, and a seq is a cursor that stays valid.
//
// Rows are written without looking whether the id has some: that look would be the dearest part of accepting a message. An
// id that is indexed again later, as when it was uploaded before it was scheduled, has rows at two places. The lower one is
// the record; a reader passes over the other.
//
// A term is a hash of eight bytes: every answer is compared with the query again, so a collision costs time, never truth.
// All terms share one table since an owner, a recipient, a parent and a tag are looked up and intersected alike.
const (
	table       = store.TableGateway
	tableTerms  = store.TableTags
	subID       = 'i'
	subSeq      = 's'
	subSegment  = 'b'
	subTop      = 'h'
	subData     = 'd'
	subChunk    = 'c'
	subProgress = 'p'
	subOffset   = 'o'
	subEnd      = 'e'
	subWallet   = 'w'
	subUpstream = 'u'
	subOpened   = 'x'
)

const (
	seqKeyLen  = 2 + 8
	termKeyLen = 1 + 8 + 8
	idKeyLen   = 2 + 32
)

func idKey(sub byte, id message.ID) []byte {
	k := make([]byte, 0, idKeyLen)
	return append(append(k, table, sub), id[:]...)
}

func numberKey(sub byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{table, sub}, n)
}

func termPrefix(term uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{tableTerms}, term)
}

func rootKey(sub byte, root message.ID, size uint64) []byte {
	k := make([]byte, 0, 2+32+8+8)
	k = append(append(k, table, sub), root[:]...)
	return binary.BigEndian.AppendUint64(k, size)
}

// Kinds of terms. They are part of the stored format.
const (
	termTag       = 1
	termOwner     = 2
	termRecipient = 3
	termParent    = 4
	termRoot      = 5 // of a transaction's data
)

func tagTerm(name, value string) uint64 {
	return xxh3.HashStringSeed(value, xxh3.HashString(name)+termTag)
}

func idTerm(kind byte, id message.ID) uint64 {
	return xxh3.HashSeed(id[:], uint64(kind))
}
