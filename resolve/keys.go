package resolve

import (
	"slices"
	"strconv"
	"strings"

	"ago/codec/structured"
	"ago/device"
	"ago/fault"
	"ago/message"
)

const keyPath = "path"

// argument is one key of a step, with its value or with the path that gives it.
type argument struct {
	key   string
	value message.Value
	steps []device.Step // instead of a value
}

// arguments of one step, in the order in which later ones count.
type arguments []argument

// on gives a message with the arguments set, and those that are still to be resolved.
func (as arguments) on(m message.Message) (message.Message, []device.Arg) {
	var args []device.Arg
	fields := make([]message.Field, 0, len(as))
	for _, a := range as {
		if len(args) > 0 {
			args = slices.DeleteFunc(args, func(x device.Arg) bool { return x.Key == a.key })
		}
		if a.steps == nil {
			fields = append(fields, message.Field{Key: a.key, Value: a.value})
			continue
		}
		fields = slices.DeleteFunc(fields, func(f message.Field) bool { return f.Key == a.key })
		args = append(args, device.Arg{Key: a.key, Steps: a.steps})
	}
	if m.Len() == 0 {
		return message.New(fields...), args
	}
	for _, f := range fields {
		m = set(m, f.Key, f.Value)
	}
	for _, a := range args {
		m = m.Without(a.Key)
	}
	return m, args
}

// set is With that leaves a message as it is when it says so already, so that what was committed stays so.
func set(m message.Message, key string, v message.Value) message.Message {
	if old, ok := m.Get(key); ok && message.Equal(old, v) {
		return m
	}
	return m.With(key, v)
}

// scopes are the keys of a request by the steps they go to.
type scopes struct {
	message message.Message   // the keys of the request that go everywhere as they are
	global  arguments         // what else goes everywhere
	by      map[int]arguments // what goes to one step
	path    message.Value     // the key path of the query, which goes to the base
}

// distribute reads the keys of a request and its query.
func distribute(keys message.Message, query string, depth int) (scopes, error) {
	s := scopes{message: keys.Without(keyPath)}
	for key, v := range keys.All() {
		if strings.IndexByte(key, '.') < 0 && strings.IndexByte(key, '+') < 0 && strings.IndexByte(key, ' ') < 0 {
			continue
		}
		taken, err := s.add(key, v, false, depth)
		if err != nil {
			return s, err
		}
		if taken {
			s.message = s.message.Without(key)
		}
	}
	if n := strings.Count(query, "&") + 1; n > argsMax {
		return s, tooMany(n)
	}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			value = "true"
		}
		if _, err := s.add(decodeQuery(key), message.Bytes(decodeQuery(value)), true, depth); err != nil {
			return s, err
		}
	}
	return s, nil
}

// add reads one key. Of the keys of a message only those that say a step or a type are taken.
func (s *scopes) add(key string, v message.Value, query bool, depth int) (taken bool, err error) {
	scope, rest := -1, key
	if number, name, ok := strings.Cut(key, "."); ok && strings.IndexByte(name, '.') < 0 {
		n, err := strconv.Atoi(number)
		switch {
		case err == nil && n >= 0 && n <= partsMax:
			scope, rest = n, name
		case query:
			return false, fault.New(fault.Malformed, "scope-malformed", "%.60q stands for no part of the path", number).
				WithHint("write 1.key for the first part, 2.key for the second, and 0.key for the base")
		}
	}
	name, kind := cutType(rest)
	text, isText := v.(message.Bytes)
	if !query && scope < 0 && (!isText || kind == "" || !knownType(kind)) {
		return false, nil
	}
	a := argument{key: rest, value: v}
	if isText {
		if a, err = typed(name, kind, string(text), depth); err != nil {
			return false, err
		}
	}
	switch {
	case scope < 0 && name == keyPath:
		s.path = a.value
	case scope < 0:
		s.global = append(s.global, a)
	default:
		if s.by == nil {
			s.by = map[int]arguments{}
		}
		s.by[scope] = append(s.by[scope], a)
	}
	return true, nil
}

// base is the step of an empty base.
func (s *scopes) base() device.Step {
	step := s.step(0, nil)
	if s.path != nil {
		step.Request = step.Request.With(keyPath, s.path)
	}
	return step
}

// step gives the i-th step with the keys that go to it; its own come last and count.
func (s *scopes) step(i int, own arguments) (step device.Step) {
	all := own
	if len(s.global) > 0 || len(s.by[i]) > 0 {
		all = slices.Concat(s.global, s.by[i], own)
	}
	step.Request, step.Args = all.on(s.message)
	return step
}

// cutType splits a key from its type.
func cutType(key string) (name, kind string) {
	if i := strings.IndexAny(key, "+ "); i >= 0 {
		return key[:i], key[i+1:]
	}
	return key, ""
}

func knownType(kind string) bool {
	switch kind {
	case "integer", "float", "atom", "list", "map", "binary", "resolve", "link":
		return true
	}
	return false
}

// typed reads the text of a value.
func typed(key, kind, value string, depth int) (argument, error) {
	if key == "" || len(key) > keyMax {
		return argument{}, malformed("a key has 1 to %d bytes, this has %d", keyMax, len(key))
	}
	wrong := func() (argument, error) {
		return argument{}, fault.New(fault.Malformed, "value-malformed", "%.60s is to be of type %.20s, which %.60q is not", key, kind, value)
	}
	switch kind {
	case "", "binary":
		return argument{key: key, value: message.Bytes(value)}, nil
	case "integer":
		n, ok := message.Whole(value)
		if !ok {
			return wrong()
		}
		return argument{key: key, value: n}, nil
	case "float":
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return wrong()
		}
		return argument{key: key, value: message.Float(f)}, nil
	case "atom":
		return argument{key: key, value: message.Atom(value)}, nil
	case "link":
		id, err := message.ParseID(value)
		if err != nil {
			return wrong()
		}
		return argument{key: key, value: message.Link{To: id}}, nil
	case "resolve":
		raw, query := cutQuery(value)
		steps, err := parse(decodePath(raw), query, message.Message{}, depth+1)
		if err != nil {
			return argument{}, err
		}
		return argument{key: key, steps: orEmpty(steps)}, nil
	case "list", "map":
		m, err := structured.Decode(message.New(
			message.Field{Key: "v", Value: message.Bytes(value)},
			message.Field{Key: message.KeyTypes, Value: message.Bytes(`v="` + kind + `"`)}), structured.GenA)
		if err != nil {
			return wrong()
		}
		v, _ := m.Get("v")
		return argument{key: key, value: v}, nil
	}
	return argument{}, fault.New(fault.Malformed, "type-unknown", "no type is named %.40q", kind).
		WithHint("types are integer, float, atom, list, map, binary, link and resolve")
}

// orEmpty makes a path without parts one that gives the empty message.
func orEmpty(steps []device.Step) []device.Step {
	if len(steps) == 0 {
		return []device.Step{{}}
	}
	return steps
}
