package device

import (
	"sync"

	"ago/message"
)

// Step is one stage of a path. Its parts are taken in the order in which they stand here.
type Step struct {
	// Sub is a path in parentheses: it is resolved by itself, and what it gives stands where this step does. Nil is none.
	Sub []Step
	// Target, as the first step, is the message that stands under this id; later it is a key like any other.
	Target string
	// As is the device under which the message is seen from here on, "" for its own.
	As string
	// By is the device whose key is asked while the message keeps its own, "" for that of the message.
	By string
	// Request holds the key asked for, in path, and its arguments. As the first step it is the base itself.
	Request message.Message
	// Args are arguments that are resolved before they stand in the request.
	Args []Arg
}

// Arg is an argument whose value is what a path gives.
type Arg struct {
	Key   string
	Steps []Step
}

// Ask is the step that asks for a key, with the arguments given.
func Ask(key string, args ...message.Field) Step {
	return Step{Request: message.New(append(args, message.Field{Key: "path", Value: message.Bytes(key)})...)}
}

// Path returns the key or path that the step asks for, "" if it asks for none.
func (s Step) Path() string {
	if s.Target != "" {
		return s.Target
	}
	return s.Request.Text("path")
}

// Hashpath names a result by what it is the result of, without holding the result. It is worked out when it is first asked
// for, since most are never read. The nil Hashpath is that of a message which is no result.
type Hashpath struct {
	before *Hashpath
	base   message.Value
	req    message.Message
	once   sync.Once
	text   string
	err    error
}

// Extend gives the hashpath of applying a request to a base that has the hashpath h.
func (h *Hashpath) Extend(base message.Value, req message.Message) *Hashpath {
	return &Hashpath{before: h, base: base, req: req}
}

// GivenHashpath is one that is known already.
func GivenHashpath(text string) *Hashpath {
	h := &Hashpath{text: text}
	h.once.Do(func() {})
	return h
}

// Text writes it: an id and a request, joined by a slash. It is "" for the nil Hashpath, and fails for a base that asks for a
// function nobody knows.
func (h *Hashpath) Text() (string, error) {
	if h == nil {
		return "", nil
	}
	h.once.Do(func() {
		before, err := h.before.Text()
		if err != nil {
			h.err = err
			return
		}
		base, previous := named(h.base)
		if before == "" {
			before = previous
		}
		h.text, h.err = message.Hashpath(base, before, h.req)
		h.before, h.base, h.req = nil, nil, message.Message{} // nothing of it is needed again
	})
	return h.text, h.err
}

// named gives what stands for a base: a map by its unsigned id, bytes by their hash, a list as the map of its members.
func named(base message.Value) (message.Message, string) {
	switch b := base.(type) {
	case message.Message:
		return b, ""
	case message.List:
		return Numbered(b), ""
	case message.Bytes:
		if id, err := message.ParseID(string(b)); err == nil {
			return message.Message{}, id.String()
		}
		return message.Message{}, message.HashOf([]byte(b)).String()
	}
	text, _ := Text(base)
	return message.Message{}, message.HashOf([]byte(text)).String()
}
