package compute

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"ago/vm"
)

// counting is an engine whose programs add up the numbers they are sent: small enough to count what it is asked to do and
// to fail when told.
type counting struct {
	evals, news, restores, open atomic.Int64
	fail                        atomic.Int64 // the next evaluations that come to no end
	mu                          sync.Mutex
	gate                        chan struct{} // when set, evaluations wait for it
	blocked                     map[string]chan struct{}
}

// block lets messages with this data wait, until the channel is closed or they are stopped.
func (e *counting) block(data string, until chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.blocked == nil {
		e.blocked = map[string]chan struct{}{}
	}
	e.blocked[data] = until
}

type counter struct {
	e                *counting
	mu               sync.Mutex
	sum, next, saved int64
	closed           bool
}

func (e *counting) Prepare(context.Context, vm.Module) error { return nil }
func (e *counting) Close() error                             { return nil }

func (e *counting) New(_ context.Context, m vm.Module, l vm.Limits) (vm.Instance, error) {
	if l.MemoryMax < 10 {
		return nil, vm.ErrLimit
	}
	if m.Format != "counting" {
		return nil, vm.ErrFormat
	}
	e.news.Add(1)
	e.open.Add(1)
	return &counter{e: e}, nil
}

func (e *counting) Restore(_ context.Context, _ vm.Module, _ vm.Limits, rs ...io.Reader) (vm.Instance, error) {
	c := &counter{e: e}
	for i, r := range rs {
		b, err := io.ReadAll(r)
		if err != nil || len(b) != 9 || (i == 0) != (b[0] == 'F') {
			return nil, errors.New("damaged snapshot")
		}
		n := int64(binary.BigEndian.Uint64(b[1:]))
		if b[0] == 'F' {
			c.sum = n
		} else {
			c.sum += n
		}
	}
	c.next, c.saved = c.sum, c.sum
	e.restores.Add(1)
	e.open.Add(1)
	return c, nil
}

func (c *counter) run(ctx context.Context, in vm.Input, sum int64) (vm.Output, int64, error) {
	c.e.mu.Lock()
	gate := c.e.gate
	c.e.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if c.e.fail.Load() > 0 {
		c.e.fail.Add(-1)
		return vm.Output{}, sum, vm.ErrUnfinished
	}
	var m struct {
		Data string
		Cron bool
	}
	if err := json.Unmarshal(in.Message, &m); err != nil {
		return vm.Output{}, sum, err
	}
	c.e.mu.Lock()
	blocked := c.e.blocked[m.Data]
	c.e.mu.Unlock()
	if blocked != nil {
		select {
		case <-blocked:
		case <-ctx.Done():
			return vm.Output{}, sum, vm.ErrUnfinished
		}
	}
	c.e.evals.Add(1)
	var n int64
	switch {
	case m.Data == "trap":
		return vm.Output{Failure: "unreachable"}, sum + 1000, nil
	case strings.HasPrefix(m.Data, "error"):
		return vm.Output{Response: []byte(`{"ok":true,"response":{"Error":"told to"}}`)}, sum + 1000, nil
	case m.Cron:
		n = 1
	default:
		fmt.Sscan(m.Data, &n)
	}
	return vm.Output{Response: fmt.Appendf(nil, `{"ok":true,"response":{"Output":"%d","Messages":[]}}`, sum+n)}, sum + n, nil
}

func (c *counter) Eval(ctx context.Context, in vm.Input) (out vm.Output, err error) {
	c.mu.Lock()
	sum := c.sum
	c.mu.Unlock()
	out, c.next, err = c.run(ctx, in, sum)
	return out, err
}

func (c *counter) Commit() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum = c.next
	return nil
}

func (c *counter) Rollback() error { c.next = c.sum; return nil }

func (c *counter) Pin(full bool) (func(io.Writer) error, error) {
	b := []byte{'D'}
	n := c.sum - c.saved
	if full {
		b[0], n = 'F', c.sum
	}
	c.saved = c.sum
	b = binary.BigEndian.AppendUint64(b, uint64(n))
	return func(w io.Writer) error { _, err := w.Write(b); return err }, nil
}

func (c *counter) Snapshot(w io.Writer, full bool) error {
	write, err := c.Pin(full)
	if err != nil {
		return err
	}
	return write(w)
}

func (c *counter) PinMemory() (func(io.Writer) (int64, error), error) {
	b := fmt.Appendf(nil, "%d", c.sum)
	return func(w io.Writer) (int64, error) { n, err := w.Write(b); return int64(n), err }, nil
}

func (c *counter) Memory(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, "%d", c.sum)
	return int64(n), err
}

func (c *counter) Resident() int64 { return 1000 }

func (c *counter) Close() error {
	if c.closed {
		return errors.New("closed twice")
	}
	c.closed = true
	c.e.open.Add(-1)
	return nil
}

type fork struct {
	of  *counter
	sum int64
}

func (c *counter) Fork(ctx context.Context) (vm.Fork, error) {
	f := &fork{of: c}
	return f, f.Refresh(ctx)
}

func (f *fork) Refresh(context.Context) error {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	f.sum = f.of.sum
	return nil
}

func (f *fork) Eval(ctx context.Context, in vm.Input) (vm.Output, error) {
	free := &counter{e: &counting{}}
	out, _, err := free.run(ctx, in, f.sum)
	return out, err
}

func (f *fork) Close() error { return nil }
