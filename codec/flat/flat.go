// Package flat writes a message as lines of paths and values, the form of configuration files, and reads it.
package flat

import (
	"slices"
	"strings"

	"ago/codec/structured"
	"ago/fault"
	"ago/message"
)

// Codec is the name of the encoding.
const Codec = "flat@1.0"

// Limits of reading.
const (
	depthMax = structured.DepthMax
	linesMax = 1 << 16 // far beyond any configuration
	nodesMax = 1 << 17 // places that the paths of all lines make
)

func malformed(format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, "flat-malformed", format, args...)
}

// Encode gives one field for each text in the message, its key the path to it joined by slashes. Numbers, atoms and lists are
// noted in fields that end in ao-types. Maps without keys leave nothing behind.
func Encode(m message.Message) message.Message {
	var fs []message.Field
	walk("", structured.Encode(m, structured.GenB, message.Nested), &fs)
	return message.New(fs...)
}

func walk(prefix string, m message.Message, fs *[]message.Field) {
	for key, v := range m.All() {
		if inner, ok := v.(message.Message); ok {
			walk(prefix+key+"/", inner, fs)
		} else {
			*fs = append(*fs, message.Field{Key: prefix + key, Value: v})
		}
	}
}

// Decode nests fields by the slashes in their keys and applies their types. It fails with Malformed ("flat-malformed") if a
// path goes through a value, and with TooLarge ("message-too-deep", "flat-too-large").
func Decode(m message.Message) (message.Message, error) {
	nested, err := Nest(m)
	if err != nil {
		return message.Message{}, err
	}
	return structured.Decode(nested, structured.GenB)
}

// Nest is Decode without the types.
func Nest(m message.Message) (message.Message, error) {
	root, nodes := &node{}, 0
	for path, v := range m.All() {
		segments := strings.Split(path, "/")
		if len(segments) > depthMax {
			return message.Message{}, fault.New(fault.TooLarge, "message-too-deep", "a path has at most %d segments", depthMax)
		}
		at := root
		for _, s := range segments {
			at = at.child(s, &nodes)
		}
		if nodes > nodesMax {
			return message.Message{}, fault.New(fault.TooLarge, "flat-too-large", "paths make at most %d messages and values", nodesMax)
		}
		if inner, ok := v.(message.Message); ok && inner.Len() == 0 {
			continue
		}
		at.value = v
	}
	v, err := root.build("")
	if err != nil {
		return message.Message{}, err
	}
	out, _ := v.(message.Message)
	return out, nil
}

// node is a place in the tree: a value, or children in the order they came in.
type node struct {
	name     string
	value    message.Value
	children []*node
	index    map[string]*node // only looked up
}

func (n *node) child(name string, made *int) *node {
	if c, ok := n.index[name]; ok {
		return c
	}
	if n.index == nil {
		n.index = map[string]*node{}
	}
	c := &node{name: name}
	*made++
	n.index[name] = c
	n.children = append(n.children, c)
	return c
}

func (n *node) build(path string) (message.Value, error) {
	if n.value != nil && len(n.children) > 0 {
		return nil, malformed("%.100q is a value and has keys below it", path)
	}
	if n.value != nil {
		return n.value, nil
	}
	fs := make([]message.Field, len(n.children))
	for i, c := range n.children {
		v, err := c.build(path + "/" + c.name)
		if err != nil {
			return nil, err
		}
		fs[i] = message.Field{Key: c.name, Value: v}
	}
	return message.New(fs...), nil
}

// Serialize writes "path: value" lines in order. It fails with Unsupported ("flat-unwritable") for texts of several lines and
// paths with a colon or a line break, which lines cannot hold.
func Serialize(m message.Message) ([]byte, error) {
	var lines []string
	for path, v := range Encode(m).All() {
		text := string(v.(message.Bytes))
		if strings.ContainsAny(path, ":\n\r") || strings.ContainsAny(text, "\n\r") || path == "" || path[0] == ' ' {
			return nil, fault.New(fault.Unsupported, "flat-unwritable", "%.100q cannot be written in one line", path)
		}
		lines = append(lines, path+": "+text)
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n")), nil
}

// Deserialize reads lines as Serialize writes them; empty lines and the spaces around a path do not count. It fails with
// Malformed ("flat-malformed") for a line without a colon and as Decode does.
func Deserialize(text []byte) (message.Message, error) {
	var fs []message.Field
	for line := range strings.SplitSeq(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		path, value, ok := strings.Cut(line, ":")
		if !ok {
			return message.Message{}, malformed("the line %.100q has no colon", line)
		}
		if len(fs) == linesMax {
			return message.Message{}, fault.New(fault.TooLarge, "flat-too-large", "at most %d lines are read", linesMax)
		}
		fs = append(fs, message.Field{Key: strings.TrimSpace(path), Value: message.Bytes(strings.TrimPrefix(value, " "))})
	}
	return Decode(message.New(fs...))
}
