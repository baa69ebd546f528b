// Package jsonabi lets modules that read and write JSON, as those of legacy units do, work on messages.
package jsonabi

import (
	"context"
	"encoding/json"
	"io"

	"ago/codec/js"
	"ago/device"
	"ago/devices/running"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
	"ago/vm"
)

// Function is what the modules export for a message.
const Function = "handle"

// DefaultFormat is the format of an image that does not say its own.
const DefaultFormat = "wasm64-unknown-emscripten-draft_2024_02_15"

// Modules finds programs by their ids, with what their publishers said of them. A node gives it with device.Provide.
type Modules interface {
	Module(ctx context.Context, id message.ID) (process.Module, error)
}

// Work is a message of a process, ready for its module.
type Work struct {
	Definition process.Definition
	Module     process.Module
	Message    []byte // JSON
	Env        []byte // JSON
}

// Of reads the assignment that a process is given: base has the process, req is the assignment with the message under body. The
// texts are those that a legacy unit would give the module, which finds its own id under Module where the process names an image.
func Of(c *device.Call, base, req message.Message) (Work, error) {
	w := Work{}
	def, err := Definition(c, base)
	if err != nil {
		return w, err
	}
	w.Definition = def
	if w.Module, err = ModuleOf(c, base); err != nil {
		return w, err
	}
	v, ok := req.Get(message.KeyBody)
	if !ok {
		return w, fault.New(fault.Malformed, "assignment-empty", "an assignment has its message under body")
	}
	body, err := c.Message(v)
	if err != nil {
		return w, err
	}
	if body, err = body.Bundle(c.Loader()); err != nil {
		return w, err
	}
	whole := func(key string) int64 {
		v, _ := req.Get(key)
		n, _ := device.Whole(v)
		return n
	}
	w.Env = process.EnvironmentJSON(def, w.Module)
	if v, ok := req.Get("read-only"); ok {
		if trial, _ := device.Flag(v); trial {
			w.Message = process.DryRunJSON(def, tried(body), whole("timestamp"), uint64(whole("block-height")))
			return w, nil
		}
	}
	a := process.Assigned{Content: process.ContentOfMessage(body)}
	a.Process, a.Message = def.ID, a.Content.ID
	a.Slot, a.Timestamp, a.BlockHeight = slotlog.Slot(whole("slot")), whole("timestamp"), uint64(whole("block-height"))
	if a.HashChain, err = message.ParseID(req.Text("hash-chain")); err != nil {
		a.HashChain = message.ID{} // as of an assignment that was made by hand
	}
	w.Message = process.MessageJSON(def, a)
	if def.Message().Text("module") == "" && len(w.Message) > 2 { // no tag tells the program which one it is
		named := append(js.AppendJSON([]byte(`{"Module":`), w.Module.ID.String()), ',')
		w.Message = append(named, w.Message[1:]...)
	}
	return w, nil
}

// tried is the message of a dry run.
func tried(body message.Message) process.DryMessage {
	text := func(s string) json.RawMessage { return js.AppendJSON(nil, s) }
	c := process.ContentOfMessage(body.Without("owner").Without("id"))
	d := process.DryMessage{Owner: text(body.Text("owner")), ID: text(body.Text("id")), Data: text(string(c.Data)), Tags: c.Tags}
	if c.Target != "" {
		d.Target = text(c.Target)
	}
	return d
}

// Definition gives the process of a state.
func Definition(c *device.Call, base message.Message) (process.Definition, error) {
	v, ok := base.Get("process")
	if !ok {
		return process.Definition{}, fault.New(fault.Malformed, "process-missing", "the state of a process has its definition under process")
	}
	m, err := c.Message(v)
	if err != nil {
		return process.Definition{}, err
	}
	s := c.Session()
	if s == nil {
		return process.Define(m)
	}
	d, err := s.Derived("definition", m, func() (any, error) { return process.Define(m) })
	if err != nil {
		return process.Definition{}, err
	}
	return d.(process.Definition), nil
}

// ModuleOf gives the module of a state: the image under the input prefix, that of the process, its module, or the body of the
// state; an id, a message with the bytes under body or data, or the bytes.
func ModuleOf(c *device.Call, base message.Message) (process.Module, error) {
	from := []message.Message{base}
	for _, prefix := range []string{base.Text("input-prefix"), "process"} {
		if v, ok := base.Get(prefix); ok && prefix != "" {
			m, err := c.Message(v)
			if err != nil {
				return process.Module{}, err
			}
			from = append([]message.Message{m}, from...)
		}
	}
	for _, key := range []string{"image", "module", message.KeyBody} {
		v, ok := device.First(key, from...)
		if !ok {
			continue
		}
		format := DefaultFormat
		if named, ok := device.First("module-format", from...); ok {
			format, _ = device.Text(named)
		}
		return moduleOf(c, v, format)
	}
	return process.Module{}, fault.New(fault.Malformed, "image-missing", "no module is named").
		WithHint("give the id of a module under the key image or module of the process")
}

func moduleOf(c *device.Call, v message.Value, format string) (process.Module, error) {
	var known message.ID
	if link, ok := v.(message.Link); ok {
		v = message.Bytes(link.To.String())
	}
	if text, ok := v.(message.Bytes); ok {
		id, err := message.ParseID(string(text))
		if err != nil {
			return made(message.HashOf([]byte(text)), text, format), nil
		}
		if find, ok := device.Service[Modules](c); ok {
			m, err := find.Module(c, id)
			if fault.KindOf(err) != fault.NotFound || err == nil {
				return m, err
			}
		}
		read, err := c.Read(string(text))
		if err != nil {
			return process.Module{}, err
		}
		if bytes, ok := read.(message.Bytes); ok {
			return made(id, bytes, format), nil
		}
		v, known = read, id
	}
	m, err := c.Message(v)
	if err != nil {
		return process.Module{}, err
	}
	if own := m.Text("module-format"); own != "" {
		format = own
	}
	for _, key := range []string{message.KeyBody, "data"} {
		v, ok := m.Get(key)
		if !ok {
			continue
		}
		if v, err = c.Load(v); err != nil {
			return process.Module{}, err
		}
		if bytes, ok := v.(message.Bytes); ok {
			if known.IsZero() {
				known = m.SignedID()
			}
			content := process.ContentOfMessage(without(m, key)) // its bytes are many, and say nothing of it
			mod := made(known, bytes, format)
			mod.Owner, mod.Tags = content.Owner, content.Tags
			return mod, nil
		}
	}
	return process.Module{}, fault.New(fault.Malformed, "image-malformed", "a module has its bytes under body or data")
}

// without gives a message without a key, with all its commitments.
func without(m message.Message, key string) message.Message {
	fs := make([]message.Field, 0, m.Len())
	for k, v := range m.All() {
		if k != key {
			fs = append(fs, message.Field{Key: k, Value: v})
		}
	}
	return message.New(fs...)
}

func made(id message.ID, bytes message.Bytes, format string) process.Module {
	return process.Module{ID: id, Format: format, Bytes: func(context.Context) ([]byte, error) { return []byte(bytes), nil }}
}

// Hold gives the running program of a state, as its process holds it under a name.
func Hold(c *device.Call, name string, base message.Message) (running.Evaluator, error) {
	engine, ok := device.Service[vm.Engine](c)
	if !ok {
		return nil, fault.New(fault.Unsupported, "engine-missing", "this node runs no programs")
	}
	if c.Session() == nil {
		return nil, fault.New(fault.Unsupported, "process-wanted", "modules run as part of a process").
			WithHint("spawn a process whose execution device is this one, or a stack with it")
	}
	s := running.Source{Engine: engine, Limits: func() vm.Limits { return limits(c, base) }, Module: func() (vm.Module, error) {
		m, err := ModuleOf(c, base)
		if err != nil {
			return vm.Module{}, err
		}
		bytes, err := m.Bytes(c)
		return vm.Module{ID: m.ID.String(), Format: m.Format, Bytes: bytes}, err
	}}
	return running.Hold(c, name, s)
}

// limits are those that the process states, else its module.
func limits(c *device.Call, base message.Message) vm.Limits {
	var l vm.Limits
	if def, err := Definition(c, base); err == nil {
		l.MemoryMax, l.GasMax = def.MemoryLimit, def.ComputeLimit
	}
	if l.MemoryMax == 0 || l.GasMax == 0 {
		if m, err := ModuleOf(c, base); err == nil {
			if l.MemoryMax == 0 {
				l.MemoryMax = m.MemoryLimit
			}
			if l.GasMax == 0 {
				l.GasMax = m.ComputeLimit
			}
		}
	}
	return l
}

// Eval evaluates a message and reads the answer. What failed, or says that it did, is undone.
func Eval(c *device.Call, p running.Evaluator, in vm.Input) (vm.Output, process.Result, error) {
	out, err := p.Eval(c, in)
	if err != nil {
		return out, process.Result{}, err
	}
	r := process.ResultOf(out)
	if r.KeepState {
		err = p.Drop()
	}
	return out, r, err
}

// Answer is what a module answered.
type Answer struct {
	JSON   bool // it is one
	Result process.Result
}

// AnswerOf reads the answer that a message holds, by read. In a process it is read once as long as it is the very same message,
// of which all of the answer follows.
func AnswerOf(c *device.Call, holds message.Message, read func() Answer) Answer {
	s := c.Session()
	if s == nil {
		return read()
	}
	v, err := s.Derived("answer", holds, func() (any, error) { return read(), nil })
	if a, ok := v.(Answer); ok && err == nil {
		return a
	}
	return read()
}

// Results are those of an answer, with who sends the messages in the outbox.
func Results(r process.Result, from message.Message) message.Message {
	results := r.Results()
	box, _ := results.Get("outbox")
	sent, ok := box.(message.Message)
	if !ok || sent.Len() == 0 {
		return results
	}
	out := sent
	for key, v := range sent.All() {
		m, ok := v.(message.Message)
		if !ok {
			continue
		}
		for name, value := range from.All() {
			m = m.With(name, value)
		}
		out = out.With(key, m)
	}
	return results.With("outbox", out)
}

// From says who sends the messages of a process: from-process and from-image.
func From(def process.Definition) message.Message {
	fs := []message.Field{{Key: "from-process", Value: message.Bytes(def.ID.String())}}
	if !def.Module.IsZero() {
		fs = append(fs, message.Field{Key: "from-image", Value: message.Bytes(def.Module.String())})
	}
	return message.New(fs...)
}

// Memory writes the committed linear memory of a program.
func Memory(p running.Evaluator, w io.Writer) error {
	m, ok := p.(interface {
		Memory(w io.Writer) (int64, error)
	})
	if !ok {
		return fault.New(fault.Unsupported, "memory-unreadable", "the memory of a copy is not read")
	}
	_, err := m.Memory(w)
	return err
}
