package devices_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ago/device"
	"ago/devices"
	"ago/fault"
	"ago/message"
	"ago/process"
)

// evaluated is a compute unit that answers what the test says, and tells what it was asked.
type evaluated struct {
	asked  []string
	answer func(method, path string) (int, string)
}

func (e *evaluated) Ask(_ context.Context, method, path string, body []byte) (int, []byte, error) {
	e.asked = append(e.asked, fmt.Sprintf("%s %s %s", method, path, body))
	status, text := e.answer(method, path)
	if status == 0 {
		return 0, nil, fault.New(fault.Unavailable, "delegate-unanswered", "away")
	}
	return status, []byte(text), nil
}

const sevenResult = `{"Messages":[{"Target":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","Anchor":"a","Data":"d","Tags":[{"name":"Action","value":"Ball"}]},{"Target":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","Anchor":"a","Tags":[{"name":"device","value":"patch@1.0"},{"name":"price","value":"3"}]}],"Assignments":[],"Spawns":[],"Output":{"data":"7"}}`

func TestDelegatedComputeKeepsTheRulesOfDevices(t *testing.T) {
	node := plainNode(t)
	p := strings.Repeat("A", 43)
	kept(t, "delegated-compute@1.0", node, false, texts("process-id", p), texts("process-id", p, "slot", "1"))
	device.Provide[devices.Delegate](node, &evaluated{answer: func(string, string) (int, string) { return 200, sevenResult }})
	kept(t, "delegated-compute@1.0", node, false, texts("process-id", p), texts("process-id", p, "slot", "1"))
	kept(t, "compute@1.0", node, false)
}

func TestAComputeUnitEvaluatesForANode(t *testing.T) {
	node := plainNode(t)
	owner := newKey(t, 5)
	definition := signed(t, texts("type", "Process", "device", "process@1.0", "execution-device", "delegated-compute@1.0", "scheduler", strings.Repeat("I", 43), "module", strings.Repeat("E", 43)), owner)
	def, err := process.Define(definition)
	if err != nil {
		t.Fatal(err)
	}
	body := signed(t, texts("action", "Eval", "data", "7"), owner)
	p := def.ID.String()
	id := process.ContentOfMessage(body).ID.String()
	req := message.New(field("path", message.Bytes("compute")), field("type", message.Bytes("Assignment")), field("slot", message.Int(4)), field("process", message.Bytes(p)), field("body", body))
	state := message.New(field("device", message.Bytes("delegated-compute@1.0")), field("process", definition))
	always := func(status int, text string) func(string, string) (int, string) {
		return func(string, string) (int, string) { return status, text }
	}
	for _, c := range []struct {
		name   string
		answer func(method, path string) (int, string)
		req    message.Message
		code   string // of the fault; "" is none
		asked  []string
	}{
		{"a result", always(200, sevenResult), req, "", []string{`POST /result/4?process-id=` + p + `&no-busy=1 {"edges":[{"cursor":4,`}},
		{"a unit that knows messages only", func(method, _ string) (int, string) {
			if method == "POST" {
				return 404, "Cannot POST"
			}
			return 200, sevenResult
		}, req, "", []string{"POST /result/4?", "GET /result/" + id + "?process-id=" + p}},
		{"by slot alone", always(200, sevenResult), req.Without("body"), "", []string{"POST /result/4?"}},
		{"an unknown slot alone", always(404, "no"), req.Without("body"), "delegate-refused", []string{"POST /result/4?"}},
		{"a unit at work", always(202, `{"message":"busy"}`), req, "delegate-refused", []string{"POST /result/4?"}},
		{"a failing unit", always(500, "oops"), req, "delegate-refused", []string{"POST /result/4?"}},
		{"elsewhere", always(302, ""), req, "delegate-refused", []string{"POST /result/4?"}},
		{"no result", always(200, "<html>"), req, "delegate-malformed", []string{"POST /result/4?"}},
		{"no answer", always(0, ""), req, "delegate-unanswered", []string{"POST /result/4?"}},
		{"no slot", always(200, sevenResult), req.With("slot", message.Int(-1)), "slot-malformed", nil},
		{"a trial", always(200, sevenResult), req.With("read-only", message.Atom("true")), "", []string{`POST /dry-run?process-id=` + p + ` {"Anchor":"","Data":"7",`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			unit := &evaluated{answer: c.answer}
			d := node.Derive()
			device.Provide[devices.Delegate](d, unit)
			r, err := resolver(d).Run(t.Context(), state, []device.Step{{Request: c.req}}, device.How{})
			if (err != nil) != (c.code != "") || err != nil && fault.CodeOf(err) != c.code {
				t.Fatalf("%v", err)
			}
			if c.code != "" && c.code != "slot-malformed" && fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%v would fail the slot for ever", err)
			}
			if len(unit.asked) != len(c.asked) {
				t.Fatalf("asked %q", unit.asked)
			}
			for i, want := range c.asked {
				if !strings.HasPrefix(unit.asked[i], want) {
					t.Errorf("asked %q, want %q", unit.asked[i], want)
				}
			}
			if c.code != "" {
				return
			}
			m := r.Value.(message.Message)
			want(t, "data", at(m, "results", "data"), message.Bytes("7"))
			want(t, "message", at(m, "results", "outbox", "1", "action"), message.Bytes("Ball"))
			want(t, "sender", at(m, "results", "outbox", "1", "from-process"), message.Bytes(p))
			want(t, "text", at(m, "results", "json", "body"), message.Bytes(`{"Messages":[{"Target":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","Anchor":"a","Data":"d","Tags":[{"name":"Action","value":"Ball"}]},{"Target":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","Anchor":"a","Tags":[{"name":"device","value":"patch@1.0"},{"name":"price","value":"3"}]}],"Assignments":[],"Spawns":[],"Output":{"data":"7"}}`))
			want(t, "patch", at(m, "price"), message.Bytes("3"))
		})
	}
	// A node that delegates to nobody says what to do.
	_, err = resolver(node).Run(t.Context(), state, []device.Step{{Request: req}}, device.How{})
	if fault.CodeOf(err) != "delegate-missing" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestComputeTellsWhatASlotGave(t *testing.T) {
	u := inMemory(t)
	a, b := u.spawn("a"), u.spawn("b")
	u.post("/"+a+"/schedule", u.signed(text("send-to", b)))
	want(t, "output", u.get("/~compute@1.0/execute/results/output?process="+a+"&slot=1"), message.Int(102))
	want(t, "slot", u.get("/~compute@1.0/execute/slot?process="+a+"&slot=1"), message.Int(1))
	sent, _ := u.get("/~compute@1.0/execute/results/outbox/1?process=" + a + "&slot=1").(message.Message)
	want(t, "commitment", u.get("/~compute@1.0/execute/commitment-for?process="+a+"&slot=1&commit-to="+sent.SignedID().String()), message.Bytes(sent.SignedID().String()))
	body := message.New(field("process", message.Bytes(a)), field("slot", message.Int(0)))
	v, err := u.ask("/~compute@1.0/execute/results/output", message.New(text("method", "GET"), field("body", body)))
	ok(t, err)
	want(t, "output of an assignment", v, message.Int(101))
	for path, status := range map[string]device.Status{
		"?process=" + a + "&slot=1&commit-to=" + a: 404, "?process=" + a + "&slot=9": 404, "?process=" + a: 400, "?slot=1": 400, "?process=x&slot=1": 400, "?process=" + strings.Repeat("A", 43) + "&slot=0": 404,
	} {
		if _, err := u.ask("/~compute@1.0/execute"+path, message.New(text("method", "GET"))); device.StatusOf(err) != status {
			t.Errorf("%s: %v", path, err)
		}
	}
}
