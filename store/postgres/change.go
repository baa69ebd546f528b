package postgres

import (
	"bytes"
	"slices"

	"ago/store"
)

// Changes gives a batch as the arguments of ago_change after space and epoch. Ranges are deleted first, so points that a later range
// covers are left out, and of several changes of one key only the last is there. A nil batch changes nothing.
func (s *Store) Changes(b *store.Batch) []any {
	var rangeSpace, goneSpace, setSpace []int32
	var lower, upper, gone, keys, values [][]byte
	if b != nil {
		covered := make([]store.Op, 0)
		seen := map[string]bool{}
		var points []store.Op
		for _, op := range slices.Backward(b.Ops) {
			if op.End != nil {
				if bytes.Compare(op.Key, op.End) < 0 {
					covered = append(covered, op)
				}
				continue
			}
			if seen[string(op.Key)] || slices.ContainsFunc(covered, func(r store.Op) bool {
				return bytes.Compare(op.Key, r.Key) >= 0 && bytes.Compare(op.Key, r.End) < 0
			}) {
				continue
			}
			seen[string(op.Key)] = true
			points = append(points, op)
		}
		for _, r := range covered {
			for _, space := range s.spacesOf(r.Key, r.End) {
				rangeSpace, lower, upper = append(rangeSpace, space), append(lower, r.Key), append(upper, r.End)
			}
		}
		// All batches lock rows in the same order, so that two of them rarely wait in a circle.
		slices.SortFunc(points, func(a, b store.Op) int { return bytes.Compare(a.Key, b.Key) })
		for _, op := range points {
			if op.Delete {
				goneSpace, gone = append(goneSpace, s.spaceOf(op.Key)), append(gone, op.Key)
				continue
			}
			value := op.Value
			if value == nil {
				value = []byte{}
			}
			setSpace, keys, values = append(setSpace, s.spaceOf(op.Key)), append(keys, op.Key), append(values, value)
		}
	}
	return []any{rangeSpace, lower, upper, goneSpace, gone, setSpace, keys, values}
}
