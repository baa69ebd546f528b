package process

import (
	"encoding/json"
	"strings"
	"testing"

	"ago/vm"

	"pgregory.net/rapid"
)

func TestMemoryLimits(t *testing.T) {
	for text, want := range map[string]uint64{"1-gb": 1 << 30, "1gb": 1 << 30, "500-mb": 500 << 20, "1.5-kb": 1536, "64-KB": 64 << 10, "12": 12, "7-b": 7, "2-tb": 2 << 40} {
		if got, err := ParseMemoryLimit(text); err != nil || got != want {
			t.Errorf("%q = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "gb", "-1-gb", "1-xb", "1--gb", "1 2-gb", "0-gb", "1e3-gb", "99999999999-tb", "NaN"} {
		if got, err := ParseMemoryLimit(bad); err == nil {
			t.Errorf("%q was read as %d", bad, got)
		}
	}
}

func TestResults(t *testing.T) {
	for _, c := range []struct {
		name, response, want string
		keep                 bool
	}{
		{"an answer", `{"ok":true,"response":{"Output":"x","Messages":[{"Target":"a"}],"Spawns":[],"Assignments":[]}}`,
			`{"Messages":[{"Target":"a"}],"Assignments":[],"Spawns":[],"Output":"x","GasUsed":7}`, false},
		{"nothing", `{"ok":true,"response":{}}`, `{"Messages":[],"Assignments":[],"Spawns":[],"Output":"","GasUsed":7}`, false},
		{"nulls", `{"ok":true,"response":{"Output":null,"Error":null,"Messages":null}}`, `{"Messages":[],"Assignments":[],"Spawns":[],"Output":"","GasUsed":7}`, false},
		{"a number", `{"ok":true,"response":{"Output":12}}`, `{"Messages":[],"Assignments":[],"Spawns":[],"Output":"12","GasUsed":7}`, false},
		{"an empty table", `{"ok":true,"response":{"Output":[]}}`, `{"Messages":[],"Assignments":[],"Spawns":[],"Output":[],"GasUsed":7}`, false},
		{"an error", `{"ok":true,"response":{"Error":"bad"}}`, `{"Error":"bad","Messages":[],"Assignments":[],"Spawns":[],"Output":"","GasUsed":7}`, true},
		{"an error that does not count", `{"ok":true,"response":{"Error":""}}`, `{"Error":"","Messages":[],"Assignments":[],"Spawns":[],"Output":"","GasUsed":7}`, false},
		{"not ok", `{"ok":false,"response":"why"}`, `{"Error":"why","Messages":[],"Assignments":[],"Spawns":[],"Output":""}`, true},
		{"out of memory, told in the output", `{"ok":true,"response":{"Output":{"data":{"output":"x not enough memory for buffer allocation"}}}}`,
			`{"Messages":[],"Assignments":[],"Spawns":[],"Output":{"data":{"output":"x not enough memory for buffer allocation"}},"GasUsed":7}`, true},
	} {
		r := ResultOf(vm.Output{Response: []byte(c.response), Gas: 7})
		if got := string(r.JSON()); got != c.want || r.KeepState != c.keep {
			t.Errorf("%s:\n got %s keep %v\nwant %s keep %v", c.name, got, r.KeepState, c.want, c.keep)
		}
		back, err := ParseResult(r.JSON())
		if err != nil || string(back.JSON()) != c.want || back.KeepState != c.keep {
			t.Errorf("%s: read back as %s, %v", c.name, back.JSON(), err)
		}
	}
	for _, broken := range []string{"", "x", `{"ok":true`, "\xff"} {
		if r := ResultOf(vm.Output{Response: []byte(broken)}); !r.KeepState || !r.HasError() {
			t.Errorf("%q is no error: %s", broken, r.JSON())
		}
	}
	if r := ResultOf(vm.Output{Failure: `trap "x"`}); string(r.Error) != `"trap \"x\""` || !r.KeepState {
		t.Errorf("a trap: %s", r.JSON())
	}
}

func TestOutbox(t *testing.T) {
	r := ResultOf(vm.Output{Response: []byte(`{"ok":true,"response":{
	 "Messages":[{"Target":"a","Anchor":"1","Tags":[{"name":"N","value":"v"}],"Data":"d"},{"Target":"b","Anchor":"2","Tags":[]},
	  {"Target":"c","Anchor":"3","Tags":[{"name":"N","value":5}]},{"Anchor":"4","Tags":[]},{"Target":"e","Anchor":"5","Tags":[],"Data":{"x":1}},
	  {"Target":"f","Anchor":"6","Tags":[],"Data":12},7],
	 "Spawns":[{"Anchor":"8","Tags":[{"name":"Module","value":"m"}],"Data":"NODATA"},{"Tags":5}],
	 "Assignments":[{"Processes":["p"],"Message":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","Exclude":["Data"],"BaseLayer":true},{"Message":"x"}]}}`)})
	o := r.Outbox()
	if o.Len() != 11 {
		t.Fatalf("%d entries", o.Len())
	}
	if m := o.Messages[0]; m.Problem != "" || m.Target != "a" || *m.Data != "d" || m.Tags[0] != (Tag{Name: "N", Value: "v"}) {
		t.Errorf("%+v", m)
	}
	if o.Messages[1].Data != nil || *o.Messages[5].Data != "12" {
		t.Errorf("%+v %+v", o.Messages[1], o.Messages[5])
	}
	for i, want := range map[int]string{2: "not text", 3: "no Target", 4: "table", 6: "not an object"} {
		if m := o.Messages[i]; !strings.Contains(m.Problem, want) || m.Index != i {
			t.Errorf("message %d: %+v, want %q", i, m, want)
		}
	}
	if s := o.Spawns; s[0].Index != 7 || s[0].Problem != "" || s[1].Problem == "" {
		t.Errorf("%+v", s)
	}
	if a := o.Assigns; a[0].Index != 9 || a[0].Problem != "" || !a[0].BaseLayer || a[1].Problem == "" {
		t.Errorf("%+v", a)
	}
}

// The two ways of reading messages must agree wherever the fast one takes them.
func TestWellFormedMessagesAreReadAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"", "a", "é\n"})
		var list []map[string]any
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			m := map[string]any{}
			for _, k := range []string{"Target", "Anchor", "Data"} {
				switch rapid.IntRange(0, 9).Draw(t, k) {
				case 0:
				case 1:
					m[k] = 5
				default:
					m[k] = word.Draw(t, k+" text")
				}
			}
			tags := []map[string]any{}
			for range rapid.IntRange(0, 2).Draw(t, "tags") {
				tags = append(tags, map[string]any{"name": word.Draw(t, "name"), "value": word.Draw(t, "value")})
			}
			m["Tags"] = tags
			list = append(list, m)
		}
		raw, _ := json.Marshal(list)
		fast, ok := wellFormed(raw)
		if !ok || list == nil {
			return
		}
		for i, e := range entries(raw) {
			slow := outMessage(i, e)
			a, _ := json.Marshal(slow)
			b, _ := json.Marshal(fast[i])
			if string(a) != string(b) {
				t.Fatalf("%s\nslow %s\nfast %s", e, a, b)
			}
		}
	})
}

func TestDryRunText(t *testing.T) {
	var d DryMessage
	if err := json.Unmarshal([]byte(`{"Id":"1234","Owner":"o","Target":"t","Anchor":"0","Data":{"a": 1},"Tags":[{"name":"Action","value":"x"},{"name":"From","value":"evil"},{"name":"From-Process","value":"p"}]}`), &d); err != nil {
		t.Fatal(err)
	}
	want := `{"Id":"1234","Data":{"a":1},"Owner":"o","Target":"t","Anchor":"0","From":"p","Tags":[{"name":"Action","value":"x"},{"name":"From-Process","value":"p"}],"Timestamp":5,"Block-Height":6,"Cron":false,"Read-Only":true}`
	if got := string(DryRunJSON(Definition{}, d, 5, 6)); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}
