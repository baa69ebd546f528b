package devices

import (
	"strconv"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Monitor lets others watch how a process is evaluated.
var _ = device.Register(device.Device{
	Name: "monitor@1.0",
	Doc:  "tells the monitors of a process of every message that it has evaluated; stands last in its stack",
	Keys: device.Keys{
		"init":            {Doc: "the message with its monitors; none, if it names none", Do: monitorInit, Inputs: monitorInputs},
		"compute":         {Doc: "the message, once every monitor was asked with signal=message; in the last pass of a stack only. Those are left out that answered done", Do: monitorCompute},
		"end-of-schedule": {Doc: "the message, once every monitor was asked with signal=end-of-schedule. Those are left out that answered done", Do: monitorEnd},
		"add-monitor": {Doc: "the message with another monitor", Do: monitorAdd,
			Inputs: []device.Input{{Name: "monitor", Doc: "a message with device, and path if it is not monitor. It is asked with signal, state (the message) and body (what it evaluated), and answers done when it wants to hear no more; nothing else that it answers or changes counts, and neither does its failure", Type: device.TypeMap, Required: true}}},
		"normalize": {Doc: "the message", Do: monitorSame},
		"snapshot":  {Doc: "an empty message: all of the state is in the message", Do: testSnapshot},
	},
	Examples: []device.Example{
		{Path: "/~monitor@1.0/init", Want: `{"device":"monitor@1.0","monitors":[]}`},
		{Doc: "a monitor that answers done is asked once", Path: "/m/compute", Base: message.New(message.Field{Key: "m", Value: message.New(
			message.Field{Key: "device", Value: message.Bytes("monitor@1.0")},
			message.Field{Key: "monitors", Value: message.List{message.New(message.Field{Key: "monitor", Value: message.Bytes("done")})}})}),
			Want: `{"device":"monitor@1.0","monitors":[]}`},
	},
})

var monitorInputs = []device.Input{{Name: "monitors", Doc: "the monitors, each as add-monitor takes one", Type: device.TypeList, Max: monitorsMax}}

const (
	keyMonitors = "monitors"
	monitorsMax = 64 // of one process
)

func monitorSame(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil }

func monitorsOf(c *device.Call, in ...message.Message) ([]message.Message, error) {
	v, _ := device.First(keyMonitors, in...)
	v, err := c.Load(v)
	if err != nil {
		return nil, err
	}
	var all []message.Message
	for _, item := range device.Items(v) {
		m, err := c.Message(item)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	if len(all) > monitorsMax {
		return nil, fault.New(fault.TooLarge, "monitors-too-many", "a process has up to %d monitors, this has %d", monitorsMax, len(all))
	}
	return all, nil
}

func monitored(base message.Message, all []message.Message) message.Message {
	list := make(message.List, len(all))
	for i, m := range all {
		list[i] = m
	}
	return base.With(keyMonitors, list)
}

func monitorInit(c *device.Call, base, req message.Message) (message.Value, error) {
	all, err := monitorsOf(c, base, req)
	return monitored(base, all), err
}

func monitorAdd(c *device.Call, base, req message.Message) (message.Value, error) {
	v, _ := req.Get("monitor")
	m, err := c.Message(v)
	if err != nil {
		return nil, err
	}
	all, err := monitorsOf(c, base)
	if err != nil {
		return nil, err
	}
	if len(all) == monitorsMax {
		return nil, fault.New(fault.TooLarge, "monitors-too-many", "a process has up to %d monitors", monitorsMax)
	}
	return monitored(base, append(all, m)), nil
}

func monitorCompute(c *device.Call, base, req message.Message) (message.Value, error) {
	if whole(base, "pass", 1) < whole(base, "passes", 1) {
		return base, nil
	}
	return monitorSignal(c, "message", base, req)
}

func monitorEnd(c *device.Call, base, req message.Message) (message.Value, error) {
	return monitorSignal(c, "end-of-schedule", base, req)
}

// monitorSignal asks all monitors, and gives the message with those that want to hear more.
func monitorSignal(c *device.Call, signal string, base, req message.Message) (message.Value, error) {
	all, err := monitorsOf(c, base)
	if err != nil {
		return nil, err
	}
	var left []message.Message
	for i, m := range all {
		done, err := monitorAsk(c, m, signal, base, req)
		if ended := c.Err(); ended != nil { // whether the monitor is done was not told, and may be on another machine
			return nil, fault.Wrap(ended, fault.Unavailable, "resolve-given-up", "the request was given up or took too long")
		}
		if err != nil {
			c.Event("monitor-failed", message.New(message.Field{Key: "monitor", Value: message.Int(i + 1)}, message.Field{Key: "code", Value: message.Bytes(monitorCode(err))}))
		}
		if !done {
			left = append(left, m)
		}
	}
	return monitored(base, left), nil
}

func monitorCode(err error) string {
	if code := fault.CodeOf(err); code != "" {
		return code
	}
	return strconv.Itoa(int(device.StatusOf(err)))
}

// monitorAsk asks a monitor, outside of what the process holds: a monitor sees its state and does not share it.
func monitorAsk(c *device.Call, m message.Message, signal string, base, req message.Message) (done bool, err error) {
	path := m.Text("path")
	if path == "" {
		path = "monitor"
	}
	keys := message.New(message.Field{Key: "signal", Value: message.Bytes(signal)}, message.Field{Key: "state", Value: base.Without(keyMonitors)})
	if v, ok := req.Get(message.KeyBody); ok {
		keys = keys.With(message.KeyBody, v)
	}
	steps, err := c.Runner.Parse("/"+path, message.Message{})
	if err != nil {
		return false, err
	}
	for i := range steps {
		for key, v := range keys.All() {
			steps[i].Request = steps[i].Request.With(key, v)
		}
	}
	r, err := c.Runner.Run(device.WithSession(c, nil), m.Without("path"), steps, device.How{CacheControl: "no-store, no-cache", IgnoreHashpath: true})
	if err != nil {
		return false, err
	}
	text, _ := device.Text(r.Value)
	return text == "done", nil
}
