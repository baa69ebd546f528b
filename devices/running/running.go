// Package running keeps the programs that devices run as long as the process they belong to.
package running

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"ago/device"
	"ago/fault"
	"ago/vm"
)

// Evaluator is a program that evaluates: a Program or a Trial.
type Evaluator interface {
	Eval(ctx context.Context, in vm.Input) (vm.Output, error)
	// Drop undoes the last evaluation alone.
	Drop() error
}

// Source says where the module of a program comes from.
type Source struct {
	Engine vm.Engine
	Limits func() vm.Limits // asked once, when the program is opened
	// Module gives the module; it is not asked where a snapshot holds it.
	Module func() (vm.Module, error)
	// Keep puts the module's bytes into full snapshots, so that the program comes back without the module being at hand.
	Keep bool
}

// Program is a program that runs: a device.Held. Eval, Drop, Commit, Rollback and Close come one after the other; Pin, Fork
// and Resident may come at any time.
type Program struct {
	engine  vm.Engine
	limits  vm.Limits
	module  vm.Module
	keep    bool
	pending bool // there is an evaluation to commit or undo

	mu sync.Mutex // of what follows
	at *shared
	// undo is the state of before the first of several evaluations since the last Commit, so that all can be undone.
	undo     *bytes.Buffer
	replaced bool // the instance is another one than the last snapshot was made of
}

// Hold gives the program that a session holds under a name, and opens it if there is none.
func Hold(c *device.Call, name string, s Source) (Evaluator, error) {
	h, err := c.Session().Hold(name, func(snapshots ...io.Reader) (device.Held, error) {
		p, err := Open(c, s, snapshots...)
		if err != nil {
			return nil, err
		}
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	p, ok := h.(Evaluator)
	if !ok {
		return nil, fault.New(fault.Internal, "session-mistaken", "the process holds something else under %s", name)
	}
	return p, nil
}

// Open gives a program, in the state of its snapshots if there are any, else as its module begins.
func Open(ctx context.Context, s Source, snapshots ...io.Reader) (*Program, error) {
	p := &Program{engine: s.Engine, limits: s.Limits(), keep: s.Keep}
	var err error
	if len(snapshots) == 0 {
		if p.module, err = s.Module(); err != nil {
			return nil, err
		}
		return p.begin(p.engine.New(ctx, p.module, p.limits))
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
		if b[0] != snapshotChange {
			if rest, err = p.readModule(b[0], rest, s); err != nil {
				return nil, err
			}
			parts = nil
		}
		parts = append(parts, bytes.NewReader(rest))
	}
	if p.module.Format == "" {
		return nil, errSnapshot
	}
	return p.begin(p.engine.Restore(ctx, p.module, p.limits, parts...))
}

func (p *Program) begin(at vm.Instance, err error) (*Program, error) {
	if err != nil {
		return nil, err
	}
	p.at = &shared{Instance: at}
	return p, nil
}

var errSnapshot = fault.New(fault.Malformed, "program-snapshot-malformed", "the snapshot of a program is not whole")

// What a snapshot begins with.
const (
	snapshotChange byte = iota
	snapshotKept        // all of the state; format and bytes of the module come first
	snapshotNamed       // all of the state; the hash of the module comes first
)

// moduleMax bounds a module in a snapshot, in bytes.
const moduleMax = 64 << 20

func (p *Program) readModule(kind byte, b []byte, s Source) (rest []byte, err error) {
	text := func() []byte {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > moduleMax || n > uint64(len(b)-used) {
			err = errSnapshot
			return nil
		}
		out := b[used : used+int(n)]
		b = b[used+int(n):]
		return out
	}
	switch kind {
	case snapshotKept:
		p.module = vm.Module{Format: string(text())}
		p.module.Bytes = text()
	case snapshotNamed:
		hash := text()
		if err == nil {
			p.module, err = s.Module()
		}
		if sum := sha256.Sum256(p.module.Bytes); err == nil && !bytes.Equal(sum[:], hash) {
			err = fault.New(fault.Malformed, "program-replaced", "the process was begun with another module than it names now")
		}
	default:
		err = errSnapshot
	}
	return b, err
}

func (p *Program) head() []byte {
	put := func(b []byte, text []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(text))), text...) }
	if p.keep {
		return put(put([]byte{snapshotKept}, []byte(p.module.Format)), p.module.Bytes)
	}
	sum := sha256.Sum256(p.module.Bytes)
	return put([]byte{snapshotNamed}, sum[:])
}

// Eval evaluates on what earlier evaluations since the last Commit have left.
func (p *Program) Eval(ctx context.Context, in vm.Input) (vm.Output, error) {
	if p.pending {
		if err := p.settle(); err != nil {
			return vm.Output{}, err
		}
	}
	p.pending = true
	return p.at.Eval(ctx, in)
}

// settle lets another evaluation follow one that is not committed yet.
func (p *Program) settle() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.undo == nil {
		undo := &bytes.Buffer{}
		if err := p.at.Snapshot(undo, true); err != nil {
			return err
		}
		p.undo, p.replaced = undo, true
	}
	return p.at.Commit()
}

// Drop undoes the last evaluation alone.
func (p *Program) Drop() error {
	if !p.pending {
		return nil
	}
	p.pending = false
	return p.at.Rollback()
}

// Commit makes what was evaluated the state.
func (p *Program) Commit() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.undo = nil
	if !p.pending {
		return nil
	}
	p.pending = false
	return p.at.Commit()
}

// Rollback undoes what was evaluated since the last Commit.
func (p *Program) Rollback() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.undo == nil {
		if !p.pending {
			return nil
		}
		p.pending = false
		return p.at.Rollback()
	}
	undo := bytes.NewReader(p.undo.Bytes())
	p.undo, p.pending, p.replaced = nil, false, true // the instance is another one than the snapshots were made of
	back, err := p.engine.Restore(context.Background(), p.module, p.limits, undo)
	if err != nil {
		return err
	}
	err = p.at.leave()
	p.at = &shared{Instance: back}
	return err
}

// Pin holds the committed state and gives what writes it, once: all of it, or what changed since the last time.
func (p *Program) Pin(full bool) (write func(w io.Writer) error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	full = full || p.replaced
	head := []byte{snapshotChange}
	if full {
		head = p.head()
	}
	if p.undo != nil { // between two evaluations of one message: what is committed is that of before the first
		undo := p.undo.Bytes()
		return func(w io.Writer) error { return writeAll(w, head, undo) }, nil
	}
	at := p.at
	rest, err := at.Pin(full)
	if err != nil {
		return nil, err
	}
	p.replaced = false
	at.writing++
	return func(w io.Writer) error {
		err := writeAll(w, head)
		if err != nil {
			w = io.Discard // what is pinned is let go of by writing it
		}
		err = errors.Join(err, rest(w))
		p.mu.Lock()
		defer p.mu.Unlock()
		at.writing--
		return errors.Join(err, at.closeUnused())
	}, nil
}

func writeAll(w io.Writer, parts ...[]byte) error {
	for _, b := range parts {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// shared is an instance that a snapshot may still be written of when the program has gone on with another one.
type shared struct {
	vm.Instance
	writing int
	left    bool
}

// leave gives the instance up: at once, or when all is written.
func (s *shared) leave() error {
	s.left = true
	return s.closeUnused()
}

func (s *shared) closeUnused() error {
	if !s.left || s.writing > 0 {
		return nil
	}
	return s.Instance.Close()
}

// Resident is the number of bytes of machine memory that the program holds.
func (p *Program) Resident() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at.Resident()
}

// Close gives the program up.
func (p *Program) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at.leave()
}

// Fork gives a copy on which messages are tried out: each begins with the state that is committed.
func (p *Program) Fork(ctx context.Context) (device.Held, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.undo != nil { // the instance has gone on from what is committed
		at, err := p.engine.Restore(ctx, p.module, p.limits, bytes.NewReader(p.undo.Bytes()))
		if err != nil {
			return nil, err
		}
		return &Program{engine: p.engine, limits: p.limits, module: p.module, keep: p.keep, at: &shared{Instance: at}}, nil
	}
	f, err := p.at.Fork(ctx)
	if err != nil {
		return nil, err
	}
	return &Trial{f}, nil
}

// Trial is a copy of a Program: a device.Held on which evaluations leave nothing behind.
type Trial struct{ fork vm.Fork }

// Eval evaluates on the copy.
func (t *Trial) Eval(ctx context.Context, in vm.Input) (vm.Output, error) {
	return t.fork.Eval(ctx, in)
}

// Drop has nothing to do.
func (t *Trial) Drop() error { return nil }

// Commit has nothing to do.
func (t *Trial) Commit() error { return nil }

// Rollback has nothing to do.
func (t *Trial) Rollback() error { return nil }

// Pin fails: a copy is not kept.
func (t *Trial) Pin(bool) (func(io.Writer) error, error) {
	return nil, fault.New(fault.Unsupported, "trial-unkept", "a copy for trying something out is not kept")
}

// Close gives the copy up.
func (t *Trial) Close() error { return t.fork.Close() }

// Memory writes the committed linear memory as one byte string.
func (p *Program) Memory(w io.Writer) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at.Memory(w)
}
