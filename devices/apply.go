package devices

import (
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Apply resolves a path that stands in a message.
var _ = device.Register(device.Device{
	Name:    "apply@1.0",
	Doc:     "resolves a path or a request that stands in a message on another part of it",
	Default: apply,
	DefaultKey: device.Key{
		Doc: "what the path that this key of the request or the message holds gives on `source`; with base and request, what the key gives there",
		Inputs: []device.Input{
			{Name: "source", Doc: "the part to resolve on, as a path that may begin with base: or request:; all of the message is the default", Type: device.TypeText, Max: 4096},
			{Name: "base", Doc: "the part that `request` is applied to, instead of source", Type: device.TypeText, Max: 4096},
			{Name: "request", Doc: "the part that is applied to `base`", Type: device.TypeText, Max: 4096},
		}},
	Examples: []device.Example{
		{Path: "/~apply@1.0&hello=world&go=hello/go", Want: "world"},
		{Path: "/~apply@1.0&a+map=x=1&go=x/go&source=a", Want: "1"},
	},
})

func apply(c *device.Call, base, req message.Message) (message.Value, error) {
	if on, with := req.Text("base"), req.Text("request"); on != "" && with != "" {
		return applyPair(c, base, req, on, with)
	}
	path, err := applyFind(c, c.Key, base, req)
	if err != nil {
		return nil, err
	}
	text, ok := device.Text(path)
	if path == nil {
		return nil, applyAbsent("Path `", c.Key, "` to execute not found.")
	}
	if !ok || text == "" {
		return nil, fault.New(fault.Malformed, "path-malformed", "Path `%.100s` is invalid.", c.Key)
	}
	var source message.Value = base.Without("device").Without("source")
	if name := first("source", req, base); name != "" {
		if source, err = applyFind(c, name, base, req); err != nil {
			return nil, err
		}
		if source == nil {
			return nil, applyAbsent("Source path `", name, "` to apply not found.")
		}
	}
	keys, err := c.Message(source)
	if err != nil {
		return nil, err
	}
	return c.Path(text, keys)
}

// applyPair applies one part to another.
func applyPair(c *device.Call, base, req message.Message, on, with string) (message.Value, error) {
	source, err := applyFind(c, on, base, req)
	if err != nil {
		return nil, err
	}
	if source == nil {
		return nil, applyAbsent("Source path `", on, "` to apply not found.")
	}
	request, err := applyFind(c, with, base, req)
	if err != nil {
		return nil, err
	}
	if request == nil {
		return nil, applyAbsent("Path `", with, "` to execute not found.")
	}
	m, err := c.Message(request)
	if err != nil {
		return nil, err
	}
	if c.Key != "pair" {
		m = m.With("path", message.Bytes(c.Key))
	}
	return c.Resolve(source, m)
}

// applyFind gives the value that a reference leads to: in the request, or in the message where the request has none. Nil is none.
func applyFind(c *device.Call, text string, base, req message.Message) (message.Value, error) {
	in, path := reference(text, base, req)
	if len(path) == 0 || private(path) {
		if len(path) == 0 && text != "" {
			return in, nil
		}
		return nil, nil
	}
	places := []message.Message{in}
	if !applyPrefixed(text) {
		places = []message.Message{req, base}
	}
	for _, m := range places {
		v, ok, err := m.Find(path, c.Loader())
		if err != nil {
			return nil, limited(err)
		}
		if ok {
			return c.Load(v)
		}
	}
	return nil, nil
}

// applyPrefixed tells whether a reference says which message it means.
func applyPrefixed(text string) bool {
	for i := range text {
		switch text[i] {
		case ':':
			return text[:i] == "base" || text[:i] == "req" || text[:i] == "request"
		case '/':
			return false
		}
	}
	return false
}

func applyAbsent(before, name, after string) error {
	return refused(device.NotFound, before+name+after, "message-absent", "name a key that the message has")
}
