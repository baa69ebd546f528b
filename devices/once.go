package devices

import (
	"ago/device"
	"ago/message"
)

// acceptedNames are where the node keeps what it answered to signed requests, by the ids of their signatures.
const acceptedNames = "~accepted/"

// once does what a signed request asks for, and remembers its answer. A request that comes again, whoever sends it, gets the
// answer of the first and changes nothing: otherwise an old one would undo what came after it. One without signers is done each
// time.
func once(c *device.Call, ask signedRequest, answer message.Value, do func() error) (message.Value, error) {
	kept := c.Node.Contents
	if len(ask.signers) == 0 || kept == nil {
		return answer, do()
	}
	ids := ask.ids()
	for _, id := range ids {
		v, err := kept.Local().Read(c, acceptedNames+id)
		if m, ok := v.(message.Message); ok && err == nil {
			return m.Bundle(c.Loader()) // as it was
		}
		if err == nil || !device.IsNotFound(err) {
			return v, err
		}
	}
	if err := do(); err != nil {
		return nil, err
	}
	at, err := kept.Write(c, answer)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := kept.Link(c, acceptedNames+id, at); err != nil {
			return nil, err
		}
	}
	return answer, nil
}
