package devices

import (
	"context"
	"slices"

	"ago/codec/js"
	"ago/device"
	"ago/devices/execution"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

var processSlot = []device.Input{
	{Name: "compute", Doc: "the slot after which the state is wanted; the newest that was computed is the default", Type: device.TypeInt},
	{Name: "slot", Doc: "another name of compute", Type: device.TypeInt},
}

var _ = device.Register(device.Device{
	Name: process.DeviceProcess,
	Doc:  "A process: messages that get slots in a schedule, and the state that follows from them.",
	Keys: device.Keys{
		"schedule": {Doc: "gives a signed message the next slot, or lists slots: schedule of the process's scheduler device", Do: processBy("scheduler", process.DeviceScheduler, "schedule")},
		"slot":     {Doc: "the newest slot of the process: slot of its scheduler device", Do: processBy("scheduler", process.DeviceScheduler, "slot")},
		"push":     {Doc: "schedules a message, computes it and delivers what it sends: push of the process's push device", Do: processBy("push", process.DevicePush, "push")},
		"compute":  {Doc: "the state after a slot, computed if it was not before", Do: processCompute, Inputs: processSlot},
		"now":      {Doc: "the state after the newest slot of the schedule", Do: processNow},
		"latest":   {Doc: "the newest state that was computed; 404 if there is none", Do: processLatest},
		"snapshot": {Doc: "what the execution device gives for going on elsewhere", Do: processSnapshot},
		"as": {Doc: "the newest state under another device of the process, on which the rest of the path is tried out: nothing of it stays", Do: processAs,
			Inputs: []device.Input{
				{Name: "as", Doc: "execution is the default; scheduler, push", Type: device.TypeText, Max: 64},
				{Name: "as-device", Doc: "another name of as", Type: device.TypeText, Max: 64},
			}},
	},
})

// processID tells which process a state or a definition is: the one under process, or the message itself.
func processID(base message.Message) (message.ID, error) {
	switch p, _ := base.Get("process"); p := p.(type) {
	case message.Message:
		base = p
	case message.Link:
		return p.To, nil
	case message.Bytes:
		return message.ParseID(string(p))
	}
	if len(base.Committers()) == 0 {
		return message.ID{}, fault.New(fault.Malformed, "process-has-no-signers", "nobody has signed the process").
			WithHint("begin the path with the id of a process")
	}
	return base.SignedID(), nil
}

// processBy answers a key by the device that the process names for a role. The key of the role's own device is the end.
func processBy(role, otherwise, key string) device.Func {
	return func(c *device.Call, base, req message.Message) (message.Value, error) {
		name := base.Text(role + "-device")
		if name == "" || name == process.DeviceProcess {
			name = otherwise
		}
		return c.As(name, base, req.With("path", message.Bytes(key)))
	}
}

func processCompute(c *device.Call, base, req message.Message) (message.Value, error) {
	p, err := processID(base)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"compute", "slot"} {
		if v, ok := req.Get(key); ok {
			return processState(c, p, v)
		}
	}
	// "compute/results=5" asks for the results of slot 5, not for those of the newest.
	if rest := c.Rest(); len(rest) > 0 && rest[0].Path() == "results" {
		if v, ok := rest[0].Request.Get("results"); ok {
			if _, ok := device.Whole(v); ok {
				return processState(c, p, v)
			}
		}
	}
	if m, err := processKnown(c, p); err == nil || !device.IsNotFound(err) {
		return m, err
	}
	return processHead(c, p)
}

// processState gives the state after the slot that a value says.
func processState(c *device.Call, p message.ID, v message.Value) (message.Value, error) {
	n, ok := device.Whole(v)
	if !ok || n < 0 {
		return nil, fault.New(fault.Malformed, "slot-malformed", "a slot is a whole number from 0 on").WithHint("ask for compute=0, for instance")
	}
	state, err := processAt(c, p, slotlog.Slot(n))
	if err == nil {
		c.Promise(nil)
	}
	return state, err
}

func processAt(c *device.Call, p message.ID, slot slotlog.Slot) (message.Value, error) {
	u, err := computerOf(c)
	if err != nil {
		return nil, err
	}
	m, err := u.State(c, p, slot)
	return m, err
}

// processHead gives the state after the newest slot.
func processHead(c *device.Call, p message.ID) (message.Value, error) {
	s, err := schedulerOf(c)
	if err != nil {
		return nil, err
	}
	head, err := s.Head(c, p)
	if err != nil {
		return nil, err
	}
	if head.Next == 0 {
		_, err := s.Process(c, p)
		return nil, err
	}
	state, err := processAt(c, p, head.Next-1)
	if err == nil {
		c.Promise(func(ctx context.Context) bool {
			now, err := s.Head(ctx, p)
			return err == nil && now.Next == head.Next
		})
	}
	return state, err
}

// processKnown gives the newest state that was computed.
func processKnown(c *device.Call, p message.ID) (message.Value, error) {
	u, err := computerOf(c)
	if err != nil {
		return nil, err
	}
	slot, ok, err := u.Newest(c, p)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "state-unknown", "No cached state available.").WithHint("ask for now")
	}
	state, err := processAt(c, p, slot)
	if err == nil {
		c.Promise(func(ctx context.Context) bool {
			now, ok, err := u.Newest(ctx, p)
			return err == nil && ok && now == slot
		})
	}
	return state, err
}

func processNow(c *device.Call, base, _ message.Message) (message.Value, error) {
	p, err := processID(base)
	if err != nil {
		return nil, err
	}
	v, _ := c.Option("process-now-from-cache")
	switch text, _ := device.Text(v); text {
	case "always":
		return processKnown(c, p)
	case "true":
		if m, err := processKnown(c, p); err == nil || !device.IsNotFound(err) {
			return m, err
		}
	}
	return processHead(c, p)
}

func processLatest(c *device.Call, base, _ message.Message) (message.Value, error) {
	p, err := processID(base)
	if err != nil {
		return nil, err
	}
	return processKnown(c, p)
}

func processSnapshot(c *device.Call, base, _ message.Message) (message.Value, error) {
	return processTry(c, base, "execution", func(ctx context.Context, state message.Message) (message.Value, error) {
		r, err := c.Runner.Run(ctx, state, []device.Step{device.Ask("snapshot", message.Field{Key: "mode", Value: message.Bytes("Map")})}, device.How{CacheControl: "no-store, no-cache"})
		return r.Value, err
	})
}

// processTry tries something out on the newest state, seen under the device of a role.
func processTry(c *device.Call, base message.Message, role string, do func(ctx context.Context, state message.Message) (message.Value, error)) (message.Value, error) {
	p, err := processID(base)
	if err != nil {
		return nil, err
	}
	u, err := computerOf(c)
	if err != nil {
		return nil, err
	}
	var out message.Value
	err = u.Try(c, p, func(ctx context.Context, state message.Message) error {
		name := state.Text(role + "-device")
		if name == "" {
			return fault.New(fault.NotFound, "device-absent", "process %s names no %s device", p, role)
		}
		var err error
		out, err = do(ctx, execution.Under(state, role, name))
		return err
	})
	return out, err
}

func processAs(c *device.Call, base, req message.Message) (message.Value, error) {
	role := "execution"
	for _, key := range []string{"as-device", "as"} {
		if v, ok := req.Get(key); ok {
			if text, _ := device.Text(v); text != "" {
				role = text
			}
		}
	}
	rest := c.Rest()
	c.Consume(len(rest))
	out, err := processTry(c, base, role, func(ctx context.Context, state message.Message) (message.Value, error) {
		if len(rest) == 0 {
			return state, nil
		}
		r, err := c.Runner.Run(ctx, state, processAssigned(rest), device.How{CacheControl: "no-store, no-cache"})
		return r.Value, err
	})
	if fault.CodeOf(err) != "state-no-message" {
		return out, err
	}
	if role != "execution" || len(rest) == 0 || rest[0].Path() != "compute" {
		return nil, err
	}
	return processDryRun(c, base, rest)
}

// processAssigned gives the request of a compute that is tried out the form of an assignment: what it says is the body, too.
func processAssigned(rest []device.Step) []device.Step {
	if _, ok := rest[0].Request.Get(message.KeyBody); ok || rest[0].Path() != "compute" {
		return rest
	}
	body := rest[0].Request
	for _, key := range processNotTags {
		body = body.Without(key)
	}
	out := slices.Clone(rest)
	out[0].Request = out[0].Request.With(message.KeyBody, body)
	return out
}

// processDryRun tries a message out on a legacy process, and goes on with what it gave.
func processDryRun(c *device.Call, base message.Message, rest []device.Step) (message.Value, error) {
	p, err := processID(base)
	if err != nil {
		return nil, err
	}
	u, err := computerOf(c)
	if err != nil {
		return nil, err
	}
	r, err := u.DryRun(c, p, nil, processTrial(c, rest[0].Request))
	if err != nil {
		return nil, err
	}
	state := message.New(message.Field{Key: "results", Value: r.Results()})
	if len(rest) == 1 { // published clients look for the result of a dry run at the top, and for that of a slot under results
		raw, _ := r.Results().Get("raw")
		return state.With("raw", raw), nil
	}
	return c.Run(state, rest[1:], device.How{CacheControl: "no-store, no-cache"})
}

// processTrial is a request as the message of a dry run. Who signed the request is who the message is from.
func processTrial(c *device.Call, req message.Message) process.DryMessage {
	for _, key := range processNotTags {
		req = req.Without(key)
	}
	content := process.ContentOfMessage(req)
	owner := "1234"
	if signers, err := c.Signers(c.Origin); err == nil && len(signers) > 0 {
		owner = signers[0].ProcessAddress()
	}
	text := func(s string) []byte { return js.AppendJSON(nil, s) }
	return process.DryMessage{ID: text("0"), Owner: text(owner), Data: text(string(content.Data)), Tags: content.Tags}
}

// processNotTags are keys of a request that say how it is asked, not what.
var processNotTags = []string{"path", "method", "accept", "accept-bundle", "accept-codec", "require-codec", "signing-format", "commitments", "target",
	"host", "connection", "user-agent", "content-length", "content-type", "codec-device"}
