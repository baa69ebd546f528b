package push

import (
	"bytes"
	"encoding/json"
	"testing"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/process"

	"github.com/google/go-cmp/cmp"
)

func TestItemsCarryTheTagsOfTheLegacyMessenger(t *testing.T) {
	sender, target, root := message.HashOf([]byte("sender")), message.HashOf([]byte("target")), message.HashOf([]byte("root"))
	module, fresh, scheduler := message.HashOf([]byte("module")), message.HashOf([]byte("new")), message.HashOf([]byte("scheduler")).String()
	text := func(s string) *string { return &s }
	base := func(kind Kind, tags ...string) row {
		r := row{
			Task:   Task{Key: Key{Position: Position{Process: sender, Slot: 5}}, Kind: kind, State: Pending, Root: root, Target: target.String()},
			module: module, scheduler: scheduler, anchor: anchor(0, 1), subject: fresh,
		}
		r.tags = pairs(tags...)
		return r
	}
	cron := base(KindMessage, "Action", "Tick")
	cron.Root = message.ID{}
	empty := base(KindMessage)
	empty.data = text("")
	full := base(KindMessage, "Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message", "Reference", "1", "From-Process", "liar",
		"From-Module", "liar", "Assignments", "[]", "Action", "Transfer")
	full.data = text("100")
	for _, c := range []struct {
		name string
		row  row
		tags []process.Tag
		data string
	}{
		{
			"a message keeps its tags but for those only the messenger may say", full,
			pairs("Variant", "ao.TN.1", "Reference", "1", "Action", "Transfer", "Data-Protocol", "ao", "Type", "Message",
				"From-Process", sender.String(), "From-Module", module.String(), "Pushed-For", root.String()), "100",
		},
		{
			"the message of a timer was pushed for none", cron,
			pairs("Action", "Tick", "Data-Protocol", "ao", "Type", "Message", "From-Process", sender.String(), "From-Module", module.String()), " ",
		},
		{
			"empty data is one space", empty,
			pairs("Data-Protocol", "ao", "Type", "Message", "From-Process", sender.String(), "From-Module", module.String(), "Pushed-For", root.String()), " ",
		},
		{
			"a spawn has its parent's scheduler, and nothing twice",
			base(KindSpawn, "Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Process", "From-Process", "liar", "From-Module", "liar",
				"Module", module.String(), "Reference", "2"),
			pairs("Module", module.String(), "Reference", "2", "Variant", "ao.TN.1", "Data-Protocol", "ao", "Type", "Process",
				"From-Process", sender.String(), "Pushed-For", root.String(), "Scheduler", scheduler, "From-Module", module.String()), " ",
		},
		{
			"a spawn may name another scheduler and the other variant",
			base(KindSpawn, "Variant", "ao.N.1", "Module", module.String(), "Scheduler", "other"),
			pairs("Module", module.String(), "Scheduler", "other", "Variant", "ao.N.1", "Data-Protocol", "ao", "Type", "Process",
				"From-Process", sender.String(), "Pushed-For", root.String(), "From-Module", module.String()), " ",
		},
		{
			"the news of a spawn carries its tags back",
			base(KindSpawned, "Data-Protocol", "ao", "Data-Protocol", "other", "Variant", "ao.TN.1", "Type", "Process", "From-Process", sender.String(),
				"Module", module.String(), "Reference", "2"),
			pairs("Data-Protocol", "other", "From-Process", sender.String(), "Module", module.String(), "Reference", "2",
				"Data-Protocol", "ao", "Type", "Message", "Process", fresh.String(), "Action", "Spawned", "Variant", "ao.TN.1"), " ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			it, err := c.row.item(newWorld(t).key)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.tags, it.Tags); d != "" {
				t.Error(d)
			}
			if string(it.Data) != c.data || string(it.Anchor) != anchor(0, 1) {
				t.Errorf("data %q, anchor %q", it.Data, it.Anchor)
			}
			if it.HasTarget != (c.row.Kind != KindSpawn) || it.HasTarget && it.Target != target {
				t.Errorf("target %v %s", it.HasTarget, it.Target)
			}
			if err := it.Verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

func pairs(kv ...string) []process.Tag {
	tags := make([]process.Tag, 0, len(kv)/2)
	for i := 0; i < len(kv); i += 2 {
		tags = append(tags, process.Tag{Name: kv[i], Value: kv[i+1]})
	}
	return tags
}

func TestAnItemIsAFunctionOfItsRow(t *testing.T) {
	agent := commitment.NewAgent()
	wallet, err := agent.Open("../commitment/testdata/wallet.json") // RSA signatures need the salt
	if err != nil {
		t.Fatal(err)
	}
	keys := []*commitment.Key{wallet}
	for _, kind := range []commitment.KeyType{commitment.Ed25519, commitment.Ethereum} {
		key, err := agent.FromSeed(kind, bytes.Repeat([]byte{3}, 32))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		sign := func(index uint32, anchor string) *ans104.Item {
			r := row{Task: Task{Key: Key{Position: Position{Slot: 1}, Index: index}, Kind: KindMessage, Target: message.HashOf(nil).String()}}
			r.anchor = anchor
			it, err := r.item(key)
			if err != nil {
				t.Fatal(err)
			}
			return it
		}
		if !bytes.Equal(sign(1, "").Raw, sign(1, "").Raw) {
			t.Errorf("%s: two items of one row differ", key)
		}
		if sign(1, "").ID() == sign(2, "").ID() {
			t.Errorf("%s: two entries without an anchor are one message", key)
		}
		if same := sign(1, anchor(0, 0)).ID() == sign(2, anchor(0, 0)).ID(); same && key == wallet {
			t.Errorf("%s: the salt is not that of the task", key)
		}
	}
}

func TestEntriesThatCannotBeMessagesAreDroppedWithTheReason(t *testing.T) {
	id := message.HashOf(nil).String()
	list := func(v ...object) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	r := process.Result{
		Messages: list(
			object{"Target": id, "Anchor": anchor(0, 0), "Tags": tagList("Action", "Good", "Cast", "true")},
			object{"Target": id, "Anchor": anchor(0, 1), "Tags": []object{{"name": "Quantity", "value": 5}}},
			object{"Target": "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1", "Anchor": anchor(0, 2), "Tags": tagList()},
			object{"Target": id, "Anchor": "short", "Tags": tagList()},
			object{"Target": id + "tail", "Anchor": anchor(0, 4), "Tags": tagList("Action", "Long")}),
		Spawns:      list(object{"Tags": tagList("Module", id)}, object{"Tags": tagList("Name", "none")}),
		Assignments: list(object{"Processes": []string{id, "nobody"}, "Message": id}, object{"Processes": []string{}, "Message": id}),
	}
	var got []string
	for _, r := range entries(r.Outbox()) {
		got = append(got, r.Key.String()[44:]+" "+r.Kind.String()+" "+r.State.String()+" "+r.Code)
		if (r.State == Dropped) != (r.Reason != "") {
			t.Errorf("%s: %s with the reason %q", r.Key, r.State, r.Reason)
		}
		if r.Cast != (r.Action == "Good") {
			t.Errorf("%s: cast %v", r.Key, r.Cast)
		}
	}
	want := []string{
		"0.0 message pending ", "0.1 message dropped outbox-entry-malformed", "0.2 message dropped target-not-an-id",
		"0.3 message dropped anchor-size", "0.4 message dropped target-not-an-id", "0.5 spawn pending ", "0.6 spawn dropped tag-missing",
		"0.7 assign pending ", "0.7.1 assign dropped target-not-an-id", "0.8 assign dropped outbox-entry-malformed",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestTheTagAssignmentsNamesProcesses(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{`["a","b"]`, []string{"a", "b"}}, {"a, b,,c", []string{"a", "b", "c"}}, {"a", []string{"a"}}, {"", nil}, {`[]`, []string{}},
	} {
		if d := cmp.Diff(c.want, processList(c.text)); d != "" && len(c.want) > 0 {
			t.Errorf("%q: %s", c.text, d)
		}
	}
	many := bytes.Repeat([]byte("a,"), 3*assignmentsMax)
	if n := len(processList(string(many))); n != assignmentsMax {
		t.Errorf("%d processes", n)
	}
}
