package luabridge

import (
	"fmt"
	"slices"
	"strings"

	"ago/device"
	"ago/fault"
	"ago/message"
)

const (
	// modulesMax and moduleMax bound the texts of one message.
	modulesMax = 256
	moduleMax  = 16 << 20 // bytes in all
)

// Sources gives the texts of the modules that a message names: its own text first, if it is one. Ids are read; a module that is
// not there is a 404, and so is one without a text.
func Sources(c *device.Call, base message.Message) ([]Source, error) {
	g := &gathering{c: c}
	if isLua(base) {
		if err := g.text("module", base); err != nil {
			return nil, err
		}
	}
	if v, ok := base.Get("module"); ok {
		if err := g.value("module", v, 0); err != nil {
			return nil, err
		}
	}
	if len(g.out) == 0 {
		return nil, fault.New(fault.Malformed, "no-modules-found", "no-modules-found").
			WithHint("give the id of a message with Lua under the key module, or the text under body with the content-type application/lua")
	}
	return g.out, nil
}

type gathering struct {
	c    *device.Call
	out  []Source
	size int
}

func isLua(m message.Message) bool {
	kind, _, _ := strings.Cut(m.Text(message.KeyContentType), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/lua", "text/x-lua":
		return true
	}
	return false
}

func (g *gathering) value(name string, v message.Value, depth int) error {
	if depth > 2 {
		return fault.New(fault.Malformed, "module-malformed", "modules are a list or a map of messages, no deeper")
	}
	switch v := v.(type) {
	case message.Bytes:
		return g.id(string(v))
	case message.Link:
		return g.id(v.To.String())
	case message.List:
		for i, member := range v {
			if err := g.value(fmt.Sprintf("%s %d", name, i+1), member, depth+1); err != nil {
				return err
			}
		}
		return nil
	case message.Message:
		if isLua(v) {
			return g.text(name, v)
		}
		for key, member := range v.All() {
			if message.IsPrivate(key) || key == message.KeyCommitments || key == "device" {
				continue
			}
			if err := g.value(key, member, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return fault.New(fault.Malformed, "module-malformed", "a module is an id or a message, no %s", device.KindOf(v))
}

func (g *gathering) id(id string) error {
	v, err := g.c.Read(id)
	if device.IsNotFound(err) {
		return notFound(g.c, "module-unknown", "send the module to this node first, or check its id", "Lua module '"+strings.ToValidUTF8(id[:min(len(id), 100)], "?")+"' not found.")
	}
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case message.Message:
		if inner, ok := v.Get(message.KeyBody); ok && !isLua(v) { // a whole request that was scheduled has the module in its body
			if _, text := inner.(message.Bytes); !text {
				m, err := g.c.Message(inner)
				if err == nil && isLua(m) {
					v = m
				}
			}
		}
		return g.text(id, v)
	case message.Bytes:
		return g.add(id, string(v))
	}
	return notLoadable(g.c)
}

func notFound(c *device.Call, code, hint, text string) error {
	return c.Refuse(device.NotFound, message.New(
		message.Field{Key: "status", Value: message.Int(device.NotFound)}, message.Field{Key: message.KeyBody, Value: message.Bytes(text)}), code, text, hint)
}

func notLoadable(c *device.Call) error {
	return notFound(c, "module-unreadable", "give the module content-type application/lua and its text as body", "Lua module not loadable. Lua modules must have a `body' element set to a binary of the code to load.")
}

func (g *gathering) text(name string, m message.Message) error {
	if given := m.Text("name"); given != "" {
		name = given
	}
	for _, key := range []string{message.KeyBody, "data"} {
		v, ok := m.Get(key)
		if !ok {
			continue
		}
		v, err := g.c.Load(v)
		if err != nil {
			return err
		}
		if text, ok := v.(message.Bytes); ok {
			return g.add(name, string(text))
		}
	}
	return notLoadable(g.c)
}

func (g *gathering) add(name, text string) error {
	g.size += len(text)
	if len(g.out) == modulesMax || g.size > moduleMax {
		return fault.New(fault.TooLarge, "modules-too-large", "a program has at most %d modules with %d bytes in all", modulesMax, moduleMax)
	}
	if len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		name = "module"
	}
	g.out = append(g.out, Source{name, []byte(text)})
	return nil
}

// BarredBy reads what the sandbox of a message takes away: its key sandbox is true, a list of names (os.exit, os/exit, or a list
// of their parts), or a map of names to what stands instead.
func BarredBy(base message.Message) (Barred, error) {
	v, ok := base.Get("sandbox")
	if !ok {
		return nil, nil
	}
	if yes, is := device.Flag(v); is {
		if yes {
			return DefaultBarred(), nil
		}
		return nil, nil
	}
	var out Barred
	if m, ok := v.(message.Message); ok {
		if _, numbered := m.Get("1"); !numbered {
			for key, instead := range m.All() {
				text, ok := device.Text(instead)
				if !ok {
					return nil, errSandbox
				}
				out = append(out, Bar{dotted(key), text})
			}
			return out, nil
		}
	}
	for _, item := range device.Items(v) {
		name, ok := device.Text(item)
		if !ok {
			parts := device.Texts(item)
			if len(parts) == 0 {
				return nil, errSandbox
			}
			name = strings.Join(parts, ".")
		}
		out = append(out, Bar{dotted(name), "sandboxed"})
	}
	return out, nil
}

func dotted(name string) string { return strings.ReplaceAll(name, "/", ".") }

var errSandbox = fault.New(fault.Malformed, "sandbox-malformed", "sandbox is true, a list of names or a map of names to texts").
	WithHint("for instance sandbox=true, or the list os.execute, io")

// Whole gives a value with what its links lead to.
func Whole(c *device.Call, v message.Value) (message.Value, error) {
	v, err := c.Load(v)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case message.Message:
		return v.Bundle(c.Loader())
	case message.List:
		m, err := message.New(message.Field{Key: "list", Value: v}).Bundle(c.Loader())
		if err != nil {
			return nil, err
		}
		whole, _ := m.Get("list")
		return whole, nil
	}
	return v, nil
}

// argument gives the message among arguments.
func argument(args []message.Value, i int) (message.Message, bool) {
	if i >= len(args) {
		return message.Message{}, false
	}
	m, ok := args[i].(message.Message)
	return m, ok
}

// known tells whether a device may be reached.
func known(allowed []string, name string) bool {
	return allowed == nil || slices.Contains(allowed, name)
}
