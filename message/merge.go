package message

// Unset is the value that removes a key when it is merged in.
const Unset = Atom("unset")

// Merge is how the keys of one message are set in another. The zero Merge merges nested messages key by key, puts any other
// value in the place of what was there, and removes the keys that are Unset.
type Merge struct {
	// Explicit puts nested messages in the place of what was there too.
	Explicit bool
	// Load finds what links stand for that a nested message is merged into. With nil it replaces them.
	Load Loader
	// Nested merges into nested messages; for those whose device sets keys in its own way. Nil, and false for ok, is the way
	// of the others.
	Nested func(into, with Message) (out Message, ok bool, err error)
}

// Set gives a message with the keys of another set in it. If the value of a key changes that any commitment covers, all
// commitments are left behind, id and bytes if any value does; what stays equal keeps them. Commitments of the other message,
// at the top and in messages merged key by key, are not taken over. It fails with the errors of Load and Nested, and with
// ErrLimit for messages nested deeper than DepthMax.
func (g Merge) Set(into, with Message) (Message, error) { return g.set(into, with, 0) }

func (g Merge) set(into, with Message, depth int) (Message, error) {
	if depth > DepthMax {
		return Message{}, errDeep
	}
	out, owned := into, into.Commitments()
	disowned := false
	for key, v := range with.All() {
		if v == nil || key == KeyCommitments {
			continue
		}
		old, had := into.Get(key)
		now, err := g.value(old, v, depth)
		if err != nil {
			return Message{}, err
		}
		switch {
		case now == nil && !had, now != nil && had && Equal(old, now):
			continue
		case now == nil:
			out = out.drop(key)
		default:
			out = out.set(key, now)
		}
		disowned = disowned || !IsPrivate(key) && owned.covered(key)
	}
	if disowned {
		out = out.drop(KeyCommitments)
	}
	return out, nil
}

// value gives what becomes of a value, nil for nothing.
func (g Merge) value(old, v Value, depth int) (Value, error) {
	if v == Value(Unset) {
		return nil, nil
	}
	with, ok := v.(Message)
	if !ok || g.Explicit {
		return v, nil
	}
	link, linked := old.(Link)
	if linked && g.Load != nil {
		var err error
		if old, err = g.Load(link); err != nil {
			return nil, err
		}
	}
	into, ok := old.(Message)
	if !ok {
		return with.settled(depth + 1)
	}
	out, err := g.nested(into, with, depth+1)
	if linked && err == nil && unchanged(into, out) {
		return link, nil
	}
	return out, err
}

func (g Merge) nested(into, with Message, depth int) (Message, error) {
	if g.Nested != nil {
		if out, ok, err := g.Nested(into, with); ok || err != nil {
			return out, err
		}
	}
	return g.set(into, with, depth)
}

// settled gives a message that is put where nothing is to be removed: without the keys that are Unset.
func (m Message) settled(depth int) (Value, error) {
	if depth > DepthMax {
		return nil, errDeep
	}
	out := m
	for key, v := range m.All() {
		switch v := v.(type) {
		case Atom:
			if v == Unset {
				out = out.drop(key)
			}
		case Message:
			inner, err := v.settled(depth + 1)
			if err != nil {
				return nil, err
			}
			if !unchanged(v, inner) {
				out = out.set(key, inner)
			}
		}
	}
	return out, nil
}

// covered tells whether any of the commitments vouches for a key.
func (commitments Message) covered(key string) bool {
	for _, v := range commitments.All() {
		if c, _ := v.(Message); covers(c, key) {
			return true
		}
	}
	return false
}

// WithPath gives the message with the value under a path set, or removed if it is nil. Messages on the way that are missing
// are made, and what is no message gives way. All messages on the path leave behind what no longer vouches for them, as by
// With. The empty path gives the value itself if it is a message.
func (m Message) WithPath(path []string, v Value) Message {
	if len(path) == 0 {
		if whole, ok := v.(Message); ok {
			return whole
		}
		return m
	}
	key := path[0]
	if len(path) == 1 {
		if v == nil {
			return m.Without(key)
		}
		return m.With(key, v)
	}
	old, _ := m.Get(key)
	inner, ok := old.(Message)
	if !ok && v == nil {
		return m
	}
	now := inner.WithPath(path[1:], v)
	if v == nil && unchanged(inner, now) {
		return m
	}
	return m.With(key, now)
}
