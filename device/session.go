package device

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"

	"ago/fault"
	"ago/message"
)

// Held is a part of a process's state that its message cannot hold: the memory of a program that runs. What calls did to it
// since the last Commit is undone by Rollback.
type Held interface {
	Commit() error
	Rollback() error
	// Pin holds the committed state and gives what writes it, once, beside the calls that follow: all of it if full is asked
	// for, otherwise what changed since the last time.
	Pin(full bool) (write func(w io.Writer) error, err error)
	Close() error
}

// Forked is a Held that can be copied in its last committed state, so that something is tried out on the copy.
type Forked interface {
	Held
	Fork(ctx context.Context) (Held, error)
}

// Session is what is held beside one state: by a process as long as it is in memory, by any other resolution until it ends.
// Its parts are found by name; a device names them by where in the state it works, so that two in one stack do not meet.
//
// Calls of one session come one after the other; Close may come at any time.
type Session struct {
	mu       sync.Mutex
	parts    map[string]Held
	fresh    map[string]bool     // opened since the last commit
	stored   map[string][][]byte // snapshots of parts that nobody has opened again yet: a full one, then what changed
	saved    map[string]bool     // parts that have been in a snapshot
	uncopied map[string]error    // of a fork: parts that could not be copied, and why
	closed   bool

	derivedMu sync.Mutex // apart, since what opens a part may ask for it
	derived   map[string]derived
}

// derived is what was made of a message.
type derived struct {
	of message.Message
	v  any
}

// Derived gives what make makes of a message, which is the one made before if the message is still the same: what a process is does
// not change from slot to slot. It never counts as state. What make gives must follow from the message alone.
func (s *Session) Derived(name string, of message.Message, make func() (any, error)) (any, error) {
	s.derivedMu.Lock()
	d, ok := s.derived[name]
	s.derivedMu.Unlock()
	if ok && d.of.Same(of) {
		return d.v, nil
	}
	v, err := make()
	if err != nil {
		return nil, err
	}
	s.derivedMu.Lock()
	defer s.derivedMu.Unlock()
	if s.derived == nil {
		s.derived = map[string]derived{}
	}
	s.derived[name] = derived{of, v}
	return v, nil
}

// NewSession gives an empty session, or the one that these snapshots were made of: a full one, then those that followed.
func NewSession(snapshots ...io.Reader) (*Session, error) {
	s := &Session{parts: map[string]Held{}, fresh: map[string]bool{}, stored: map[string][][]byte{}, saved: map[string]bool{}}
	for _, r := range snapshots {
		if err := s.read(bufio.NewReader(r)); err != nil {
			return nil, fault.Wrap(err, fault.Malformed, "session-malformed", "a snapshot of what a process holds cannot be read")
		}
	}
	return s, nil
}

// Hold gives the part of a name. It is opened if it is not there yet: from its snapshots, or anew without any.
func (s *Session) Hold(name string, open func(snapshots ...io.Reader) (Held, error)) (Held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault.New(fault.Unavailable, "session-closed", "what the process holds was given back")
	}
	if h := s.parts[name]; h != nil {
		return h, nil
	}
	if err := s.uncopied[name]; err != nil {
		return nil, err
	}
	stored := s.stored[name]
	readers := make([]io.Reader, len(stored))
	for i, b := range stored {
		readers[i] = bytes.NewReader(b)
	}
	h, err := open(readers...)
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		s.fresh[name] = true
	}
	s.parts[name] = h
	delete(s.stored, name)
	return h, nil
}

// Fork gives a session whose parts are copies of the committed ones as they are now. It is closed by the caller. What cannot be
// copied is missed only by whoever asks for it: "session-unforkable".
func (s *Session) Fork(ctx context.Context) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &Session{
		parts: map[string]Held{}, fresh: map[string]bool{}, saved: map[string]bool{}, stored: maps.Clone(s.stored), uncopied: map[string]error{},
	}
	for name, h := range s.parts {
		if s.fresh[name] {
			continue // not committed
		}
		from, ok := h.(Forked)
		if !ok {
			f.uncopied[name] = fault.New(fault.Unsupported, "session-unforkable", "nothing can be tried out on %s of this process", name)
			continue
		}
		if f.parts[name], f.uncopied[name] = from.Fork(ctx); f.uncopied[name] != nil {
			delete(f.parts, name)
		}
	}
	return f
}

// Resident is the number of bytes of machine memory that the parts say they hold.
func (s *Session) Resident() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	for _, h := range s.parts {
		if r, ok := h.(interface{ Resident() int64 }); ok {
			n += r.Resident()
		}
	}
	return n
}

// Commit makes what was done since the last one the state.
func (s *Session) Commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.fresh)
	return s.each(Held.Commit)
}

// Rollback undoes what was done since the last commit.
func (s *Session) Rollback() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for name := range s.fresh {
		errs = append(errs, s.parts[name].Close())
		delete(s.parts, name)
	}
	clear(s.fresh)
	return errors.Join(append(errs, s.each(Held.Rollback))...)
}

func (s *Session) each(do func(Held) error) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.parts)) {
		errs = append(errs, do(s.parts[name]))
	}
	return errors.Join(errs...)
}

// Pin holds the committed state of all parts and gives what writes it, once: all of it, or what changed since the last time.
func (s *Session) Pin(full bool) (write func(w io.Writer) error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var writes []func(io.Writer) error
	for _, name := range slices.Sorted(maps.Keys(s.stored)) {
		// Not opened since it was restored: what is stored is its state.
		for i, b := range s.stored[name] {
			if full || !s.saved[name] {
				writes = append(writes, func(w io.Writer) error { return writePart(w, name, i == 0, b) })
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.parts)) {
		if s.fresh[name] {
			continue // not committed
		}
		whole := full || !s.saved[name]
		part, err := s.parts[name].Pin(whole)
		if err != nil {
			for _, give := range writes {
				err = errors.Join(err, give(io.Discard)) // what is pinned is let go of by writing it
			}
			return nil, err
		}
		s.saved[name] = true
		writes = append(writes, func(w io.Writer) error {
			var b bytes.Buffer
			if err := part(&b); err != nil {
				return err
			}
			return writePart(w, name, whole, b.Bytes())
		})
	}
	return func(w io.Writer) error {
		var failed error
		for _, write := range writes {
			to := w
			if failed != nil {
				to = io.Discard
			}
			failed = errors.Join(failed, write(to))
		}
		return failed
	}, nil
}

func writePart(w io.Writer, name string, full bool, b []byte) error {
	head := binary.AppendUvarint(nil, uint64(len(name)))
	head = append(head, name...)
	if full {
		head = append(head, 1)
	} else {
		head = append(head, 0)
	}
	head = binary.AppendUvarint(head, uint64(len(b)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

const (
	partNameMax = 1 << 10
	partMax     = 64 << 30
)

func (s *Session) read(r *bufio.Reader) error {
	for {
		n, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || n > partNameMax {
			return errors.Join(err, errors.New("the name of a part is too long"))
		}
		name := make([]byte, n)
		if _, err := io.ReadFull(r, name); err != nil {
			return err
		}
		full, err := r.ReadByte()
		if err != nil {
			return err
		}
		size, err := binary.ReadUvarint(r)
		if err != nil || size > partMax {
			return errors.Join(err, errors.New("a part is too large"))
		}
		var b bytes.Buffer // grows with what there is, whatever size says
		if _, err := io.CopyN(&b, r, int64(size)); err != nil {
			return err
		}
		if full == 1 {
			s.stored[string(name)] = nil
		}
		s.stored[string(name)] = append(s.stored[string(name)], b.Bytes())
		s.saved[string(name)] = true
	}
}

// Close gives back all parts. It may be called more than once.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	err := s.each(Held.Close)
	clear(s.parts)
	clear(s.stored)
	return err
}

type sessionKey struct{}

// WithSession lets the calls of a resolution find a session.
func WithSession(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// Session is what is held for the resolution that the call is part of. Nil if whoever resolves offers none: then a device opens
// what it needs itself and closes it before it answers.
func (c *Call) Session() *Session {
	s, _ := c.Value(sessionKey{}).(*Session)
	return s
}
