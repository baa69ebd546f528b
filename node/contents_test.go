package node

import (
	"strings"
	"testing"

	"ago/codec/httpsig"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

func field(key string, v message.Value) message.Field { return message.Field{Key: key, Value: v} }

func textField(key, v string) message.Field { return field(key, message.Bytes(v)) }

// TestNodesHaveMessagesFromEachOther asks a node for what only its peer has; both name each other.
func TestNodesHaveMessagesFromEachOther(t *testing.T) {
	t.Parallel()
	one := startNetwork(t, nil)
	two := startNetwork(t, func(c *Config) { c.Peers = []string{"http://127.0.0.1:1", one.Addresses().Node + "/"} })
	has := one.deviceNode().Contents
	plain := message.New(textField("greeting", "hello"), field("n", message.Int(5)), textField("status", "ready"), textField("long", strings.Repeat("l", 10_000)),
		field("in", message.New(textField("deep", "text"), field("list", message.List{message.Int(1), message.Bytes("x")}))))
	signed, err := httpsig.Commit(plain, one.key, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	list := message.List{message.Bytes("a"), message.New(textField("b", "c"))}
	for name, v := range map[string]message.Value{
		"a message": message.New(textField("a", "b"), field("in", message.New(textField("c", "d")))), "with a status": plain.With("greeting", message.Bytes("unsigned")), "signed": signed, "bytes": message.Bytes("some bytes"), "a list": list,
		"an empty message": message.New(),
	} {
		t.Run(name, func(t *testing.T) {
			id, err := has.Write(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			contents := two.deviceNode().Contents
			got, err := contents.Read(t.Context(), id.String())
			if err != nil {
				t.Fatal(err)
			}
			m, err := message.New(field("v", got)).Bundle(func(l message.Link) (message.Value, error) { return contents.Read(t.Context(), l.To.String()) })
			if err != nil {
				t.Fatal(err)
			}
			got, _ = m.Get("v")
			if m, ok := got.(message.Message); ok {
				if m.SignedID() != id {
					t.Errorf("its id is %s", m.SignedID())
				}
				got = m.Without(message.KeyCommitments) // which say the same in another form
				v = v.(message.Message).Without(message.KeyCommitments)
			}
			if !message.Equal(got, v) {
				t.Errorf("it is %.300v", got)
			}
			if _, err := contents.Local().Read(t.Context(), id.String()); err != nil {
				t.Errorf("it is not here now: %v", err)
			}
		})
	}
	// Over HTTP, by name, and what nobody has.
	if code, _, body := two.atNode(t, "GET", "/~cache@1.0/read?target="+signed.SignedID().String(), nil, nil); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	absent := message.HashOf([]byte("nobody's")).String()
	if code, _, body := one.atNode(t, "GET", "/~cache@1.0/read?target="+absent, nil, nil); code != 404 {
		t.Errorf("%d %s", code, body)
	}
	if _, err := two.deviceNode().Contents.Read(t.Context(), absent); fault.KindOf(err) != fault.Unavailable { // one of the peers is down
		t.Errorf("%v", err)
	}
}

// TestContentsHaveWhatTheUnitsHold reads messages, assignments and states by id and by name.
func TestContentsHaveWhatTheUnitsHold(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	p := n.deviceProcess(t)
	if code, _, body := n.atNode(t, "GET", "/"+p+"/now/at-slot", nil, nil); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	contents := n.deviceNode().Contents.Local()
	for path, want := range map[string]string{p + "/type": "Process", "~scheduler@1.0/assignments/" + p + "/0/process": p, "computed/" + p + "/slot/0/device": "process@1.0"} {
		if v, err := contents.Read(t.Context(), path); err != nil || v != message.Bytes(want) {
			t.Errorf("%s: %v, %v", path, v, err)
		}
	}
	for _, path := range []string{"computed/" + p + "/slot/1", "computed/" + p + "/slot/x", "computed/" + p, "computed/x/slot/0", "~scheduler@1.0/assignments/" + p + "/1", "~scheduler@1.0/other"} {
		if v, err := contents.Read(t.Context(), path); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v, %v", path, v, err)
		}
	}
	for _, path := range []string{"computed/" + p + "/slot", "~scheduler@1.0/assignments/" + p} {
		if names, err := contents.List(t.Context(), path); err != nil || len(names) != 1 || names[0] != "0" {
			t.Errorf("below %s: %v, %v", path, names, err)
		}
	}
	id, err := message.ParseID(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slotNames(id, slotlog.Slot(listedSlotsMax+1)); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("too many names: %v", err)
	}
}
