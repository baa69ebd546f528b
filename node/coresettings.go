package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"ago/device"
	"ago/devices"
	"ago/fault"
	"ago/message"
	"ago/node/aocore"
	"ago/resolve"
	"ago/store"
)

// rowSettings is the row of what operators set by requests.
const rowSettings byte = 'o'

const (
	keyHistory  = "node_history" // ids of the requests that changed settings, those of several signatures with spaces between
	historyMax  = 1000
	settingsMax = 4 << 20 // bytes of all that was set
)

// coreSettings are the settings of the AO-Core face, which its operator may change by signed requests. It serves devices.Settings.
type coreSettings struct {
	store store.Store
	mu    sync.Mutex // of changes
	set   message.Message
	apply func()
}

// openSettings reads what was set before.
func openSettings(s store.Store) (*coreSettings, error) {
	c := &coreSettings{store: s}
	raw, err := s.Get([]byte{store.TableNode, rowSettings})
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := message.ReadValue(raw)
	m, ok := v.(message.Message)
	if err != nil || !ok {
		return nil, fault.Wrap(errors.Join(err, errors.New("no message")), fault.Internal, "settings-damaged", "what operators set by requests cannot be read")
	}
	c.set = m
	return c, nil
}

// Change serves devices.Settings.
func (c *coreSettings) Change(_ context.Context, keys message.Message, request []string) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, _ := c.set.Get(keyHistory)
	history, _ := v.(message.List)
	for i, v := range history {
		text, _ := v.(message.Bytes)
		if slices.ContainsFunc(strings.Fields(string(text)), func(id string) bool { return slices.Contains(request, id) }) {
			return i + 1, nil
		}
	}
	set := c.set
	for key, v := range keys.All() {
		if key == keyHistory {
			continue
		}
		if v == message.Value(message.Unset) {
			set = set.Without(key)
		} else {
			set = set.With(key, v)
		}
	}
	if len(history) >= historyMax {
		return 0, fault.New(fault.TooMany, "settings-changed-too-often", "the settings were changed %d times, which is all that is kept", historyMax).
			WithHint("unset what is set by requests in the node's own settings, and begin anew")
	}
	history = append(append(message.List{}, history...), message.Bytes(strings.Join(request, " ")))
	set = set.With(keyHistory, history)
	raw, err := message.AppendValue(nil, set)
	if err != nil {
		return 0, fault.Wrap(err, fault.Malformed, "settings-malformed", "the settings cannot be kept")
	}
	if len(raw) > settingsMax {
		return 0, fault.New(fault.TooLarge, "settings-too-large", "all settings together have up to %d bytes", settingsMax)
	}
	var b store.Batch
	b.Set([]byte{store.TableNode, rowSettings}, raw)
	if err := c.store.Apply(&b, true); err != nil {
		return 0, err
	}
	c.set = set
	c.apply()
	return len(history), nil
}

// flag gives a setting that is yes or no.
func (c *coreSettings) flag(name string, absent bool) bool {
	c.mu.Lock()
	v, ok := (&device.Node{Options: c.set}).Option(name)
	c.mu.Unlock()
	if yes, isFlag := device.Flag(v); ok && isFlag {
		return yes
	}
	return absent
}

// over gives settings with what was set by requests in their place.
func (c *coreSettings) over(options message.Message) message.Message {
	for key, v := range c.set.All() {
		options = options.With(key, v)
	}
	return options
}

// changeable lets the operator of the node change the settings that the face works with. What processes see of the node stays as
// it was when it started, so that it does not come into their results.
func (c *coreSettings) changeable(d *device.Node) (*device.Node, *resolve.Resolver, func(*aocore.Face)) {
	given := d.Options
	d = d.Derive()
	d.Options = c.over(given)
	device.Provide[devices.Settings](d, c)
	resolver := resolve.New(d, resolve.Limits{})
	return d, resolver, func(f *aocore.Face) {
		c.apply = func() {
			d = d.Derive()
			d.Options = c.over(given)
			resolver = resolver.With(d)
			f.Use(d, resolver)
		}
	}
}
