package devices

import (
	"strconv"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Patch lets a process change its own state by messages that it sends.
var _ = device.Register(device.Device{
	Name: "patch@1.0",
	Doc:  "moves parts of a message, or merges the patches in one part of it into another",
	Keys: device.Keys{
		"all":       {Doc: "the message with all that stands under `from` moved to `to`; 404 if nothing stands there", Inputs: patchInputs, Do: patchAll},
		"patches":   {Doc: "the message with those messages under `from` merged into `to` that say method PATCH or device patch@1.0; they are gone from there. 404 if nothing stands there", Inputs: patchInputs, Do: patchPatches},
		"compute":   {Doc: "as patches", Inputs: patchInputs, Do: patchPatches},
		"init":      {Doc: "the message", Do: patchNothing},
		"normalize": {Doc: "the message", Do: patchNothing},
		"snapshot":  {Doc: "the message", Do: patchNothing},
	},
	Examples: []device.Example{
		{Path: "/~patch@1.0&a+map=x=1/all&from=a&to=b", Want: `{"b":{"x":1},"device":"patch@1.0"}`},
		{Path: "/in/patches&from=out&to=/", Base: message.New(message.Field{Key: "in", Value: message.New(
			message.Field{Key: "device", Value: message.Bytes("patch@1.0")},
			message.Field{Key: "out", Value: message.New(message.Field{Key: "1", Value: message.New(
				message.Field{Key: "method", Value: message.Bytes("PATCH")}, message.Field{Key: "price", Value: message.Int(3)})})})}),
			Want: `{"device":"patch@1.0","out":{},"price":3}`},
	},
})

var patchInputs = []device.Input{
	{Name: "patch-from", Doc: "where the parts stand, as a path; req: before it means the request. Instead of from", Type: device.TypeText, Max: 4096},
	{Name: "patch-to", Doc: "where they go to, as a path. Instead of to", Type: device.TypeText, Max: 4096},
	{Name: "from", Doc: "where the parts stand; the message itself is the default", Type: device.TypeText, Max: 4096},
	{Name: "to", Doc: "where they go to; the message itself is the default", Type: device.TypeText, Max: 4096},
}

func patchNothing(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil }

// patchPlaces reads what is moved where, and in which message.
func patchPlaces(base, req message.Message) (in message.Message, from, to []string, err error) {
	read := func(name string) string {
		if text := first("patch-"+name, req, base); text != "" {
			return text
		}
		return first(name, req, base)
	}
	in, from = reference(read("from"), base, req)
	to = segments(read("to"))
	if private(from) || private(to) {
		return in, nil, nil, fault.New(fault.Denied, "patch-private", "private keys are not patched")
	}
	if len(from) > message.DepthMax/2 || len(to) > message.DepthMax/2 {
		return in, nil, nil, fault.New(fault.TooLarge, "message-too-deep", "paths of patches have up to %d parts", message.DepthMax/2)
	}
	return in, from, to, nil
}

func patchAll(c *device.Call, base, req message.Message) (message.Value, error) {
	in, from, to, err := patchPlaces(base, req)
	if err != nil {
		return nil, err
	}
	v, ok, err := in.Find(from, c.Loader())
	if err != nil {
		return nil, limited(err)
	}
	if !ok {
		return nil, device.Absent("from")
	}
	out := in
	if len(from) > 0 {
		out = in.WithPath(from, nil)
	}
	if m, is := v.(message.Message); is {
		return patchMerge(c, out, to, []message.Message{m})
	}
	if len(to) == 0 {
		return v, nil
	}
	return out.WithPath(to, v), nil
}

func patchPatches(c *device.Call, base, req message.Message) (message.Value, error) {
	in, from, to, err := patchPlaces(base, req)
	if err != nil {
		return nil, err
	}
	v, ok, err := in.Find(from, c.Loader())
	if err != nil {
		return nil, limited(err)
	}
	if !ok {
		return nil, device.Absent("from")
	}
	all, err := c.Message(v)
	if err != nil {
		return nil, err
	}
	var patches []message.Message
	rest := all
	for key, patch := range patchOrder(all) {
		m, is := patch.(message.Message)
		if !is || m.Text("method") != "PATCH" && m.Text("device") != c.Device {
			continue
		}
		for _, drop := range []string{message.KeyCommitments, "tags", "Tags", "method"} {
			m = m.Without(drop)
		}
		if m.Text("device") == c.Device { // says what it is, and is not to become the device of the state
			m = m.Without("device")
		}
		patches = append(patches, m)
		rest = rest.Without(key)
	}
	if len(patches) == 0 {
		return in, nil
	}
	return patchMerge(c, in.WithPath(from, rest), to, patches)
}

// patchOrder goes through a message with numbered keys in the order of the numbers, before the others in theirs.
func patchOrder(m message.Message) func(func(string, message.Value) bool) {
	return func(yield func(string, message.Value) bool) {
		n := 0
		for {
			key := strconv.Itoa(n + 1)
			v, ok := m.Get(key)
			if !ok {
				break
			}
			if n++; !yield(key, v) {
				return
			}
		}
		for key, v := range m.All() {
			if i, err := strconv.Atoi(key); err == nil && i >= 1 && i <= n && key == strconv.Itoa(i) {
				continue
			}
			if !yield(key, v) {
				return
			}
		}
	}
}

// patchMerge merges messages one after the other into what stands under a path.
func patchMerge(c *device.Call, m message.Message, to []string, patches []message.Message) (message.Value, error) {
	into := m
	if len(to) > 0 {
		v, ok, err := m.Find(to, c.Loader())
		if err != nil {
			return nil, limited(err)
		}
		into = message.Message{}
		if there, is := v.(message.Message); ok && is {
			into = there
		}
	}
	for _, patch := range patches {
		for key := range patch.All() {
			if message.IsPrivate(key) {
				patch = patch.Without(key)
			}
		}
		var err error
		if into, err = (message.Merge{Load: c.Loader()}).Set(into, patch); err != nil {
			return nil, limited(err)
		}
	}
	return m.WithPath(to, into), nil
}
