package push

import (
	"encoding/binary"
	"math"

	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// Kind says what a task delivers.
type Kind uint8

const (
	KindMessage Kind = iota + 1 // a message of the outbox
	KindSpawn                   // a new process
	KindSpawned                 // the news of a new process, to the one that asked for it
	KindAssign                  // an existing message, assigned to a process
)

var kindNames = [...]string{KindMessage: "message", KindSpawn: "spawn", KindSpawned: "spawned", KindAssign: "assign"}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}

// MarshalText is String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// State says how far a task is. A task only leaves Pending and Parked; nothing is ever deleted.
type State uint8

const (
	Pending   State = iota + 1 // to be delivered, now or at its due time
	Delivered                  // the target's scheduler gave it a slot
	Uploaded                   // the target is no process: it was kept as a plain item
	Parked                     // given up until somebody asks for another attempt; the reason says why
	Dropped                    // it cannot be made into a message at all; the reason says why
)

var stateNames = [...]string{Pending: "pending", Delivered: "delivered", Uploaded: "uploaded", Parked: "parked", Dropped: "dropped"}

func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return "unknown"
}

// MarshalText is String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseState reads what String gives.
func ParseState(s string) (State, error) {
	for i, name := range stateNames {
		if name != "" && name == s {
			return State(i), nil
		}
	}
	return 0, fault.New(fault.Malformed, "task-state-unknown", "%.40q is not the state of a task", s).
		WithHint("use pending, delivered, uploaded, parked or dropped")
}

// Task is what is known of a delivery. Times are in ms of the node's clock.
type Task struct {
	Key        Key           `json:"key"`
	Kind       Kind          `json:"kind,omitzero"`
	State      State         `json:"state,omitzero"`
	Parent     message.ID    `json:"parent,omitzero"`     // the message whose evaluation asked for it; none for a timer
	Root       message.ID    `json:"root,omitzero"`       // the first message of the chain; none if a timer began it
	Depth      uint32        `json:"depth"`               // deliveries since the first message, this one included
	Target     string        `json:"target,omitempty"`    // where it goes; for a spawn the new process once it is known
	Action     string        `json:"action,omitempty"`    // its tag Action
	Cast       bool          `json:"cast,omitempty"`      // the sender waits for no answer
	Message    message.ID    `json:"message,omitzero"`    // id of what is delivered, known since the first attempt
	Assignment message.ID    `json:"assignment,omitzero"` // given by the scheduler
	Slot       *slotlog.Slot `json:"slot,omitempty"`      // given by the scheduler
	Repeated   bool          `json:"repeated,omitempty"`  // the scheduler had it already
	Planned    int64         `json:"planned,omitzero"`
	Changed    int64         `json:"changed,omitzero"`
	Due        int64         `json:"due,omitempty"` // of the next attempt, for a pending task that has failed
	Attempts   uint32        `json:"attempts,omitempty"`
	Code       string        `json:"code,omitempty"`   // of the last fault
	Reason     string        `json:"reason,omitempty"` // of the last fault, or why it was parked or dropped
}

// row is a task as it is stored: the task, and what is needed to make its message. The latter goes when it is done.
type row struct {
	Task
	module    message.ID // of the sender
	scheduler string     // of the sender
	anchor    string
	data      *string
	tags      []process.Tag
	subject   message.ID // KindAssign: the message to assign; KindSpawned: the new process
	baseLayer bool
	exclude   []string
	whole     []byte // of a process that a device evaluates: the message as it will be signed
}

// rowVersion is the first byte of every row. A change of the layout raises it and reads both.
const rowVersion = 1

// Texts of faults and odd targets come from outside; a row keeps this much of them.
const (
	reasonMax = 1 << 10
	actionMax = 128
	targetMax = 128
)

const (
	flagCast = 1 << iota
	flagSlot
	flagRepeated
	flagData
	flagBaseLayer
	flagWhole
)

func (r *row) lane() laneKey {
	l := laneKey{from: r.Key.Process}
	if id, err := message.ParseID(r.Target); err == nil && r.Kind != KindSpawn {
		l.to = id
	}
	return l
}

// encode writes version, kind, state, flags, ids, numbers as varints and texts with their lengths. The key is not in it.
func (r *row) encode() []byte {
	n := 256 + len(r.whole) + len(r.anchor) + len(r.Target) + len(r.Reason)
	if r.data != nil {
		n += len(*r.data)
	}
	for _, t := range r.tags {
		n += len(t.Name) + len(t.Value) + 4
	}
	var flags byte
	for bit, set := range [...]bool{r.Cast, r.Slot != nil, r.Repeated, r.data != nil, r.baseLayer, r.whole != nil} {
		if set {
			flags |= 1 << bit
		}
	}
	b := append(make([]byte, 0, n), rowVersion, byte(r.Kind), byte(r.State), flags)
	for _, id := range [...]message.ID{r.Parent, r.Root, r.Message, r.Assignment, r.module, r.subject} {
		b = appendID(b, id)
	}
	var slot uint64
	if r.Slot != nil {
		slot = uint64(*r.Slot)
	}
	for _, v := range [...]uint64{uint64(r.Depth), slot, uint64(r.Planned), uint64(r.Changed), uint64(r.Due), uint64(r.Attempts)} {
		b = binary.AppendUvarint(b, v)
	}
	for _, s := range [...]string{r.Target, r.Action, r.Code, r.Reason, r.scheduler, r.anchor} {
		b = appendText(b, s)
	}
	if r.data != nil {
		b = appendText(b, *r.data)
	}
	b = binary.AppendUvarint(b, uint64(len(r.tags)))
	for _, t := range r.tags {
		b = appendText(appendText(b, t.Name), t.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(r.exclude)))
	for _, s := range r.exclude {
		b = appendText(b, s)
	}
	if r.whole != nil {
		b = append(binary.AppendUvarint(b, uint64(len(r.whole))), r.whole...)
	}
	return b
}

func appendID(b []byte, id message.ID) []byte {
	if id.IsZero() {
		return append(b, 0)
	}
	return append(append(b, 1), id[:]...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func decodeRow(k Key, b []byte) (*row, error) {
	d := reader{rest: b}
	head := d.take(4)
	r := &row{Task: Task{Key: k}}
	if d.failed || head[0] != rowVersion {
		return nil, unreadable(k, "of version 1")
	}
	r.Kind, r.State = Kind(head[1]), State(head[2])
	if r.Kind.String() == "unknown" || r.State.String() == "unknown" {
		return nil, unreadable(k, "of a known kind and state")
	}
	flags := head[3]
	r.Cast, r.Repeated, r.baseLayer = flags&flagCast != 0, flags&flagRepeated != 0, flags&flagBaseLayer != 0
	for _, id := range [...]*message.ID{&r.Parent, &r.Root, &r.Message, &r.Assignment, &r.module, &r.subject} {
		*id = d.id()
	}
	r.Depth = uint32(d.uint(math.MaxUint32))
	if slot := slotlog.Slot(d.uint(math.MaxUint64)); flags&flagSlot != 0 {
		r.Slot = &slot
	}
	for _, t := range [...]*int64{&r.Planned, &r.Changed, &r.Due} {
		*t = int64(d.uint(math.MaxUint64))
	}
	r.Attempts = uint32(d.uint(math.MaxUint32))
	for _, s := range [...]*string{&r.Target, &r.Action, &r.Code, &r.Reason, &r.scheduler, &r.anchor} {
		*s = d.text()
	}
	if flags&flagData != 0 {
		s := d.text()
		r.data = &s
	}
	if n := d.count(2); n > 0 {
		r.tags = make([]process.Tag, n)
		for i := range r.tags {
			r.tags[i] = process.Tag{Name: d.text(), Value: d.text()}
		}
	}
	if n := d.count(1); n > 0 {
		r.exclude = make([]string, n)
		for i := range r.exclude {
			r.exclude[i] = d.text()
		}
	}
	if flags&flagWhole != 0 {
		r.whole = []byte(d.text())
	}
	if d.failed || len(d.rest) != 0 {
		return nil, unreadable(k, "whole")
	}
	return r, nil
}

func unreadable(k Key, what string) error {
	return fault.New(fault.Internal, "task-unreadable", "the row of task %s is not %s", k, what)
}

// reader takes values from the front of a row. After the first failure it gives zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (d *reader) take(n int) []byte {
	if d.failed || n > len(d.rest) {
		d.failed = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *reader) id() message.ID {
	switch flag := d.take(1); {
	case d.failed || flag[0] == 0:
		return message.ID{}
	case flag[0] != 1:
		d.failed = true
		return message.ID{}
	}
	b := d.take(idSize)
	if d.failed {
		return message.ID{}
	}
	return message.ID(b)
}

func (d *reader) uint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.failed || n <= 0 || v > limit {
		d.failed = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *reader) text() string {
	n := d.uint(uint64(len(d.rest)))
	return string(d.take(int(n)))
}

// count reads the length of a list whose members take at least that many bytes each.
func (d *reader) count(size int) int {
	n := d.uint(uint64(len(d.rest)))
	if d.failed || n*uint64(size) > uint64(len(d.rest)) {
		d.failed = true
		return 0
	}
	return int(n)
}

// arrival says which task brought a message to a process. It is written before the message leaves, so that what the message
// causes finds its chain.
type arrival struct {
	key   keyBytes
	root  message.ID
	depth uint32
}

const arrivalSize = keySize + idSize + 4

func (a arrival) encode() []byte {
	b := append(append(make([]byte, 0, arrivalSize), a.key[:]...), a.root[:]...)
	return binary.BigEndian.AppendUint32(b, a.depth)
}

func decodeArrival(b []byte) (arrival, bool) {
	if len(b) != arrivalSize {
		return arrival{}, false
	}
	return arrival{
		key: keyBytes(b[:keySize]), root: message.ID(b[keySize : keySize+idSize]),
		depth: binary.BigEndian.Uint32(b[keySize+idSize:]),
	}, true
}
