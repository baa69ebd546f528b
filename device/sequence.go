package device

import (
	"ago/fault"
	"ago/message"
)

// Private keys that stand for what a message alone does not say of a step.
const (
	keyAs    = "priv-as"
	keySteps = "priv-steps"
)

// Sequence gives steps as a list of messages, for hooks that look at a whole request or replace it: an id for a step that is
// one, the request otherwise. What else a step says stands under private keys.
func Sequence(steps []Step) message.List {
	out := make(message.List, len(steps))
	for i, s := range steps {
		out[i] = s.value()
	}
	return out
}

func (s Step) value() message.Value {
	if s.Sub != nil {
		return message.New(message.Field{Key: keySteps, Value: Sequence(s.Sub)})
	}
	m := s.Request
	for _, a := range s.Args {
		m = m.With(a.Key, message.New(message.Field{Key: keySteps, Value: Sequence(a.Steps)}))
	}
	if s.Target != "" && m.Len() == 0 && s.As == "" {
		return message.Bytes(s.Target)
	}
	if s.Target != "" {
		m = m.With("path", message.Bytes(s.Target))
	}
	if s.As != "" {
		m = m.With(keyAs, message.Bytes(s.As))
	}
	return m
}

// Steps reads a list of messages as steps; the list may be a message of numbered members. It fails with Malformed
// ("step-malformed") for members that are neither ids, keys nor messages.
func Steps(v message.Value) ([]Step, error) {
	items := Items(v)
	steps := make([]Step, len(items))
	for i, item := range items {
		s, err := stepOf(item, i == 0)
		if err != nil {
			return nil, err
		}
		steps[i] = s
	}
	return steps, nil
}

func stepOf(v message.Value, first bool) (Step, error) {
	m, ok := v.(message.Message)
	if !ok {
		text, ok := Text(v)
		if !ok {
			return Step{}, fault.New(fault.Malformed, "step-malformed", "a step is a message or an id, not a %s", KindOf(v))
		}
		if first || len(text) == message.IDLength {
			return Step{Target: text}, nil
		}
		return Ask(text), nil
	}
	if sub, ok := m.Get(keySteps); ok {
		steps, err := Steps(sub)
		return Step{Sub: steps}, err
	}
	s := Step{As: m.Text(keyAs), Request: m.Without(keyAs)}
	if path := m.Text("path"); len(path) == message.IDLength && (s.As != "" || first) {
		s.Target, s.Request = path, s.Request.Without("path")
	}
	for key, v := range m.All() {
		inner, _ := v.(message.Message)
		sub, ok := inner.Get(keySteps)
		if !ok {
			continue
		}
		steps, err := Steps(sub)
		if err != nil {
			return Step{}, err
		}
		s.Args = append(s.Args, Arg{key, steps})
		s.Request = s.Request.Without(key)
	}
	return s, nil
}
