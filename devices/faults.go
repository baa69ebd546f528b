package devices

import (
	"errors"

	"ago/commitment"
	"ago/fault"
	"ago/message"
)

// limited says of an error of message that a limit was reached, if one was.
func limited(err error) error {
	if errors.Is(err, message.ErrLimit) {
		return fault.Wrap(err, fault.TooLarge, "message-too-deep", "the message is nested too deep or links to too much")
	}
	return err
}

func noKey() error {
	return fault.New(fault.Unsupported, "node-has-no-key", "this node has no key to sign with")
}

func wrongKey(kind string, has commitment.KeyType) error {
	return fault.New(fault.Unsupported, "wrong-wallet-to-sign", "the node signs with a key of type %s, which makes no %.60s", has, kind)
}
