package compute

import (
	"encoding/binary"
	"errors"

	"ago/codec/ans104"
	"ago/codec/js"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/store"
)

// repeated tells whether a foreign log brings a message again that was evaluated at an earlier slot: one assigned by its id,
// or a pushed one, which two messengers may have signed apart. The key is noted with its first slot.
func (a *actor) repeated(as process.Assigned) (bool, error) {
	var key message.ID
	switch c := as.Content; {
	case as.ByID:
		key = as.Message
	case c.Forwarded():
		var target, anchor []byte
		if id, err := message.ParseID(c.Target); err == nil {
			target = id[:]
		}
		if c.Anchor != nil {
			anchor = []byte(*c.Anchor)
		}
		h := ans104.EvaluationDedupHash(target, anchor, c.Tags, []byte(js.Text(c.Data)))
		key = message.HashOf(h[:])
	default:
		key = as.Message
	}
	k := append(append([]byte{store.TableSeen}, a.id[:]...), key[:]...)
	v, err := a.u.c.Store.Get(k)
	if err == nil {
		return decodeSlot(v) < as.Slot, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return false, fault.Wrap(err, fault.Unavailable, "store-unreadable", "the messages seen by process %s cannot be read", a.id)
	}
	b := &store.Batch{}
	b.Set(k, binary.BigEndian.AppendUint64(nil, uint64(as.Slot)))
	// Not synced: after a crash the same slots come again in the same order.
	return false, a.u.c.Store.Apply(b, false)
}
