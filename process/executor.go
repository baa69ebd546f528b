package process

import (
	"context"
	"io"

	"ago/message"
)

// Work is one thing that a process evaluates; one of the three is set.
type Work struct {
	Assigned *Assigned // the message of a slot
	Tick     *Tick     // a tick of a timer
	Trial    *Trial    // a message that is tried out
}

// Trial is the unsigned message of a dry run, with the position of the last message that was evaluated.
type Trial struct {
	DryMessage
	Timestamp int64 // ms
	Height    uint64
}

// Height is the block height that the work stands at.
func (w Work) Height() uint64 {
	switch {
	case w.Assigned != nil:
		return w.Assigned.BlockHeight
	case w.Tick != nil:
		return w.Tick.Height
	}
	return w.Trial.Height
}

// JSON is the text that the module of a legacy process is given for the work.
func (w Work) JSON(def Definition) []byte {
	switch {
	case w.Assigned != nil:
		return MessageJSON(def, *w.Assigned)
	case w.Tick != nil:
		return TickJSON(def, *w.Tick)
	}
	return DryRunJSON(def, w.Trial.DryMessage, w.Trial.Timestamp, w.Trial.Height)
}

// Executor is a process in memory: it evaluates its messages one after the other. Eval, Commit, Rollback and Close are called by
// one goroutine at a time; Fork, Pin, State and Resident may be called at any time and do not wait for an evaluation.
type Executor interface {
	// Eval evaluates on the state. An error means that no result came about, since time ended or something was not at hand: the
	// caller rolls back and may try again. What fails on every machine is a result.
	Eval(ctx context.Context, w Work) (Result, error)
	// Commit makes the last evaluation the state.
	Commit() error
	// Rollback forgets the last evaluation.
	Rollback() error
	// Pin holds the committed state and gives what writes it, once, beside the evaluations that follow: all of it the first time
	// or if full is asked for, otherwise what changed since the last time.
	Pin(full bool) (write func(w io.Writer) error, err error)
	// Fork gives a copy of the committed state to try something out on.
	Fork(ctx context.Context) (Fork, error)
	// State is the committed state as a message; empty for a process whose state is a memory.
	State() message.Message
	// Resident is the number of bytes of machine memory that the process holds.
	Resident() int64
	Close() error
}

// Fork evaluates on a copy of a process; nothing it does reaches the process.
type Fork interface {
	// Eval evaluates on the copy and undoes it afterwards.
	Eval(ctx context.Context, w Work) (Result, error)
	// Refresh brings the copy to the newest committed state.
	Refresh(ctx context.Context) error
	Close() error
}
