// Package slotlog keeps the order of messages: which message has slot n of a process, and who may give the next slot.
//
// Order and ownership are the two facts that nobody can check by a hash or a signature, so they are the only ones that need
// an engine's promise. A block of slots is appended whole and durable or not at all; a slot that is taken stays taken.
package slotlog

import (
	"context"
	"errors"
	"iter"

	"ago/message"
)

// Slot is the position of a message in the log of its process, from 0.
type Slot uint64

// Epoch is the term of an owner; it only grows. An append of an older one is refused.
type Epoch uint64

// Partition is a share of the processes that is owned as a whole: the first 12 bits of the process id.
type Partition uint16

// Partitions is the number of partitions.
const Partitions = 1 << 12

// PartitionOf gives the partition of a process.
func PartitionOf(p message.ID) Partition { return Partition(p[0])<<4 | Partition(p[1]>>4) }

// Form is the encoding of a message's stored bytes. Values are kept on disk.
type Form uint8

const (
	// FormItem is an ANS-104 data item.
	FormItem Form = 0
	// FormWire is headers and body of a signed HTTP message, of whichever generation its signatures are.
	FormWire Form = 1
	// FormBody is headers and body of an unsigned HTTP message whose body is the message, with its commitments as they came.
	FormBody Form = 2
)

// Entry is one slot. The facts are those that every form of an assignment needs; Assignment is the signed item that a slot of
// a process of variant ao.TN.1 is given, nil where the assignment follows from the facts and is signed when somebody reads it.
type Entry struct {
	Process     message.ID
	Slot        Slot
	Message     message.ID // id of the assigned message
	Timestamp   int64      // ms, strictly growing in a process
	BlockHeight uint64
	BlockHash   message.ID // zero if unknown
	BlockTime   int64      // ms, 0 if unknown
	HashChain   message.ID // chain value of this slot, by the rule of the process's variant
	Hashpath    string     // that the assignment is applied to, in an AO-Core process; "" in others
	Assignment  []byte     // signed item, raw
	Item        []byte     // raw bytes of the message; nil for one that was assigned by its id, unless it came with another scheduler's log
	Form        Form       // what Item is; counts only with it
	Exclude     []string   // fields left out for a message assigned by id
	ByID        bool       // the message was assigned by its id
	DedupKey    message.ID // further key under which a repeat is the same message; zero if none
	// Again says of an entry to be appended that its message has an earlier slot, as logs of other schedulers allow: no key
	// leads to this one. It is not kept.
	Again bool
}

// Head is what the next slot of a process is built on. The zero Head with Next 0 is that of an unknown process.
type Head struct {
	Next       Slot
	Timestamp  int64
	HashChain  message.ID
	Assignment message.ID // id of the last assignment
	Hashpath   string     // that the next assignment is applied to, in an AO-Core process; "" in others
}

// Block is a run of consecutive slots of one process, appended together.
type Block struct {
	Process message.ID
	Epoch   Epoch
	First   Slot
	Entries []Entry
	Head    Head // after the block
}

var (
	ErrFenced   = errors.New("another owner has taken the process over")
	ErrSlotUsed = errors.New("the slot is taken by another message")
	ErrGap      = errors.New("the block does not follow the last slot")
	ErrRepeated = errors.New("the message has a slot already")
	ErrNotFound = errors.New("no such slot")
	// ErrNotStored is what an append fails with, besides its reason, when this very call has stored nothing. It says nothing
	// about an earlier append of the same block.
	ErrNotStored = errors.New("nothing was stored")
)

// Log is the order of messages. Appending the very block that is stored already is no error, so that an append with unknown
// outcome can be repeated; another block for the same slots is refused, also if it has the same messages.
//
// What a log gives out is on disk: a slot whose append has not returned yet is not there.
type Log interface {
	// Append is durable when it returns nil: all blocks of the call or none, at most one for each process. It fails with
	// ErrFenced, ErrSlotUsed, ErrGap or ErrRepeated, in this order; Find tells the slot of the message that has one.
	// A block's slices must not change afterwards. These errors, and those that are ErrNotStored too, say that the call
	// stored nothing; after any other the outcome is unknown until the append is repeated.
	Append(ctx context.Context, blocks ...Block) error
	// Range gives the entries from <= slot < to, or <= from downwards to > to if from > to. Missing slots end it.
	Range(ctx context.Context, p message.ID, from, to Slot) iter.Seq2[Entry, error]
	// Head gives the head of a process; Next is 0 if it has no slot yet.
	Head(ctx context.Context, p message.ID) (Head, error)
	// Find gives the slot of a message id or dedup key in a process, or ErrNotFound.
	Find(ctx context.Context, p, key message.ID) (Slot, error)
	// Processes gives the ids of all processes, in order of their bytes, after the given one.
	Processes(ctx context.Context, after message.ID) iter.Seq2[message.ID, error]
	// Acquire makes the caller the owner of a partition and fences all earlier owners. It waits for appends under way.
	// Until the first one, the epoch of a partition is 0. A partition that does not exist is refused.
	Acquire(ctx context.Context, part Partition) (Epoch, error)
	Close() error
}
