package luabridge

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"

	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/vm"
	"ago/vm/lua"
)

// sourceMax bounds the text of a program in a snapshot, in bytes.
const sourceMax = 64 << 20

// State is a Lua program that runs: a device.Held. Calls, Commit, Rollback and Close come one after the other; Snapshot and Fork
// may come at any time.
type State struct {
	engine  vm.Engine
	limits  vm.Limits
	source  []byte
	pending bool // there is a call to commit or undo

	mu sync.Mutex // of what follows
	at vm.Instance

	// A second call before Commit: the state of before the first is kept, so that both can be undone.
	undo     *bytes.Buffer
	replaced bool // the instance is another one than the last snapshot was made of
}

// Open gives a program, in the state of its snapshots if there are any, else as its text leaves it. A text that cannot be run
// is a *Thrown.
func Open(ctx context.Context, e vm.Engine, l vm.Limits, source []byte, snapshots ...io.Reader) (*State, error) {
	s := &State{engine: e, limits: l, source: source}
	if len(snapshots) == 0 {
		var err error
		s.at, err = e.New(ctx, s.module(), l)
		return s, failedToStart(err)
	}
	var parts []io.Reader
	for _, r := range snapshots {
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if len(b) == 0 {
			return nil, errSnapshot
		}
		rest := b[1:]
		if b[0] == snapshotFull {
			n, used := binary.Uvarint(rest)
			if used <= 0 || n > sourceMax || n > uint64(len(rest)-used) {
				return nil, errSnapshot
			}
			s.source, rest, parts = rest[used:used+int(n)], rest[used+int(n):], nil
		}
		parts = append(parts, bytes.NewReader(rest))
	}
	var err error
	s.at, err = e.Restore(ctx, s.module(), l, parts...)
	return s, failedToStart(err)
}

// Once gives a program for a few calls, that shares nothing: so the texts of strangers take no memory when they have been called.
func Once(ctx context.Context, e vm.Engine, l vm.Limits, source []byte) (*State, error) {
	s := &State{engine: e, limits: l, source: []byte("-- the texts come by themselves")}
	var err error
	if s.at, err = e.New(ctx, s.module(), l); err != nil {
		return nil, err
	}
	m := lua.MachineOf(s.at, nil)
	if _, err = m.Load(ctx, source, "=lua"); err == nil {
		return s, nil
	}
	var failed *lua.Error
	switch {
	case errors.As(err, &failed):
		text, trace, _ := strings.Cut(failed.Text, "\n")
		err = &Thrown{Value: message.Bytes(text), Trace: Frames(trace)}
	case errors.Is(err, lua.ErrEnded):
		err = ended(err)
	}
	return nil, errors.Join(err, s.at.Close())
}

func ended(err error) error {
	return fault.New(fault.TooLarge, "lua-ended", "%v", err).WithHint("a call may use up to %d gas: about as many instructions", lua.GasMax)
}

var errSnapshot = fault.New(fault.Malformed, "lua-snapshot-malformed", "the snapshot of a Lua program is not whole")

// What a snapshot begins with.
const (
	snapshotChange byte = iota
	snapshotFull        // the text of the program follows
)

func (s *State) module() vm.Module {
	return vm.Module{ID: "lua", Format: lua.MessagesFormat, Bytes: s.source}
}

// failedToStart tells a text that fails from an engine that does.
func failedToStart(err error) error {
	if err == nil || !errors.Is(err, vm.ErrModule) {
		return err
	}
	text, trace, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	text = bytes.TrimPrefix(text, []byte(vm.ErrModule.Error()+": "))
	return &Thrown{Value: message.Bytes(text), Trace: Frames(string(trace))}
}

// Thrown is an error that a program did not catch: what it threw, and the frames that led there.
type Thrown struct {
	Value message.Value
	Trace []string
}

func (e *Thrown) Error() string { return ThrownText(e.Value) }

// Call calls a global function. Results that equal the arguments at their place are those: the first is compared with the first.
func (s *State) Call(ctx context.Context, hosts map[string]lua.Host, function string, args []message.Value) ([]message.Value, error) {
	if s.pending {
		if err := s.settle(); err != nil {
			return nil, err
		}
	}
	s.pending = true
	return call(ctx, s.at, hosts, function, args)
}

func call(ctx context.Context, on lua.Evaluator, hosts map[string]lua.Host, function string, args []message.Value) ([]message.Value, error) {
	values, err := AppendList(make([]byte, 0, 1024), args)
	if err != nil {
		return nil, err
	}
	r, err := lua.EvalRaw(ctx, on, hosts, function, values)
	var thrown *lua.Uncaught
	switch {
	case errors.As(err, &thrown):
		return nil, thrownOf(thrown.Values)
	case errors.Is(err, lua.ErrEnded):
		return nil, ended(err)
	case err != nil:
		return nil, err
	}
	return ReadList(r.Value, args)
}

func thrownOf(b []byte) error {
	values, err := ReadList(b, nil)
	if err != nil || len(values) == 0 {
		return &Thrown{Value: message.Bytes("not enough memory")}
	}
	t := &Thrown{Value: values[0]}
	if t.Value == nil {
		t.Value = message.Bytes("nil")
	}
	if len(values) > 1 {
		text, _ := device.Text(values[1])
		t.Trace = Frames(text)
	}
	return t
}

// settle lets another call follow one that is not committed yet.
func (s *State) settle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.undo == nil {
		undo := &bytes.Buffer{}
		if err := s.at.Snapshot(undo, true); err != nil {
			return err
		}
		s.undo, s.replaced = undo, true
	}
	return s.at.Commit()
}

// Commit makes what calls did the state.
func (s *State) Commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undo = nil
	if !s.pending {
		return nil
	}
	s.pending = false
	return s.at.Commit()
}

// Rollback undoes what calls did since the last Commit.
func (s *State) Rollback() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.undo == nil {
		if !s.pending {
			return nil
		}
		s.pending = false
		return s.at.Rollback()
	}
	undo := bytes.NewReader(s.undo.Bytes())
	s.undo, s.pending, s.replaced = nil, false, true // the instance is another one than the snapshots were made of
	back, err := s.engine.Restore(context.Background(), s.module(), s.limits, undo)
	if err != nil {
		return err
	}
	err = s.at.Close()
	s.at = back
	return err
}

// Snapshot writes the committed state: all of it with the program's text, or what changed since the last one.
func (s *State) Snapshot(w io.Writer, full bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := []byte{snapshotChange}
	if full = full || s.replaced; full {
		head = binary.AppendUvarint([]byte{snapshotFull}, uint64(len(s.source)))
		head = append(head, s.source...)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	if s.undo != nil { // between two calls of one message: what is committed is that of before the first
		_, err := w.Write(s.undo.Bytes())
		return err
	}
	s.replaced = false
	return s.at.Snapshot(w, full)
}

// Resident is the number of bytes of machine memory that the program holds.
func (s *State) Resident() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.Resident()
}

// Close gives the program up.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.Close()
}

// Fork gives a copy on which calls are tried out: each begins with the state that is committed.
func (s *State) Fork(ctx context.Context) (device.Held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.undo != nil { // the instance has gone on from what is committed
		at, err := s.engine.Restore(ctx, s.module(), s.limits, bytes.NewReader(s.undo.Bytes()))
		return &State{engine: s.engine, limits: s.limits, source: s.source, at: at}, err
	}
	f, err := s.at.Fork(ctx)
	if err != nil {
		return nil, err
	}
	return &Trial{f}, nil
}

// Trial is a copy of a State: a device.Held whose calls leave nothing behind.
type Trial struct{ fork vm.Fork }

// Call is State.Call on the copy.
func (t *Trial) Call(ctx context.Context, hosts map[string]lua.Host, function string, args []message.Value) ([]message.Value, error) {
	return call(ctx, t.fork, hosts, function, args)
}

// Commit has nothing to do.
func (t *Trial) Commit() error { return nil }

// Rollback has nothing to do.
func (t *Trial) Rollback() error { return nil }

// Snapshot fails: a copy is not kept.
func (t *Trial) Snapshot(io.Writer, bool) error {
	return fault.New(fault.Unsupported, "lua-trial-unkept", "a copy for trying something out is not kept")
}

// Close gives the copy up.
func (t *Trial) Close() error { return t.fork.Close() }
