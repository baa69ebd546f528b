package devices

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"ago/device"
	"ago/devices/jsonabi"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

// Delegate is the one compute unit that the operator trusts to evaluate in the place of this node. Whoever provides it decides where
// it is: nothing that is asked for changes that, and no answer leads elsewhere.
type Delegate interface {
	// Ask sends a request with a JSON body, if there is one, to a path at the unit, and gives the status and the body of the answer.
	// It fails with Unavailable if there is no whole answer.
	Ask(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error)
}

// DelegatedCompute lets another machine evaluate.
var _ = device.Register(device.Device{
	Name: process.DeviceDelegated,
	Doc:  "has a legacy compute unit, which the node's operator names and trusts, evaluate the messages of a process",
	Keys: device.Keys{
		"init": {Doc: "the message", Do: delegateSame},
		"compute": {Doc: "the message with what the compute unit answers as results, in the shape that genesis-wasm@1.0 gives them; patches in the outbox are merged into it. An assignment is asked for by its slot, anything else tried out on the newest state. 503 if the unit has no result, which is asked for again when the process is",
			Do: delegateCompute, Inputs: []device.Input{
				{Name: "process-id", Doc: "the process, where the message is none", Type: device.TypeID},
				{Name: "slot", Doc: "the slot whose result is wanted", Type: device.TypeInt},
				{Name: "body", Doc: "the scheduled message"},
			}},
		"normalize": {Doc: "the message: the state is with the compute unit", Do: delegateSame},
		"snapshot":  {Doc: "an empty message: the state is with the compute unit", Do: delegateSnapshot},
	},
	Examples: []device.Example{
		{Path: "/~delegated-compute@1.0&a=b/normalize", Want: `{"a":"b","device":"delegated-compute@1.0"}`},
		{Needs: "the answer is another machine's", Path: "/~delegated-compute@1.0/compute/results/data?process-id=qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk&slot=2", Want: "7"},
	},
})

const delegateTime = 2 * time.Minute // for one answer; a slot that took longer is asked for again

func delegateSame(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil }

func delegateSnapshot(*device.Call, message.Message, message.Message) (message.Value, error) {
	return message.Message{}, nil
}

func delegateCompute(c *device.Call, base, req message.Message) (message.Value, error) {
	p, from, err := delegateProcess(c, base, req)
	if err != nil {
		return nil, err
	}
	unit, ok := device.Service[Delegate](c)
	if !ok { // Unavailable, so that no slot fails for ever on what an operator has to set
		return nil, fault.New(fault.Unavailable, "delegate-missing", "this node delegates to no compute unit").
			WithHint("its operator names one with --delegate-url")
	}
	ctx, cancel := context.WithTimeout(c, delegateTime)
	defer cancel()
	var answer []byte
	_, trial := req.Get("read-only")
	if _, placed := req.Get("slot"); placed && !trial {
		answer, err = delegateResult(ctx, c, unit, p, req)
	} else {
		answer, err = delegateTrial(ctx, c, unit, p, req)
	}
	if err != nil {
		return nil, err
	}
	r, err := process.ParseResult(answer)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "delegate-malformed", "the compute unit's answer for process %s is no result", p)
	}
	return patched(c, base.With("results", jsonabi.Results(r, from)))
}

// delegateProcess gives the process that a state or a request is about, and what its messages say of their sender.
func delegateProcess(c *device.Call, base, req message.Message) (message.ID, message.Message, error) {
	if v, ok := base.Get("process"); ok {
		v, err := c.Load(v)
		if err != nil {
			return message.ID{}, message.Message{}, err
		}
		if m, ok := v.(message.Message); ok {
			def, err := process.Define(m)
			return def.ID, jsonabi.From(def), err
		}
	}
	text := first("process-id", req, base)
	if text == "" {
		p, err := processID(base)
		return p, message.New(message.Field{Key: "from-process", Value: message.Bytes(p.String())}), err
	}
	p, err := message.ParseID(text)
	if err != nil {
		return p, message.Message{}, fault.Wrap(err, fault.Malformed, "argument-malformed", "process-id is no id")
	}
	return p, message.New(message.Field{Key: "from-process", Value: message.Bytes(text)}), nil
}

// delegateResult asks for the result of a slot: with the assignment, as units want it that read no schedule, and by the message's
// id if the unit takes no assignments.
func delegateResult(ctx context.Context, c *device.Call, unit Delegate, p message.ID, req message.Message) ([]byte, error) {
	v, _ := req.Get("slot")
	slot, ok := device.Whole(v)
	if !ok || slot < 0 {
		return nil, fault.New(fault.Malformed, "slot-malformed", "a slot is a whole number from 0 on")
	}
	page := process.Page{Process: p}
	var id message.ID
	if v, ok := req.Get(message.KeyBody); ok {
		body, err := c.Message(v)
		if err != nil {
			return nil, err
		}
		a := process.Assigned{Content: process.ContentOfMessage(body)}
		a.Slot = slotlog.Slot(slot)
		page.Slots, page.Signed, id = append(page.Slots, a), append(page.Signed, req.With(message.KeyBody, body)), a.Content.ID
	}
	query := "?process-id=" + p.String() + "&no-busy=1"
	status, answer, err := unit.Ask(ctx, http.MethodPost, "/result/"+strconv.FormatInt(slot, 10)+query, page.JSON())
	if err == nil && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) && !id.IsZero() {
		status, answer, err = unit.Ask(ctx, http.MethodGet, "/result/"+id.String()+query, nil)
	}
	return delegateAnswered(status, answer, err)
}

// delegateTrial has a message tried out.
func delegateTrial(ctx context.Context, c *device.Call, unit Delegate, p message.ID, req message.Message) ([]byte, error) {
	m := req
	if v, ok := req.Get(message.KeyBody); ok {
		body, err := c.Load(v)
		if err != nil {
			return nil, err
		}
		if given, ok := body.(message.Message); ok {
			m = given
		}
	}
	for _, key := range append(processNotTags, "process-id", "read-only") {
		m = m.Without(key)
	}
	content := process.ContentOfMessage(m)
	content.Owner = m.Text("owner")
	if content.Target == "" {
		content.Target = p.String()
	}
	return delegateAnswered(unit.Ask(ctx, http.MethodPost, "/dry-run?process-id="+p.String(), process.AppendContentJSON(nil, content)))
}

// delegateAnswered takes only whole results. Whatever else the unit says may be another in a moment, and is no result of the slot.
func delegateAnswered(status int, answer []byte, err error) ([]byte, error) {
	if err != nil || status == http.StatusOK {
		return answer, err
	}
	return nil, fault.New(fault.Unavailable, "delegate-refused", "the compute unit has no result: %d %.300q", status, answer).
		WithHint("it has to reach the schedule of the process, and to run its module")
}
