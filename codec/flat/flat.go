// Package flat writes a message as lines of paths and values, the form of configuration files, and reads it.
package flat

import (
	"bytes"
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
	linesMax = 1 << 16  // far beyond any configuration
	nodesMax = 1 << 17  // places that the paths of all lines make
	bytesMax = 16 << 20 // of the paths that are written: what is nested deep under long keys is much longer flat
)

func tooLarge(format string, args ...any) *fault.Error {
	return fault.New(fault.TooLarge, "flat-too-large", format, args...)
}

func malformed(format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, "flat-malformed", format, args...)
}

// Encode gives one field for each text in the message, its key the path to it joined by slashes. Numbers, atoms and lists are
// noted in fields that end in ao-types. Maps without keys leave nothing behind. It fails with TooLarge ("flat-too-large") if the
// paths are too long together.
func Encode(m message.Message) (message.Message, error) {
	annotated := structured.Encode(m, structured.GenB, message.Nested)
	if paths(annotated, 0, bytesMax) < 0 {
		return message.Message{}, tooLarge("the paths to all texts in the message have more than %d bytes", bytesMax).
			WithHint("ask for a part of it by its path, or for JSON")
	}
	var fs []message.Field
	walk("", annotated, &fs)
	return message.New(fs...), nil
}

// Cost tells, before a message is written, about how many bytes of memory that takes. It stops at the limit.
func Cost(m message.Message, limit int64) int64 {
	left := paths(m, 0, bytesMax)
	return 3*(bytesMax-max(left, 0)) + 2*message.Footprint(m, limit)
}

// paths gives what is left of so many bytes behind the paths to all texts; less than 0 if they are not enough.
func paths(m message.Message, above int, left int64) int64 {
	for key, v := range m.All() {
		if left < 0 {
			return left
		}
		switch v := v.(type) {
		case message.Message:
			left = paths(v, above+len(key)+1, left)
		case message.List: // of messages that are not annotated yet
			left = listPaths(v, above+len(key)+1, left)
		default:
			left -= int64(above + len(key))
		}
	}
	return left
}

func listPaths(l message.List, above int, left int64) int64 {
	const number = len("00000")
	for _, v := range l {
		if left < 0 {
			return left
		}
		switch v := v.(type) {
		case message.Message:
			left = paths(v, above+number+1, left)
		case message.List:
			left = listPaths(v, above+number+1, left)
		default:
			left -= int64(above + number)
		}
	}
	return left
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
		if strings.Count(path, "/") >= depthMax {
			return message.Message{}, fault.New(fault.TooLarge, "message-too-deep", "a path has at most %d segments", depthMax)
		}
		at := root
		for s := range strings.SplitSeq(path, "/") {
			at = at.child(s, &nodes)
		}
		if nodes > nodesMax {
			return message.Message{}, tooLarge("paths make at most %d messages and values", nodesMax)
		}
		if inner, ok := v.(message.Message); ok && inner.Len() == 0 {
			continue
		}
		at.value = v
	}
	v, err := root.build(make([]string, 0, depthMax))
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
	index    map[string]*node // only looked up; nil while there are few children
}

// fewChildren are looked through one by one.
const fewChildren = 8

func (n *node) child(name string, made *int) *node {
	if n.index == nil {
		for _, c := range n.children {
			if c.name == name {
				return c
			}
		}
	} else if c, ok := n.index[name]; ok {
		return c
	}
	c := &node{name: name}
	*made++
	n.children = append(n.children, c)
	switch {
	case n.index != nil:
		n.index[name] = c
	case len(n.children) > fewChildren:
		n.index = make(map[string]*node, 2*fewChildren)
		for _, c := range n.children {
			n.index[c.name] = c
		}
	}
	return c
}

func (n *node) build(path []string) (message.Value, error) {
	if n.value != nil && len(n.children) > 0 {
		return nil, malformed("%.100q is a value and has keys below it", strings.Join(path, "/"))
	}
	if n.value != nil {
		return n.value, nil
	}
	fs := make([]message.Field, len(n.children))
	for i, c := range n.children {
		v, err := c.build(append(path, c.name))
		if err != nil {
			return nil, err
		}
		fs[i] = message.Field{Key: c.name, Value: v}
	}
	return message.New(fs...), nil
}

// Serialize writes "path: value" lines in order. It fails with Unsupported ("flat-unwritable") for texts of several lines and
// paths with a colon, a line break, or space at an end, which lines cannot hold.
func Serialize(m message.Message) ([]byte, error) {
	flat, err := Encode(m)
	if err != nil {
		return nil, err
	}
	var lines []string
	for path, v := range flat.All() {
		text := string(v.(message.Bytes))
		if strings.ContainsAny(path, ":\n\r") || strings.ContainsAny(text, "\n\r") || path != strings.TrimSpace(path) || path == "" {
			return nil, fault.New(fault.Unsupported, "flat-unwritable", "%.100q cannot be written in one line", path)
		}
		lines = append(lines, path+": "+text)
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n")), nil
}

// ReadCost tells, before lines are read, about how many bytes of memory that takes.
func ReadCost(text []byte) int64 {
	places := bytes.Count(text, []byte("/")) + bytes.Count(text, []byte("\n")) + 1
	return 3*int64(len(text)) + placeCost*int64(min(places, nodesMax))
}

// placeCost are the bytes of a place in the tree, and of the message or value that it becomes.
const placeCost = 512

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
			return message.Message{}, tooLarge("at most %d lines are read", linesMax)
		}
		fs = append(fs, message.Field{Key: strings.TrimSpace(path), Value: message.Bytes(strings.TrimPrefix(value, " "))})
	}
	return Decode(message.New(fs...))
}
