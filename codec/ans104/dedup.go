package ans104

import (
	"cmp"
	"slices"

	"ago/arweave"
	"ago/commitment"
)

// pushedFor names the first message of a chain of pushes: the one tag in which two messengers may differ.
const pushedFor = "Pushed-For"

// DedupHash names what a process sent, whoever signed it: two messengers that push the same message make items with the same
// hash. It covers target, anchor, data, and the tags without Pushed-For in the order of name and value, not the owner.
func DedupHash(it *Item) [arweave.DeepHashSize]byte {
	tags := slices.DeleteFunc(slices.Clone(it.Tags), func(t Tag) bool { return t.Name == pushedFor })
	slices.SortStableFunc(tags, func(a, b Tag) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	return EvaluationDedupHash(it.targetBytes(), it.Anchor, tags, it.Data)
}

// EvaluationDedupHash is the hash by which a compute unit knows a pushed message again: all tags count, in their order, and
// target, anchor and data are as the scheduler's answer gives them.
func EvaluationDedupHash(target, anchor []byte, tags []Tag, data []byte) [arweave.DeepHashSize]byte {
	return deepHash(commitment.RSA, nil, target, anchor, EncodeTags(tags), data)
}
