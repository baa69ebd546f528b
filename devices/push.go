package devices

import (
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/push"
	"ago/slotlog"
)

var _ = device.Register(device.Device{
	Name: process.DevicePush,
	Doc:  "Schedules a message, computes it, and answers what became of the messages that its result sends.",
	Keys: device.Keys{
		"push": {Doc: "slot, process and id of the message, its results, and for each message of the outbox, under its key, where it went", Do: pushPush,
			Inputs: []device.Input{
				{Name: "slot", Doc: "a slot whose results are delivered already or now; without it the request is scheduled first", Type: device.TypeInt},
				{Name: "result-depth", Doc: "how many results within results are answered; 1 is the default", Type: device.TypeInt},
				{Name: "max-depth", Doc: "how many deliveries in a chain are waited for; result-depth is the default. Delivery itself goes on", Type: device.TypeInt},
				{Name: "push-mode", Doc: "async answers as soon as the message has its slot", Type: device.TypeText, Max: 16},
				{Name: "async", Doc: "true is push-mode=async", Type: device.TypeFlag},
			}},
	},
})

const pushDepthMax = 32 // waited for by one request

func pushPush(c *device.Call, base, req message.Message) (message.Value, error) {
	w := pushWait{c: c, results: pushNumber(req, "result-depth", 1)}
	_, limited := req.Get("max-depth")
	w.chain = pushNumber(req, "max-depth", max(w.results, 1))
	w.limited = limited
	var p message.ID
	var slot slotlog.Slot
	id := ""
	if v, ok := req.Get("slot"); ok {
		n, ok := device.Whole(v)
		if !ok || n < 0 {
			return nil, fault.New(fault.Malformed, "slot-malformed", "a slot is a whole number from 0 on")
		}
		id, err := processID(base)
		if err != nil {
			return nil, err
		}
		p, slot = id, slotlog.Slot(n)
	} else {
		v, err := processBy("scheduler", process.DeviceScheduler, "schedule")(c, base, req.With("method", message.Bytes("POST")))
		if err != nil {
			return nil, err
		}
		assignment, err := c.Message(v)
		if err != nil {
			return nil, err
		}
		if body, _ := assignment.Get(message.KeyBody); body != nil {
			if m, ok := body.(message.Message); ok {
				if process.IsDefinition(m) {
					return assignment, nil
				}
				id = process.ContentOfMessage(m).ID.String()
			}
		}
		at, _ := assignment.Get("slot")
		n, ok := device.Whole(at)
		if p, err = message.ParseID(assignment.Text("process")); err != nil || !ok {
			return nil, fault.New(fault.Internal, "assignment-malformed", "the scheduler answered no assignment")
		}
		slot = slotlog.Slot(n)
	}
	v, _ := req.Get("async")
	if async, _ := device.Flag(v); async || req.Text("push-mode") == "async" {
		return pushedAs(id, pushed(p, slot)), nil
	}
	m, err := w.slot(p, slot, 0)
	return pushedAs(id, m), err
}

// pushedAs adds the id of a message that was scheduled just now.
func pushedAs(id string, m message.Message) message.Message {
	if id == "" {
		return m
	}
	return m.With("id", message.Bytes(id))
}

func pushNumber(req message.Message, key string, absent int) int {
	if v, ok := req.Get(key); ok {
		if n, ok := device.Whole(v); ok && n >= 0 {
			return int(min(n, pushDepthMax))
		}
	}
	return absent
}

func pushed(p message.ID, slot slotlog.Slot) message.Message {
	return message.New(
		message.Field{Key: "process", Value: message.Bytes(p.String())},
		message.Field{Key: "slot", Value: message.Int(int64(slot))})
}

// pushWait follows what a slot sends as far as somebody wants to wait.
type pushWait struct {
	c              *device.Call
	results, chain int
	limited        bool
}

// slot gives what a slot gave, and where what it sent went.
func (w pushWait) slot(p message.ID, slot slotlog.Slot, depth int) (message.Message, error) {
	u, err := computerOf(w.c)
	if err != nil {
		return message.Message{}, err
	}
	state, err := u.State(w.c, p, slot)
	if err != nil {
		return message.Message{}, err
	}
	v, _ := state.Get("results")
	results, _ := v.(message.Message)
	out := pushed(p, slot)
	if depth < w.results {
		for key, v := range results.All() {
			if _, taken := out.Get(key); !taken {
				out = out.With(key, v)
			}
		}
	}
	entries := process.OutboxOf(results)
	if len(entries) == 0 {
		return out, nil
	}
	mu, err := unit[Messenger](w.c, "messenger")
	if err != nil {
		return message.Message{}, err
	}
	tasks, err := mu.Sent(w.c, p, slot)
	if err != nil {
		return message.Message{}, err
	}
	for _, t := range tasks {
		if int(t.Key.Index) < len(entries) && t.Key.Part == 0 {
			e := entries[t.Key.Index]
			out = out.With(e.Key, w.entry(t, e.Message, depth))
		}
	}
	return out, nil
}

// entry tells what became of one message.
func (w pushWait) entry(t push.Task, m message.Message, depth int) message.Message {
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	switch {
	case m.Text("target") == "" && t.State != push.Delivered:
		return message.New(text("response", "error"), message.Field{Key: "status", Value: message.Int(404)},
			message.Field{Key: "outbox-index", Value: message.Int(int64(t.Key.Index) + 1)}, text("reason", "Target process not available."), message.Field{Key: "message", Value: m})
	case t.State == push.Uploaded:
		return message.New(text("response", "error"), message.Field{Key: "status", Value: message.Int(404)}, text("id", t.Message.String()),
			text("target", t.Target), text("reason", "Could not access target process!"))
	case t.State != push.Delivered || t.Slot == nil:
		return message.New(text("response", "error"), text("target", t.Target), text("state", t.State.String()), text("reason", t.Reason))
	}
	out := message.New(text("id", t.Message.String()), text("target", t.Target), message.Field{Key: "slot", Value: message.Int(int64(*t.Slot))})
	to, err := message.ParseID(t.Target)
	switch {
	case err != nil:
		return out
	case depth+1 >= w.chain && w.limited:
		return out.With("resulted-in", message.Bytes("skipped"))
	case depth+1 >= w.chain:
		return out.With("resulted-in", pushed(to, *t.Slot))
	}
	inner, err := w.slot(to, *t.Slot, depth+1)
	if err != nil {
		return out.With("resulted-in", message.New(text("response", "error"), text("reason", err.Error())))
	}
	return out.With("resulted-in", inner)
}
