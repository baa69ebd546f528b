package devices

import (
	"ago/codec/tx"
	"ago/commitment"
	"ago/device"
	"ago/message"
)

// TX signs messages as transactions of Arweave.
var _ = device.Register(device.Device{
	Name: tx.Codec,
	Doc:  "writes a message as a transaction of Arweave, reads one, and commits to messages by its signatures",
	Keys: device.Keys{
		"to":   {Doc: "the transaction that the message stands for, as JSON", Do: txTo, CacheControl: "no-store, no-cache"},
		"from": {Doc: "the message that the JSON of a transaction stands for; 404 without any", Do: txFrom, Inputs: []device.Input{codecTarget}, CacheControl: "no-store, no-cache"},
		"commit": {Doc: "the message with the commitment that the node makes by signing it as a transaction, for its operator; 403 for others", Do: txCommit,
			Inputs: []device.Input{{Name: "type", Doc: "signed is the default; unsigned names the content without a signer", Type: device.TypeText, Max: 100}}},
		"verify": {Doc: "whether all commitments of this device hold; true without any", Do: codecVerify},
	},
	Examples: []device.Example{{Path: "/~tx@1.0&a=b/commit&type=unsigned/~tx@1.0/verify", Want: "true"}},
})

func txTo(c *device.Call, base, _ message.Message) (message.Value, error) {
	if base.Commitments().Len() == 0 {
		base = codecPlain(c, base)
	}
	if err := codecReads(c, base); err != nil {
		return nil, err
	}
	t, err := tx.Encode(base)
	if err != nil {
		return nil, err
	}
	return message.Bytes(t.JSON()), nil
}

func txFrom(c *device.Call, base, req message.Message) (message.Value, error) {
	raw, name, err := codecPayload(c, base, req)
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, codecMissing("Transaction", name)
	}
	if err := codecReadsText(c, codecItemCost, raw); err != nil {
		return nil, err
	}
	return tx.Decode(raw)
}

func txCommit(c *device.Call, base, req message.Message) (message.Value, error) {
	unsigned, err := codecUnsigned(req, "unsigned-sha256", "rsa-pss-sha256")
	if err == nil {
		err = codecReads(c, base)
	}
	if err != nil {
		return nil, err
	}
	if unsigned {
		return tx.Commit(base, nil)
	}
	k := c.Node.Key
	if k == nil {
		return nil, noKey()
	}
	if err := signsFor(c, req); err != nil {
		return nil, err
	}
	if k.Type() != commitment.RSA {
		return nil, wrongKey("transaction", k.Type())
	}
	return tx.Commit(base, k)
}
