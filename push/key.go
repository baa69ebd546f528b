package push

import (
	"encoding/binary"
	"strconv"
	"strings"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// Position names an evaluation: the slot of a process, or a tick of one of its timers after that slot.
type Position struct {
	Process message.ID
	Slot    slotlog.Slot
	Tick    int64  // ms; 0 for the slot itself
	Cron    uint16 // place of the timer among those of the process, from 1; 0 for the slot itself
}

// Key names a task for ever: the evaluation that asked for it, the entry of its outbox, and the part of that entry. Most
// entries have one part, 0; an assignment has one for each process, and what follows from a delivery comes after that.
//
// The bytes of a key sort as the tasks of a process are to be delivered, and salt the signature of what is delivered.
type Key struct {
	Position
	Index uint32
	Part  uint32
}

const (
	idSize       = len(message.ID{})
	positionSize = idSize + 8 + 8 + 2
	keySize      = positionSize + 4 + 4
)

// keyBytes is a Key as it stands in the tables.
type keyBytes [keySize]byte

func (p Position) append(b []byte) []byte {
	b = append(b, p.Process[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Slot))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Tick))
	return binary.BigEndian.AppendUint16(b, p.Cron)
}

func (k Key) bytes() keyBytes {
	var out keyBytes
	b := k.Position.append(out[:0])
	b = binary.BigEndian.AppendUint32(b, k.Index)
	binary.BigEndian.AppendUint32(b, k.Part)
	return out
}

func (b keyBytes) key() Key {
	return Key{
		Position: Position{
			Process: message.ID(b[:idSize]),
			Slot:    slotlog.Slot(binary.BigEndian.Uint64(b[idSize:])),
			Tick:    int64(binary.BigEndian.Uint64(b[idSize+8:])),
			Cron:    binary.BigEndian.Uint16(b[idSize+16:]),
		},
		Index: binary.BigEndian.Uint32(b[positionSize:]),
		Part:  binary.BigEndian.Uint32(b[positionSize+4:]),
	}
}

// String gives the key as people and addresses carry it: process.slot.index, .part behind it if that is not 0, and for a
// timer slot@tick-cron instead of the slot.
func (k Key) String() string {
	b := append([]byte(k.Process.String()), '.')
	b = strconv.AppendUint(b, uint64(k.Slot), 10)
	if k.Cron != 0 {
		b = strconv.AppendInt(append(b, '@'), k.Tick, 10)
		b = strconv.AppendUint(append(b, '-'), uint64(k.Cron), 10)
	}
	b = strconv.AppendUint(append(b, '.'), uint64(k.Index), 10)
	if k.Part != 0 {
		b = strconv.AppendUint(append(b, '.'), uint64(k.Part), 10)
	}
	return string(b)
}

// MarshalText is String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is ParseKey.
func (k *Key) UnmarshalText(b []byte) error {
	v, err := ParseKey(string(b))
	if err == nil {
		*k = v
	}
	return err
}

// ParseKey reads what String gives. Each key has one text: leading zeros and signs are refused.
func ParseKey(s string) (Key, error) {
	var k Key
	bad := fault.New(fault.Malformed, "task-key-malformed", "%.120q is not the key of a task", s).
		WithHint("a key is process.slot.index; the list of tasks shows them")
	f := strings.Split(s, ".")
	if len(f) != 3 && len(f) != 4 {
		return k, bad
	}
	id, err := message.ParseID(f[0])
	if err != nil {
		return k, bad
	}
	k.Process = id
	slot, tick, timed := strings.Cut(f[1], "@")
	n, ok := number(slot, 64)
	k.Slot = slotlog.Slot(n)
	if timed && ok {
		at, cron, _ := strings.Cut(tick, "-")
		t, ok1 := number(at, 63)
		c, ok2 := number(cron, 16)
		k.Tick, k.Cron, ok = int64(t), uint16(c), ok1 && ok2 && c != 0
	}
	i, ok1 := number(f[2], 32)
	k.Index = uint32(i)
	if len(f) == 4 && ok && ok1 {
		part, ok2 := number(f[3], 32)
		k.Part, ok = uint32(part), ok2 && part != 0
	}
	if !ok || !ok1 {
		return Key{}, bad
	}
	return k, nil
}

func number(s string, bits int) (uint64, bool) {
	if s == "" || len(s) > 1 && s[0] == '0' || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, bits)
	return n, err == nil
}

// The tables. Their first bytes are handed out in package store; the indexes over the tasks share one and differ by the second.
//
//	task     O, key                                   -> row
//	arrival  o, message, process                      -> the task that delivers it, root, depth
//	place    q 'e', message, process                  -> position whose outbox is stored
//	pending  q 'p', sender, lane, key                 -> when it was planned
//	parked   q 'k', key                               -> nothing
const (
	indexPlaces  = 'e'
	indexPending = 'p'
	indexParked  = 'k'
)

func taskKey(k keyBytes) []byte { return append([]byte{store.TableTasks}, k[:]...) }

// taskPrefix bounds the tasks of one evaluation.
func taskPrefix(p Position) []byte {
	return p.append(append(make([]byte, 0, 1+positionSize), store.TableTasks))
}

func arrivalKey(id, process message.ID) []byte {
	return append(append([]byte{store.TablePushed}, id[:]...), process[:]...)
}

func placeKey(id, process message.ID) []byte {
	return append(append([]byte{store.TablePushIndex, indexPlaces}, id[:]...), process[:]...)
}

func parkedKey(k keyBytes) []byte { return append([]byte{store.TablePushIndex, indexParked}, k[:]...) }

// laneKey names the tasks that one process sends to one target. They are delivered one after the other.
type laneKey struct{ from, to message.ID }

const (
	pendingHead = 2
	pendingSize = pendingHead + idSize + idSize + keySize
)

func (l laneKey) prefix() []byte {
	b := append(make([]byte, 0, pendingSize), store.TablePushIndex, indexPending)
	return append(append(b, l.from[:]...), l.to[:]...)
}

func pendingKey(l laneKey, k keyBytes) []byte { return append(l.prefix(), k[:]...) }

// splitPending takes a key of the pending index apart.
func splitPending(b []byte) (laneKey, keyBytes, bool) {
	if len(b) != pendingSize {
		return laneKey{}, keyBytes{}, false
	}
	b = b[pendingHead:]
	return laneKey{message.ID(b[:idSize]), message.ID(b[idSize : 2*idSize])}, keyBytes(b[2*idSize:]), true
}
