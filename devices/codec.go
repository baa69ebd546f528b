package devices

import (
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// What the devices of encodings have in common.

const codecNamesMax = 10_000 // keys in one list of what is covered

// codecCommitInputs are the inputs of commit.
var codecCommitInputs = []device.Input{
	{Name: "type", Doc: "signed is the default; unsigned names the content without a signer", Type: device.TypeText, Max: 100},
	{Name: "committed", Doc: "the keys to cover; all is the default", Type: device.TypeList, Max: codecNamesMax},
	{Name: "bundle", Doc: "true covers nested messages where they are", Type: device.TypeFlag},
}

// codecByHTTP are the keys by which encodings without signatures of their own commit and verify: as HTTP messages do.
func codecByHTTP(keys device.Keys) device.Keys {
	keys["commit"] = device.Key{Doc: "the message with a commitment of the node, as httpsig@1.0 makes it", Inputs: codecCommitInputs, Do: codecPass}
	keys["verify"] = device.Key{Doc: "whether the commitments of httpsig@1.0 hold; true without any", Do: codecPass}
	return keys
}

func codecPass(c *device.Call, base, req message.Message) (message.Value, error) {
	return c.As(httpsig.Codec, base, req.With("path", message.Bytes(c.Key)))
}

// codecVerify tells whether all commitments hold that a device made.
func codecVerify(c *device.Call, base, _ message.Message) (message.Value, error) {
	for id, v := range base.Commitments().All() {
		entry, _ := v.(message.Message)
		if entry.Text("commitment-device") != c.Device {
			continue
		}
		switch _, err := commitment.VerifyEntry(base, id, entry); {
		case err == nil:
		case fault.KindOf(err) == fault.Forged, fault.KindOf(err) == fault.Malformed:
			return message.Atom("false"), nil
		default:
			return nil, err
		}
	}
	return message.Atom("true"), nil
}

// codecTerms reads what a commitment is to cover.
func codecTerms(req message.Message) (t httpsig.Terms) {
	if v, ok := req.Get("bundle"); ok {
		if nested, _ := device.Flag(v); nested {
			t.Nesting = message.Nested
		}
	}
	switch v, _ := req.Get("committed"); v {
	case nil, message.Bytes("all"), message.Atom("all"):
	default:
		t.Keys = device.Texts(v)
	}
	return t
}

// codecUnsigned tells whether a commitment without a signer is asked for.
func codecUnsigned(req message.Message, unsigned string, signed ...string) (bool, error) {
	kind := req.Text("type")
	if kind == unsigned || kind == "unsigned" {
		return true, nil
	}
	for _, name := range append(signed, "", "signed") {
		if kind == name {
			return false, nil
		}
	}
	return false, fault.New(fault.Unsupported, "commitment-type-unknown", "this node makes no commitments of type %.60q here", kind).
		WithHint("leave type away for a signature, or say unsigned")
}

// codecPlain is a message without what only says how it is asked: its device, where that is the codec's own.
func codecPlain(c *device.Call, base message.Message) message.Message {
	if base.Text("device") == c.Device {
		return base.Without("device")
	}
	return base
}

// codecKeysMax are the keys and members of lists of what is read. It is the same on every node, since processes read so too.
const codecKeysMax = 1 << 18

// codecPayload gives the bytes to read: the value of the key that target names, of the base or the request; body if it names
// none. A base that is bytes is its own payload.
func codecPayload(c *device.Call, base, req message.Message) ([]byte, string, error) {
	name := "body"
	if v, ok := device.First("target", req, base); ok {
		if text, _ := device.Text(v); text != "" && text != "self" {
			name = text
		}
	}
	v, ok := device.First(name, base, req)
	if !ok && name == "body" {
		v, ok = device.First(message.KeyData, base, req)
	}
	if !ok || message.IsPrivate(name) {
		return nil, name, nil
	}
	v, err := c.Load(v)
	if err != nil {
		return nil, name, err
	}
	text, ok := v.(message.Bytes)
	if !ok {
		return nil, name, fault.New(fault.Malformed, "payload-malformed", "%.60q holds a %s, bytes are wanted", name, device.KindOf(v))
	}
	return []byte(text), name, nil
}

// codecTarget is the input that codecPayload reads.
var codecTarget = device.Input{Name: "target", Doc: "the key that holds what is read; body is the default", Type: device.TypeText, Max: 4096}

func codecMissing(what, name string) error {
	return refused(device.NotFound, what+" payload not found in the base message. Searched for: "+name, "argument-missing", "send it as body, or name its key as target")
}

// codecTyped is what an encoding writes, with its media type.
func codecTyped(contentType string, text []byte) message.Message {
	return message.New(
		message.Field{Key: message.KeyContentType, Value: message.Bytes(contentType)},
		message.Field{Key: message.KeyBody, Value: message.Bytes(text)})
}

// codecReads charges for turning the texts of a message into what they stand for, or back.
func codecReads(c *device.Call, base message.Message) error {
	return c.Charge(func(limit int64) int64 { return 3 * message.Footprint(base, limit) })
}

// codecWrites charges for writing a message, or committing to it, with what is nested in place if nested says so.
func codecWrites(c *device.Call, base message.Message, nesting message.Nesting) error {
	if nesting == message.Linked {
		return codecReads(c, base)
	}
	cost, err := httpsig.Fits(base)
	if err != nil {
		return err
	}
	return c.Charge(func(int64) int64 { return cost })
}

// codecReadsText charges for reading a text, by what it costs.
func codecReadsText(c *device.Call, cost func([]byte) int64, text []byte) error {
	return c.Charge(func(int64) int64 { return cost(text) })
}

// codecItemCost is what reading a data item or a transaction takes: its bytes, those of its data, and its tags.
func codecItemCost(raw []byte) int64 { return 3*int64(len(raw)) + 64<<10 }
