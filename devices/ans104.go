package devices

import (
	"ago/codec/ans104"
	"ago/commitment"
	"ago/device"
	"ago/message"
)

// ANS104 signs messages as data items, which bundles on Arweave hold.
var _ = device.Register(device.Device{
	Name: ans104.Codec,
	Doc:  "writes a message as a signed data item, reads one, and commits to messages by its signatures",
	Keys: device.Keys{
		"to":          {Doc: "the bytes of the data item that the message stands for", Do: ans104To, CacheControl: "no-store, no-cache"},
		"from":        {Doc: "the message that a data item stands for; 404 without one", Do: ans104From, Inputs: []device.Input{codecTarget}, CacheControl: "no-store, no-cache"},
		"serialize":   {Doc: "the bytes of the data item in body, with their content-type", Do: ans104Serialize, CacheControl: "no-store, no-cache"},
		"deserialize": {Doc: "the message that a data item stands for; 404 without one", Do: ans104From, Inputs: []device.Input{codecTarget}, CacheControl: "no-store, no-cache"},
		"commit": {Doc: "the message with the commitment that the node makes by signing it as a data item, for its operator; 403 for others, since processes trust what the node signs so", Do: ans104Commit,
			Inputs: []device.Input{{Name: "type", Doc: "signed is the default; unsigned names the content without a signer", Type: device.TypeText, Max: 100}}},
		"verify":       {Doc: "whether all commitments of this device hold; true without any", Do: codecVerify},
		"content-type": {Doc: "the media type of what it writes", Do: ans104ContentType, CacheControl: "no-store, no-cache"},
	},
	Examples: []device.Example{{Path: "/~ans104@1.0/content-type", Want: ans104Type}},
})

const ans104Type = "application/ans104"

// ans104Item is the item that a message stands for: the one it was signed as, or an unsigned one.
func ans104Item(c *device.Call, base message.Message) (*ans104.Item, error) {
	if err := codecReads(c, base); err != nil {
		return nil, err
	}
	if it, ok := ans104.ItemOf(base); ok {
		return it, nil
	}
	for _, v := range base.Commitments().All() {
		if entry, _ := v.(message.Message); entry.Text("commitment-device") == ans104.Codec && entry.Text("committer") != "" {
			return ans104.FromCommitment(base, entry)
		}
	}
	d, err := ans104.DraftOf(codecPlain(c, base))
	if err != nil {
		return nil, err
	}
	return ans104.Unsigned(d)
}

func ans104To(c *device.Call, base, _ message.Message) (message.Value, error) {
	it, err := ans104Item(c, base)
	if err != nil {
		return nil, err
	}
	return message.Bytes(it.Raw), nil
}

func ans104Serialize(c *device.Call, base, _ message.Message) (message.Value, error) {
	it, err := ans104Item(c, base)
	if err != nil {
		return nil, err
	}
	return codecTyped(ans104Type, it.Raw), nil
}

func ans104From(c *device.Call, base, req message.Message) (message.Value, error) {
	raw, name, err := codecPayload(c, base, req)
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, codecMissing("ANS-104", name)
	}
	if err := codecReadsText(c, codecItemCost, raw); err != nil {
		return nil, err
	}
	return ans104.Decode(raw)
}

func ans104Commit(c *device.Call, base, req message.Message) (message.Value, error) {
	unsigned, err := codecUnsigned(req, "unsigned-sha256", "rsa-pss-sha256", "ed25519-sha512", "ethereum")
	if err != nil {
		return nil, err
	}
	if err := codecReads(c, base); err != nil {
		return nil, err
	}
	d, err := ans104.DraftOf(base)
	if err != nil {
		return nil, err
	}
	var it *ans104.Item
	if unsigned {
		it, err = ans104.Unsigned(d)
	} else {
		it, err = ans104Sign(c, d, req)
	}
	if err != nil {
		return nil, err
	}
	return base.With(message.KeyCommitments, base.Commitments().With(it.ID().String(), it.Commitment())), nil
}

// ans104Types are the signatures that may be asked for by name.
var ans104Types = map[string]commitment.KeyType{"rsa-pss-sha256": commitment.RSA, "ed25519-sha512": commitment.Ed25519, "ethereum": commitment.Ethereum}

func ans104Sign(c *device.Call, d ans104.Draft, req message.Message) (*ans104.Item, error) {
	k, kind := c.Node.Key, req.Text("type")
	if k == nil {
		return nil, noKey()
	}
	if err := signsFor(c, req); err != nil {
		return nil, err
	}
	if want, named := ans104Types[kind]; named && want != k.Type() {
		return nil, wrongKey(kind, k.Type())
	}
	return ans104.Sign(d, k)
}

func ans104ContentType(*device.Call, message.Message, message.Message) (message.Value, error) {
	return message.Bytes(ans104Type), nil
}
