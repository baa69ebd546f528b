package devices

import (
	"context"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Hook names what a node runs before and after requests.
var _ = device.Register(device.Device{
	Name: "hook@1.0",
	Doc:  "tells which handlers a node runs at certain moments, as before and after each request",
	Keys: device.Keys{
		"find": {Doc: "the handlers of a hook, in the order in which they run; none if there are none", Do: hookFind,
			Inputs: []device.Input{{Name: "hook", Doc: "the name of the moment: request, response, start, step", Type: device.TypeText, Max: 100, Required: true}}},
	},
	Examples: []device.Example{{Path: "/~hook@1.0/find&hook=request", Want: "[]"}},
})

func hookFind(c *device.Call, base, req message.Message) (message.Value, error) {
	out := message.List{}
	for _, h := range hookHandlers(c, first("hook", req, base)) {
		out = append(out, hookPublic(h))
	}
	return out, nil
}

// hookPublic is a handler without what its operator keeps to himself.
func hookPublic(h message.Message) message.Message {
	for key := range h.All() {
		if message.IsPrivate(key) {
			h = h.Without(key)
		}
	}
	return h
}

// hookHandlers are the handlers of a hook, by the setting on.
func hookHandlers(c *device.Call, name string) []message.Message {
	on, _ := c.Option("on")
	all, ok := on.(message.Message)
	if !ok {
		return nil
	}
	v, ok := all.Get(name)
	if !ok {
		return nil
	}
	if m, ok := v.(message.Message); ok && m.Text("device") != "" {
		return []message.Message{m}
	}
	var out []message.Message
	for _, h := range device.Items(v) {
		if m, ok := h.(message.Message); ok {
			out = append(out, m)
		}
	}
	return out
}

// hooked marks what the node itself runs for a request.
type hooked struct{}

// RunHook gives a message to the handlers that the node's setting on names for a moment, one after the other, each taking what
// the one before gave. What ends a handler otherwise than well ends all of it. The message is {request, body} for the hooks of
// requests.
func RunHook(c *device.Call, name string, m message.Message) (message.Message, error) {
	own := *c
	own.Context = context.WithValue(c.Context, hooked{}, true)
	c = &own
	for i, h := range hookHandlers(c, name) {
		out, err := hookRun(c, name, h, m)
		if err != nil {
			c.Event("hook-failed", message.New(message.Field{Key: "hook", Value: message.Bytes(name)}, message.Field{Key: "handler", Value: message.Int(i + 1)}))
			if hookSays(h, "result") == "ignore" {
				continue
			}
			if _, ended := device.OutcomeOf(err); ended || fault.KindOf(err) != fault.Internal {
				return m, err
			}
			return m, fault.Wrap(err, fault.Internal, "hook-failed", "handler %d of the hook %.100q", i+1, name)
		}
		switch hookSays(h, "result") {
		case "ignore":
		case "error":
			return m, c.Refuse(device.Failed, out, "hook-refused", "a handler of the node's refuses the request", "the answer is what the handler says; the setting on of the node names it")
		default:
			m = out
		}
	}
	return m, nil
}

// hookSays reads a setting of a handler, written hook/x or as the key x of a message hook.
func hookSays(h message.Message, key string) string {
	if text := h.Text("hook/" + key); text != "" {
		return text
	}
	v, _ := h.Get("hook")
	m, _ := v.(message.Message)
	return m.Text(key)
}

func hookRun(c *device.Call, name string, h, m message.Message) (message.Message, error) {
	path := h.Text("path")
	if path == "" {
		path = name
	}
	method := h.Text("method")
	if method == "" {
		method = "GET"
	}
	req := m.With("path", message.Bytes(path)).With("method", message.Bytes(method))
	base := h.Without("path").Without("method").Without("hook")
	if commit, _ := device.Flag(message.Bytes(hookSays(h, "commit-request"))); commit {
		v, err := c.As("httpsig@1.0", req, message.New(message.Field{Key: "path", Value: message.Bytes("commit")}))
		if err != nil {
			return m, err
		}
		if req, err = c.Message(v); err != nil {
			return m, err
		}
	}
	v, err := c.Resolve(base, req)
	if err != nil {
		return m, err
	}
	return c.Message(v)
}
