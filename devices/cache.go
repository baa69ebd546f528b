package devices

import (
	"strings"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Cache reads and writes what the node keeps.
var _ = device.Register(device.Device{
	Name: "cache@1.0",
	Doc:  "reads what is kept under an id or a path, and keeps what writers send whom the node allows to",
	Keys: device.Keys{
		"read": {Doc: "what is kept under target, here or at those the node asks; 404 if nothing is", Do: cacheRead,
			Inputs: []device.Input{
				{Name: "target", Doc: "an id, or a path as write gave it", Type: device.TypeText, Max: cachePathMax, Required: true},
				{Name: "scope", Doc: "local asks nobody else; so nodes ask each other", Type: device.TypeText, Max: 100},
			}},
		"write": {Doc: "where body is kept from now on, in path. For the operator and signers in the setting cache_writers (all is everybody); 403 for others",
			Inputs: []device.Input{{Name: "type", Doc: "single keeps body, which is the default; batch keeps each value of body", Type: device.TypeText, Max: 100}}, Do: cacheWrite},
		"link": {Doc: "nothing: what is under source is from now on under destination too. For the operator and signers in the setting cache_writers (all is everybody); 403 for others", Do: cacheLink,
			Inputs: []device.Input{
				{Name: "source", Doc: "the id or path that is there", Type: device.TypeText, Max: cachePathMax},
				{Name: "destination", Doc: "the path that is added", Type: device.TypeText, Max: cachePathMax},
			}},
	},
	Examples: []device.Example{{Needs: "what is kept depends on the node", Path: "/~cache@1.0/read?target=qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk", Want: `{"a":"b"}`}},
})

const (
	cachePathMax  = 4096
	cacheBatchMax = 10_000 // values in one batch
	cacheData     = "data/"
)

// cachePath is a path as the store knows it: bytes are under data and their hash for clients, and under the hash here.
func cachePath(target string) string {
	if id, ok := strings.CutPrefix(target, cacheData); ok && len(id) == message.IDLength {
		return id
	}
	return target
}

func cacheRead(c *device.Call, base, req message.Message) (message.Value, error) {
	if req.Text("scope") == "local" {
		return lookupRead(c, base, req)
	}
	return c.Read(cachePath(first("target", req, base)))
}

// cacheWriter gives the request of a writer, or the end for anybody else. Where everybody may write, all of the request counts.
func cacheWriter(c *device.Call, req message.Message) (signedRequest, error) {
	ask, err := signedAsk(c, req)
	if err != nil {
		return ask, err
	}
	if everybody(c, "cache_writers") {
		ask = signedRequest{message: req}
	} else if len(ask.signers) == 0 || !ask.byOperator(c) && !ask.by(listed(c, "cache_writers")...) {
		return ask, refused(device.Forbidden, "Not authorized to write to the cache.", "writer-unknown",
			"sign the request as one of those whom the setting cache_writers of the node lists")
	} else if err := ask.bound(c); err != nil {
		return ask, err
	}
	if c.Node.Contents == nil {
		return ask, unstored()
	}
	return ask, nil
}

func cacheWrite(c *device.Call, _, req message.Message) (message.Value, error) {
	ask, err := cacheWriter(c, req)
	if err != nil {
		return nil, err
	}
	body, ok := ask.message.Get(message.KeyBody)
	if !ok {
		return nil, refused(device.Failed, "No body to write.", "argument-missing", "send what is to be kept as body")
	}
	switch kind := ask.message.Text("type"); kind {
	case "", "single":
		if _, ok := body.(message.Bytes); !ok {
			return nil, refused(device.Failed, "Invalid write type.", "argument-malformed", "type is single or batch")
		}
		return cacheKeep(c, body)
	case "batch":
		return cacheBatch(c, body)
	}
	return nil, refused(device.Failed, "Invalid write type.", "argument-malformed", "type is single or batch")
}

func cacheBatch(c *device.Call, body message.Value) (message.Value, error) {
	m, err := c.Message(body)
	if err != nil {
		return nil, err
	}
	if m.Len() > cacheBatchMax {
		return nil, fault.New(fault.TooLarge, "batch-too-large", "a batch has up to %d values, this has %d", cacheBatchMax, m.Len())
	}
	var fs []message.Field
	for key, v := range m.All() {
		if key == message.KeyCommitments || message.IsPrivate(key) {
			continue
		}
		kept, err := cacheKeep(c, v)
		if err != nil {
			return nil, err
		}
		fs = append(fs, message.Field{Key: key, Value: kept})
	}
	return message.New(fs...), nil
}

func cacheKeep(c *device.Call, v message.Value) (message.Value, error) {
	switch v.(type) {
	case message.Bytes, message.Message, message.List:
	default:
		return nil, fault.New(fault.Malformed, "value-unwritable", "bytes, messages and lists are kept, not a %s", device.KindOf(v))
	}
	if m, ok := v.(message.Message); ok {
		if _, err := c.Signers(m); err != nil { // it is found by what its commitments say
			return nil, err
		}
	}
	id, err := c.Node.Contents.Write(c, v)
	if err != nil {
		return nil, err
	}
	path := id.String()
	if _, ok := v.(message.Bytes); ok {
		path = cacheData + path
	}
	return message.New(message.Field{Key: "status", Value: message.Int(device.OK)}, message.Field{Key: "path", Value: message.Bytes(path)}), nil
}

func cacheLink(c *device.Call, _, req message.Message) (message.Value, error) {
	ask, err := cacheWriter(c, req)
	if err != nil {
		return nil, err
	}
	source, destination := cachePath(ask.message.Text("source")), ask.message.Text("destination")
	if source == "" || destination == "" {
		return nil, fault.New(fault.Malformed, "argument-missing", "a link needs source and destination")
	}
	root, _, _ := strings.Cut(strings.TrimPrefix(destination, "/"), "/")
	if _, err := message.ParseID(root); err == nil || root == "" || root == "computed" || root+"/" == cacheData || strings.ContainsAny(root, "~@") || len(destination) > cachePathMax {
		return nil, fault.New(fault.Denied, "destination-taken", "%.100q begins with a name that the node gives itself", destination)
	}
	id, err := message.ParseID(source)
	if err != nil {
		v, err := c.Node.Contents.Local().Read(c, source)
		if err != nil {
			return nil, err
		}
		if id, err = c.Node.Contents.Write(c, v); err != nil {
			return nil, err
		}
	} else if _, err := c.Node.Contents.Local().Read(c, source); err != nil {
		return nil, err
	}
	answer := message.New(message.Field{Key: "status", Value: message.Int(device.OK)})
	return once(c, ask, answer, func() error { return c.Node.Contents.Link(c, destination, id) })
}
