// Package devices is the catalogue: one file for each device that this node brings.
package devices

import (
	"slices"
	"strings"

	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Message answers for every message that names no device, and for what other devices leave to it: reading, changing, naming and
// committing. GET /~message@1.0&hello=world/hello answers world.
var _ = device.Register(device.Device{
	Name:       "message@1.0",
	Doc:        "reads and changes a message, names it, and commits to it",
	Default:    messageRead,
	DefaultKey: device.Key{Doc: "the value of the key of this name, whatever its case; 404 if there is none. Keys that begin with priv are never shown", CacheControl: messagePure},
	Excludes:   []string{},
	Keys: device.Keys{
		"get": {Doc: "the value of the key that `key` names", Do: messageGet, CacheControl: messagePure,
			Inputs: []device.Input{{Name: "key", Doc: "the key to read", Type: device.TypeText, Max: messageKeyMax}}},
		"set": {Doc: "the message with the keys of the request set in it; nested messages are merged, and the atom unset removes a key", Do: messageSet, CacheControl: messagePure,
			Inputs: []device.Input{{Name: "set-mode", Doc: "explicit puts nested messages in the place of what was there; merging is the default", Type: device.TypeText, Max: messageKeyMax}}},
		"set-path": {Doc: "the message with its own key `path` set", Do: messageSetPath, CacheControl: messagePure,
			Inputs: []device.Input{{Name: "value", Doc: "the new path; the atom unset removes it", Required: true}}},
		"remove": {Doc: "the message without a key, or without several", Do: messageRemove, CacheControl: messagePure,
			Inputs: []device.Input{
				{Name: "item", Doc: "the key to leave out", Type: device.TypeText, Max: messageKeyMax},
				{Name: "items", Doc: "the keys to leave out", Type: device.TypeList, Max: messageKeysMax},
			}},
		"keys":        {Doc: "the names of the keys, in order, without commitments and what is private", Do: messageKeys, CacheControl: messagePure},
		"id":          {Doc: "the id of the message: of what it says, or as it was committed to by those selected", Do: messageID, CacheControl: messagePure, Inputs: messageSelection},
		"committers":  {Doc: "the addresses of those who committed to the message", Do: messageCommitters},
		"commitments": {Doc: "the commitments by their ids; 404 if nobody committed", Do: messageCommitments},
		"committed": {Doc: "the keys that all selected commitments cover; without a selection those that all cover", Do: messageCommitted,
			Inputs: append([]device.Input{{Name: "raw", Doc: "true names keys as they were signed", Type: device.TypeFlag}}, messageSelection...)},
		"commit": {Doc: "the message with a commitment of the node added", Do: messageCommit,
			Inputs: []device.Input{
				{Name: "commitment-device", Doc: "who commits: httpsig@1.0 is the default, ans104@1.0 makes a data item", Type: device.TypeText, Max: messageKeyMax},
				{Name: "type", Doc: "signed is the default; unsigned names the content without a signer", Type: device.TypeText, Max: messageKeyMax},
				{Name: "committed", Doc: "the keys to cover; all is the default", Type: device.TypeList, Max: messageKeysMax},
				{Name: "bundle", Doc: "true covers nested messages where they are", Type: device.TypeFlag},
			}},
		"verify": {Doc: "whether the selected commitments hold; true if none is selected", Do: messageVerify, Inputs: messageSelection},
		"index":  {Doc: "the page that the node shows for a message, by its setting default-index", Do: messageIndex},
		"info":   {Doc: "what the device of the message does and which keys it answers", Do: messageInfo},
	},
	Examples: []device.Example{
		{Doc: "a key of a message made in the path", Path: "/~message@1.0&hello=world/hello", Want: "world"},
		{Path: "/~message@1.0&a+integer=1/set&b=2/keys", Want: `["a","b","device"]`},
		{Path: "/~message@1.0&a=b/remove&item=device", Want: `{"a":"b"}`},
		{Doc: "the id of a message that says a=b and nothing else", Path: "/a/id", Base: messageExample, Want: "qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk"},
	},
})

// messageExample is the base of an example: the message under the key a.
var messageExample = message.New(message.Field{Key: "a", Value: message.New(message.Field{Key: "a", Value: message.Bytes("b")})})

const (
	// messagePure promises that the answer follows from base and request, and is no more work than finding it again.
	messagePure    = "no-store, no-cache"
	messageKeyMax  = 4096   // bytes of a name
	messageKeysMax = 10_000 // names in one list
	// messageFoldMax is up to how many keys a name is looked for in any case. Larger messages are tables, in which the case of
	// an address means something.
	messageFoldMax = 256
)

var messageSelection = []device.Input{
	{Name: "committers", Doc: "none is the default; all, or the addresses of those whose commitments are meant", Type: device.TypeList, Max: messageKeysMax},
	{Name: "commitment-ids", Doc: "none is the default; all, or ids of commitments", Type: device.TypeList, Max: messageKeysMax},
}

func messageRead(c *device.Call, base, _ message.Message) (message.Value, error) {
	if v, ok := messageFind(base, c.Key); ok {
		return v, nil
	}
	return nil, device.Absent(c.Key)
}

// messageFind gives the value of a key: under exactly this name, in lower case, or in any case.
func messageFind(base message.Message, key string) (message.Value, bool) {
	lower := strings.ToLower(key)
	if message.IsPrivate(lower) {
		return nil, false
	}
	if v, ok := base.Get(key); ok && v != nil {
		return v, true
	}
	if v, ok := base.Get(lower); ok && v != nil {
		return v, true
	}
	if base.Len() > messageFoldMax {
		return nil, false
	}
	for name, v := range base.All() {
		if v != nil && len(name) == len(key) && strings.EqualFold(name, key) {
			return v, true
		}
	}
	return nil, false
}

func messageGet(c *device.Call, base, req message.Message) (message.Value, error) {
	v, ok := req.Get("key")
	if !ok {
		return nil, device.Absent("get")
	}
	key, _ := device.Text(v)
	if v, ok := messageFind(base, key); ok {
		return v, nil
	}
	return nil, device.Absent(key)
}

// messageKept are the keys of a request to set that are not set.
var messageKept = map[string]bool{
	"path": true, "set-mode": true, "id": true, "commitments": true, "committers": true, "keys": true, "set": true, "remove": true, "verify": true,
}

func messageSet(c *device.Call, base, req message.Message) (message.Value, error) {
	with := req
	for key := range req.All() {
		if messageKept[key] || message.IsPrivate(key) {
			with = with.Without(key)
		}
	}
	merge := message.Merge{
		Explicit: req.Text("set-mode") == "explicit",
		Load:     c.Loader(),
		Nested: func(into, with message.Message) (message.Message, bool, error) {
			if name := into.Text("device"); name == "" || name == device.Default {
				return message.Message{}, false, nil
			}
			v, err := c.Resolve(into, with.With("path", message.Bytes("set")))
			if err != nil {
				return message.Message{}, false, err
			}
			out, err := c.Message(v)
			return out, true, err
		},
	}
	out, err := merge.Set(base, with)
	if err != nil && fault.CodeOf(err) == fault.Internal.String() {
		err = fault.Wrap(err, fault.TooLarge, "message-too-deep", "set")
	}
	return out, err
}

func messageSetPath(_ *device.Call, base, req message.Message) (message.Value, error) {
	v, ok := req.Get("value")
	if !ok {
		v, _ = base.Get("value")
	}
	if v == message.Value(message.Unset) {
		return base.Without("path"), nil
	}
	return base.With("path", v), nil
}

func messageRemove(_ *device.Call, base, req message.Message) (message.Value, error) {
	var keys []string
	if v, ok := req.Get("item"); ok {
		item, _ := device.Text(v)
		keys = append(keys, item)
	}
	if v, ok := req.Get("items"); ok {
		keys = append(keys, device.Texts(v)...)
	}
	if len(keys) == 0 {
		return nil, fault.New(fault.Malformed, "argument-missing", "remove needs item or items")
	}
	for _, key := range keys {
		if !message.IsPrivate(key) {
			base = base.Without(key)
		}
	}
	return base, nil
}

func messageKeys(_ *device.Call, base, _ message.Message) (message.Value, error) {
	keys := make(message.List, 0, base.Len())
	for key, v := range base.All() {
		if v != nil && key != message.KeyCommitments && !message.IsPrivate(key) {
			keys = append(keys, message.Bytes(key))
		}
	}
	return keys, nil
}

func messageID(c *device.Call, base, req message.Message) (message.Value, error) {
	if data, ok := c.Base.(message.Bytes); ok && len(data) != message.IDLength { // bytes are named by their hash
		return message.Bytes(message.HashOf([]byte(data)).String()), nil
	}
	s, err := messageSelect(base, req)
	if err != nil {
		return nil, err
	}
	if s.nothing {
		return message.Bytes(base.UnsignedID().String()), nil
	}
	if s.all {
		return message.Bytes(base.SignedID().String()), nil
	}
	ids := make([]message.ID, 0, len(s.ids))
	for _, text := range s.ids {
		id, err := message.ParseID(text)
		if err != nil {
			return nil, fault.New(fault.Malformed, "commitment-malformed", "%.60q names no commitment", text)
		}
		ids = append(ids, id)
	}
	return message.Bytes(message.SumIDs(ids).String()), nil
}

func messageCommitters(_ *device.Call, base, _ message.Message) (message.Value, error) {
	out := message.List{}
	for _, who := range base.Committers() {
		out = append(out, message.Bytes(who))
	}
	return out, nil
}

func messageCommitments(_ *device.Call, base, _ message.Message) (message.Value, error) {
	if c := base.Commitments(); c.Len() > 0 {
		return c, nil
	}
	return nil, device.Absent(message.KeyCommitments)
}

func messageCommitted(_ *device.Call, base, req message.Message) (message.Value, error) {
	s, err := messageSelect(base, req)
	if err != nil {
		return nil, err
	}
	if !s.nothing {
		var selected []message.Field
		for _, id := range s.ids {
			v, _ := base.Commitments().Get(id)
			selected = append(selected, message.Field{Key: id, Value: v})
		}
		base = message.New(message.Field{Key: message.KeyCommitments, Value: message.New(selected...)})
	}
	out := message.List{}
	for _, key := range base.Committed() {
		out = append(out, message.Bytes(key))
	}
	return out, nil
}

func messageVerify(_ *device.Call, base, req message.Message) (message.Value, error) {
	s, err := messageSelect(base, req)
	if err != nil {
		return nil, err
	}
	if s.nothing {
		s.ids = s.anonymous
	}
	for _, id := range s.ids {
		v, _ := base.Commitments().Get(id)
		entry, _ := v.(message.Message)
		_, err := commitment.VerifyEntry(base, id, entry)
		switch {
		case err == nil:
		case fault.KindOf(err) == fault.Forged, fault.KindOf(err) == fault.Malformed:
			return message.Atom("false"), nil
		default:
			return nil, err
		}
	}
	return message.Atom("true"), nil
}

// messageSelected are the commitments that a request means.
type messageSelected struct {
	ids       []string // in order, each once
	anonymous []string // those that say what the content is, of nobody in particular
	all       bool     // all that have a committer, and no others
	nothing   bool     // none is selected
}

// messageSelect reads committers and commitment-ids.
func messageSelect(base, req message.Message) (messageSelected, error) {
	var s messageSelected
	committers, byID := messageNames(req, "committers"), messageNames(req, "commitment-ids")
	everyone := slices.Contains(committers, "all") || slices.Contains(committers, "signed")
	everyID := slices.Contains(byID, "all")
	found := map[string]bool{}
	for id, v := range base.Commitments().All() {
		entry, _ := v.(message.Message)
		who := entry.Text("committer")
		if who == "" && entry.Text("commitment-device") == "httpsig@1.0" {
			s.anonymous = append(s.anonymous, id)
		}
		if who != "" && (everyone || slices.Contains(committers, who)) || everyID || slices.Contains(byID, id) {
			s.ids = append(s.ids, id)
			found[who], found[id] = true, true
		}
	}
	for _, name := range slices.Concat(committers, byID) {
		if name != "all" && name != "signed" && !found[name] {
			return s, fault.New(fault.NotFound, "committer-absent", "requested_committers_not_found: %.60s", name).
				WithHint("append /committers to the path of the message to see who committed")
		}
	}
	s.all = everyone && len(byID) == 0
	s.nothing = len(s.ids) == 0 && !s.all
	return s, nil
}

// messageNames are the members of a selection; none and uncommitted stand for no member.
func messageNames(req message.Message, key string) []string {
	v, _ := req.Get(key)
	names := device.Texts(v)
	return slices.DeleteFunc(names, func(n string) bool { return n == "none" || n == "uncommitted" })
}

func messageCommit(c *device.Call, base, req message.Message) (message.Value, error) {
	by := req.Text("commitment-device")
	if by == "" {
		if v, ok := c.Option("commitment-device"); ok {
			by, _ = device.Text(v)
		}
	}
	if by == "" || by == device.Default {
		by = "httpsig@1.0"
	}
	if d, ok := c.Node.Registry.Find(by); ok && !messageAnswers(d, "commit") { // it would ask here again
		return nil, fault.New(fault.Unsupported, "device-cannot-commit", "%s does not commit to messages", by)
	}
	return c.As(by, base, req.With("path", message.Bytes("commit")))
}

// messageAnswers tells whether a device answers a key itself.
func messageAnswers(d *device.Device, key string) bool {
	_, _, ok := d.Find(key)
	return ok && d.Name != device.Default
}

func messageIndex(c *device.Call, base, req message.Message) (message.Value, error) {
	v, ok := c.Option("default-index")
	if !ok {
		return nil, device.Absent("index")
	}
	key := "index"
	if m, ok := v.(message.Message); ok {
		if path := m.Text("path"); path != "" {
			key = path
		}
		v, _ = m.Get("device")
	}
	name, _ := device.Text(v)
	if name == "" || name == device.Default {
		return nil, device.Absent("index")
	}
	if d, ok := c.Node.Registry.Find(name); ok && !messageAnswers(d, key) {
		return nil, device.Absent("index")
	}
	return c.As(name, base, req.With("path", message.Bytes(key)))
}

func messageInfo(c *device.Call, base, _ message.Message) (message.Value, error) {
	name := base.Text("device")
	if name == "" {
		name = device.Default
	}
	d, ok := c.Node.Registry.Find(name)
	if !ok {
		return nil, device.Absent("info")
	}
	return d.Describe(), nil
}
