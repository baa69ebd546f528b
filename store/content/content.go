// Package content keeps messages by what they say: under their ids, under hashpaths of which they are the result, and under
// names.
package content

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ago/clock"
	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// Options say where contents are.
type Options struct {
	Tables store.Store
	Blobs  store.Blobs
	// Verify checks the commitments of one message, those of nested messages left out; nil is VerifyCommitments. What it lets
	// pass is found under the ids of these commitments.
	Verify func(context.Context, message.Message) error
	// Memory bounds the bytes of messages that are held in memory beside the tables; 0 is 64 MiB, a negative number none.
	Memory int64
	// Beside are other places on this node where messages are found by id: asked in their order for what the tables do not have,
	// also by Local. They are believed, and what they give is not kept once more.
	Beside []Place
	// Remotes are asked in their order for ids that are not here.
	Remotes []Remote
	// Patience is how long one of the Remotes may take; 0 is 10 seconds.
	Patience time.Duration
	// Absence is how long an id that no Remote has is not asked for again; 0 is 10 seconds.
	Absence time.Duration
	Clock   clock.Clock // nil is the machine's
	Log     *slog.Logger
}

// Contents is where a node keeps messages. It is safe for concurrent use.
type Contents struct {
	tables  store.Store
	blobs   store.Blobs
	verify  func(context.Context, message.Message) error
	memory  *lately
	known   *known
	sources map[string]Source
	beside  []Place
	lent    *lent
	remote  *imports // nil for what is here alone
}

// Place is where messages are found by id.
type Place interface {
	// Fetch gives the message, list or bytes with an id. It fails with NotFound if it has none, and with any other kind if it
	// cannot say.
	Fetch(ctx context.Context, id message.ID) (message.Value, error)
}

// Source gives what stands under names whose first part is its own: computed when it is asked for, not linked.
type Source interface {
	// Read gives the value under a beginning of the path, and how many parts that is; what follows is looked for in the value.
	// It fails with NotFound for a path that it knows nothing of.
	Read(ctx context.Context, path []string) (v message.Value, used int, err error)
	// List gives the names one level below the path, in order.
	List(ctx context.Context, path []string) ([]string, error)
}

// Limits of paths.
const (
	pathMax     = 4096 // bytes
	segmentsMax = 64
)

// New gives the contents that the tables and blobs hold. Both stay the caller's, to be closed after the last use.
func New(o Options) *Contents {
	c := &Contents{tables: o.Tables, blobs: o.Blobs, verify: o.Verify, known: newKnown(), sources: map[string]Source{}, beside: o.Beside}
	if c.verify == nil {
		c.verify = VerifyCommitments
	}
	if o.Memory == 0 {
		o.Memory = 64 << 20
	}
	c.memory = newLately(o.Memory)
	c.lent = newLent(c, LentMax)
	if len(o.Remotes) > 0 {
		c.remote = newImports(o)
	}
	return c
}

// VerifyCommitments checks every commitment of a message, or, if it has none and an id of its own, the signature that it came
// with. It fails with Forged for one that does not hold and with Unsupported for one that cannot be checked here.
func VerifyCommitments(_ context.Context, m message.Message) error {
	if m.Commitments().Len() > 0 {
		_, err := commitment.VerifyEntries(m)
		return err
	}
	if m.ID().IsZero() {
		return nil
	}
	_, err := commitment.Verify(m)
	return err
}

// check verifies a message. Some commitments are over nested messages as a whole, so that links have to be followed.
func (c *Contents) check(ctx context.Context, m message.Message) error {
	if m.Commitments().Len() == 0 && m.ID().IsZero() {
		return nil
	}
	err := c.verify(ctx, m)
	if err == nil || fault.KindOf(err) != fault.Forged {
		return err
	}
	whole, failed := m.Bundle(func(l message.Link) (message.Value, error) { return c.Read(ctx, l.To.String()) })
	if failed != nil || message.Equal(whole, m) {
		return err
	}
	return c.verify(ctx, whole)
}

// Mount gives the names that begin with one part to a source. It is for whoever puts a node together, before the contents are
// used.
func (c *Contents) Mount(first string, s Source) { c.sources[first] = s }

// Local is the same without what other machines keep.
func (c *Contents) Local() device.Contents {
	if c.remote == nil {
		return c
	}
	l := *c
	l.remote = nil
	return &l
}

// Read gives what is kept under a path: an id, a name or hashpath that was linked, the hash of bytes, any of them with keys
// behind it. The longest name that is linked counts. Messages and lists in a message come as links, except lists of few short
// texts and numbers. It fails with NotFound ("content-absent"), Malformed ("path-malformed"), Internal ("content-damaged"), and
// with Unavailable ("content-unavailable") if it is not here and not all that were asked have answered.
func (c *Contents) Read(ctx context.Context, path string) (message.Value, error) {
	parts, err := split(path)
	if err != nil {
		return nil, err
	}
	v, missing, rest, err := c.locate(ctx, parts)
	if !missing.IsZero() && c.remote != nil {
		v, err = c.remote.get(ctx, c, missing)
	}
	if err != nil || len(rest) == 0 {
		return v, err
	}
	return c.walk(ctx, v, rest, path)
}

// dataPrefix stands before the hash of bytes where somebody wants to say that it is one.
const dataPrefix = "data"

// idOf gives the id that a path begins with.
func idOf(parts []string) (id message.ID, is bool) {
	if len(parts) > 1 && parts[0] == dataPrefix {
		parts = parts[1:]
	}
	id, err := message.ParseID(parts[0])
	return id, err == nil
}

// locate finds the longest beginning of a path that something is kept under, and gives what follows it. If that is not here, it
// gives the id that would have to be.
func (c *Contents) locate(ctx context.Context, parts []string) (v message.Value, missing message.ID, rest []string, err error) {
	for n := len(parts); n > 0; n-- {
		id, err := c.target(strings.Join(parts[:n], "/"))
		if err == nil {
			v, missing, err = c.loadOrMiss(ctx, id)
			return v, missing, parts[n:], err
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, message.ID{}, nil, err
		}
		if s := c.sources[parts[0]]; s != nil && n == len(parts) {
			v, used, err := s.Read(ctx, parts[1:])
			if err == nil {
				return v, message.ID{}, parts[1+used:], nil
			}
			if fault.KindOf(err) != fault.NotFound {
				return nil, message.ID{}, nil, err
			}
		}
	}
	id, is := idOf(parts)
	if !is {
		return nil, id, nil, absent(strings.Join(parts, "/"))
	}
	rest = parts[1:]
	if parts[0] == dataPrefix {
		rest = parts[2:]
	}
	v, missing, err = c.loadOrMiss(ctx, id)
	return v, missing, rest, err
}

// loadOrMiss is load; it gives the id if nothing is kept under it here.
func (c *Contents) loadOrMiss(ctx context.Context, id message.ID) (message.Value, message.ID, error) {
	v, err := c.load(ctx, id)
	if err == nil || fault.CodeOf(err) != codeAbsent {
		return v, message.ID{}, err
	}
	for _, p := range c.beside {
		if v, err := p.Fetch(ctx, id); err == nil || fault.KindOf(err) != fault.NotFound {
			return v, message.ID{}, err
		}
	}
	if v, err := c.lent.Fetch(ctx, id); err == nil || fault.KindOf(err) != fault.NotFound {
		return v, message.ID{}, err
	}
	return nil, id, err
}

// walk follows keys into a value, and the links on the way.
func (c *Contents) walk(ctx context.Context, v message.Value, keys []string, path string) (message.Value, error) {
	load := func(l message.Link) (message.Value, error) { return c.Read(ctx, l.To.String()) }
	if l, ok := v.(message.List); ok {
		fs := make([]message.Field, len(l))
		for i, member := range l {
			fs[i] = message.Field{Key: number(i + 1), Value: member}
		}
		v = message.New(fs...)
	}
	m, ok := v.(message.Message)
	if !ok {
		return nil, absent(path)
	}
	if slices.ContainsFunc(keys, message.IsPrivate) {
		return nil, absent(path)
	}
	v, ok, err := m.Find(keys, load)
	if err == nil && !ok {
		err = absent(path)
	}
	return v, err
}

// split checks a path and cuts it into its parts.
func split(path string) ([]string, error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(path) > pathMax || len(parts) > segmentsMax || slices.Contains(parts, "") || strings.ContainsRune(path, 0) {
		return nil, fault.New(fault.Malformed, "path-malformed", "%.100q is no path that something is kept under", path).
			WithHint("a path is an id or a name with keys behind it, joined by single slashes: at most %d parts and %d bytes", segmentsMax, pathMax)
	}
	return parts, nil
}

const codeAbsent = "content-absent"

func absent(path string) error {
	return fault.New(fault.NotFound, codeAbsent, "nothing is kept under %.100s", path).
		WithHint("write it to this node, or name a node that has it")
}

func damaged(cause error, format string, args ...any) error {
	f := fault.New(fault.Internal, "content-damaged", format+" cannot be read", args...)
	f.Cause = cause
	return f.WithHint("check the disk and restore the data from a copy")
}

var _ device.Contents = (*Contents)(nil)
