package devices_test

import (
	"context"
	"testing"
	"time"

	"ago/clock"
	"ago/device"
	"ago/fault"
	"ago/message"
)

func TestPartsOfStacksKeepTheRulesOfDevices(t *testing.T) {
	node := plainNode(t)
	stacked := message.New(field("device-stack", message.List{message.Bytes("dedup@1.0"), message.Bytes("test-device@1.0")}))
	for _, name := range []string{"stack@1.0", "multipass@1.0", "dedup@1.0", "patch@1.0", "apply@1.0"} {
		kept(t, name, node, false, stacked, message.New(field("from", message.Bytes("a")), field("a", message.New(field("1", message.New(field("method", message.Bytes("PATCH"))))))))
	}
	soon := node.Derive()
	soon.Clock = instant{}
	kept(t, "test-device@1.0", soon, false, stacked)
}

// instant is a clock on which all waiting is over at once.
type instant struct{ clock.System }

func (instant) After(time.Duration) (<-chan time.Time, func()) {
	c := make(chan time.Time, 1)
	c <- time.UnixMilli(1)
	return c, func() {}
}

// stackNode has devices that note in trace when they were called.
func stackNode(t *testing.T) *device.Node {
	t.Helper()
	note := func(name string) device.Device {
		return device.Device{Name: name, Doc: "notes that it was called", Keys: device.Keys{
			"compute": {Doc: "the message with its name in trace", Do: func(c *device.Call, base, _ message.Message) (message.Value, error) {
				return base.With("trace", message.Bytes(base.Text("trace")+base.Text("device-key")+base.Text("input-prefix")+" ")), nil
			}},
			"value": {Doc: "a text", Do: func(*device.Call, message.Message, message.Message) (message.Value, error) {
				return message.Bytes("v"), nil
			}},
			"fail": {Doc: "fails", Do: func(*device.Call, message.Message, message.Message) (message.Value, error) {
				return nil, fault.New(fault.Denied, "no-way", "not this")
			}},
		}}
	}
	node := plainNode(t)
	node.Registry = node.Registry.With(device.NewRegistry(note("one@1.0"), note("two@1.0")))
	return node
}

func TestStacksFold(t *testing.T) {
	node := stackNode(t)
	r := resolver(node)
	of := func(fs ...message.Field) message.Message {
		return message.New(append(fs, field("device", message.Bytes("stack@1.0")))...)
	}
	list := func(names ...string) message.Field {
		var l message.List
		for _, n := range names {
			l = append(l, message.Bytes(n))
		}
		return field("device-stack", l)
	}
	for _, c := range []struct {
		name string
		base message.Message
		ask  device.Step
		want string
	}{
		{"in order, and as it was at the end", of(list("one@1.0", "two@1.0"), field("pass", message.Int(9))), device.Ask("compute"),
			`{"device":"stack@1.0","device-stack":["one@1.0","two@1.0"],"pass":9,"trace":"1 2 "}`},
		{"a map with prefixes", of(field("device-stack", texts("1", "one@1.0", "2", "two@1.0")), field("input-prefixes", texts("2", "p"))), device.Ask("compute/trace"), "1 2p "},
		{"those that do not know the key are passed over", of(list("test-device@1.0", "two@1.0")), device.Ask("value"), "v"},
		{"nobody knows the key", of(list("one@1.0"), field("a", message.Bytes("b"))), device.Ask("a"), "b"},
		{"nobody knows the key, which is not there", of(list("one@1.0")), device.Ask("a"), "!key-absent"},
		{"a value ends it", of(list("one@1.0", "two@1.0")), device.Ask("value"), "v"},
		{"a failure ends it", of(list("one@1.0", "two@1.0")), device.Ask("fail"), "!no-way"},
		{"passes", of(list("one@1.0", "multipass@1.0"), field("passes", message.Int(3))), device.Ask("compute"), `{"device":"stack@1.0","device-stack":["one@1.0","multipass@1.0"],"passes":3,"trace":"1 1 1 "}`},
		{"seen before", of(list("dedup@1.0", "one@1.0"), field("dedup", message.List{message.Bytes(message.HashOf([]byte("x")).String())})),
			device.Ask("compute", field("body", message.Bytes("x"))), `{"dedup":["` + message.HashOf([]byte("x")).String() + `"],"device":"stack@1.0","device-stack":["dedup@1.0","one@1.0"]}`},
		{"not seen before", of(list("dedup@1.0", "one@1.0")), device.Ask("compute", field("body", message.Bytes("y"))), `{"dedup":{"ofzkNjhU_4iM_0uOeHXWAMJoI5BBKoz3mzfQsRFIsPo":true},"device":"stack@1.0","device-stack":["dedup@1.0","one@1.0"],"trace":"2 "}`},
		{"only some keys", of(list("one@1.0"), field("stack-keys", message.List{message.Bytes("compute")})), device.Ask("value"), "!key-absent"},
		{"all on the same", of(list("one@1.0", "two@1.0"), field("mode", message.Bytes("Map"))), device.Ask("value"), `{"1":"v","2":"v"}`},
		{"one of them", of(list("one@1.0", "two@1.0")), device.Ask("transform/2/value"), "v"},
		{"none of them", of(list("one@1.0")), device.Ask("transform/7"), "!key-absent"},
		{"an unknown device", of(list("none@1.0")), device.Ask("compute"), "!device-unknown"},
		{"without end", of(list("one@1.0", "multipass@1.0"), field("passes", message.Int(1<<40))), device.Ask("compute"), "!resolve-too-many-steps"},
		{"no devices", of(), device.Ask("compute"), "!stack-empty"},
	} {
		res, err := r.Run(t.Context(), c.base, []device.Step{c.ask}, device.How{})
		if got := said(res.Value, err); got != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, got, err, c.want)
		}
	}
}

func TestPatchesMoveState(t *testing.T) {
	r := resolver(plainNode(t))
	entry := func(n int64, fs ...message.Field) message.Message {
		return message.New(append(fs, field("price", message.New(field("x", message.Int(n)))))...)
	}
	patch := field("method", message.Bytes("PATCH"))
	outbox := message.New(
		field("1", entry(1, patch)), field("2", texts("target", "t")), field("10", entry(3, patch)),
		field("3", entry(2, field("device", message.Bytes("patch@1.0")), field("priv-x", message.Bytes("s")))))
	base := message.New(field("device", message.Bytes("patch@1.0")), field("results", message.New(field("outbox", outbox))))
	for _, c := range []struct {
		name string
		ask  device.Step
		want string
	}{
		{"into the message, in order", device.Ask("patches", field("patch-from", message.Bytes("/results/outbox"))),
			`{"device":"patch@1.0","price":{"x":3},"results":{"outbox":{"2":{"target":"t"}}}}`},
		{"into a part", device.Ask("compute", field("from", message.Bytes("results/outbox")), field("to", message.Bytes("a/b"))),
			`{"a":{"b":{"price":{"x":3}}},"device":"patch@1.0","results":{"outbox":{"2":{"target":"t"}}}}`},
		{"all", device.Ask("all", field("from", message.Bytes("results/outbox/2")), field("to", message.Bytes("moved"))), "t"},
		{"from the request", device.Ask("all", field("from", message.Bytes("req:y")), field("to", message.Bytes("z")), field("y", message.Int(7))), "7"},
		{"nothing there", device.Ask("patches", field("from", message.Bytes("none"))), "!key-absent"},
		{"what is private", device.Ask("all", field("from", message.Bytes("priv-x")), field("to", message.Bytes("y"))), "!patch-private"},
	} {
		res, err := r.Run(t.Context(), base, []device.Step{c.ask}, device.How{})
		got := said(res.Value, err)
		if m, ok := res.Value.(message.Message); ok && c.name == "all" {
			moved, _ := m.Get("moved")
			got = moved.(message.Message).Text("target")
		} else if ok && c.name == "from the request" {
			v, _ := m.Get("z")
			got = said(v, nil)
		}
		if got != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, got, err, c.want)
		}
	}
}

func TestApplyResolvesWhatAMessageSays(t *testing.T) {
	r := resolver(plainNode(t))
	base := message.New(field("device", message.Bytes("apply@1.0")),
		field("data", texts("x", "1")), field("how", message.New(field("path", message.Bytes("set")), field("y", message.Bytes("2")))),
		field("user-path", message.Bytes("/~message@1.0&k=v/k")), field("rel", message.Bytes("x")))
	for _, c := range []struct {
		ask  device.Step
		want string
	}{
		{device.Ask("user-path"), "v"},
		{device.Ask("rel", field("source", message.Bytes("data"))), "1"},
		{device.Ask("rel", field("source", message.Bytes("base:data"))), "1"},
		{device.Ask("pair", field("base", message.Bytes("data")), field("request", message.Bytes("how"))), `{"x":"1","y":"2"}`},
		{device.Ask("x", field("base", message.Bytes("data")), field("request", message.Bytes("base:how"))), "1"},
		{device.Ask("none"), "!status 404: Path `none` to execute not found."},
		{device.Ask("rel", field("source", message.Bytes("none"))), "!status 404: Source path `none` to apply not found."},
		{device.Ask("data"), "!path-malformed"},
	} {
		res, err := r.Run(t.Context(), base, []device.Step{c.ask}, device.How{})
		if got := said(res.Value, err); got != c.want {
			t.Errorf("%v: %s (%v), want %s", c.ask.Request, got, err, c.want)
		}
	}
}

func TestTheTestDeviceNotesSlots(t *testing.T) {
	node := plainNode(t)
	for path, want := range map[string]string{
		"/~test-device@1.0/init/compute&slot=1/compute&slot=2/already-seen": "[2,1]",
		"/~test-device@1.0/init/compute&slot=1/results/assignment-slot":     "1",
		"/~test-device@1.0/compute&slot=1/random-key":                       "random-value",
		"/~test-device@1.0/compute":                                         "!argument-missing",
		"/~test-device@1.0/index/body":                                      "i like turtles!",
		"/~test-device@1.0/mul&args=2,3/results":                            "[6]",
		"/~test-device@1.0/mul&args=-1,-9223372036854775808":                "!product-too-large",
		"/~test-device@1.0/mul&args=2":                                      "!argument-missing",
		"/~test-device@1.0/snapshot":                                        "{}",
		"/~test-device@1.0/restore":                                         "!key-absent",
		"/~test-device@1.0/postprocess&body=x":                              "x",
		"/~test-device@1.0&return=x/delay&duration=0":                       "x",
		"/~test-device@1.0/delay&duration=20000":                            "!argument-too-large",
	} {
		if got := said(asked(t, node, path, message.Message{})); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if got := said(askedBy(given, node, "/~test-device@1.0/delay", message.Message{})); got != "!resolve-given-up" {
		t.Errorf("a request that is given up: %s", got)
	}
}
