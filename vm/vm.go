// Package vm says what an engine that evaluates messages is: bytes in, bytes out, gas.
//
// It knows nothing of messages, processes or HTTP. An engine turns a module into instances; an instance
// holds the state of one process and evaluates one message at a time. An evaluation becomes the state only
// by Commit; until then Rollback undoes it.
package vm

import (
	"context"
	"errors"
	"io"
	"time"
)

// Module is a program as published: its bytes and the format its publisher declared (the Module-Format tag).
type Module struct {
	ID     string // the id it was published under, used in logs only
	Format string // e.g. "wasm64-unknown-emscripten-draft_2024_02_15"
	Bytes  []byte
}

// Limits bound one instance. The zero value of a field means the format's own cap.
type Limits struct {
	MemoryMax uint64        // bytes of linear memory; growth past it fails as a failed allocation does
	GasMax    uint64        // per evaluation, metered formats only
	TimeMax   time.Duration // safety net per evaluation; reaching it never decides a result
}

// Input is one message and the environment it is evaluated in, both as the JSON text the module reads.
type Input struct {
	Message []byte
	Env     []byte
	Drive   Drive // what the module may read of the world outside; nil if nothing is attached
}

// Drive is what a module reads of the world outside, as files. What it answers may depend on the message alone: the same
// message finds the same files whenever and wherever it is evaluated. One goroutine calls it at a time.
//
// A *Refused ends the evaluation, as a result. Any other error but ErrNoFile leaves it unfinished.
type Drive interface {
	// Open gives the size in bytes of the file at a path such as /data/<id>, or ErrNoFile, of which the module is told.
	Open(ctx context.Context, path string) (size int64, err error)
	// ReadAt fills b from the file at a path that was opened with this or an earlier message. It gives fewer bytes at the
	// end of the file only.
	ReadAt(ctx context.Context, path string, b []byte, offset int64) (n int, err error)
	// Close is for whoever attached the drive.
	Close() error
}

// Refused is the error of a file that a module may not read on any machine: its evaluation fails with this text.
type Refused struct{ Text string }

func (r *Refused) Error() string { return r.Text }

// Output is what an evaluation that came to an end gave.
type Output struct {
	// Response is the text the module returned. Nil if Failure is set.
	Response []byte
	// Failure is the reason of an evaluation that ended without a response and would end so on every
	// machine: a trap, an exit, exhausted gas. Such an evaluation is a result, and its state is to be rolled back.
	Failure string
	// Gas used by this evaluation; Metered tells whether the format counts gas at all.
	Gas     uint64
	Metered bool
}

// Engine makes instances of modules. It is safe for concurrent use.
type Engine interface {
	// Prepare compiles the module if that was not done before, on this or an earlier run, and reports what is
	// wrong with a module that cannot run: ErrFormat for an unknown format, ErrModule for bytes that are no module.
	Prepare(ctx context.Context, m Module) error
	// New gives an instance in the module's initial state, or ErrLimit if that is larger than the limit.
	New(ctx context.Context, m Module, l Limits) (Instance, error)
	// Restore gives an instance in the state of the last of the snapshots: one full snapshot, then the
	// incremental ones made after it, in order.
	Restore(ctx context.Context, m Module, l Limits, snapshots ...io.Reader) (Instance, error)
	Close() error
}

// MemoryEngine is an engine that can begin with what Instance.Memory wrote, by itself or by another loader.
type MemoryEngine interface {
	// RestoreMemory gives an instance with that linear memory; the state outside it is that of a module that has just started.
	RestoreMemory(ctx context.Context, m Module, l Limits, memory io.Reader) (Instance, error)
}

// Instance is the state of one process. Eval, Commit, Rollback and Close are called by one goroutine at a time; Fork,
// Pin, Snapshot, PinMemory, Memory and Resident may be called at any time by any goroutine and do not wait for an evaluation.
type Instance interface {
	// Eval evaluates one message on the state. An error means that no result came about (ctx ended, the machine
	// lacks memory, the safety net by time closed: ErrUnfinished): the caller rolls back and may try again.
	Eval(ctx context.Context, in Input) (Output, error)
	// Commit makes the last evaluation the state.
	Commit() error
	// Rollback forgets the last evaluation. If it had come to an end, so is refused for its result, state outside the
	// memory starts anew, as it does where an instance is thrown away after an error; otherwise no trace is left.
	Rollback() error
	// Pin holds the committed state and gives what writes it, once, beside whatever is evaluated meanwhile: all of it the
	// first time or if full is asked for or if another one is being written, otherwise what changed since the last snapshot.
	Pin(full bool) (write func(w io.Writer) error, err error)
	// Snapshot pins and writes.
	Snapshot(w io.Writer, full bool) error
	// PinMemory is Pin for what Memory writes.
	PinMemory() (write func(w io.Writer) (int64, error), err error)
	// Memory writes the committed linear memory as one byte string, the form of legacy checkpoints.
	Memory(w io.Writer) (int64, error)
	// Fork gives an instance of its own in the last committed state, without waiting for an evaluation under way.
	Fork(ctx context.Context) (Fork, error)
	// Resident is the number of bytes of machine memory this instance holds, shadow included.
	Resident() int64
	Close() error
}

// Fork evaluates on a copy of an instance's committed state; nothing it does reaches the instance.
type Fork interface {
	// Eval evaluates one message on the copy and undoes it afterwards. One that takes longer than TimeMax is
	// ErrUnfinished: a dry run is not begun anew under a gas limit.
	Eval(ctx context.Context, in Input) (Output, error)
	// Refresh brings the copy to the instance's newest committed state, at a cost that follows what changed.
	Refresh(ctx context.Context) error
	Close() error
}

var (
	ErrFormat     = errors.New("module format is not supported")
	ErrModule     = errors.New("module cannot be compiled")
	ErrLimit      = errors.New("the memory limit is below what the module starts with")
	ErrUnfinished = errors.New("evaluation was stopped by time and is not a result")
	ErrClosed     = errors.New("instance is closed")
	ErrNoFile     = errors.New("there is no such file")
)
