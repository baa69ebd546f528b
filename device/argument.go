package device

import (
	"strconv"
	"strings"

	"ago/fault"
	"ago/message"
)

// Type is what the value of an input has to be. Requests come as text, so each type has a text that stands for it.
type Type uint8

const (
	Any      Type = iota
	TypeText      // bytes, or an atom or number as its text
	TypeInt       // a whole number, or its decimal text
	TypeFlag      // true or false, as an atom or a text
	TypeID        // an id of 43 characters
	TypeMap       // a message
	TypeList      // a list, or a text with commas between its members
)

var typeNames = [...]string{"any value", "text", "whole number", "true or false", "id", "message", "list"}

// String says the type in words.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return typeNames[Any]
}

// Text gives the text of a value that has one: bytes, an atom, a number.
func Text(v message.Value) (string, bool) {
	switch v := v.(type) {
	case message.Bytes:
		return string(v), true
	case message.Atom:
		return string(v), true
	case message.Int:
		return strconv.FormatInt(int64(v), 10), true
	case message.BigInt:
		return string(v), true
	case message.Float:
		return message.FloatText(float64(v)), true
	}
	return "", false
}

// Whole gives a whole number of 64 bits, from a number or its decimal text.
func Whole(v message.Value) (int64, bool) {
	switch v := v.(type) {
	case message.Int:
		return int64(v), true
	case message.Bytes:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// Flag gives a truth, from an atom or its text.
func Flag(v message.Value) (value, ok bool) {
	switch text, _ := Text(v); text {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// Items gives the members of a list, of a map numbered from 1, or of a text with commas; one other value is a list of itself.
func Items(v message.Value) []message.Value {
	switch v := v.(type) {
	case nil:
		return nil
	case message.List:
		return v
	case message.Message:
		var out []message.Value
		for i := 1; ; i++ {
			member, ok := v.Get(strconv.Itoa(i))
			if !ok {
				return out
			}
			out = append(out, member)
		}
	case message.Bytes:
		var out []message.Value
		for part := range strings.SplitSeq(string(v), ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, message.Bytes(part))
			}
		}
		return out
	}
	return []message.Value{v}
}

// Texts is Items as texts; members that have none are left out.
func Texts(v message.Value) []string {
	var out []string
	for _, item := range Items(v) {
		if text, ok := Text(item); ok {
			out = append(out, text)
		}
	}
	return out
}

// Numbered is a list as a message: its members under 1, 2, 3...
func Numbered(l message.List) message.Message {
	fs := make([]message.Field, len(l))
	for i, v := range l {
		fs[i] = message.Field{Key: strconv.Itoa(i + 1), Value: v}
	}
	return message.New(fs...)
}

// First gives the value of the first of the messages that has the key.
func First(key string, in ...message.Message) (message.Value, bool) {
	for _, m := range in {
		if v, ok := m.Get(key); ok {
			return v, true
		}
	}
	return nil, false
}

// Check holds the arguments against what the key says of its inputs. It fails with Malformed ("argument-missing",
// "argument-malformed") and TooLarge ("argument-too-large").
func (k Key) Check(base, req message.Message) error {
	for i := range k.Inputs {
		in := &k.Inputs[i]
		v, ok := req.Get(in.Name)
		if !ok {
			if !in.Required {
				continue
			}
			if _, ok := base.Get(in.Name); !ok {
				return fault.New(fault.Malformed, "argument-missing", "%s is missing", in.Name).WithHint("%s: %s", in.Name, in.Doc)
			}
			continue
		}
		if err := in.check(v); err != nil {
			return err
		}
	}
	return nil
}

func (in *Input) check(v message.Value) error {
	if _, link := v.(message.Link); link {
		return nil // what it leads to is the device's to read
	}
	ok, size := true, 0
	switch in.Type {
	case TypeText:
		var text string
		text, ok = Text(v)
		size = len(text)
	case TypeInt:
		_, ok = Whole(v)
		if _, big := v.(message.BigInt); big {
			ok = true
		}
	case TypeFlag:
		_, ok = Flag(v)
	case TypeID:
		text, _ := Text(v)
		_, err := message.ParseID(text)
		ok = err == nil
	case TypeMap:
		var m message.Message
		m, ok = v.(message.Message)
		size = m.Len()
	case TypeList:
		size = len(Items(v))
	case Any:
		if text, is := v.(message.Bytes); is {
			size = len(text)
		}
	}
	if !ok {
		return fault.New(fault.Malformed, "argument-malformed", "%s has to be a %s", in.Name, in.Type).WithHint("%s: %s", in.Name, in.Doc)
	}
	if in.Max > 0 && size > in.Max {
		return fault.New(fault.TooLarge, "argument-too-large", "%s has a size of %d, at most %d is taken", in.Name, size, in.Max)
	}
	return nil
}
