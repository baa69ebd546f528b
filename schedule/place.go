package schedule

import (
	"encoding/binary"
	"slices"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/store"
)

// The table of places: message or assignment id, process -> slot, timestamp. It is written with the slots.

func placeKey(id, p message.ID) []byte {
	k := make([]byte, 0, 65)
	k = append(k, store.TablePlaces)
	k = append(k, id[:]...)
	return append(k, p[:]...)
}

func encodePlace(slot slotlog.Slot, timestamp int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(slot)), uint64(timestamp))
}

func decodePlace(v []byte) (slotlog.Slot, int64) {
	if len(v) != 16 {
		return 0, 0
	}
	return slotlog.Slot(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))
}

func places(s store.Store, id message.ID) ([]Place, error) {
	type dated struct {
		Place
		timestamp int64
	}
	var found []dated
	low := append([]byte{store.TablePlaces}, id[:]...)
	for kv, err := range s.Scan(low, store.PrefixEnd(low), false) {
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the places of %s cannot be read", id)
		}
		if len(kv.Key) != 65 {
			continue
		}
		slot, at := decodePlace(kv.Value)
		found = append(found, dated{Place{message.ID(kv.Key[33:]), slot}, at})
	}
	slices.SortStableFunc(found, func(a, b dated) int { return int(a.timestamp - b.timestamp) })
	out := make([]Place, len(found))
	for i, f := range found {
		out[i] = f.Place
	}
	return out, nil
}
