package process

import (
	"testing"

	"ago/message"
	"ago/vm"
)

func TestResultsOfDevicesAsLegacyUnitsReadThem(t *testing.T) {
	field := func(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }
	entry := message.New(field("target", message.Bytes("T")), field("action", message.Bytes("Go")), field("data", message.Bytes("d")), field("n", message.Int(3)),
		field("nested", message.New(field("a", message.Int(1)))))
	for name, c := range map[string]struct {
		results message.Message
		want    string
	}{
		"nothing": {message.Message{}, `{"Messages":[],"Assignments":[],"Spawns":[],"Output":""}`},
		"a text":  {message.New(field("output", message.Bytes("x"))), `{"Messages":[],"Assignments":[],"Spawns":[],"Output":"x"}`},
		"a map": {message.New(field("output", message.New(field("b", message.Atom("true")), field("a", message.List{message.Int(1), message.Float(1.5)}))), field("data", message.Bytes("y"))),
			`{"Messages":[],"Assignments":[],"Spawns":[],"Output":{"a":[1,1.5],"b":true}}`},
		"data":     {message.New(field("data", message.Bytes("y"))), `{"Messages":[],"Assignments":[],"Spawns":[],"Output":{"data":"y"}}`},
		"an error": {message.New(field("error", message.Bytes("no"))), `{"Error":"no","Messages":[],"Assignments":[],"Spawns":[],"Output":""}`},
		"messages in the order of their numbers": {message.New(field("outbox", message.New(field("10", entry.Without("data").Without("nested")), field("2", entry)))),
			`{"Messages":[{"Target":"T","Anchor":"","Data":"d","Tags":[{"name":"Action","value":"Go"},{"name":"Ao-Types","value":"n=\"integer\""},{"name":"N","value":"3"}]},` +
				`{"Target":"T","Anchor":"","Data":"","Tags":[{"name":"Action","value":"Go"},{"name":"Ao-Types","value":"n=\"integer\""},{"name":"N","value":"3"}]}],"Assignments":[],"Spawns":[],"Output":""}`},
	} {
		r := OutcomeOf(c.results)
		if got := string(r.JSON()); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
		if !message.Equal(r.Results(), c.results) {
			t.Errorf("%s: AO-Core clients read %v", name, r.Results())
		}
	}
	o := OutcomeOf(message.New(field("outbox", message.List{entry, message.Int(1)}))).Outbox()
	if len(o.Messages) != 2 || o.Messages[0].Target != "T" || !message.Equal(o.Messages[0].Core, entry) || o.Messages[1].Problem == "" {
		t.Errorf("%+v", o)
	}
}

func TestResultsOfModulesAsAOCoreReadsThem(t *testing.T) {
	r := ResultOf(vm.Output{Response: []byte(`{"ok":true,"response":{"Output":{"data":"hi"},"Messages":[{"Target":"T","Anchor":"1","Data":"d","Tags":[{"name":"Action","value":"Go"},{"name":"action","value":"late"},{"name":"From-Process","value":"forged"}]}],"Spawns":[],"Assignments":[]}}`)})
	m := r.Results()
	for _, c := range []struct {
		path []string
		want message.Value
	}{
		{[]string{"data"}, message.Bytes("hi")}, {[]string{"output", "data"}, message.Bytes("hi")}, {[]string{"outbox", "1", "target"}, message.Bytes("T")},
		{[]string{"outbox", "1", "action"}, message.Bytes("Go")}, {[]string{"outbox", "1", "from-process"}, nil},
		{[]string{"json", "body"}, message.Bytes(r.JSON())}, {[]string{"raw", "Output", "data"}, message.Bytes("hi")},
	} {
		if got, _, _ := m.Find(c.path, nil); !message.Equal(got, c.want) {
			t.Errorf("%q is %v, want %v", c.path, got, c.want)
		}
	}
}

func TestMessagesOfDevicesHaveKeysInLowerCase(t *testing.T) {
	field := func(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }
	text := func(key, v string) message.Field { return field(key, message.Bytes(v)) }
	id := message.HashOf([]byte("a key")).String()
	nested := message.New(text("Kept", "as it is"))
	sent := message.New(text("Target", "T"), text("Action", "Go"), text("action", "go"), text("X", "1"), text("x-Y", "2"), field("Nested", nested), text(id, "i"), text("PRIVATE", "p"))
	want := message.New(text("target", "T"), text("action", "go"), text("x", "1"), text("x-y", "2"), field("nested", nested), text(id, "i"))
	plain := message.New(text("target", "T"))
	for name, c := range map[string]struct{ box, want message.Value }{
		"a list":         {message.List{sent, message.Bytes("text"), plain}, message.List{want, message.Bytes("text"), plain}},
		"a map":          {message.New(field("1", sent), field("Two", plain), text("device", "Own@1.0")), message.New(field("1", want), field("Two", plain), text("device", "Own@1.0"))},
		"something else": {message.Bytes("none"), message.Bytes("none")},
	} {
		got := Settle(message.New(field("outbox", c.box), text("Info", "kept")))
		if !message.Equal(got, message.New(field("outbox", c.want), text("Info", "kept"))) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := Settle(plain); !message.Equal(got, plain) {
		t.Errorf("without an outbox: %v", got)
	}
}
