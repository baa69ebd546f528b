// Package device says what a device is: a named set of documented keys that a message answers by.
//
// A message names its device by the key device; message@1.0 answers for all others, and for every key that a device leaves
// to it. A device is a value made once: Register brings it, a Registry finds it, and the resolver calls its functions with a
// Call, which is all of the node that a device sees.
package device

import (
	"fmt"
	"slices"
	"strings"

	"ago/message"
)

// Default is the name of the device of a message that names none.
const Default = "message@1.0"

// Func answers a key: what applying the request to the base gives. It must not keep what it is given beyond the call, and its
// answer must follow from base, request, the settings of the node and what the stores hold. An error is a fault, or an Outcome
// that says how else it ended.
type Func func(c *Call, base, req message.Message) (message.Value, error)

// Device is a named set of keys. A value that is registered never changes: another meaning is another name.
type Device struct {
	Name    string   // with its version: "counter@1.0"
	Aliases []string // older names of the same
	Doc     string   // one sentence: what it does for whom
	Keys    Keys
	// Default answers the keys that are not listed and not excluded; c.Key tells which. DefaultKey documents it.
	Default    Func
	DefaultKey Key
	// Handler answers every key that is not excluded, listed or not; Keys then only document it.
	Handler Func
	// Excludes are keys left to message@1.0 although there is a Default or a Handler. Nil is MessageKeys.
	Excludes []string
	// Group names what is computed: of calls that have one name at the same time one is made, and all take its answer, so
	// the name must say everything that the answer depends on. "" leaves the call alone. Nil is "" always.
	Group func(c *Call, base, req message.Message) string
	// CacheControl, if not "", promises that answers follow from base and request alone, whatever the time, the settings and
	// who signed; and says whether they are stored and looked up if neither request nor answer say: "always", "cache"...
	// Without the promise nothing is ever kept; "no-store, no-cache" promises it of answers that are quickly made again.
	CacheControl string
	Examples     []Example

	keys     map[string]Key
	excluded map[string]bool
}

// Keys are the keys of a device by their names, in lower case with dashes.
type Keys map[string]Key

// Key is one thing that a device answers.
type Key struct {
	Doc          string // one sentence: what comes back, and when it fails
	Inputs       []Input
	Do           Func
	CacheControl string // as Device.CacheControl, for this key
}

// Input is one argument of a key: a key of the request, or of the base where the request has none.
type Input struct {
	Name     string
	Doc      string // what it means, with its unit, and what its absence means
	Type     Type
	Required bool
	Max      int // longest text in bytes, most members of a list or map; 0 is no limit of its own
}

// Example is a request with its answer: documentation that is run.
type Example struct {
	Doc  string
	Path string // "/~counter@1.0&count+integer=1/add?by=2"
	Want string // the answer as text; a message or a list as its JSON
	Base message.Message
	// Needs tells that the answer depends on the node it is asked of, so that it is shown and not run.
	Needs string
}

// MessageKeys are the keys that message@1.0 answers for every message, whatever its device, unless the device lists them.
func MessageKeys() []string { return slices.Clone(messageKeys) }

var messageKeys = []string{"commit", "commitments", "committed", "committers", "get", "id", "index", "info", "keys", "path", "remove", "set", "set-path", "verify"}

// Find gives the function of a key, and the key's documentation; ok is false where the device leaves the key to message@1.0.
func (d *Device) Find(name string) (do Func, key Key, ok bool) {
	name = NormalKey(name)
	if d.Handler != nil && !d.excluded[name] {
		return d.Handler, d.keys[name], true
	}
	if k, listed := d.keys[name]; listed && k.Do != nil {
		return k.Do, k, true
	}
	if d.Default != nil && !d.excluded[name] {
		return d.Default, d.DefaultKey, true
	}
	return nil, Key{}, false
}

// NormalKey is the name that functions are found by: lower case, and dashes for underscores.
func NormalKey(name string) string {
	plain := true
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

// prepare checks what was written down and builds the tables that are looked up; it panics on what must not start.
func (d *Device) prepare() {
	refuse := func(format string, args ...any) {
		panic(fmt.Sprintf("device %q: ", d.Name) + fmt.Sprintf(format, args...))
	}
	name, version, ok := strings.Cut(d.Name, "@")
	if !ok || name == "" || version == "" || strings.ContainsAny(d.Name, "/~&?()= \"") {
		refuse("a name has a version: counter@1.0")
	}
	if d.Doc == "" {
		refuse("needs a sentence that says what it does")
	}
	if len(d.Keys) == 0 && d.Default == nil && d.Handler == nil {
		refuse("answers nothing")
	}
	d.keys = make(map[string]Key, len(d.Keys))
	for key, k := range d.Keys {
		if NormalKey(key) != key {
			refuse("key %q is written in lower case with dashes", key)
		}
		if k.Doc == "" {
			refuse("key %q needs a sentence that says what comes back", key)
		}
		if k.Do == nil && d.Handler == nil {
			refuse("key %q does nothing", key)
		}
		for _, in := range k.Inputs {
			if in.Name == "" || in.Doc == "" {
				refuse("an input of key %q needs a name and its meaning", key)
			}
		}
		d.keys[key] = k
	}
	if d.Default != nil && d.DefaultKey.Doc == "" {
		refuse("Default needs a DefaultKey that says what comes back")
	}
	excludes := d.Excludes
	if excludes == nil {
		excludes = messageKeys
	}
	d.excluded = make(map[string]bool, len(excludes))
	for _, key := range excludes {
		d.excluded[key] = true
	}
}
