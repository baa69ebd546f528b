package devices

import (
	"encoding/json"
	"strings"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Manifest makes a folder of what stands on Arweave.
var _ = device.Register(device.Device{
	Name:       "manifest@1.0",
	Doc:        "reads a path manifest of Arweave as a folder: paths lead to the items that it lists",
	Default:    manifestRead,
	DefaultKey: device.Key{Doc: "the item under the path that begins with this key; for a path that is not listed the fallback of the manifest or its index, or 404 if the setting manifest_404 is error"},
	Keys:       device.Keys{"index": {Doc: "the item that the manifest shows first; 404 if it has none", Do: manifestIndex}},
	Excludes:   []string{"keys", "set", "set-path", "remove", "commit", "committed", "commitments", "committers", "verify", "id", "path"},
	Examples:   []device.Example{{Needs: "manifests are on Arweave", Path: "/wmyxVtkoBqvlaAqYSj3fCWjdwvjxP0tvN9Hc6Ws8yKs~manifest@1.0/images/logo.svg", Want: "the picture"}},
})

const manifestMax = 32 << 20 // bytes of the text of a manifest

// manifest is the JSON of the versions 0.1 and 0.2.
type manifest struct {
	Manifest string `json:"manifest"`
	Index    struct {
		Path string `json:"path"`
		ID   string `json:"id"`
	} `json:"index"`
	Fallback struct {
		ID string `json:"id"`
	} `json:"fallback"`
	Paths map[string]struct {
		ID string `json:"id"`
	} `json:"paths"`
}

func manifestOf(c *device.Call, base message.Message) (manifest, error) {
	var out manifest
	v, ok := base.Get(message.KeyData)
	if !ok {
		v, ok = base.Get(message.KeyBody)
	}
	if !ok {
		return out, fault.New(fault.Malformed, "manifest-malformed", "the message has no manifest in data or body")
	}
	v, err := c.Load(v)
	if err != nil {
		return out, err
	}
	text, ok := v.(message.Bytes)
	if !ok || len(text) > manifestMax {
		return out, fault.New(fault.Malformed, "manifest-malformed", "a manifest is JSON of up to %d bytes, not a %s", manifestMax, device.KindOf(v))
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return out, fault.Wrap(err, fault.Malformed, "manifest-malformed", "the manifest is not as it should be")
	}
	return out, nil
}

// first gives the id of the item that is shown first, "" if there is none.
func (m manifest) first() string {
	if m.Index.ID != "" {
		return m.Index.ID
	}
	return m.Paths[m.Index.Path].ID
}

func manifestIndex(c *device.Call, base, _ message.Message) (message.Value, error) {
	m, err := manifestOf(c, base)
	if err != nil {
		return nil, err
	}
	return manifestItem(c, m.first(), "index")
}

func manifestItem(c *device.Call, id, name string) (message.Value, error) {
	if _, err := message.ParseID(id); err != nil {
		return nil, device.Absent(name)
	}
	return c.Read(id)
}

func manifestRead(c *device.Call, base, _ message.Message) (message.Value, error) {
	m, err := manifestOf(c, base)
	if err != nil {
		return nil, err
	}
	parts := []string{c.Key}
	for _, s := range c.Rest() {
		if s.Path() == "" || s.As != "" || s.Sub != nil {
			break
		}
		parts = append(parts, s.Path())
	}
	for n := len(parts); n > 0; n-- { // the longest path that is listed; what follows is asked of the item
		path := strings.Join(parts[:n], "/")
		for _, listed := range []string{path, "/" + path, path + "/"} {
			if item, ok := m.Paths[listed]; ok {
				c.Consume(n - 1)
				return manifestItem(c, item.ID, path)
			}
		}
	}
	if _, err := message.ParseID(c.Key); err == nil {
		return c.Read(c.Key)
	}
	if setting, _ := c.Option("manifest_404"); manifestStrict(setting) {
		return nil, device.Absent(strings.Join(parts, "/"))
	}
	instead := m.Fallback.ID
	if instead == "" && len(parts) == 1 {
		instead = m.first()
	}
	if instead == "" {
		return nil, device.Absent(strings.Join(parts, "/"))
	}
	c.Consume(len(parts) - 1)
	return manifestItem(c, instead, c.Key)
}

func manifestStrict(v message.Value) bool {
	text, _ := device.Text(v)
	return text == "error"
}
