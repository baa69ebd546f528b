package devices

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Stack lets several devices answer one key in turn, each working on what the one before gave.
var _ = device.Register(device.Device{
	Name:    "stack@1.0",
	Doc:     "lets the devices in device-stack answer one after the other, each on what the one before gave",
	Default: stackRun,
	DefaultKey: device.Key{
		Doc: "the message after all devices of the stack that know the key; a value that is no message ends the stack at once. A device may leave out those after it, or begin another pass",
		Inputs: []device.Input{
			{Name: "mode", Doc: "Fold is the default; Map asks every device on the same message and gives their answers by name", Type: device.TypeText, Max: 10},
		}},
	Excludes: []string{"keys", "set", "set-path", "remove", "device", "id", "commit", "verify", "committers", "committed", "commitments", "path"},
	Keys: device.Keys{
		"transform": {Doc: "the message under the device of the stack that the next part of the path names", Do: stackTransform},
	},
	Examples: []device.Example{{Doc: "the devices of the stack see the message as theirs; at the end it is the stack's again", Path: "/base/init",
		Base: message.New(message.Field{Key: "base", Value: message.New(
			message.Field{Key: "device", Value: message.Bytes("stack@1.0")},
			message.Field{Key: "device-stack", Value: message.List{message.Bytes("test-device@1.0")}},
		)}), Want: `{"already-seen":[],"device":"stack@1.0","device-stack":["test-device@1.0"]}`}},
})

const stackMax = 64 // devices of one stack

// stackKept are the keys that the devices of a stack see changed, and that are put back at its end.
var stackKept = []string{"device", "device-key", "device-previous", "input-prefix", "output-prefix", "pass"}

// stackMember is one device of a stack, under its name in it.
type stackMember struct {
	name   string
	device message.Value
}

func stackMembers(c *device.Call, base message.Message) ([]stackMember, error) {
	v, ok := base.Get("device-stack")
	if !ok {
		return nil, fault.New(fault.Malformed, "stack-empty", "a stack needs its devices in device-stack")
	}
	v, err := c.Load(v)
	if err != nil {
		return nil, err
	}
	var out []stackMember
	if m, ok := v.(message.Message); ok && !stackNumbered(m) {
		for name, d := range m.All() {
			if name != message.KeyCommitments && !message.IsPrivate(name) {
				out = append(out, stackMember{name, d})
			}
		}
	} else {
		for i, d := range device.Items(v) {
			out = append(out, stackMember{strconv.Itoa(i + 1), d})
		}
	}
	if len(out) > stackMax {
		return nil, fault.New(fault.TooLarge, "stack-too-large", "a stack has up to %d devices, this has %d", stackMax, len(out))
	}
	return out, nil
}

func stackNumbered(m message.Message) bool {
	_, ok := m.Get("1")
	return ok
}

// knows tells whether the device of a member answers a key itself. One that is not there is asked, so that its absence shows.
func (s stackMember) knows(c *device.Call, key string) bool {
	name, _ := device.Text(s.device)
	d, ok := c.Node.Registry.Find(name)
	return !ok || messageAnswers(d, key)
}

// under gives the message as the member sees it.
func (s stackMember) under(base message.Message, previous message.Value) message.Message {
	m := base.With("device", s.device).With("device-key", message.Bytes(s.name)).With("device-previous", previous)
	for _, prefix := range []string{"input-prefix", "output-prefix"} {
		all, _ := base.Get(prefix + "es")
		if by, ok := all.(message.Message); ok {
			if v, ok := by.Get(s.name); ok {
				m = m.With(prefix, v)
			}
		}
	}
	return m
}

func stackRun(c *device.Call, base, req message.Message) (message.Value, error) {
	if allowed, ok := base.Get("stack-keys"); ok && !slices.Contains(device.Texts(allowed), c.Key) {
		return messageRead(c, base, req)
	}
	members, err := stackMembers(c, base)
	if err != nil {
		return nil, err
	}
	known := members[:0:0]
	for _, s := range members {
		if s.knows(c, c.Key) {
			known = append(known, s)
		}
	}
	if len(known) == 0 {
		return messageRead(c, base, req)
	}
	mode := base.Text("mode")
	if asked := req.Text("mode"); asked != "" {
		mode = asked
	}
	if strings.EqualFold(mode, "map") {
		return stackMap(c, known, base, req)
	}
	return stackFold(c, known, base, req)
}

func stackFold(c *device.Call, members []stackMember, base, req message.Message) (message.Value, error) {
	strategy, _ := c.Option("error_strategy")
	ignore := strategy == message.Value(message.Bytes("ignore")) || strategy == message.Value(message.Atom("ignore"))
	now := base.With("pass", message.Int(1))
	previous := message.Value(message.Bytes(c.Device))
	for pass, i := int64(1), 0; i < len(members); i++ {
		s := members[i]
		v, err := c.Resolve(s.under(now, previous), req)
		if o, ok := device.OutcomeOf(err); ok && o.Status < device.OK {
			if now, err = c.Message(o.Value); err != nil {
				return nil, err
			}
			if o.Status == device.Skipped {
				break
			}
			pass++
			now = now.With("pass", message.Int(pass))
			i, previous = -1, message.Bytes(c.Device)
			continue
		}
		previous = s.device
		if fault.CodeOf(err) == "key-absent" || err != nil && ignore {
			continue
		}
		if err != nil {
			return nil, stackFailed(err, s)
		}
		m, ok := v.(message.Message)
		if !ok {
			return v, nil
		}
		now = m
	}
	for _, key := range stackKept {
		if v, ok := base.Get(key); ok {
			if old, same := now.Get(key); !same || !message.Equal(old, v) {
				now = now.With(key, v)
			}
		} else if _, set := now.Get(key); set {
			now = now.Without(key)
		}
	}
	return now, nil
}

// stackFailed says where in the stack a call failed; what kind of failure it was stays.
func stackFailed(err error, s stackMember) error {
	if _, ok := device.OutcomeOf(err); ok {
		return err
	}
	name, _ := device.Text(s.device)
	return fault.Wrap(err, fault.KindOf(err), fault.CodeOf(err), "device %s of the stack (%.100q)", s.name, name)
}

func stackMap(c *device.Call, members []stackMember, base, req message.Message) (message.Value, error) {
	answers := map[string]message.Value{}
	for _, s := range members {
		if err := c.Err(); err != nil {
			return nil, err
		}
		if v, err := c.Resolve(s.under(base, message.Bytes(c.Device)), req.Without("mode")); err == nil {
			answers[s.name] = v
		}
	}
	var fs []message.Field
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		fs = append(fs, message.Field{Key: name, Value: answers[name]})
	}
	return message.New(fs...), nil
}

func stackTransform(c *device.Call, base, _ message.Message) (message.Value, error) {
	rest := c.Rest()
	if len(rest) == 0 {
		return base, nil
	}
	name := rest[0].Path()
	members, err := stackMembers(c, base)
	if err != nil {
		return nil, err
	}
	for _, s := range members {
		if s.name == name {
			c.Consume(1)
			return s.under(base, message.Bytes(c.Device)), nil
		}
	}
	return nil, device.Absent(name)
}
