package devices

import (
	"context"
	"runtime/debug"
	"strconv"
	"strings"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Settings changes the settings of a node; a node that offers it can be changed by requests.
type Settings interface {
	// Change sets keys for a request that has these ids, and gives how many changes there have been with it. The change is on
	// disk when it returns. For a request of which one id is known it changes nothing, and gives what it gave first.
	Change(ctx context.Context, keys message.Message, request []string) (history int, err error)
}

// Meta is the node itself.
var _ = device.Register(device.Device{
	Name: "meta@1.0",
	Doc:  "shows the settings of the node, lets its operator change them, and tells what the node runs",
	Keys: device.Keys{
		"info":        {Doc: "the settings of the node and its address. By POST with a request that the operator signed: the settings are changed to its keys; 400 for anybody else", Do: metaInfo},
		"build":       {Doc: "the program that the node is, and what it was built of", Do: metaBuild},
		"is-operator": {Doc: "whether an operator of the node signed the request", Do: metaIsOperator},
	},
	Examples: []device.Example{{Path: "/~meta@1.0/build/node", Want: "ago"}},
})

const metaKeysMax = 1000 // settings in one request

func metaInfo(c *device.Call, _, req message.Message) (message.Value, error) {
	if posted(c, req) {
		return metaChange(c, req)
	}
	m := c.Node.Options
	for key := range m.All() {
		if message.IsPrivate(strings.ToLower(key)) {
			m = m.Without(key)
		}
	}
	if own := c.Node.Address(); own != "" {
		m = m.With("address", message.Bytes(own))
	}
	c.Promise(forNode)
	return m, nil
}

// forNode holds for what follows from the settings: other settings are another node, whose face begins with no answers.
func forNode(context.Context) bool { return true }

func metaChange(c *device.Call, req message.Message) (message.Value, error) {
	ask, err := signedAsk(c, req)
	if err != nil {
		return nil, err
	}
	if v, _ := c.Option("initialized"); metaPermanent(v) {
		return nil, refused(device.Failed, "The node message of this machine is already permanent. It cannot be changed.", "settings-permanent",
			"its operator starts it with other settings")
	}
	if len(ask.signers) == 0 || !ask.byOperator(c) {
		return nil, refused(device.Failed, "Unauthorized", "operator-only", "sign the request with the key of the node's operator")
	}
	if err := ask.here(c); err != nil {
		return nil, err
	}
	settings, ok := device.Service[Settings](c)
	if !ok {
		return nil, unserved("change of its settings by requests")
	}
	var fs []message.Field
	for key, v := range meant(ask.message).All() {
		name := strings.ReplaceAll(key, "-", "_")
		if message.IsPrivate(name) || name == "address" {
			continue
		}
		fs = append(fs, message.Field{Key: name, Value: v})
	}
	if len(fs) > metaKeysMax {
		return nil, fault.New(fault.TooLarge, "settings-too-many", "up to %d settings are changed at once, these are %d", metaKeysMax, len(fs))
	}
	n, err := settings.Change(c, message.New(fs...), ask.ids())
	if err != nil {
		return nil, err
	}
	return message.New(
		message.Field{Key: message.KeyBody, Value: message.Bytes("Node message updated. History: " + strconv.Itoa(n) + "updates.")},
		message.Field{Key: "history-length", Value: message.Int(n)}), nil
}

func metaPermanent(v message.Value) bool {
	text, _ := device.Text(v)
	return text == "permanent"
}

func metaBuild(*device.Call, message.Message, message.Message) (message.Value, error) {
	fs := []message.Field{{Key: "node", Value: message.Bytes("ago")}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return message.New(fs...), nil
	}
	fs = append(fs, message.Field{Key: "version", Value: message.Bytes(info.Main.Version)}, message.Field{Key: "go", Value: message.Bytes(info.GoVersion)})
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			fs = append(fs, message.Field{Key: "source", Value: message.Bytes(s.Value)}, message.Field{Key: "source-short", Value: message.Bytes(s.Value[:min(8, len(s.Value))])})
		case "vcs.time":
			fs = append(fs, message.Field{Key: "build-time", Value: message.Bytes(s.Value)})
		}
	}
	return message.New(fs...), nil
}

func metaIsOperator(c *device.Call, _, req message.Message) (message.Value, error) {
	ask, err := signedAsk(c, req)
	if err != nil {
		return nil, err
	}
	return message.Atom(strconv.FormatBool(len(ask.signers) > 0 && ask.byOperator(c))), nil
}
