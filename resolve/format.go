package resolve

import (
	"strconv"
	"strings"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Format writes steps as a request that Parse reads back as the same: a path, and the keys of each step as "2.key+type". The
// first step is the base. It fails with Unsupported ("no-path-form") for what a path cannot say.
func Format(steps []device.Step) (path string, keys message.Message, err error) {
	var b strings.Builder
	var fields []message.Field
	for i, s := range steps {
		if err := formatStep(&b, s, i == 0); err != nil {
			return "", message.Message{}, err
		}
		scope := strconv.Itoa(i) + "."
		if s.Target != "" || s.Sub != nil {
			if s.Request.Len() > 0 || s.Sub != nil && (s.As != "" || len(s.Args) > 0) {
				return "", message.Message{}, noForm("keys on an id or on parentheses")
			}
		}
		for key, v := range s.Request.All() {
			if key == keyPath && (i > 0 || s.As != "") {
				continue
			}
			name, text, err := formatKey(key, v)
			if err != nil {
				return "", message.Message{}, err
			}
			fields = append(fields, message.Field{Key: scope + name, Value: text})
		}
	}
	return b.String(), message.New(fields...), nil
}

func noForm(what string) error {
	return fault.New(fault.Unsupported, "no-path-form", "a path cannot say this: %s", what)
}

func formatStep(b *strings.Builder, s device.Step, first bool) error {
	if s.Sub != nil {
		b.WriteString("/(")
		if err := formatInline(b, s.Sub); err != nil {
			return err
		}
		b.WriteByte(')')
		return nil
	}
	name := s.Path()
	if first && s.Target == "" && s.As == "" {
		if len(s.Args) > 0 {
			return noForm("a path among the keys of the base")
		}
		return nil // an empty base is not written
	}
	if name == "" && s.As == "" {
		return noForm("a step that asks for nothing")
	}
	if s.Target == "" && isID(name) {
		return noForm("keys on an id")
	}
	b.WriteByte('/')
	if err := writeName(b, name); err != nil {
		return err
	}
	if s.As != "" {
		b.WriteByte('~')
		if err := writeName(b, s.As); err != nil {
			return err
		}
	}
	for _, a := range s.Args {
		b.WriteByte('&')
		if err := writeName(b, a.Key); err != nil {
			return err
		}
		b.WriteString("=(")
		if err := formatInline(b, a.Steps); err != nil {
			return err
		}
		b.WriteByte(')')
	}
	return nil
}

// formatInline writes steps that stand in parentheses, with their keys in the path itself.
func formatInline(b *strings.Builder, steps []device.Step) error {
	for i, s := range steps {
		if i == 0 && s.Target == "" && s.As == "" && s.Sub == nil {
			if s.Request.Len() > 0 || len(s.Args) > 0 {
				return noForm("keys of an empty base in parentheses")
			}
			continue
		}
		if err := formatStep(b, s, false); err != nil {
			return err
		}
		for key, v := range s.Request.All() {
			if key == keyPath {
				continue
			}
			name, text, err := formatKey(key, v)
			if err != nil {
				return err
			}
			value, ok := text.(message.Bytes)
			if !ok || strings.Contains(string(value), `"`) {
				return noForm("the value of " + key + " in parentheses")
			}
			b.WriteString("&" + name + `="` + escapePercent(string(value)) + `"`)
		}
	}
	return nil
}

// formatKey gives a key with its type, and its value as text; what has no text stays as it is.
func formatKey(key string, v message.Value) (string, message.Value, error) {
	if key == "" || len(key) > keyMax || strings.ContainsAny(key, `.+ &/?="()~%`) {
		return "", nil, noForm("the key " + key)
	}
	switch v := v.(type) {
	case message.Int:
		return key + "+integer", message.Bytes(strconv.FormatInt(int64(v), 10)), nil
	case message.BigInt:
		return key + "+integer", message.Bytes(v), nil
	case message.Float:
		return key + "+float", message.Bytes(message.FloatText(float64(v))), nil
	case message.Atom:
		return key + "+atom", message.Bytes(v), nil
	}
	return key, v, nil
}

// writeName writes a key or a device; separators in it are written with percent signs.
func writeName(b *strings.Builder, name string) error {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case strings.IndexByte(`"()~+ `, c) >= 0:
			return noForm("the name " + name)
		case strings.IndexByte(separators, c) >= 0, c == '%':
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c), 16)))
		default:
			b.WriteByte(c)
		}
	}
	return nil
}

func escapePercent(s string) string { return strings.ReplaceAll(s, "%", "%25") }
