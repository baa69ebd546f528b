package devices

import (
	"ago/codec/httpsig"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// HTTPSig signs messages as HTTP does.
var _ = device.Register(device.Device{
	Name: httpsig.Codec,
	Doc:  "writes a message as a signed HTTP message, reads one, and commits to messages by its signatures",
	Keys: device.Keys{
		"to": {Doc: "headers and body of the message as an HTTP message", Do: httpsigTo, CacheControl: "no-store, no-cache",
			Inputs: []device.Input{{Name: "bundle", Doc: "true writes nested messages in place; links are the default", Type: device.TypeFlag}}},
		"from": {Doc: "the message that headers and body stand for; 400 if a digest does not hold", Do: httpsigFrom, CacheControl: "no-store, no-cache"},
		"commit": {Doc: "the message with a commitment of the node, and one that names its content", Do: httpsigCommit,
			Inputs: append([]device.Input{{Name: "secret", Doc: "commits by a MAC that only those make and check who know this", Type: device.TypeText, Max: 4096}}, codecCommitInputs...)},
		"verify": {Doc: "whether all commitments of this device hold; true without any", Do: httpsigVerify,
			Inputs: []device.Input{{Name: "secret", Doc: "checks the commitments made with this instead", Type: device.TypeText, Max: 4096}}},
	},
	Examples: []device.Example{{Path: "/~httpsig@1.0&a+integer=1/to", Want: `{"a":"1","ao-types":"a=\"integer\"","device":"httpsig@1.0"}`}},
})

func httpsigTo(c *device.Call, base, req message.Message) (message.Value, error) {
	if err := codecWrites(c, base, codecTerms(req).Nesting); err != nil {
		return nil, err
	}
	w, err := httpsig.Encode(base, codecTerms(req).Nesting)
	if err != nil {
		return nil, err
	}
	var fs []message.Field
	for _, h := range w.Headers {
		if message.IsPrivate(h.Name) {
			continue
		}
		fs = append(fs, message.Field{Key: h.Name, Value: message.Bytes(h.Value)})
	}
	if len(w.Body) > 0 {
		fs = append(fs, message.Field{Key: message.KeyBody, Value: message.Bytes(w.Body)})
	}
	return message.New(fs...), nil
}

func httpsigFrom(c *device.Call, base, _ message.Message) (message.Value, error) {
	if err := c.Charge(func(limit int64) int64 { return httpsigReads(base, limit) }); err != nil {
		return nil, err
	}
	var headers []message.Header
	var body []byte
	for key, v := range base.All() {
		if message.IsPrivate(key) || key == message.KeyCommitments {
			continue
		}
		text, ok := device.Text(v)
		if !ok {
			return nil, fault.New(fault.Malformed, "header-malformed", "%.60q holds a %s; headers and a body are texts", key, device.KindOf(v))
		}
		if key == message.KeyBody {
			body = []byte(text)
			continue
		}
		headers = append(headers, message.Header{Name: key, Value: text})
	}
	return httpsig.DecodeUpTo(httpsig.NewWire(headers, body), codecKeysMax)
}

// httpsigReads is what reading a message of headers and a body takes.
func httpsigReads(base message.Message, limit int64) int64 {
	body, _ := base.Get(message.KeyBody)
	text, _ := body.(message.Bytes)
	return 3*message.Footprint(base, limit) + httpsig.ReadCost([]byte(text), codecKeysMax)
}

// tagCommit is the tag of what the node signs for whoever asks, which therefore gives nobody its rights.
const tagCommit = "commit"

func httpsigCommit(c *device.Call, base, req message.Message) (message.Value, error) {
	terms := codecTerms(req)
	if err := codecWrites(c, base, terms.Nesting); err != nil {
		return nil, err
	}
	if secret := req.Text("secret"); secret != "" {
		return httpsig.CommitSecret(base, []byte(secret), terms)
	}
	unsigned, err := codecUnsigned(req, httpsig.AlgorithmHMAC, httpsig.AlgorithmRSA, httpsig.AlgorithmEd25519)
	if err != nil {
		return nil, err
	}
	if unsigned {
		return httpsig.CommitUnsigned(base, terms)
	}
	terms.Tag = tagCommit
	return c.Sign(base, terms)
}

func httpsigVerify(c *device.Call, base, req message.Message) (message.Value, error) {
	secret := req.Text("secret")
	if secret == "" {
		return codecVerify(c, base, req)
	}
	err := httpsig.VerifySecret(base, []byte(secret))
	switch fault.KindOf(err) {
	case fault.Forged, fault.Malformed, fault.NotFound:
		return message.Atom("false"), nil
	}
	return message.Atom("true"), err
}
