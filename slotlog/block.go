package slotlog

import (
	"bytes"

	"ago/fault"
	"ago/message"
)

// Check refuses blocks that contradict themselves: no entries, slots that do not follow one another, a foreign process, a
// head that is not the one after the block, two blocks of one process. It says nothing about what is stored.
func Check(blocks ...Block) error {
	seen := make(map[message.ID]bool, len(blocks))
	for i := range blocks {
		b := &blocks[i]
		if seen[b.Process] || len(b.Entries) == 0 || b.Head.Next != b.First+Slot(len(b.Entries)) || b.Head.Next < b.First {
			return malformed(b, b.First)
		}
		seen[b.Process] = true
		for j := range b.Entries {
			if e := &b.Entries[j]; e.Process != b.Process || e.Slot != b.First+Slot(j) || e.Message.IsZero() {
				return malformed(b, b.First+Slot(j))
			}
		}
	}
	return nil
}

func malformed(b *Block, s Slot) error {
	return fault.New(fault.Internal, "block-malformed", "the block from slot %d of process %s contradicts itself at slot %d",
		b.First, b.Process, s)
}

// CheckPartition refuses a number that is no partition.
func CheckPartition(part Partition) error {
	if part >= Partitions {
		return fault.New(fault.Internal, "partition-unknown", "there is no partition %d", part)
	}
	return nil
}

// Repeats tells whether the entry says the same as one that is stored: another entry in its slot would be a second truth.
// A signed form that only one of them has makes no difference.
func (e *Entry) Repeats(stored *Entry) bool {
	return e.Process == stored.Process && e.Slot == stored.Slot && e.Message == stored.Message &&
		e.Timestamp == stored.Timestamp && e.HashChain == stored.HashChain && e.Hashpath == stored.Hashpath &&
		(e.Assignment == nil || stored.Assignment == nil || bytes.Equal(e.Assignment, stored.Assignment))
}

// Keys gives the ids under which a repeat of the entry's message is found.
func (e *Entry) Keys() []message.ID {
	if e.Again {
		return nil
	}
	if e.DedupKey.IsZero() || e.DedupKey == e.Message {
		return []message.ID{e.Message}
	}
	return []message.ID{e.Message, e.DedupKey}
}

// Refuse says which slot a log refused and why; reason is one of this package's errors.
func Refuse(reason error, p message.ID, s Slot) error {
	kind, code := fault.Conflict, "slot-used"
	switch reason {
	case ErrFenced:
		kind, code = fault.Unavailable, "owner-changed" // another node goes on, so asking again helps
	case ErrGap:
		code = "slot-gap"
	case ErrRepeated:
		code = "message-repeated"
	}
	return fault.Wrap(reason, kind, code, "slot %d of process %s", s, p)
}

// NotStored makes an error ErrNotStored, too. Its text, kind and cause stay.
func NotStored(err error) error {
	if err == nil {
		return nil
	}
	return notStored{err}
}

type notStored struct{ error }

func (notStored) Is(target error) bool { return target == ErrNotStored }

func (e notStored) Unwrap() error { return e.error }
