// Package ans104 reads and writes the signed data items and bundles of the ANS-104 format, and hands them out as messages.
package ans104

import (
	"ago/arweave"
	"ago/commitment"
	"ago/message"
)

// Codec is the name of the encoding.
const Codec = "ans104@1.0"

// Tag is a name with a value; names may repeat and are compared as they are written.
type Tag = arweave.Tag

func init() {
	commitment.Register(Codec, func(m message.Message) (commitment.Signer, error) {
		it, ok := ItemOf(m)
		if !ok {
			return commitment.Signer{}, malformed("item-missing", "the message does not hold a data item")
		}
		return it.Signer(), it.Verify()
	})
}
