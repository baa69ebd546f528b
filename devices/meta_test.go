package devices_test

import (
	"context"
	"testing"

	"ago/codec/httpsig"
	"ago/device"
	"ago/devices"
	"ago/message"
)

// changes are settings that keep what they were changed to.
type changes struct{ all []message.Message }

func (c *changes) Change(_ context.Context, keys message.Message, _ []string) (int, error) {
	c.all = append(c.all, keys)
	return len(c.all), nil
}

func TestMetaKeepsTheRulesOfDevices(t *testing.T) {
	node := plainNode(t)
	for _, name := range []string{"meta@1.0", "hook@1.0", "whois@1.0"} {
		kept(t, name, node, false)
	}
}

func TestOnlyOperatorsChangeSettings(t *testing.T) {
	operator, stranger := newKey(t, 7), newKey(t, 8)
	post := func(path string) message.Message {
		return texts("method", "POST", "path", path, "recorded-key", "x", "priv-y", "z")
	}
	right := post("/~meta@1.0/info")
	tampered := signed(t, right, operator).With("recorded-key", message.Bytes("evil")).With("commitments", signed(t, right, operator).Commitments())
	part, err := httpsig.Commit(signed(t, right, operator), stranger, httpsig.Terms{Keys: []string{"method", "path"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		keys    message.Message
		options message.Message
		want    string
	}{
		{"the operator, and a stranger for a part of it", part, message.Message{}, "!commitments-disagree"},
		{"the operator, and a stranger for all of it", signed(t, signed(t, right, operator), stranger), message.Message{}, `{"body":"Node message updated. History: 1updates.","history-length":1}`},
		{"the operator", signed(t, right, operator), message.Message{}, `{"body":"Node message updated. History: 1updates.","history-length":1}`},
		{"a stranger", signed(t, right, stranger), message.Message{}, "!status 400: Unauthorized"},
		{"nobody", right, message.Message{}, "!status 400: Unauthorized"},
		{"what was changed", tampered, message.Message{}, "!signature-invalid"},
		{"signed for something else", signed(t, post("/some/other"), operator), message.Message{}, "!status 400: Unauthorized"},
		{"signed without a path", signed(t, right.Without("path"), operator), message.Message{}, "!path-unsigned"},
		{"signed for a key of anything", signed(t, post("info"), operator), message.Message{}, "!path-unsigned"},
		{"another operator", signed(t, right.With("for-node", message.Bytes(operator.Address().String())), stranger), texts("operator", stranger.Address().String()), `{"body":"Node message updated. History: 1updates.","history-length":1}`},
		{"another operator, for any node", signed(t, right, stranger), texts("operator", stranger.Address().String()), "!node-unnamed"},
		{"another operator, for another node", signed(t, right.With("for-node", message.Bytes(stranger.Address().String())), stranger), texts("operator", stranger.Address().String()), "!node-is-another"},
		{"the operator, for another node", signed(t, right.With("for-node", message.Bytes(stranger.Address().String())), operator), message.Message{}, "!node-is-another"},
		{"another operator, who did not sign for which", signed(t, right, stranger).With("for-node", message.Bytes(operator.Address().String())), texts("operator", stranger.Address().String()), "!node-unnamed"},
		{"a node of nobody", signed(t, right, stranger), texts("operator", "unclaimed"), `{"body":"Node message updated. History: 1updates.","history-length":1}`},
		{"for ever", signed(t, right, operator), texts("initialized", "permanent"), "!status 400: The node message of this machine is already permanent. It cannot be changed."},
	} {
		node, into := plainNode(t), &changes{}
		node.Options = c.options
		device.Provide[devices.Settings](node, into)
		got := said(asked(t, node, "/~meta@1.0/info", c.keys))
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if changed := len(into.all) > 0; changed != (got[0] != '!') {
			t.Errorf("%s: changed %v", c.name, into.all)
		}
		if len(into.all) > 0 && !message.Equal(into.all[0], texts("recorded_key", "x")) {
			t.Errorf("%s: changed to %v", c.name, into.all[0])
		}
	}
}

func TestSettingsAreShownWithoutSecrets(t *testing.T) {
	node := plainNode(t)
	node.Options = texts("port", "1", "priv_key", "s", "Priv-other", "s", "node-host", "h")
	for path, want := range map[string]string{
		"/~meta@1.0/info":              `{"address":"` + node.Address() + `","node-host":"h","port":"1"}`,
		"/~meta@1.0/info/priv_key":     "!key-absent",
		"/~meta@1.0/info/address":      node.Address(),
		"/~meta@1.0/is-operator":       "false",
		"/~whois@1.0/node":             "h",
		"/~whois@1.0/echo?ao-peer=1.2": "1.2",
	} {
		if got := said(asked(t, node, path, message.Message{})); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestHooksRunInOrder(t *testing.T) {
	node := plainNode(t)
	handler := func(path, result string) message.Message {
		return texts("device", "adder@1.0", "path", path, "hook/result", result, "priv-k", "s")
	}
	node.Registry = node.Registry.With(device.NewRegistry(device.Device{Name: "adder@1.0", Doc: "adds letters", Keys: device.Keys{
		"a": {Doc: "the request with a", Do: func(_ *device.Call, _, req message.Message) (message.Value, error) {
			return req.With("body", message.Bytes(req.Text("body")+"a")), nil
		}},
		"b": {Doc: "fails", Do: func(*device.Call, message.Message, message.Message) (message.Value, error) {
			return nil, device.End(device.Blocked, message.Bytes("blocked"))
		}},
	}}))
	run := func(handlers ...message.Value) string {
		node.Options = message.New(field("on", message.New(field("request", message.List(handlers)))))
		c := &device.Call{Context: t.Context(), Node: node, Runner: resolver(node)}
		out, err := devices.RunHook(c, "request", texts("body", "-"))
		if err != nil {
			return said(nil, err)
		}
		return out.Text("body")
	}
	for _, c := range []struct {
		want     string
		handlers []message.Value
	}{
		{"-", nil},
		{"-aa", []message.Value{handler("a", "return"), handler("a", "")}},
		{"-a", []message.Value{handler("a", "ignore"), handler("a", "")}},
		{"!status 451: blocked", []message.Value{handler("b", ""), handler("a", "")}},
		{"-a", []message.Value{handler("b", "ignore"), handler("a", "")}},
		{"!status 400: -a", []message.Value{handler("a", "error")}},
	} {
		if got := run(c.handlers...); got != c.want {
			t.Errorf("%v: %s, want %s", c.handlers, got, c.want)
		}
	}
	run(handler("a", ""))
	if got, want := said(asked(t, node, "/~hook@1.0/find&hook=request", message.Message{})), `[{"device":"adder@1.0","hook/result":"","path":"a"}]`; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

func TestWhatTheNodeSignedForOthersGivesNoRights(t *testing.T) {
	node := plainNode(t)
	into := &changes{}
	device.Provide[devices.Settings](node, into)
	keys := texts("method", "POST", "path", "/~meta@1.0/info", "recorded-key", "x")
	answer, err := httpsig.Commit(keys, node.Key, httpsig.Terms{Tag: "answer"})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]message.Message{"an answer": answer, "an answer without a tag": signed(t, keys.With("status", message.Int(200)), node.Key)}
	for _, by := range []string{"message@1.0", "httpsig@1.0", "json@1.0"} {
		out, err := resolver(node).Run(t.Context(), keys.Without("path").Without("method"), []device.Step{{By: by, Request: device.Ask("commit").Request}}, device.How{})
		if err != nil {
			t.Fatal(err)
		}
		all["a commitment by "+by] = out.Value.(message.Message)
	}
	for name, m := range all {
		if len(m.Committers()) != 1 {
			t.Errorf("%s is signed by %v", name, m.Committers())
		}
		m = m.With("method", message.Bytes("POST")).With("commitments", m.Commitments())
		if got := said(asked(t, node, "/~meta@1.0/info", m)); got != "!status 400: Unauthorized" && got != "!signature-invalid" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if len(into.all) > 0 {
		t.Errorf("changed to %v", into.all)
	}
	if _, err := resolver(node).Run(t.Context(), keys, []device.Step{{By: "ans104@1.0", Request: device.Ask("commit").Request}}, device.How{}); device.StatusOf(err) != device.Forbidden {
		t.Errorf("the node signs data items for anybody: %v", err)
	}
	own := signed(t, keys, node.Key)
	if got := said(asked(t, node, "/~meta@1.0/info", own)); len(into.all) != 1 {
		t.Errorf("the operator is refused: %s", got)
	}
}
