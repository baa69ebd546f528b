// Package checkpoint keeps whole memories of processes as legacy compute units do, in files and on Arweave, so that units of
// every make can go on from them.
package checkpoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"ago/compute"
	"ago/fault"
	"ago/process"
	"ago/slotlog"
)

// All asks several places, and hands memories to each of them.
type All []compute.Memories

// Find gives what all places have.
func (all All) Find(ctx context.Context, def process.Definition, before slotlog.Slot) ([]compute.Memory, error) {
	var found []compute.Memory
	var errs []error
	for _, m := range all {
		f, err := m.Find(ctx, def, before)
		found, errs = append(found, f...), append(errs, err)
	}
	return found, errors.Join(errs...)
}

// Keep gives the memory to every place at once. The slowest sets the pace; one that fails does not hinder the others.
func (all All) Keep(ctx context.Context, at compute.Position, memory io.Reader) error {
	errs := make(chan error, len(all))
	writers := make([]*io.PipeWriter, len(all))
	for i, m := range all {
		var r *io.PipeReader
		r, writers[i] = io.Pipe()
		go func() {
			err := m.Keep(ctx, at, r)
			r.CloseWithError(errDropped)
			errs <- err
		}()
	}
	_, err := io.Copy(spread(writers), memory)
	for _, w := range writers {
		w.CloseWithError(err) // nil is the end
	}
	failed := []error{err}
	for range all {
		failed = append(failed, <-errs)
	}
	return errors.Join(failed...)
}

var errDropped = errors.New("nobody reads on")

// spread writes to all who still read.
type spread []*io.PipeWriter

func (s spread) Write(p []byte) (int, error) {
	for _, w := range s {
		if _, err := w.Write(p); err != nil && !errors.Is(err, errDropped) {
			return 0, err
		}
	}
	return len(p), nil
}

// checked reads bytes of which size and SHA-256 are known. It ends in an error if they are others.
type checked struct {
	r    io.Reader
	hash hash.Hash
	want []byte
	io.Closer
}

func newChecked(r io.Reader, want []byte, c io.Closer) *checked {
	return &checked{r: r, hash: sha256.New(), want: want, Closer: c}
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.hash.Write(p[:n])
	if err == io.EOF && string(c.hash.Sum(nil)) != string(c.want) {
		return n, fault.New(fault.Forged, "checkpoint-damaged", "the memory's SHA-256 is %x, not %x", c.hash.Sum(nil), c.want)
	}
	return n, err
}
