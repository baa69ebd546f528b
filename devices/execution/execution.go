// Package execution evaluates processes by the devices they name: the assignment of a slot is a request to the process's
// execution device, and what that answers is the next state.
//
// The state is the definition with the definition itself under process, and what the device added: at-slot, initialized,
// results. What a device holds beside it is in a session, which is committed, undone and snapshotted together with it.
package execution

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/resolve"
)

// Keys of the state.
const (
	keyDevice      = "device"
	keyProcess     = "process"
	keyAtSlot      = "at-slot"
	keyInitialized = "initialized"
	keyResults     = "results"
	keyPath        = "path"
	keyPrefix      = "input-prefix"
	keyPrefixes    = "output-prefixes"
)

// The phases that a failed slot names.
const (
	phaseInit    = "init"
	phaseCompute = "compute"
)

// Limits bound one evaluation. Depth and Steps decide results, so all nodes have the same; Time never does.
var Limits = resolve.Limits{Depth: 64, Steps: 1_000_000, Time: 5 * time.Minute}

// Executions makes processes on a node.
type Executions struct {
	node     *device.Node
	resolver *resolve.Resolver
}

// New evaluates with the devices, contents and services of a node.
func New(node *device.Node) *Executions {
	return &Executions{node: node, resolver: resolve.New(node, Limits)}
}

// Admit refuses a process whose execution device, or a device of its stack, is not here.
func (x *Executions) Admit(_ context.Context, def process.Definition) error {
	for _, name := range append([]string{def.ExecutionDevice}, def.DeviceStack...) {
		if _, ok := x.node.Registry.Find(name); !ok {
			return fault.New(fault.Unsupported, "execution-device-unsupported", "no process is run here by the execution device %.100q", name).
				WithHint("the node has %.300s", x.node.Registry.Names())
		}
	}
	return nil
}

// New gives a process before its first slot.
func (x *Executions) New(_ context.Context, def process.Definition) (process.Executor, error) {
	s, err := device.NewSession()
	if err != nil {
		return nil, err
	}
	return &executor{x: x, def: def, state: first(def), session: s}, nil
}

// first is the state of a process before it is initialized.
func first(def process.Definition) message.Message {
	m := def.Message()
	return m.Without(message.KeyCommitments).With(keyProcess, Named(m)).With(keyDevice, message.Bytes(process.DeviceProcess))
}

// Named gives a message whose commitments say how they were made under both names that processes look for, type and alg.
func Named(m message.Message) message.Message {
	const typed, alg = "type", "alg"
	all := m.Commitments()
	for id, v := range m.Commitments().All() {
		e, ok := v.(message.Message)
		if !ok {
			continue
		}
		kind, name := e.Text(typed), e.Text(alg)
		switch {
		case name == "" && kind == "rsa-pss-sha256": // of data items; processes know one name for RSA
			all = all.With(id, e.With(alg, message.Bytes("rsa-pss-sha512")))
		case name == "" && kind != "":
			all = all.With(id, e.With(alg, message.Bytes(kind)))
		case kind == "" && name != "":
			all = all.With(id, e.With(typed, message.Bytes(name)))
		}
	}
	if all.Len() == 0 {
		return m
	}
	return m.With(message.KeyCommitments, all)
}

// Under gives a state as seen by one of the devices of its process: execution, scheduler, push.
func Under(state message.Message, role, name string) message.Message {
	set := append(make([]message.Field, 0, 2), message.Field{Key: keyDevice, Value: message.Bytes(name)})
	if _, ok := state.Get(keyPrefix); !ok {
		set = append(set, message.Field{Key: keyPrefix, Value: message.Bytes(keyProcess)})
	}
	state = state.WithAll(set...)
	if v, ok := state.Get(role + "-" + keyPrefixes); ok {
		state = state.With(keyPrefixes, v)
	}
	return state
}

// executor is a process in memory.
type executor struct {
	x   *Executions
	def process.Definition

	mu      sync.Mutex      // between Commit, Fork and Snapshot
	state   message.Message // committed
	session *device.Session
	saved   message.Message // at the last snapshot
	whole   bool            // there was one
	size    int64           // of the last full one

	next message.Message // what Eval left, until Commit
	lost bool            // the slot of it failed
}

func (e *executor) Eval(ctx context.Context, w process.Work) (process.Result, error) {
	next, r, err := e.x.eval(ctx, e.def, e.state, e.session, w)
	e.next, e.lost = next, err == nil && r.KeepState
	return r, err
}

// eval gives the state after the work and its result. A failed slot leaves the state as it was, but for where it stands.
func (x *Executions) eval(ctx context.Context, def process.Definition, state message.Message, s *device.Session, w process.Work) (message.Message, process.Result, error) {
	var req message.Message
	slot := int64(-1)
	switch {
	case w.Assigned != nil:
		slot = int64(w.Assigned.Slot)
		req = w.Assigned.Core()
		if body, ok := req.Get(message.KeyBody); ok {
			if m, ok := body.(message.Message); ok {
				req = req.With(message.KeyBody, Named(m))
			}
		}
	case w.Trial != nil:
		req = trial(w.Trial)
	default:
		return state, process.Result{}, fault.New(fault.Unsupported, "cron-unsupported", "process %s has no timers", def.ID)
	}
	phase := phaseInit
	next, err := x.initialized(ctx, def, state, s)
	if err == nil {
		phase = phaseCompute
		next, err = x.ask(ctx, def, next.Without(keyResults), s, req.With(keyPath, message.Bytes(phaseCompute)))
	}
	var results message.Message
	if err == nil {
		results, err = x.results(ctx, next)
		results = process.Settle(results)
	}
	if err == nil {
		if _, unkept := message.Diff(state, next).AppendTo(nil); unkept != nil {
			err = fault.Wrap(unkept, fault.TooLarge, "state-too-deep", "what %s answered cannot be kept", def.ExecutionDevice)
		}
	}
	if err != nil {
		if passing(err, slot) {
			return state, process.Result{}, err
		}
		results = failed(def, slot, phase, err)
		next = state.With(keyAtSlot, message.Int(slot)).With(keyResults, results)
		r := process.OutcomeOf(results)
		// What the session holds is undone by the caller; Commit then takes over where the process stands.
		r.KeepState = true
		return next, r, nil
	}
	left := message.Field{Key: keyResults, Value: results}
	if w.Assigned != nil {
		return next.WithAll(message.Field{Key: keyAtSlot, Value: message.Int(slot)}, left), process.OutcomeOf(results), nil
	}
	return next.WithAll(left), process.OutcomeOf(results), nil
}

// initialized gives the state that a process begins with. Devices without init have nothing to prepare.
func (x *Executions) initialized(ctx context.Context, def process.Definition, state message.Message, s *device.Session) (message.Message, error) {
	if _, ok := state.Get(keyInitialized); ok {
		return state, nil
	}
	next, err := x.ask(ctx, def, state, s, device.Ask("init").Request)
	if device.IsNotFound(err) && fault.CodeOf(err) == "key-absent" {
		next, err = state, nil
	}
	return next.With(keyInitialized, message.Bytes("true")).With(keyAtSlot, message.Int(-1)), err
}

// ask asks the execution device and gives the state that it answers.
func (x *Executions) ask(ctx context.Context, def process.Definition, state message.Message, s *device.Session, req message.Message) (message.Message, error) {
	before, _ := state.Get(keyDevice)
	base := Under(state, "execution", def.ExecutionDevice)
	res, err := x.resolver.Run(device.WithSession(ctx, s), base, []device.Step{{Request: req}}, device.How{CacheControl: "no-store, no-cache", IgnoreHashpath: true})
	if err != nil {
		return state, err
	}
	next, ok := res.Value.(message.Message)
	if !ok {
		return state, fault.New(fault.Malformed, "state-malformed", "%s answered a %s where a state was wanted", def.ExecutionDevice, device.KindOf(res.Value))
	}
	if before == nil {
		before = message.Bytes(process.DeviceProcess)
	}
	return next.With(keyDevice, before), nil
}

// results gives what the device left under results, with what links in it stand for.
func (x *Executions) results(ctx context.Context, state message.Message) (message.Message, error) {
	v, ok := state.Get(keyResults)
	if !ok || v == nil {
		return message.Message{}, nil
	}
	c := device.Call{Context: ctx, Node: x.node}
	v, err := c.Load(v)
	if err != nil {
		return message.Message{}, err
	}
	switch v := v.(type) {
	case message.Message:
		return v.Bundle(c.Loader())
	case message.List:
		return device.Numbered(v).Bundle(c.Loader())
	}
	return message.New(message.Field{Key: message.KeyBody, Value: v}), nil
}

// passing tells failures of this machine at this time from those that every machine has. What the first slot lacks may come:
// a module that is published after the process.
func passing(err error, slot int64) bool {
	if o, ok := device.OutcomeOf(err); ok {
		return o.Status == device.Unavailable || o.Status == device.NotCached
	}
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Unfinished, fault.TooMany, fault.Internal:
		return true
	}
	return slot == 0 && fault.CodeOf(err) == "message-absent" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// failed are the results of a slot that could not be evaluated: error, status, phase (init, compute), attempted-slot, process-id,
// and what the device gave beside, under body.
func failed(def process.Definition, slot int64, phase string, err error) message.Message {
	m := message.New(
		message.Field{Key: "error", Value: message.Bytes(err.Error())},
		message.Field{Key: "status", Value: message.Int(device.StatusOf(err))},
		message.Field{Key: "phase", Value: message.Bytes(phase)},
		message.Field{Key: "attempted-slot", Value: message.Int(slot)},
		message.Field{Key: "process-id", Value: message.Bytes(def.ID.String())})
	if o, ok := device.OutcomeOf(err); ok && o.Value != nil {
		m = m.With(message.KeyBody, o.Value)
	} else if code := fault.CodeOf(err); code != "" {
		m = m.With("code", message.Bytes(code))
	}
	return m
}

// trial is the request of a dry run.
func trial(t *process.Trial) message.Message {
	return message.New(
		message.Field{Key: "type", Value: message.Bytes("Assignment")},
		message.Field{Key: "timestamp", Value: message.Int(t.Timestamp)},
		message.Field{Key: "block-height", Value: message.Int(int64(t.Height))},
		message.Field{Key: "read-only", Value: message.Atom("true")},
		message.Field{Key: message.KeyBody, Value: t.Message()})
}

func (e *executor) Commit() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.session.Commit(); err != nil {
		return err
	}
	e.state = e.next
	return nil
}

// Rollback undoes what the session did. A slot that failed on every machine still passes: Eval left the state of before, with
// where it stands and why.
func (e *executor) Rollback() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lost {
		e.state, e.lost = e.next, false
	}
	return e.session.Rollback()
}

func (e *executor) State() message.Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

func (e *executor) Resident() int64 {
	const least = 64 << 10
	e.mu.Lock()
	size := e.size
	e.mu.Unlock()
	return least + size + e.session.Resident()
}

func (e *executor) Close() error { return e.session.Close() }

// A snapshot is its version, whether it is full, the size of the state, the state or what leads to it from that of the snapshot
// before, and the session's snapshot.
const snapshotVersion = 1

func (e *executor) Pin(full bool) (write func(w io.Writer) error, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	full = full || !e.whole
	session, err := e.session.Pin(full)
	if err != nil {
		return nil, err
	}
	before, state := e.saved, e.state
	e.saved, e.whole = state, true
	return func(w io.Writer) error {
		head, err := e.encode(before, state, full)
		if err == nil {
			_, err = w.Write(head)
		}
		if err != nil {
			w = io.Discard // what is pinned is let go of by writing it
		}
		return errors.Join(err, session(w))
	}, nil
}

// encode gives the part of a snapshot that is before the session's.
func (e *executor) encode(before, state message.Message, full bool) ([]byte, error) {
	var b []byte
	var err error
	kind := byte(0)
	if full {
		kind = 1
		b, err = message.AppendValue(nil, state)
	} else {
		b, err = message.Diff(before, state).AppendTo(nil)
	}
	if err != nil {
		return nil, err
	}
	if full {
		e.mu.Lock()
		e.size = int64(len(b))
		e.mu.Unlock()
	}
	return append(binary.AppendUvarint([]byte{snapshotVersion, kind}, uint64(len(b))), b...), nil
}

// Restore gives a process in the state of its last snapshot.
func (x *Executions) Restore(_ context.Context, def process.Definition, snapshots ...io.Reader) (process.Executor, error) {
	e := &executor{x: x, def: def, whole: true}
	sessions := make([]io.Reader, 0, len(snapshots))
	for i, r := range snapshots {
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		rest, err := e.read(b, i == 0)
		if err != nil {
			return nil, fault.Wrap(err, fault.Malformed, "snapshot-malformed", "the state of process %s cannot be read", def.ID)
		}
		sessions = append(sessions, bytes.NewReader(rest))
	}
	e.saved, e.next = e.state, e.state
	var err error
	e.session, err = device.NewSession(sessions...)
	return e, err
}

var errSnapshot = errors.New("a snapshot is not whole")

func (e *executor) read(b []byte, first bool) (session []byte, err error) {
	if len(b) < 2 || b[0] != snapshotVersion || first != (b[1] == 1) {
		return nil, errSnapshot
	}
	n, used := binary.Uvarint(b[2:])
	if used <= 0 || n > uint64(len(b)-2-used) {
		return nil, errSnapshot
	}
	state, rest := b[2+used:2+used+int(n)], b[2+used+int(n):]
	if !first {
		p, err := message.ReadPatch(state)
		if err != nil {
			return nil, err
		}
		e.state, err = e.state.Apply(p)
		return rest, err
	}
	v, err := message.ReadValue(state)
	if err != nil {
		return nil, err
	}
	m, ok := v.(message.Message)
	if !ok {
		return nil, errSnapshot
	}
	e.state, e.size = m, int64(len(state))
	return rest, nil
}
