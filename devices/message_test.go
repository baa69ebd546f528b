package devices_test

import (
	"bytes"
	"strings"
	"testing"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/device"
	"ago/device/devicetest"
	_ "ago/devices"
	"ago/fault"
	"ago/message"
	"ago/resolve"
)

func resolver(n *device.Node) device.Runner { return resolve.New(n, resolve.Limits{}) }

func field(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }

func TestMessageKeepsTheRulesOfDevices(t *testing.T) {
	d, _ := device.All().Find("message@1.0")
	devicetest.Run(t, devicetest.Subject{Device: d, Node: &device.Node{Registry: device.All()}, Runner: resolver, Bases: []message.Message{
		message.New(field("a", message.Bytes("b")), field("n", message.New(field("x", message.Int(1))))),
	}})
}

// signing stands for a codec that commits.
func signing(name string) *device.Registry {
	return device.NewRegistry(device.Device{Name: name, Doc: "commits", Keys: device.Keys{"commit": {Doc: "the message, committed to",
		Do: func(c *device.Call, base, req message.Message) (message.Value, error) {
			keys, _ := req.Get("committed")
			return c.Sign(base, httpsig.Terms{Keys: device.Texts(keys)})
		}}}},
		device.Device{Name: "idle@1.0", Doc: "does not commit", Keys: device.Keys{"index": {Doc: "a page",
			Do: func(_ *device.Call, base, _ message.Message) (message.Value, error) {
				return message.Bytes("page of " + base.Text("a")), nil
			}}}},
		device.Device{Name: "own@1.0", Doc: "sets in its own way", Keys: device.Keys{"set": {Doc: "what was set",
			Do: func(_ *device.Call, base, req message.Message) (message.Value, error) {
				return base.With("was-set", message.Bytes(req.Text("x"))), nil
			}}}})
}

func messageNode(t *testing.T) (*device.Node, string) {
	t.Helper()
	key, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &device.Node{Registry: device.All().With(signing("httpsig@1.0")), Key: key}, key.Address().String()
}

func TestMessagesAreReadAndChanged(t *testing.T) {
	node, address := messageNode(t)
	node.Options = message.New(field("default-index", message.Bytes("idle@1.0")))
	r := resolver(node)
	signed, err := r.Run(t.Context(), message.New(field("a", message.Bytes("b")), field("c", message.Int(1))), []device.Step{device.Ask("commit", field("committed", message.List{message.Bytes("a")}))}, device.How{})
	if err != nil {
		t.Fatal(err)
	}
	whole := signed.Value.(message.Message)
	forged := whole.With("a", message.Bytes("z"))
	if forged.Commitments().Len() != 0 || whole.Commitments().Len() != 2 {
		t.Fatal("a change keeps what no longer holds")
	}
	forged = forged.With("commitments", whole.Commitments())
	nested := message.New(field("a", message.Bytes("b")),
		field("in", message.New(field("x", message.Int(1)), field("y", message.Int(2)))),
		field("own", message.New(field("device", message.Bytes("own@1.0")))),
		field("priv-secret", message.Bytes("s")))
	table := message.New()
	for _, key := range []string{"Alpha", "beta"} {
		table = table.With(key, message.Bytes(key))
	}
	for i := range 300 {
		table = table.With(strings.Repeat("k", i+1), message.Int(int64(i)))
	}
	for _, c := range []struct {
		name string
		base message.Message
		ask  device.Step
		want string // the answer, or a code after !
	}{
		{"exactly", nested, device.Ask("a"), "b"},
		{"in any case", nested, device.Ask("A"), "b"},
		{"in a table exactly", table, device.Ask("Alpha"), "Alpha"},
		{"in a table in lower case", table, device.Ask("BETA"), "beta"},
		{"in a table as another key", table, device.Ask("alpha"), "!key-absent"},
		{"private", nested, device.Ask("priv-secret"), "!key-absent"},
		{"private in another case", nested, device.Ask("PRIV-secret"), "!key-absent"},
		{"absent", nested, device.Ask("z"), "!key-absent"},
		{"get", nested, device.Ask("get", field("key", message.Bytes("a"))), "b"},
		{"get nothing", nested, device.Ask("get"), "!key-absent"},
		{"get absent", nested, device.Ask("get", field("key", message.Bytes("z"))), "!key-absent"},
		{"keys", nested, device.Ask("keys"), `["a","in","own"]`},
		{"keys of a signed message", whole, device.Ask("keys"), `["a","c"]`},
		{"keys from 1", message.New(), device.Ask("keys"), `[]`},
		{"set", nested, device.Ask("set", field("a", message.Int(1)), field("in", message.New(field("x", message.Unset), field("z", message.Int(3)))), field("own", message.New(field("x", message.Bytes("v"))))),
			`{"a":1,"in":{"y":2,"z":3},"own":{"device":"own@1.0","was-set":"v"}}`},
		{"set explicitly", nested, device.Ask("set", field("set-mode", message.Bytes("explicit")), field("in", message.New(field("z", message.Int(3)))), field("own", message.Unset)),
			`{"a":"b","in":{"z":3}}`},
		{"set what is not set", nested, device.Ask("set", field("in", message.Unset), field("own", message.Unset), field("id", message.Int(1)), field("commitments", message.New()), field("priv-x", message.Int(1))),
			`{"a":"b"}`},
		{"set path", nested, device.Ask("set-path", field("value", message.Bytes("/x"))), `{"a":"b","in":{"x":1,"y":2},"own":{"device":"own@1.0"},"path":"/x"}`},
		{"unset path", message.New(field("path", message.Bytes("/x"))), device.Ask("set-path", field("value", message.Unset)), `{}`},
		{"set path to nothing", nested, device.Ask("set-path"), "!argument-missing"},
		{"remove", nested, device.Ask("remove", field("item", message.Bytes("in"))), `{"a":"b","own":{"device":"own@1.0"}}`},
		{"remove several", nested, device.Ask("remove", field("items", message.Bytes("in, own"))), `{"a":"b"}`},
		{"remove nothing", nested, device.Ask("remove"), "!argument-missing"},
		{"id", message.New(field("a", message.Bytes("b"))), device.Ask("id"), "qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk"},
		{"id of what is signed", whole, device.Ask("id"), whole.UnsignedID().String()},
		{"id by all", whole, device.Ask("id", field("committers", message.Bytes("all"))), whole.SignedID().String()},
		{"id by one", whole, device.Ask("id", field("committers", message.List{message.Bytes(address)})), whole.SignedID().String()},
		{"id by a commitment", whole, device.Ask("id", field("commitment-ids", message.Bytes(whole.UnsignedID().String()))), whole.UnsignedID().String()},
		{"id by a stranger", whole, device.Ask("id", field("committers", message.Bytes("stranger"))), "!committer-absent"},
		{"id by all of nobody", message.New(field("a", message.Bytes("b"))), device.Ask("id", field("committers", message.Bytes("all"))), "qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk"},
		{"id of bytes", nested, device.Ask("a/id"), message.HashOf([]byte("b")).String()},
		{"committers", whole, device.Ask("committers"), `["` + address + `"]`},
		{"committers of nobody", nested, device.Ask("committers"), `[]`},
		{"commitments of nobody", nested, device.Ask("commitments"), "!key-absent"},
		{"committed", whole, device.Ask("committed"), `["a"]`},
		{"committed by one", whole, device.Ask("committed", field("committers", message.Bytes(address))), `["a"]`},
		{"committed by nobody", nested, device.Ask("committed"), `[]`},
		{"verify", whole, device.Ask("verify", field("committers", message.Bytes("all"))), "true"},
		{"verify the content", whole, device.Ask("verify"), "true"},
		{"verify nothing", nested, device.Ask("verify"), "true"},
		{"verify what was changed", forged, device.Ask("verify", field("committers", message.Bytes("all"))), "false"},
		{"commit by one who cannot", nested, device.Ask("commit", field("commitment-device", message.Bytes("idle@1.0"))), "!device-cannot-commit"},
		{"commit by nobody known", nested, device.Ask("commit", field("commitment-device", message.Bytes("none@1.0"))), "!device-unknown"},
		{"index", nested, device.Ask("index"), "page of b"},
		{"info", nested, device.Step{Request: device.Ask("info/name").Request}, "message@1.0"},
		{"info of a device", message.New(field("device", message.Bytes("idle@1.0"))), device.Ask("info/answers"), `{"index":{"description":"a page"}}`},
	} {
		res, err := r.Run(t.Context(), c.base, []device.Step{c.ask}, device.How{})
		got := "!" + fault.CodeOf(err)
		if err == nil {
			got = devicetest.Show(res.Value)
		}
		if m, ok := res.Value.(message.Message); ok && c.base.Len() == nested.Len() { // what is private stays with the message
			if _, kept := m.Get("priv-secret"); kept {
				got = devicetest.Show(m.Without("priv-secret"))
			}
		}
		if got != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, got, err, c.want)
		}
	}
}

func TestLinkedMessagesAreMergedInto(t *testing.T) {
	node, _ := messageNode(t)
	in := message.New(field("x", message.Int(1)))
	node.Contents = oneMessage{in}
	base := message.New(field("in", message.Link{To: in.SignedID()}))
	res, err := resolver(node).Run(t.Context(), base, []device.Step{device.Ask("set", field("in", message.New(field("y", message.Int(2)))))}, device.How{})
	if err != nil || devicetest.Show(res.Value) != `{"in":{"x":1,"y":2}}` {
		t.Error(res.Value, err)
	}
}
