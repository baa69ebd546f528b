package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"ago/message"
)

// tally is a Held that counts: its snapshots are what it came to, or what was added since the last.
type tally struct {
	now, committed, saved int
	closed                bool
}

func (c *tally) Commit() error   { c.committed = c.now; return nil }
func (c *tally) Rollback() error { c.now = c.committed; return nil }
func (c *tally) Close() error    { c.closed = true; return nil }

func (c *tally) Pin(full bool) (func(io.Writer) error, error) {
	n := c.committed
	if !full {
		n -= c.saved
	}
	c.saved = c.committed
	return func(w io.Writer) error { _, err := fmt.Fprint(w, n); return err }, nil
}

func (c *tally) Fork(context.Context) (Held, error) {
	return &tally{now: c.committed, committed: c.committed}, nil
}

func openTally(snapshots ...io.Reader) (Held, error) {
	c := &tally{}
	for _, r := range snapshots {
		var n int
		if _, err := fmt.Fscan(r, &n); err != nil {
			return nil, err
		}
		c.now += n
	}
	c.committed, c.saved = c.now, c.now
	return c, nil
}

func add(t *testing.T, s *Session, name string, n int) int {
	t.Helper()
	h, err := s.Hold(name, openTally)
	if err != nil {
		t.Fatal(err)
	}
	h.(*tally).now += n
	return h.(*tally).now
}

func session(t *testing.T, snapshots ...*bytes.Buffer) *Session {
	t.Helper()
	var rs []io.Reader
	for _, b := range snapshots {
		rs = append(rs, bytes.NewReader(b.Bytes()))
	}
	s, err := NewSession(rs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSessions(t *testing.T) {
	s := session(t)
	add(t, s, "a", 1)
	must(t, s.Rollback())
	if got := add(t, s, "a", 2); got != 2 {
		t.Errorf("a part that was opened by what is undone goes on with %d", got)
	}
	must(t, s.Commit())
	var full, second, third bytes.Buffer
	must(t, snapshot(s, &full, true))
	add(t, s, "a", 3)
	add(t, s, "b", 10)
	must(t, s.Commit())
	add(t, s, "b", 5)
	must(t, snapshot(s, &second, false))
	must(t, s.Rollback())

	f := s.Fork(t.Context())
	if got := add(t, f, "b", 100); got != 110 {
		t.Errorf("the copy has %d", got)
	}
	if got := add(t, s, "b", 0); got != 10 {
		t.Errorf("what was tried on a copy reaches the original: %d", got)
	}
	must(t, f.Close())

	r := session(t, &full, &second)
	if got := add(t, r, "a", 1); got != 6 {
		t.Errorf("a comes back as %d", got)
	}
	must(t, r.Commit())
	must(t, snapshot(r, &third, false)) // b was not opened
	r = session(t, &full, &second, &third)
	if a, b := add(t, r, "a", 0), add(t, r, "b", 0); a != 6 || b != 10 {
		t.Errorf("they come back as %d and %d", a, b)
	}

	r = session(t, &full, &second)
	var again bytes.Buffer
	must(t, snapshot(r, &again, true)) // nothing was opened
	if got := add(t, session(t, &again), "a", 0); got != 5 {
		t.Errorf("a comes back as %d", got)
	}

	must(t, s.Close())
	if _, err := s.Hold("a", openTally); err == nil {
		t.Error("a closed session opens parts")
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte("\x01a\x01\x0212"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewSession(bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := snapshot(s, &out, true); err != nil {
			t.Fatal(err)
		}
		if _, err := NewSession(&out); err != nil {
			t.Fatal(err)
		}
	})
}

// snapshot pins and writes.
func snapshot(s interface {
	Pin(full bool) (func(io.Writer) error, error)
}, w io.Writer, full bool) error {
	write, err := s.Pin(full)
	if err != nil {
		return err
	}
	return write(w)
}

// TestWhatFollowsFromAMessageIsMadeOnce: and anew for any other, or if it could not be made.
func TestWhatFollowsFromAMessageIsMadeOnce(t *testing.T) {
	s, err := NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := message.New(message.Field{Key: "a", Value: message.Int(1)}), message.New(message.Field{Key: "a", Value: message.Int(2)})
	made, refuse := 0, errors.New("not now")
	get := func(m message.Message, fail error) (any, error) {
		return s.Derived("n", m, func() (any, error) {
			made++
			v, _ := m.Get("a")
			return v, fail
		})
	}
	for i, c := range []struct {
		m    message.Message
		fail error
		want message.Int
		made int
	}{{a, refuse, 0, 1}, {a, nil, 1, 2}, {a, refuse, 1, 2}, {b, refuse, 0, 3}, {a, nil, 1, 3}, {b, nil, 2, 4}, {b, nil, 2, 4}, {a, nil, 1, 5}, {message.New(message.Field{Key: "a", Value: message.Int(1)}), nil, 1, 6}} {
		v, err := get(c.m, c.fail)
		if c.want == 0 {
			if !errors.Is(err, refuse) {
				t.Errorf("%d: %v", i, err)
			}
		} else if err != nil || v != message.Value(c.want) {
			t.Errorf("%d: %v, %v", i, v, err)
		}
		if made != c.made {
			t.Errorf("%d: made %d times, want %d", i, made, c.made)
		}
	}
}
