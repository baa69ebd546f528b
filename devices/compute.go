package devices

import (
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Compute tells what slots gave, for those who want a node's word for it.
var _ = device.Register(device.Device{
	Name: "compute@1.0",
	Doc:  "tells what a slot of a process gave, so that the signature of the answer is the node's word for it",
	Keys: device.Keys{
		"execute": {Doc: "process, slot and results of a slot, evaluated if it was not before. With commit-to only commitment-for, if the results have that message: 404 if not", Do: computeExecute,
			Inputs: []device.Input{
				{Name: "process", Doc: "the process; that of body is the default", Type: device.TypeID},
				{Name: "slot", Doc: "the slot; that of body is the default", Type: device.TypeInt},
				{Name: "body", Doc: "an assignment, in the place of process and slot", Type: device.TypeMap},
				{Name: "commit-to", Doc: "the id of one message of the outbox", Type: device.TypeID},
			}},
	},
	Examples: []device.Example{{Needs: "it takes a process", Path: "/~compute@1.0/execute/results/data?process=qoKsl5XJIjkL7QIfUXNplkdh71dTOV1mUtP3b4WlzMk&slot=2", Want: "7"}},
})

func computeExecute(c *device.Call, _, req message.Message) (message.Value, error) {
	from := []message.Message{req}
	if v, ok := req.Get(message.KeyBody); ok {
		m, err := c.Message(v)
		if err != nil {
			return nil, err
		}
		from = append(from, m)
	}
	p, err := message.ParseID(first("process", from...))
	if err != nil {
		return nil, fault.New(fault.Malformed, "no_viable_computation", "process and slot say what is wanted").WithHint("process=ID&slot=0")
	}
	v, _ := device.First("slot", from...)
	state, err := processState(c, p, v)
	if err != nil {
		return nil, err
	}
	m, err := c.Message(state)
	if err != nil {
		return nil, err
	}
	v, _ = m.Get("results")
	if text := req.Text("commit-to"); text != "" {
		return computeCommitted(c, v, text)
	}
	at, _ := device.First("slot", from...)
	n, _ := device.Whole(at)
	return message.New(message.Field{Key: "process", Value: message.Bytes(p.String())}, message.Field{Key: "slot", Value: message.Int(n)},
		message.Field{Key: "results", Value: v}), nil
}

// computeCommitted looks for one message among those that results send.
func computeCommitted(c *device.Call, results message.Value, text string) (message.Value, error) {
	id, err := message.ParseID(text)
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "argument-malformed", "commit-to is no id")
	}
	m, err := c.Message(results)
	if err != nil {
		return nil, err
	}
	box, _ := m.Get("outbox")
	for _, v := range device.Items(box) {
		sent, err := c.Message(v)
		if err != nil {
			return nil, err
		}
		if sent.SignedID() == id || sent.ID() == id {
			return message.New(message.Field{Key: "commitment-for", Value: message.Bytes(text)}), nil
		}
	}
	return nil, refused(device.NotFound, "Requested message to commit to not in results bundle.", "message-unknown", "the outbox of the results has the messages")
}
