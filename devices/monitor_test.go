package devices_test

import (
	"fmt"
	"testing"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// watcher tells the test what it was asked, and answers what its monitor says.
func watcher(seen *[]string) device.Device {
	return device.Device{Name: "watcher@1.0", Doc: "tells what it is asked", Keys: device.Keys{
		"monitor": {Doc: "what it is told to answer", Do: func(c *device.Call, base, req message.Message) (message.Value, error) {
			state, _ := req.Get("state")
			m, _ := state.(message.Message)
			n, _ := m.Get("already-seen")
			*seen = append(*seen, fmt.Sprint(req.Text("signal"), " ", n, " ", m.Text("monitors"), c.Session() != nil))
			if base.Text("answer") == "fail" {
				return nil, fault.New(fault.Denied, "told-to", "told to fail")
			}
			return message.Bytes(base.Text("answer")), nil
		}},
	}}
}

func TestMonitorsSeeWhatAProcessEvaluates(t *testing.T) {
	var seen []string
	node := plainNode(t)
	node.Registry = node.Registry.With(device.NewRegistry(watcher(&seen)))
	var told []string
	node.Observe = func(e device.Event) {
		if e.Name != "" {
			told = append(told, e.Name+" "+e.Detail.Text("code"))
		}
	}
	kept(t, "monitor@1.0", plainNode(t), false, message.New(field("monitors", message.List{message.New(field("monitor", message.Bytes("done"))), message.Bytes("x")})))
	monitor := func(answer string) message.Message {
		return texts("device", "watcher@1.0", "answer", answer)
	}
	s, err := device.NewSession()
	ok(t, err)
	t.Cleanup(func() { s.Close() })
	ask := func(state message.Message, key string, fs ...message.Field) message.Message {
		t.Helper()
		r, err := resolver(node).Run(device.WithSession(t.Context(), s), state, []device.Step{device.Ask(key, fs...)}, device.How{})
		ok(t, err)
		return r.Value.(message.Message)
	}
	state := message.New(field("device", message.Bytes("stack@1.0")), field("device-stack", message.List{message.Bytes("test-device@1.0"), message.Bytes("multipass@1.0"), message.Bytes("monitor@1.0")}),
		field("passes", message.Int(2)), field("monitors", message.List{monitor("done"), monitor("more")}))
	state = ask(state, "init")
	state = ask(state, "compute", field("slot", message.Int(0)))
	state = ask(state, "add-monitor", field("monitor", monitor("fail")))
	state = ask(state, "compute", field("slot", message.Int(1)))
	left, _ := state.Get("monitors")
	want(t, "monitors", left, message.List{monitor("more"), monitor("fail")})
	wantSeen := []string{"message [0 0] false", "message [0 0] false", "message [1 1 0 0] false", "message [1 1 0 0] false"}
	if fmt.Sprint(seen) != fmt.Sprint(wantSeen) {
		t.Errorf("the monitors saw %q", seen)
	}
	if fmt.Sprint(told) != "[monitor-failed told-to]" {
		t.Errorf("told %q", told)
	}
	want(t, "device", at(state, "device"), message.Bytes("stack@1.0"))
	seen = nil
	ask(state.With("device", message.Bytes("monitor@1.0")), "end-of-schedule")
	if len(seen) != 2 || seen[0] != "end-of-schedule [1 1 0 0] false" {
		t.Errorf("at the end they saw %q", seen)
	}
	many := make(message.List, 65)
	for i := range many {
		many[i] = monitor("more")
	}
	for _, key := range []string{"compute", "init"} {
		if _, err := resolver(node).Run(t.Context(), message.New(field("device", message.Bytes("monitor@1.0")), field("monitors", many)), []device.Step{device.Ask(key)}, device.How{}); fault.CodeOf(err) != "monitors-too-many" {
			t.Errorf("%s with 65 monitors: %v", key, err)
		}
	}
	if _, err := resolver(node).Run(t.Context(), message.New(field("device", message.Bytes("monitor@1.0")), field("monitors", many[:64])), []device.Step{device.Ask("add-monitor", field("monitor", monitor("x")))}, device.How{}); fault.CodeOf(err) != "monitors-too-many" {
		t.Errorf("a 65th monitor: %v", err)
	}
}
